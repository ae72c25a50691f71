"""What is not well, as a person reads it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from irisdrop.surface.page import shown, words
from irisdrop.surface.page.office import Office
from irisdrop.vocabulary.conditions import Condition


def condition(office: Office, one: Condition) -> dict[str, Any]:
    """One condition, with its remedy."""
    since = datetime.fromisoformat(one.since)
    return {
        "severity": str(one.severity),
        "word": words.SEVERITIES[str(one.severity)],
        "subject": one.subject,
        "title": one.title,
        "detail": one.detail,
        "remedy": one.remedy,
        "since": shown.hour(since, office.config.site.zone, office.clock.now()),
    }
