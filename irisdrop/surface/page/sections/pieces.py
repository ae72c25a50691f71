"""What several sections show of an image: its small picture, what it says, and an order that it may belong to."""

from __future__ import annotations

from typing import Any

from irisdrop.surface.exams import eye_of, moment_of
from irisdrop.surface.page import shown, words
from irisdrop.surface.page.choice import Choice
from irisdrop.surface.page.office import Office
from irisdrop.vocabulary.images import ImageFile
from irisdrop.vocabulary.orders import Standing as OrderStanding
from irisdrop.vocabulary.orders import WorklistEntry


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


def taken(office: Office, image: ImageFile) -> str:
    """When an image was taken, in short."""
    return shown.hour(moment_of(image), office.config.site.zone, office.clock.now())


def readings(office: Office, image: ImageFile, candidates: list[dict[str, Any]]) -> list[dict[str, Any]]:
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
        "why": [words.plain(one) for one in why],
        "against": [words.plain(one) for one in against],
        "completed": entry.standing is OrderStanding.COMPLETED,
        "held": words.say("has_images", n=words.images(held)) if held else words.say("no_images_yet"),
        "eye": words.EYES[entry.single_eye] if entry.single_eye else "",
    }
