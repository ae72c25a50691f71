"""What IT looks at: conditions, disk, clocks, and how much came through."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from irisdrop import __version__
from irisdrop.surface.page import shown, words
from irisdrop.surface.page.office import Office
from irisdrop.surface.page.sections.conditions import condition
from irisdrop.vocabulary.states import State

PLOT: Final = (24, 28, 120)  # bars, width of one, height of the plot


def health(office: Office) -> dict[str, Any]:
    """What IT looks at: conditions, disk, clocks, and how much came through."""
    standing = office.standing()
    free, total = office.room()
    return {
        "conditions": [condition(office, one) for one in standing.conditions],
        "disk": words.say("disk_free", free=shown.size(free), total=shown.size(total)),
        "disk_used": round(100 * (total - free) / total) if total else 0,
        "spool": shown.size(office.spool.used),
        "clocks": [_clock(office, camera.name) for camera in office.config.cameras],
        "plot": plot(office),
        "counts": [(words.STATES[state], n) for state, n in office.journal.counts().items() if n],
        "paused_by": standing.paused_by,
        "release": __version__,
    }


def _clock(office: Office, camera: str) -> dict[str, str]:
    lags = sorted(office.overview.lags(camera))
    text = (
        words.say("clock_lag", lag=shown.signed(lags[len(lags) // 2])) if len(lags) >= 5 else words.say("clock_unknown")
    )
    return {"camera": camera, "text": text}


def plot(office: Office) -> dict[str, Any]:
    """Bars for the last 24 hours: delivered, waiting for a person, and the rest, as places in an SVG."""
    bars, width, height = PLOT
    now_ = office.clock.now()
    first = now_.replace(minute=0, second=0, microsecond=0) - timedelta(hours=bars - 1)
    by_hour = office.overview.by_hour(first)
    hours = [first + timedelta(hours=number) for number in range(bars)]
    counts = [_parts(by_hour.get(f"{hour:%Y-%m-%dT%H}", {})) for hour in hours]
    most = max(1, *(sum(parts) for parts in counts))
    found = []
    for number, (hour, parts) in enumerate(zip(hours, counts, strict=True)):
        top, pieces = float(height), []
        for kind, n in zip(("delivered", "waiting", "other"), parts, strict=True):
            tall = height * n / most
            top -= tall
            pieces.append({"kind": kind, "x": number * width, "y": round(top, 1), "height": round(tall, 1)})
        local = hour.astimezone(office.config.site.zone)
        found.append({"hour": f"{local:%H:%M}", "parts": parts, "pieces": pieces, "x": number * width})
    label = words.say("plot_label", n=sum(sum(parts) for parts in counts), waiting=sum(parts[1] for parts in counts))
    return {"bars": found, "width": bars * width, "height": height, "bar": width - 6, "most": most, "label": label}


def _parts(counts: dict[State, int]) -> tuple[int, int, int]:
    delivered, waiting = counts.get(State.DELIVERED, 0), counts.get(State.QUARANTINED, 0)
    return delivered, waiting, sum(counts.values()) - delivered - waiting
