"""Archives through every kill: each of their images is delivered once, and the archive goes when all of them are."""

from __future__ import annotations

import hashlib
import random
import zipfile
from typing import Any

import pytest
from rig.clinic import PATIENTS, entry_of
from rig.nursery import Kill, wait_until
from rig.oracle import path_of, sound
from rig.pictures import picture

PROFILE = """\
irisdrop: 1
title: A camera that exports archives
status: sampled
modality: OP
files: {take: ["*.jpg"], archives: ["*.zip"]}
settle: 80ms
give_up: 1500ms
read:
  - sidecar: {file: "{stem}.xml", xpath: {//ID: PatientID, //Eye: ImageLaterality}, wait: 30s}
match: [PatientID]
within: any
patience: 0s
examples:
  - {file: x.zip!a.jpg, sidecar: <E><ID>000815</ID><Eye>OD</Eye></E>, gives: {PatientID: "000815"}}
  - {file: b.jpg, sidecar: <E/>, refuses: NO_KEYS}
"""
MEMBERS = 3


class Exports:
    """What the camera wrote: which bytes belong to which order and eye."""

    def __init__(self, site: Any) -> None:
        self.site, self.rng = site, random.Random(4)
        self.whose: dict[str, tuple[str, str]] = {}
        self.archives = 0

    def archive(self) -> None:
        """One archive, written beside and renamed, with a companion file for each of its images."""
        self.archives += 1
        path = self.site.exports / f"export-{self.archives}.zip"
        with zipfile.ZipFile(path.with_suffix(".part"), "w", zipfile.ZIP_DEFLATED) as made:
            for number in range(MEMBERS):
                content, patient, eye = picture(self.rng, 9000), self.rng.choice(PATIENTS), self.rng.choice("RL")
                made.writestr(f"day/{number}.jpg", content)
                made.writestr(f"day/{number}.XML", f"<E><ID>{patient}</ID><Eye>{eye}</Eye></E>")
                self.whose[hashlib.sha256(content).hexdigest()] = (entry_of(patient), eye)
        path.with_suffix(".part").rename(path)

    def judge(self, *, last: bool) -> None:
        """Nothing is lost, sent twice or wrongly, after a kill and, where it is the `last` look, at all."""
        rows, receipts = self.site.rows(), self.site.receipts()
        for row in receipts:
            assert (row["entry"], row["eye"]) == self.whose[row["digest"]]
        assert len({row["digest"] for row in receipts}) == len(receipts)
        for row in rows:
            if row["state"] in ("SETTLED", "IDENTIFIED", "MATCHED", "UPLOADED"):
                assert sound(self.site, row["digest"]), row["state"]
        for number in range(1, self.archives + 1):
            name = f"export-{number}.zip"
            there = [path for path in (self.site.exports / name, self.site.moved / name) if path.exists()]
            assert there, "an archive is gone"
        paths = [(path_of(row), row["digest"]) for row in rows if row["digest"]]
        assert len(set(paths)) == len(paths)
        if last:
            states = {(row["state"], row["reason"]) for row in rows}
            assert states == {("DELIVERED", None), ("VANISHED", None)}, states  # the archives themselves are no images
            assert {row["digest"] for row in receipts} == set(self.whose)

    def peace(self) -> None:
        """Let the agent do all that is left."""
        for _ in range(2):  # what was delivered now is moved the next time
            agent = self.site.open_agent(fresh=True, once=True)
            assert wait_until(agent.ended, 120)
            assert agent.status == 0, self.site.agent_log.read_text()[-2000:]
        self.judge(last=True)
        assert list(self.site.exports.iterdir()) == []
        assert len(list(self.site.moved.iterdir())) == self.archives


@pytest.fixture
def exports(make_site: Any) -> Exports:
    site = make_site(after="after: {move: MOVED}")
    (site.root / "camera.yaml").write_text(PROFILE)
    site.open_platform()
    return Exports(site)


@pytest.mark.parametrize(
    ("pattern", "passings"),
    [
        ("note.", (1, 4, 7)),
        ("spool.", (2, 6, 11, 16)),
        ("commit.before", (2, 4, 6, 8)),
        ("commit.after", (3, 5, 7)),
        ("upload.", (1, 4)),
    ],
)
def test_an_archive_survives_a_kill_at_any_place(exports: Exports, pattern: str, passings: tuple[int, ...]) -> None:
    """Each life has one more archive, and dies at a later passing than the one before."""
    for passing in passings:
        exports.archive()
        agent = exports.site.open_agent(Kill(pattern, passing), fresh=True)
        assert wait_until(agent.ended, 60)
        assert agent.status == -9
        exports.judge(last=False)
    exports.peace()


@pytest.mark.parametrize("place", ["source.before", "source.after"])
def test_an_archive_that_is_moved_survives_a_kill(exports: Exports, place: str) -> None:
    for _ in range(3):
        exports.archive()
    for passing in (1, 2):
        agent = exports.site.open_agent(Kill(place, passing), fresh=True, once=True)
        assert wait_until(agent.ended, 60)
        assert agent.status == -9
        exports.judge(last=False)
    exports.peace()
