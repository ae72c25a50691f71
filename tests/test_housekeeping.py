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
