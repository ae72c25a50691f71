"""The rule of a companion file is found where names say nothing; one that all images share is never taken."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from learning_cameras import OTHERS, TRAINING, Shot, shots

from irisdrop.explain import prove
from irisdrop.identity.sandbox import Parsers
from irisdrop.learning.learn import Proposal, Sample, learn, samples
from irisdrop.learning.spans import Person
from irisdrop.profiles.profile import DeviceProfile, parse_profile
from irisdrop.reference.retina import draw
from irisdrop.vocabulary.faults import Foreseen

SEXES = ("F", "M", "O")
PEOPLE = [
    Person({**patient.person.keys, "PatientSex": SEXES[at % 2]}) for at, patient in enumerate((*TRAINING, *OTHERS))
]


def sex(shot: Shot) -> str:
    return next(p.keys["PatientSex"] for p in PEOPLE if p.keys["PatientID"] == shot.patient.number)


def xml(shot: Shot) -> str:
    born = shot.patient.born.replace("-", "")
    return (
        '<?xml version="1.0"?><Exam xmlns="urn:x"><Station>CAM-815</Station><Printed>2025-02-01</Printed>'
        f"<Patient><ID>{shot.patient.number}</ID><Last>{shot.patient.last}</Last><Born>{born}</Born>"
        f"<Sex>{sex(shot)}</Sex></Patient><Device><ID>20005</ID></Device>"
        f'<Image eye="{shot.eye("OD", "OS")}"><Taken>{shot.taken:%Y-%m-%dT%H:%M:%S}</Taken></Image></Exam>'
    )


def as_json(shot: Shot) -> str:
    name = f"{shot.patient.last}, {shot.patient.first}"
    return json.dumps(
        {
            "device": {"serial": "20005", "id": 815},
            "patient": {"mrn": f"MRN {shot.patient.number}", "name": name, "dob": shot.patient.born},
            "images": [{"laterality": shot.eye("right", "left"), "date": f"{shot.taken:%Y-%m-%d}"}],
        }
    )


def csv(shot: Shot) -> str:
    return f"Model;Number;Eye;Date\nX-1;{shot.patient.number};{shot.eye()};{shot.taken:%d.%m.%Y}\n"


def ini(shot: Shot) -> str:
    return (
        f"[Patient]\nNumber={shot.patient.number}\n[Image]\nSide={shot.eye('R', 'L')}\nShot={shot.taken:%Y%m%d%H%M%S}\n"
    )


KINDS: dict[str, tuple[str, Callable[[Shot], str], set[str]]] = {
    "xml": (
        "{stem}.xml",
        xml,
        {"PatientID", "PatientBirthDate", "PatientSex", "ImageLaterality", "AcquisitionDateTime"},
    ),
    "json": (
        "{name}.json",
        as_json,
        {"PatientID", "PatientName", "PatientBirthDate", "ImageLaterality", "AcquisitionDate"},
    ),
    "csv": ("{stem}.csv", csv, {"PatientID", "ImageLaterality", "AcquisitionDate"}),
    "ini": ("{stem}.txt", ini, {"PatientID", "ImageLaterality", "AcquisitionDateTime"}),
}


def write(folder: Path, template: str, text_of: Callable[[Shot], str]) -> list[Shot]:
    """Exports whose names say nothing, each with its companion."""
    folder.mkdir()
    made = [shot for shot in shots(TRAINING) if "_" not in shot.patient.number]
    for number, shot in enumerate(made):
        image = folder / f"IMG{number:05}.jpg"
        image.write_bytes(draw(number, shot.eye()))
        companion = template.replace("{stem}", image.stem).replace("{name}", image.name)
        (folder / companion).write_text(text_of(shot), encoding="utf-8")
    return made


def learnt(folder: Path) -> tuple[Proposal, list[Sample]]:
    with Parsers() as parsers:
        found = samples(folder, parsers, {})
    return learn("A camera with companions", found, PEOPLE), found


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_companion_that_says_all_becomes_the_rule(tmp_path: Path, kind: str) -> None:
    template, text_of, keys = KINDS[kind]
    made = write(tmp_path / "exports", template, text_of)
    proposal, _ = learnt(tmp_path / "exports")
    profile = parse_profile(proposal.text, "learnt.yaml")
    assert prove(profile) == []
    assert profile.keys == keys, proposal.text
    assert f'file: "{template}"' in proposal.text
    assert proposal.decided == len(made), (proposal.undecided, proposal.text)
    # Others' numbers in the shape of 000815 become 000815, which is invented too.
    said = [TRAINING[1].number, TRAINING[3].number, *(patient.last for patient in TRAINING)]
    assert [text for text in said if text in proposal.text] == []


def test_what_it_reads_is_right(tmp_path: Path) -> None:
    made = write(tmp_path / "exports", "{stem}.xml", xml)
    proposal, found = learnt(tmp_path / "exports")
    profile = parse_profile(proposal.text, "learnt.yaml")
    for shot, sample in zip(made, sorted(found, key=lambda one: one.name), strict=True):
        read = values(profile, sample)
        assert read["PatientID"] == shot.patient.number
        assert read["ImageLaterality"] == shot.eye()
        assert read["AcquisitionDateTime"] == f"{shot.taken:%Y-%m-%dT%H:%M:%S}"
        assert read["PatientBirthDate"] == shot.patient.born


def values(profile: DeviceProfile, sample: Sample) -> dict[str, str]:
    from irisdrop.identity.identify import Identified, readings

    said = readings(profile, sample.name, sample.contents)
    assert isinstance(said, Identified)
    return {reading.key: reading.value for reading in said.readings}


def test_a_name_that_says_all_needs_no_companion(tmp_path: Path) -> None:
    made = write(tmp_path / "exports", "{stem}.xml", xml)
    for number, shot in enumerate(made):
        for ending in ("jpg", "xml"):
            (tmp_path / "exports" / f"IMG{number:05}.{ending}").rename(
                tmp_path / "exports" / f"{shot.patient.number}_{shot.eye()}_{number:03}.{ending}"
            )
    proposal, _ = learnt(tmp_path / "exports")
    assert "sidecar" not in proposal.text


def test_a_companion_with_one_persons_number_everywhere_is_no_rule(tmp_path: Path) -> None:
    write(tmp_path / "exports", "{stem}.xml", lambda shot: f"<E><ID>000815</ID><Eye>{shot.eye()}</Eye></E>")
    with pytest.raises(Foreseen) as told:
        learnt(tmp_path / "exports")
    assert told.value.code == "NOTHING_FOUND"


def test_a_companion_for_a_whole_folder_is_told_and_not_taken(tmp_path: Path) -> None:
    for patient in TRAINING[:3]:
        folder = tmp_path / "exports" / f"exam {patient.first}"
        folder.mkdir(parents=True)
        (folder / "exam.xml").write_text(f"<E><ID>{patient.number}</ID></E>")
        for eye in ("R", "L"):
            (folder / f"{eye}.jpg").write_bytes(draw(len(patient.last), eye))
    with pytest.raises(Foreseen) as told:
        learnt(tmp_path / "exports")
    assert told.value.code == "NOTHING_FOUND"
    assert "bear no image's name" in told.value.message


def test_an_image_without_its_companion_counts_as_unreadable_and_a_broken_one_teaches_nothing(tmp_path: Path) -> None:
    made = write(tmp_path / "exports", "{stem}.xml", xml)
    (tmp_path / "exports" / "IMG00000.xml").unlink()
    (tmp_path / "exports" / "IMG00001.xml").write_text("<Exam>")
    proposal, _ = learnt(tmp_path / "exports")
    assert proposal.undecided == {"UNREADABLE": 2}
    assert proposal.decided == len(made) - 2


def test_a_companion_gives_the_eye_that_the_name_does_not(tmp_path: Path) -> None:
    made = write(tmp_path / "exports", "{stem}.xml", xml)
    for number, shot in enumerate(made):
        for ending in ("jpg", "xml"):
            (tmp_path / "exports" / f"IMG{number:05}.{ending}").rename(
                tmp_path / "exports" / f"{shot.patient.number}_{number:03}.{ending}"
            )
    proposal, _ = learnt(tmp_path / "exports")
    profile = parse_profile(proposal.text, "learnt.yaml")
    assert {rule.kind for rule in profile.read} == {"filename", "sidecar"}
    assert "ImageLaterality" in profile.keys
    assert proposal.decided == len(made), proposal.text


def test_exports_of_which_only_the_name_was_looked_at_are_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("irisdrop.learning.samples.MOST_CONTENTS", 12)
    made = write(tmp_path / "exports", "{stem}.xml", xml)
    proposal, found = learnt(tmp_path / "exports")
    assert len(found) == len(made) > 12
    assert (proposal.exports, proposal.decided, proposal.undecided) == (12, 12, {})
