"""What waits for a person: the list of exams, and the one that is worked on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from irisdrop.surface.exams import Exam, eye_of, moment_of
from irisdrop.surface.page import shown, words
from irisdrop.surface.page.choice import Choice
from irisdrop.surface.page.office import Office, Seen
from irisdrop.surface.page.sections.pieces import candidate, readings, taken, thumb
from irisdrop.vocabulary.images import ImageFile
from irisdrop.vocabulary.reasons import REASONS

LISTED: Final = 60  # exams that a list shows at once; the next ones come when the list is scrolled to its end
NONE_CHOSEN: Final = Choice()


@dataclass(frozen=True, slots=True)
class Asked:
    """What the quarantine is asked to show: the image in the middle, and what was said about it so far."""

    image: int | None = None
    frame: int = 0
    choice: Choice = NONE_CHOSEN
    eyes: dict[int, str] | None = None
    marked: tuple[int, ...] = ()  # exams chosen together
    contradictions: Sequence[str] = ()
    despite: str = ""  # what stands for the contradictions as they were shown
    note: str = ""
    bad: bool = False
    undo: Seen | None = None
    undo_seconds: float = 0.0


def quarantine(office: Office, asked: Asked) -> dict[str, Any]:
    """The list, and the exam that is worked on."""
    exams = office.quarantine()
    chosen = next((exam for exam in exams if asked.image is not None and exam.holds(asked.image)), None)
    gone = asked.image is not None and chosen is None
    chosen = chosen or (exams[0] if exams else None)
    at = exams.index(chosen) if chosen else 0
    return {
        **listed(office, exams, max(0, at - LISTED // 2), chosen, asked.marked),
        "exam": work(office, exams, chosen, asked) if chosen else None,
        "note": asked.note or (words.say("exam_gone") if gone else ""),
        "bad": asked.bad,
        "undo": " ".join(f"{number}:{version}" for number, version in asked.undo or []),
        "undo_seconds": round(asked.undo_seconds),
    }


def listed(
    office: Office, exams: list[Exam], start: int, chosen: Exam | None, marked: tuple[int, ...] = ()
) -> dict[str, Any]:
    """A part of the list of exams."""
    part = exams[start : start + LISTED]
    end = start + len(part)
    return {
        "exams": [_listed(office, exam, exam is chosen, exam.id in marked) for exam in part],
        "all_exams": len(exams),
        "before": max(0, start - LISTED) if start else None,
        "after": end if end < len(exams) else None,
    }


def _listed(office: Office, exam: Exam, chosen: bool, marked: bool) -> dict[str, Any]:
    zone, now_ = office.config.site.zone, office.clock.now()
    begin, end = shown.hour(exam.begin, zone, now_), shown.hour(exam.end, zone, now_)
    reasons = list(dict.fromkeys(image.reason for image in exam.images if image.reason))
    return {
        "id": exam.id,
        "chosen": chosen,
        "marked": marked,
        "camera": exam.camera,
        "count": words.images(len(exam.images)),
        "when": begin if begin == end else f"{begin} – {end}",
        "why": " ".join(REASONS[reason].sentence for reason in reasons),
        "thumbs": [thumb(image) for image in exam.images[:4]],
    }


def work(office: Office, exams: list[Exam], chosen: Exam, asked: Asked) -> dict[str, Any]:
    """One exam, or several that were chosen together, with everything that a person needs to decide."""
    together = [exam for exam in exams if exam.id in asked.marked]
    if together and chosen not in together:
        together.insert(0, chosen)
    images = [image for exam in together or [chosen] for image in exam.images]
    focus = next((image for image in images if image.id == asked.image), images[0])
    eyes = asked.eyes or {}
    candidates = _candidates(office, images, focus, asked)
    reason = REASONS[focus.reason] if focus.reason else None
    return {
        "id": chosen.id,
        "focus": {
            **thumb(focus),
            "caption": _caption(office, focus),
            "alt": words.say("picture_of", n=focus.id, eye=words.EYES[eye_of(focus)], at=taken(office, focus)),
            "frame": asked.frame,
        },
        "images": [
            {**thumb(image), "eye_chosen": "" if (eye := eyes.get(image.id, "")) == eye_of(image) else eye}
            for image in images
        ],
        "seen": " ".join(f"{image.id}:{image.version}" for image in images),
        "count": words.images(len(images)),
        "several": words.say("several", n=len(together)) if len(together) > 1 else "",
        "marked": " ".join(str(exam.id) for exam in together),
        "reason": reason.sentence if reason else "",
        "detail": words.plain(focus.detail or ""),
        "eye_said": words.say("eye_unsaid")
        if eye_of(focus) == "?"
        else words.say("eye_said", eye=words.EYES[eye_of(focus)]),
        "remedy": reason.remedy if reason else "",
        "readings": readings(office, focus, candidates),
        "candidates": candidates,
        "contradictions": list(asked.contradictions),
        "despite": asked.despite,
        "trace": _trace(office, focus),
        "multi": focus.digest is not None and not focus.name.lower().endswith((".jpg", ".jpeg", ".png")),
        "reasons_to_discard": [words.say(f"discard_{one}") for one in ("blurred", "test", "again")],
    }


def _caption(office: Office, image: ImageFile) -> str:
    profile = office.profiles().get(image.camera)
    at = moment_of(image).astimezone(office.config.site.zone)
    return f"{profile.title if profile else image.camera} · {at:%H:%M:%S}"


def _candidates(office: Office, images: list[ImageFile], focus: ImageFile, asked: Asked) -> list[dict[str, Any]]:
    """The likeliest orders, and the chosen one where it is none of them."""
    orders = {one.entry.id: (one.entry, tuple(one.why)) for one in office.suggestions(focus)}
    chosen = office.orders.get(asked.choice.entry) if asked.choice.entry not in orders else None
    if chosen is not None:
        orders[chosen.id] = (chosen, ())
    held = office.overview.on_orders(list(orders))
    return [
        candidate(office, entry, len(held.get(entry.id, [])), images, why, Choice.of(entry) == asked.choice, asked.eyes)
        for entry, why in orders.values()
    ]


def _trace(office: Office, image: ImageFile) -> list[str]:
    text = office.journal.decision(image.id)
    return [] if text is None else [str(line) for line in json.loads(text).get("trace", [])]


def search(office: Office, text: str, seen: Seen) -> dict[str, Any]:
    """Orders that carry every word that was typed."""
    found = office.overview.search(text[:120])
    held = office.overview.on_orders([entry.id for entry in found])
    images = [image for image in (office.image(number) for number, _ in seen) if image is not None]
    return {
        "found": [candidate(office, entry, len(held.get(entry.id, [])), images, ()) for entry in found],
        "searched": bool(text.strip()),
    }
