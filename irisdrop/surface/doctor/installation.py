"""The installation itself: versions, configuration and profiles, secrets, the service."""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from irisdrop import __version__
from irisdrop.profiles.secret import secrets_in
from irisdrop.surface.doctor.finding import Case, Finding, broken, look, ok
from irisdrop.vocabulary.faults import Foreseen

LIBRARIES: Final = ("watchdog", "exifread", "pydicom", "requests", "pydantic", "google-re2", "truststore", "Pillow")
SQLITE: Final = (3, 37)  # STRICT tables


def versions(case: Case) -> Iterator[Finding]:  # noqa: ARG001
    """Ours, Python's, the system's, and those of the libraries that read files and speak to the world."""
    yield ok(f"irisdrop {__version__}, Python {platform.python_version()}, {platform.platform()}")
    found, missing = [], []
    for name in LIBRARIES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing and not getattr(sys, "frozen", False):
        yield broken(f"{', '.join(missing)} not installed", "install irisdrop again.")
    if found:
        yield ok(", ".join(found))
    if sqlite3.sqlite_version_info < SQLITE:
        yield broken(f"SQLite {sqlite3.sqlite_version} is too old for the journal", "use a Python with SQLite 3.37.")
    else:
        yield ok(f"SQLite {sqlite3.sqlite_version}")


def configuration(case: Case) -> Iterator[Finding]:
    """Whether the configuration and every profile that it names can be used."""
    if case.config is None:
        yield broken(case.fault, "mend it; `irisdrop check` shows every fault at once.")
        return
    cameras = len(case.config.cameras)
    yield ok(f"{case.config_path} can be used, {cameras} {'camera' if cameras == 1 else 'cameras'}")
    from irisdrop.profiles.config import load_profiles

    try:
        profiles = load_profiles(case.config)
    except Foreseen as failure:
        yield broken(failure.message.partition("\n")[0], "`irisdrop check` shows every fault at once.")
        return
    for camera, profile in profiles.items():
        if profile.status == "unverified":
            remedy = "compare it with real exports (`irisdrop explain FILE`), then set its status to sampled."
            yield look(f"{camera}: the profile {profile.name} is unverified, so everything goes to quarantine", remedy)
        else:
            yield ok(f"{camera}: profile {profile.name} ({profile.status})")


def secrets(case: Case) -> Iterator[Finding]:
    """Whether each secret can be had by this account, and by nobody else; none is shown."""
    found = [] if case.config is None else list(secrets_in(case.config))
    for secret in found:
        try:
            secret.reveal()
        except Foreseen as failure:
            yield look(f"{failure.message} (for the account {_account()})", failure.remedy)
            continue
        if secret.kind == "file" and os.name == "posix" and _open_to_others(Path(secret.place)):
            yield look(f"the secret in {secret} can be read by others", f"chmod 600 {secret.place}")
        else:
            yield ok(f"the secret in {secret} is there")
    if not found:
        yield ok("no secret is needed")


def _open_to_others(file: Path) -> bool:
    """What systemd gives to a service shows the mask of its ACL as rights of the group."""
    return not file.is_relative_to("/run/credentials") and bool(file.stat().st_mode & 0o077)


def service(case: Case) -> Iterator[Finding]:
    """Whether the agent runs, and by whom it is started."""
    if case.config is None:
        return
    from irisdrop.record.lease import Lease

    holder = Lease.holder(case.config.state) if case.config.state.is_dir() else None
    if holder is None:
        yield look("no agent runs", "`irisdrop service start`, or `irisdrop run`.")
    else:
        yield ok(f"the agent runs: {holder}")


def _account() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "of this process"
