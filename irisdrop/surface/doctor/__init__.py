"""What `irisdrop doctor` looks at: one file per part, none of which changes anything."""

from __future__ import annotations

from typing import Final

# part → (module, function taking a Case and giving Findings), imported when it is asked for.
PARTS: Final[dict[str, tuple[str, str]]] = {
    "versions": ("irisdrop.surface.doctor.installation", "versions"),
    "configuration": ("irisdrop.surface.doctor.installation", "configuration"),
    "secrets": ("irisdrop.surface.doctor.installation", "secrets"),
    "service": ("irisdrop.surface.doctor.installation", "service"),
    "disk": ("irisdrop.surface.doctor.state", "disk"),
    "journal": ("irisdrop.surface.doctor.state", "journal"),
    "health": ("irisdrop.surface.doctor.state", "health"),
    "folders": ("irisdrop.surface.doctor.folders", "folders"),
    "limits": ("irisdrop.surface.doctor.folders", "limits"),
    "platform": ("irisdrop.surface.doctor.platform", "platform"),
}
