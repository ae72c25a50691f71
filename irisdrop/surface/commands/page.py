"""`irisdrop page`: open the local page in a browser, as the person who asks."""

from __future__ import annotations

import getpass
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from irisdrop.surface.opened import standing
from irisdrop.vocabulary.faults import Foreseen

if TYPE_CHECKING:
    from irisdrop.profiles.config import Config


@click.command("page")
@click.option(
    "--print", "only_print", is_flag=True, help="Print the link instead of opening it; it works once, for 30 s."
)
@click.option("--quarantine", is_flag=True, help="Go to the quarantine.")
@click.option("--by", default=getpass.getuser, metavar="NAME", help="Who decides there; default: your account.")
@click.pass_obj
def page(config_path: Path | None, only_print: bool, quarantine: bool, by: str) -> None:
    """Open the local page of the running agent."""
    link = link_to(standing(config_path), by, quarantine=quarantine)
    if only_print or not webbrowser.open(link):
        click.echo(link)


def link_to(config: Config, person: str, *, quarantine: bool = False) -> str:
    """A link that opens the page once; raises Foreseen where there is no page or it is not for this account."""
    from irisdrop.surface.page.access import secret_of
    from irisdrop.surface.page.knock import knock

    port = config.page.port
    try:
        secret = secret_of(config.state)
    except FileNotFoundError:
        raise _not_served(config) from None
    except PermissionError:
        raise Foreseen(
            "NOT_PERMITTED",
            "This account may not open irisdrop's page.",
            "be added to the group `irisdrop` of this computer, then sign in again.",
        ) from None
    try:
        admission = knock(port, secret, "page", person)
    except OSError:
        raise _not_served(config) from None
    to = "&to=quarantine" if quarantine else ""
    return f"http://{admission.host}:{port}/enter?code={admission.word}{to}"


def _not_served(config: Config) -> Foreseen:
    return Foreseen(
        "NO_PAGE",
        f"No page is served on port {config.page.port}.",
        "start the agent (`irisdrop run` or `irisdrop service start`); "
        "if it runs, install the page with `pip install 'irisdrop[web]'`.",
    )
