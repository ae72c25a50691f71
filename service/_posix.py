"""irisdrop as a systemd service."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from irisdrop.vocabulary.faults import Foreseen

assert sys.platform != "win32"  # which has none of this

NAME: Final = "irisdrop.service"
UNIT: Final = Path("/etc/systemd/system") / NAME
PACKAGED: Final = (Path("/lib/systemd/system") / NAME, Path("/usr/lib/systemd/system") / NAME)
CREDENTIALS: Final = Path("/etc/irisdrop/credentials")
ACCOUNT: Final = "irisdrop"


def install(config: Path) -> str:
    """Write the unit where no package brought one, make its account, and start it at every boot from now on."""
    _needs_root()
    if not any(path.exists() for path in PACKAGED):
        _account()
        CREDENTIALS.mkdir(parents=True, exist_ok=True)
        CREDENTIALS.chmod(0o700)
        UNIT.write_text(unit([sys.executable, "-m", "irisdrop"], config), "utf-8")
        _systemctl("daemon-reload")
    _systemctl("enable", NAME)
    return f"{NAME} starts with the system; `irisdrop service start` starts it now."


def uninstall() -> str:
    """Stop it and take it out of the system's start; journal, spool and configuration stay."""
    _needs_root()
    if not UNIT.exists() and not any(path.exists() for path in PACKAGED):
        raise Foreseen("NOT_INSTALLED", "irisdrop is not installed as a service.", "`irisdrop service install`.")
    _systemctl("disable", "--now", NAME)
    UNIT.unlink(missing_ok=True)
    _systemctl("daemon-reload")
    return f"{NAME} is taken out; journal, spool and configuration stay where they are."


def start() -> str:
    """Start it and wait until it says that it is ready."""
    _needs_root()
    _systemctl("start", NAME)
    return f"{NAME} runs."


def stop() -> str:
    """Stop it; what is on its way is in the journal and goes on with the next start."""
    _needs_root()
    _systemctl("stop", NAME)
    return f"{NAME} is stopped."


def state() -> str:
    """`active`, `inactive`, `failed`, … as systemd calls it; `not installed` without a unit."""
    if not UNIT.exists() and not any(path.exists() for path in PACKAGED):
        return "not installed"
    path = shutil.which("systemctl")
    if path is None:
        return "not started by systemd: this system has none"
    done = subprocess.run([path, "is-active", NAME], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown: systemd does not run here"


def unit(command: Sequence[str], config: Path) -> str:
    """Our unit for a command and a configuration that are elsewhere than a package puts them."""
    text = (Path(__file__).parent / NAME).read_text("utf-8")
    words = shlex.join([*command, "--config", str(config.absolute()), "run"]).replace("%", "%%")
    text = re.sub(r"(?m)^ExecStart=.*$", lambda _: f"ExecStart={words}", text)
    text = re.sub(r"(?m)^ConditionPathExists=.*$", lambda _: f"ConditionPathExists={config.absolute()}", text)
    if command and Path(command[0]).is_relative_to("/home"):
        text = text.replace("ProtectHome=yes", "ProtectHome=read-only")
    return text


def _account() -> None:
    done = subprocess.run(["id", ACCOUNT], capture_output=True, check=False)
    if done.returncode:
        words = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/var/lib/irisdrop"]
        subprocess.run([*words, "--shell", "/usr/sbin/nologin", ACCOUNT], check=True, capture_output=True)


def _systemctl(*words: str) -> None:
    done = subprocess.run([_found(), *words], capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or "it says nothing").splitlines()[0]
        raise Foreseen("SERVICE_FAILED", f"systemd refused: {said}", f"`journalctl -u {NAME}` says why.")


def _found() -> str:
    path = shutil.which("systemctl")
    if path is None:
        raise Foreseen("NO_SYSTEMD", "This system has no systemd.", "start `irisdrop run` by what it has instead.")
    return path


def _needs_root() -> None:
    if os.geteuid() != 0:
        raise Foreseen("NOT_PERMITTED", "Only root may do that.", "the same command with sudo.")
