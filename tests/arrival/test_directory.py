"""The list of members of an archive, against the one that Python reads, and against damage."""

from __future__ import annotations

import io
import random
import struct
import zipfile

import pytest

from irisdrop.arrival.directory import Hostile, content, listed


def read(archive: bytes) -> dict[str, bytes] | None:
    """Every member and its bytes, as we read them; None where the archive is not all there."""
    file = io.BytesIO(archive)
    members = listed(file, len(archive))
    return None if members is None else {one.path: b"".join(content(file, one)) for one in members}


def made(rng: random.Random) -> bytes:
    """An archive as any camera may write it."""
    into = io.BytesIO(rng.randbytes(rng.choice([0, 0, 50])))
    into.seek(0, io.SEEK_END)
    with zipfile.ZipFile(into, "a", rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])) as archive:
        for number in range(rng.randrange(6)):
            name = f"{rng.choice(['', 'day/', 'Müller/', '山田/x/'])}{number}.jpg"
            filling = rng.choice([b"", rng.randbytes(rng.randrange(3000)), bytes(rng.randrange(5000))])
            with archive.open(name, "w", force_zip64=rng.random() < 0.2) as member:
                member.write(filling)
        archive.comment = rng.randbytes(rng.choice([0, 0, 30]))
    return into.getvalue()


def spoilt(rng: random.Random, archive: bytes) -> bytes:
    """An archive to which something happened."""
    found = bytearray(archive)
    for _ in range(rng.choice([1, 1, 2, 5])):
        act, at = rng.randrange(4), rng.randrange(len(found) + 1)
        if act == 0:
            found[at : at + 1] = rng.randbytes(1)
        elif act == 1:
            del found[at:]
        elif act == 2:
            found[at : at + 4] = struct.pack("<L", rng.choice([0, 1, 0xFFFFFFFF, 0x7FFFFFFF, len(found)]))
        else:
            found[at:at] = found[rng.randrange(len(found) + 1) :][:200]
    return bytes(found)


@pytest.mark.parametrize("seed", range(20))
def test_what_is_sound_is_read_as_python_reads_it(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(20):
        archive = made(rng)
        with zipfile.ZipFile(io.BytesIO(archive)) as theirs:
            expected = {info.filename: theirs.read(info) for info in theirs.infolist()}
        assert read(archive) == expected


@pytest.mark.parametrize("seed", range(20))
def test_what_is_damaged_is_hostile_or_not_finished_and_nothing_else(seed: int) -> None:
    """And what is read all the same has the sizes and sums that stand in the list."""
    rng = random.Random(seed)
    for _ in range(40):
        try:
            found = read(spoilt(rng, made(rng)))
        except Hostile as hostile:
            assert str(hostile)
        else:
            assert found is None or all(len(one) <= 5000 for one in found.values())


@pytest.mark.parametrize("size", range(60))
def test_the_smallest_files_are_read_too(size: int) -> None:
    for beginning in (b"", b"PK\5\6", b"PK\6\7"):
        whole = (beginning + bytes(60))[:size]
        assert read(whole) == ({} if whole[:4] == b"PK\5\6" and size >= 22 else None)
