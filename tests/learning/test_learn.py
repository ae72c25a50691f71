"""The rule of every camera whose naming is public is found from its exports alone."""

from __future__ import annotations

import pytest
from learning_cameras import CAMERAS, OTHERS, TRAINING, Patient, Shot, shots

from irisdrop.explain import prove
from irisdrop.identity.contents import Contents, Element, Tag
from irisdrop.identity.identify import Identified, readings
from irisdrop.learning.learn import Proposal, Sample, learn
from irisdrop.learning.spans import Person
from irisdrop.profiles.profile import DeviceProfile, parse_profile
from irisdrop.vocabulary.faults import Foreseen

JPEG = Contents("jpeg")
PEOPLE = [patient.person for patient in (*TRAINING, *OTHERS)]


def exports(camera: str, patients: tuple[Patient, ...] = TRAINING) -> list[Sample]:
    """A folder of one camera."""
    return [Sample(CAMERAS[camera][0](shot), JPEG) for shot in shots(patients)]


def values(profile: DeviceProfile, name: str) -> dict[str, set[str]]:
    """What a profile reads from a name."""
    said = readings(profile, name, JPEG)
    assert isinstance(said, Identified)
    found: dict[str, set[str]] = {}
    for reading in said.readings:
        assert reading.flaw is None, reading
        found.setdefault(reading.key, set()).add(reading.value)
    return found


def is_right(profile: DeviceProfile, shot: Shot, name: str, has_eye: bool) -> bool:
    """Whether an export is read as what it is; a wrong patient or eye fails at once."""
    read = values(profile, name)
    for key, value in (("PatientID", shot.patient.number), ("ImageLaterality", shot.eye())):
        assert read.get(key, {value}) == {value}, name
    for key in ("AcquisitionDate", "AcquisitionDateTime"):
        assert {value[:10] for value in read.get(key, ())} <= {f"{shot.taken:%Y-%m-%d}"}, name
    named = "PatientID" in read or {"PatientName", "PatientBirthDate"} <= set(read)
    return named and (not has_eye or "ImageLaterality" in read)


def test_the_rule_of_every_public_camera_is_found_without_being_told_which_it_is(camera: str) -> None:
    proposal = learn("x", exports(camera), PEOPLE)
    profile = parse_profile(proposal.text, "learnt.yaml")
    assert prove(profile) == []
    name_of, has_eye = CAMERAS[camera]
    right = [shot for shot in shots(TRAINING) if is_right(profile, shot, name_of(shot), has_eye)]
    # A number with the mark that sets it off from a name can't be told from the name: refused, never guessed.
    assert {shot.patient.number for shot in shots(TRAINING)} - {shot.patient.number for shot in right} <= {"A12-7"}
    assert len(right) >= len(shots(TRAINING)) * 4 // 5, proposal.text
    # Others, whose numbers hold marks of the name itself: read rightly or not at all.
    read = [is_right(profile, shot, name_of(shot), has_eye) for shot in shots(OTHERS)]
    assert sum(read) >= len(read) // 4, proposal.text


def test_it_says_how_many_exports_the_profile_decides(camera: str) -> None:
    proposal = learn("x", exports(camera), PEOPLE)
    has_eye = CAMERAS[camera][1]
    decided = proposal.decided if has_eye else proposal.undecided.get("EYE_UNKNOWN", 0)
    assert proposal.exports == len(exports(camera))
    assert decided >= proposal.exports * 4 // 5
    assert proposal.sure


def test_no_example_holds_a_number_or_a_name_of_the_exports(camera: str) -> None:
    text = learn("x", exports(camera), PEOPLE).text.partition("examples:")[2]
    for patient in TRAINING[1:]:
        assert patient.number not in text
        assert patient.last.casefold() not in text.casefold()


def test_two_people_that_were_told_are_enough(camera: str) -> None:
    """`--is FILE=PatientID` in place of a worklist; names without a number need one."""
    if camera == "topcon-aladdin":
        return
    found = [
        Sample(CAMERAS[camera][0](shot), JPEG, Person({"PatientID": shot.patient.number}) if at % 4 == 0 else None)
        for at, shot in enumerate(shots(TRAINING[:3]))
    ]
    profile = parse_profile(learn("x", found, []).text, "learnt.yaml")
    name_of = CAMERAS[camera][0]
    read = [is_right(profile, shot, name_of(shot), False) for shot in shots(TRAINING)]
    assert sum(read) >= len(read) // 2


def test_exports_of_one_person_teach_nothing(camera: str) -> None:
    """What is the same in every export may mean anything."""
    with pytest.raises(Foreseen) as failed:
        learn("x", exports(camera, TRAINING[:1]), [TRAINING[0].person])
    assert failed.value.code == "ONE_PERSON"


def test_numbers_of_nobody_who_is_known_teach_nothing() -> None:
    with pytest.raises(Foreseen) as failed:
        learn("x", exports("topcon-nw400"), [patient.person for patient in OTHERS])
    assert failed.value.code == "NOTHING_FOUND"


def test_a_tag_is_found_where_the_name_says_nothing() -> None:
    found = [
        Sample(
            f"IMG_{number:04}.jpg",
            Contents(
                "jpeg", exif=(Tag("0th", "ImageDescription", f"MRN={shot.patient.number};{shot.eye('OD', 'OS')}"),)
            ),
        )
        for number, shot in enumerate(shots(TRAINING))
    ]
    proposal = learn("x", found, PEOPLE)
    profile = parse_profile(proposal.text, "learnt.yaml")
    assert prove(profile) == []
    assert proposal.decided == len(found)
    assert "0th.ImageDescription" in proposal.text


def test_a_whole_tag_that_is_the_number_becomes_the_key() -> None:
    found = [
        Sample(f"{n}_{s.eye()}.jpg", Contents("jpeg", exif=(Tag("Exif", "UserComment", s.patient.number),)))
        for n, s in enumerate(shots(TRAINING))
    ]
    text = learn("x", found, PEOPLE).text
    assert "exif: {Exif.UserComment: PatientID}" in text


def test_dicom_headers_are_taken_at_the_standards_word() -> None:
    found = [
        Sample(
            f"IM{number:04}.dcm",
            Contents(
                "dicom",
                dicom=(
                    Element("PatientID", "(0010,0020)", (shot.patient.number,)),
                    Element("ImageLaterality", "(0020,0062)", (shot.eye(),)),
                    Element("Manufacturer", "(0008,0070)", ("Maker",)),
                ),
            ),
        )
        for number, shot in enumerate(shots(TRAINING))
    ]
    proposal = learn("x", found, PEOPLE)
    profile = parse_profile(proposal.text, "learnt.yaml")
    assert prove(profile) == []
    assert proposal.decided == len(found)
    assert profile.keys == {"PatientID", "ImageLaterality"}


def test_a_counter_that_happens_to_be_somebodys_number_misleads_nobody() -> None:
    people = [*PEOPLE, *(Person({"PatientID": f"{number:03}"}) for number in range(1, 9))]
    proposal = learn("x", exports("topcon-nw400"), people)
    profile = parse_profile(proposal.text, "learnt.yaml")
    name_of = CAMERAS["topcon-nw400"][0]
    assert all(is_right(profile, shot, name_of(shot), True) for shot in shots(TRAINING))


def test_one_eye_alone_is_not_taken_for_the_eye() -> None:
    found = [Sample(CAMERAS["topcon-nw400"][0](shot), JPEG) for shot in shots(TRAINING) if shot.right]
    proposal: Proposal = learn("x", found, PEOPLE)
    assert "ImageLaterality" not in parse_profile(proposal.text, "learnt.yaml").keys
    assert any("same one" in line for line in proposal.unsure)
