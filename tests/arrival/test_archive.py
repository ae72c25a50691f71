"""ZIP exports: members are images, and nothing hostile comes in."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import struct
import subprocess
import zipfile
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from irisdrop.arrival import archive as module
from irisdrop.arrival.archive import Unfinished, Unpackable, Unpacked, unpack
from irisdrop.arrival.directory import Hostile
from irisdrop.arrival.members import member_blocks
from irisdrop.arrival.system import fingerprint
from irisdrop.arrival.take import Changed, Order, SpoolFailed, SpoolFull, Stopped
from irisdrop.profiles.profile import DeviceProfile, load_profile, parse_profile
from irisdrop.record.spool import Origin, Spool
from irisdrop.reference.retina import draw

SIDECAR = """\
irisdrop: 1
title: A text beside each picture
status: sampled
modality: OP
files: {take: ["*.jpg"], archives: ["*.zip"]}
read:
  - sidecar: {file: "{stem}.xml", xpath: {//ID: PatientID}}
match: [PatientID]
examples:
  - {file: a.jpg, sidecar: <E><ID>000815</ID></E>, gives: {PatientID: "000815"}}
  - {file: b.jpg, sidecar: <E/>, refuses: NO_KEYS}
"""
INSIDE = "Anna_Muller_17000001_14-01-2025/fop/10.05.31.270_AM.jpg"


@pytest.fixture
def opened(tmp_path: Path) -> Callable[[bytes], object]:
    """What comes of an archive's bytes; the spool is `tmp_path / "spool"`."""
    shelf = load_profile("remidio-zip")

    def of(
        content: bytes,
        *,
        force: bool = False,
        largest: int = 1 << 24,
        limit: int | None = None,
        stopped: Callable[[], bool] = lambda: False,
        known: dict[str, str] | None = None,
        profile: DeviceProfile = shelf,
    ) -> object:
        file = tmp_path / "export.zip"
        file.write_bytes(content)
        spool = Spool(tmp_path / "spool", limit)
        origin = Origin("room-1", str(file), "export.zip", datetime(2025, 1, 14, tzinfo=UTC), True)
        order = Order(str(file), fingerprint(os.lstat(file)), origin, largest, frozenset(), None, force)
        paths = {f"{file}!{path}": {digest} for path, digest in (known or {}).items()}
        return unpack(order, profile, spool, 0.0, stopped, lambda path: paths.get(path, set()))

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
    assert [(member.path, member.size, member.flaw) for member in found.members] == [(INSIDE, len(picture), None)]
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
        (archive(("C:a.jpg", b"x")), "a member's name leads out of the archive"),
        (archive(("..\\a.jpg", b"x")), "a member's name leads out of the archive"),
        (archive(("\\\\server\\share\\a.jpg", b"x")), "a member's name leads out of the archive"),
        (archive((link(), b"/etc/passwd")), "a member is a link or a device"),
        (archive(("a.jpg", b"\0" * (8 << 20))), "a member unpacks to far more than a picture would"),
        (archive(("a.jpg", b"\0" * (20 << 20)), how=zipfile.ZIP_STORED), "a member is larger than this site accepts"),
        (archive(("a.jpg", b"x"), ("./a.jpg", b"y")), "two of its members have one name"),
        (archive(*((f"{n}.jpg", b"x") for n in range(5001))), "it lists more members than any export has"),
    ],
    ids=["up", "absolute", "drive", "up in Windows", "server", "link", "bomb", "large", "twice", "many"],
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


def raw(*members: tuple[bytes, bytes], flags: int = 0, extra: bytes = b"") -> bytes:
    """A ZIP of stored members whose names are written byte for byte, as no library would."""
    local, directory = b"", b""
    for name, content in members:
        common = struct.pack(
            "<5H3L2H", 20, flags, 0, 0, 0, zlib.crc32(content), len(content), len(content), len(name), 0
        )
        entry = b"PK\1\2" + b"\x14\0" + common[:-2] + struct.pack("<4H2L", len(extra), 0, 0, 0, 0, len(local))
        directory += entry + name + extra
        local += b"PK\3\4" + common + name + content
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, len(members), len(members), len(directory), len(local), 0)
    return local + directory + end


def unicode_path(name: bytes, text: str) -> bytes:
    """Info-ZIP's extra field with the name in UTF-8."""
    content = b"\1" + struct.pack("<L", zlib.crc32(name)) + text.encode()
    return struct.pack("<2H", 0x7075, len(content)) + content


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (raw(("Müller/a.jpg".encode(), b"x")), "Müller/a.jpg"),
        (raw(("Müller/a.jpg".encode(), b"x"), flags=0x800), "Müller/a.jpg"),
        (raw(("Mu\u0308ller/a.jpg".encode(), b"x"), flags=0x800), "Mu\u0308ller/a.jpg"),
        (raw((b"M\x81ller/a.jpg", b"x")), "Müller/a.jpg"),
        (raw((b"M?ller/a.jpg", b"x"), extra=unicode_path(b"M?ller/a.jpg", "Müller/a.jpg")), "Müller/a.jpg"),
        (raw((b"M?ller/a.jpg", b"x"), extra=unicode_path(b"another", "Müller/a.jpg")), "M?ller/a.jpg"),
        (raw((b"\xff\xfe/a.jpg", b"x"), flags=0x800), "\udcff\udcfe/a.jpg"),
        (raw((b"000815\\fop\\a.jpg", b"x")), "000815/fop/a.jpg"),
        (raw((b"./000815//a.jpg", b"x")), "000815/a.jpg"),
        (raw((b"10:05:31.jpg", b"x")), "10:05:31.jpg"),
        (raw((b"n" * 251 + b".jpg", b"x")), "n" * 251 + ".jpg"),
        (raw((b".hidden/a.jpg", b"x")), ".hidden/a.jpg"),
    ],
    ids=["utf8", "said", "nfd", "cp437", "field", "of another", "none", "backslash", "dots", "colon", "255", "hidden"],
)
def test_members_have_the_names_that_their_writer_meant(
    opened: Callable[..., object], content: bytes, path: str
) -> None:
    found = opened(content)
    assert isinstance(found, Unpacked)
    assert [member.path for member in found.members] == [path]


def test_names_that_differ_in_case_alone_are_two_images(opened: Callable[..., object], tmp_path: Path) -> None:
    found = opened(archive(("a.jpg", draw(1, "R")), ("A.JPG", draw(2, "L"))))
    assert isinstance(found, Unpacked)
    assert [member.path for member in found.members] == ["a.jpg", "A.JPG"]
    assert len(spooled(tmp_path / "spool")) == 2


def patched(content: bytes, at: int, number: int, width: int = 4) -> bytes:
    """An archive with another number at an offset."""
    return content[:at] + number.to_bytes(width, "little") + content[at + width :]


def overlapping() -> bytes:
    """Two members that are one and the same, as in the bomb of 46 MB that unpacks to 4.5 PB."""
    content = raw((b"a.jpg", b"x" * 100), (b"b.jpg", b"x" * 100))
    return patched(content, content.rfind(b"PK\1\2") + 42, 0)


def quoting() -> bytes:
    """A member whose packed bytes hold the next member's header."""
    inner = raw((b"b.jpg", b"x" * 100))
    content = raw((b"a.jpg", inner[:100]), (b"b.jpg", b"x" * 100))
    return patched(content, content.rfind(b"PK\1\2") + 42, 30 + len(b"a.jpg"))


def flagged(flag: int) -> bytes:
    """A member with a flag set in the list."""
    content = raw((b"a.jpg", b"x"))
    return patched(content, content.rfind(b"PK\1\2") + 8, flag, 2)


def counted(number: int) -> bytes:
    """An archive of two members whose end says another number."""
    content = raw((b"a.jpg", b"x"), (b"b.jpg", b"y"))
    return patched(content, len(content) - 12, number, 2)


GOOD = archive((INSIDE, draw(1, "R")))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (overlapping(), "two of its members share their bytes"),
        (quoting(), "two of its members share their bytes"),
        (archive(("a.jpg", b"x" * 1000), how=zipfile.ZIP_BZIP2), "its members are packed in a way that no export is"),
        (archive(("a.jpg", b"x" * 1000), how=zipfile.ZIP_LZMA), "its members are packed in a way that no export is"),
        (flagged(1), "its members are encrypted"),
        (flagged(0x40), "its members are encrypted"),
        (flagged(0x2000), "its members are encrypted"),
        (counted(1), "it lists more members than it says"),
        (counted(3), "its list of members is damaged"),
        (counted(0), "it lists more members than it says"),
        (raw((b"a\0b.jpg", b"x")), "a member's name is none that an export has"),
        (raw((b"", b"x")), "a member's name is none that an export has"),
        (raw((b"./", b"")), "a member's name is none that an export has"),
        (raw((b"n" * 5000 + b".jpg", b"x")), "a member's name is none that an export has"),
        (raw((b"a.jpg", b"x"), (b"a.jpg", b"y")), "two of its members have one name"),
        (archive(*((f"{n}.jpg", bytes(1 << 20)) for n in range(100))), "it unpacks to far more than pictures would"),
    ],
    ids=[
        *("shared", "quoted", "bzip2", "lzma", "encrypted", "strong", "masked", "fewer", "more", "none"),
        *("nul", "nameless", "dot", "long", "same name", "many small"),
    ],
)
def test_what_no_export_holds_is_refused_before_it_is_unpacked(
    opened: Callable[..., object], tmp_path: Path, content: bytes, why: str
) -> None:
    assert opened(content) == Unpackable(why)
    assert spooled(tmp_path / "spool") == []


def test_thousands_of_the_same_picture_are_no_export(opened: Callable[..., object]) -> None:
    assert isinstance(opened(archive(*((f"{n}.jpg", b"x") for n in range(100)))), Unpacked)
    found = opened(archive(*((f"{n}.jpg", b"x") for n in range(101))))
    assert found == Unpackable("more of its members are the same picture than any export has")


def test_one_damaged_member_refuses_all_and_none_is_spooled(opened: Callable[..., object], tmp_path: Path) -> None:
    """Else a restart would find the sound ones in the spool, and send them without the others."""
    content = bytearray(raw((b"a.jpg", draw(1, "R")), (b"b.jpg", draw(2, "L"))))
    content[-400] ^= 1
    assert opened(bytes(content)) == Unpackable("a member is damaged")
    assert spooled(tmp_path / "spool") == []


def test_a_large_archives_records_are_read(opened: Callable[..., object]) -> None:
    """Writers that don't know the size beforehand always make ZIP64 records."""
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as made, made.open(INSIDE, "w", force_zip64=True) as member:
        member.write(draw(1, "R"))
    plain = into.getvalue()
    at = plain.rindex(b"PK\5\6")
    count, length, offset = struct.unpack_from("<H2L", plain, at + 10)
    wide = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, length, offset)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, at, 1)
    end = patched(patched(plain[at:], 12, 0xFFFFFFFF), 16, 0xFFFFFFFF)
    for content in (plain, plain[:at] + wide + locator + end):
        found = opened(content)
        assert isinstance(found, Unpacked)
        assert [member.path for member in found.members] == [INSIDE]


def test_what_lies_before_or_behind_an_archive_changes_nothing(opened: Callable[..., object]) -> None:
    for content in (b"MZ" * 500 + GOOD, GOOD + b"\0" * 60000, GOOD + b"PK\5\6", GOOD + GOOD):
        found = opened(content)
        assert isinstance(found, Unpacked), content[-10:]
        assert [member.path for member in found.members] == [INSIDE]


def test_an_archive_within_an_archive_is_kept_and_told(opened: Callable[..., object], tmp_path: Path) -> None:
    found = opened(archive((INSIDE, draw(1, "R")), ("more.zip", GOOD)))
    assert isinstance(found, Unpacked)
    flaws = {member.path: member.flaw for member in found.members}
    assert flaws == {INSIDE: None, "more.zip": "an archive within an archive is not opened"}
    assert GOOD in [path.read_bytes() for path in spooled(tmp_path / "spool")]


def test_members_that_are_empty_or_cut_say_so(opened: Callable[..., object]) -> None:
    found = opened(archive(("a.jpg", b""), ("b.jpg", draw(1, "R")[:-200])))
    assert isinstance(found, Unpacked)
    assert [member.flaw for member in found.members] == ["it is empty", "it stopped before the end of its format"]


def test_a_full_disk_leaves_nothing_half_and_the_archive_is_unpacked_later(small_disk: Path, tmp_path: Path) -> None:
    content = archive(*((f"{n}.jpg", os.urandom(300_000)) for n in range(4)), how=zipfile.ZIP_STORED)
    file = tmp_path / "export.zip"
    file.write_bytes(content)
    spool = Spool(small_disk / "spool", None)

    def found() -> object:
        origin = Origin("room-1", str(file), "export.zip", datetime(2025, 1, 14, tzinfo=UTC), True)
        order = Order(str(file), fingerprint(os.lstat(file)), origin, 1 << 24, frozenset(), None, False)
        return unpack(order, load_profile("remidio-zip"), spool, 0.0, lambda: False)

    assert isinstance(found(), SpoolFailed | SpoolFull)
    assert list((small_disk / "spool" / "incoming").iterdir()) == []
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    opened = found()
    assert isinstance(opened, Unpacked)
    assert len(opened.members) == len(spooled(small_disk / "spool")) == 4


def test_what_the_spool_could_never_hold_is_refused_and_what_it_can_not_hold_now_waits(
    opened: Callable[..., object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the images its own copy needs room; and nothing is copied that would only be refused then."""
    content = archive(("a.jpg", os.urandom(30_000)), ("b.jpg", os.urandom(30_000)))
    other = Spool(tmp_path / "spool").receive()
    other.write(bytes(90_000))
    Spool(tmp_path / "spool").keep(other, Origin("room-1", "x", "x", datetime(2025, 1, 14, tzinfo=UTC), True))
    with monkeypatch.context() as patched:
        patched.setattr(Spool, "receive", None)
        assert opened(content, limit=100_000) == Unpackable("it holds more than the spool may")
        assert opened(content, limit=200_000) == SpoolFull()
    assert isinstance(opened(content, limit=220_000), Unpacked)


def test_an_archive_that_is_written_on_while_it_is_read_is_not_damaged(
    opened: Callable[..., object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some cameras add to one archive all day: its list of members is written anew each time."""

    def written_on(*_: object) -> object:
        (tmp_path / "export.zip").write_bytes(GOOD + GOOD)
        raise Hostile("its list of members is damaged")

    with monkeypatch.context() as patched:
        patched.setattr(module, "listed", written_on)
        assert opened(GOOD) == Changed()
    assert isinstance(opened(GOOD), Unpacked)


def test_nothing_is_kept_of_an_archive_when_the_agent_stops(opened: Callable[..., object], tmp_path: Path) -> None:
    assert opened(GOOD, stopped=lambda: True) == Stopped()
    assert spooled(tmp_path / "spool") == []


def test_members_that_are_known_are_not_spooled_again(opened: Callable[..., object], tmp_path: Path) -> None:
    content = archive(("a.jpg", draw(1, "R")), ("b.jpg", draw(2, "L")))
    digest = hashlib.sha256(draw(1, "R")).hexdigest()
    found = opened(content, known={"a.jpg": digest})
    assert isinstance(found, Unpacked)
    assert [(member.path, member.new) for member in found.members] == [("a.jpg", False), ("b.jpg", True)]
    assert [path.read_bytes() for path in spooled(tmp_path / "spool")] == [draw(2, "L")]


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


def test_members_are_spooled_with_their_companions_first(
    opened: Callable[..., object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a crash between the two leaves no image that its companion is missing for."""
    profile = parse_profile(SIDECAR, "any.yaml")
    steps: list[str] = []
    for step in ("keep", "keep_companion"):
        real = getattr(Spool, step)

        def noted(*given: Any, step: str = step, real: Callable[..., Any] = real) -> Any:
            steps.append(step)
            return real(*given)

        monkeypatch.setattr(Spool, step, noted)
    found = opened(
        archive(("x/a.jpg", draw(1, "R")), ("x/A.XML", b"<right/>"), ("a.xml", b"<wrong/>")), profile=profile
    )
    assert isinstance(found, Unpacked)
    assert steps == ["keep_companion", "keep"]
    kept = Spool(tmp_path / "spool").companion(found.members[0].digest, f"{tmp_path / 'export.zip'}!x/a.jpg", "a.xml")
    assert kept.read_bytes() == b"<right/>"


def test_of_two_companions_that_differ_in_case_the_one_that_is_asked_for_counts(
    opened: Callable[..., object], tmp_path: Path
) -> None:
    profile = parse_profile(SIDECAR, "any.yaml")
    picture = draw(1, "R")
    for names, expected in ((("a.xml", "A.XML"), b"1"), (("A.xml", "A.XML"), None)):
        found = opened(archive(("a.jpg", picture), (names[0], b"1"), (names[1], b"2")), profile=profile)
        assert isinstance(found, Unpacked)
        kept = Spool(tmp_path / "spool").companion(found.members[0].digest, f"{tmp_path / 'export.zip'}!a.jpg", "a.xml")
        assert (kept.read_bytes() if kept.exists() else None) == expected
        kept.unlink(missing_ok=True)


def test_damaged_bytes_of_a_member_are_mended_from_its_archive(opened: Callable[..., object], tmp_path: Path) -> None:
    """As those of a plain file are from where they lay; while the archive still holds them."""
    content = archive(("what!a day/a.jpg", draw(1, "R")), ("b.jpg", draw(2, "L")))
    found = opened(content)
    assert isinstance(found, Unpacked)
    spool = Spool(tmp_path / "spool")
    spool.member = member_blocks
    for member in found.members:
        spool.file(member.digest).write_bytes(b"rotten")
        assert spool.mend(member.digest)
        assert spool.sound(member.digest)
    for other in (archive(("b.jpg", draw(3, "L"))), content[:-9], b""):
        (tmp_path / "export.zip").write_bytes(other)
        assert not spool.mend(found.members[1].digest)


def test_damage_anywhere_is_told_and_never_raised(opened: Callable[..., object]) -> None:
    whole = archive((INSIDE, draw(1, "R")))
    for at in range(0, len(whole), max(1, len(whole) // 40)):
        found = opened(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        assert isinstance(found, Unpacked | Unpackable | Unfinished)


def test_an_archive_that_finds_no_room_asks_for_it(
    opened: Callable[..., object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else nobody would make any: what is confirmed would stay for days, and the archive wait as long."""
    other = Spool(tmp_path / "spool").receive()
    other.write(bytes(90_000))
    Spool(tmp_path / "spool").keep(other, Origin("room-1", "x", "x", datetime(2025, 1, 14, tzinfo=UTC), True))
    used: list[Spool] = []
    real = Spool.promise
    monkeypatch.setattr(Spool, "promise", lambda spool, size: (used.append(spool), real(spool, size))[1])
    content = archive(("a.jpg", os.urandom(30_000)), ("b.jpg", os.urandom(30_000)))
    assert opened(content, limit=200_000) == SpoolFull()
    assert used[0].budget.lacking() > 0


@pytest.mark.parametrize(
    ("pictures", "companions"),
    [
        (("IMG.jpg", "img.jpg"), ("img.xml",)),  # the second one's
        (("x/a.jpg", "X/a.jpg"), ("X/a.xml",)),
        (("IMG.jpg", "img.jpg"), ("Img.xml",)),  # nobody knows whose
        (("IMG.jpg", "img.JPG"), ("img.xml",)),
    ],
)
def test_a_companion_of_another_picture_that_differs_in_case_is_not_taken(
    opened: Callable[..., object], tmp_path: Path, pictures: tuple[str, str], companions: tuple[str, ...]
) -> None:
    profile = parse_profile(SIDECAR, "any.yaml")
    members = [(name, draw(number, "R")) for number, name in enumerate(pictures)]
    found = opened(archive(*members, *((name, b"<E/>") for name in companions)), profile=profile)
    assert isinstance(found, Unpacked)
    first = found.members[0]
    name = f"{first.path.rpartition('/')[2].rpartition('.')[0]}.xml"
    path = f"{tmp_path / 'export.zip'}!{first.path}"
    assert not Spool(tmp_path / "spool").companion(first.digest, path, name).exists()
