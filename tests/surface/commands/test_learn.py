"""`irisdrop inspect`, `learn` and `replay`, on the files of a camera that irisdrop has never seen."""

from __future__ import annotations

import json
import re
import time
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import piexif
import pytest

from irisdrop.profiles.profile import load_profile
from irisdrop.record.journal import Arrival, Journal
from irisdrop.record.known import Fingerprint
from irisdrop.record.orders import Orders
from irisdrop.reference.retina import draw
from irisdrop.surface.cli import main
from irisdrop.vocabulary.clock import SystemClock
from irisdrop.vocabulary.decisions import Matched
from irisdrop.vocabulary.images import Reading
from irisdrop.vocabulary.orders import WorklistChanges, WorklistEntry
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import Event

PEOPLE = {"000815": "Keller^Berta", "410273": "Brown^Mary", "A12-7": "Lopes^Ana"}
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """One command; its exit code, output and what it said beside it."""

    def command(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = 0
        try:
            main([str(one) for one in arguments])
        except SystemExit as ended:
            code = int(ended.code or 0)
        told = capsys.readouterr()
        return code, told.out, told.err

    return command


@pytest.fixture
def worklist(tmp_path: Path) -> Path:
    """Today's list."""
    path = tmp_path / "worklist.json"
    entries = [{"id": f"E{n}", "PatientID": n, "PatientName": name} for n, name in PEOPLE.items()]
    path.write_text(json.dumps(entries))
    return path


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    """A folder of a camera that nobody has described."""
    folder = tmp_path / "exports"
    folder.mkdir()
    for at, number in enumerate(PEOPLE):
        for eye in ("OD", "OS"):
            picture = draw(at, "R" if eye == "OD" else "L")
            (folder / f"FND-{number}-{eye}-2025011{at + 3}-{at * 2 + (eye == 'OS') + 1:04}.jpg").write_bytes(picture)
    return folder


def test_inspect_masks_values_and_marks_what_stands_on_the_worklist(run: Run, exports: Path, worklist: Path) -> None:
    file = next(exports.glob("*000815-OD*"))
    code, out, _ = run("inspect", file, "--worklist", worklist)
    assert code == 0
    assert re.search(r"^filename, part 1 +999999   <- PatientID on the worklist$", out, re.MULTILINE)
    assert "000815" not in out
    assert "000815" in run("inspect", file, "--show")[1]


def test_inspect_shows_tags_and_sidecars(run: Run, exports: Path, worklist: Path) -> None:
    file = next(exports.glob("*000815-OD*"))
    piexif.insert(piexif.dump({"0th": {piexif.ImageIFD.ImageDescription: b"MRN 000815"}}), str(file))
    file.with_suffix(".xml").write_text("<Exam><Patient ID='000815'><Name>Keller</Name></Patient></Exam>")
    file.with_suffix(".ini").write_text("[patient]\nnumber=000815\n")
    code, out, _ = run("inspect", file, "--worklist", worklist, "--json")
    assert code == 0
    marked = {row["source"]: row["worklist"] for row in json.loads(out)["values"]}
    assert marked["exif:0th.ImageDescription"] == ["PatientID"]
    assert marked[f"sidecar:{file.stem}.xml //Patient/@ID"] == ["PatientID"]
    assert marked[f"sidecar:{file.stem}.ini patient/number"] == ["PatientID"]
    assert f"sidecar:{file.stem}.xml //Name" in marked


def zipped(archive: Path, exports: Path) -> Path:
    """The exports of a folder in one archive, each with a text beside it, in a folder of its own."""
    with zipfile.ZipFile(archive, "w") as made:
        for file in sorted(exports.glob("*.jpg")):
            made.write(file, f"day 1/{file.name}")
            made.writestr(f"day 1/{file.stem}.XML", f"<Exam><Order>A-{file.name[4:10]}</Order></Exam>")
        made.writestr("index.html", "no picture")
    return archive


def test_inspect_looks_into_an_archive(run: Run, exports: Path, worklist: Path, tmp_path: Path) -> None:
    archive = zipped(tmp_path / "export.zip", exports)
    code, out, _ = run("inspect", archive, "--worklist", worklist)
    assert (code, out.count("content: jpeg"), out.count("of the archive")) == (0, 6, 6)
    assert re.search(r"^filename, part 1 +999999   <- PatientID on the worklist$", out, re.MULTILINE)
    assert "000815" not in out
    found = json.loads(run("inspect", archive, "--json", "--show")[1])
    values = {one["source"]: one["value"] for one in found[0]["values"]}
    assert values["folder, 1 up"] == "day 1"
    assert values["folder, 2 up"] == "export.zip"
    assert values["sidecar:{stem}.xml //Order"] == "A-000815"


def test_inspect_tells_why_an_archive_would_be_refused_and_shows_the_name_of_an_empty_one(
    run: Run, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as made:
        made.writestr("../a.jpg", "x")
    code, _, told = run("inspect", tmp_path / "bad.zip")
    assert code == 1
    assert "a member's name leads out of the archive" in told
    with zipfile.ZipFile(tmp_path / "none.zip", "w") as made:
        made.writestr("a.txt", "x")
    code, out, _ = run("inspect", tmp_path / "none.zip", "--show")
    assert (code, out.splitlines()[:2]) == (0, ["content: zip", f"{'filename':<44} none.zip"])


def test_learn_reads_what_the_images_of_an_archive_hold(run: Run, worklist: Path, tmp_path: Path) -> None:
    """Names say nothing there, and each picture has its own text beside it."""
    folder = tmp_path / "archived"
    folder.mkdir()
    for at, number in enumerate(PEOPLE):
        with zipfile.ZipFile(folder / f"{at}.zip", "w") as made:
            for eye in ("OD", "OS"):
                made.writestr(f"{eye}.jpg", draw(at, "R" if eye == "OD" else "L"))
                made.writestr(f"{eye}.xml", f"<Exam><ID>{number}</ID><Eye>{eye}</Eye></Exam>")
    (folder / "broken.zip").write_bytes(b"PK")
    code, out, _ = run("learn", folder, "--worklist", worklist, "--json")
    assert code == 0
    found = json.loads(out)
    assert (found["exports"], found["decided"]) == (6, 6)
    assert 'archives: ["*.zip"]' in found["text"]
    assert "//ID: PatientID" in found["text"]
    (tmp_path / "camera.yaml").write_text(found["text"])
    assert run("check", tmp_path / "camera.yaml")[0] == 0


def test_inspect_shows_xmp_and_iptc(run: Run, exports: Path) -> None:
    file = next(exports.glob("*000815-OD*"))
    picture = file.read_bytes()
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x='adobe:ns:meta/'><d:subject xmlns:d='d'>000815</d:subject></x:xmpmeta>"
    iptc = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x0b\x1c\x02\x05\0\x06410273"
    parts = b"".join(
        b"\xff" + mark + (len(part) + 2).to_bytes(2, "big") + part for mark, part in ((b"\xe1", xmp), (b"\xed", iptc))
    )
    file.write_bytes(picture[:2] + parts + picture[2:])
    out = run("inspect", file, "--show")[1]
    assert re.search(r"exif:XMP.subject +000815", out)
    assert re.search(r"exif:IPTC.ObjectName +410273", out)


def test_learn_proposes_a_profile_that_check_proves(run: Run, exports: Path, worklist: Path, tmp_path: Path) -> None:
    output = tmp_path / "camera.yaml"
    code, _, err = run("learn", exports, "--worklist", worklist, "--output", output)
    assert code == 0
    assert "6 of 6 exports would be matched" in err
    assert run("check", output)[0] == 0
    profile = load_profile(output)
    assert profile.status == "sampled"
    assert profile.keys >= {"PatientID", "ImageLaterality", "AcquisitionDate"}
    assert not any(number in profile.text for number in ("410273", "A12-7", "Keller", "Brown"))


def test_learn_never_overwrites(run: Run, exports: Path, worklist: Path, tmp_path: Path) -> None:
    (tmp_path / "camera.yaml").write_text("mine")
    code, _, err = run("learn", exports, "--worklist", worklist, "--output", tmp_path / "camera.yaml")
    assert (code, (tmp_path / "camera.yaml").read_text()) == (1, "mine")
    assert "Try:" in err


def test_learn_takes_a_persons_word_for_two_files(run: Run, exports: Path) -> None:
    said = [next(exports.glob(f"*{number}-OD*")) for number in ("000815", "410273")]
    code, out, _ = run("learn", exports, "--is", f"{said[0].name}=000815", "--is", f"{said[1].name}=410273")
    assert code == 0
    assert "(?P<PatientID>" in out


def test_learn_says_what_it_lacks(run: Run, exports: Path) -> None:
    code, _, err = run("learn", exports)
    assert code == 1
    assert "--worklist" in err and "--is" in err


# ---------------------------------------------------------------------- replay

PROFILE = """\
irisdrop: 1
title: Camera of room 1
status: sampled
modality: OP
files: {take: ["*.jpg"]}
read:
  - filename: '(?P<PatientID>\\d+)_(?P<ImageLaterality>[RL])_(?P<AcquisitionDate>\\d{8})\\.jpg'
match: [PatientID]
oldest: 9999d
examples:
  - {file: 000815_R_20250114.jpg, gives: {PatientID: 000815}}
  - {file: 000815_X_20250114.jpg, refuses: NO_KEYS}
"""
START = datetime(2025, 1, 14, 12, tzinfo=UTC)


def past(folder: Path, count: int) -> Path:
    """A site whose journal holds `count` delivered and some quarantined images; returns the configuration."""
    (folder / "exports").mkdir()
    (folder / "camera.yaml").write_text(PROFILE)
    path = folder / "irisdrop.yaml"
    path.write_text(
        "state: state\nsite: {zone: UTC}\nplatform: {kind: http, url: 'http://127.0.0.1:9/v1'}\n"
        "cameras:\n  - {name: room-1, profile: ./camera.yaml, folder: exports}\n"
    )
    (folder / "state").mkdir()
    journal = Journal.open(folder / "state" / "journal.db", SystemClock())
    orders = Orders(journal.database, SystemClock())
    numbers = [f"{number:06}" for number in range(count)]
    orders.apply(
        WorklistChanges(tuple(WorklistEntry(f"E{n}", {"PatientID": n}, START) for n in numbers), (), "1", full=True)
    )
    profile = load_profile(folder / "camera.yaml")
    journal.keep_profile(profile.digest, profile.name, profile.text)
    with journal.transaction():
        for at, number in enumerate(numbers):
            note(journal, orders, profile.digest, f"{number}_{'RL'[at % 2]}_20250114.jpg", f"{at:064x}", number)
        note(journal, orders, profile.digest, "77-000001_R_20250114.jpg", "f" * 64, None)
    journal.close()
    return path


def note(journal: Journal, orders: Orders, profile: str, name: str, digest: str, number: str | None) -> None:
    """One past image, matched to its patient's order or refused."""
    arrival = Arrival("room-1", "", name, f"/exports/{name}", Fingerprint(1, 1, 1, 1))
    image = journal.settle(arrival, digest, 1, arrived=START + timedelta(hours=1), live=True, racy=False)
    assert image is not None
    if number is None:
        journal.refuse(image, Code.NO_KEYS, "nothing")
        return
    eye = name.split("_")[1]
    readings = (
        Reading("PatientID", number, number, "filename:PatientID"),
        Reading("ImageLaterality", eye, eye, "filename:ImageLaterality"),
        Reading("AcquisitionDate", "2025-01-14", "20250114", "filename:AcquisitionDate"),
    )
    image = journal.identify(image, readings, profile, "read")
    entry = orders.get(f"E{number}")
    assert entry is not None
    journal.decide(image, Matched(entry, eye, None, (), ("PatientID",), (), ()), event=Event.MATCH, why="matched")


def replayed(run: Run, config: Path, text: str) -> tuple[int, dict[str, Any], str]:
    """What `replay` says of an edited profile."""
    (config.parent / "edited").mkdir(exist_ok=True)
    edited = config.parent / "edited" / "camera.yaml"
    edited.write_text(text)
    code, out, err = run("--config", config, "replay", edited, "--json")
    return code, json.loads(out), err


def test_replay_of_the_same_profile_changes_nothing(run: Run, tmp_path: Path) -> None:
    code, found, _ = replayed(run, past(tmp_path, 20), PROFILE.replace("room 1", "room one"))
    assert (code, found["looked_at"], found["changed"]) == (0, 21, [])


def test_replay_tells_what_would_be_matched_and_refused(run: Run, tmp_path: Path) -> None:
    config = past(tmp_path, 20)
    code, found, _ = replayed(run, config, PROFILE.replace("(?P<PatientID>\\d+)", "(?:77-)?(?P<PatientID>\\d+)"))
    assert (code, [one["change"] for one in found["changed"]]) == (0, ["newly matched"])
    code, found, _ = replayed(
        run, config, PROFILE.replace("(?P<PatientID>\\d+)", "(?P<PatientID>0+[0-9])").replace("000815", "000005")
    )
    assert code == 0
    assert [one["change"] for one in found["changed"]] == ["newly refused"] * 10
    assert {one["reason"] for one in found["changed"]} == {"NO_KEYS"}


def test_replay_ends_with_one_where_an_image_would_go_to_another_order_or_eye(run: Run, tmp_path: Path) -> None:
    config = past(tmp_path, 20)
    moved = PROFILE.replace("match:", "clean: {PatientID: [{replace: {'000001': '000002'}}]}\nmatch:")
    code, found, err = replayed(run, config, moved)
    assert code == 1
    assert [(one["before"], one["after"], one["change"]) for one in found["changed"]] == [
        ("E000001", "E000002", "moved to another order")
    ]
    assert "another order" in err
    swapped = PROFILE.replace("match:", "clean: {ImageLaterality: {R: L, L: R}}\nmatch:")
    code, found, _ = replayed(run, config, swapped)
    assert (code, {one["change"] for one in found["changed"]}) == (1, {"moved to the other eye"})


def test_replay_refuses_a_faulty_profile_and_an_unknown_camera(run: Run, tmp_path: Path) -> None:
    config = past(tmp_path, 2)
    (tmp_path / "broken.yaml").write_text(PROFILE.replace("match:", "mtach:"))
    assert run("--config", config, "replay", tmp_path / "broken.yaml")[0] == 1
    code, _, err = run("--config", config, "replay", tmp_path / "camera.yaml", "--camera", "room-9")
    assert code == 1
    assert "room-1" in err


def test_ten_thousand_past_images_are_replayed_in_less_than_ten_seconds(run: Run, tmp_path: Path) -> None:
    config = past(tmp_path, 10_000)
    begin = time.process_time()  # what other programs of the machine take is not the command's
    code, found, _ = replayed(run, config, PROFILE.replace("(?P<PatientID>\\d+)", "(?:77-)?(?P<PatientID>\\d+)"))
    assert (code, found["looked_at"], len(found["changed"])) == (0, 10_001, 1)
    assert time.process_time() - begin < 10
