"""Kind `iris`: IRIS Cloud Direct. Images into the organization's blob container, messages to and from its queues.

*Order first*: the patient's number is stamped into each image, by which IRIS finds the order. *Image first*: images go
as they are, and are announced by message. What IRIS does not document is a setting without default.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from irisdrop.platforms.azure_blob import Account, Blob, Container, account_by_sas, account_of
from irisdrop.platforms.coercion import coerce
from irisdrop.platforms.dicom_object import Unfit
from irisdrop.platforms.instance import checked, is_dicom
from irisdrop.platforms.stamp import Tag, Unstampable, stamped, tag_of
from irisdrop.platforms.unsent import UNSENT, unsent
from irisdrop.platforms.workbench import Workbench
from irisdrop.vocabulary.deliveries import Answer, Parcel, Postponed, Refused, Uploaded
from irisdrop.vocabulary.faults import Foreseen
from irisdrop.vocabulary.reasons import Code

if TYPE_CHECKING:
    from irisdrop.platforms.iris_events import IrisEvents
    from irisdrop.platforms.service_bus import Bus
    from irisdrop.profiles.config import Config

NAMESPACE: Final = uuid.UUID("0f2c4a52-6a57-5a0e-8a0b-3f6d1f6f9b7e")
EYES: Final[dict[str, str]] = {"R": "OD", "L": "OS"}


@dataclass(frozen=True, slots=True)
class Form:
    """How a kind of image is named and coded: file ending, media type, IRIS's ImageEncoding."""

    ending: str
    type: str
    encoding: int


JPEG: Final = Form(".jpg", "image/jpeg", 0)
DICOM: Final = Form(".dcm", "application/dicom", 6)
FORMS: Final[tuple[tuple[bytes, Form], ...]] = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG", Form(".png", "image/png", 1)),
    (b"BM", Form(".bmp", "image/bmp", 2)),
    (b"II*\0", Form(".tif", "image/tiff", 3)),
    (b"MM\0*", Form(".tif", "image/tiff", 3)),
)


@dataclass(frozen=True, slots=True)
class Announcement:
    """How images are announced: `kind` order or image, in which queue, and for orders by which control code."""

    kind: str
    queue: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Organization:
    """What is IRIS's about this agent. `cameras` are LocalIds by the camera's name in the configuration."""

    client: str
    container: str
    prefix: str
    zone: tzinfo
    cameras: Mapping[str, str]


class IrisPlatform:
    """Delivers into the container. `tag` is stamped in order-first mode; None means that images go as they are."""

    def __init__(
        self,
        organization: Organization,
        container: Container,
        bench: Workbench,
        *,
        tag: Tag | None,
        bus: Bus | None = None,
        announcement: Announcement | None = None,
        events: IrisEvents | None = None,
    ) -> None:
        self._organization = organization
        self._container = container
        self._bench = bench
        self._tag = tag
        self._bus = bus
        self._announcement = announcement
        self._events = events

    def deliver(self, parcel: Parcel) -> Answer:
        """Upload, and announce where that is set; whatever the wire does is an answer."""
        try:
            with self._outgoing(parcel) as (file, form):
                return self._send(parcel, file, form)
        except Unstampable as why:
            return Refused(Code.REJECTED_BY_PLATFORM, f"it can't be stamped: {why}")
        except UNSENT as error:
            return unsent(error)

    def find(self, digest: str) -> None:  # noqa: ARG002
        """A write-only container can't be asked; names are derived, so that sending again finds what is there."""
        return

    def confirmations(self) -> IrisEvents | None:
        """The organization's events, where this agent is their one owner."""
        if self._events is not None:
            self._events.open()
        return self._events

    def close(self) -> None:
        """Close every connection."""
        self._container.close()

    # ------------------------------------------------------------------ what leaves

    @contextmanager
    def _outgoing(self, parcel: Parcel) -> Iterator[tuple[Path, Form]]:
        """The file that leaves: the spooled one, or a copy that carries its patient."""
        head = checked(parcel)
        form = DICOM if is_dicom(head) else next((form for begin, form in FORMS if head.startswith(begin)), None)
        if form is None:
            raise Unfit(Code.NOT_AN_IMAGE, "its content is of no kind that the platform takes")
        if self._tag is None:
            yield Path(parcel.file), form
            return
        with self._bench.copy() as copy:
            if form is DICOM:
                coerce(parcel, copy)
            elif form is JPEG:
                copy.write_bytes(self._stamped(parcel, self._tag))
            else:
                raise Unfit(Code.REJECTED_BY_PLATFORM, "only JPEG and DICOM can carry their patient to the platform")
            yield copy, form

    def _stamped(self, parcel: Parcel, tag: Tag) -> bytes:
        patient = dict(parcel.keys).get("PatientID")
        if not patient:
            raise Unfit(Code.REJECTED_BY_PLATFORM, "the order has no PatientID to stamp")
        return stamped(Path(parcel.file).read_bytes(), tag, patient)

    def _send(self, parcel: Parcel, file: Path, form: Form) -> Answer:
        with file.open("rb") as opened:
            sent = hashlib.file_digest(opened, "sha256").hexdigest()
        reference = local_id(self._organization.client, parcel, self._tag)
        name = f"{self._organization.prefix}{reference}{form.ending}"
        wrong = self._container.put(Blob(name, file, file.stat().st_size, sent, form.type))
        if wrong is not None:
            return wrong
        if self._bus is not None and self._announcement is not None:
            wrong = self._announce(parcel, name, reference, form)
            if wrong is not None:
                return wrong
        awaited = "its receipt is awaited" if self._events is not None else "nothing will confirm it: this is its end"
        return Uploaded(sent, reference, f"in the platform's container; {awaited}")

    # ------------------------------------------------------------------ messages

    def _announce(self, parcel: Parcel, name: str, reference: str, form: Form) -> Postponed | Refused | None:
        from pydantic import ValidationError

        from irisdrop.platforms.service_bus import BusUnavailable

        assert self._bus is not None and self._announcement is not None
        try:
            message = announced(self._organization, self._announcement, parcel, name, reference, form)
        except ValidationError as error:
            fields = ", ".join(".".join(str(step) for step in one["loc"]) for one in error.errors())
            return Refused(Code.REJECTED_BY_PLATFORM, f"the order lacks what its message needs: {fields}")
        try:
            self._bus.send(self._announcement.queue, message, reference)
        except BusUnavailable as error:
            condition = "PLATFORM_DENIED" if error.denied else "PLATFORM_UNREACHABLE"
            return Postponed(error.detail, condition=condition, halts=error.denied)
        return None


def local_id(client: str, parcel: Parcel, tag: Tag | None) -> str:
    """The image's name for the platform: unique, without PHI, and the same at a retry, even of a rebuilt journal.

    Of the export's digest and not of what left: a DICOM file says when it was given to its order, which a rebuilt
    journal no longer knows.
    """
    patient = dict(parcel.keys).get("PatientID", "")
    stamp = () if tag is None else (f"{tag.number:04x}", patient)
    # Released after the platform refused it: under its old name it would be found there, and never looked at again.
    again = (str(parcel.uploads),) if parcel.uploads else ()
    return str(uuid.uuid5(NAMESPACE, chr(31).join((client, parcel.digest, parcel.entry, parcel.eye, *stamp, *again))))


def announced(
    organization: Organization, how: Announcement, parcel: Parcel, name: str, reference: str, form: Form
) -> dict[str, Any]:
    """The message that names an uploaded image. Raises pydantic's ValidationError where the order lacks a field."""
    from irisdrop.platforms import messages

    keys = dict(parcel.keys)
    camera_id = organization.cameras.get(parcel.camera) or dict(parcel.said).get("DeviceSerialNumber")
    image = messages.Image.model_validate(
        {
            "LocalId": reference,
            "Taken": parcel.taken.astimezone(organization.zone) if parcel.taken else None,
            "AzureBlobStorage": {"Container": organization.container, "FileName": name},
            "Laterality": EYES.get(parcel.eye),
            "ImageContext": parcel.context,
        }
    )
    camera = {"LocalId": camera_id, "SerialNumber": dict(parcel.said).get("DeviceSerialNumber")}
    common = {"ClientGuid": organization.client, "Site": {"LocalId": parcel.site} if parcel.site else None}
    if how.kind == "image":
        request: Any = messages.ImageRequest.model_validate(
            common
            | {
                "OrderLocalId": keys.get("AccessionNumber"),
                "Image": image,
                "ImageClass": messages.ImageClass.OCT if parcel.modality == "OPT" else messages.ImageClass.FUNDUS,
                "ImageEncoding": form.encoding,
                "Camera": camera if camera_id else None,
            }
        )
    else:
        request = messages.OrderRequest.model_validate(
            common
            | {
                "OrderControlCode": how.code,
                "Camera": {**camera, "Images": [image]},
                "Order": {"LocalId": keys.get("AccessionNumber"), "EncounterNumber": keys.get("AdmissionID")},
                "Patient": _patient(keys),
            }
        )
    plain: dict[str, Any] = request.plain()
    return plain


def _patient(keys: Mapping[str, str]) -> dict[str, Any]:
    family, _, given = keys.get("PatientName", "").partition("^")
    sex = keys.get("PatientSex")
    return {
        "LocalId": keys.get("PatientID"),
        "Name": {"Last": family or None, "First": given.replace("^", " ").strip() or None},
        "Dob": keys.get("PatientBirthDate"),
        "Genders": [{"Context": "BirthGender", "Gender": sex}] if sex else None,
    }


# ---------------------------------------------------------------------- settings


def open_platform(config: Config) -> IrisPlatform:
    """The organization of a configuration. Raises Foreseen where a setting is missing that IRIS must tell."""
    settings = config.platform
    if settings is None:
        raise Foreseen("NO_PLATFORM", "the configuration names no platform", "add `platform:` to it.")
    options = settings.options
    folder = config.state / "outgoing"
    organization = Organization(
        *(options["organization"], options["container"], options["prefix"], config.site.zone),
        options["cameras"] or {},
    )
    container = Container(lambda: account(settings.url, options), options["container"], folder, settings.concurrency)
    bus = bus_of(options)
    return IrisPlatform(
        organization,
        container,
        Workbench(folder),
        tag=_tag(options),
        bus=bus,
        announcement=_announcement(options, bus),
        events=_events(options, bus),
    )


def account(url: str | None, options: Mapping[str, Any]) -> Account:
    """The storage account, its secret revealed anew. Raises Foreseen."""
    if options["connection_string"] is not None:
        return account_of(options["connection_string"].reveal())
    if options["sas"] is not None and url is not None:
        return account_by_sas(url, options["sas"].reveal())
    raise Foreseen(
        "NO_CREDENTIALS",
        "nothing says how to write into the container",
        "set `connection_string: {env: NAME}`, or `url:` and `sas: {env: NAME}`.",
    )


def _tag(options: Mapping[str, Any]) -> Tag | None:
    stamp = dict(options["stamp"] or {})
    if options["mode"] == "image-first" and not stamp:
        return None
    if set(stamp) != {"exif"}:
        raise Foreseen(
            "NO_STAMP",
            "order-first images need a stamp, and IRIS does not document which Exif tag it reads",
            "ask IRIS for it and set `stamp: {exif: TAG}`.",
        )
    return tag_of(stamp["exif"])


def bus_of(options: Mapping[str, Any]) -> Bus | None:
    """The organization's queues; None where no connection string is set."""
    from irisdrop.platforms.service_bus import Bus

    secret = options["bus_connection_string"]
    return None if secret is None else Bus(secret.reveal, websocket=options["transport"] == "websocket")


def _announcement(options: Mapping[str, Any], bus: Bus | None) -> Announcement | None:
    said = dict(options["announce"] or {})
    if not said:
        if options["mode"] == "image-first":
            raise Foreseen(
                "NO_ANNOUNCEMENT",
                "image-first images must be announced by message",
                "set `announce: {as: order, queue: orders, code: NW}` as IRIS tells you.",
            )
        return None
    kind, queue, code = said.get("as"), said.get("queue"), said.get("code")
    fits = kind == "image" or (kind == "order" and code in ("NW", "XO"))
    if bus is None or not fits or not queue or set(said) - {"as", "queue", "code"}:
        raise Foreseen(
            "ANNOUNCEMENT",
            "the announcement is not whole",
            "set `announce: {as: order, queue: NAME, code: NW or XO}` or `{as: image, queue: NAME}`, and "
            "`bus_connection_string:`.",
        )
    return Announcement(str(kind), queue, code)


def _events(options: Mapping[str, Any], bus: Bus | None) -> IrisEvents | None:
    if options["events"] == "none":
        return None
    if bus is None or not options["events_queue"] or options["events_keep"] is None:
        raise Foreseen(
            "EVENTS",
            "who owns the organization's events must know their queue and where to keep those of the others",
            "set `events_queue: NAME`, `events_keep: FOLDER` and `bus_connection_string:`.",
        )
    from irisdrop.platforms.iris_events import IrisEvents

    return IrisEvents(bus, options["events_queue"], options["events_keep"], options["receipt_within"])
