"""The quarantine in a real browser: by keyboard, by two at once, in the middle of things."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import State

pytestmark = pytest.mark.xdist_group("browser")


def states(clinic: Any, images: Any) -> list[State]:
    return [clinic.journal.get(image.id).state for image in images]


def pressed(tab: Page, *keys: str) -> int:
    """Press keys one after another, each when what the one before it asked of the server can have been seen."""
    for key in keys:
        tab.keyboard.press(key)
        expect(tab.locator(".htmx-request, .htmx-swapping, .htmx-settling, [data-unseen]")).to_have_count(0)
    return len(keys)


def test_an_exam_of_four_images_is_assigned_by_keyboard_in_three_presses(clinic: Any, opened: Any) -> None:
    order = clinic.order("000815", "Muster^Anna")
    clinic.order("00851", "Muster^Anni", minutes=90)
    images = clinic.exam("00815")
    tab = opened("/quarantine")
    expect(tab.locator(".cand-name").first).to_contain_text("Muster, Anna")
    count = pressed(tab, "1", "Enter")
    expect(tab.get_by_role("alertdialog")).to_contain_text("Patient number of file name is not the order's")
    assert states(clinic, images) == [State.QUARANTINED] * 4, "what contradicts is shown before it is done"
    count += pressed(tab, "Enter")
    expect(tab.locator("#toast")).to_contain_text("4 images given to the order")
    assert count < 6 and states(clinic, images) == [State.MATCHED] * 4
    assert {clinic.journal.get(image.id).entry for image in images} == {order}
    last = clinic.journal.history(images[0].id)[-1]
    assert last.who == "anna" and "despite PATIENT_MISMATCH" in last.why


def test_undo_takes_the_whole_exam_back(clinic: Any, opened: Any) -> None:
    clinic.order("00815", "Muster^Anna")
    images = clinic.exam()
    tab = opened("/quarantine")
    pressed(tab, "1", "Enter")
    expect(tab.locator("#toast")).to_contain_text("4 images given")
    pressed(tab, "u")
    expect(tab.locator("#toast")).to_contain_text("Taken back")
    assert states(clinic, images) == [State.QUARANTINED] * 4
    expect(tab.locator("#act")).to_have_attribute("data-exam", str(images[0].id))


def test_agreeing_to_one_contradiction_agrees_to_no_other_order(clinic: Any, opened: Any) -> None:
    clinic.order("000815", "Muster^Anna", minutes=-5)
    clinic.order("00851", "Muster^Anni", minutes=90)
    images = clinic.exam("00815", "R")
    tab = opened("/quarantine")
    pressed(tab, "1", "Enter")
    expect(tab.get_by_role("alertdialog")).to_be_visible()
    pressed(tab, "2", "Enter")
    expect(tab.get_by_role("alertdialog")).to_be_visible()
    assert states(clinic, images) == [State.QUARANTINED]
    expect(tab.locator(".cand input:checked")).to_have_attribute("data-place", "2")


def test_escape_leaves_a_contradiction_and_does_nothing(clinic: Any, opened: Any) -> None:
    clinic.order("000815", "Muster^Anna")
    images = clinic.exam("00815", "R")
    tab = opened("/quarantine")
    pressed(tab, "1", "Enter", "Escape")
    expect(tab.get_by_role("alertdialog")).to_have_count(0)
    assert states(clinic, images) == [State.QUARANTINED]


def test_an_eye_that_is_not_said_is_asked_for_and_given_by_key(clinic: Any, opened: Any) -> None:
    clinic.order("00815", "Muster^Anna")
    images = [clinic.refused("00815", None, reason=Code.EYE_UNKNOWN), clinic.refused("00815", "L")]
    tab = opened("/quarantine")
    pressed(tab, "1", "Enter")
    expect(tab.locator("#toast")).to_contain_text("Say which eye")
    assert states(clinic, images) == [State.QUARANTINED] * 2
    pressed(tab, "e", "1", "Enter")
    expect(tab.locator("#toast")).to_contain_text("2 images given")
    assert [clinic.journal.get(image.id).eye for image in images] == ["R", "L"]


def test_an_eye_is_corrected_and_what_was_read_stays(clinic: Any, opened: Any) -> None:
    clinic.order("00815", "Muster^Anna")
    [image] = clinic.exam("00815", "R")
    tab = opened("/quarantine")
    pressed(tab, "e")
    expect(tab.locator("#eye-L")).to_be_checked()
    pressed(tab, "1", "Enter")
    expect(tab.get_by_role("alertdialog")).to_contain_text("another eye")
    pressed(tab, "Enter")
    expect(tab.locator("#toast")).to_contain_text("given to the order")
    now = clinic.journal.get(image.id)
    assert now.eye == "L" and ("ImageLaterality", "R") in {(r.key, r.value) for r in now.readings}


def test_an_order_is_found_while_it_is_typed_and_nothing_of_it_is_in_an_address(clinic: Any, opened: Any) -> None:
    order = clinic.order("4711", "Müller-Lüdenscheidt^Jörg")
    [image] = clinic.exam("00815", "R")
    tab = opened("/quarantine")
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    pressed(tab, "/")
    tab.keyboard.type("mull jor")
    expect(tab.locator("#found .cand-name")).to_contain_text("Müller-Lüdenscheidt, Jörg")
    pressed(tab, "Enter", "Enter")
    expect(tab.get_by_role("alertdialog")).to_be_visible()
    pressed(tab, "Enter")
    expect(tab.locator("#toast")).to_contain_text("given to the order")
    assert clinic.journal.get(image.id).entry == order
    assert not [url for url in asked if "mull" in url or "4711" in url or "00815" in url]


def test_several_exams_are_chosen_together(clinic: Any, opened: Any) -> None:
    clinic.order("00815", "Muster^Anna")
    images = [*clinic.exam("00815", "RL"), clinic.refused(None, "R", reason=Code.NO_KEYS)]
    tab = opened("/quarantine")
    pressed(tab, "x", "j", "x")
    expect(tab.locator(".side")).to_contain_text("2 exams chosen together")
    expect(tab.locator("#assign")).to_contain_text("Assign 3 images")
    pressed(tab, "ArrowRight", "1", "Enter")
    expect(tab.locator("#toast")).to_contain_text("3 images given")
    assert states(clinic, images) == [State.MATCHED] * 3


def test_discarding_asks_why_and_enter_there_never_assigns(clinic: Any, opened: Any) -> None:
    clinic.order("00815", "Muster^Anna")
    images = clinic.exam()
    tab = opened("/quarantine")
    pressed(tab, "1", "d")
    expect(tab.locator("#discard-sheet")).to_be_visible()
    pressed(tab, "ArrowDown", "Enter")
    expect(tab.locator("#toast")).to_contain_text("4 images discarded")
    assert states(clinic, images) == [State.DISCARDED] * 4
    assert "test picture" in clinic.journal.history(images[0].id)[-1].why
    pressed(tab, "u")
    expect(tab.locator("#toast")).to_contain_text("Taken back")
    assert states(clinic, images) == [State.QUARANTINED] * 4


def test_a_release_goes_back_to_the_start(clinic: Any, opened: Any) -> None:
    images = clinic.exam()
    tab = opened("/quarantine")
    pressed(tab, "r")
    expect(tab.get_by_text("Nothing waits for a person.")).to_be_visible()
    assert states(clinic, images) == [State.SETTLED] * 4


def test_of_two_browsers_the_later_one_is_told_and_does_nothing(clinic: Any, new_tab: Callable[..., Page]) -> None:
    order = clinic.order("00815", "Muster^Anna")
    other = clinic.order("00816", "Muster^Anni")
    images = clinic.exam()
    tabs = []
    for person in ("anna", "bert"):
        tab = new_tab()
        tab.goto(clinic.link(person))
        tab.goto(tab.url + "quarantine")
        tabs.append(tab)
    pressed(tabs[0], "1", "Enter")
    expect(tabs[0].locator("#toast")).to_contain_text("4 images given")
    pressed(tabs[1], "2", "Enter")
    expect(tabs[1].locator("#toast")).to_contain_text("changed this meanwhile")
    assert {clinic.journal.get(image.id).entry for image in images} == {order} != {other}
    assert {clinic.journal.history(image.id)[-1].who for image in images} == {"anna"}


def test_a_reload_in_the_middle_changes_nothing_and_shows_the_same(clinic: Any, opened: Any) -> None:
    clinic.order("000815", "Muster^Anna")
    images = clinic.exam()
    tab = opened(f"/quarantine?image={images[2].id}")
    pressed(tab, "1", "Enter")
    tab.reload()
    expect(tab.locator(".pick[aria-current]")).to_have_attribute("id", f"pick-{images[2].id}")
    assert states(clinic, images) == [State.QUARANTINED] * 4


def test_what_arrives_appears_by_itself(clinic: Any, opened: Any) -> None:
    tab = opened("/quarantine")
    expect(tab.get_by_text("Nothing waits for a person.")).to_be_visible()
    expect(tab.locator("#count")).to_be_hidden()
    clinic.exam()
    expect(tab.locator("#count")).to_have_text("1")
    expect(tab.locator(".exam")).to_have_count(1)


def test_html_in_a_name_is_text(clinic: Any, opened: Any) -> None:
    evil = '"><img onerror>^<script>taken()</script>'
    clinic.order("00815", evil)
    image = clinic.refused("00815", "R", PatientName=evil, name="<b>a&b.jpg")
    tab = opened("/quarantine")
    expect(tab.locator(".cand-name").first).to_contain_text("<script>")
    base = tab.url.removesuffix("/quarantine")
    for path in ("/", "/quarantine", "/worklist", f"/images/{image.id}"):
        tab.goto(base + path)
        assert tab.locator("img[onerror], main b b").count() == 0
        assert tab.locator("main script").count() == 0


def test_single_keys_can_be_turned_off(clinic: Any, opened: Any) -> None:
    images = clinic.exam()
    tab = opened("/quarantine")
    pressed(tab, "?")
    tab.locator("#keys-on").uncheck()
    tab.locator("#work-title").focus()
    pressed(tab, "r")
    assert states(clinic, images) == [State.QUARANTINED] * 4


def test_every_frame_of_a_file_can_be_looked_at(clinic: Any, opened: Any) -> None:
    import io

    from PIL import Image

    out = io.BytesIO()
    first, *rest = [Image.new("RGB", (64, 64), (40 * n, 90, 20)) for n in range(1, 4)]
    first.save(out, "TIFF", save_all=True, append_images=rest)
    clinic.refused("00815", "R", content=out.getvalue(), name="stack.tif")
    tab = opened("/quarantine")
    expect(tab.locator(".frames .pick")).to_have_count(3)
    tab.locator(".frames .pick").nth(2).click()
    expect(tab.locator(".pic img")).to_have_attribute("src", "/pictures/1?size=large&frame=2")
    assert tab.locator(".pic img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 64


def test_who_acts_can_be_changed_and_stands_in_the_history(clinic: Any, opened: Any) -> None:
    clinic.order("00815", "Muster^Anna")
    images = clinic.exam()
    tab = opened("/quarantine")
    tab.locator(".menu summary").click()
    tab.locator("input[name=person]").fill("Schwester Béa")
    tab.keyboard.press("Enter")
    expect(tab.locator(".menu summary")).to_contain_text("Schwester Béa")
    pressed(tab, "1", "Enter")
    expect(tab.locator("#toast")).to_contain_text("4 images given")
    assert clinic.journal.history(images[0].id)[-1].who == "Schwester Béa"


def test_a_session_that_ended_shows_the_locked_page(clinic: Any, opened: Any) -> None:
    clinic.exam()
    tab = opened("/quarantine", refused=401)
    with tab.expect_event("console", lambda one: one.text == "listens"):
        tab.evaluate("new EventSource('/live').addEventListener('hello', () => console.info('listens'))")
    clinic.page.keeper._sessions.clear()
    expect(tab.get_by_role("heading", name="This page is locked")).to_be_visible()
    assert tab.locator(".exam").count() == 0


def test_a_session_that_ended_before_the_page_could_listen_shows_the_locked_page(clinic: Any, new_tab: Any) -> None:
    # The browser never asks again for a stream that was refused: the page would have shown its patients for ever.
    clinic.exam()
    tab = new_tab(refused=401)
    tab.goto(clinic.link())

    def late(route: Any) -> None:
        clinic.page.keeper._sessions.clear()
        route.continue_()

    tab.route("**/live", late)
    tab.goto(tab.url.rstrip("/") + "/quarantine")
    expect(tab.get_by_role("heading", name="This page is locked")).to_be_visible()
    assert tab.locator(".exam").count() == 0
