"""Answers that come late or in another order, keys that are held or pressed twice, pages that come back."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from playwright.sync_api import Error, Page, Route, expect

from irisdrop.surface.page.choice import Choice
from irisdrop.vocabulary.orders import WorklistChanges, WorklistEntry
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import State

pytestmark = pytest.mark.xdist_group("browser")

AT_REST = ".htmx-request, .htmx-swapping, .htmx-settling, [data-unseen]"


class Held:
    """Requests to one address that don't reach the server until they are let through; later ones pass at once."""

    def __init__(self, tab: Page, where: str) -> None:
        self._tab = tab
        self._routes: list[Route] = []
        self._holding = True
        tab.route(where, self._asked)

    def wait(self) -> None:
        """Until one is held; from then on none is held besides."""
        while not self._routes:
            self._tab.wait_for_timeout(20)
        self._holding = False

    def let_through(self) -> None:
        for route in self._routes:
            with contextlib.suppress(Error):  # the page takes back what it no longer wants
                route.continue_()
            route.request.response()  # has come, or will never

    def _asked(self, route: Route) -> None:
        if self._holding:
            self._routes.append(route)
        else:
            route.continue_()


def rested(tab: Page) -> None:
    expect(tab.locator(AT_REST)).to_have_count(0)


def state(clinic: Any, image: Any) -> State:
    return clinic.journal.get(image.id).state  # type: ignore[no-any-return]


def press(tab: Page, *keys: str) -> None:
    for key in keys:
        tab.keyboard.press(key)
        rested(tab)


@pytest.fixture
def two(clinic: Any) -> Any:
    """Two exams of two patients, each with its order; the newer one stands first."""
    clinic.order("00815", "Muster^Anna")
    clinic.order("00816", "Meier^Bert", minutes=5)
    return [clinic.refused("00815", "R"), clinic.refused("00816", "R", camera="handheld")]


# ---------------------------------------------------------------------- answers that overtake each other


def test_of_two_exams_that_were_asked_for_the_last_one_is_shown_whichever_answer_is_slower(
    two: Any, opened: Any
) -> None:
    anna, bert = two
    tab = opened(f"/quarantine?image={anna.id}")
    slow = Held(tab, "**/quarantine/look")
    tab.locator(f"a.open[href='/quarantine?image={bert.id}']").click()
    slow.wait()
    tab.locator(f"a.open[href='/quarantine?image={anna.id}']").click()
    rested(tab)
    slow.let_through()
    rested(tab)
    expect(tab.locator("#act")).to_have_attribute("data-exam", str(anna.id))


def test_nothing_is_assigned_while_another_exam_is_on_its_way(clinic: Any, two: Any, opened: Any) -> None:
    anna, bert = two
    tab = opened(f"/quarantine?image={anna.id}")
    slow = Held(tab, "**/quarantine/look")
    tab.locator(f"a.open[href='/quarantine?image={bert.id}']").click()
    slow.wait()
    tab.locator("#work-title").focus()
    for key in ("1", "Enter", "r"):
        tab.keyboard.press(key)
    slow.let_through()
    expect(tab.locator("#act")).to_have_attribute("data-exam", str(bert.id))
    rested(tab)
    assert [state(clinic, one) for one in two] == [State.QUARANTINED] * 2


def test_nothing_acts_on_an_exam_that_nobody_can_have_seen_yet(clinic: Any, two: Any, opened: Any) -> None:
    anna, bert = two
    tab = opened(f"/quarantine?image={anna.id}")
    tab.evaluate("""document.addEventListener("htmx:afterSettle", (event) => {
        if (event.detail.target.id === "bench") document.querySelector("#release")?.click();
    })""")
    press(tab, "r")  # and once more, in the same moment in which the next exam stands there
    expect(tab.locator("#act")).to_have_attribute("data-exam", str(bert.id))
    assert (state(clinic, anna), state(clinic, bert)) == (State.SETTLED, State.QUARANTINED)


def test_a_key_that_is_held_down_acts_once(clinic: Any, two: Any, opened: Any) -> None:
    tab = opened("/quarantine")
    tab.keyboard.down("r")
    rested(tab)
    tab.keyboard.down("r")  # the keyboard's repetition
    tab.keyboard.up("r")
    rested(tab)
    assert sorted(str(state(clinic, one)) for one in two) == ["QUARANTINED", "SETTLED"]


def test_a_second_press_of_enter_never_agrees_to_a_contradiction_that_it_brought_up(clinic: Any, opened: Any) -> None:
    clinic.order("000815", "Muster^Anna")
    image = clinic.refused("00815", "R")
    tab = opened("/quarantine")
    tab.evaluate("""document.addEventListener("htmx:afterSettle", () => {
        const despite = document.querySelector("#despite");
        if (despite && !window.pressed) { window.pressed = true; despite.click(); }  // in the moment in which it comes up
    })""")
    press(tab, "1", "Enter")
    expect(tab.get_by_role("alertdialog")).to_be_visible()
    assert tab.evaluate("window.pressed")
    tab.keyboard.down("Enter")
    tab.keyboard.up("Enter")
    expect(tab.locator("#toast")).to_contain_text("given to the order")  # read, and then agreed to
    assert clinic.journal.history(image.id)[-1].why.count("despite") == 1


def test_enter_held_down_agrees_to_nothing(clinic: Any, opened: Any) -> None:
    clinic.order("000815", "Muster^Anna")
    image = clinic.refused("00815", "R")
    tab = opened("/quarantine")
    press(tab, "1")
    tab.keyboard.down("Enter")
    expect(tab.get_by_role("alertdialog")).to_be_visible()
    rested(tab)
    for _ in range(3):
        tab.keyboard.down("Enter")
    tab.keyboard.up("Enter")
    rested(tab)
    assert state(clinic, image) is State.QUARANTINED


# ---------------------------------------------------------------------- what a person is in the middle of


def test_letters_typed_into_the_search_stay_letters_when_an_answer_comes_in_between(clinic: Any, opened: Any) -> None:
    clinic.order("00815", "Muster^Anna")
    image = clinic.refused("00815", "R")
    tab = opened("/quarantine")
    slow = Held(tab, "**/quarantine/look")
    tab.keyboard.press("e")
    slow.wait()
    tab.keyboard.press("/")
    tab.keyboard.type("dr")
    slow.let_through()
    rested(tab)
    expect(tab.locator("#eye-L")).to_be_checked()
    tab.keyboard.type("er")
    expect(tab.locator("#search")).to_have_value("drer")
    expect(tab.locator("#search")).to_be_focused()
    rested(tab)
    assert state(clinic, image) is State.QUARANTINED
    expect(tab.locator("#discard-sheet")).to_be_hidden()


def test_enter_discards_what_was_about_to_be_discarded_when_an_answer_comes_in_between(
    clinic: Any, opened: Any
) -> None:
    clinic.order("00815", "Muster^Anna")
    image = clinic.refused("00815", "R")
    tab = opened("/quarantine")
    press(tab, "1")
    slow = Held(tab, "**/quarantine/look")
    tab.keyboard.press("e")
    slow.wait()
    tab.keyboard.press("d")
    tab.keyboard.press("ArrowDown")
    slow.let_through()
    rested(tab)
    expect(tab.locator("#eye-L")).to_be_checked()
    expect(tab.locator("#discard-sheet")).to_be_visible()
    press(tab, "Enter")
    expect(tab.locator("#toast")).to_contain_text("1 image discarded")
    assert "test picture" in clinic.journal.history(image.id)[-1].why


def test_enter_in_the_search_takes_the_first_of_what_was_typed_and_not_of_what_was_found_before(
    clinic: Any, opened: Any
) -> None:
    clinic.order("1", "Muster^Anna")
    clinic.order("2", "Musterfrau^Berta", minutes=5)
    clinic.refused(None, "R", reason=Code.NO_KEYS)
    tab = opened("/quarantine")
    press(tab, "/")
    tab.keyboard.type("muster")
    expect(tab.locator("#found .cand-name")).to_have_count(2)
    slow = Held(tab, "**/quarantine/search")
    tab.keyboard.type("frau")
    slow.wait()
    tab.keyboard.press("Enter")
    tab.keyboard.press("Enter")
    expect(tab.locator(".cand input:checked")).to_have_count(0)
    slow.let_through()
    chosen = tab.locator(".cand:has(input:checked)")
    expect(chosen).to_contain_text("Musterfrau, Berta")


def test_a_search_that_was_overtaken_is_never_shown(clinic: Any, opened: Any) -> None:
    clinic.order("1", "Muster^Anna")
    clinic.order("2", "Meier^Bert", minutes=5)
    clinic.refused(None, "R", reason=Code.NO_KEYS)
    tab = opened("/quarantine")
    slow = Held(tab, "**/quarantine/search")
    tab.keyboard.press("/")
    tab.keyboard.type("muster")
    slow.wait()
    tab.locator("#search").fill("meier")
    expect(tab.locator("#found .cand-name")).to_contain_text("Meier, Bert")
    slow.let_through()
    rested(tab)
    expect(tab.locator("#found .cand-name")).to_have_text(["Meier, Bert · 7 Mar 1961"])


# ---------------------------------------------------------------------- the order that was chosen


def test_an_order_that_became_another_patient_s_since_it_was_shown_takes_nothing(clinic: Any, opened: Any) -> None:
    order = clinic.order("00815", "Muster^Anna")
    image = clinic.refused("00815", "R")
    tab = opened("/quarantine")
    press(tab, "1")
    now = clinic.orders.get(order)
    keys = {**now.keys, "PatientName": "Meier^Bert", "PatientBirthDate": "1950-01-01"}
    clinic.orders.apply(WorklistChanges((WorklistEntry(order, keys, now.start),), (), None, full=False))
    press(tab, "Enter")
    expect(tab.locator("#toast")).to_contain_text("The worklist says something else of that order")
    expect(tab.locator(".cand-name").first).to_contain_text("Meier, Bert")
    expect(tab.locator(".cand input:checked")).to_have_count(0)
    assert state(clinic, image) is State.QUARANTINED


def test_a_choice_is_read_as_it_was_written(clinic: Any) -> None:
    entry = clinic.orders.get(clinic.order("a:b c", "Muster^Anna"))
    assert Choice.read(str(Choice.of(entry))) == Choice.of(entry)
    for text in ("", "E-1", "abc:"):
        assert Choice.read(text) == Choice()


# ---------------------------------------------------------------------- pages that come back


def test_going_back_chooses_no_order_for_the_exam_that_is_now_there(clinic: Any, two: Any, opened: Any) -> None:
    anna, bert = two
    tab = opened("/quarantine")
    first = int(tab.locator("#act").get_attribute("data-exam") or 0)
    press(tab, "1")
    tab.locator("nav a", has_text="Worklist").click()
    tab.wait_for_url("**/worklist")
    mine = anna if anna.id == first else bert
    clinic.office.discard([(mine.id, mine.version)], "bert", "blurred")
    tab.go_back()
    expect(tab.locator("#act")).not_to_have_attribute("data-exam", str(first))
    expect(tab.locator(".cand input:checked")).to_have_count(0)


@pytest.mark.usefixtures("two")
def test_going_back_after_locking_shows_nobody(opened: Any) -> None:
    tab = opened("/quarantine")
    tab.locator(".menu summary").click()
    tab.get_by_role("button", name="Lock").click()
    tab.wait_for_url("**/locked")
    tab.go_back()
    expect(tab.get_by_role("heading", name="This page is locked")).to_be_visible()
    assert tab.locator(".exam").count() == 0


@pytest.mark.usefixtures("two")
def test_a_page_that_the_browser_kept_is_asked_for_anew(opened: Any) -> None:
    tab = opened("/quarantine")
    with tab.expect_navigation(url="**/quarantine"):
        tab.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    expect(tab.locator(".exam")).to_have_count(2)


@pytest.mark.usefixtures("two")
def test_locking_one_tab_locks_every_other(opened: Any) -> None:
    tab = opened("/quarantine", refused=401)
    others = [tab.context.new_page() for _ in range(2)]
    for other in others:
        other.goto(tab.url)
        expect(other.locator(".exam")).to_have_count(2)
    tab.locator(".menu summary").click()
    tab.get_by_role("button", name="Lock").click()
    for one in (tab, *others):
        expect(one.get_by_role("heading", name="This page is locked")).to_be_visible(timeout=30_000)


def test_eight_tabs_leave_a_connection_to_act_with(clinic: Any, two: Any, opened: Any) -> None:
    tab = opened("/quarantine")
    for _ in range(7):
        tab.context.new_page().goto(tab.url)
    last = tab.context.pages[-1]
    press(last, "r")
    expect(tab.locator("#count")).to_have_text("1")  # and every tab hears of it
    assert sorted(str(state(clinic, one)) for one in two) == ["QUARANTINED", "SETTLED"]


@pytest.mark.usefixtures("two")
def test_a_link_opened_again_leaves_the_other_tab_open_when_its_first_session_is_gone(clinic: Any, opened: Any) -> None:
    tab = opened("/quarantine")
    other = tab.context.new_page()
    other.goto(clinic.link("bert"))
    expect(tab.locator("#who")).to_contain_text("bert", timeout=30_000)
    assert len(clinic.page.keeper._sessions) == 1
    expect(tab.locator(".exam")).to_have_count(2)


@pytest.mark.usefixtures("two")
def test_patients_are_hidden_once_nothing_was_heard_for_two_minutes(clinic: Any, new_tab: Any) -> None:
    tab = new_tab(refused=503)
    tab.clock.install()
    tab.goto(clinic.link())
    tab.goto(tab.url.rstrip("/") + "/quarantine")
    expect(tab.locator(".exam")).to_have_count(2)
    tab.route("**/live", lambda route: route.fulfill(status=503))
    tab.reload()
    expect(tab.locator("#lost")).to_be_visible()
    tab.clock.fast_forward(60_000)
    expect(tab.locator(".exam").first).to_be_visible()
    tab.clock.fast_forward(70_000)
    expect(tab.locator(".exam").first).to_be_hidden()
    expect(tab.locator("#lost")).to_be_visible()
    tab.unroute("**/live")
    tab.clock.fast_forward(3_000)
    expect(tab.locator(".exam").first).to_be_visible()
