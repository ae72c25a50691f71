"""irisdrop as a Windows service, by the tools that Windows has: sc.exe and icacls.exe."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Final

from irisdrop.profiles.secret import secrets_in
from irisdrop.vocabulary.faults import Foreseen

if TYPE_CHECKING:
    from irisdrop.profiles.config import Config

NAME: Final = "irisdrop"
ACCOUNT: Final = rf"NT SERVICE\{NAME}"
SYSTEM: Final = Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32"
# After a fault: in 5 s, in 30 s, then every minute; counted anew after a day.
RECOVERY: Final = "restart/5000/restart/30000/restart/60000"
STATES: Final = {"1": "stopped", "2": "starting", "3": "stopping", "4": "active", "7": "paused"}


def install(config: Path) -> str:
    """Register the service with delayed automatic start under its own virtual account, and shut its files to others."""
    _needs_administrator()
    from irisdrop.profiles.config import load_config

    settings = load_config(config)
    for place in _places(settings):
        _not_mapped(place)
    _sc("create", NAME, "binPath=", binary(), "start=", "delayed-auto", "obj=", ACCOUNT, "DisplayName=", "irisdrop")
    _sc("description", NAME, "Brings each image of a retinal camera to its one fitting order.")
    _sc("failure", NAME, "reset=", "86400", "actions=", RECOVERY)
    _sc("failureflag", NAME, "1")  # also where it ends by itself with an error
    _sc("sidtype", NAME, "unrestricted")
    _environment(config)
    settings.state.mkdir(parents=True, exist_ok=True)
    _shut(settings.state, ACCOUNT, "(OI)(CI)F")
    for place in sorted({secret.place for secret in secrets_in(settings) if secret.kind == "file"}):
        _shut(Path(place), ACCOUNT, "R")
    return f"The service {NAME} starts with Windows as {ACCOUNT}; `irisdrop service start` starts it now."


def uninstall() -> str:
    """Stop and take out; journal, spool and configuration stay."""
    _needs_administrator()
    _call("stop", NAME)
    _sc("delete", NAME)
    return f"The service {NAME} is taken out; journal, spool and configuration stay where they are."


def start() -> str:
    """Start it."""
    _sc("start", NAME)
    return f"The service {NAME} starts."


def stop() -> str:
    """Stop it; what is on its way is in the journal and goes on with the next start."""
    _sc("stop", NAME)
    return f"The service {NAME} stops."


def state() -> str:
    """`active`, `stopped`, …; `not installed` where there is none."""
    done = _call("query", NAME)
    if done.returncode:
        return "not installed"
    numbers = [line.split(":")[1].split()[0] for line in done.stdout.splitlines() if line.strip().startswith("STATE")]
    return STATES.get(numbers[0], numbers[0]) if numbers else "unknown"


def binary() -> str:
    """What the service control manager starts."""
    if getattr(sys, "frozen", False):
        return f'"{sys.executable}" --service'
    return f'"{sys.executable}" -c "from irisdrop.service.windows_service import serve; serve()"'


def unc_of(drive: str) -> str | None:
    r"""The `\\server\share` that a mapped drive of this account stands for; None where it is no mapped one."""
    size = ctypes.c_ulong(1024)
    name = ctypes.create_unicode_buffer(size.value)
    network = ctypes.windll.mpr  # type: ignore[attr-defined,unused-ignore]
    return name.value if network.WNetGetConnectionW(drive, name, ctypes.byref(size)) == 0 else None


def _places(settings: Config) -> Iterator[str]:
    """Every place on the disk that a configuration may name."""
    yield str(settings.state)
    for camera in settings.cameras:
        yield str(camera.folder)
        yield str(camera.after.move or "")
    for part in (settings.platform, settings.worklist):
        if part is not None:
            yield from (str(value) for value in part.options.values() if isinstance(value, str | Path))


def _not_mapped(place: str) -> None:
    drive = PureWindowsPath(place).drive
    share = unc_of(drive) if len(drive) == 2 else None
    if share is not None:
        raise Foreseen(
            "MAPPED_DRIVE",
            f"{drive} is a mapped drive of this account; for a service it does not exist.",
            f"write {share} in the configuration instead of {drive}.",
        )


def _environment(config: Path) -> None:
    import winreg

    path = rf"SYSTEM\CurrentControlSet\Services\{NAME}"
    with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path, 0, winreg.KEY_SET_VALUE) as key:  # type: ignore[attr-defined,unused-ignore]
        values = [f"IRISDROP_CONFIG={config.absolute()}"]
        winreg.SetValueEx(key, "Environment", 0, winreg.REG_MULTI_SZ, values)  # type: ignore[attr-defined,unused-ignore]
        winreg.SetValueEx(key, "PreshutdownTimeout", 0, winreg.REG_DWORD, 30_000)  # type: ignore[attr-defined,unused-ignore]


def _shut(path: Path, account: str, rights: str) -> None:
    """Full rights for the system and administrators, `rights` for the service, none for anybody else."""
    inherit = "(OI)(CI)F" if path.is_dir() else "F"
    words = [str(path), "/inheritance:r", "/grant:r", f"*S-1-5-18:{inherit}", f"*S-1-5-32-544:{inherit}"]
    done = subprocess.run(
        [str(SYSTEM / "icacls.exe"), *words, f"{account}:{rights}"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Foreseen("ACL_REFUSED", f"The rights of {path} can't be set.", "run this as an administrator.")


def _sc(*words: str) -> None:
    done = _call(*words)
    if done.returncode:
        said = " ".join(done.stdout.split())[:200]
        raise Foreseen("SERVICE_FAILED", f"Windows refused `sc {words[0]}`: {said}", "run this as an administrator.")


def _call(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(SYSTEM / "sc.exe"), *words], capture_output=True, text=True, check=False)


def _needs_administrator() -> None:
    if not ctypes.windll.shell32.IsUserAnAdmin():  # type: ignore[attr-defined,unused-ignore]
        raise Foreseen("NOT_PERMITTED", "Only an administrator may do that.", "the same command as an administrator.")
