"""Every page, dark and light: what is on it, and that everybody can read it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from irisdrop.surface.page import words
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import State

pytestmark = pytest.mark.xdist_group("browser")

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LONG = "Müller-Lüdenscheidt von und zu Hohenschwangau^Karl-Friedrich Maximilian^^Prof. Dr."


@pytest.fixture
def busy(clinic: Any) -> Any:
    """A clinic in which everything that a page can show is there."""
    order = clinic.order("4711", LONG, minutes=-20)
    clinic.order("000815", "Muster^Anna", minutes=-10)
    clinic.exam("00815")
    clinic.refused(None, None, reason=Code.NO_KEYS, camera="handheld")
    given = clinic.exam("4711", "R")
    clinic.office.assign([(image.id, image.version) for image in given], clinic.choice(order), {}, "anna", frozenset())
    clinic.office.conditions.raise_("PLATFORM_DENIED", "platform")
    clinic.office.conditions.raise_("FOLDER_POLLED", "room-2")
    clinic.office.pause("anna")
    return clinic


@pytest.fixture
def checked(browser: Browser) -> Iterator[Callable[..., Any]]:
    """A tab in which axe may run: our own policy lets no script in that is not ours."""
    contexts = []

    def tab(clinic: Any, scheme: str, width: int = 1440) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 860},
            color_scheme=scheme,  # type: ignore[arg-type]
            bypass_csp=True,
        )
        contexts.append(context)
        page = context.new_page()
        page.goto(clinic.link())
        return page

    yield tab
    for context in contexts:
        context.close()


def violations(tab: Page) -> list[str]:
    tab.evaluate(AXE.read_text())
    found = tab.evaluate("tags => axe.run(document, {runOnly: tags})", TAGS)["violations"]
    return [f"{one['id']}: {[node['target'] for node in one['nodes']][:3]}" for one in found]


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_no_page_keeps_anybody_out(busy: Any, checked: Any, scheme: str) -> None:
    tab = checked(busy, scheme)
    base = tab.url.rstrip("/")
    for path in ("/", "/quarantine", "/worklist", "/images/1", "/images/6", "/profiles", "/state", "/locked"):
        tab.goto(base + path)
        assert violations(tab) == [], path
    tab.goto(base + "/quarantine?image=1")
    tab.keyboard.press("1")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("alertdialog")).to_be_visible()
    assert violations(tab) == []
    tab.keyboard.press("d")
    tab.keyboard.press("?")
    assert violations(tab) == []


@pytest.mark.parametrize("width", [1920, 1280, 900, 400])
def test_no_page_is_wider_than_its_window(busy: Any, checked: Any, width: int) -> None:
    tab = checked(busy, "dark", width)
    base = tab.url.rstrip("/")
    for path in ("/", "/quarantine", "/worklist", "/images/6", "/profiles", "/state"):
        tab.goto(base + path)
        wide = tab.evaluate(
            "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 40) + e.getBoundingClientRect().right).slice(0, 3)"
        )
        assert tab.evaluate("document.documentElement.scrollWidth") <= width, (path, wide)


@pytest.mark.usefixtures("busy")
def test_now_shows_cameras_conditions_and_where_each_exam_is(opened: Any) -> None:
    tab = opened("/")
    expect(tab.locator(".cameras li")).to_have_count(2)
    expect(tab.get_by_text("The platform refuses our credentials").first).to_be_visible()
    row = tab.locator(".exam-row", has_text="Müller-Lüdenscheidt")
    expect(row).to_contain_text("left eye is missing")
    expect(row).to_contain_text("about to be sent")


def test_now_follows_what_happens(clinic: Any, opened: Any) -> None:
    tab = opened("/")
    expect(tab.get_by_text("No images yet today.")).to_be_visible()
    clinic.exam("00815", "RL")
    expect(tab.locator(".exam-row")).to_contain_text("2 for a person")


@pytest.mark.usefixtures("busy")
def test_an_image_shows_its_whole_life(opened: Any) -> None:
    tab = opened("/images/6")
    for text in ("about to be sent", "assigned to an order by anna", "complete and spooled", "appeared in the folder"):
        expect(tab.get_by_text(text).first).to_be_visible()


@pytest.mark.usefixtures("busy")
def test_the_worklist_says_who_has_images(opened: Any) -> None:
    tab = opened("/worklist")
    expect(tab.locator("tbody tr", has_text="4711")).to_contain_text("1 about to be sent")
    expect(tab.locator("tbody tr", has_text="000815")).to_contain_text("no images yet")


def test_a_pause_is_ended_from_the_page(busy: Any, opened: Any) -> None:
    tab = opened("/state")
    tab.get_by_role("button", name="Resume delivery").click()
    expect(tab.get_by_role("button", name="Pause delivery")).to_be_visible()
    assert not busy.office.standing().paused_by


def test_a_delivered_image_is_called_back_with_a_reason(clinic: Any, opened: Any) -> None:
    from irisdrop.vocabulary.deliveries import Receipt

    order = clinic.order("00815", "Muster^Anna")
    [image] = clinic.exam("00815", "R")
    [image] = clinic.office.assign([(image.id, image.version)], clinic.choice(order), {}, "anna", frozenset())
    receipt = Receipt("receipt-1", image.digest, order, "R", "2026-03-02T12:00:00Z")
    clinic.office.attempts.confirm(image, receipt, "receipt receipt-1")
    tab = opened(f"/images/{image.id}")
    tab.get_by_text("Call it back…").click()
    tab.get_by_label("What is wrong with the delivery?").fill("the wrong person")
    tab.get_by_role("button", name="Call it back").click()
    expect(tab.get_by_role("status")).to_contain_text("Called back")
    assert clinic.journal.get(image.id).state is State.QUARANTINED


def test_an_edited_profile_is_tried_on_the_past_before_it_goes_live(clinic: Any, opened: Any) -> None:
    clinic.order("00815", "Muster^Anna")
    clinic.refused("00815", "R", name="20260302_00815_R_001.JPG")
    tab = opened("/profiles")
    tab.get_by_text("Try an edited version").first.click()
    text = tab.get_by_label("The profile, edited").first
    text.fill(text.input_value().replace("title:", "tilte:"))
    tab.get_by_role("button", name="Show what it would change").first.click()
    expect(tab.locator(".fault")).to_contain_text("did you mean: title")
    text = tab.get_by_label("The profile, edited").first
    text.fill(text.input_value().replace("tilte:", "title:"))
    tab.get_by_role("button", name="Show what it would change").first.click()
    expect(tab.get_by_text("1 image decided again")).to_be_visible()
    assert clinic.office.profiles()["room-2"].title == "Topcon TRC-NW400"


def test_the_support_bundle_is_downloaded_and_names_nobody(busy: Any, opened: Any) -> None:
    import zipfile

    tab = opened("/state")
    with tab.expect_download() as downloading:
        tab.get_by_role("button", name="Download").click()
    with zipfile.ZipFile(downloading.value.path()) as bundle:
        whole = b"".join(bundle.read(name) for name in bundle.namelist())
    assert whole and not [name for name in (b"Muster", b"4711", b"00815") if name in whole]
    assert busy.journal.get(1) is not None


def test_who_opened_the_page_and_who_paused_is_in_the_audit(busy: Any, opened: Any) -> None:
    opened("/")
    database = busy.journal.database
    told = [tuple(row) for row in database.rows("SELECT who, detail FROM audit")]
    assert ("anna", "the local page was opened") in told and ("anna", "delivery paused") in told


def test_light_and_dark_can_be_chosen(opened: Any) -> None:
    tab = opened("/")
    for theme in ("light", "dark"):
        tab.locator(".menu summary").click()
        tab.locator(f"button[name=theme][value={theme}]").click()
        expect(tab.locator("html")).to_have_attribute("data-theme", theme)
        assert tab.evaluate("getComputedStyle(document.documentElement).colorScheme") == theme


def test_without_scripts_a_person_can_still_read_everything(busy: Any, new_tab: Any) -> None:
    tab = new_tab(java_script_enabled=False)
    tab.goto(busy.link())
    tab.get_by_role("link", name="Quarantine").first.click()
    expect(tab.locator(".exam")).to_have_count(2)
    tab.locator(".exam a.open").nth(1).click()
    expect(tab.locator(".side")).to_contain_text("00815")


# ---------------------------------------------------------------------- words


def test_every_text_of_the_templates_stands_in_one_place_and_every_text_there_is_used() -> None:
    folder = Path(words.__file__).parent
    sources = "".join(path.read_text() for path in (*folder.rglob("*.html"), *folder.rglob("*.py")))
    sources += "".join(path.read_text() for path in (folder.parent / "tray").glob("*.py"))
    asked = set(re.findall(r"""\b(?:t|say)\(\s*["'](\w+)["']""", sources))
    assert asked - set(words.WORDS) == set()
    composed = {name for name in words.WORDS if name.startswith(("no_picture_", "discard_", "face_", "tray_"))}
    sections = {"now", "quarantine", "worklist", "profiles", "health"}
    assert set(words.WORDS) - asked - composed - sections == set()


def test_every_state_key_and_severity_has_a_word() -> None:
    from irisdrop.vocabulary.conditions import Severity
    from irisdrop.vocabulary.keys import KEYS

    assert set(words.STATES) == set(State) and set(words.KEYS) == set(KEYS)
    assert set(words.SEVERITIES) == {str(one) for one in Severity}


# ---------------------------------------------------------------------- for programs


def test_metrics_and_health_name_nobody(busy: Any) -> None:
    metrics, health = busy.ask("GET", "/metrics"), busy.ask("GET", "/health")
    assert metrics.status == 200 and 'irisdrop_images{camera="room-2",state="quarantined"} 4' in metrics.text
    assert 'irisdrop_condition{code="PLATFORM_DENIED",severity="error"} 1' in metrics.text
    assert (health.status, health.json["status"]) == (503, "broken")
    for text in (metrics.text, health.text):
        assert not [word for word in ("4711", "0815", "Muster", "Müller", "image1", "A4711") if word in text]
    for line in metrics.text.splitlines():
        assert re.fullmatch(r"# (HELP|TYPE) \w+ .+|\w+(\{(\w+=\"[^\"]*\",?)+\})? -?[\d.e+]+", line), line


def test_the_tray_is_told_counts_and_no_names(busy: Any) -> None:
    from irisdrop.surface.page.access import secret_of
    from irisdrop.surface.page.knock import ask, knock

    token = knock(busy.page.port, secret_of(busy.config.state), "tray", "anna").word
    told = ask(busy.page.port, "GET", "/tray/state", token=token)
    assert (told["face"], told["exams"], told["paused"]) == ("broken", 2, True)
    assert not [word for word in ("4711", "0815", "Muster", "Müller") if word in str(told)]
    assert ask(busy.page.port, "GET", "/tray/state", token="guessed") == {}
