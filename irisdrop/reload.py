"""What persons write while the agent runs: the configuration and the profiles, taken over whole or not at all."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from irisdrop.profiles.config import CameraSettings, Config, load_config, unfound
from irisdrop.profiles.profile import DeviceProfile, load_profile, parse_profile
from irisdrop.profiles.shelf import places
from irisdrop.record.conditions import Conditions
from irisdrop.record.journal import Journal
from irisdrop.record.text import stamp
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.conditions import KINDS, Condition
from irisdrop.vocabulary.faults import Fault, FaultyFile, Foreseen

log = logging.getLogger(__name__)

CONFIGURATION = "configuration"  # subject of CONFIG_FAULTY

Prove = Callable[[DeviceProfile], list[Fault]]
Look = tuple[int, int, int] | None


class Profiles:
    """The sound profile of each camera; a faulty one is told as a Condition, and the last good one stays."""

    def __init__(self, journal: Journal, conditions: Conditions, prove: Prove) -> None:
        self._journal = journal
        self._conditions = conditions
        self._prove = prove

    def load(self, config: Config) -> dict[str, DeviceProfile]:
        """The profile of every camera, in place of a faulty one the last good one that the journal keeps.

        Raises FaultyFile with all faults where a camera never had a good one of that name: that of another name is
        another camera's, and its patterns may find a patient's number in what is none.
        """
        found: dict[str, DeviceProfile] = {}
        missing: list[Fault] = []
        for camera in config.cameras:
            faults = self.sound(config, camera, found)
            if faults:
                last = self._last(camera)
                if last is None:
                    missing += [fault for fault in faults if fault not in missing]
                else:
                    found[camera.name] = last
        if missing:
            raise FaultyFile(tuple(missing))
        return found

    def sound(self, config: Config, camera: CameraSettings, into: dict[str, DeviceProfile]) -> tuple[Fault, ...]:
        """Put a camera's profile as it is written now into a mapping; returns its faults, which are told too."""
        try:
            profile = load_profile(camera.profile, base=config.base)
            faults = tuple(self._prove(profile))
        except FaultyFile as faulty:
            faults = faulty.faults
        except Foreseen as unknown:
            faults = (unfound(config, camera, unknown),)
        if faults:
            log.error("the profile of %s is faulty, the last good one stays: %s", camera.name, in_short(faults))
            self._conditions.raise_("PROFILE_FAULTY", camera.name, in_short(faults))
        else:
            self._conditions.clear("PROFILE_FAULTY", camera.name)
            into[camera.name] = profile
        return faults

    def forget(self, config: Config) -> None:
        """Say nothing more of cameras that are no longer configured."""
        configured = {camera.name for camera in config.cameras}
        for camera in self._conditions.subjects("PROFILE_FAULTY"):
            if camera not in configured:
                self._conditions.clear("PROFILE_FAULTY", camera)

    def _last(self, camera: CameraSettings) -> DeviceProfile | None:
        text = self._journal.last_profile(camera.name, camera.profile_name)
        if text is None:
            return None
        try:
            return parse_profile(text, camera.profile)
        except FaultyFile:  # kept by a version with another language
            return None


class Reload:
    """Looks, as often as `look` is called, at the files that persons write; what changed and rested since the last look is read.

    `changed_profiles` and `changed_config` are called on the thread that looks; a Foreseen from the latter is told as
    CONFIG_FAULTY.
    """

    def __init__(
        self,
        config: Config,
        profiles: Profiles,
        conditions: Conditions,
        changed_profiles: Callable[[Mapping[str, DeviceProfile]], None],
        changed_config: Callable[[Config, dict[str, DeviceProfile]], None],
    ) -> None:
        self._config = config
        self._profiles = profiles
        self._conditions = conditions
        self._changed_profiles = changed_profiles
        self._changed_config = changed_config
        # The first look reads everything once more: something may have been saved since it was read to start with.
        self._taken: dict[Path, Look] = {}
        self._last: dict[Path, Look] = {}
        self._digest = config.digest
        self._wanted = config  # what is written, and is not in use where one of its profiles has a fault

    def look(self) -> bool:
        """Take over what changed. An editor that is still writing is left to end first: then it is True, look soon."""
        looks = self._looks()
        rested, self._last = looks == self._last, looks
        if looks == self._taken or not rested:
            return looks != self._taken
        self._taken = looks  # as it was before it is read: what is saved meanwhile is another change
        config = self._read_config()
        if config is not None and config.digest != self._digest:
            self._take_config(config)
        else:
            self._changed_profiles(self._read(self._config))
        return False

    def _read(self, config: Config) -> dict[str, DeviceProfile]:
        found: dict[str, DeviceProfile] = {}
        for camera in config.cameras:
            self._profiles.sound(config, camera, found)
        return found

    def _read_config(self) -> Config | None:
        try:
            config = load_config(self._config.path)
        except Foreseen as faulty:
            tell_faulty(self._conditions, faulty)
            return None
        tell_faulty(self._conditions, None)
        if config.state != self._config.state:
            log.error("the configuration names another state folder: nothing of the edit is in use before a restart")
            self._conditions.raise_("STATE_MOVED", CONFIGURATION, f"in use is {self._config.state}")
            return None
        self._conditions.clear("STATE_MOVED", CONFIGURATION)
        return config

    def _take_config(self, config: Config) -> None:
        self._wanted = config
        try:
            self._changed_config(config, self._profiles.load(config))
        except Foreseen as faulty:
            tell_faulty(self._conditions, faulty)
            return
        self._config, self._digest = config, config.digest
        self._profiles.forget(config)

    def _looks(self) -> dict[Path, Look]:
        return {path: look_of(path) for path in self._paths()}

    def _paths(self) -> Iterable[Path]:
        yield self._config.path
        for profile in {camera.profile for camera in (*self._config.cameras, *self._wanted.cameras)}:
            yield from places(profile, self._config.base)


def tell_faulty(conditions: Conditions, faulty: Foreseen | None) -> None:
    """That the last good configuration is in use, and where the one that is written has its fault; or that all is well."""
    if faulty is None:
        conditions.clear("CONFIG_FAULTY", CONFIGURATION)
        return
    detail = summary(faulty)
    log.error("the configuration is faulty, the last good one stays: %s", detail)
    conditions.raise_("CONFIG_FAULTY", CONFIGURATION, detail)


def fault_condition(faulty: Foreseen, clock: Clock) -> Condition:
    """The same where nobody has noted it, because no agent runs."""
    kind = KINDS["CONFIG_FAULTY"]
    return Condition(
        kind.code, CONFIGURATION, kind.title, kind.severity, summary(faulty), kind.remedy, stamp(clock.now())
    )


def summary(faulty: Foreseen) -> str:
    """What is wrong, without what it quotes."""
    return in_short(faulty.faults) if isinstance(faulty, FaultyFile) else faulty.code


def look_of(path: Path) -> Look:
    """How a file looks without opening it; None where it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def in_short(faults: tuple[Fault, ...]) -> str:
    """Where the first fault stands and what kind it is; what it quotes stays out, for a profile may hold examples."""
    first = faults[0]
    more = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
    return f"{Path(first.file).name} line {first.line}: {first.code}{more}"
