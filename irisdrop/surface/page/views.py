"""What each page shows, as plain values for its template."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from irisdrop import __version__
from irisdrop.replay import Replayed
from irisdrop.surface.exams import Exam, exams_of, eye_of, moment_of, says_hour
from irisdrop.surface.page import shown, words
from irisdrop.surface.page.choice import Choice
from irisdrop.surface.page.office import Office, Seen
from irisdrop.vocabulary.images import ImageFile
from irisdrop.vocabulary.orders import Standing as OrderStanding
from irisdrop.vocabulary.orders import WorklistEntry
from irisdrop.vocabulary.reasons import REASONS
from irisdrop.vocabulary.states import State

LISTED: Final = 60  # exams that a list shows at once; the next ones come when the list is scrolled to its end
TODAY_MOST: Final = 400  # images of today that are looked at
TODAY_SHOWN: Final = 60  # exams of today that are shown
CHANGES_SHOWN: Final = 200  # decisions that an edited profile would change
STRIP: Final = 24  # images or frames in a strip
NONE_CHOSEN: Final = Choice()
PLOT: Final = (24, 28, 120)  # bars, width of one, height of the plot


# ---------------------------------------------------------------------- every page


def header(office: Office) -> dict[str, Any]:
    """The line on top of every page."""
    standing = office.standing()
    now, zone = office.clock.now(), office.config.site.zone
    facts = [
        words.say("last_image", at=shown.hour(standing.last_image, zone, now))
        if standing.last_image
        else words.say("no_image_yet"),
        words.say("worklist_age", age=shown.age((now - standing.synced).total_seconds()))
        if standing.synced
        else words.say("worklist_never"),
    ]
    if standing.paused_by:
        facts.insert(0, words.say("paused"))
    worst = standing.conditions[0].title if standing.conditions else ""
    return {
        "face": standing.face,
        "sentence": words.face(standing.face, standing.exams, standing.on_the_way, worst),
        "facts": " · ".join(facts),
        "count": standing.exams,
        "version": office.version(),
    }


def tray(office: Office) -> dict[str, Any]:
    """What the tray icon is told: counts and words, nobody's name or number."""
    standing = office.standing()
    worst = standing.conditions[0].title if standing.conditions else ""
    return {
        "face": standing.face,
        "exams": standing.exams,
        "on_the_way": standing.on_the_way,
        "sentence": words.face(standing.face, standing.exams, standing.on_the_way, worst),
        "paused": bool(standing.paused_by),
        "silent": list(standing.silent),
        "version": __version__,
    }


# ---------------------------------------------------------------------- now


def now(office: Office) -> dict[str, Any]:
    """Cameras, what is not well, and today's exams."""
    standing = office.standing()
    by_camera = office.journal.counts_by_camera()
    return {
        "cameras": [
            _camera(office, name, by_camera.get(name, {}), standing)
            for name in dict.fromkeys(camera.name for camera in office.config.cameras)
        ],
        "conditions": [_condition(office, one) for one in standing.conditions],
        "exams": _todays(office),
        "most": TODAY_SHOWN,
        "paused_by": standing.paused_by,
    }


def _camera(office: Office, name: str, counts: dict[State, int], standing: Any) -> dict[str, Any]:
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


def _condition(office: Office, one: Any) -> dict[str, Any]:
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


def _todays(office: Office) -> list[dict[str, Any]]:
    images = office.overview.arrived_since(office.today(), TODAY_MOST)
    return [_exam_today(office, exam) for exam in exams_of(images)[:TODAY_SHOWN]]


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


def thumb(image: ImageFile) -> dict[str, Any]:
    """A small picture with its eye."""
    eye = eye_of(image)
    return {
        "id": image.id,
        "version": image.version,
        "eye": eye,
        "eye_words": words.EYES[eye],
        "state": str(image.state),
        "state_words": words.STATES[image.state],
        "drawn": image.digest is not None,
    }


# ---------------------------------------------------------------------- quarantine


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
            "alt": words.say("picture_of", n=focus.id, eye=words.EYES[eye_of(focus)], at=_at(office, focus)),
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
        "detail": plain(focus.detail or ""),
        "eye_said": words.say("eye_unsaid")
        if eye_of(focus) == "?"
        else words.say("eye_said", eye=words.EYES[eye_of(focus)]),
        "remedy": reason.remedy if reason else "",
        "readings": _readings(office, focus, candidates),
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


def _at(office: Office, image: ImageFile) -> str:
    return shown.hour(moment_of(image), office.config.site.zone, office.clock.now())


def _readings(office: Office, image: ImageFile, candidates: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each key once with where it was read; what speaks against the likeliest order is marked."""
    likeliest = office.orders.get(candidates[0]["id"]) if candidates else None
    found = []
    for reading in image.readings:
        wanted = likeliest.keys.get(reading.key) if likeliest else None
        told = shown.value(reading.key, reading.value)
        found.append(
            {
                "key": words.KEYS.get(reading.key, reading.key),
                "value": told,
                "raw": "" if _same(reading.raw, reading.value, told) else reading.raw,
                "flaw": reading.flaw or "",
                "source": shown.source(reading.source),
                "place": reading.source,
                "off": bool(wanted) and reading.key != "PatientName" and wanted != reading.value,
            }
        )
    return found


def _same(raw: str, *told: str) -> bool:
    """Whether what was written says no more than what is told: a date with other separators, the eye as a letter."""
    plain_raw = "".join(char for char in raw if char.isalnum()).casefold()
    return any(plain_raw == "".join(char for char in one if char.isalnum()).casefold() for one in told)


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


def candidate(
    office: Office,
    entry: WorklistEntry,
    held: int,
    images: list[ImageFile],
    why: tuple[str, ...],
    chosen: bool = False,
    eyes: dict[int, str] | None = None,
) -> dict[str, Any]:
    """One order that may be chosen."""
    eyes = eyes or {}
    against = dict.fromkeys(
        objection.words for image in images for objection in office.objections(image, entry, eyes.get(image.id))
    )
    return {
        "id": entry.id,
        "choice": str(Choice.of(entry)),
        "chosen": chosen,
        "patient": shown.name(entry.keys.get("PatientName")) or words.say("unknown_patient"),
        "born": shown.day(entry.keys.get("PatientBirthDate")),
        "number": entry.keys.get("PatientID", ""),
        "due": shown.hour(entry.start, office.config.site.zone, office.clock.now()),
        "why": [plain(one) for one in why],
        "against": [plain(one) for one in against],
        "completed": entry.standing is OrderStanding.COMPLETED,
        "held": words.say("has_images", n=words.images(held)) if held else words.say("no_images_yet"),
        "eye": words.EYES[entry.single_eye] if entry.single_eye else "",
    }


def plain(text: str) -> str:
    """A sentence about keys, with the keys as people call them."""
    told = re.sub(r"\b(\w+):[\w.()\[\],]+", lambda found: words.SOURCES.get(found[1], found[0]), text)
    return re.sub(r"\b[A-Z][A-Za-z]+\b", lambda found: words.KEYS.get(found[0], found[0]), told)


def _trace(office: Office, image: ImageFile) -> list[str]:
    text = office.journal.decision(image.id)
    return [] if text is None else [str(line) for line in json.loads(text).get("trace", [])]


def search(office: Office, text: str, seen: Seen) -> dict[str, Any]:
    """Orders that carry every word that was typed."""
    found = office.overview.search(text[:120])
    held = office.overview.on_orders([entry.id for entry in found])
    images = [image for image in (_get(office, number) for number, _ in seen) if image is not None]
    return {
        "found": [candidate(office, entry, len(held.get(entry.id, [])), images, ()) for entry in found],
        "searched": bool(text.strip()),
    }


def _get(office: Office, number: int) -> ImageFile | None:
    try:
        return office.journal.get(number)
    except KeyError:
        return None


# ---------------------------------------------------------------------- worklist


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


def _order(office: Office, entry: WorklistEntry, held: Sequence[Any]) -> dict[str, Any]:
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


def _states_of(held: Sequence[Any]) -> str:
    counts: dict[State, int] = {}
    for one in held:
        counts[one.state] = counts.get(one.state, 0) + 1
    return ", ".join(f"{n} {words.STATES[state]}" for state, n in counts.items())


# ---------------------------------------------------------------------- one image


def image(office: Office, number: int) -> dict[str, Any] | None:
    """An image's whole life; None where there is no such image."""
    one = _get(office, number)
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
        "detail": plain(one.detail or ""),
        "remedy": REASONS[one.reason].remedy if one.reason else "",
        "alt": words.say("picture_of", n=one.id, eye=words.EYES[eye_of(one)], at=_at(office, one)),
        "readings": _readings(office, one, []),
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
    }


def _looked_at(office: Office, item: dict[str, Any]) -> dict[str, str]:
    entry = office.orders.get(item["entry"])
    return {
        "patient": shown.name(entry.keys.get("PatientName")) if entry else item["entry"],
        "due": shown.hour(entry.start, office.config.site.zone, office.clock.now()) if entry else "",
        "refused": item["refused"] or words.say("fits"),
    }


# ---------------------------------------------------------------------- profiles and health


def profiles(office: Office, tried: Tried | None = None) -> dict[str, Any]:
    """The profile of every camera, whether it is sound, and what it reads."""
    faults = {c.subject: c for c in office.conditions.active() if c.code in ("PROFILE_FAULTY", "CONFIG_FAULTY")}
    loaded = office.profiles()
    return {
        "profiles": [
            {
                "camera": camera.name,
                "name": profile.name,
                "title": profile.title,
                "status": str(profile.status),
                "path": str(profile.path),
                "digest": profile.digest[:12],
                "fault": fault.detail if (fault := faults.get(camera.name) or faults.get(profile.name)) else "",
                "faulty": camera.name in faults or profile.name in faults,
                "text": tried.text if (mine := tried is not None and tried.camera == camera.name) else profile.text,
                "tried": mine,
                "wrong": tried.faults if tried is not None and mine else "",
                "replayed": replayed(tried.found) if tried is not None and mine and tried.found else None,
            }
            for camera in office.config.cameras
            if (profile := loaded.get(camera.name)) is not None
        ]
    }


@dataclass(frozen=True, slots=True)
class Tried:
    """An edited profile that was tried: its faults, or what it would change."""

    camera: str
    text: str
    faults: str = ""
    found: Replayed | None = None


def replayed(found: Replayed) -> dict[str, Any]:
    """What an edited profile would change, the dangerous first."""
    changed = sorted(found.changed, key=lambda one: (one not in found.dangerous, one.image))
    return {
        "sentence": words.say("replay_found", n=words.images(found.looked_at), changed=len(found.changed))
        + (" " + words.say("replay_unreadable", n=words.images(found.unreadable)) if found.unreadable else ""),
        "dangerous": words.say("replay_dangerous", n=words.images(len(found.dangerous))) if found.dangerous else "",
        "changed": [
            {"id": one.image, "change": str(one.change), "bad": one in found.dangerous, "reason": one.reason or ""}
            for one in changed[:CHANGES_SHOWN]
        ],
    }


def health(office: Office) -> dict[str, Any]:
    """What IT looks at: conditions, disk, clocks, and how much came through."""
    standing = office.standing()
    free, total = office.room()
    return {
        "conditions": [_condition(office, one) for one in standing.conditions],
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
