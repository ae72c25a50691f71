"""Where people meet irisdrop: command line, page and tray."""
