"""What is done once a minute."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from irisdrop.housekeeping import Housekeeping
from irisdrop.profiles.config import Config, parse_config


def configured(folder: Path, clock: str = "0m") -> Config:
    camera = f"{{name: room-2, profile: optos-daytona, folder: exports, clock: {clock}}}"
    return parse_config(f"site: {{zone: UTC}}\ncameras:\n  - {camera}\n", folder / "irisdrop.yaml")


def clock_told(records: Any, config: Config) -> list[str]:
    keeper = Housekeeping(config, records.journal, records.spool, records.conditions, records.clock)
    keeper.tell_clocks()
    return [one.detail for one in records.conditions.active() if one.code == "CLOCK_DRIFT"]


@pytest.mark.parametrize(("behind", "setting"), [(47, "47m"), (-60, "-1h")])
def test_a_clock_that_is_off_is_told_with_the_setting_that_corrects_it(
    records: Any, read: Any, tmp_path: Path, behind: int, setting: str
) -> None:
    """Until it is corrected there: then it is told no more."""
    for number in range(6):
        taken = records.clock.now() - timedelta(minutes=behind)
        said = read(PatientID="000815", AcquisitionDateTime=taken.isoformat())
        records.identified(*said, name=f"{number}.jpg", content=b"picture %d" % number)
        records.clock.advance(600)
    (detail,) = clock_told(records, configured(tmp_path))
    assert f"`clock: {setting}`" in detail
    assert clock_told(records, configured(tmp_path, setting)) == []


def told(records: Any, config: Config, code: str) -> list[tuple[str, str]]:
    Housekeeping(config, records.journal, records.spool, records.conditions, records.clock).tell_series()
    return [(one.subject, one.detail) for one in records.conditions.active() if one.code == code]


def test_an_exam_of_one_eye_is_told_until_the_other_eye_comes(records: Any, tmp_path: Path) -> None:
    config = configured(tmp_path)
    records.matched(name="1.jpg", content=b"1")
    assert told(records, config, "ONE_EYE_ONLY") == []  # the other may still come
    records.clock.advance(900)
    assert told(records, config, "ONE_EYE_ONLY") == [("image 1", "the right eye alone")]
    records.matched(eye="L", name="2.jpg", content=b"2")
    assert told(records, config, "ONE_EYE_ONLY") == []


def test_a_number_that_changes_and_changes_back_is_told_with_the_images(
    records: Any, read: Any, tmp_path: Path
) -> None:
    for number, patient in enumerate(["000815", "000851", "000815"]):
        stamp = records.clock.now().isoformat()
        said = read(PatientID=patient, AcquisitionDateTime=stamp)
        records.identified(*said, name=f"{number}.jpg", content=b"%d" % number)
        records.clock.advance(12)
    ((subject, detail),) = told(records, configured(tmp_path), "IDENTITY_FLICKERS")
    assert subject == "image 2"
    assert detail == "PatientID of image 2 differs from images 1 and 3 around it"
