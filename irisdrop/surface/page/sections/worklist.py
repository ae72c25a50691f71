"""Today's orders, and which of them have images."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from irisdrop.record.overview import OnOrder
from irisdrop.surface.page import shown, words
from irisdrop.surface.page.office import Office
from irisdrop.vocabulary.orders import Standing as OrderStanding
from irisdrop.vocabulary.orders import WorklistEntry
from irisdrop.vocabulary.states import State


def worklist(office: Office) -> dict[str, Any]:
    """Today's orders, and which of them have images."""
    begin = office.today()
    entries = office.overview.due_between(begin, begin + timedelta(days=1))
    held = office.overview.on_orders([entry.id for entry in entries])
    synced = office.orders.synced()
    now_ = office.clock.now()
    rows = [_order(office, entry, held.get(entry.id, [])) for entry in entries]
    return {
        "orders": rows,
        "synced": words.say("synced", age=shown.age((now_ - synced).total_seconds()))
        if synced
        else words.say("worklist_never"),
        "summary": words.say("summary", done=sum(1 for row in rows if row["images"]), all=len(rows)),
        "can_sync": office.sync is not None,
    }


def _order(office: Office, entry: WorklistEntry, held: Sequence[OnOrder]) -> dict[str, Any]:
    eyes = {one.eye for one in held if one.state not in (State.DISCARDED, State.DUPLICATE)}
    wanted = [entry.single_eye] if entry.single_eye else ["R", "L"]
    return {
        "id": entry.id,
        "due": shown.hour(entry.start, office.config.site.zone, office.clock.now()),
        "patient": shown.name(entry.keys.get("PatientName")),
        "born": shown.day(entry.keys.get("PatientBirthDate")),
        "number": entry.keys.get("PatientID", ""),
        "accession": entry.keys.get("AccessionNumber", ""),
        "standing": "" if entry.standing is OrderStanding.OPEN else str(entry.standing),
        "images": [{"id": one.id, "eye": one.eye or "?", "state": str(one.state)} for one in held],
        "words": _states_of(held),
        "missing": [words.say("eye_missing", eye=words.EYES[eye]) for eye in wanted if held and not {eye, "B"} & eyes],
    }


def _states_of(held: Sequence[OnOrder]) -> str:
    counts: dict[State, int] = {}
    for one in held:
        counts[one.state] = counts.get(one.state, 0) + 1
    return ", ".join(f"{n} {words.STATES[state]}" for state, n in counts.items())
