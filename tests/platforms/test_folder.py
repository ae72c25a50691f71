"""Delivery into a folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from irisdrop.platforms.folder import TEMPLATE, FolderPlatform
from irisdrop.platforms.template import NoValue, checked_template, filled
from irisdrop.vocabulary.deliveries import Confirmed, Damaged, Parcel, Postponed, Refused
from irisdrop.vocabulary.faults import Foreseen

Parcels = Callable[..., Parcel]
NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The folder that images go to."""
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def files(folder: Path) -> list[str]:
    """Every file below a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_an_image_is_copied_under_the_templates_name_and_read_back(out: Path, parcel: Parcels) -> None:
    one = parcel(name="cam/IMG_1.JPG")
    answer = FolderPlatform(out, TEMPLATE, NEW_YORK).deliver(one)
    assert isinstance(answer, Confirmed)
    assert (answer.receipt.digest, answer.receipt.entry, answer.receipt.eye) == (one.digest, "E1", "R")
    assert files(out) == [f"000815/20250114_R_{one.digest[:16]}.jpg"]
    assert (out / files(out)[0]).read_bytes() == Path(one.file).read_bytes()


def test_the_same_image_again_finds_its_copy(out: Path, parcel: Parcels) -> None:
    platform = FolderPlatform(out, "{PatientID}{ext}", UTC)
    first, again = platform.deliver(parcel()), platform.deliver(parcel())
    assert isinstance(first, Confirmed) and isinstance(again, Confirmed)
    assert first.receipt.id == again.receipt.id
    assert len(files(out)) == 1


def test_a_taken_name_is_never_overwritten(out: Path, parcel: Parcels) -> None:
    (out / "000815.jpg").write_bytes(b"somebody else's")
    platform = FolderPlatform(out, "{PatientID}{ext}", UTC)
    for content in (b"one", b"two", b"one"):
        assert isinstance(platform.deliver(parcel(content, name="a.jpg")), Confirmed)
    assert files(out) == ["000815.2.jpg", "000815.3.jpg", "000815.jpg"]
    assert (out / "000815.jpg").read_bytes() == b"somebody else's"


def test_a_share_without_hard_links_is_no_hindrance(
    out: Path, parcel: Parcels, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuses)
    (out / "000815.jpg").write_bytes(b"somebody else's")
    platform = FolderPlatform(out, "{PatientID}{ext}", UTC)
    assert isinstance(platform.deliver(parcel(name="a.jpg")), Confirmed)
    assert files(out) == ["000815.2.jpg", "000815.jpg"]


def test_a_folder_that_is_gone_is_waited_for_and_not_made(tmp_path: Path, parcel: Parcels) -> None:
    answer = FolderPlatform(tmp_path / "share", TEMPLATE, UTC).deliver(parcel())
    assert isinstance(answer, Postponed)
    assert (answer.condition, answer.halts) == ("PLATFORM_UNREACHABLE", True)
    assert not (tmp_path / "share").exists()


def test_a_mount_point_without_its_share_lacks_the_marker(out: Path, parcel: Parcels) -> None:
    platform = FolderPlatform(out, TEMPLATE, UTC, marker="this-is-the-share")
    answer = platform.deliver(parcel())
    assert isinstance(answer, Postponed)
    assert answer.condition == "PLATFORM_STRANGE"
    (out / "this-is-the-share").touch()
    assert isinstance(platform.deliver(parcel()), Confirmed)


def test_spoilt_or_missing_bytes_are_not_copied(out: Path, parcel: Parcels) -> None:
    one = parcel()
    Path(one.file).write_bytes(b"rot")
    platform = FolderPlatform(out, TEMPLATE, UTC)
    assert isinstance(platform.deliver(one), Damaged)
    Path(one.file).unlink()
    assert isinstance(platform.deliver(one), Damaged)
    assert files(out) == []


def test_a_full_disk_is_waited_for(out: Path, parcel: Parcels, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    answer = FolderPlatform(out, TEMPLATE, UTC).deliver(parcel())
    assert isinstance(answer, Postponed)
    assert "ENOSPC" in answer.detail
    assert files(out) == []


def test_a_token_without_value_refuses_the_image(out: Path, parcel: Parcels) -> None:
    answer = FolderPlatform(out, "{AdmissionID}/{digest}", UTC).deliver(parcel())
    assert isinstance(answer, Refused)
    assert "AdmissionID" in answer.detail


@pytest.mark.parametrize("text", ["{Patient}", "../{digest}", "/{digest}", "a//{digest}", "C:\\{digest}", "fixed.jpg"])
def test_a_template_that_leads_nowhere_good_is_refused(text: str) -> None:
    with pytest.raises(Foreseen):
        checked_template(text)


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{OrderLocalId}_{Laterality}_{Taken}{ext}", "A-1_OD_20250114T043100.jpg"),
        ("{PatientLastName}_{PatientFirstName}{ext}", "O_Neil_Müller_Jürgen.jpg"),
        ("{PatientID}/{camera}/{stem}.{context}{ext}", "000815/room-2/IMG_1.Primary.jpg"),
        ("{DeviceSerialNumber}{ext}", ".._.._etc.jpg"),
        ("{SiteLocalId}{ext}", "_con.jpg"),
    ],
)
def test_tokens_are_iriss_fields_dicoms_keywords_and_ours(parcel: Parcels, template: str, name: str) -> None:
    keys = (("PatientID", "000815"), ("AccessionNumber", "A-1"), ("PatientName", "O/Neil Müller^Jürgen"))
    one = parcel(
        keys=keys,
        name="sub/IMG_1.JPG",
        camera="room-2",
        context="Primary",
        site="con",
        said=(("DeviceSerialNumber", "../../etc"),),
        taken=datetime(2025, 1, 14, 9, 31, tzinfo=UTC),
    )
    got = str(filled(template, one, NEW_YORK))
    assert got == name.lstrip(".") if name.startswith("..") else got == name


def test_a_long_value_is_cut_before_its_ending(parcel: Parcels) -> None:
    one = parcel(keys=(("PatientID", "ü" * 300),), name="a.jpg")
    (name,) = filled("{PatientID}{ext}", one, UTC).parts
    assert name.endswith(".jpg") and len(name.encode()) <= 200


def test_an_eye_left_to_the_platform_is_named_unknown(parcel: Parcels) -> None:
    assert str(filled("{Laterality}_{ImageLaterality}", parcel(eye="U"), UTC)) == "U_U"
    with pytest.raises(NoValue):
        filled("{SiteLocalId}", parcel(), UTC)
