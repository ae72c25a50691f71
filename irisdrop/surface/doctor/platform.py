"""The platform: its address answers, its certificate verifies, our token is accepted, and its clock is ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from irisdrop.surface.doctor.finding import Case, Finding, broken, look, ok
from irisdrop.surface.doctor.reaching import reached
from irisdrop.vocabulary.faults import Foreseen

if TYPE_CHECKING:
    from irisdrop.profiles.config import PlatformSettings

OFFSET: Final = 60.0  # seconds; a signature of Azure storage is refused at 900
Check = Callable[[Case, "PlatformSettings"], Iterator[Finding]]
NO_IMAGE: Final = "0" * 64  # a digest that nothing has


def platform(case: Case) -> Iterator[Finding]:
    """What the configured kind of platform can be asked without sending an image."""
    settings = None if case.config is None else case.config.platform
    if settings is None:
        yield look("the configuration names no platform", "add `platform:` to it.")
        return
    check = CHECKS.get(settings.kind)
    if check is None:
        yield ok(f"a platform of kind {settings.kind} is not asked from here")
    else:
        yield from check(case, settings)


def _http(_: Case, settings: PlatformSettings) -> Iterator[Finding]:
    """The contract of design §8, asked for an image that nobody has."""
    from irisdrop.platforms.wire import NoToken, Reply, Unreachable, Wire

    token = settings.token
    yield from reached(settings.url or "")
    try:
        wire = Wire(settings.url or "", lambda: None if token is None else token.reveal(), 1, patience=15.0)
    except Foreseen as failure:
        yield broken(failure.message, failure.remedy)
        return
    try:
        begun = datetime.now(UTC)
        reply: Reply = wire.ask("GET", f"/images/{NO_IMAGE}")
    except NoToken as missing:
        yield broken(str(missing), "see the part `secrets`.")
        return
    except Unreachable as away:
        yield broken(away.detail, "check address, network, proxies and the system's certificates.")
        return
    finally:
        wire.close()
    yield from _answered(reply.status, (settings.url or "").startswith("https"))
    yield from clock(reply.headers.get("Date", ""), begun)


def _answered(status: int, encrypted: bool) -> Iterator[Finding]:
    if status in (401, 403):
        yield broken(f"the platform refuses our credentials ({status})", "renew the token.")
    elif status != 404:
        yield look(f"something answers {status} where the platform would say 404", "check the address in `url`.")
    else:
        how = "by TLS with a certificate that verifies" if encrypted else "on this machine"
        yield ok(f"the platform answers {how} and accepts our credentials")


def clock(date: str, begun: datetime) -> Iterator[Finding]:
    """How far our clock is from the one in an answer's `Date`."""
    try:
        theirs = parsedate_to_datetime(date)
    except (ValueError, TypeError):
        yield ok("the platform does not tell its time")
        return
    offset = (theirs - begun).total_seconds()
    if abs(offset) > OFFSET:
        yield look(f"this computer's clock is {abs(offset):.0f} s away from the platform's", "set it by NTP.")
    else:
        yield ok(f"this computer's clock is the platform's, to {abs(offset) + 1:.0f} s")


def _kind(name: str) -> Check:
    """A kind that another module looks at, imported when it is asked for."""

    def check(case: Case, settings: PlatformSettings) -> Iterator[Finding]:
        from irisdrop.surface.doctor import kinds

        found: Iterator[Finding] = getattr(kinds, name)(case, settings)
        return found

    return check


CHECKS: Final[dict[str, Check]] = {
    "http": _http,
    **{name: _kind(name) for name in ("folder", "dicomweb", "dimse", "iris")},
}
