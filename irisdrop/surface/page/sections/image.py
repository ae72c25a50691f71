"""An image's whole life."""

from __future__ import annotations

import json
from typing import Any

from irisdrop.platforms import corrects
from irisdrop.surface.exams import eye_of, says_hour
from irisdrop.surface.page import shown, words
from irisdrop.surface.page.office import Office
from irisdrop.surface.page.sections.pieces import candidate, readings, taken, thumb
from irisdrop.vocabulary.reasons import REASONS
from irisdrop.vocabulary.states import State


def image(office: Office, number: int) -> dict[str, Any] | None:
    """An image's whole life; None where there is no such image."""
    one = office.image(number)
    if one is None:
        return None
    zone = office.config.site.zone
    decision = json.loads(office.journal.decision(number) or "null") or {}
    receipt = office.attempts.receipt(number)
    entry = office.orders.get(one.entry) if one.entry else None
    return {
        **thumb(one),
        "seen": f"{one.id}:{one.version}",
        "name": one.name,
        "camera": one.camera,
        "digest": one.digest or "",
        "size": shown.size(one.size),
        "arrived": shown.exact(one.arrived, zone),
        "taken": shown.exact(one.taken, zone)[: None if says_hour(one) else 10] if one.taken else "",
        "reason": REASONS[one.reason].sentence if one.reason else "",
        "detail": words.plain(one.detail or ""),
        "remedy": REASONS[one.reason].remedy if one.reason else "",
        "alt": words.say("picture_of", n=one.id, eye=words.EYES[eye_of(one)], at=taken(office, one)),
        "readings": readings(office, one, []),
        "entry": candidate(office, entry, len(office.overview.on_orders([entry.id]).get(entry.id, [])), [one], ())
        if entry
        else None,
        "history": [
            {
                "at": shown.exact(step.at, zone),
                "event": step.event,
                "after": words.STATES[step.after],
                "who": step.who,
                "why": step.why,
            }
            for step in office.journal.history(number)
        ],
        "trace": decision.get("trace", []),
        "looked_at": [_looked_at(office, item) for item in decision.get("candidates", [])],
        "attempts": [
            {
                "began": shown.exact(attempt.began, zone),
                "ended": shown.exact(attempt.ended, zone) if attempt.ended else words.say("still_open"),
                "outcome": attempt.outcome or "",
            }
            for attempt in office.attempts.of(number)
        ],
        "receipt": {"id": receipt.id, "at": receipt.at, "eye": words.EYES.get(receipt.eye, receipt.eye)}
        if receipt
        else None,
        "waits": one.state is State.QUARANTINED,
        "delivered": one.state is State.DELIVERED,
        "second": not corrects(office.config),
    }


def _looked_at(office: Office, item: dict[str, Any]) -> dict[str, str]:
    entry = office.orders.get(item["entry"])
    return {
        "patient": shown.name(entry.keys.get("PatientName")) if entry else item["entry"],
        "due": shown.hour(entry.start, office.config.site.zone, office.clock.now()) if entry else "",
        "refused": item["refused"] or words.say("fits"),
    }
