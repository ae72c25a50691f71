"""What is told to the audit trail of a person's looking."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from irisdrop.record.attempts import Attempts
from irisdrop.record.audit import Kind
from irisdrop.vocabulary.deliveries import Receipt
from irisdrop.vocabulary.states import Event


def looks(clinic: Any) -> list[tuple[str, int]]:
    return [
        (record.who, record.image)
        for record in clinic.journal.audit.records()
        if record.kind == Kind.ACCESS and record.action == "R"
    ]


def test_an_image_that_is_opened_is_told_once_in_a_session_however_often_it_is_looked_at(clinic: Any) -> None:
    image = clinic.refused("00815", PatientName="Muster^Anna", name="Muster_Anna.jpg")
    cookie = clinic.cookie("anna")
    for path in (f"/images/{image.id}", f"/pictures/{image.id}?size=large", f"/images/{image.id}"):
        assert clinic.ask("GET", path, cookie=cookie).status == 200
    assert looks(clinic) == [("anna", image.id)]
    clinic.ask("GET", f"/images/{image.id}", cookie=clinic.cookie("bert"))
    assert looks(clinic) == [("anna", image.id), ("bert", image.id)]
    assert clinic.journal.audit.verify().wrong is None
    for record in clinic.journal.audit.records():
        assert "Muster" not in repr(record) and "00815" not in repr(record)


def test_the_large_picture_of_the_quarantine_is_an_image_opened_and_a_small_one_is_none(clinic: Any) -> None:
    first, other = clinic.refused(), clinic.refused()
    cookie = clinic.cookie()
    for path in ("/", "/quarantine", f"/pictures/{first.id}", f"/pictures/{other.id}"):
        assert clinic.ask("GET", path, cookie=cookie).status == 200
    assert looks(clinic) == []
    clinic.ask("GET", f"/pictures/{first.id}?size=large", cookie=cookie)
    assert looks(clinic) == [("anna", first.id)]


def test_whoever_takes_over_a_session_is_told_by_their_own_name(clinic: Any) -> None:
    image = clinic.refused()
    cookie = clinic.cookie("anna")
    clinic.ask("GET", f"/images/{image.id}", cookie=cookie)
    clinic.post("/person", "person=bert", cookie)
    clinic.ask("GET", f"/images/{image.id}", cookie=cookie)
    assert looks(clinic) == [("anna", image.id), ("bert", image.id)]


def test_who_has_no_session_and_what_is_no_image_is_told_of_nothing(clinic: Any) -> None:
    image = clinic.refused()
    assert clinic.ask("GET", f"/images/{image.id}").status == 401
    assert clinic.ask("GET", "/images/77", cookie=clinic.cookie()).status == 404
    assert looks(clinic) == []


def test_an_image_is_not_shown_whose_look_could_not_be_told(clinic: Any, monkeypatch: Any) -> None:
    image = clinic.refused("00815", PatientName="Muster^Anna")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(clinic.office, "looked_at", full)
    answer = clinic.ask("GET", f"/images/{image.id}", cookie=clinic.cookie())
    assert answer.status == 500 and "00815" not in answer.text


@pytest.mark.parametrize(("kind", "second"), [("http", False), ("folder", True), ("iris", True), ("dimse", True)])
def test_who_calls_an_image_back_reads_before_where_the_platform_will_get_a_second_one(
    clinic: Any, kind: str, second: bool
) -> None:
    clinic.config = replace(clinic.config, platform=SimpleNamespace(kind=kind))
    image = clinic.refused("00815", PatientName="Muster^Anna")
    entry = clinic.order("00815", "Muster^Anna")
    given = clinic.journal.move(image, Event.ASSIGN, "anna", "by hand", entry=entry, eye="R")
    receipt = Receipt("r1", image.digest, entry, "R", "then")
    Attempts(clinic.journal, clinic.clock).confirm(given, receipt, "receipt")
    answer = clinic.ask("GET", f"/images/{image.id}", cookie=clinic.cookie())
    assert "Call it back" in answer.text
    assert ("gets a second one" in answer.text) is second
