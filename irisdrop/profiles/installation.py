"""From a configuration as written to the frozen Config: what the settings mean together, checked."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import timedelta, tzinfo
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from irisdrop.profiles.config import (
    After,
    CameraSettings,
    Config,
    Journal,
    Page,
    PlatformSettings,
    Site,
    Spool,
    WorklistSettings,
    default_state_path,
)
from irisdrop.profiles.options import (
    ADDRESSED,
    PLATFORM_OPTIONS,
    WORKLIST_OPTIONS,
    Options,
    expected,
    typed,
)
from irisdrop.profiles.places import Document, Location, scalars
from irisdrop.profiles.secret import IN_CLEAR, NAMES, PLACES, secret_of
from irisdrop.profiles.validation import checked_further, near_word, validated
from irisdrop.profiles.written_config import WrittenCamera, WrittenConfig
from irisdrop.profiles.zone import near_zone, zone_of

REFERENCE: Final = "a reference: {env: NAME}, {file: PATH} or {keyring: SERVICE/NAME}"


# What stands in for faulty cameras, so that the other sections are still checked.
STAND_INS: Final[dict[str, Any]] = {"cameras": [{"name": "-", "profile": "-", "folder": "-"}]}


def config_of(found: Document, path: Path) -> Config:
    """The configuration in a document; raises FaultyFile with everything that is wrong with it."""
    check_secrets(found)
    written = validated(found, WrittenConfig)
    if written is None:
        checked_further(found, STAND_INS, lambda: checked(found, WrittenConfig.model_validate(found.tree), path))
        found.raise_faults()
        raise AssertionError("a configuration that did not validate has faults")
    config = checked(found, written, path)
    found.raise_faults()
    return config


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
        spool=Spool(written.spool.keep, written.spool.limit),
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


def platform_of(found: Document, written: WrittenConfig, base: Path) -> PlatformSettings | None:
    """The platform and its own settings."""
    one = written.platform
    if one is None:
        return None
    extra = one.model_extra or {}
    check_choice(found, ("platform",), "kind", one.kind, PLATFORM_OPTIONS)
    known = PLATFORM_OPTIONS.get(one.kind)
    check_options(found, ("platform",), extra, known, "kind", one.kind)
    if one.url is not None:
        check_url(found, ("platform", "url"), one.url)
    elif one.kind in ADDRESSED:
        found.fault("MISSING", found.at(("platform",), key=True), "`url` is missing in `platform`", "`url: https://…`")
    options = options_of(found, ("platform",), extra, known, base)
    return PlatformSettings(one.kind, one.url, secret_of(one.token), options, one.concurrency)


def worklist_of(found: Document, written: WrittenConfig, base: Path) -> WorklistSettings:
    """The source of orders and its own settings."""
    one = written.worklist
    extra = dict(one.model_extra or {})
    check_choice(found, ("worklist",), "from", one.source, WORKLIST_OPTIONS)
    known = WORKLIST_OPTIONS.get(one.source)
    check_options(found, ("worklist",), extra, known, "from", one.source)
    options = options_of(found, ("worklist",), extra, known, base)
    if isinstance(extra.get("url"), str):
        check_url(found, ("worklist", "url"), extra["url"])
    if one.source == "platform" and written.platform is None and "worklist" in found.tree:
        found.fault(
            "MISSING", found.at(("worklist",), key=True), "there is no `platform` to take orders from", "`platform: …`"
        )
    if one.stale < one.every:
        place = found.at(("worklist", "stale" if "stale" in found.tree.get("worklist", {}) else "every"))
        found.fault("WRONG_VALUE", place, "`stale` is shorter than `every`: nothing would ever be matched", "more")
    return WorklistSettings(one.source, one.every, one.stale, options)


def check_choice(found: Document, location: Location, name: str, value: str, known: Mapping[str, Options]) -> None:
    """A kind that there is."""
    if value not in known:
        place = found.at((*location, name))
        choices = " or ".join(f"`{one}`" for one in known)
        found.fault("WRONG_VALUE", place, f"`{value}` is not possible here", choices, near_word(value, list(known)))


def check_options(
    found: Document, location: Location, extra: Mapping[str, Any], known: Options | None, name: str, value: str
) -> None:
    """Settings that this kind knows; those of an unknown kind can't be judged."""
    if known is None:
        return
    common = {"platform": ("kind", "url", "token", "concurrency"), "worklist": ("from", "every", "stale")}
    for option in extra:
        if option not in known:
            choices = sorted((*known, *common[str(location[0])]))
            place = found.at((*location, option), key=True)
            message = f"`{option}` is no setting of `{name}: {value}`"
            found.fault("UNKNOWN_SETTING", place, message, "one of " + ", ".join(choices), near_word(option, choices))


def options_of(
    found: Document, location: Location, extra: Mapping[str, Any], known: Options | None, base: Path
) -> Mapping[str, Any]:
    """The settings of a kind with their types and defaults; faults are noted in the document."""
    options: dict[str, Any] = {}
    for name, option in (known or {}).items():
        options[name] = option.default
        if name not in extra:
            if option.required:
                place = found.at(location, key=True)
                found.fault("MISSING", place, f"`{name}` is missing in `{location[0]}`", f"`{name}: …`")
            continue
        where: Location = (*location, name)
        raw = extra[name]
        if option.type == "path" and isinstance(raw, str):
            options[name] = path_of(found, where, raw, base)
            continue
        options[name] = typed(option, raw, base)
        if options[name] is None:
            near = near_word(raw, list(option.choices)) if isinstance(raw, str) else ""
            found.fault("WRONG_VALUE", found.at(where), f"this is no value for `{name}`", expected(option), near)
    return MappingProxyType(options)


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


def path_of(found: Document, location: Location, text: str, base: Path) -> Path:
    """A path; a relative one starts from the configuration's folder."""
    place = found.at(location)
    if re.search(r"[\x00-\x1f]", text):
        found.fault(
            "WRONG_VALUE",
            place,
            'the path holds an invisible character: in "double quotes" a \\ begins an escape',
            "the path in 'single quotes'",
        )
        return base / f"{place.line}.{place.column}"  # a place of its own, so that no overlap follows from it
    try:
        return base / (Path(text).expanduser() if text.startswith("~") else Path(text))
    except RuntimeError:  # ~nobody
        found.fault("WRONG_VALUE", place, "there is no such account's home", "the path written out")
        return base / f"{place.line}.{place.column}"


def check_url(found: Document, location: Location, url: str) -> None:
    """https, or http to this machine alone."""
    place = found.at(location)
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        found.fault("WRONG_VALUE", place, "this is no address", "https://host/path")
        return
    if parts.scheme not in ("https", "http") or not host:
        found.fault("WRONG_VALUE", place, "this is no address", "https://host/path")
    elif parts.scheme == "http" and not is_loopback(host):
        found.fault(
            "NOT_ENCRYPTED",
            place,
            "images would travel unencrypted",
            "https:// outside this machine",
            "https" + url[4:],
        )
    elif parts.query or parts.fragment:
        found.fault("WRONG_VALUE", place, "an address ends with its path", "no `?` and no `#`")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    import ipaddress

    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_secrets(found: Document) -> None:
    """No secret in clear anywhere; what one was is kept out of every fault's text."""
    clear = [
        (where, text)
        for where, text in scalars(found.tree)
        if IN_CLEAR.search(text) or any(NAMES.fullmatch(str(step)) for step in where[-1:])
    ]
    found.secrets.extend(text for _, text in clear)
    for where, _ in clear:
        found.fault("SECRET_IN_CLEAR", found.at(where), f"`{where[-1]}` holds a secret in clear", REFERENCE)
    check_references(found, found.tree, ())


def check_references(found: Document, tree: Any, location: Location) -> None:
    """Every mapping that stands for a secret is a reference."""
    if isinstance(tree, list):
        for index, value in enumerate(tree):
            check_references(found, value, (*location, index))
    if not isinstance(tree, dict):
        return
    for name, value in tree.items():
        if NAMES.fullmatch(name) and isinstance(value, dict | list):
            if secret_of(value) is None:
                kinds = list(value) if isinstance(value, dict) else []
                near = near_word(str(kinds[0]), list(PLACES)) if len(kinds) == 1 else ""
                found.fault(
                    "WRONG_VALUE",
                    found.at((*location, name)),
                    "this is no reference to a secret",
                    REFERENCE,
                    near and f"{{{near}: …}}",
                )
        else:
            check_references(found, value, (*location, name))


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


def check_folders(found: Document, config: Config) -> None:
    """No folder contains another one: what is written into one would be taken for an export of the other."""
    places: list[tuple[str, Location, Path]] = [("state", ("state",), config.state)]
    for index, camera in enumerate(config.cameras):
        places.append((f"the folder of `{camera.name}`", ("cameras", index, "folder"), camera.folder))
    if config.platform is not None:
        # What is delivered, or kept for others, must not come in again as an export.
        places += [
            (f"`{name}` of the platform", ("platform", name), value)
            for name, value in config.platform.options.items()
            if name in ("path", "events_keep") and isinstance(value, Path)
        ]
    targets: list[tuple[str, Location, Path]] = [
        (f"the `move` target of `{camera.name}`", ("cameras", index, "after", "move"), camera.after.move)
        for index, camera in enumerate(config.cameras)
        if camera.after.move is not None
    ]
    for index, (name, location, path) in enumerate((*places, *targets)):
        # Two cameras may move into one folder; nothing watches it.
        for other, _, theirs in places[:index]:
            clash(found, location, (name, path), (other, theirs))


def clash(found: Document, location: Location, one: tuple[str, Path], other: tuple[str, Path]) -> None:
    """A fault where one folder is, or contains, another."""
    inner, outer = real(one[1]), real(other[1])
    if inner == outer:
        how = f"{one[0]} is {other[0]} too"
    elif inner.is_relative_to(outer):
        how = f"{one[0]} lies inside {other[0]}"
    elif outer.is_relative_to(inner):
        how = f"{one[0]} contains {other[0]}"
    else:
        return
    found.fault("FOLDERS_OVERLAP", found.at(location), how, "folders that don't contain one another")


def real(path: Path) -> Path:
    """A folder as the system knows it: links followed, the case that does not count taken away."""
    return Path(os.path.normcase(os.path.realpath(path)))
