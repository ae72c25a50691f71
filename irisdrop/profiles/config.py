"""irisdrop's configuration, frozen: the site, its cameras, its platform and its worklist."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta, tzinfo
from pathlib import Path
from typing import Any, Literal

from irisdrop.profiles.profile import DeviceProfile, load_profile
from irisdrop.profiles.secret import Secret
from irisdrop.profiles.zone import MachineZone
from irisdrop.vocabulary.faults import Fault, FaultyFile, Foreseen

__all__ = ["Config", "Secret", "default_config_path", "load_config", "load_profiles", "parse_config"]


@dataclass(frozen=True, slots=True)
class Site:
    """The clinic; `zone` is that of the cameras' clocks."""

    id: str | None
    zone: tzinfo


@dataclass(frozen=True, slots=True)
class PlatformSettings:
    """Where images are delivered; `options` are what its kind alone knows (text, lists, mappings, Secrets)."""

    kind: str
    url: str | None
    token: Secret | None
    options: Mapping[str, Any]
    concurrency: int = 4


@dataclass(frozen=True, slots=True)
class WorklistSettings:
    """Where orders come from; times are in seconds, `options` are what its source alone knows."""

    source: str
    every: float
    stale: float
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class After:
    """What becomes of a delivered file: exactly one of the three; `delete_after` is in seconds."""

    leave: bool = False
    move: Path | None = None
    delete_after: float | None = None


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """One camera and its folder; times are in seconds, `clock` is what must be added to the camera's time.

    `rescan` None leaves the interval to the way the folder is watched. `line` and `column` are those of `profile`.
    """

    name: str
    profile: str
    folder: Path
    existing: float = 86400.0
    after: After = After(leave=True)
    clock: timedelta = timedelta(0)
    rescan: float | None = None
    watch: Literal["auto", "events", "poll"] = "auto"
    line: int = 0
    column: int = 0

    @property
    def profile_name(self) -> str:
        """What the profile is called, wherever it lies."""
        return self.profile.replace("\\", "/").rpartition("/")[2].removesuffix(".yaml").removesuffix(".yml")


@dataclass(frozen=True, slots=True)
class Spool:
    """Our own copies: how long they stay after delivery (seconds), how many bytes they may take, how many of the disk
    stay free (None: see `record.budget`), and how long they stay after an upload that nobody ever confirms (None: for
    ever)."""

    keep: float
    limit: int | None
    reserve: int | None = None
    uploaded: float | None = None


@dataclass(frozen=True, slots=True)
class Journal:
    """What is remembered of each image: how long (seconds) attempts and the traces of decisions are kept."""

    keep: float


@dataclass(frozen=True, slots=True)
class Page:
    """The local page."""

    port: int


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration; times are in seconds, `largest` is in bytes, `digest` is the SHA-256 of `text`."""

    path: Path
    text: str = field(repr=False)
    digest: str
    state: Path
    site: Site
    platform: PlatformSettings | None
    worklist: WorklistSettings
    cameras: tuple[CameraSettings, ...]
    spool: Spool
    journal: Journal
    largest: int
    undo: float
    late: float
    page: Page

    @property
    def base(self) -> Path:
        """The folder that relative paths start from."""
        return self.path.absolute().parent

    @property
    def orders_from(self) -> str:
        """What stands for the source of orders and for how it is read: where any of it is edited, what was read before
        means nothing. The zone is that of times without offset."""
        options = {name: str(value) for name, value in self.worklist.options.items() if not isinstance(value, Secret)}
        zone = [str(self.site.zone), *(time.tzname if isinstance(self.site.zone, MachineZone) else ())]
        url = self.platform.url if self.platform else None
        return json.dumps([self.worklist.source, url, sorted(options.items()), zone])


def default_config_path() -> Path:
    """IRISDROP_CONFIG, else the account's own irisdrop.yaml, else the machine's where only that exists."""
    named = os.environ.get("IRISDROP_CONFIG")
    if named:
        return Path(named)
    import platformdirs

    own = platformdirs.user_config_path("irisdrop", appauthor=False) / "irisdrop.yaml"
    shared = platformdirs.site_config_path("irisdrop", appauthor=False) / "irisdrop.yaml"
    return shared if shared.is_file() and not own.is_file() else own


def default_state_path() -> Path:
    """Where journal and spool are, unless `state` says otherwise."""
    import platformdirs

    return platformdirs.user_state_path("irisdrop", appauthor=False)


def load_config(path: Path) -> Config:
    """The configuration in a file; raises FaultyFile with all its faults, Foreseen where it can't be read."""
    from irisdrop.profiles.places import read_text

    return parse_config(read_text(path), path)


def parse_config(text: str, path: Path) -> Config:
    """The configuration in `text`; relative paths start from the folder of `path`. Raises FaultyFile."""
    from irisdrop.profiles.installation import config_of
    from irisdrop.profiles.places import document

    return config_of(document(text, str(path)), path)


def load_profiles(config: Config) -> Mapping[str, DeviceProfile]:
    """The profile of every camera by the camera's name; raises FaultyFile with the faults of all of them."""
    profiles: dict[str, DeviceProfile] = {}
    faults: list[Fault] = []
    for camera in config.cameras:
        try:
            profiles[camera.name] = load_profile(camera.profile, base=config.base)
        except FaultyFile as error:
            faults.extend(fault for fault in error.faults if fault not in faults)
        except Foreseen as error:
            faults.append(unfound(config, camera, error))
    if faults:
        raise FaultyFile(tuple(faults))
    return profiles


def examined(path: Path) -> tuple[list[Fault], list[DeviceProfile]]:
    """Every fault of a configuration and of the profiles that it names, and those of the profiles that are sound.

    A faulty configuration does not hide its profiles' faults, nor the other way round. Raises FaultyFile where it is no
    YAML, Foreseen where it can't be read.
    """
    from irisdrop.profiles.installation import config_of
    from irisdrop.profiles.places import document, read_text

    found = document(read_text(path), str(path))
    named = found.tree.get("cameras")
    with suppress(FaultyFile):  # they are in `found`
        config_of(found, path)
    faults: list[Fault] = []
    profiles: dict[str, DeviceProfile] = {}
    for index, camera in enumerate(named if isinstance(named, list) else ()):
        name = camera.get("profile") if isinstance(camera, dict) else None
        if not isinstance(name, str) or not name.strip():
            continue
        try:
            profile = load_profile(name, base=path.absolute().parent)
            profiles[profile.path] = profile
        except FaultyFile as error:
            faults.extend(fault for fault in error.faults if fault not in faults)
        except Foreseen as error:
            near = near_name(error)
            with suppress(FaultyFile):  # they are many
                found.fault(
                    error.code,
                    found.at(("cameras", index, "profile")),
                    error.message,
                    "" if near else error.remedy,
                    near,
                )
    return [*sorted(found.faults, key=lambda fault: (fault.line, fault.column)), *faults], list(profiles.values())


def near_name(error: Foreseen) -> str:
    """The profile that was probably meant."""
    return error.remedy.removeprefix("did you mean ").rstrip("?") if error.remedy.startswith("did you") else ""


def unfound(config: Config, camera: CameraSettings, error: Foreseen) -> Fault:
    """A profile that is not there, at the line of the configuration that names it."""
    from irisdrop.profiles.places import Document

    line = Document(str(config.path), config.text).line(camera.line)
    near = near_name(error)
    expected = "" if near else error.remedy
    return Fault(
        error.code, str(config.path), camera.line, camera.column, error.message, camera.profile, line, expected, near
    )
