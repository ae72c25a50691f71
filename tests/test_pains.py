"""Pains of users of neighbouring tools that no other test shows, and the index of all of them in tests/README.md."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import time
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from small_site import configured, platform_with, receipts, until

from irisdrop.profiles.config import load_config
from irisdrop.profiles.secret import Secret
from irisdrop.reference.retina import draw
from irisdrop.reference.server import ReferencePlatform
from irisdrop.surface.doctor import folders as looked_at
from irisdrop.surface.doctor.finding import Case, Grade
from irisdrop.vocabulary.faults import Foreseen

ROOT = Path(__file__).parents[1]
PATIENTS = ("000815", "000816")

# Upstream issues whose pain each has a test of ours; tests/README.md tells the pain and names the test.
UPSTREAM = """
paperless-ngx#1279 connect#1443 camel#10131 paperless-ngx#1975 paperless-ngx#13146 watchdog#1065 watchdog#802
watchdog#391 libuv#626 maestral#75 paperless-ngx#13011 paperless-ngx#9277 beats#36541 fluent-bit#1875 vector#5833
camel#24748 immich-go#1255 immich#19140 beats#51694 paperless-ngx#9698 shanoir-ng#3552 tus#139 connect#3858 pydicom#1799
organize#375 dcm4chee-arc-light#2184 shanoir-ng#2783 OCT-Converter#46 pynetdicom#911 kestra#15488 pywin32#88 keyring#533
owncloud/client#6338 clawmetry#4312 Sonarr#3645 immich#6589 mimick#138
"""


# ---------------------------------------------------------------------- the index


def rows() -> list[list[str]]:
    """The cells of the table below its heading."""
    text = (ROOT / "tests/README.md").read_text("utf-8")
    section = text.partition("## Pains of neighbours\n")[2].partition("\n## ")[0]
    found = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return found[1:]  # without the headings


def named(cell: str) -> list[tuple[str, str]]:
    """File and name of each test in a cell."""
    return re.findall(r"`([\w/]+\.py)::(\w+)`", cell)


def collected(file: str) -> set[str]:
    """Names of the tests that pytest collects from a file."""
    tree = ast.parse((ROOT / "tests" / file).read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_every_pain_of_a_neighbour_is_in_the_table() -> None:
    told = re.findall(r"[\w./-]+#\d+", " ".join(row[1] for row in rows()))
    assert sorted(told) == sorted(UPSTREAM.split())


def test_every_test_that_the_table_names_exists() -> None:
    for pain, _, tests in rows():
        assert named(tests), pain
        for file, name in named(tests):
            assert name in collected(file), f"{file}::{name}"


# ---------------------------------------------------------------------- the whole agent


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[ReferencePlatform]:
    with platform_with(tmp_path / "platform", PATIENTS) as running:
        yield running


@pytest.fixture
def config(tmp_path: Path, platform: ReferencePlatform) -> Path:
    return configured(tmp_path, platform.url, more="site: {zone: UTC}\nundo: 0s\n")


def words(config: Path, *more: str) -> list[str]:
    """A command of ours."""
    return [sys.executable, "-m", "irisdrop", "--config", str(config), *more]


def run(config: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(words(config, *more), env=env, capture_output=True, text=True, timeout=110)


def once(config: Path) -> None:
    """Let the agent carry what is there as far as it goes."""
    done = run(config, "run", "--once")
    assert done.returncode == 0, done.stderr


def name_of(number: int, patient: str = PATIENTS[0], eye: str = "R") -> str:
    """As the camera names it today."""
    return f"{datetime.now(UTC):%Y%m%d}_{patient}_{eye}_{number:03}.JPG"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def received(platform: ReferencePlatform) -> list[str]:
    """Digests of all receipts, in order."""
    return [receipt["digest"] for receipt in receipts(platform)]


def test_images_that_begin_and_end_alike_do_not_collide(config: Path, platform: ReferencePlatform) -> None:
    """vector#5833: a fingerprint of a file's head took other files for the same one."""
    folder, picture = config.parent / "exports", bytearray(draw(7, "R", b"") + bytes(300_000) + b"the same end")
    meant, now = [], time.time_ns()
    for number in range(6):
        picture[-150_000] = number  # one byte in the middle
        path = folder / name_of(number)
        path.write_bytes(picture)
        os.utime(path, ns=(now, now))
        meant.append(digest(bytes(picture)))
    once(config)
    assert sorted(received(platform)) == sorted(meant)
    picture[-150_000] = 99
    before = path.stat()
    path.write_bytes(picture)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    once(config)
    assert sorted(received(platform)) == sorted([*meant, digest(bytes(picture))])


def test_no_export_is_passed_over_without_a_word(config: Path, platform: ReferencePlatform) -> None:
    """organize#375: files that no rule could take were skipped silently."""
    config.write_text(config.read_text().replace("topcon-nw400, folder", "./quick.yaml, folder"))
    profile = (ROOT / "rules/topcon-nw400.yaml").read_text()
    (config.parent / "quick.yaml").write_text(
        profile.replace("modality: OP", "modality: OP\ngive_up: 3s\npatience: 0s")
    )
    folder, picture = config.parent / "exports", draw(7, "R", b"")
    (folder / name_of(1)).write_bytes(picture)
    (folder / "scan of Tuesday.jpg").write_bytes(picture + b"2")
    (folder / name_of(3, eye="X")).write_bytes(picture + b"3")
    (folder / name_of(4, patient="999999")).write_bytes(picture + b"4")
    (folder / name_of(5)).write_bytes(picture[:3000])
    (folder / name_of(6)).write_bytes(b"no image at all" * 100)
    (folder / name_of(7)).symlink_to(folder / name_of(1))
    once(config)
    shown = {one["file"]: one for one in json.loads(run(config, "quarantine", "list", "--json").stdout)}
    assert {name: one["reason"] for name, one in shown.items()} == {
        "scan of Tuesday.jpg": "NO_KEYS",
        name_of(3, eye="X"): "NO_KEYS",
        name_of(4, patient="999999"): "NO_WORKLIST_ENTRY",
        name_of(5): "UNREADABLE",
        name_of(6): "NOT_AN_IMAGE",
        name_of(7): "NOT_A_PLAIN_FILE",
    }
    assert received(platform) == [digest(picture)]


def test_a_path_of_two_thousand_characters_is_delivered(config: Path, platform: ReferencePlatform) -> None:
    """owncloud/client#6338: long paths were left out; decomposed letters in every folder's name besides."""
    folder = config.parent / "exports"
    for number in range(10):
        folder = folder / (f"Pru\u0308fung {number} " + "x" * 200)
    folder.mkdir(parents=True)
    content = draw(7, "R", b"")
    (folder / name_of(1)).write_bytes(content)
    assert len(str(folder)) > 2000
    once(config)
    assert received(platform) == [digest(content)]


@contextmanager
def few_watches(config: Path, count: int) -> Iterator[subprocess.Popen[str]]:
    """An agent in a user's name space that may watch so many folders."""
    begin = f"echo {count} > /proc/sys/user/max_inotify_watches; exec " + '"$@"'
    agent = subprocess.Popen(
        ["unshare", "--user", "--map-root-user", "sh", "-ec", begin, "sh", *words(config, "run")],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield agent
    finally:
        agent.terminate()
        agent.wait(60)


def test_at_the_limit_of_watched_folders_all_of_them_are_polled_and_a_condition_says_so(
    config: Path, platform: ReferencePlatform
) -> None:
    """maestral#75: watchdog leaves the folders that are beyond the limit out without a word."""
    folders = [config.parent / "exports" / f"patient {number}" for number in range(12)]
    for folder in folders:
        folder.mkdir()

    def told() -> list[str]:
        shown = run(config, "status", "--json")
        conditions = json.loads(shown.stdout)["conditions"] if shown.returncode == 0 else []
        return [one["detail"] for one in conditions if one["code"] == "FOLDER_POLLED"]

    with few_watches(config, 6):
        until(lambda: any("max_user_watches" in detail for detail in told()))
        meant = set()
        for number, folder in enumerate(folders):
            content = draw(7, "R", b"") + bytes([number])
            (folder / name_of(number)).write_bytes(content)
            meant.add(digest(content))
        until(lambda: meant == set(received(platform)))


# ---------------------------------------------------------------------- what only Windows has


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """Windows' side of arrival, loaded here: what of it is plain text needs no Windows."""
    monkeypatch.setitem(sys.modules, "msvcrt", types.ModuleType("msvcrt"))
    place = ROOT / "irisdrop/arrival/_windows.py"
    specification = importlib.util.spec_from_file_location("windows_side", place)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("C:\\Exports\\a.jpg", "\\\\?\\C:\\Exports\\a.jpg"),
        ("\\\\server\\share\\a.jpg", "\\\\?\\UNC\\server\\share\\a.jpg"),
        ("\\\\?\\C:\\a.jpg", "\\\\?\\C:\\a.jpg"),
    ],
)
def test_windows_is_asked_for_a_path_in_the_form_that_may_be_long(
    windows: types.ModuleType, path: str, asked: str
) -> None:
    assert windows.reachable(path) == asked


class Drive(type(Path())):  # type: ignore[misc]
    """A folder on a drive that this account does not have."""

    drive = "Z:"
    anchor = "/no such drive/"


def test_a_mapped_drive_that_a_service_can_not_see_is_named_as_such(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pywin32#88."""
    loaded = load_config(config)
    camera = replace(loaded.cameras[0], folder=Drive("/no such drive/exports"))
    monkeypatch.setattr(looked_at, "sys", types.SimpleNamespace(platform="win32"))
    (finding,) = looked_at.folders(Case(config, replace(loaded, cameras=(camera,))))
    assert finding.grade is Grade.BROKEN
    assert "mapped drives don't exist for services" in finding.text
    assert r"\\server\share" in finding.remedy


def keyring_that(answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A keyring that gives or raises this, in the place of the system's."""
    keyring, errors = types.ModuleType("keyring"), types.ModuleType("keyring.errors")

    class KeyringError(Exception):
        """What every keyring raises."""

    class NoKeyringError(KeyringError, RuntimeError):
        """There is none for this account."""

    def get_password(_service: str, _account: str) -> Any:
        if answer is NoKeyringError.__name__:
            raise NoKeyringError("invented")
        return answer

    errors.KeyringError = KeyringError  # type: ignore[attr-defined]
    keyring.errors, keyring.get_password = errors, get_password  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)


@pytest.mark.parametrize(("answer", "code"), [("NoKeyringError", "KEYRING_REFUSED"), (None, "SECRET_MISSING")])
def test_a_keyring_that_a_service_account_can_not_use_is_a_foreseen_failure_with_another_way(
    monkeypatch: pytest.MonkeyPatch, answer: str | None, code: str
) -> None:
    """keyring#533: what a person stored is not there for LocalSystem."""
    keyring_that(answer, monkeypatch)
    with pytest.raises(Foreseen) as caught:
        Secret("keyring", "irisdrop/token").reveal()
    assert caught.value.code == code
    assert "service" in caught.value.remedy or "keyring set" in caught.value.remedy
