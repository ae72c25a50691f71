"""The platform and the source of orders: what each kind of them can be set to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from irisdrop.profiles.config import PlatformSettings, WorklistSettings
from irisdrop.profiles.folders import path_of
from irisdrop.profiles.options import ADDRESSED, PLATFORM_OPTIONS, WORKLIST_OPTIONS, Options, expected, typed
from irisdrop.profiles.places import Document, Location
from irisdrop.profiles.secret import secret_of
from irisdrop.profiles.validation import near_word
from irisdrop.profiles.written_config import WrittenConfig

# What every kind can be set to.
COMMON: Final[dict[str, tuple[str, ...]]] = {
    "platform": ("kind", "url", "token", "concurrency"),
    "worklist": ("from", "every", "stale"),
}


def check_kinds(found: Document, base: Path) -> None:
    """The kinds and their own settings as they are written, whatever else is wrong with their sections."""
    check_section(found, "platform", "kind", "", PLATFORM_OPTIONS, base)
    check_section(found, "worklist", "from", "platform", WORKLIST_OPTIONS, base)
    platform = found.tree.get("platform")
    if isinstance(platform, dict) and platform.get("kind") in ADDRESSED and "url" not in platform:
        found.fault("MISSING", found.at(("platform",), key=True), "`url` is missing in `platform`", "`url: https://…`")


def check_section(
    found: Document, section: str, name: str, default: str, kinds: Mapping[str, Options], base: Path
) -> None:
    """One section: its kind, the names and the values of its settings, its address."""
    written = found.tree.get(section)
    if not isinstance(written, dict):
        return
    kind = written.get(name, default)
    if not isinstance(kind, str) or not kind:
        return
    check_choice(found, (section,), name, kind, kinds)
    extra = {option: value for option, value in written.items() if option not in COMMON[section]}
    check_options(found, (section,), extra, kinds.get(kind), name, kind)
    options_of(found, (section,), extra, kinds.get(kind), base)
    if isinstance(written.get("url"), str):
        check_url(found, (section, "url"), written["url"])


def platform_of(found: Document, written: WrittenConfig, base: Path) -> PlatformSettings | None:
    """The platform and its own settings."""
    one = written.platform
    if one is None:
        return None
    options = options_of(found, ("platform",), one.model_extra or {}, PLATFORM_OPTIONS.get(one.kind), base)
    return PlatformSettings(one.kind, one.url, secret_of(one.token), options, one.concurrency)


def worklist_of(found: Document, written: WrittenConfig, base: Path) -> WorklistSettings:
    """The source of orders and its own settings."""
    one = written.worklist
    options = options_of(found, ("worklist",), one.model_extra or {}, WORKLIST_OPTIONS.get(one.source), base)
    if one.source == "platform" and ("platform",) not in found.keys and "worklist" in found.tree:
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
    for option in extra:
        if option not in known:
            choices = sorted({*known, *COMMON[str(location[0])]})
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
        if extra.get(name) is None:
            if option.required and name not in extra:  # a name without a value has its fault already
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
