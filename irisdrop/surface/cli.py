"""The command line: one place that turns an exception into a text and an exit code.

Exit codes: 0 done, 1 a foreseen failure (with a `Try:` line), 2 usage, 3 a fault of ours (a report is written).
"""

from __future__ import annotations

import errno
import sys
from importlib import import_module
from pathlib import Path
from typing import Final

import click

from irisdrop import __version__
from irisdrop.vocabulary.faults import Foreseen

# command → (module, one line of help), imported when it is called: `irisdrop --version` pays for none of them.
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "demo": ("demo", "See the whole way of an image, with an embedded camera and platform."),
    "run": ("run", "Watch the cameras' folders and deliver."),
    "status": ("status", "Cameras, counts and what is not well."),
    "quarantine": ("quarantine", "What waits for a person: list, show, assign, release, discard, undo, recall."),
    "page": ("page", "Open the local page in a browser."),
    "tray": ("tray", "An icon that says whether all is well, and opens the page."),
    "worklist": ("worklist", "The orders as they are known here: show, sync."),
    "explain": ("explain", "What would be decided about a file, and why. Writes nothing."),
    "inspect": ("inspect", "Everything in a file that could carry a key."),
    "learn": ("learn", "Propose a profile from exports and a worklist."),
    "replay": ("replay", "Which past decisions an edited profile would change."),
    "check": ("check", "Prove profiles and configuration."),
    "doctor": ("doctor", "Look at everything that irisdrop needs: ok, look or broken."),
    "audit": ("audit", "Who did what to which image: verify, export."),
    "bundle": ("bundle", "What support needs, without anybody's name or number."),
    "service": ("service", "Install, start and stop irisdrop as a service of this machine."),
    "adopt": ("adopt", "Take the older files that a camera's first start left alone."),
    "reference": ("reference", "A small platform that honours the HTTP contract, for trials."),
}

FULL: Final = "The disk that holds irisdrop's state is full; images wait in the cameras' folders.\nTry: make room, then start again."
# What a disk says to every command that writes: a foreseen failure, whichever line met it.
DISKS: Final[dict[int | None, str]] = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EROFS: "The disk that holds irisdrop's state can only be read.\n"
    "Try: mount it so that the service's account can write, or name another folder in `state:`.",
}


class Commands(click.Group):
    """The commands by name, each imported when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        if name not in COMMANDS:
            return None
        import logging

        # What nobody logs is not printed either: a library's words may hold a name.
        logging.lastResort = logging.NullHandler()
        module = import_module(f"irisdrop.surface.commands.{COMMANDS[name][0]}")
        command: click.Command = getattr(module, name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="irisdrop")
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="IRISDROP_CONFIG",
    metavar="PATH",
    help="The configuration; default: the account's irisdrop.yaml, else the machine's.",
)
@click.pass_context
def cli(ctx: click.Context, config_path: Path | None) -> None:
    """irisdrop brings each image that a retinal camera exports to its one fitting order, or to a person."""
    ctx.obj = config_path


def main(arguments: list[str] | None = None) -> None:
    """Run one command and end the process with its exit code."""
    # A console that can't show a name must not stop the command that prints it.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        # Without `standalone_mode`, click gives the code of an Exit back instead of raising it.
        code = cli.main(arguments, prog_name="irisdrop", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.Abort:
        sys.exit(130)
    except click.ClickException as wrong:
        wrong.show()
        sys.exit(wrong.exit_code)
    except Foreseen as failure:
        click.echo(f"{failure.message}\nTry: {failure.remedy}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(0)  # whoever read our output has seen enough
    except Exception as fault:  # noqa: BLE001 - the one place where anything at all becomes an exit code
        if isinstance(fault, OSError) and fault.errno in DISKS:
            click.echo(DISKS[fault.errno], err=True)
            sys.exit(1)
        from irisdrop.surface.report import write_report

        click.echo(f"This is a fault of irisdrop ({type(fault).__name__}), not of yours.", err=True)
        click.echo(
            f"Try: send {write_report(fault)} to whoever looks after irisdrop for you; it has no names in it.", err=True
        )
        sys.exit(3)
