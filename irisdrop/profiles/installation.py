"""From a configuration as written to the frozen Config: what the settings mean together, checked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta, tzinfo
from pathlib import Path
from typing import Any, Final

from irisdrop.profiles.config import (
    After,
    CameraSettings,
    Config,
    Journal,
    Page,
    Site,
    Spool,
    default_state_path,
)
from irisdrop.profiles.folders import check_folders, path_of
from irisdrop.profiles.kinds import check_kinds, platform_of, worklist_of
from irisdrop.profiles.places import Document, Location
from irisdrop.profiles.references import check_secrets
from irisdrop.profiles.validation import understood
from irisdrop.profiles.written_config import WrittenCamera, WrittenConfig
from irisdrop.profiles.zone import near_zone, zone_of

# What stands in for faulty cameras, so that the other sections, and the other cameras, are still checked.
STAND_IN_FOLDER: Final = "/irisdrop-stands-in"
ITEMS: Final[dict[str, Callable[[int], Any]]] = {
    "cameras": lambda index: {"name": f"-{index}", "profile": "-", "folder": f"{STAND_IN_FOLDER}/{index}"}
}
STAND_INS: Final[dict[str, Any]] = {"cameras": [ITEMS["cameras"](0)]}


def config_of(found: Document, path: Path) -> Config:
    """The configuration in a document; raises FaultyFile with everything that is wrong with it."""
    check_secrets(found)
    check_kinds(found, path.absolute().parent)
    return understood(found, WrittenConfig, lambda written: checked(found, written, path), STAND_INS, ITEMS)


def checked(found: Document, written: WrittenConfig, path: Path) -> Config:
    """Everything that settings mean together; faults are noted in the document."""
    config = assembled(found, written, path)
    check_names(found, config)
    check_folders(found, config)
    return config


def assembled(found: Document, written: WrittenConfig, path: Path) -> Config:
    """All parts together; faults are noted in the document."""
    base = path.absolute().parent
    state = path_of(found, ("state",), written.state, base) if written.state else default_state_path()
    return Config(
        path=path,
        text=found.text,
        digest=found.digest,
        state=state,
        site=Site(written.site.id, site_zone(found, written.site.zone)),
        platform=platform_of(found, written, base),
        worklist=worklist_of(found, written, base),
        cameras=tuple(camera_of(found, index, one, base) for index, one in enumerate(written.cameras)),
        spool=Spool(written.spool.keep, written.spool.limit, written.spool.reserve, written.spool.uploaded),
        journal=Journal(written.journal.keep),
        largest=written.largest,
        undo=written.undo,
        late=written.late,
        page=Page(written.page.port),
    )


def site_zone(found: Document, name: str | None) -> tzinfo:
    """The zone of the cameras' clocks."""
    zone = zone_of(name)
    if zone is None and name is not None:
        place = found.at(("site", "zone"))
        found.fault(
            "UNKNOWN_ZONE", place, f"`{name}` is no time zone", "an IANA name: America/New_York", near_zone(name)
        )
    return zone or zone_of(None) or zone_of("UTC")  # type: ignore[return-value]


def camera_of(found: Document, index: int, one: WrittenCamera, base: Path) -> CameraSettings:
    """One camera."""
    location: Location = ("cameras", index)
    place = found.at((*location, "profile"))
    return CameraSettings(
        name=one.name,
        profile=one.profile,
        folder=path_of(found, (*location, "folder"), one.folder, base),
        existing=one.existing,
        after=after_of(found, (*location, "after"), one, base),
        clock=timedelta(seconds=one.clock),
        rescan=one.rescan,
        watch=one.watch,
        line=place.line,
        column=place.column,
    )


def after_of(found: Document, location: Location, one: WrittenCamera, base: Path) -> After:
    """What becomes of a delivered file; exactly one."""
    after = one.after
    said = [name for name in ("leave", "move", "delete") if getattr(after, name) is not None]
    if len(said) != 1 or after.leave is False:
        found.fault(
            "WRONG_SHAPE",
            found.at(location),
            "one thing happens to a delivered file",
            "{leave: true}, {move: FOLDER} or {delete: 30d}",
        )
    move = path_of(found, (*location, "move"), after.move, base) if after.move else None
    return After(bool(after.leave), move, after.delete)


def check_names(found: Document, config: Config) -> None:
    """Each camera has a name of its own, whatever the case."""
    seen: dict[str, int] = {}
    for index, camera in enumerate(config.cameras):
        place = found.at(("cameras", index, "name"))
        if camera.name.casefold() in seen:
            first = found.at(("cameras", seen[camera.name.casefold()], "name")).line
            found.fault(
                "DUPLICATE_NAME", place, f"a camera is named `{camera.name}` already, in line {first}", "each name once"
            )
        seen.setdefault(camera.name.casefold(), index)
