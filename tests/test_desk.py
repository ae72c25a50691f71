"""What a person assigns is checked like what irisdrop matches."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from irisdrop.desk import objections_of, open_desk
from irisdrop.profiles.config import Config, parse_config
from irisdrop.profiles.profile import DeviceProfile
from irisdrop.vocabulary.faults import Foreseen
from irisdrop.vocabulary.images import ImageFile, Reading
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import State


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return parse_config(
        "site: {id: S1, zone: UTC}\nundo: 20s\ncameras: [{name: room-2, profile: topcon-nw400, folder: exports}]\n",
        tmp_path / "irisdrop.yaml",
    )


@pytest.fixture
def against(
    records: Any, config: Config, profile: Callable[..., DeviceProfile], read: Any
) -> Callable[..., list[Code]]:
    """The codes of what speaks against giving an image with such readings to an order with such keys."""
    made = profile(agree=("PatientName",), within=86400.0)

    def codes(
        said: dict[str, str], keys: dict[str, Any] | None = None, eye: str = "R", code: Code = Code.NO_KEYS
    ) -> Any:
        image = records.journal.refuse(
            records.identified(*read(**said), content=repr((said, keys, eye)).encode()), code, "for the test"
        )
        found = objections_of(image, records.entry(**(keys or {})), eye, made, config)
        return [objection.code for objection in found]

    return codes


def test_nothing_speaks_against_the_right_order(against: Any) -> None:
    assert against({"PatientID": "000815", "ImageLaterality": "R"}) == []


def test_another_patient_does(against: Any) -> None:
    assert against({"PatientID": "000816"}) == [Code.PATIENT_MISMATCH]


def test_another_name_does_where_the_profile_compares_it(against: Any) -> None:
    keys = {"PatientName": "Muster^Anna"}
    assert against({"PatientName": "Muster^Berta"}, keys) == [Code.PATIENT_MISMATCH]


def test_another_eye_than_the_one_that_was_chosen_does(against: Any) -> None:
    assert against({"ImageLaterality": "L"}) == [Code.CONFLICTING_KEYS]


def test_an_unknown_eye_does_not(against: Any) -> None:
    assert against({"ImageLaterality": "U"}) == []


def test_an_order_for_the_other_eye_does(against: Any) -> None:
    assert against({}, {"single_eye": "L"}) == [Code.NO_WORKLIST_ENTRY]
    assert against({}, {"single_eye": "L"}, eye="L") == []


def test_an_order_of_another_site_does(against: Any) -> None:
    assert against({}, {"site": "S2"}) == [Code.NO_WORKLIST_ENTRY]
    assert against({}, {"site": "S1"}) == []


def test_an_order_of_another_day_does(against: Any, clock: Any) -> None:
    assert against({}, {"start": clock.now() + timedelta(days=3)}) == [Code.NO_WORKLIST_ENTRY]


def test_a_clock_that_can_not_be_right_does(against: Any) -> None:
    assert against({"AcquisitionDate": "2012-01-01"}) == [Code.CLOCK_IMPLAUSIBLE]


def test_a_receipt_for_somebody_else_does(against: Any) -> None:
    assert against({}, code=Code.RECEIPT_MISMATCH) == [Code.RECEIPT_MISMATCH]


def test_an_image_that_contradicts_itself_does(
    records: Any, config: Config, profile: Callable[..., DeviceProfile], read: Any
) -> None:
    image = records.identified(*read(("PatientID", "000816", "exif:x"), PatientID="000815"))
    found = objections_of(image, records.entry(), "R", profile(), config)
    assert Code.CONFLICTING_KEYS in [objection.code for objection in found]


def test_a_camera_without_profile_is_checked_by_name_and_sex_too(records: Any, config: Config, read: Any) -> None:
    image = records.identified(*read(PatientName="Muster^Berta", PatientSex="M"))
    found = objections_of(image, records.entry(PatientName="Muster^Anna", PatientSex="F"), "R", None, config)
    assert [objection.code for objection in found] == [Code.PATIENT_MISMATCH] * 2


def test_a_camera_that_is_configured_no_more_is_checked_by_the_profile_that_it_had_last(
    records: Any, config: Config, profile: Callable[..., DeviceProfile], read: Any
) -> None:
    made = profile(within=3600.0)
    records.journal.keep_profile(made.digest, made.name, made.text)
    records.journal.use_profile("room-2", made.digest)
    records.sync(records.entry(Modality="OPT"))
    image = records.journal.refuse(records.identified(*read(PatientID="000815")), Code.NO_WORKLIST_ENTRY, "none")
    desk = open_desk(config, records.journal, records.orders, records.spool, records.clock, lambda _: None)
    with pytest.raises(Foreseen) as refused:
        desk.assign(image.id, "E1", by="Dr. Muster", eye="R")
    assert "the order asks for OPT, the image is OP" in refused.value.message


def test_what_could_not_be_read_is_told_as_what_it_is_and_the_time_is_checked_all_the_same(
    records: Any, config: Config, profile: Callable[..., DeviceProfile], clock: Any
) -> None:
    taken = (clock.now() - timedelta(days=2)).isoformat()
    image = records.identified(
        Reading("PatientBirthDate", "1960-13-40", "1960-13-40", "filename:PatientBirthDate", "an impossible date"),
        Reading("AcquisitionDateTime", taken, taken, "filename:AcquisitionDateTime"),
    )
    found = objections_of(image, records.entry(), "R", profile(within=86400.0), config)
    assert [(objection.code, "1960" in objection.words) for objection in found] == [
        (Code.PROFILE_FAULT, False),
        (Code.NO_WORKLIST_ENTRY, False),
    ]


def test_the_desk_works_beside_the_agent_and_by_the_configuration(
    records: Any, config: Config, profile: Callable[..., DeviceProfile], read: Any
) -> None:
    records.sync(records.entry())
    image = records.journal.refuse(records.identified(*read(PatientID="000816")), Code.NO_WORKLIST_ENTRY, "none")
    made = {"room-2": profile()}
    desk = open_desk(config, records.journal, records.orders, records.spool, records.clock, made.get)
    with pytest.raises(Foreseen) as refused:
        desk.assign(image.id, "E1", by="Dr. Muster", eye="R")
    assert refused.value.code == "CONTRADICTED"
    assert "000816" not in refused.value.message
    assigned: ImageFile = desk.assign(image.id, "E1", by="Dr. Muster", eye="R", despite=[Code.PATIENT_MISMATCH])
    assert assigned.state is State.MATCHED
    assert assigned.not_before == records.clock.now() + timedelta(seconds=20)
