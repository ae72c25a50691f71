"""What makes irisdrop a service of Linux and Windows, and their packages; imports irisdrop, never the reverse."""
