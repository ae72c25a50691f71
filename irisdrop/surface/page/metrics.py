"""Numbers for monitoring, without anybody's name or number: Prometheus's text format, and one small JSON."""

from __future__ import annotations

from typing import Any, Final

from irisdrop import __version__
from irisdrop.surface.page.office import Office

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def health(office: Office) -> dict[str, Any]:
    """How all is, for a monitor that only asks whether."""
    standing = office.standing()
    status = {"well": "ok", "working": "ok", "person": "attention"}.get(standing.face, "broken")
    return {
        "status": status,
        "version": __version__,
        "exams_waiting": standing.exams,
        "on_the_way": standing.on_the_way,
        "conditions": [{"code": one.code, "severity": str(one.severity)} for one in standing.conditions],
    }


def prometheus(office: Office) -> str:
    """Counts by camera and state, conditions, the worklist's age and the disk, in Prometheus's text format."""
    now = office.clock.now()
    synced, (free, _) = office.orders.synced(), office.room()
    lines = ["# HELP irisdrop_images Images by camera and state.", "# TYPE irisdrop_images gauge"]
    for camera, counts in sorted(office.journal.counts_by_camera().items()):
        for state, n in counts.items():
            lines.append(f'irisdrop_images{{camera="{_label(camera)}",state="{str(state).lower()}"}} {n}')
    lines += ["# HELP irisdrop_condition What is not well now.", "# TYPE irisdrop_condition gauge"]
    for one in office.conditions.active():
        lines.append(f'irisdrop_condition{{code="{one.code}",severity="{one.severity}"}} 1')
    lines = list(dict.fromkeys(lines))  # the same condition of two subjects is one line
    for metric, what, value in (
        ("irisdrop_quarantined_exams", "Exams that wait for a person.", len(office.quarantine())),
        ("irisdrop_worklist_open", "Open orders.", office.orders.count()),
        ("irisdrop_worklist_age_seconds", "Since the last sync.", (now - synced).total_seconds() if synced else -1),
        ("irisdrop_spool_bytes", "What the copies here take.", office.spool.used),
        ("irisdrop_disk_free_bytes", "What the disk has left.", free),
    ):
        lines += [
            f"# HELP {metric} {what}",
            f"# TYPE {metric} gauge",
            f"{metric} {value:g}" if value < 0 else f"{metric} {value}",
        ]
    for one_camera in (camera.name for camera in office.config.cameras):
        last = office.overview.last_arrival(one_camera)
        if last is not None:
            lines.append(f'irisdrop_last_image_seconds{{camera="{_label(one_camera)}"}} {last.timestamp():.0f}')
    return "\n".join(lines) + "\n"


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
