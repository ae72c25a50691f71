"""`explain` on the shelf's examples and on what no camera should write: the right reason, in under a second."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from irisdrop.explain import prove
from irisdrop.profiles.profile import load_profile, shelf
from irisdrop.reference.retina import draw

ROOT = Path(__file__).parents[3]
NAMES = sorted(shelf())
FILENAME_EXAMPLES = [
    (name, example)
    for name in NAMES
    for example in load_profile(name).examples
    if not example.dicom and not example.exif and not example.sidecar
]


def explain(file: Path, profile: str, *more: str) -> dict[str, Any]:
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "irisdrop", "explain", str(file), "--profile", profile, "--json", *more],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    took = time.perf_counter() - begin
    assert done.returncode == 0, done.stderr
    # A second is the limit on an idle machine; a busy one gets a generous bound.
    assert took < 20
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_profile_of_the_shelf_proves_itself(name: str) -> None:
    assert prove(load_profile(name)) == []


ARCHIVES = """\
irisdrop: 1
title: ZIP exports with a text beside each picture
status: sampled
modality: OP
files: {take: ["*.jpg"], archives: ["*.zip"]}
read:
  - folder: '(?P<AccessionNumber>[^/]+)\\.zip'
  - sidecar: {file: "{stem}.xml", xpath: {//ID: PatientID, //Eye: ImageLaterality}}
match: [PatientID]
examples:
  - {file: x.zip!a.jpg, sidecar: <E><ID>000815</ID><Eye>OD</Eye></E>, gives: {PatientID: 000815, AccessionNumber: x}}
  - {file: b.jpg, sidecar: <E/>, refuses: NO_KEYS}
"""


def test_an_archive_is_explained_image_by_image(picture: bytes, tmp_path: Path) -> None:
    (tmp_path / "camera.yaml").write_text(ARCHIVES)
    with zipfile.ZipFile(tmp_path / "A-1.zip", "w") as made:
        made.writestr("a.jpg", picture)
        made.writestr("A.XML", "<E><ID>000815</ID><Eye>OD</Eye></E>")
        made.writestr("10:05:31.jpg", picture)
    whole, lacking = explained_all(tmp_path / "A-1.zip", str(tmp_path / "camera.yaml"))
    said = {reading["key"]: reading["value"] for reading in whole["readings"]}
    assert said == {"AccessionNumber": "A-1", "PatientID": "000815", "ImageLaterality": "R"}
    assert (whole["file"], whole["reason"]) == (f"{tmp_path / 'A-1.zip'}!a.jpg", "NO_WORKLIST_ENTRY")
    assert (lacking["decision"], lacking["detail"]) == ("unreadable", "its companion file is missing")


def test_an_archive_that_would_be_refused_says_why(tmp_path: Path) -> None:
    (tmp_path / "camera.yaml").write_text(ARCHIVES)
    for name, content, why in (
        ("a.zip", None, "a member's name leads out of the archive"),
        ("b.zip", b"PK", "it stopped before its end"),
        ("c.zip", b"PK\5\6" + bytes(18), "it holds no image that the profile takes"),
    ):
        if content is None:
            with zipfile.ZipFile(tmp_path / name, "w") as made:
                made.writestr("../a.jpg", b"x")
        else:
            (tmp_path / name).write_bytes(content)
        (found,) = explained_all(tmp_path / name, str(tmp_path / "camera.yaml"))
        assert (found["decision"], found["reason"], found["detail"]) == ("unreadable", "UNREADABLE", why)


def explained_all(archive: Path, profile: str) -> list[dict[str, Any]]:
    """What is said about each image of an archive."""
    found: Any = explain(archive, profile)
    assert isinstance(found, list)
    return found


@pytest.fixture(scope="module")
def picture() -> bytes:
    return draw(3, "R", b"")


def test_a_real_file_of_each_example_is_read_as_the_example_says(picture: bytes, tmp_path: Path) -> None:
    """One process reads them all: starting one for each would tell nothing more."""
    from irisdrop.explain import explain as explained
    from irisdrop.identity.sandbox import Parsers

    assert len(FILENAME_EXAMPLES) > 20
    with Parsers() as parsers:
        for number, (name, example) in enumerate(FILENAME_EXAMPLES):
            profile = load_profile(name)
            if not profile.takes(example.file.rpartition("/")[2]) or profile.status == "unverified":
                continue
            file = tmp_path / str(number) / example.file
            file.parent.mkdir(parents=True)
            file.write_bytes(picture)
            plain = explained(file, profile, parsers, name=example.file).plain()
            read = {reading["key"]: reading["value"] for reading in plain["readings"]}
            assert {key: read.get(key) for key in example.gives} == dict(example.gives), (name, example.line)
            assert plain["reason"] == (example.refuses or "NO_WORKLIST_ENTRY"), (name, example.line)


def test_the_json_is_the_contract_s(picture: bytes, tmp_path: Path) -> None:
    file = tmp_path / "20250114_000815_R_012.JPG"
    file.write_bytes(picture)
    found = explain(file, "topcon-nw400")
    assert {"file", "digest", "profile", "readings", "decision", "reason", "entry", "candidates"} <= found.keys()
    assert (found["decision"], found["reason"], found["entry"]) == ("unmatched", "NO_WORKLIST_ENTRY", None)
    assert {"key": "PatientID", "value": "000815", "raw": "000815", "source": "filename:PatientID"} in found["readings"]
    assert list(tmp_path.iterdir()) == [file]


def test_what_is_no_image_has_its_reason(picture: bytes, tmp_path: Path) -> None:
    made = {"empty": b"", "text": b"no picture\n" * 30, "truncated": picture[: len(picture) // 2]}
    expected = {"empty": "UNREADABLE", "text": "NOT_AN_IMAGE", "truncated": "UNREADABLE"}
    for kind, content in made.items():
        file = tmp_path / kind / "20250114_000815_R_012.JPG"
        file.parent.mkdir()
        file.write_bytes(content)
        found = explain(file, "topcon-nw400")
        assert (found["decision"], found["reason"]) == ("unreadable", expected[kind])


def test_links_and_pipes_are_not_opened(picture: bytes, tmp_path: Path) -> None:
    real = tmp_path / "real.jpg"
    real.write_bytes(picture)
    link, pipe = tmp_path / "20250114_000815_R_012.JPG", tmp_path / "20250114_000815_L_013.JPG"
    link.symlink_to(real)
    os.mkfifo(pipe)
    for file in (link, pipe):
        found = explain(file, "topcon-nw400")
        assert (found["reason"], found["digest"]) == ("NOT_A_PLAIN_FILE", None)


def test_a_dicom_object_without_a_patient_says_nothing_about_whose_it_is(tmp_path: Path) -> None:
    from pydicom import dcmread
    from pydicom.data import get_testdata_file

    source = get_testdata_file("SC_jpeg_no_color_transform.dcm", read=False)
    assert source is not None
    dataset = dcmread(str(source))
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "AccessionNumber", "StudyInstanceUID"):
        if keyword in dataset:
            delattr(dataset, keyword)
    file = tmp_path / "op.dcm"
    dataset.save_as(file)
    assert explain(file, "dicom-op")["reason"] == "NO_KEYS"


def test_values_are_masked_unless_they_are_asked_for(picture: bytes, tmp_path: Path) -> None:
    file = tmp_path / "20250114_000815_R_012.JPG"
    file.write_bytes(picture)
    for flag, shown in (([], False), (["--show"], True)):
        done = subprocess.run(
            [sys.executable, "-m", "irisdrop", "explain", str(file), "--profile", "topcon-nw400", *flag],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        assert ("000815" in done.stdout) is shown
