"""Exports of more than one file, from the folder to the platform: archives, and images with companion files."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from small_site import agent_at, configured, platform_with, until

from irisdrop.agent import Agent
from irisdrop.arrival.sidecars import Sidecars
from irisdrop.desk import open_desk
from irisdrop.outcome.quarantine import Quarantine
from irisdrop.record.spool import Spool
from irisdrop.reference.retina import draw
from irisdrop.reference.server import ReferencePlatform
from irisdrop.vocabulary.faults import Foreseen
from irisdrop.vocabulary.images import ImageFile
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import Event, State

ARCHIVE = """\
irisdrop: 1
title: ZIP exports
status: sampled
modality: OP
files: {take: ["*.jpg"], archives: ["*.zip"]}
settle: 100ms
give_up: 1s
read:
  - folder: '.*\\.zip/(?P<PatientID>\\d+)'
  - filename: '(?P<ImageLaterality>[RL])\\d*\\.jpg'
match: [PatientID]
within: any
examples:
  - {file: export.zip!000815/R1.jpg, gives: {PatientID: 000815, ImageLaterality: R}}
  - {file: R1.jpg, refuses: NO_KEYS}
"""
BOTH = """\
irisdrop: 1
title: ZIP exports with a text beside each picture
status: sampled
modality: OP
files: {take: ["*.jpg"], archives: ["*.zip"]}
settle: 100ms
give_up: 1s
read:
  - sidecar: {file: "{stem}.xml", xpath: {//ID: PatientID, //Eye: ImageLaterality}, wait: 120s}
match: [PatientID]
within: any
examples:
  - {file: x.zip!a.jpg, sidecar: <E><ID>000815</ID><Eye>OD</Eye></E>, gives: {PatientID: 000815, ImageLaterality: R}}
  - {file: b.jpg, sidecar: <E/>, refuses: NO_KEYS}
"""
SIDECAR = """\
irisdrop: 1
title: A text beside each picture
status: sampled
modality: OP
files: {take: ["*.jpg"]}
settle: 100ms
give_up: 2s
read:
  - sidecar: {file: "{stem}.xml", xpath: {//ID: PatientID, //Eye: ImageLaterality}, wait: WAIT}
match: [PatientID]
within: any
examples:
  - {file: a.jpg, sidecar: <E><ID>000815</ID><Eye>OD</Eye></E>, gives: {PatientID: 000815, ImageLaterality: R}}
  - {file: b.jpg, sidecar: <E/>, refuses: NO_KEYS}
  - {file: c.jpg, refuses: UNREADABLE}
"""


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[ReferencePlatform]:
    """A platform that has two orders."""
    with platform_with(tmp_path / "platform", ["000815", "000816"]) as running:
        yield running


@pytest.fixture
def site(tmp_path: Path, platform: ReferencePlatform) -> Callable[[str], Path]:
    """A folder with a configuration and one camera, by the camera's profile; returns the exports' folder."""

    def made(profile: str) -> Path:
        (tmp_path / "camera.yaml").write_text(profile)
        configured(tmp_path, platform.url, "./camera.yaml", camera=", rescan: 1s")
        return tmp_path / "exports"

    return made


def images(agent: Agent, state: State, count: int, seconds: float = 60) -> list[ImageFile]:
    """Wait until so many images are in a state."""
    end = time.monotonic() + seconds
    while len(found := agent.journal.in_state(state)) < count:
        assert time.monotonic() < end, agent.journal.counts()
        time.sleep(0.02)
    return found


def desk(agent: Agent) -> Quarantine:
    """Where a person decides."""
    return open_desk(agent.config, agent.journal, agent.orders, agent.spool, agent.clock, agent.profiles.get)


def pack(file: Path, members: dict[str, bytes]) -> None:
    """A camera writes an archive and renames it into place."""
    with zipfile.ZipFile(file.with_suffix(".part"), "w") as made:
        for name, content in members.items():
            made.writestr(name, content)
    file.with_suffix(".part").rename(file)


def test_the_members_of_an_archive_are_delivered_each_to_its_order(site: Callable[[str], Path]) -> None:
    exports = site(ARCHIVE)
    with agent_at(exports.parent) as agent:
        pack(
            exports / "export.zip", {"000815/R1.jpg": draw(1, "R"), "000816/L1.jpg": draw(2, "L"), "000815/a.txt": b"x"}
        )
        found = images(agent, State.DELIVERED, 2)
        assert {(image.name, image.entry, image.eye) for image in found} == {
            ("export.zip!000815/R1.jpg", "E000815", "R"),
            ("export.zip!000816/L1.jpg", "E000816", "L"),
        }
        # The same archive with one more picture: the others are known.
        pack(exports / "export.zip", {"000815/R1.jpg": draw(1, "R"), "000816/R1.jpg": draw(3, "R")})
        images(agent, State.DELIVERED, 3)
        counts = agent.journal.counts()
        assert (counts[State.DELIVERED], counts[State.SEEN], counts[State.QUARANTINED]) == (3, 0, 0)


def test_an_archive_that_cant_be_opened_is_kept_whole_though_its_name_is_used_again(
    site: Callable[[str], Path],
) -> None:
    exports = site(ARCHIVE)
    with agent_at(exports.parent) as agent:
        pack(exports / "export.zip", {"../000815/R1.jpg": draw(1, "R")})
        refused = images(agent, State.QUARANTINED, 1)[0]
        assert (refused.reason, refused.detail) == (Code.UNREADABLE, "a member's name leads out of the archive")
        content = (exports / "export.zip").read_bytes()
        pack(exports / "export.zip", {"000815/R1.jpg": draw(2, "R")})
        assert images(agent, State.DELIVERED, 1)[0].entry == "E000815"
        assert agent.journal.get(refused.id) == refused
        assert agent.spool.file(refused.digest or "").read_bytes() == content


def test_an_archive_that_grew_on_asks_nobody_about_its_beginning(site: Callable[[str], Path]) -> None:
    exports = site(ARCHIVE)
    with agent_at(exports.parent) as agent:
        pack(exports / "whole", {"000815/R1.jpg": draw(1, "R")})
        whole = (exports / "whole").read_bytes()
        (exports / "export.zip").write_bytes(whole[:-9])
        (refused,) = images(agent, State.QUARANTINED, 1)
        assert refused.detail == "it stopped before its end"
        with (exports / "export.zip").open("ab") as file:
            file.write(whole[-9:])
        images(agent, State.DELIVERED, 1)
        assert [image.id for image in images(agent, State.DISCARDED, 1)] == [refused.id]


def test_an_archive_of_nothing_that_the_profile_takes_is_opened_again_when_it_takes_it(
    site: Callable[[str], Path],
) -> None:
    """It is told, and like a file that no glob takes it is not copied."""
    exports = site(ARCHIVE)
    with agent_at(exports.parent) as agent:
        pack(exports / "export.zip", {"000815/R1.jpeg": draw(1, "R")})
        (refused,) = images(agent, State.QUARANTINED, 1)
        assert (refused.detail, refused.digest) == ("it holds no image that the profile takes", None)
        edited = ARCHIVE.replace('["*.jpg"]', '["*.jpg", "*.jpeg"]').replace(r"\.jpg'", r"\.jpe?g'")
        (exports.parent / "camera.yaml").write_text(edited)
        until(lambda: agent.profiles["room-1"].takes_image("a.jpeg"), 60)
        desk(agent).release(refused.id, by="Dr. Muster")
        assert images(agent, State.DELIVERED, 1)[0].entry == "E000815"
        assert agent.journal.get(refused.id).state is State.VANISHED


def test_a_refused_archive_is_opened_again_when_it_is_released_and_given_to_no_order(
    site: Callable[[str], Path],
) -> None:
    """Its picture is larger than the site accepted."""
    exports, config = site(ARCHIVE), "irisdrop.yaml"
    written = (exports.parent / config).read_text()
    (exports.parent / config).write_text(f"largest: 900KB\n{written}")
    with agent_at(exports.parent) as agent:
        with zipfile.ZipFile(exports / "whole", "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr("000815/R1.jpg", draw(1, "R", b"") + bytes(1_000_000))
        (exports / "whole").rename(exports / "export.zip")
        (refused,) = images(agent, State.QUARANTINED, 1)
        assert refused.detail == "a member is larger than this site accepts"
        assert agent.spool.holds(refused.digest or "")
        with pytest.raises(Foreseen) as told:
            desk(agent).assign(refused.id, "E000815", by="Dr. Muster", eye="R")
        assert told.value.code == "AN_ARCHIVE"
        desk(agent).release(refused.id, by="Dr. Muster")
        until(lambda: agent.journal.get(refused.id).version > refused.version + 1, 60)
        (again,) = images(agent, State.QUARANTINED, 1)
        assert (again.id, again.digest, again.detail) == (refused.id, refused.digest, refused.detail)
        (exports.parent / config).write_text(written)
        until(lambda: agent.config.largest > 900_000, 60)
        desk(agent).release(refused.id, by="Dr. Muster")
        assert images(agent, State.DELIVERED, 1)[0].entry == "E000815"
        assert agent.journal.get(refused.id).state is State.VANISHED
        assert not agent.spool.holds(refused.digest or "")


def test_a_refused_archive_that_is_gone_stays_with_a_person_when_it_is_released(site: Callable[[str], Path]) -> None:
    exports = site(ARCHIVE)
    with agent_at(exports.parent) as agent:
        pack(exports / "export.zip", {"../000815/R1.jpg": draw(1, "R")})
        (refused,) = images(agent, State.QUARANTINED, 1)
        (exports / "export.zip").unlink()
        desk(agent).release(refused.id, by="Dr. Muster")
        (again,) = images(agent, State.QUARANTINED, 1)
        assert (again.id, again.digest) == (refused.id, refused.digest)
        assert agent.spool.holds(refused.digest or "")


def text(patient: str, eye: str) -> bytes:
    """A companion file."""
    return f"<E><ID>{patient}</ID><Eye>{eye}</Eye></E>".encode()


def test_an_archives_images_are_read_by_the_companions_within_it(site: Callable[[str], Path]) -> None:
    """And nothing is waited for: what is not in it does not come."""
    exports = site(BOTH)
    with agent_at(exports.parent) as agent:
        members = {
            "x/a.jpg": draw(1, "R"),
            "x/A.XML": text("000815", "OD"),
            "b.jpg": draw(2, "L"),
            "c.jpg": draw(3, "R"),
        }
        pack(exports / "export.zip", {**members, "b.xml": text("000816", "OS")})
        found = images(agent, State.DELIVERED, 2)
        assert {(image.name, image.entry, image.eye) for image in found} == {
            ("export.zip!x/a.jpg", "E000815", "R"),
            ("export.zip!b.jpg", "E000816", "L"),
        }
        (refused,) = images(agent, State.QUARANTINED, 1)
        assert (refused.name, refused.detail) == ("export.zip!c.jpg", "its companion file is missing")


def test_an_archive_that_comes_again_with_another_companion_decides_again(site: Callable[[str], Path]) -> None:
    exports = site(BOTH)
    with agent_at(exports.parent) as agent:
        pack(exports / "export.zip", {"a.jpg": draw(1, "R"), "b.jpg": draw(2, "L"), "b.xml": text("999999", "OS")})
        (refused,) = images(agent, State.QUARANTINED, 1)
        (waiting,) = images(agent, State.IDENTIFIED, 1)
        again = {"a.jpg": draw(1, "R"), "a.xml": text("000815", "OD"), "b.jpg": draw(2, "L")}
        pack(exports / "export.zip", {**again, "b.xml": text("000816", "OS")})
        found = images(agent, State.DELIVERED, 2)
        assert {(image.id, image.entry) for image in found} == {(refused.id, "E000815"), (waiting.id, "E000816")}


def test_a_crash_before_another_companion_of_an_archive_is_noted_decides_again(
    site: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lies in the spool already when the archive is opened again, and the image was read by the former one."""
    exports = site(BOTH)
    pictures = {"b.jpg": draw(2, "L")}
    with agent_at(exports.parent) as agent:
        pack(exports / "export.zip", {**pictures, "b.xml": text("999999", "OS")})
        (waiting,) = images(agent, State.IDENTIFIED, 1)

        def dies(*_: object) -> None:
            raise RuntimeError("the agent dies")

        monkeypatch.setattr(Sidecars, "renewed", dies)
        pack(exports / "export.zip", {**pictures, "b.xml": text("000816", "OS")})
        until(lambda: agent.conditions.subjects("STAGE_FAILED"), 60)
        assert agent.journal.get(waiting.id) == waiting
    monkeypatch.undo()
    with agent_at(exports.parent) as agent:
        (found,) = images(agent, State.DELIVERED, 1)
        assert (found.id, found.entry) == (waiting.id, "E000816")


def test_an_image_waits_for_its_companion_and_is_delivered_by_it(site: Callable[[str], Path]) -> None:
    exports = site(SIDECAR.replace("WAIT", "30s"))
    with agent_at(exports.parent) as agent:
        (exports / "a.jpg").write_bytes(draw(1, "R"))
        images(agent, State.SEEN, 1)
        (exports / "a.XML").write_text("<E><ID>000815</ID><Eye>OD</Eye></E>")
        image = images(agent, State.DELIVERED, 1)[0]
        assert (image.entry, image.eye) == ("E000815", "R")


def test_a_companion_that_comes_too_late_still_counts(site: Callable[[str], Path]) -> None:
    exports = site(SIDECAR.replace("WAIT", "500ms"))
    with agent_at(exports.parent) as agent:
        (exports / "a.jpg").write_bytes(draw(1, "R"))
        refused = images(agent, State.QUARANTINED, 1)[0]
        assert (refused.reason, refused.detail) == (Code.UNREADABLE, "its companion file is missing")
        (exports / "a.xml").write_text("<E><ID>000816</ID><Eye>OS</Eye></E>")
        image = images(agent, State.DELIVERED, 1)[0]
        assert (image.id, image.entry, image.eye) == (refused.id, "E000816", "L")


def test_a_companion_that_changes_before_the_match_decides_again(site: Callable[[str], Path]) -> None:
    exports = site(SIDECAR.replace("WAIT", "30s"))
    with agent_at(exports.parent) as agent:
        (exports / "a.xml").write_text("<E><ID>999999</ID><Eye>OD</Eye></E>")
        (exports / "a.jpg").write_bytes(draw(1, "R"))
        images(agent, State.IDENTIFIED, 1)
        (exports / "a.xml").write_text("<E><ID>000815</ID><Eye>OD</Eye></E>")
        assert images(agent, State.DELIVERED, 1)[0].entry == "E000815"


@pytest.mark.parametrize("again", [False, True], ids=["running", "started again"])
def test_a_picture_whose_name_was_used_before_is_not_read_by_the_text_of_the_earlier_one(
    site: Callable[[str], Path], again: bool
) -> None:
    """Its own comes a moment later, and until then the folder shows another patient's beside it."""
    exports = site(SIDECAR.replace("WAIT", "1s"))
    with agent_at(exports.parent) as agent:
        (exports / "a.xml").write_bytes(text("000815", "OD"))
        (exports / "a.jpg").write_bytes(draw(1, "R"))
        images(agent, State.DELIVERED, 1)
        if not again:
            (exports / "a.jpg").write_bytes(draw(2, "L"))
            assert images(agent, State.QUARANTINED, 1)[0].detail == "its companion file is missing"
    if again:
        (exports / "a.jpg").write_bytes(draw(2, "L"))
    with agent_at(exports.parent) as agent:
        assert images(agent, State.QUARANTINED, 1)[0].detail == "its companion file is missing"
        (exports / "a.xml").write_bytes(text("000816", "OS"))
        found = images(agent, State.DELIVERED, 2)
        assert [(image.entry, image.eye) for image in found] == [("E000815", "R"), ("E000816", "L")]


def test_a_picture_of_the_same_name_is_read_by_a_text_that_was_written_anew_with_the_same_words(
    site: Callable[[str], Path],
) -> None:
    exports = site(SIDECAR.replace("WAIT", "60s"))
    with agent_at(exports.parent) as agent:
        for number in (1, 2):
            (exports / "a.xml").write_bytes(text("000815", "OD"))
            (exports / "a.jpg").write_bytes(draw(number, "R"))
            images(agent, State.DELIVERED, number)


def test_a_picture_that_waits_is_not_read_by_the_text_of_the_one_that_has_its_name_now(
    site: Callable[[str], Path],
) -> None:
    exports = site(SIDECAR.replace("WAIT", "30s"))
    with agent_at(exports.parent) as agent:
        (exports / "a.xml").write_bytes(text("000817", "OD"))
        (exports / "a.jpg").write_bytes(draw(1, "R"))
        (waiting,) = images(agent, State.IDENTIFIED, 1)
        (exports / "a.jpg").write_bytes(draw(2, "L"))
        (exports / "a.xml").write_bytes(text("000816", "OS"))
        assert images(agent, State.DELIVERED, 1)[0].id != waiting.id
        # Whoever looks after the companions has done so when the next picture has come through.
        (exports / "b.xml").write_bytes(text("000816", "OS"))
        (exports / "b.jpg").write_bytes(draw(3, "L"))
        images(agent, State.DELIVERED, 2)
        assert agent.journal.get(waiting.id).state is State.IDENTIFIED


def test_a_companion_of_two_pictures_that_changes_decides_both_again(site: Callable[[str], Path]) -> None:
    exports = site(SIDECAR.replace("WAIT", "30s").replace('["*.jpg"]', '["*.jpg", "*.jpeg"]'))
    with agent_at(exports.parent) as agent:
        (exports / "a.xml").write_bytes(text("999999", "OD"))
        (exports / "a.jpg").write_bytes(draw(1, "R"))
        (exports / "a.jpeg").write_bytes(draw(2, "R"))
        images(agent, State.IDENTIFIED, 2)
        (exports / "a.xml").write_bytes(text("000815", "OD"))
        assert [image.entry for image in images(agent, State.DELIVERED, 2)] == ["E000815"] * 2


def test_a_crash_when_a_changed_companion_was_spooled_does_not_leave_the_image_with_the_old_one(
    site: Callable[[str], Path],
) -> None:
    exports = site(SIDECAR.replace("WAIT", "30s"))
    with agent_at(exports.parent) as agent:
        (exports / "a.xml").write_bytes(text("999999", "OD"))
        (exports / "a.jpg").write_bytes(draw(1, "R"))
        (image,) = images(agent, State.IDENTIFIED, 1)
    corrected = text("000815", "OD")
    (exports / "a.xml").write_bytes(corrected)
    assert image.digest is not None
    Spool(exports.parent / "state" / "spool").keep_companion(image.digest, image.path, "a.xml", corrected)
    with agent_at(exports.parent) as agent:
        assert images(agent, State.DELIVERED, 1)[0].entry == "E000815"


def test_a_companion_that_says_more_later_decides_a_refused_image_again_until_a_person_acted(
    site: Callable[[str], Path],
) -> None:
    exports = site(SIDECAR.replace("WAIT", "30s"))
    with agent_at(exports.parent) as agent:
        for name, number in (("a", 1), ("b", 2)):
            (exports / f"{name}.xml").write_text("<E/>")
            (exports / f"{name}.jpg").write_bytes(draw(number, "R"))
        refused = images(agent, State.QUARANTINED, 2)
        assert {image.reason for image in refused} == {Code.NO_KEYS}
        first = next(image for image in refused if image.name == "a.jpg")
        assigned = agent.journal.move(first, Event.ASSIGN, "Dr. Muster", "by hand", entry="E000815", eye="R")
        agent.journal.move(assigned, Event.UNDO, "Dr. Muster", "not sure")
        for name in ("a", "b"):
            (exports / f"{name}.xml").write_bytes(text("000816", "OD"))
        assert images(agent, State.DELIVERED, 1)[0].name == "b.jpg"
        assert [image.name for image in agent.journal.in_state(State.QUARANTINED)] == ["a.jpg"]


def test_companions_go_from_the_spool_with_their_image(site: Callable[[str], Path]) -> None:
    exports = site(SIDECAR.replace("WAIT", "30s"))
    with agent_at(exports.parent) as agent:
        (exports / "a.xml").write_text("<E><ID>000815</ID><Eye>OD</Eye></E>")
        (exports / "a.jpg").write_bytes(draw(1, "R"))
        image = images(agent, State.DELIVERED, 1)[0]
        assert image.digest is not None
        assert len(list(agent.spool.folder.rglob(f"{image.digest}*"))) == 3  # bytes, note, companion
        agent.spool.drop(image.digest)
        assert list(agent.spool.folder.rglob(f"{image.digest}*")) == []


def test_explain_reads_the_companion_beside_a_file(site: Callable[[str], Path]) -> None:
    from irisdrop.explain import explain
    from irisdrop.identity.sandbox import Parsers
    from irisdrop.profiles.profile import load_profile

    exports = site(SIDECAR.replace("WAIT", "30s"))
    (exports / "a.XML").write_text("<E><ID>000815</ID><Eye>OD</Eye></E>")
    (exports / "a.jpg").write_bytes(draw(1, "R"))
    with Parsers() as parsers:
        found = explain(exports / "a.jpg", load_profile(exports.parent / "camera.yaml"), parsers)
    assert {reading.key: reading.value for reading in found.readings} == {"PatientID": "000815", "ImageLaterality": "R"}


KINDS = """\
irisdrop: 1
title: A camera that also takes the outer eye
status: sampled
modality: OP
files: {take: ["*.jpg"]}
settle: 100ms
read:
  - filename: '(?P<PatientID>\\d+)_(?P<ImageLaterality>[RL])_(?P<ImageType>[a-z]+)\\.jpg'
match: [PatientID]
within: any
context: {ImageType: {redfree: Enhancement}, "*": Primary}
deliver: {ImageType: {external: no}}
examples:
  - {file: 000815_R_central.jpg, gives: {PatientID: 000815}}
  - {file: 000815_R_external.jpg, refuses: PROFILE_UNVERIFIED}
"""


def test_a_picture_that_is_held_back_waits_for_a_person_and_the_others_are_delivered(
    site: Callable[[str], Path],
) -> None:
    exports = site(KINDS)
    for name in ("000815_R_central.jpg", "000815_L_redfree.jpg", "000815_R_external.jpg"):
        (exports / f".{name}").write_bytes(draw(len(name), name[7]))
        (exports / f".{name}").rename(exports / name)
    with agent_at(exports.parent) as agent:
        images(agent, State.DELIVERED, 2)
        held = images(agent, State.QUARANTINED, 1)[0]
        assert (held.reason, held.name) == (Code.PROFILE_UNVERIFIED, "000815_R_external.jpg")
        assert {reading.key for reading in held.readings} == {"PatientID", "ImageLaterality", "ImageType"}
    assert len(list((exports.parent / "platform/images").iterdir())) == 2


def test_a_refused_archive_whose_name_another_of_the_same_size_has_by_now_stays_when_it_is_released(
    site: Callable[[str], Path],
) -> None:
    """Uncompressed pictures of one camera are all of one size; and its images are nowhere else."""
    exports = site(ARCHIVE)
    first, second = (draw(number, "R").ljust(1 << 20, b"\0") for number in (1, 2))
    with agent_at(exports.parent) as agent:
        pack(exports / "export.zip", {"../815/R1.jpg": first})
        (refused,) = images(agent, State.QUARANTINED, 1)
        pack(exports / "export.zip", {"000815/R1.jpg": second})
        assert (exports / "export.zip").stat().st_size == refused.size
        images(agent, State.DELIVERED, 1)
        desk(agent).release(refused.id, by="Dr. Muster")
        (again,) = images(agent, State.QUARANTINED, 1)
        assert (again.id, again.digest) == (refused.id, refused.digest)
        assert agent.spool.holds(refused.digest or "")
