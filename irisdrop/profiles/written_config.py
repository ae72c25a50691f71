"""The configuration as it is written: the shapes and types of every setting."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema

from irisdrop.profiles import quantities
from irisdrop.profiles.secret import PLACES
from irisdrop.profiles.written import Duration, Size, Text, Written, refusal

SECRET_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {place: {"type": "string"} for place in PLACES},
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 1,
}


def shift(text: Any) -> Any:
    """Seconds of `-3m` or `1h`."""
    found = quantities.shift(text) if isinstance(text, str) else None
    if found is None:
        raise refusal("WRONG_VALUE", "this is no difference of clocks", "what to add to the camera's time: -3m, 1h")
    return found


Shift = Annotated[float, BeforeValidator(shift), WithJsonSchema({"type": "string"})]
Reference = Annotated[Any, WithJsonSchema(SECRET_SCHEMA)]
Port = Annotated[int, Field(ge=1, le=65535)]


class WrittenSite(Written):
    """The clinic."""

    id: Text | None = Field(None, description="The site's id on the worklist; entries of another site never match.")
    zone: Text | None = Field(None, description="IANA zone of the cameras' clocks; default: the machine's.")


class WrittenPlatform(Written):
    """Where images are delivered; further settings depend on `kind`."""

    model_config = ConfigDict(extra="allow", frozen=True)
    kind: Text = Field(description="http, …")
    url: Text | None = Field(None, description="The address of its API; https outside this machine.")
    token: Reference = Field(None, description="Where its token is kept: {env: NAME}, {file: PATH} or {keyring: …}.")
    concurrency: Annotated[int, Field(ge=1, le=16)] = Field(4, description="How many images are sent at once.")


class WrittenWorklist(Written):
    """Where orders come from; further settings depend on `from`."""

    model_config = ConfigDict(extra="allow", frozen=True)
    source: Text = Field("platform", alias="from", description="platform, csv, …")
    every: Duration = Field(60.0, description="How often it is synced.")
    stale: Duration = Field(900.0, description="After so long without a sync nothing is matched on it.")


class WrittenAfter(Written):
    """What becomes of the camera's own file after DELIVERED; exactly one."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"minProperties": 1, "maxProperties": 1})
    leave: bool | None = Field(None, description="It stays where it is.")
    move: Text | None = Field(None, description="It is moved into this folder.")
    delete: Duration | None = Field(None, description="It is deleted after so long.")


class WrittenCamera(Written):
    """One camera and its export folder."""

    name: Text = Field(description="How the camera is called in lists; each name once.")
    profile: Text = Field(description="A name from the shelf, or a path.")
    folder: Text = Field(description="Where it exports to; sub-folders are included.")
    existing: Duration = Field(86400.0, description="Files older than this at the first start are left alone.")
    after: WrittenAfter = Field(WrittenAfter(leave=True), description="What becomes of a delivered file.")
    clock: Shift = Field(0.0, description="What must be added to the camera's clock.")
    rescan: Duration | None = Field(
        None, description="How often the folder is looked through; default 30s, 5s on a share."
    )
    watch: Literal["auto", "events", "poll"] = Field("auto", description="How changes are noticed.")


class WrittenSpool(Written):
    """Our own copies of the images."""

    keep: Duration = Field(604800.0, description="How long a copy stays after delivery.")
    limit: Size | None = Field(None, description="How much room it may take; default: what the disk has.")
    reserve: Size | None = Field(
        None, description="How much of the disk stays free; default: 1GiB, on a small disk 5 % of it."
    )
    uploaded: Duration | None = Field(
        None,
        description="How long a copy stays after the upload where no platform ever confirms it; default: for ever.",
    )


class WrittenJournal(Written):
    """What is remembered of each image."""

    keep: Duration = Field(63072000.0, description="How long attempts and decisions are kept; proof of delivery stays.")


class WrittenPage(Written):
    """The local page."""

    port: Port = 7474


class WrittenConfig(Written):
    """irisdrop's configuration (irisdrop.yaml)."""

    state: Text | None = Field(None, description="The folder of journal and spool.")
    site: WrittenSite = WrittenSite()
    platform: WrittenPlatform | None = Field(None, description="Where images are delivered.")
    worklist: WrittenWorklist = Field(default_factory=WrittenWorklist, description="Where orders come from.")
    cameras: list[WrittenCamera] = Field(min_length=1, max_length=200, description="The cameras.")
    spool: WrittenSpool = WrittenSpool()
    journal: WrittenJournal = WrittenJournal()
    largest: Size = Field(2 * 1024**3, description="Larger files go to quarantine.")
    undo: Duration = Field(15.0, description="How long an assignment by a person can be taken back.")
    late: Duration = Field(604800.0, description="How long a quarantined image may still find a late order.")
    page: WrittenPage = WrittenPage()
