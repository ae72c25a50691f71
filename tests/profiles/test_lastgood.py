"""The last good configuration is found again from a faulty one, or none is."""

from __future__ import annotations

from pathlib import Path

import pytest

from irisdrop.profiles.config import default_state_path, load_config
from irisdrop.profiles.lastgood import COPY, in_use, keep, last_good

GOOD = """\
state: {state}
platform: {{kind: http, url: "http://127.0.0.1:1", token: {{env: TOKEN}}}}
cameras:
  - {{name: room-1, profile: topcon-nw400, folder: exports}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration that was in use, with the state folder `state`."""
    path = tmp_path / "irisdrop.yaml"
    return used(path, "state")


def used(path: Path, state: str) -> Path:
    """Write a configuration, and keep it as the agent does."""
    path.write_text(GOOD.format(state=state))
    keep(load_config(path))
    return path


def forget_notes() -> None:
    """The account has no state of its own any more."""
    for note in default_state_path().rglob("*.json"):
        note.unlink()


@pytest.mark.parametrize("note", [True, False])
def test_a_faulty_configuration_that_names_its_state_folder_leads_to_the_last_good_one(file: Path, note: bool) -> None:
    good = file.read_text()
    file.write_text(good.replace("cameras:", "camras:"))
    if not note:
        forget_notes()
    found = last_good(file)
    assert found is not None
    assert found.text == good
    assert found.cameras[0].folder == file.parent / "exports"


@pytest.mark.parametrize(
    "spoilt",
    [
        b"",
        b"stat: state\n",
        b"\0" * 4096,
        "state: state\n".encode("utf-16"),
        b"state: 'state\n",
        b"state:\n",
        b"{state",
    ],
)
def test_a_configuration_that_no_longer_names_its_state_folder_is_found_by_the_note(file: Path, spoilt: bytes) -> None:
    file.write_bytes(spoilt)
    found = last_good(file)
    assert found is not None
    assert found.state == file.parent / "state"
    forget_notes()
    assert last_good(file) is None


def test_a_faulty_configuration_with_another_state_folder_has_no_last_good_one(file: Path) -> None:
    """Begun on either of two journals, one of them would send again what the other has sent."""
    file.write_text(file.read_text().replace("state: state", "state: elsewhere").replace("cameras:", "camras:"))
    assert last_good(file) is None
    assert in_use(file) is not None


def test_an_older_state_folder_that_still_holds_a_copy_is_not_gone_back_to(file: Path) -> None:
    used(file, "newer")
    file.write_text(file.read_text().replace("state: newer", "state: state").replace("cameras:", "camras:"))
    assert last_good(file) is None
    file.write_text("stat: newer\n")
    found = last_good(file)
    assert found is not None
    assert found.state == file.parent / "newer"


def test_the_copy_of_another_configuration_is_not_taken(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(file.read_text().replace("cameras:", "camras:"))
    assert last_good(other) is None


def test_a_state_folder_that_was_moved_with_its_copy_is_not_taken_for_the_one_before(file: Path) -> None:
    (file.parent / "state").rename(file.parent / "moved")
    file.write_text(file.read_text().replace("state: state", "state: moved").replace("cameras:", "camras:"))
    forget_notes()
    assert last_good(file) is None


@pytest.mark.parametrize("spoilt", [b"", b"[1]", b'{"path": 1}', b"{" * 100_000, b"\xff", b"x" * (2 << 20)])
def test_a_copy_that_is_not_whole_is_no_copy(file: Path, spoilt: bytes) -> None:
    (file.parent / "state" / COPY).write_bytes(spoilt)
    file.write_text("state: state\n")
    assert last_good(file) is None


def test_an_account_without_a_state_of_its_own_keeps_the_copy_alone(file: Path) -> None:
    forget_notes()
    for folder in (default_state_path() / "configurations", default_state_path()):
        folder.rmdir()
    default_state_path().write_text("a file where the folder should be")
    keep(load_config(file))
    file.write_text(file.read_text().replace("cameras:", "camras:"))
    assert last_good(file) is not None
