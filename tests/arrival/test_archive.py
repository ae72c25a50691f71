"""ZIP exports: members are images, and nothing hostile comes in."""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from irisdrop.arrival.archive import Unfinished, Unpackable, Unpacked, unpack
from irisdrop.arrival.system import fingerprint
from irisdrop.arrival.take import Order
from irisdrop.profiles.profile import DeviceProfile, load_profile
from irisdrop.record.spool import Origin, Spool
from irisdrop.reference.retina import draw

INSIDE = "Anna_Muller_17000001_14-01-2025/fop/10.05.31.270_AM.jpg"


@pytest.fixture
def opened(tmp_path: Path) -> Callable[[bytes], object]:
    """What comes of an archive's bytes; the spool is `tmp_path / "spool"`."""
    spool = Spool(tmp_path / "spool", None)
    profile: DeviceProfile = load_profile("remidio-zip")

    def of(content: bytes, *, force: bool = False, largest: int = 1 << 24) -> object:
        file = tmp_path / "export.zip"
        file.write_bytes(content)
        origin = Origin("room-1", str(file), "export.zip", datetime(2025, 1, 14, tzinfo=UTC), True)
        order = Order(str(file), fingerprint(os.lstat(file)), origin, largest, frozenset(), None, force)
        return unpack(order, profile, spool, 0.0, lambda: False)

    return of


def archive(*members: tuple[str | zipfile.ZipInfo, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP of names and their bytes."""
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", how) as made:
        for name, content in members:
            made.writestr(name, content)
    return into.getvalue()


def spooled(folder: Path) -> list[Path]:
    """Every image in a spool."""
    return [path for path in folder.rglob("*") if path.is_file() and len(path.name) == 64]


def test_the_images_of_an_archive_are_spooled_and_the_rest_is_left(
    opened: Callable[..., object], tmp_path: Path
) -> None:
    picture = draw(1, "R")
    found = opened(archive((INSIDE, picture), ("x/report.pdf", b"%PDF-"), ("__MACOSX/._a.jpg", b"x"), ("x/", b"")))
    assert isinstance(found, Unpacked)
    assert [(member.path, member.size, member.complete) for member in found.members] == [(INSIDE, len(picture), True)]
    assert [path.read_bytes() for path in spooled(tmp_path / "spool")] == [picture]
    origins = Spool(tmp_path / "spool", None).origins(found.members[0].digest)
    assert [origin.name for origin in origins] == [f"export.zip!{INSIDE}"]


def test_half_an_archive_is_waited_for(opened: Callable[..., object]) -> None:
    whole = archive((INSIDE, draw(1, "R")))
    assert isinstance(opened(whole[: len(whole) // 2]), Unfinished)
    assert opened(whole[: len(whole) // 2], force=True) == Unpackable("it stopped before its end")


def link() -> zipfile.ZipInfo:
    """A member that is a symbolic link."""
    info = zipfile.ZipInfo("a.jpg")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (archive(("../../etc/a.jpg", b"x")), "a member's name leads out of the archive"),
        (archive(("/etc/a.jpg", b"x")), "a member's name leads out of the archive"),
        (archive(("C:a.jpg", b"x")), "a member's name is none that an export has"),
        (archive((link(), b"/etc/passwd")), "a member is a link or a device"),
        (archive(("a.jpg", b"\0" * (8 << 20))), "a member unpacks to far more than a picture would"),
        (archive(("a.jpg", b"\0" * (20 << 20)), how=zipfile.ZIP_STORED), "a member is larger than this site accepts"),
        (archive(("a.jpg", b"x"), ("A.JPG", b"y")), "two of its members have one name"),
        (archive(*((f"{n}.jpg", b"x") for n in range(5001))), "it lists more members than any export has"),
    ],
    ids=["up", "absolute", "drive", "link", "bomb", "large", "twice", "many"],
)
def test_a_hostile_archive_is_refused_whole(
    opened: Callable[..., object], tmp_path: Path, content: bytes, why: str
) -> None:
    limit = 1 << 26 if "larger than this site" not in why else 1 << 24
    found = opened(content, largest=limit)
    if "larger than this site" in why and isinstance(found, Unpackable):
        assert "more than this site accepts" in found.detail or found.detail == why
    else:
        assert found == Unpackable(why)
    assert spooled(tmp_path / "spool") == []
    assert list((tmp_path / "spool" / "incoming").iterdir()) == []


def test_a_member_that_lies_about_its_size_is_refused(opened: Callable[..., object], tmp_path: Path) -> None:
    content = bytearray(archive(("a.jpg", b"x" * 1000)))
    at = content.rfind(b"PK\x01\x02") + 24
    content[at : at + 4] = (10).to_bytes(4, "little")
    assert isinstance(opened(bytes(content)), Unpackable)
    assert spooled(tmp_path / "spool") == []


def test_a_second_end_record_whose_numbers_nobody_checked_is_refused(opened: Callable[..., object]) -> None:
    """`zipfile` believes a ZIP64 record more than the plain one, so the limits of the plain one would mean nothing."""
    plain = archive((INSIDE, draw(1, "R")))
    at = plain.rindex(b"PK\x05\x06")
    huge = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, 1 << 30, 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, at, 1)
    assert isinstance(opened(plain[:at] + huge + locator + plain[at:]), Unpackable)


def test_damage_anywhere_is_told_and_never_raised(opened: Callable[..., object]) -> None:
    whole = archive((INSIDE, draw(1, "R")))
    for at in range(0, len(whole), max(1, len(whole) // 40)):
        found = opened(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        assert isinstance(found, Unpacked | Unpackable | Unfinished)
