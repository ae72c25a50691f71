"""The page opens at once however much ever came, and a long quarantine stays fluid."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from irisdrop.record.text import stamp

pytestmark = pytest.mark.xdist_group("browser")

AT_ONCE = 0.3  # seconds
FIRST_PAINT = """() => new Promise(done => new PerformanceObserver(list => {
    for (const one of list.getEntries()) if (one.name === "first-contentful-paint") done(one.startTime);
}).observe({type: "paint", buffered: true}))"""


def fill(clinic: Any, count: int, state: str, *, per_day: int = 300) -> None:
    """Images as they stand after years, written in one commit."""
    now = datetime.now(UTC)
    rows, history = [], []
    for number in range(count):
        arrived = stamp(now - timedelta(days=number // per_day, seconds=number % per_day))
        patient = f"{number // 4:06}"
        readings = json.dumps(
            [
                ["PatientID", patient, patient, "filename:PatientID", None],
                ["ImageLaterality", "RL"[number % 2], "RL"[number % 2], "filename:ImageLaterality", None],
            ]
        )
        row = (state, "room-2", f"/x/{number}".encode(), f"{number}.jpg", arrived, 1, readings, arrived, arrived)
        reason = ("NO_WORKLIST_ENTRY", "no open order") if state == "QUARANTINED" else (None, None)
        rows.append((*row, *reason, f"E-{patient}" if state == "DELIVERED" else None, "RL"[number % 2]))
        history.append((number + 1, arrived, "see", None, "SEEN", "irisdrop", "appeared"))
    database = clinic.journal.database
    with database.transaction():
        database.executemany(
            "INSERT INTO images (state, camera, path, name, arrived, live, readings, recency, changed, reason, detail, "
            "entry, eye) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
            rows,
        )
        database.executemany(
            "INSERT INTO history (image, at, event, before, after, who, why) VALUES (?,?,?,?,?,?,?)", history
        )


def seconds(clinic: Any, path: str, cookie: str) -> float:
    """The best of ten: the machine does other things too."""
    taken: list[float] = []
    while len(taken) < 10 and (not taken or min(taken) > AT_ONCE / 2):
        began = time.perf_counter()
        answer = clinic.ask("GET", path, cookie=cookie)
        taken.append(time.perf_counter() - began)
        assert answer.status in (200, 503)
    return min(taken)


def test_every_page_opens_in_300_ms_with_100_000_images_in_the_journal(clinic: Any, record_property: Any) -> None:
    fill(clinic, 100_000, "DELIVERED")
    clinic.exam()
    for number in range(40):
        clinic.order(f"{number:06}", "Muster^Anna", minutes=number)
    cookie = clinic.cookie()
    for path in ("/", "/quarantine", "/worklist", "/images/500", "/profiles", "/state", "/metrics", "/header"):
        clinic.journal.set_meta("a change", path)  # nothing is remembered from the page before
        taken = seconds(clinic, path, cookie)
        record_property(path, round(taken, 3))
        print(f"{path}: {1000 * taken:.0f} ms")
        assert taken < AT_ONCE, path


def test_the_browser_paints_the_first_page_in_300_ms_with_100_000_images(clinic: Any, new_tab: Any) -> None:
    fill(clinic, 100_000, "DELIVERED")
    clinic.exam()
    tab = new_tab()
    tab.goto(clinic.link())
    paints: list[float] = []
    while len(paints) < 10 and (not paints or min(paints) > 500 * AT_ONCE):
        tab.reload()
        paints.append(tab.evaluate(FIRST_PAINT))
    print(f"first paint: {min(paints):.0f} ms")
    assert min(paints) < 1000 * AT_ONCE


def test_5000_quarantined_images_stay_fluid(clinic: Any, new_tab: Any) -> None:
    fill(clinic, 5000, "QUARANTINED")
    tab = new_tab()
    tab.goto(clinic.link())
    base = tab.url.rstrip("/")
    paints: list[float] = []
    while len(paints) < 10 and (not paints or min(paints) > 300):
        tab.goto(base + "/quarantine")
        paints.append(tab.evaluate(FIRST_PAINT))
    print(f"first paint: {min(paints):.0f} ms")
    assert min(paints) < 600
    scroll = """() => new Promise(done => {
            const list = document.querySelector("#list"), gaps = [];
            let before = performance.now(), n = 0;
            const step = now => {
                gaps.push(now - before); before = now;
                list.scrollTop += 120;
                ++n < 240 ? requestAnimationFrame(step) : done({gaps, at: list.scrollTop, exams: document.querySelectorAll(".exam").length});
            };
            requestAnimationFrame(step);
        })"""
    gaps: list[float] = []
    for _ in range(5):  # the best of some: the machine does other things too
        tab.goto(base + "/quarantine")
        frames = tab.evaluate(scroll)
        gaps = min(gaps or sorted(frames["gaps"]), sorted(frames["gaps"]), key=lambda one: one[int(len(one) * 0.95)])
        if gaps[len(gaps) // 2] < 40 and gaps[int(len(gaps) * 0.95)] < 120:
            break
    print(
        f"frames: median {gaps[len(gaps) // 2]:.0f} ms, 95th of 100 {gaps[int(len(gaps) * 0.95)]:.0f} ms, exams {frames['exams']}"
    )
    assert frames["exams"] > 120, "more of the list came as it was scrolled"
    assert gaps[len(gaps) // 2] < 40 and gaps[int(len(gaps) * 0.95)] < 120
    moves: list[float] = []
    while len(moves) < 5 and (not moves or min(moves) > 0.5):
        tab.goto(base + "/quarantine")
        began = time.perf_counter()
        tab.keyboard.press("j")
        expect(tab.locator(".exam").nth(1)).to_have_class("exam chosen")
        moves.append(time.perf_counter() - began)
    print(f"next exam: {1000 * min(moves):.0f} ms")
    assert min(moves) < 1.0
