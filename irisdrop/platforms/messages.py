"""IRIS's messages of version 2.3.1, as models: every field that is documented, and nothing that is not.

Source: docs.retinalscreenings.com, Cloud Direct (order submission, event examples) and IRIS's TypeScript client.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_pascal

VERSION: Final = "2.3.1"
Text = Annotated[str, StringConstraints(min_length=1)]
Code = Literal["NW", "XO", "CA", "ResendResult"]
Context = Literal["Primary", "Secondary", "Unknown", "Component", "Aggregate", "Enhancement", "AddedLate"]


class Sent(BaseModel):
    """What we say: an unknown field is a fault of ours."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_pascal, populate_by_name=True)

    def plain(self) -> dict[str, Any]:
        """As JSON values; what is not used is left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class AzureBlobStorage(Sent):
    """Where an image lies."""

    container: Text
    file_name: Text


class Image(Sent):
    """One image of an order; `Taken` has date, time and offset."""

    local_id: Text
    taken: AwareDatetime
    azure_blob_storage: AzureBlobStorage
    laterality: Literal["OD", "OS"] | None = None
    image_context: Context | None = None
    parent_local_id: Text | None = None
    group_id: Text | None = None
    group_ordinal: int | None = None


class Site(Sent):
    """The place of the exam."""

    local_id: Text


class Camera(Sent):
    """The camera, and in an OrderRequest its images."""

    local_id: Text | None = None
    serial_number: Text | None = None
    manufacturer: Text | None = None
    model: Text | None = None
    software_version: Text | None = None
    images: list[Image] | None = None


class Order(Sent):
    """The order, by the id that its sender gave it."""

    local_id: Text
    evaluation_types: list[Text] | None = None
    scheduled_time: Text | None = None
    department_id: Text | None = None
    encounter_number: Text | None = None
    study_instance_unique_id: Text | None = None
    state: Text | None = None
    single_eye_only: bool | None = None
    missing_eye_reason: Text | None = None


class Name(Sent):
    """A person's name."""

    first: Text | None = None
    last: Text | None = None


class Gender(Sent):
    """A gender in a context."""

    context: Literal["BirthGender", "IdentityGender"]
    gender: Text


class Patient(Sent):
    """The patient; `LocalId` is the number in the medical record."""

    local_id: Text
    name: Name | None = None
    dob: Text | None = None
    genders: list[Gender] | None = None


class OrderRequest(Sent):
    """A new order, a change or a cancellation, to queue `orders`."""

    version: Literal["2.3.1"] = "2.3.1"
    order_control_code: Code
    client_guid: Text
    site: Site | None = None
    camera: Camera | None = None
    order: Order
    patient: Patient


class ImageClass(IntEnum):
    """What kind of picture."""

    FUNDUS = 0
    CT = 1
    MRI = 2
    ULTRASOUND = 3
    X_RAY = 4
    VRX = 5
    OCT = 6
    VISUAL_FIELDS = 7


class ImageEncoding(IntEnum):
    """How it is coded."""

    JPG = 0
    PNG = 1
    BMP = 2
    TIFF = 3
    SVG = 4
    PDF = 5
    DCM = 6


class ImageRequest(Sent):
    """One image for an order; a type of IRIS's TypeScript client, whose queue is not documented."""

    order_local_id: Text
    image: Image
    image_class: ImageClass
    image_encoding: ImageEncoding
    total_image_count_for_order: int | None = None
    item_number_in_collection: int | None = None
    camera: Camera | None = None
    client_guid: Text
    site: Site | None = None
    version: Literal["2.3.1"] = "2.3.1"


class Event(BaseModel):
    """What IRIS says in queue `events`; fields that we don't know are let be."""

    model_config = ConfigDict(extra="ignore", frozen=True, alias_generator=to_pascal, populate_by_name=True)
    transaction_id: Text
    timestamp: Text
    success: bool
    error_message: str | None = None
    result_object_type: Text
    version: str | None = None
    iris_order_id: int | str | None = None
    order_local_id: str | None = None
    patient_local_id: str | None = None


class ImageReceipt(Event):
    """The platform's word on one image: with `Success` it is on the order."""

    result_object_type: Literal["ImageReceipt"] = Field()
    image_local_id: Text
    iris_image_id: int | str | None = None
