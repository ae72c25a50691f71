"""A clinic's records with a quarantine, the page on them, and a real browser to look at it."""

from __future__ import annotations

import http.client
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from irisdrop.profiles.config import Config, load_config, load_profiles
from irisdrop.record.journal import Arrival, Journal
from irisdrop.record.known import Fingerprint
from irisdrop.record.orders import Orders
from irisdrop.record.spool import Origin, Spool
from irisdrop.recovery import JOURNAL
from irisdrop.reference.retina import draw
from irisdrop.surface.page.access import secret_of
from irisdrop.surface.page.choice import Choice
from irisdrop.surface.page.knock import knock
from irisdrop.surface.page.office import Office
from irisdrop.surface.page.server import LocalPage
from irisdrop.vocabulary.clock import SystemClock
from irisdrop.vocabulary.images import ImageFile, Reading
from irisdrop.vocabulary.orders import WorklistChanges, WorklistEntry
from irisdrop.vocabulary.reasons import Code

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
expect.set_options(timeout=30_000)  # a machine that runs other tests paints late
AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"


@dataclass
class Clinic:
    """The records of one site, written as the agent would, and its page."""

    root: Path
    config: Config
    clock: SystemClock = field(default_factory=SystemClock)
    page: LocalPage = field(init=False)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.spool = Spool(self.config.state / "spool")
        self.journal = Journal.open(self.config.state / JOURNAL, self.clock)
        self.orders = Orders(self.journal.database, self.clock)
        profiles = load_profiles(self.config)
        self.woken: list[str] = []
        self.office = Office(
            lambda: self.config, self.clock, self.spool, lambda: profiles, wake=lambda: self.woken.append("woken")
        )
        self.page = LocalPage(self.office, 0)

    def close(self) -> None:
        self.page.stop()
        self.office.close()
        self.journal.close()

    # ------------------------------------------------------------------ what is there

    def order(self, number: str, name: str, *, minutes: int = 0, born: str = "1961-03-07", **keys: str) -> str:
        """One order that is due in some minutes; its id."""
        start = datetime.now(UTC) + timedelta(minutes=minutes)
        entry = WorklistEntry(
            f"E-{number}",
            {
                "PatientID": number,
                "PatientName": name,
                "PatientBirthDate": born,
                "AccessionNumber": f"A{number}",
                **keys,
            },
            start,
        )
        self.orders.apply(WorklistChanges((entry,), (), None, full=False))
        return entry.id

    def choice(self, order: str) -> Choice:
        """An order as it is shown now."""
        entry = self.orders.get(order)
        assert entry is not None
        return Choice.of(entry)

    def settled(self, content: bytes, *, name: str | None = None, camera: str = "room-2") -> ImageFile:
        """An image whose bytes are spooled."""
        number = next(self.numbers)
        name = name or f"image{number}.jpg"
        path = str(self.root / "exports" / camera / name)
        copy = self.spool.receive()
        copy.write(content)
        size = copy.size
        digest = self.spool.keep(copy, Origin(camera, path, name, self.clock.now(), True))
        arrival = Arrival(camera, "", name, path, Fingerprint(size, number, number, number))
        image = self.journal.settle(arrival, digest, size, arrived=self.clock.now(), live=True, racy=False)
        assert image is not None
        return image

    def refused(
        self,
        patient: str | None = "00815",
        eye: str | None = "R",
        *,
        reason: Code = Code.NO_WORKLIST_ENTRY,
        content: bytes | None = None,
        camera: str = "room-2",
        name: str | None = None,
        **keys: str,
    ) -> ImageFile:
        """An image in quarantine that says what is told."""
        number = next(self.numbers)
        image = self.settled(content or small(number, eye or "R"), name=name, camera=camera)
        said: Mapping[str, str | None] = {"PatientID": patient, "ImageLaterality": eye, **keys}
        readings = tuple(Reading(key, value, value, f"filename:{key}") for key, value in said.items() if value)
        image = self.journal.identify(image, readings, "profile", "read")
        return self.journal.refuse(image, reason, "no open order has this PatientID")

    def exam(self, patient: str = "00815", eyes: str = "RLRL") -> list[ImageFile]:
        """Several images of one patient in quarantine."""
        return [self.refused(patient, eye) for eye in eyes]

    # ------------------------------------------------------------------ how it is reached

    def link(self, person: str = "anna", host: str | None = None) -> str:
        """A link that opens the page once."""
        admission = knock(self.page.port, secret_of(self.config.state), "page", person)
        return f"http://{host or admission.host}:{self.page.port}/enter?code={admission.word}"

    def cookie(self, person: str = "anna") -> str:
        """The cookie of a session of its own."""
        admission = knock(self.page.port, secret_of(self.config.state), "page", person)
        answer = self.ask("GET", f"/enter?code={admission.word}")
        assert answer.status == 303
        return str(answer.headers["Set-Cookie"].partition(";")[0])

    def ask(
        self, method: str, path: str, body: bytes | str | None = None, cookie: str | None = None, **headers: str
    ) -> Answer:
        """One request by a client that sends exactly what it is told to."""
        connection = http.client.HTTPConnection("127.0.0.1", self.page.port, timeout=20)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if cookie:
            sent["Cookie"] = cookie
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def post(self, path: str, body: str, cookie: str, **headers: str) -> Answer:
        """A form, as our own page would send it."""
        origin = headers.pop("Origin", f"http://127.0.0.1:{self.page.port}")
        return self.ask(
            "POST", path, body, cookie, Origin=origin, Content_Type="application/x-www-form-urlencoded", **headers
        )


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Any
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


_drawn: dict[str, bytes] = {}


def small(number: int, eye: str) -> bytes:
    """A picture of its own for each number, quickly: one drawing, and other bytes behind its end."""
    if eye not in _drawn:
        _drawn[eye] = draw(1, eye)
    return _drawn[eye] + number.to_bytes(8, "big")


@pytest.fixture
def make_clinic(tmp_path: Path) -> Iterator[Callable[..., Clinic]]:
    made: list[Clinic] = []

    def make(*, undo: str = "15s", serve: bool = True) -> Clinic:
        root = tmp_path / f"clinic{len(made)}"
        for camera in ("room-2", "handheld"):
            (root / "exports" / camera).mkdir(parents=True)
        (root / "state").mkdir()
        (root / "irisdrop.yaml").write_text(
            "state: state\nsite: {zone: Europe/Berlin}\n"
            'platform: {kind: http, url: "http://127.0.0.1:9/v1"}\n'
            f"undo: {undo}\n"
            "cameras:\n"
            "  - {name: room-2, profile: topcon-nw400, folder: exports/room-2}\n"
            "  - {name: handheld, profile: topcon-nw400, folder: exports/handheld}\n"
        )
        clinic = Clinic(root, load_config(root / "irisdrop.yaml"))
        made.append(clinic)
        if serve:
            clinic.page.start()
        return clinic

    yield make
    for clinic in made:
        clinic.close()


@pytest.fixture
def clinic(make_clinic: Callable[..., Clinic]) -> Clinic:
    return make_clinic()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def new_tab(browser: Browser) -> Iterator[Callable[..., Page]]:
    """A browser of its own for each tab: nothing is shared between two of them. What its console tells fails the test.

    A conflict (409) is an answer that the page shows; other statuses that a test provokes are named with `refused`.
    """
    contexts: list[BrowserContext] = []
    told: list[str] = []
    excused = {409}

    def tab(*, refused: int = 409, **options: Any) -> Page:
        excused.add(refused)
        context = browser.new_context(**{"viewport": {"width": 1440, "height": 860}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on(
            "console", lambda one: told.append(one.text) if one.type == "error" and not _abandoned(one.text) else None
        )
        return page

    yield tab
    for context in contexts:
        context.close()
    assert [text for text in told if not any(f"a status of {code} " in text for code in excused)] == []


def _abandoned(text: str) -> bool:
    """Whether htmx tells of a question that was taken back because another one took its place."""
    return text.startswith(("htmx:afterRequest,", "htmx:sendAbort,"))


@pytest.fixture
def opened(clinic: Clinic, new_tab: Callable[..., Page]) -> Callable[..., Page]:
    """The page, opened at an address of its own as `anna`."""

    def at(path: str, **options: Any) -> Page:
        tab = new_tab(**options)
        tab.goto(clinic.link())
        tab.goto(tab.url.rstrip("/") + path)
        return tab

    return at
