"""The whole way of an image in one process: cameras that don't exist, an agent and a platform that do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from irisdrop.agent import Agent
from irisdrop.profiles.config import Config, load_config, load_profiles
from irisdrop.profiles.profile import DeviceProfile
from irisdrop.reference.clinic import Clinic
from irisdrop.reference.plan import Export, Plan, plan
from irisdrop.reference.rehearsal import Rehearsal
from irisdrop.reference.server import ReferencePlatform
from irisdrop.vocabulary.clock import SystemClock
from irisdrop.vocabulary.deliveries import Receipt
from irisdrop.vocabulary.images import ImageFile
from irisdrop.vocabulary.states import State

GIVE_UP: Final = 5.0  # seconds; a camera in a clinic gets a minute
PATIENCE_SHARE: Final = 0.4  # of the demo; an order in a clinic gets four hours
GRACE: Final = 20.0  # seconds that a slow machine may need beyond the plan

ENDS: Final = {State.DELIVERED: "delivered", State.QUARANTINED: "quarantined", State.DUPLICATE: "duplicate"}


@dataclass(frozen=True, slots=True)
class Written:
    """One export that was written, and the digest of its bytes."""

    export: Export
    digest: str
    at: datetime


@dataclass(slots=True)
class Demonstration:
    """A clinic's day in `seconds`, all of it below `root`."""

    root: Path
    seconds: float
    seed: int
    written: list[Written] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, show: Callable[[list[tuple[Written, ImageFile | None]]], None]) -> dict[str, Any]:
        """Play it, call `show` a few times a second, and return what came of it."""
        config = self._configured()
        profiles = {name: self._hurried(profile) for name, profile in load_profiles(config).items()}
        played = self._planned()
        with ReferencePlatform(self.root / "platform", self._address(config)) as platform:
            platform.worklist.put(played.orders)
            rehearsal = Rehearsal(
                played, self.root / "exports", lambda entry: platform.worklist.put([entry]), self._told
            )
            with Agent(config, profiles=profiles) as agent:
                self._play(agent, rehearsal, played, show)
                return self._summary(agent)

    def _play(
        self,
        agent: Agent,
        rehearsal: Rehearsal,
        played: Plan,
        show: Callable[[list[tuple[Written, ImageFile | None]]], None],
    ) -> None:
        stop, clock = threading.Event(), SystemClock()
        running = threading.Thread(target=agent.run, args=(stop,), daemon=True)
        running.start()
        until = clock.monotonic() + self.seconds + GRACE
        rehearsal.start()
        try:
            while clock.monotonic() < until:
                found = self.found(agent)
                show(found)
                if len(found) == len(played.exports) and all(self._ended(*one) for one in found):
                    break
                clock.wait(stop, 0.25)
            rehearsal.join()
            show(self.found(agent))
        finally:
            rehearsal.stop()
            stop.set()
            running.join()

    def found(self, agent: Agent) -> list[tuple[Written, ImageFile | None]]:
        """Every export with the image that the journal has of it."""
        with self._lock:
            written = list(self.written)
        return [(one, self._image(agent, one)) for one in written]

    def _image(self, agent: Agent, one: Written) -> ImageFile | None:
        path = str(self.root / "exports" / one.export.camera / one.export.path)
        images = [image for image in agent.journal.at_path(path) if image.digest in (one.digest, None)]
        return images[-1] if images else None

    def _ended(self, one: Written, image: ImageFile | None) -> bool:
        if image is None:
            return False
        if one.export.end == "waiting":
            return image.state is State.IDENTIFIED
        return ENDS.get(image.state) == one.export.end

    # ------------------------------------------------------------------ what is played

    def _planned(self) -> Plan:
        clinic = Clinic(self.seed, datetime.now(UTC).astimezone(), datetime.now(UTC).astimezone().tzinfo or UTC)
        return plan(clinic, self.seconds, patience=self._patience, give_up=GIVE_UP)

    @property
    def _patience(self) -> float:
        return max(4.0, self.seconds * PATIENCE_SHARE)

    def _hurried(self, profile: DeviceProfile) -> DeviceProfile:
        """The shipped profile with a clinic's hours made seconds."""
        return replace(profile, patience=self._patience, give_up=GIVE_UP)

    def _configured(self) -> Config:
        from irisdrop.reference.camera import CAMERAS

        port = _free_port()
        cameras = "".join(
            f"  - {{name: {room}, profile: {model.profile}, folder: exports/{room}}}\n"
            for room, model in CAMERAS.items()
        )
        for room in CAMERAS:
            (self.root / "exports" / room).mkdir(parents=True)
        path = self.root / "irisdrop.yaml"
        path.write_text(
            "state: state\n"
            f'platform: {{kind: http, url: "http://127.0.0.1:{port}/v1"}}\n'
            "worklist: {from: platform, every: 1s}\n"
            f"cameras:\n{cameras}",
            encoding="utf-8",
        )
        return load_config(path)

    def _address(self, config: Config) -> tuple[str, int]:
        from urllib.parse import urlsplit

        assert config.platform is not None
        return "127.0.0.1", urlsplit(config.platform.url or "").port or 0

    def _told(self, export: Export, digest: str) -> None:
        with self._lock:
            self.written.append(Written(export, digest, datetime.now(UTC)))

    # ------------------------------------------------------------------ what came of it

    def _summary(self, agent: Agent) -> dict[str, Any]:
        found = self.found(agent)
        ends = [ENDS.get(image.state, "waiting") if image else "waiting" for _, image in found]
        wrong = [told for one, image in found if (told := self._unlike_plan(agent, one, image)) is not None]
        return {
            "exported": len(found),
            "delivered": ends.count("delivered"),
            "quarantined": ends.count("quarantined"),
            "waiting": ends.count("waiting"),
            "duplicates": ends.count("duplicate"),
            "as_planned": not wrong,
            "not_as_planned": wrong,
            "quarantine": [
                {
                    "file": one.export.path,
                    "camera": one.export.camera,
                    "story": one.export.story,
                    "reason": None if image.reason is None else str(image.reason),
                    "planned": None if one.export.reason is None else str(one.export.reason),
                }
                for one, image in found
                if image is not None and image.state is State.QUARANTINED
            ],
            "root": str(self.root),
        }

    def _unlike_plan(self, agent: Agent, one: Written, image: ImageFile | None) -> dict[str, Any] | None:
        """What came out otherwise than planned; of a delivered image, what the platform itself says."""
        end = "waiting" if image is None else ENDS.get(image.state, "waiting")
        planned = (one.export.end, one.export.reason)
        came = (end, image.reason if image is not None and end == "quarantined" else None)
        if planned == came and (end != "delivered" or self._at_platform(agent, one)):
            return None
        return {
            "file": one.export.path,
            "story": one.export.story,
            "planned": [str(part) for part in planned],
            "came": [str(part) for part in came],
        }

    def _at_platform(self, agent: Agent, one: Written) -> bool:
        receipt = agent.platform.find(one.digest)
        if not isinstance(receipt, Receipt):
            return False
        kept = self.root / "platform" / "images" / one.digest
        return (receipt.entry, receipt.eye) == (one.export.entry, one.export.eye) and kept.is_file()


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
