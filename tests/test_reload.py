"""Profiles and the configuration are edited while the agent runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from small_site import PROFILE, agent_at, configured, platform_with, until

from irisdrop.agent import LOOK_AGAIN, LOOK_EVERY, Agent
from irisdrop.profiles.config import load_config
from irisdrop.reference.retina import draw
from irisdrop.vocabulary.faults import FaultyFile
from irisdrop.vocabulary.states import State

SOON = 20.0  # seconds; two are promised, and a machine that runs other tests gets some more

PADDED = PROFILE.replace("match:", "clean: {PatientID: [{pad: 6}]}\nmatch:")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    """A folder with a configuration, one camera and a platform that has one order."""
    with platform_with(tmp_path / "platform", ["000815"]) as platform:
        configured(tmp_path, platform.url, "./camera.yaml")
        (tmp_path / "camera.yaml").write_text(PROFILE)
        yield tmp_path


def conditions(agent: Agent) -> dict[str, str]:
    """What `status` shows, by code."""
    return {condition.code: condition.detail for condition in agent.conditions.active()}


def export(folder: Path, name: str) -> None:
    """A camera writes a picture and renames it into place."""
    folder.mkdir(exist_ok=True)
    (folder / f".{name}").write_bytes(draw(7, "R"))
    (folder / f".{name}").rename(folder / name)


def test_an_edit_is_seen_and_has_rested_well_within_the_two_seconds_that_are_promised() -> None:
    assert LOOK_EVERY + LOOK_AGAIN <= 1.5


def test_an_edited_profile_is_in_use_within_two_seconds_and_reads_again_what_waits(site: Path) -> None:
    with agent_at(site) as agent:
        until(lambda: agent.journal.camera_started("room-1"), 40)
        export(site / "exports", "815_R.jpg")
        until(lambda: agent.journal.in_state(State.IDENTIFIED), 40)
        (site / "camera.yaml").write_text(PADDED)
        until(lambda: agent.profiles["room-1"].clean, SOON)
        until(lambda: agent.journal.in_state(State.DELIVERED), 40)
        image = agent.journal.in_state(State.DELIVERED)[0]
        assert image.profile == agent.profiles["room-1"].digest
        assert {reading.value for reading in image.readings if reading.key == "PatientID"} == {"000815"}


def test_a_faulty_profile_changes_nothing_and_is_told_with_its_place(site: Path) -> None:
    with agent_at(site) as agent:
        until(lambda: agent.journal.camera_started("room-1"), 40)
        good = agent.profiles["room-1"]
        (site / "camera.yaml").write_text(PROFILE.replace("match: [PatientID]", "match: [PatientId]"))
        until(lambda: "PROFILE_FAULTY" in conditions(agent), SOON)
        assert conditions(agent)["PROFILE_FAULTY"] == "camera.yaml line 9: UNKNOWN_KEY"
        assert agent.profiles["room-1"] is good
        export(site / "exports", "000815_R.jpg")
        until(lambda: agent.journal.in_state(State.DELIVERED), 40)
        (site / "camera.yaml").write_text(PADDED)
        until(lambda: "PROFILE_FAULTY" not in conditions(agent), SOON)
        until(lambda: agent.profiles["room-1"].clean, SOON)


def test_a_profile_that_fails_its_own_example_is_faulty(site: Path) -> None:
    with agent_at(site) as agent:
        (site / "camera.yaml").write_text(PROFILE.replace("[RL]", "[RLX]"))
        until(lambda: conditions(agent).get("PROFILE_FAULTY") == "camera.yaml line 13: EXAMPLE_FAILED", SOON)


def test_a_restart_with_a_faulty_profile_begins_with_the_last_good_one(site: Path) -> None:
    with agent_at(site) as agent:
        until(lambda: agent.journal.last_profile("room-1"), 40)
    (site / "camera.yaml").write_text(PROFILE.replace("status: sampled", "status: samplde"))
    with agent_at(site) as agent:
        assert agent.profiles["room-1"].text == PROFILE
        assert conditions(agent)["PROFILE_FAULTY"].startswith("camera.yaml line 3: ")
        export(site / "exports", "000815_R.jpg")
        until(lambda: agent.journal.in_state(State.DELIVERED), 40)


def test_a_configuration_that_names_another_profile_which_is_faulty_is_not_taken_over_by_half(site: Path) -> None:
    """The former profile would read the other camera's names: their counter may be a patient's number."""
    (site / "other.yaml").write_text(PROFILE.replace("status: sampled", "status: samplde"))
    written = (site / "irisdrop.yaml").read_text()
    edited = written.replace("./camera.yaml, folder: exports", "./other.yaml, folder: exports-2")
    with agent_at(site) as agent:
        until(lambda: agent.journal.camera_started("room-1"), 40)
        (site / "exports-2").mkdir()
        (site / "irisdrop.yaml").write_text(edited)
        until(lambda: conditions(agent).get("CONFIG_FAULTY") == "other.yaml line 3: WRONG_VALUE", SOON)
        assert agent.config.cameras[0].folder.name == "exports"
        (site / "other.yaml").write_text(PROFILE)
        until(lambda: agent.config.cameras[0].folder.name == "exports-2", SOON)
        until(lambda: not {"CONFIG_FAULTY", "PROFILE_FAULTY"} & set(conditions(agent)), SOON)
    (site / "irisdrop.yaml").write_text(written.replace("./camera.yaml", "./third.yaml"))
    (site / "third.yaml").write_text("irisdrop: 1\n")
    with pytest.raises(FaultyFile):
        Agent(load_config(site / "irisdrop.yaml"))


def test_a_first_start_with_a_faulty_profile_says_so_and_holds_nothing(site: Path) -> None:
    (site / "camera.yaml").write_text("irisdrop: 1\n")
    config = load_config(site / "irisdrop.yaml")
    for _ in range(2):  # the second one finds the state free
        with pytest.raises(FaultyFile):
            Agent(config)


def test_an_edited_configuration_is_in_use_within_two_seconds(site: Path) -> None:
    with agent_at(site) as agent:
        until(lambda: agent.journal.camera_started("room-1"), 40)
        (site / "exports-2").mkdir()
        written = (site / "irisdrop.yaml").read_text()
        (site / "irisdrop.yaml").write_text(
            written + "  - {name: room-2, profile: topcon-nw400, folder: exports-2, rescan: 1s}\n"
        )
        until(lambda: [camera.name for camera in agent.config.cameras] == ["room-1", "room-2"], SOON)
        until(lambda: agent.journal.camera_started("room-2"), 40)
        export(site / "exports-2", f"{datetime.now():%Y%m%d}_000815_R_001.jpg")  # noqa: DTZ005 - the camera's own clock
        until(lambda: agent.journal.in_state(State.DELIVERED), 40)


def test_a_faulty_configuration_changes_nothing_and_is_told_with_its_place(site: Path) -> None:
    with agent_at(site) as agent:
        until(lambda: agent.journal.camera_started("room-1"), 40)
        written = (site / "irisdrop.yaml").read_text()
        (site / "irisdrop.yaml").write_text(written.replace("cameras:", "undo: 5\ncameras:"))
        until(lambda: conditions(agent).get("CONFIG_FAULTY") == "irisdrop.yaml line 4: WRONG_VALUE", SOON)
        export(site / "exports", "000815_R.jpg")
        until(lambda: agent.journal.in_state(State.DELIVERED), 40)
        (site / "irisdrop.yaml").write_text(written)
        until(lambda: "CONFIG_FAULTY" not in conditions(agent), SOON)


def test_another_state_folder_waits_for_a_restart_and_that_is_told(site: Path) -> None:
    with agent_at(site) as agent:
        until(lambda: agent.journal.camera_started("room-1"), 10)
        written = (site / "irisdrop.yaml").read_text()
        (site / "irisdrop.yaml").write_text(written.replace("state: state", "state: elsewhere"))
        until(lambda: conditions(agent).get("STATE_MOVED") == f"in use is {site / 'state'}", SOON)
        assert "CONFIG_FAULTY" not in conditions(agent)
        assert not (site / "elsewhere").exists()
        (site / "irisdrop.yaml").write_text(written)
        until(lambda: "STATE_MOVED" not in conditions(agent), SOON)


def test_a_copy_beside_the_configuration_goes_before_the_shelf_at_once(site: Path) -> None:
    written = (site / "irisdrop.yaml").read_text()
    (site / "irisdrop.yaml").write_text(written.replace("./camera.yaml", "canon-cr2"))
    with agent_at(site) as agent:
        assert agent.profiles["room-1"].title == "Canon CR-2"
        (site / "canon-cr2.yaml").write_text(PROFILE)
        until(lambda: agent.profiles["room-1"].title == "Camera of room 1", SOON)


def test_what_is_saved_while_an_edit_is_taken_over_is_not_lost(site: Path) -> None:
    with agent_at(site) as agent:
        until(lambda: agent.journal.camera_started("room-1"), 40)
        for number in range(3):
            profile, config = agent.profiles["room-1"], agent.config
            (site / "camera.yaml").write_text(PROFILE + f"# {number}\n")
            until(lambda: agent.profiles["room-1"].digest != profile.digest, SOON)  # noqa: B023 - called here
            (site / "irisdrop.yaml").write_text(config.text + "\n")
            until(lambda: agent.config.digest != config.digest, SOON)  # noqa: B023


def test_an_edit_that_would_have_moved_past_images_is_in_use_and_told(site: Path) -> None:
    with agent_at(site) as agent:
        until(lambda: agent.journal.camera_started("room-1"), 10)
        export(site / "exports", "000815_R.jpg")
        until(lambda: agent.journal.in_state(State.DELIVERED), 30)
        swapped = PROFILE.replace("match:", "clean: {ImageLaterality: {R: L, L: R}}\nmatch:")
        (site / "camera.yaml").write_text(swapped)
        until(lambda: agent.profiles["room-1"].text == swapped, SOON)
        until(lambda: "PROFILE_MOVES" in conditions(agent), 30)
        assert conditions(agent)["PROFILE_CHANGES"] == "1 moved to the other eye (of 1 looked at)"
        (site / "camera.yaml").write_text(PROFILE)
        until(lambda: "PROFILE_MOVES" not in conditions(agent), 30)


def test_a_profile_that_was_edited_while_nothing_ran_is_looked_back_on_at_the_next_start(site: Path) -> None:
    with agent_at(site) as agent:
        until(lambda: agent.journal.camera_started("room-1"), 10)
        export(site / "exports", "000815_R.jpg")
        until(lambda: agent.journal.in_state(State.DELIVERED), 30)
    (site / "camera.yaml").write_text(PROFILE.replace("match:", "clean: {ImageLaterality: {R: L, L: R}}\nmatch:"))
    with agent_at(site) as agent:
        until(lambda: "PROFILE_MOVES" in conditions(agent), 30)
