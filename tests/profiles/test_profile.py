"""Loading a profile, and what it says."""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from irisdrop.profiles.patterns import Pattern
from irisdrop.profiles.profile import (
    DicomRule,
    ExifRule,
    FilenameRule,
    KeySet,
    SidecarRule,
    Step,
    companion,
    load_profile,
    parse_profile,
    shelf,
)
from irisdrop.vocabulary.faults import FaultyFile, Foreseen
from irisdrop.vocabulary.images import Reading
from irisdrop.vocabulary.reasons import Code

FULL = """\
irisdrop: 1
title: All
status: documented
source: https://camera.example/manual
modality: OP
files: {take: ["*.jpg"], skip: ["._*"]}
settle: 500ms
give_up: 2m
done: "{name}.done"
read:
  - filename: '(?P<PatientID>\\d+)\\.jpg'
  - exif: {UserComment: AccessionNumber, ImageDescription: 'MRN=(?P<PatientID>\\d+)'}
  - dicom: {"(0010,0020)": PatientID, "RequestAttributesSequence[0].ScheduledProcedureStepID": ScheduledProcedureStepID}
  - sidecar: {file: "{stem}.ini", ini: {Exam/Eye: ImageLaterality}, wait: 5s, encoding: shift_jis}
clean: {PatientID: [trim, {pad: 6}, {strip_prefix: MRN}], ImageLaterality: {Right: R}, AccessionNumber: upper}
match: [AccessionNumber?, PatientID + ScheduledProcedureStepID, PatientID]
within: any
agree: [AccessionNumber]
eye: platform
patience: 1h
oldest: 7d
expect: 2
context: {"mosaic*": Aggregate}
examples:
  - {file: x/7.jpg, gives: {PatientID: 000007}}
  - {file: a.jpg, refuses: NO_KEYS, exif: {UserComment: x}}
"""


def test_everything_that_is_set_arrives() -> None:
    profile = parse_profile(FULL, "/etc/irisdrop/all.yaml")
    filename, exif, dicom, sidecar = profile.read
    assert (profile.name, profile.title, profile.status, profile.modality) == ("all", "All", "documented", "OP")
    assert (profile.settle, profile.give_up, profile.done) == (0.5, 120, "{name}.done")
    assert isinstance(filename, FilenameRule)
    assert filename.line == 11
    assert isinstance(exif, ExifRule)
    assert exif.tags == {"UserComment": "AccessionNumber", "ImageDescription": Pattern(r"MRN=(?P<PatientID>\d+)")}
    assert exif.keys == ("AccessionNumber", "PatientID")
    assert isinstance(dicom, DicomRule)
    assert isinstance(sidecar, SidecarRule)
    assert (sidecar.file, sidecar.format, sidecar.wait, sidecar.encoding) == ("{stem}.ini", "ini", 5, "shift_jis")
    assert profile.clean == {
        "PatientID": (Step("trim"), Step("pad", 6), Step("strip_prefix", "MRN")),
        "ImageLaterality": (Step("map", {"right": "R"}),),
        "AccessionNumber": (Step("upper"),),
    }
    assert profile.match == (
        KeySet(("AccessionNumber",), frozenset({"AccessionNumber"})),
        KeySet(("PatientID", "ScheduledProcedureStepID")),
        KeySet(("PatientID",)),
    )
    assert [str(one) for one in profile.match] == [
        "AccessionNumber?",
        "PatientID + ScheduledProcedureStepID",
        "PatientID",
    ]
    assert (profile.within, profile.agree, profile.eye) == (None, ("AccessionNumber",), "platform")
    assert (profile.patience, profile.oldest, profile.expect) == (3600, 604800, 2)
    assert [(one.file, one.refuses, one.line) for one in profile.examples] == [
        ("x/7.jpg", None, 25),
        ("a.jpg", Code.NO_KEYS, 26),
    ]
    assert profile.examples[0].gives == {"PatientID": "000007"}
    assert profile.keys == {"PatientID", "AccessionNumber", "ScheduledProcedureStepID", "ImageLaterality"}


def test_what_is_not_set_has_its_default(good: str) -> None:
    profile = parse_profile(good, "x.yaml")
    assert (profile.settle, profile.give_up, profile.done) == (2, 60, None)
    assert (profile.within, profile.patience, profile.oldest) == (86400, 14400, 2592000)
    assert profile.expect is None
    assert (profile.agree, profile.eye, profile.expect) == ((), "required", None)
    assert (profile.context_of("a.jpg"), profile.held_back("a.jpg", ())) == ("Primary", None)


def test_a_profile_can_not_be_changed(good: str) -> None:
    profile = parse_profile(good, "x.yaml")
    with pytest.raises(dataclasses.FrozenInstanceError):
        profile.settle = 0  # type: ignore[misc]
    with pytest.raises(TypeError):
        profile.clean["PatientID"] = ()  # type: ignore[index]


def test_the_digest_is_of_the_text(good: str) -> None:
    assert parse_profile(good, "x.yaml").digest == hashlib.sha256(good.encode()).hexdigest()


def test_skip_wins_over_take_and_case_does_not_count() -> None:
    profile = parse_profile(FULL, "all.yaml")
    assert profile.takes("A.JPG")
    assert not profile.takes("._A.JPG")
    assert not profile.takes("a.jpg.tmp")


def test_the_first_glob_that_fits_gives_the_context() -> None:
    profile = parse_profile(FULL, "all.yaml")
    assert profile.context_of("Mosaic 1.jpg") == "Aggregate"
    assert profile.context_of("a.jpg") == "Unknown"


TYPED = """\
irisdrop: 1
title: All kinds of pictures
status: sampled
modality: OP
files: {take: ["*.jpg"]}
read: [{filename: '(?P<PatientID>\\d+)_(?P<ImageType>.+)\\.jpg'}]
match: [PatientID]
eye: platform
context:
  ImageType: {"*mosaic*": Aggregate, redfree: Enhancement}
  "*_p.jpg": Enhancement
  "*": Primary
deliver:
  ImageType: {external: no}
  "*_test*": no
examples:
  - {file: 7_central.jpg, gives: {PatientID: "7"}}
  - {file: 7_external.jpg, refuses: PROFILE_UNVERIFIED}
"""


def kind(text: str) -> tuple[Reading, ...]:
    """A picture that says its kind."""
    return (Reading("ImageType", text, text, "filename:ImageType"),)


def test_what_was_read_gives_context_and_delivery() -> None:
    found = parse_profile(TYPED, "camera.yaml")
    assert found.context_of("a.jpg", kind("Wide MOSAIC 2")) == "Aggregate"
    assert found.context_of("a.jpg", kind("redfree 2")) == "Primary"
    assert found.context_of("a_P.jpg") == "Enhancement"
    held = found.held_back("a.jpg", kind("External"))
    assert held is not None
    assert (held.key, held.line) == ("ImageType", 14)
    assert found.held_back("a_TEST.jpg", ()) is not None
    assert found.held_back("a.jpg", kind("externals")) is None


def test_whoever_does_not_know_the_name_can_not_know_that_nothing_holds_it_back() -> None:
    assert parse_profile(TYPED, "camera.yaml").held_back(None, ()) is not None
    assert parse_profile(FULL, "camera.yaml").held_back(None, ()) is None


@pytest.mark.parametrize(
    ("written", "delivered"), [("no", False), ("yes", True), ("{'*': no}", False), ("{'a*': yes, '*': no}", True)]
)
def test_a_word_alone_is_for_every_picture(written: str, delivered: bool) -> None:
    begin, _, end = TYPED.partition("deliver:")
    text = f"{begin}deliver: {written}\nexamples:{end.partition('examples:')[2]}".replace(
        "PROFILE_UNVERIFIED", "NO_KEYS"
    )
    found = parse_profile(text, "camera.yaml")
    assert (found.held_back("a.jpg", ()) is None) is delivered


def test_a_companion_is_named_after_its_image() -> None:
    assert companion("{stem}.xml", "a.b.jpg") == "a.b.xml"
    assert companion("{name}.done", "a.jpg") == "a.jpg.done"
    assert companion("{stem}.xml", ".jpg") == ".jpg.xml"
    assert parse_profile(FULL, "all.yaml").done_name("a.jpg") == "a.jpg.done"


def test_a_name_is_looked_up_beside_the_configuration_and_then_on_the_shelf(tmp_path: Path, good: str) -> None:
    assert load_profile("topcon-nw400", base=tmp_path).title == "Topcon TRC-NW400"
    (tmp_path / "topcon-nw400.yaml").write_text(good, encoding="utf-8")
    assert load_profile("topcon-nw400", base=tmp_path).title == "Camera of room 2"


def test_a_path_starts_from_the_base(tmp_path: Path, good: str) -> None:
    (tmp_path / "rules").mkdir()
    path = tmp_path / "rules" / "own.yaml"
    path.write_text(good, encoding="utf-8-sig")
    assert load_profile("rules/own.yaml", base=tmp_path).name == "own"
    assert load_profile(path).path == str(path)
    assert load_profile(shelf()["dicom-op"]).name == "dicom-op"


def test_an_unknown_name_tells_what_comes_near_and_where_it_was_searched(tmp_path: Path) -> None:
    with pytest.raises(Foreseen) as caught:
        load_profile("topcon-nw40", base=tmp_path)
    assert caught.value.code == "NO_SUCH_PROFILE"
    assert caught.value.remedy == "did you mean topcon-nw400?"
    assert str(tmp_path / "topcon-nw40.yaml") in caught.value.message
    assert "the shelf in" in caught.value.message
    with pytest.raises(Foreseen) as caught:
        load_profile("zzz", base=tmp_path)
    assert "dicom-op" in caught.value.remedy
    with pytest.raises(Foreseen):
        load_profile("none/own.yaml", base=tmp_path)


def test_a_faulty_file_counts_its_faults(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("irisdrop: 1\n", encoding="utf-8")
    with pytest.raises(FaultyFile) as caught:
        load_profile(path)
    assert len(caught.value.faults) == 7
    assert "7 places" in caught.value.remedy


def test_the_words_of_a_profile_cost_no_heavy_import() -> None:
    """Whoever only holds a profile pays neither for pydantic nor for YAML."""
    code = (
        "import sys, irisdrop.profiles.profile, irisdrop.profiles.config\n"
        "print([name for name in ('pydantic', 'yaml', 're2', 'pydicom', 'platformdirs') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
