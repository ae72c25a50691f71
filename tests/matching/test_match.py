"""Every rule of the decision, and that no order of things changes it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irisdrop.matching import match as module
from irisdrop.matching.capture import Situation
from irisdrop.matching.match import match
from irisdrop.profiles.profile import DeviceProfile, KeySet, parse_profile
from irisdrop.vocabulary.decisions import Decision, Matched, Unmatched
from irisdrop.vocabulary.images import Reading
from irisdrop.vocabulary.orders import Standing, WorklistEntry
from irisdrop.vocabulary.reasons import Code

NOW = datetime(2025, 1, 14, 9, 30, tzinfo=UTC)
HERE = Situation(UTC, NOW, live=True, site="S1")
STUDY, OTHER_STUDY = "1.2.3", "1.2.4"


def order(number: str = "E1", start: datetime | None = NOW, **keys: Any) -> WorklistEntry:
    fields = {name: keys.pop(name) for name in ("site", "single_eye", "standing") if name in keys}
    return WorklistEntry(number, {"PatientID": "000815"} | keys, start, **fields)


@pytest.fixture
def decide(profile: Callable[..., DeviceProfile], read: Callable[..., tuple[Reading, ...]]) -> Callable[..., Decision]:
    """Decides about an image of the right eye of patient 000815 with `entries`; `says` are more readings."""

    def decided(
        *entries: WorklistEntry,
        says: Sequence[tuple[str, str, str]] = (),
        without: Sequence[str] = (),
        situation: Situation = HERE,
        match_by: str | None = None,
        **more: Any,
    ) -> Decision:
        fields = {
            name: more.pop(name) for name in ("within", "agree", "eye", "status", "oldest", "deliver") if name in more
        }
        values = {"PatientID": "000815", "ImageLaterality": "R"} | more
        readings = read(*says, **{key: value for key, value in values.items() if key not in without})
        made = profile(match=match_by, **({"within": 86400.0} | fields))
        return match(readings, made, situation, entries)

    return decided


def reason(decision: Decision) -> Code | None:
    return None if isinstance(decision, Matched) else decision.reason


# ---------------------------------------------------------------------- which order


def test_an_order_with_a_doubtful_number_is_not_ruled_out_by_it(decide: Callable[..., Decision]) -> None:
    """Two open orders of the patient, one under a number that another patient has too: the other one is no more likely
    for that, and to take it would be a guess."""
    doubtful = order("E1", AccessionNumber="A-1", PatientBirthDate="1961-03-07")
    sound = order("E6", AccessionNumber="A-6", PatientBirthDate="1961-03-07")
    stranger = order("E9", PatientID="4711", AccessionNumber="A-1", PatientBirthDate="1950-01-01")
    assert reason(decide(doubtful, sound, stranger)) is Code.AMBIGUOUS
    by_number = decide(doubtful, sound, stranger, match_by="[AccessionNumber, PatientID]", AccessionNumber="A-6")
    assert isinstance(by_number, Matched)
    assert by_number.entry.id == "E6"


def test_a_number_with_another_birth_date_is_a_mismatch_at_once_where_both_decide(
    decide: Callable[..., Decision],
) -> None:
    """No late order can mend it, so the person need not wait for the patience to end."""
    both = "[PatientID + PatientBirthDate]"
    wrong = order(PatientBirthDate="1961-03-07")
    decision = decide(wrong, match_by=both, PatientBirthDate="1961-03-08")
    assert reason(decision) is Code.PATIENT_MISMATCH
    unsaid = order()
    assert reason(decide(unsaid, match_by=both, PatientBirthDate="1961-03-08")) is Code.NO_WORKLIST_ENTRY
    gone = order(PatientBirthDate="1961-03-07", standing=Standing.REPLACED)
    assert reason(decide(gone, match_by=both, PatientBirthDate="1961-03-08")) is Code.NO_WORKLIST_ENTRY


def test_the_one_open_order_that_fits_is_the_images(decide: Any) -> None:
    decision = decide(order("E1"), order("E2", PatientID="000816"))
    assert isinstance(decision, Matched)
    assert (decision.entry.id, decision.eye, decision.key_set) == ("E1", "R", ("PatientID",))
    assert [reading.key for reading in decision.deciding] == ["PatientID"]


def test_without_an_order_it_waits_for_a_late_one(decide: Any) -> None:
    decision = decide(order("E2", PatientID="000816"))
    assert isinstance(decision, Unmatched)
    assert (decision.reason, decision.waits) == (Code.NO_WORKLIST_ENTRY, True)


def test_a_leading_zero_is_part_of_the_number(decide: Any) -> None:
    assert reason(decide(order(PatientID="815"))) is Code.NO_WORKLIST_ENTRY


def test_two_orders_that_fit_are_never_chosen_between(decide: Any) -> None:
    decision = decide(order("E1"), order("E2"))
    assert (reason(decision), decision.waits) == (Code.AMBIGUOUS, False)


def test_the_nearest_of_two_orders_is_no_better_than_the_other(decide: Any) -> None:
    assert reason(decide(order("E1"), order("E2", NOW + timedelta(hours=20)))) is Code.AMBIGUOUS


@pytest.mark.parametrize("why", [Standing.CANCELLED, Standing.REPLACED])
def test_an_order_that_was_cancelled_or_replaced_gets_nothing(decide: Any, why: Standing) -> None:
    assert reason(decide(order(standing=why))) is Code.NO_WORKLIST_ENTRY


def test_a_newer_order_that_replaces_an_older_one_gets_the_image(decide: Any) -> None:
    decision = decide(order("E1", standing=Standing.REPLACED), order("E2"))
    assert isinstance(decision, Matched)
    assert decision.entry.id == "E2"


def test_a_completed_order_alone_waits_and_is_suggested(decide: Any) -> None:
    decision = decide(order(standing=Standing.COMPLETED))
    assert reason(decision) is Code.NO_WORKLIST_ENTRY
    assert [candidate.refused for candidate in decision.candidates] == [None]


def test_a_completed_order_beside_an_open_one_is_ambiguous(decide: Any) -> None:
    """The second order of a day must not get the late images of the first."""
    assert reason(decide(order("E1", standing=Standing.COMPLETED), order("E2"))) is Code.AMBIGUOUS


def test_an_order_of_another_site_never_matches(decide: Any) -> None:
    assert reason(decide(order(site="S2"))) is Code.NO_WORKLIST_ENTRY
    assert isinstance(decide(order("E1", site="S2"), order("E2", site="S1")), Matched)
    assert isinstance(decide(order(site=None)), Matched)


# ---------------------------------------------------------------------- which keys


def test_the_first_key_set_that_is_whole_decides(decide: Any) -> None:
    by_accession = order("E1", AccessionNumber="A-1")
    by_patient = order("E2")
    decision = decide(by_accession, by_patient, AccessionNumber="A-1", match_by="[AccessionNumber, PatientID]")
    assert isinstance(decision, Matched)
    assert (decision.entry.id, decision.key_set) == ("E1", ("AccessionNumber",))


def test_a_key_set_that_hits_nothing_is_not_followed_by_a_weaker_one(decide: Any) -> None:
    decision = decide(order(), AccessionNumber="A-9", match_by="[AccessionNumber, PatientID]")
    assert reason(decision) is Code.NO_WORKLIST_ENTRY


def test_a_key_set_with_a_key_missing_leaves_the_next_to_decide(decide: Any) -> None:
    decision = decide(order(), match_by="[AccessionNumber, PatientID]")
    assert isinstance(decision, Matched)
    assert decision.key_set == ("PatientID",)


def test_every_key_of_a_key_set_must_hit(decide: Any) -> None:
    both = "[PatientID + PatientBirthDate]"
    assert isinstance(
        decide(order(PatientBirthDate="1961-02-03"), PatientBirthDate="1961-02-03", match_by=both), Matched
    )
    assert reason(decide(order(PatientBirthDate="1961-03-02"), PatientBirthDate="1961-02-03", match_by=both))
    assert reason(decide(order(), PatientBirthDate="1961-02-03", match_by=both)) is Code.NO_WORKLIST_ENTRY


def test_an_invented_study_uid_that_no_order_carries_is_passed_over(decide: Any) -> None:
    by = "[StudyInstanceUID?, PatientID]"
    decision = decide(order(StudyInstanceUID=STUDY), StudyInstanceUID="9.9.9", match_by=by)
    assert isinstance(decision, Matched)
    assert decision.key_set == ("PatientID",)
    assert any("passed over" in line for line in decision.trace)


@pytest.mark.parametrize("standing", Standing)
def test_a_study_uid_that_an_order_carries_open_or_closed_decides(decide: Any, standing: Standing) -> None:
    by = "[StudyInstanceUID?, PatientID]"
    carrier = order("E2", PatientID="000816", StudyInstanceUID=OTHER_STUDY, standing=standing)
    decision = decide(order("E1"), carrier, StudyInstanceUID=OTHER_STUDY, match_by=by)
    assert isinstance(decision, Unmatched)
    assert decision.key_set == ("StudyInstanceUID",)


def test_a_number_that_may_be_passed_over_may_still_come_on_a_late_order(decide: Any) -> None:
    decision = decide(order(), AccessionNumber="A-9", match_by='["AccessionNumber?"]', without=["PatientID"])
    assert (reason(decision), decision.waits) == (Code.NO_WORKLIST_ENTRY, True)


def test_a_patient_number_that_was_passed_over_still_contradicts(decide: Any) -> None:
    by = '["PatientID?", AccessionNumber]'
    decision = decide(order(PatientID="000816", AccessionNumber="A-1"), AccessionNumber="A-1", match_by=by)
    assert reason(decision) is Code.PATIENT_MISMATCH


def test_what_says_nothing_of_whose_it_is_has_no_keys(decide: Any) -> None:
    assert reason(decide(order(), without=["PatientID"])) is Code.NO_KEYS


# ---------------------------------------------------------------------- contradictions


@pytest.mark.parametrize(
    ("key", "ours", "theirs"),
    [
        ("PatientBirthDate", "1961-02-03", "1961-03-02"),
        ("AccessionNumber", "A-1", "A-2"),
        ("StudyInstanceUID", STUDY, OTHER_STUDY),
        ("IssuerOfPatientID", "clinic", "hospital"),
    ],
)
def test_identity_always_agrees_whichever_key_decided(decide: Any, key: str, ours: str, theirs: str) -> None:
    assert isinstance(decide(order(**{key: ours}), **{key: ours}), Matched)
    assert reason(decide(order(**{key: theirs}), **{key: ours})) is Code.PATIENT_MISMATCH
    assert isinstance(decide(order(), **{key: ours}), Matched)


def test_an_accession_number_that_fits_with_a_patient_that_does_not_is_a_mismatch(decide: Any) -> None:
    by = "[AccessionNumber, PatientID]"
    decision = decide(order(PatientID="000816", AccessionNumber="A-1"), AccessionNumber="A-1", match_by=by)
    assert (reason(decision), decision.waits) == (Code.PATIENT_MISMATCH, False)


def test_what_agrees_too_must_agree(decide: Any) -> None:
    entry = order(PatientName="Muster^Anna", PatientSex="F")
    agree = ("PatientName", "PatientSex")
    assert isinstance(decide(entry, PatientName="MUSTER Anna", PatientSex="F", agree=agree), Matched)
    assert reason(decide(entry, PatientName="Muster^Anne", agree=agree)) is Code.PATIENT_MISMATCH
    assert reason(decide(entry, PatientSex="M", agree=agree)) is Code.PATIENT_MISMATCH
    assert isinstance(decide(entry, PatientSex="O", agree=agree), Matched)
    assert isinstance(decide(entry, PatientName="Muster^Anne", agree=()), Matched)


def test_an_accession_number_under_two_patients_never_matches(decide: Any) -> None:
    by = "[AccessionNumber, PatientID]"
    ours, theirs = order("E1", AccessionNumber="A-1"), order("E2", PatientID="000816", AccessionNumber="A-1")
    assert reason(decide(ours, theirs, AccessionNumber="A-1", match_by=by)) is Code.AMBIGUOUS
    assert reason(decide(ours, theirs)) is Code.AMBIGUOUS
    assert reason(decide(ours, replace(theirs, standing=Standing.COMPLETED))) is Code.AMBIGUOUS


def test_the_accession_number_of_another_site_is_another_number(decide: Any) -> None:
    theirs = order("E2", PatientID="000816", AccessionNumber="A-1", site="S2")
    assert isinstance(decide(order("E1", AccessionNumber="A-1"), theirs, AccessionNumber="A-1"), Matched)


def test_an_order_whose_patient_was_corrected_leaves_its_number_to_the_new_one(decide: Any) -> None:
    old = order("E1", PatientID="000814", AccessionNumber="A-1", standing=Standing.REPLACED)
    decision = decide(old, order("E2", AccessionNumber="A-1"), AccessionNumber="A-1")
    assert isinstance(decision, Matched)
    assert decision.entry.id == "E2"


def test_a_study_of_another_patient_is_a_mismatch_even_where_the_patients_order_fits(decide: Any) -> None:
    theirs = order("E2", PatientID="000816", StudyInstanceUID=STUDY)
    assert reason(decide(order("E1"), theirs, StudyInstanceUID=STUDY)) is Code.PATIENT_MISMATCH
    withdrawn = replace(theirs, standing=Standing.CANCELLED)
    assert reason(decide(order("E1"), withdrawn, StudyInstanceUID=STUDY)) is Code.PATIENT_MISMATCH


def test_a_patient_number_that_was_given_to_two_people_decides_only_with_what_tells_them_apart(decide: Any) -> None:
    one, other = order("E1", PatientBirthDate="1961-02-03"), order("E2", PatientBirthDate="1999-09-09")
    gone = replace(other, standing=Standing.COMPLETED, start=NOW - timedelta(days=400))
    assert reason(decide(one, gone)) is Code.AMBIGUOUS
    assert isinstance(decide(one, gone, PatientBirthDate="1961-02-03"), Matched)


def test_an_image_that_contradicts_itself_is_never_matched(decide: Any) -> None:
    says = [("PatientID", "000816", "exif:0th.ImageDescription")]
    decision = decide(order("E1"), order("E2", PatientID="000816"), says=says)
    assert reason(decision) is Code.CONFLICTING_KEYS
    assert "filename:PatientID" in decision.detail
    assert "exif:0th.ImageDescription" in decision.detail
    assert "000816" not in decision.detail


def test_an_order_for_another_modality_gets_nothing(decide: Any) -> None:
    assert reason(decide(order(Modality="OPT"))) is Code.NO_WORKLIST_ENTRY
    assert isinstance(decide(order(Modality="OP")), Matched)
    assert isinstance(decide(order(Modality="OPT"), Modality="OPT"), Matched)


# ---------------------------------------------------------------------- the eye


def test_an_unknown_eye_goes_to_a_person_and_is_never_the_other_one(decide: Any) -> None:
    assert reason(decide(order(), without=["ImageLaterality"])) is Code.EYE_UNKNOWN
    assert reason(decide(order(), ImageLaterality="U")) is Code.EYE_UNKNOWN


def test_a_platform_that_decides_the_eye_gets_it_unknown(decide: Any) -> None:
    decision = decide(order(), without=["ImageLaterality"], eye="platform")
    assert isinstance(decision, Matched)
    assert decision.eye == "U"


def test_right_against_left_is_a_conflict(decide: Any) -> None:
    says = [("ImageLaterality", "L", "exif:0th.X")]
    assert reason(decide(order(), says=says)) is Code.CONFLICTING_KEYS


def test_both_eyes_of_the_image_win_over_one_of_its_series(decide: Any) -> None:
    says = [("ImageLaterality", "B", "dicom:(0020,0062)"), ("ImageLaterality", "R", "dicom:(0020,0060)")]
    decision = decide(order(), says=says, without=["ImageLaterality"])
    assert isinstance(decision, Matched)
    assert decision.eye == "B"


def test_right_of_the_image_against_left_of_its_series_is_a_conflict(decide: Any) -> None:
    says = [("ImageLaterality", "R", "dicom:(0020,0062)"), ("ImageLaterality", "L", "dicom:(0020,0060)")]
    assert reason(decide(order(), says=says, without=["ImageLaterality"])) is Code.CONFLICTING_KEYS


def test_an_unknown_eye_beside_a_known_one_conflicts_with_nothing(decide: Any) -> None:
    decision = decide(order(), says=[("ImageLaterality", "U", "exif:0th.X")])
    assert isinstance(decision, Matched)
    assert decision.eye == "R"


def test_an_order_for_one_eye_gets_no_picture_of_the_other(decide: Any) -> None:
    assert isinstance(decide(order(single_eye="R")), Matched)
    assert reason(decide(order(single_eye="L"))) is Code.NO_WORKLIST_ENTRY
    assert reason(decide(order(single_eye="L"), ImageLaterality="B")) is Code.NO_WORKLIST_ENTRY


def test_an_order_that_names_an_eye_gets_no_picture_of_the_other_where_the_eye_is_to_agree(decide: Any) -> None:
    agree = ("ImageLaterality",)
    assert isinstance(decide(order(ImageLaterality="R"), agree=agree), Matched)
    assert isinstance(decide(order(ImageLaterality="B"), agree=agree), Matched)
    assert isinstance(decide(order(ImageLaterality="L")), Matched)
    assert reason(decide(order(ImageLaterality="L"), agree=agree)) is Code.NO_WORKLIST_ENTRY
    assert reason(decide(order(ImageLaterality="R"), ImageLaterality="B", agree=agree)) is Code.NO_WORKLIST_ENTRY
    both = decide(order("E1", ImageLaterality="L"), order("E2", ImageLaterality="R"), agree=agree)
    assert isinstance(both, Matched)
    assert both.entry.id == "E2"


# ---------------------------------------------------------------------- time


def test_an_order_outside_the_window_gets_nothing(decide: Any) -> None:
    assert isinstance(decide(order(start=NOW + timedelta(hours=24))), Matched)
    assert reason(decide(order(start=NOW + timedelta(hours=25)))) is Code.NO_WORKLIST_ENTRY
    assert reason(decide(order(start=NOW - timedelta(hours=25)))) is Code.NO_WORKLIST_ENTRY


def test_without_a_window_the_start_does_not_count(decide: Any) -> None:
    assert isinstance(decide(order(start=NOW - timedelta(days=900)), within=None), Matched)


def test_an_order_without_a_start_fits_at_any_time(decide: Any) -> None:
    assert isinstance(decide(order(start=None)), Matched)


def test_a_day_fits_if_any_of_its_moments_does(decide: Any) -> None:
    late = NOW.replace(hour=23, minute=59)
    assert isinstance(decide(order(start=late), AcquisitionDate="2025-01-14", within=60.0), Matched)
    assert isinstance(decide(order(start=late), AcquisitionDate="2025-01-14", within=0.0), Matched)
    assert reason(decide(order(start=late + timedelta(minutes=2)), AcquisitionDate="2025-01-14", within=60.0))


def test_an_image_without_a_date_that_nobody_saw_arrive_fits_no_window(decide: Any) -> None:
    assert reason(decide(order(), situation=replace(HERE, live=False))) is Code.NO_WORKLIST_ENTRY
    assert isinstance(decide(order(start=None), situation=replace(HERE, live=False)), Matched)


@pytest.mark.parametrize(
    "stamp", ["2012-01-01T00:00:00", "2025-01-14T10:31:00", "9999-12-31T23:59:59", "0001-01-01T00:00:00"]
)
def test_a_clock_that_can_not_be_right_is_told_at_once(decide: Any, stamp: str) -> None:
    decision = decide(order(), AcquisitionDateTime=stamp)
    assert (reason(decision), decision.waits) == (Code.CLOCK_IMPLAUSIBLE, False)


@pytest.mark.parametrize("day", ["2012-01-01", "2025-01-15", "9999-12-31", "0001-01-01", "2099-12-31"])
def test_a_day_that_can_not_be_right_is_told_at_once(decide: Any, day: str) -> None:
    assert reason(decide(order(), AcquisitionDate=day)) is Code.CLOCK_IMPLAUSIBLE


def test_an_impossible_date_is_told_as_the_clocks_and_another_flaw_as_the_profiles(
    profile: Callable[..., DeviceProfile], read: Callable[..., tuple[Reading, ...]]
) -> None:
    whole = read(PatientID="000815", ImageLaterality="R")
    clock = Reading("AcquisitionDate", "20250231", "20250231", "filename:AcquisitionDate", "an impossible date")
    birth = Reading("PatientBirthDate", "31", "31", "filename:PatientBirthDate", "not a date")
    assert reason(match((*whole, clock), profile(), HERE, [order()])) is Code.CLOCK_IMPLAUSIBLE
    assert reason(match((*whole, birth), profile(), HERE, [order()])) is Code.PROFILE_FAULT


# ---------------------------------------------------------------------- profiles


def test_a_profile_that_is_not_verified_sends_nothing(decide: Any) -> None:
    decision = decide(order(), status="unverified")
    assert reason(decision) is Code.PROFILE_UNVERIFIED
    assert [candidate.entry.id for candidate in decision.candidates] == ["E1"]


@pytest.mark.parametrize(("name", "held"), [("x/000815_R_ext.jpg", True), ("ext/000815_R.jpg", False), (None, True)])
def test_a_picture_that_is_held_back_is_for_a_person_who_sees_its_order(
    decide: Any, profile: Callable[..., DeviceProfile], name: str | None, held: bool
) -> None:
    deliver = profile(more="deliver: {'*_ext*': no}\n").deliver
    decision = decide(order(), situation=replace(HERE, name=name), deliver=deliver)
    assert isinstance(decision, Matched) is not held
    if held:
        assert (reason(decision), decision.detail) == (
            Code.PROFILE_UNVERIFIED,
            "`deliver` of the profile holds it back by its name",
        )
        assert [candidate.entry.id for candidate in decision.candidates] == ["E1"]


def test_every_candidate_is_told_with_the_fact_that_refused_it(decide: Any) -> None:
    decision = decide(
        order("E1", PatientBirthDate="1999-09-09"),
        order("E2", NOW + timedelta(days=9)),
        order("E3", single_eye="L"),
        order("E4", standing=Standing.CANCELLED),
        PatientBirthDate="1961-02-03",
    )
    told = {candidate.entry.id: candidate.refused for candidate in decision.candidates}
    assert "PatientBirthDate" in told["E1"]
    assert "9.0 days" in told["E2"] or "scheduled" in told["E2"]
    assert "other eye" in told["E3"]
    assert "cancelled" in told["E4"]
    assert any("decided by PatientID" in line for line in decision.trace)


# ---------------------------------------------------------------------- properties

KEYS = ("PatientID", "AccessionNumber", "StudyInstanceUID", "PatientBirthDate", "IssuerOfPatientID", "ImageLaterality")
VALUES = {
    "PatientID": ["000815", "000816", "815"],
    "AccessionNumber": ["A-1", "A-2"],
    "StudyInstanceUID": [STUDY, OTHER_STUDY],
    "PatientBirthDate": ["1961-02-03", "1961-03-02"],
    "IssuerOfPatientID": ["clinic", "hospital"],
    "ImageLaterality": ["R", "L", "B", "U"],
    "PatientName": ["Muster^Anna", "Muster^Anne", "Muster^A"],
    "AcquisitionDateTime": ["2025-01-14T09:00:00", "2025-01-14T09:00:00+01:00", "2025-01-13T09:00:00"],
}
SETS = [
    ("PatientID",),
    ("AccessionNumber",),
    ("StudyInstanceUID",),
    ("PatientID", "PatientBirthDate"),
    ("PatientName",),
]


@st.composite
def readings(draw: st.DrawFn) -> tuple[Reading, ...]:
    count = draw(st.integers(1, 7))
    made = []
    for number in range(count):
        key = draw(st.sampled_from(sorted(VALUES)))
        value = draw(st.sampled_from(VALUES[key]))
        made.append(Reading(key, value, value, draw(st.sampled_from(["filename", "exif", "dicom"])) + f":{number}"))
    return tuple(made)


@st.composite
def orders(draw: st.DrawFn) -> tuple[WorklistEntry, ...]:
    made = []
    for number in range(draw(st.integers(0, 4))):
        chosen = draw(st.lists(st.sampled_from((*KEYS[:5], "PatientName")), unique=True, max_size=5))
        keys = {key: draw(st.sampled_from(VALUES[key])) for key in chosen}
        made.append(
            WorklistEntry(
                f"E{number}",
                keys,
                NOW + timedelta(hours=draw(st.sampled_from([-30, -2, 0, 3]))),
                draw(st.sampled_from([None, "S1", "S2"])),
                draw(st.sampled_from([None, None, "R", "L"])),
                draw(st.sampled_from(list(Standing))),
            )
        )
    return tuple(made)


@st.composite
def profiles(draw: st.DrawFn) -> DeviceProfile:
    sets = draw(st.lists(st.sampled_from(SETS), min_size=1, max_size=3, unique=True))
    optional = draw(st.sets(st.sampled_from(["StudyInstanceUID", "AccessionNumber"])))
    return replace(
        PLAIN,
        match=tuple(KeySet(keys, frozenset(keys) & optional) for keys in sets),
        agree=draw(st.sampled_from([(), ("PatientName",)])),
        within=draw(st.sampled_from([None, 86400.0])),
        eye=draw(st.sampled_from(["required", "platform"])),
    )


PLAIN = parse_profile(
    "irisdrop: 1\ntitle: Any\nstatus: sampled\nmodality: OP\nfiles: {take: ['*']}\n"
    "read: [{filename: '(?P<PatientID>.+)_(?P<ImageLaterality>.)'}]\nmatch: [PatientID]\n"
    "examples: [{file: a_R, gives: {PatientID: a}}, {file: a, refuses: NO_KEYS}]\n",
    "any.yaml",
)


def told(decision: Decision) -> tuple[object, ...]:
    if isinstance(decision, Matched):
        return ("matched", decision.entry.id, decision.eye, decision.key_set, decision.taken, decision.trace)
    return ("unmatched", decision.reason, decision.detail, decision.candidates, decision.taken, decision.trace)


@settings(max_examples=400, deadline=None)
@given(readings(), orders(), profiles(), st.randoms(use_true_random=False))
def test_the_order_of_readings_or_entries_never_changes_a_decision(
    said: tuple[Reading, ...], entries: tuple[WorklistEntry, ...], made: DeviceProfile, rng: random.Random
) -> None:
    first = match(said, made, HERE, entries)
    shuffled_said, shuffled_entries = list(said), list(entries)
    rng.shuffle(shuffled_said)
    rng.shuffle(shuffled_entries)
    assert told(match(shuffled_said, made, HERE, shuffled_entries)) == told(first)


@settings(max_examples=400, deadline=None)
@given(readings(), orders(), profiles(), st.data())
def test_adding_a_contradicting_reading_never_turns_unmatched_into_matched(
    said: tuple[Reading, ...], entries: tuple[WorklistEntry, ...], made: DeviceProfile, data: st.DataObject
) -> None:
    """Contradicting: another value of a key that the image has already."""
    known = data.draw(st.sampled_from(said))
    others = [value for value in VALUES[known.key] if value != known.value]
    more = Reading(known.key, data.draw(st.sampled_from(others)), "", "sidecar:x")
    if isinstance(match(said, made, HERE, entries), Unmatched):
        assert isinstance(match((*said, more), made, HERE, entries), Unmatched) or "U" in (known.value, more.value)


@settings(max_examples=400, deadline=None)
@given(readings(), orders(), profiles(), st.sampled_from(["PatientID", "PatientBirthDate"]))
def test_a_reading_that_contradicts_every_order_leaves_nothing_matched(
    said: tuple[Reading, ...], entries: tuple[WorklistEntry, ...], made: DeviceProfile, key: str
) -> None:
    carrying = tuple(replace(entry, keys={**entry.keys, key: VALUES[key][0]}) for entry in entries)
    more = Reading(key, "1900-01-01" if "Date" in key else "nobody", "", "sidecar:x")
    assert isinstance(match((*said, more), made, HERE, carrying), Unmatched)


@settings(max_examples=400, deadline=None)
@given(readings(), orders(), profiles())
def test_what_is_matched_is_open_here_unique_and_contradicted_by_nothing(
    said: tuple[Reading, ...], entries: tuple[WorklistEntry, ...], made: DeviceProfile
) -> None:
    decision = match(said, made, HERE, entries)
    if not isinstance(decision, Matched):
        return
    entry = decision.entry
    assert entry.standing is Standing.OPEN
    assert entry.site in (None, "S1")
    assert decision.eye in ("R", "L", "B") or made.eye == "platform"
    assert entry.single_eye in (None, decision.eye) or decision.eye == "U"
    assert [c.entry.id for c in decision.candidates if c.refused is None] == [entry.id]
    for reading in said:
        if reading.key in ("PatientID", "PatientBirthDate", "IssuerOfPatientID") and reading.key in entry.keys:
            assert reading.value == entry.keys[reading.key]


@settings(max_examples=200, deadline=None)
@given(readings(), orders(), profiles())
def test_one_more_order_that_fits_as_well_is_never_ignored(
    said: tuple[Reading, ...], entries: tuple[WorklistEntry, ...], made: DeviceProfile
) -> None:
    decision = match(said, made, HERE, entries)
    if isinstance(decision, Matched):
        again = match(said, made, HERE, (*entries, replace(decision.entry, id="another")))
        assert isinstance(again, Unmatched)
        assert again.reason is Code.AMBIGUOUS


def test_nothing_in_it_knows_a_clock_a_connection_or_a_logger() -> None:
    assert not {"time", "logging", "sqlite3", "threading", "requests"} & set(vars(module))


# ---------------------------------------------------------------------- when the stamp and the arrival disagree


def test_a_stamp_does_not_choose_an_order_where_the_arrival_would_choose_another(decide: Any) -> None:
    """A clock that is two days behind makes the missed order fit, and today's not."""
    missed, today = order("E1", NOW - timedelta(days=2)), order("E2", NOW)
    behind = {"AcquisitionDateTime": (NOW - timedelta(days=2)).isoformat()}
    assert reason(decide(missed, today, **behind)) is Code.CLOCK_IMPLAUSIBLE
    assert isinstance(decide(missed, **behind), Matched)
    assert isinstance(decide(today), Matched)


def test_an_image_that_was_found_later_keeps_its_stamps_order(decide: Any) -> None:
    """Where nobody saw it arrive, the moment of arrival says nothing."""
    missed, today = order("E1", NOW - timedelta(days=2)), order("E2", NOW)
    behind = {"AcquisitionDateTime": (NOW - timedelta(days=2)).isoformat()}
    found = decide(missed, today, situation=replace(HERE, live=False), **behind)
    assert isinstance(found, Matched)
    assert found.entry.id == "E1"


def test_a_name_tells_two_owners_of_a_number_apart_only_where_it_must_agree(decide: Any) -> None:
    """The former owner's name is another; that of a relative who is called the same tells nothing."""
    now = order("E1", PatientName="Weber^Anna", PatientBirthDate="1980-03-12")
    former = order("E2", NOW - timedelta(days=500), PatientName="Novak^Karl", PatientBirthDate="1931-01-02")
    namesake = order("E3", NOW - timedelta(days=500), PatientName="Weber^Anna", PatientBirthDate="1931-01-02")
    assert isinstance(decide(now, former, PatientName="Weber^Anna", agree=("PatientName",)), Matched)
    assert reason(decide(now, former, PatientName="Weber^Anna", agree=())) is Code.AMBIGUOUS
    assert reason(decide(now, namesake, PatientName="Weber^Anna", agree=("PatientName",))) is Code.AMBIGUOUS
