"""Profiles as they are written: the shapes and types of every setting, and the JSON Schema that follows from them."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema
from pydantic_core import PydanticCustomError

from irisdrop.profiles import quantities
from irisdrop.vocabulary.keys import KEYS
from irisdrop.vocabulary.reasons import Code

# Others' words for our keys, as they stand in manuals and in patterns of other tools.
NICKNAMES: Final[dict[str, str]] = {
    **dict.fromkeys(("pid", "mrn", "id", "patientid", "patient", "patid", "urn", "nhs", "patnr"), "PatientID"),
    **dict.fromkeys(("eye", "side", "laterality", "lat", "od", "os"), "ImageLaterality"),
    **dict.fromkeys(("date", "day", "taken"), "AcquisitionDate"),
    **dict.fromkeys(("time", "clock"), "AcquisitionTime"),
    **dict.fromkeys(("datetime", "dt", "timestamp", "stamp"), "AcquisitionDateTime"),
    **dict.fromkeys(("dob", "birthdate", "birthday", "birth"), "PatientBirthDate"),
    **dict.fromkeys(("name", "last", "first", "lastname", "surname"), "PatientName"),
    **dict.fromkeys(("sex", "gender"), "PatientSex"),
    **dict.fromkeys(("accession", "order", "orderid", "accessionno"), "AccessionNumber"),
    **dict.fromkeys(("study", "studyuid"), "StudyInstanceUID"),
    **dict.fromkeys(("serial", "serialnumber", "device"), "DeviceSerialNumber"),
    **dict.fromkeys(("seq", "number", "counter", "n", "nr", "no", "instance", "index"), "InstanceNumber"),
    **dict.fromkeys(("station", "room"), "StationName"),
    **dict.fromkeys(("visit", "encounter", "admission"), "AdmissionID"),
}


def near_key(text: str) -> str:
    """The key that was probably meant; empty where nothing comes near."""
    plain = text.lower().replace("_", "").replace("-", "").replace(" ", "")
    if plain in NICKNAMES:
        return NICKNAMES[plain]
    by_lower = {key.lower(): key for key in KEYS}
    near = get_close_matches(plain, by_lower, 1, 0.7)
    return by_lower[near[0]] if near else ""


def refusal(code: str, message: str, expected: str = "", suggestion: str = "") -> PydanticCustomError:
    """A fault of one value, in the form that carries our code through pydantic."""
    texts = {"message": message, "expected": expected, "suggestion": suggestion}
    return PydanticCustomError(code, "{message}", texts)


def duration(text: Any) -> Any:
    """Seconds of `2s`, `15m`, `24h`, `7d`."""
    length = quantities.seconds(text) if isinstance(text, str) else None
    if length is None:
        # No unit is suggested: whoever writes 24 may mean seconds or hours.
        raise refusal("WRONG_VALUE", "this is no duration", "a number with its unit: 2s, 15m, 24h, 7d")
    return length


def span(text: Any) -> Any:
    """Seconds, or -1 for `any`."""
    return -1.0 if isinstance(text, str) and text.strip().lower() == "any" else duration(text)


def flag(text: Any) -> Any:
    """Yes or no, in the words that YAML has for it."""
    words = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
    found = words.get(text.strip().lower()) if isinstance(text, str) else text
    if not isinstance(found, bool):
        raise refusal("WRONG_VALUE", f"`{text}` is not possible here", "yes or no")
    return found


def size(text: Any) -> Any:
    """Bytes of `500MB`."""
    found = quantities.size(text) if isinstance(text, str) else None
    if found is None:
        raise refusal("WRONG_VALUE", "this is no size", "a number with its unit: 500MB, 2GB")
    return found


def known_key(text: Any) -> Any:
    """One of our keys."""
    if isinstance(text, str) and text not in KEYS:
        raise refusal("UNKNOWN_KEY", f"`{text}` is no key", "a DICOM keyword such as PatientID", near_key(text))
    return text


def filled(text: Any) -> Any:
    """A text that is not blank."""
    if isinstance(text, str) and not text.strip():
        raise refusal("MISSING_VALUE", "the text is empty", "a text")
    return text


ANY_SCALAR: Final[dict[str, Any]] = {"type": ["string", "number", "boolean"]}

Text = Annotated[str, BeforeValidator(filled), WithJsonSchema(ANY_SCALAR)]
Key = Annotated[str, BeforeValidator(known_key), WithJsonSchema({"type": "string", "enum": list(KEYS)})]
Duration = Annotated[
    float, BeforeValidator(duration), WithJsonSchema({"type": "string", "pattern": f"^{quantities.DURATION}$"})
]
Span = Annotated[
    float, BeforeValidator(span), WithJsonSchema({"type": "string", "pattern": f"^(any|{quantities.DURATION})$"})
]
Size = Annotated[int, BeforeValidator(size), WithJsonSchema({"type": "string", "pattern": f"^{quantities.SIZE}$"})]


def shape(value: Any) -> str:
    """Which of a union's shapes was written."""
    return "mapping" if isinstance(value, dict) else "list" if isinstance(value, list) else "text"


class Written(BaseModel):
    """What every written mapping has in common: unknown names are faults."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)


class WrittenFiles(Written):
    """Which files of the folder are exports of the camera."""

    take: list[Text] = Field(
        min_length=1, max_length=50, description="Globs of base names that are taken, whatever the case."
    )
    skip: list[Text] = Field(
        [], max_length=50, description="Globs of base names that are left alone; they win over `take`."
    )
    archives: list[Text] = Field(
        [], max_length=50, description="Globs of ZIP files whose members are exports, by the same `take`."
    )


Places = Annotated[dict[str, Text], Field(max_length=100)]


class WrittenSidecar(Written):
    """A companion file that carries keys; exactly one of xpath, json, csv, ini."""

    file: Text = Field(description="Its name, with {name} and {stem} of the image.")
    wait: Duration = Field(30.0, description="How long the image waits for it; after that it is UNREADABLE.")
    encoding: str | None = Field(None, description="Where it is not UTF-8 and has no byte order mark: cp1252, cp932, …")
    xpath: Places | None = Field(None, description="XPath of an element or attribute → key or pattern.")
    json_: Places | None = Field(None, alias="json", description="Dotted name → key or pattern.")
    csv: Places | None = Field(None, description="Column heading → key or pattern.")
    ini: Places | None = Field(None, description="section/option → key or pattern.")


class WrittenRule(Written):
    """One source of keys; exactly one of the five."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"minProperties": 1, "maxProperties": 1})
    filename: Text | None = Field(None, description="A pattern for the base name with its extension.")
    folder: Text | None = Field(None, description="A pattern for the path below the watched folder, with `/`.")
    exif: Places | None = Field(None, description="Exif tag → key, or a pattern for the tag's whole value.")
    dicom: Places | None = Field(None, description="DICOM element → key, or a pattern for its whole value.")
    sidecar: WrittenSidecar | None = Field(None, description="A companion file.")


BareStep = Literal["trim", "upper", "lower", "digits", "utc"]


class WrittenStep(Written):
    """One step of `clean` that needs an argument; exactly one."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"minProperties": 1, "maxProperties": 1})
    strip_prefix: Text | None = Field(None, description="A text taken off the front.")
    strip_suffix: Text | None = Field(None, description="A text taken off the end.")
    pad: Annotated[int, Field(ge=1, le=64)] | None = Field(None, description="Zeros in front up to this length.")
    map: dict[str, Text] | None = Field(None, max_length=200, description="Token → value, whatever the token's case.")
    replace: dict[str, str] | None = Field(None, max_length=200, description="Text → text.")
    date: Text | None = Field(None, description="The format of the raw text, as strptime spells it.")


Step = Annotated[
    Annotated[BareStep, Tag("text")] | Annotated[WrittenStep, Tag("mapping")],
    Discriminator(
        shape,
        custom_error_type="WRONG_SHAPE",
        custom_error_message="a step is a word or a `{word: argument}`",
    ),
]
Clean = Annotated[
    Annotated[BareStep, Tag("text")]
    | Annotated[list[Step], Tag("list"), Field(max_length=20)]
    | Annotated[dict[str, Text], Tag("mapping"), Field(max_length=200)],
    Discriminator(shape),
]


class WrittenExam(Written):
    """Which pictures of one camera are one exam."""

    by: list[Key] = Field(
        [], max_length=50, description="Keys that must be equal too, beside all that say whose a picture is."
    )
    pause: Duration = Field(1800.0, description="A longer pause between two pictures begins another exam.")
    over: Duration = Field(
        600.0, description="So long after its last picture an exam is over, and what it lacks is told."
    )


class WrittenExample(Written):
    """One export and what the profile must make of it."""

    file: Text = Field(description="The name, or the path below the watched folder.")
    gives: dict[Key, Text] = Field({}, description="Keys and their values after `clean`; others may be read too.")
    refuses: Code | None = Field(None, description="The reason why it goes to quarantine.")
    exif: dict[str, Text] = Field({}, description="Exif tags that the file would carry.")
    dicom: dict[str, Text] = Field({}, description="DICOM elements that the file would carry.")
    sidecar: Text | None = Field(None, description="The text of its sidecar.")


Context = Literal["Primary", "Secondary", "Component", "Aggregate", "Enhancement", "AddedLate", "Unknown"]
ContextByValue = Annotated[
    Annotated[Context, Tag("text")] | Annotated[dict[str, Context], Tag("mapping"), Field(max_length=50)],
    Discriminator(shape),
]
ContextMap = Annotated[
    Annotated[Context, Tag("text")] | Annotated[dict[str, ContextByValue], Tag("mapping"), Field(max_length=50)],
    Discriminator(shape),
]
Flag = Annotated[bool, BeforeValidator(flag), WithJsonSchema({"enum": [True, False, "yes", "no"]})]
FlagByValue = Annotated[
    Annotated[Flag, Tag("text")] | Annotated[dict[str, Flag], Tag("mapping"), Field(max_length=50)],
    Discriminator(shape),
]
FlagMap = Annotated[
    Annotated[Flag, Tag("text")] | Annotated[dict[str, FlagByValue], Tag("mapping"), Field(max_length=50)],
    Discriminator(shape),
]


class WrittenProfile(Written):
    """One camera's profile (rules/*.yaml)."""

    irisdrop: Annotated[Literal["1"], WithJsonSchema({"enum": [1, "1"]})] = Field(
        description="The format of this file."
    )
    title: Text = Field(description="The camera, for a person.")
    status: Literal["documented", "sampled", "unverified"] = Field(
        description="unverified: everything goes to quarantine."
    )
    source: Text | None = Field(None, description="Where the naming was learnt (URL); required if documented.")
    modality: Annotated[str, Field(pattern="^[A-Z0-9]{2,16}$")] = Field(description="DICOM modality: OP, OPT, …")
    files: WrittenFiles
    settle: Duration = Field(2.0, description="Size and time unchanged for so long means: complete.")
    give_up: Duration = Field(60.0, description="After so long without a sign of life it is UNREADABLE.")
    done: Text | None = Field(None, description="A companion file that says that the image is complete: {name}.done")
    read: list[WrittenRule] = Field(max_length=50, description="Where the keys are read from.")
    clean: dict[Key, Clean] = Field({}, description="Key → steps from the raw text to the value.")
    match: list[Text] = Field(max_length=50, description="Key sets; the first whose keys are all present decides.")
    within: Span = Field(86400.0, description="How far from the scheduled start it may be taken; or `any`.")
    agree: list[Key] = Field([], max_length=50, description="Keys that must be equal too, where both sides have them.")
    eye: Literal["required", "platform"] = Field("required", description="Who must know the eye.")
    patience: Duration = Field(14400.0, description="How long an image waits for a late order.")
    oldest: Duration = Field(2592000.0, description="How old a picture may be when it arrives.")
    expect: Annotated[int, Field(ge=1, le=64)] | None = Field(
        None, description="How many pictures (fields) of each eye an exam holds at least."
    )
    exam: WrittenExam = Field(WrittenExam(), description="Which pictures are one exam, and when it is over.")
    context: ContextMap = Field(
        "Primary", description="What the picture is for the reader; or glob → context, or key → {glob → context}."
    )
    deliver: FlagMap = Field(
        default=True,
        description="Which pictures may be delivered by themselves; or glob → yes or no, or key → {glob → yes or no}.",
    )
    examples: list[WrittenExample] = Field(max_length=200, description="Every profile proves itself.")
