"""Cameras, what is not well, and today's exams."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from irisdrop.surface.exams import Exam, exams_of, eye_of
from irisdrop.surface.page import shown, words
from irisdrop.surface.page.office import Office, Standing
from irisdrop.surface.page.sections.conditions import condition
from irisdrop.surface.page.sections.pieces import thumb
from irisdrop.vocabulary.images import ImageFile
from irisdrop.vocabulary.states import State

TODAY_MOST: Final = 400  # images of today that are looked at
TODAY_SHOWN: Final = 60  # exams of today that are shown
STRIP: Final = 24  # images in a strip


def now(office: Office) -> dict[str, Any]:
    """Cameras, what is not well, and today's exams."""
    standing = office.standing()
    by_camera = office.journal.counts_by_camera()
    return {
        "cameras": [
            _camera(office, name, by_camera.get(name, {}), standing)
            for name in dict.fromkeys(camera.name for camera in office.config.cameras)
        ],
        "conditions": [condition(office, one) for one in standing.conditions],
        "exams": _todays(office),
        "most": TODAY_SHOWN,
        "paused_by": standing.paused_by,
    }


def _camera(office: Office, name: str, counts: dict[State, int], standing: Standing) -> dict[str, Any]:
    mine = [condition for condition in standing.conditions if condition.subject == name]
    worst = mine[0] if mine else None
    last = office.overview.last_arrival(name)
    profile = office.profiles().get(name)
    waiting = sum(counts.get(state, 0) for state in (State.SEEN, State.SETTLED, State.IDENTIFIED, State.MATCHED))
    return {
        "name": name,
        "title": profile.title if profile else "",
        "face": {"error": "broken", "warning": "person"}.get(str(worst.severity), "well") if worst else "well",
        "sentence": worst.title if worst else words.say("camera_ok"),
        "last": shown.hour(last, office.config.site.zone, office.clock.now()) or words.say("no_image_yet"),
        "waiting": waiting,
        "quarantined": counts.get(State.QUARANTINED, 0),
        "delivered": counts.get(State.DELIVERED, 0),
        "silent": name in standing.silent,
    }


def _todays(office: Office) -> list[dict[str, Any]]:
    images = office.overview.arrived_since(office.today(), TODAY_MOST)
    return [_exam_today(office, exam) for exam in exams_of(images, office.profiles())[:TODAY_SHOWN]]


def _exam_today(office: Office, exam: Exam) -> dict[str, Any]:
    entry = office.orders.get(exam.images[0].entry) if exam.images[0].entry else None
    good = [image for image in exam.images if image.state not in (State.DISCARDED, State.DUPLICATE)]
    eyes = {eye_of(image) for image in good}
    wanted = {entry.single_eye} if entry is not None and entry.single_eye else {"R", "L"}
    missing = [] if "B" in eyes else sorted(wanted - eyes)
    patient = shown.name(entry.keys.get("PatientName")) if entry else _said(exam.images[0], "PatientName")
    return {
        "id": exam.id,
        "patient": patient or _said(exam.images[0], "PatientID") or words.say("unknown_patient"),
        "when": shown.hour(exam.end, office.config.site.zone, office.clock.now()),
        "camera": exam.camera,
        "images": [thumb(image) for image in exam.images[:STRIP]],
        "count": len(exam.images),
        "complete": bool(good) and not missing and "?" not in eyes,
        "missing": [words.EYES["?"]]
        if "?" in eyes
        else [words.say("eye_missing", eye=words.EYES[str(eye)]) for eye in missing],
        "states": _states(exam.images),
        "waits": any(image.state is State.QUARANTINED for image in exam.images),
    }


def _states(images: Iterable[ImageFile]) -> list[dict[str, Any]]:
    counts: dict[State, int] = {}
    for image in images:
        counts[image.state] = counts.get(image.state, 0) + 1
    return [{"state": str(state), "words": words.STATES[state], "n": n} for state, n in counts.items()]


def _said(image: ImageFile, key: str) -> str:
    found = next((r for r in image.readings if r.key == key and r.flaw is None), None)
    return shown.value(key, found.value) if found else ""
