"""The shipped profiles, their schemas, and their reference."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from irisdrop.explain import contents_of, prove
from irisdrop.identity.identify import Identified, readings
from irisdrop.profiles import written, written_config
from irisdrop.profiles.config import parse_config
from irisdrop.profiles.patterns import Pattern
from irisdrop.profiles.profile import FilenameRule, load_profile, parse_profile
from irisdrop.profiles.schema import SCHEMAS, schema_text
from irisdrop.profiles.shelf import place, shelf
from irisdrop.vocabulary.images import Reading
from irisdrop.vocabulary.keys import KEYS, laterality
from irisdrop.vocabulary.reasons import REASONS

README = (Path(str(place())) / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
SHELF = sorted(shelf())


# Six that are known to export by file system, and nothing more is public.
SKELETONS = {
    "centervue-drs",
    "ioptics-easyscan",
    "optomed-smartscope-m5",
    "visionx-nexy",
    "volk-pictor-plus",
    "volk-pictor-prestige",
}


def test_the_shelf_holds_every_camera_whose_naming_is_public() -> None:
    documented = {name for name in SHELF if load_profile(name).status == "documented"}
    assert documented == {
        "canon-cr2",
        "canon-oct",
        "dicom-op",
        "essilor-retina550",
        "generic-subject-folder",
        "heidelberg-spectralis",
        "icare-eidon",
        "ion-slit-lamp",
        "nidek-navis-ex",
        "nidek-rnm",
        "optovue-ivue",
        "oti-slo",
        "remidio-zip",
        "topcon-aladdin",
        "topcon-nw400",
        "topcon-triton",
        "zeiss-cirrus",
    }
    assert {name for name in SHELF if load_profile(name).status == "sampled"} == {"optos-daytona", "phelcom-eyer"}


def test_a_camera_of_which_nothing_is_public_has_a_skeleton_that_sends_nothing() -> None:
    for name in SKELETONS:
        profile = load_profile(name)
        assert (profile.status, profile.read, profile.match) == ("unverified", (), ())


@pytest.mark.parametrize("name", SHELF)
def test_every_shipped_profile_does_what_its_examples_say(name: str) -> None:
    profile = load_profile(name)
    assert prove(profile) == []
    assert any(example.refuses for example in profile.examples)
    assert any(example.gives for example in profile.examples) or name in SKELETONS


@pytest.mark.parametrize("name", [name for name in SHELF if name not in SKELETONS])
def test_an_eye_that_no_camera_writes_is_never_taken_for_one(name: str) -> None:
    """Four exports in the field read every non-R as left."""
    profile = load_profile(name)
    tokens = ("_R_", "_L_", "_L.", "_OD.", "_OS.", "-right-", "-left-", "-R2", "-L1", "_0D_", "_OS_", "_OG.")
    for example in profile.examples:
        for token in tokens:
            if token in example.file and not example.refuses:
                strange = example.file.replace(token, re.sub("[A-Za-z0]+", "Q", token, count=1))
                said = readings(profile, strange, contents_of(example))
                assert isinstance(said, Identified)
                said_eyes = {r.value for r in said.readings if r.key == "ImageLaterality"}
                assert said_eyes <= {"U", example.gives.get("ImageLaterality")}, strange


@pytest.mark.parametrize("name", SHELF)
def test_a_shipped_profile_names_its_schema_and_its_source(name: str) -> None:
    profile = load_profile(name)
    assert profile.text.startswith("# yaml-language-server: $schema=profile.schema.json\n")
    assert profile.source
    assert profile.source.startswith("https://")
    assert profile.eye == "required"


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_the_schema_is_current(name: str) -> None:
    """`python -m irisdrop.profiles.schema` writes it."""
    assert (Path(str(place())) / name).read_text(encoding="utf-8") == schema_text(name)


def test_the_schema_takes_what_an_editor_makes_of_an_unquoted_number() -> None:
    schema = json.loads(schema_text("profile.schema.json"))
    assert schema["$defs"]["WrittenExample"]["properties"]["gives"]["additionalProperties"] == {
        "type": ["string", "number", "boolean"]
    }
    assert schema["properties"]["irisdrop"]["enum"] == [1, "1"]
    assert yaml.safe_load("000715") == 461  # what the loader must never do


@pytest.mark.parametrize("block", BLOCKS, ids=[str(number) for number in range(len(BLOCKS))])
def test_every_block_of_the_reference_loads(block: str) -> None:
    if "irisdrop: 1" in block:
        assert prove(parse_profile(block, "reference.yaml")) == []
    else:
        assert parse_config(block, Path("/etc/irisdrop.yaml")).cameras


def test_the_reference_has_a_heading_for_everything() -> None:
    headings = set(re.findall(r"^### (\w+)", README, re.MULTILINE))
    settings = set(written.WrittenProfile.model_fields) | set(written_config.WrittenConfig.model_fields)
    sources = set(written.WrittenRule.model_fields)
    steps = set(written.WrittenStep.model_fields) | {"trim", "upper", "lower", "digits", "utc"}
    assert headings == settings | sources | steps | {str(code) for code in REASONS}


def test_the_reference_names_every_key_and_every_shipped_profile() -> None:
    for word in (*KEYS, *SHELF):
        assert f"`{word}`" in README


def test_the_reference_lists_every_code_of_a_fault() -> None:
    sources = Path(written.__file__).parent.glob("*.py")
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    codes = set(re.findall(r"(?:fault|refusal|Fault)\(\s*\"([A-Z_0-9]+)\"", text)) | {"NO_SUCH_PROFILE"}
    listed = set(re.findall(r"\b[A-Z][A-Z_0-9]{4,}\b", README.partition("## Faults")[2]))
    assert codes <= listed
    assert len(codes) > 20


def test_the_sentences_of_the_reasons_are_the_ones_that_are_shown() -> None:
    for reason in REASONS.values():
        assert f"{reason.sentence} {reason.remedy}" in README


def test_the_eye_of_a_subject_folder_is_a_word_of_its_own() -> None:
    """ROSS_right_OD.jpg was once filed as the left eye elsewhere, for the OS in ROSS."""
    rules = [rule.pattern for rule in load_profile("generic-subject-folder").read if isinstance(rule, FilenameRule)]
    assert all(isinstance(pattern, Pattern) for pattern in rules)
    for name in ("ROSS_right_OD.jpg", "ROSS OD.jpg", "mosaic_OD_ROSS.jpg"):
        assert {laterality((rule.fullmatch(name) or {})["ImageLaterality"]) for rule in rules} == {"R"}, name
    for name in ("ROSS.jpg", "GOOD.jpg", "leftover.jpg"):
        assert not any(rule.fullmatch(name) for rule in rules), name


@pytest.mark.parametrize(
    ("kind", "context"),
    [("0-visible", "Primary"), ("10-visible", "Secondary"), ("11-visible", "Aggregate"), ("3-af", "Enhancement")],
)
def test_the_field_and_the_light_of_an_eidon_say_what_the_picture_is(kind: str, context: str) -> None:
    eidon = load_profile("icare-eidon")
    # Whatever the patient is called.
    name = "000815-Muller_Anna-0-visible--2025-01-14T09_12_04Z-eidon_20005-right-x-image.jpg"
    assert eidon.context_of(name, (Reading("ImageType", kind, kind, "filename:ImageType"),)) == context
