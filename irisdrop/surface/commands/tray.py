"""`irisdrop tray`: the icon in the session of whoever works at this computer."""

from __future__ import annotations

import getpass
from importlib.util import find_spec
from pathlib import Path

import click

from irisdrop.surface.opened import standing
from irisdrop.vocabulary.faults import Foreseen


@click.command("tray")
@click.option("--by", default=getpass.getuser, metavar="NAME", help="Who decides on the page; default: your account.")
@click.pass_obj
def tray(config_path: Path | None, by: str) -> None:
    """An icon that says in one look whether all is well; a click opens the page."""
    config = standing(config_path)
    if find_spec("pystray") is None:
        raise Foreseen("NO_TRAY", "The tray icon is not installed.", "`pip install 'irisdrop[tray]'`.")
    from irisdrop.surface.tray.line import Line
    from irisdrop.surface.tray.tray import Tray, why_no_tray

    icon = Tray(Line(config.state, config.page.port, by, lambda: _port(config_path)))
    why = why_no_tray()
    try:
        if why is not None:
            click.echo(
                f"No icon: {why}. What it would say stands here; `irisdrop page` opens the page. Ctrl-C ends.", err=True
            )
            # At sign-in we may be quicker than the desktop's own tray: it is taken as soon as it is there.
            icon.in_words(click.echo, until=lambda: why_no_tray() is None)
        icon.run()
    except KeyboardInterrupt:
        icon.stop()


def _port(config_path: Path | None) -> int | None:
    """Where the page is now: the configuration may have named another port since the icon began."""
    try:
        return standing(config_path).page.port
    except Foreseen:
        return None
