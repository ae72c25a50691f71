"""What the icon shows and says."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from irisdrop.surface.tray.icon import picture
from irisdrop.surface.tray.look import DOWN, FACES, LONGEST, Look, look, notes


def told(**more: Any) -> dict[str, Any]:
    return {"face": "well", "exams": 0, "sentence": "All is well", "paused": False, "silent": []} | more


def test_each_state_is_told_in_words() -> None:
    assert look(told()).tooltip == "irisdrop: All is well"
    assert "paused" in look(told(paused=True)).tooltip
    assert len(look(told(sentence="x" * 500)).tooltip) == LONGEST


def test_a_face_that_we_do_not_know_is_no_good_news() -> None:
    assert look(told(face="splendid")).face == "broken"


def test_an_exam_that_needs_a_person_is_told_once() -> None:
    one, two = look(told(face="person", exams=1)), look(told(face="person", exams=2))
    assert notes(look(told()), one) == ["An exam needs a person"]
    assert notes(one, one) == [] == notes(two, one)
    assert notes(one, two) == ["2 exams need a person"]


def test_a_camera_that_falls_silent_is_told_once() -> None:
    silent = look(told(silent=["room-2"]))
    assert notes(look(told()), silent) == ["No image from room-2 for a while, although patients are due"]
    assert notes(silent, silent) == []


def test_an_agent_that_stops_is_told_and_one_that_never_ran_is_not() -> None:
    assert notes(look(told()), DOWN) == ["irisdrop is not running"]
    assert notes(None, DOWN) == [] == notes(DOWN, DOWN)


def test_each_state_has_a_shape_of_its_own_also_without_colours() -> None:
    grey = {
        face: picture(face, 3).convert("LA").getchannel("A").tobytes() + picture(face, 3).convert("L").tobytes()
        for face in FACES
    }
    for one, other in combinations(FACES, 2):
        differing = sum(a != b for a, b in zip(grey[one], grey[other], strict=True))
        assert differing > 300, (one, other)


def test_the_count_is_in_the_picture() -> None:
    pictures = {picture("person", n).tobytes() for n in (0, 1, 2, 10, 99, 100)}
    assert len(pictures) == 6
    assert picture("person", 100).tobytes() == picture("person", 5000).tobytes()


def test_a_look_holds_no_names() -> None:
    assert set(Look.__dataclass_fields__) == {"face", "tooltip", "exams", "paused", "silent"}
