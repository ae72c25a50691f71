"""The page as a browser's history, a proxy, a monitor and the tray icon get it: all but what a person is shown.

Run in a clinic's folder with the markers as words, it prints {path of output: text}.
"""

from __future__ import annotations

import http.client
import json
import logging
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

from irisdrop.profiles.config import load_config, load_profiles
from irisdrop.record.spool import Spool
from irisdrop.surface.page.access import secret_of
from irisdrop.surface.page.knock import knock
from irisdrop.surface.page.office import Office
from irisdrop.surface.page.server import LocalPage
from irisdrop.surface.tray.line import Line
from irisdrop.surface.tray.look import DOWN, notes
from irisdrop.surface.tray.tray import Tray
from irisdrop.vocabulary.clock import SystemClock

ADDRESS = re.compile(r"""(?:href|src|action|hx-get|hx-post|hx-vals)=(?:"([^"]*)"|'([^']*)')""")
SECTIONS = ["/", "/now", "/header", "/quarantine", "/quarantine/list", "/worklist", "/profiles", "/state"]
FOR_ANYBODY = ["/static/page.js", "/static/turns.js", "/static/page.css", "/static/icon.svg", "/health", "/metrics"]
FOR_ANYBODY += ["/live", "/locked", "/enter?code=x", "/nowhere", "/images/999", "/pictures/999"]


class Browser:
    """Asks a page, and keeps what it answers apart from what it shows."""

    def __init__(self, page: LocalPage, state: Path) -> None:
        self._page = page
        word = knock(page.port, secret_of(state), "page", "anna").word
        head, _ = self.ask("GET", "/enter?code=" + word, cookie="")
        [self.cookie] = re.findall(r"set-cookie: ([^;]*)", head, re.IGNORECASE)

    def ask(
        self, method: str, path: str, body: str | None = None, cookie: str | None = None, **more: str
    ) -> tuple[str, str]:
        """(status and headers, body); of what never ends, the first lines."""
        connection = http.client.HTTPConnection("127.0.0.1", self._page.port, timeout=30)
        sent = {"Cookie": self.cookie if cookie is None else cookie} | {n.replace("_", "-"): t for n, t in more.items()}
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        content = b"".join(answer.readline() for _ in range(3)) if path == "/live" else answer.read()
        connection.close()
        return f"{answer.status} {answer.headers}", content.decode("utf-8", "replace")

    def post(self, path: str, body: str) -> tuple[str, str]:
        origin = {"Origin": f"http://127.0.0.1:{self._page.port}", "Content_Type": "application/x-www-form-urlencoded"}
        return self.ask("POST", path, body, **origin)


def looked_at(browser: Browser, images: list[int]) -> dict[str, str]:
    """Headers, title and addresses of what shows patients, and what stands there for who has no session."""
    said = {}
    for path in [*SECTIONS, *(f"/images/{one}" for one in images), *(f"/quarantine?image={one}" for one in images)]:
        head, html = browser.ask("GET", path)
        assert head.startswith("200"), (path, head)
        said[f"page {path}: headers"] = head
        said[f"page {path}: title"] = html.partition("<title>")[2].partition("</title>")[0]
        said[f"page {path}: addresses"] = " ".join(a or b for a, b in ADDRESS.findall(html))
        said[f"page {path}: locked"] = "".join(browser.ask("GET", path, cookie="", Accept="text/html"))
    for one in images:
        said[f"page /pictures/{one}: headers"] = browser.ask("GET", f"/pictures/{one}?size=large")[0]
        said[f"page /pictures/{one}: locked"] = "".join(browser.ask("GET", f"/pictures/{one}", cookie=""))
    for path in FOR_ANYBODY:
        said[f"page {path}"] = "".join(browser.ask("GET", path))
    return said


def misused(browser: Browser, office: Office, markers: list[str]) -> dict[str, str]:
    """Bad forms, and faults of ours."""
    said = {}
    body = "&".join(f"{name}={quote(one)}" for one in markers for name in ("seen", "entry", "text", "why"))
    for path in ["/quarantine/assign", "/quarantine/nothing", "/images/999/recall", f"/person?from={markers[0]}"]:
        said[f"page, a bad form to {path[:20]}: headers"] = browser.post(path, body)[0]
    said["page, too long a form"] = "".join(browser.post("/quarantine/search", "text=" + markers[0] * 60_000))
    said["page, another host"] = "".join(browser.ask("GET", "/", Host=markers[0] + ".example"))

    def broken(*_: Any) -> Any:
        raise RuntimeError(" ".join(markers))

    for name in ("quarantine", "standing", "image", "looked_at"):
        whole = getattr(office, name)
        setattr(office, name, broken)
        for path in ("/quarantine", "/images/1"):
            head, html = browser.ask("GET", path)
            if head.startswith("500"):
                said[f"page {path}, a fault in {name}"] = head + html
        setattr(office, name, whole)
    return said


def in_the_tray(page: LocalPage, state: Path) -> dict[str, str]:
    """Tooltip, menu, notifications, and all that the icon is told."""
    line = Line(state, page.port, "anna")
    seen = line.look()
    assert seen.exams > 0

    class Item:
        def __init__(self, text: Any, *_: Any, **__: Any) -> None:
            self.text = text(None) if callable(text) else text

    class Menu(list[Item]):
        SEPARATOR = Item("-")

        def __init__(self, *items: Item) -> None:
            super().__init__(items)

    class Desktop:
        pass

    Desktop.MenuItem, Desktop.Menu = Item, Menu  # type: ignore[attr-defined]
    icon = Tray(line)
    icon._seen = seen
    return {
        "tray: tooltip": seen.tooltip,
        "tray: what it is told": json.dumps(line._asked("GET", "/tray/state")),
        "tray: notifications": " ".join([*notes(DOWN, seen), *notes(None, seen), *notes(seen, DOWN)]),
        "tray: menu": " ".join(item.text for item in icon._menu(Desktop)),  # type: ignore[attr-defined]
    }


def main(markers: list[str]) -> dict[str, str]:
    logging.basicConfig(stream=sys.stderr, level=logging.DEBUG)
    config = load_config(Path("irisdrop.yaml"))
    profiles = load_profiles(config)
    office = Office(lambda: config, SystemClock(), Spool(config.state / "spool"), lambda: profiles)
    page = LocalPage(office, 0)
    page.start()
    browser = Browser(page, config.state)
    images = [number for number in range(1, 30) if office.image(number) is not None]
    said = looked_at(browser, images) | misused(browser, office, markers) | in_the_tray(page, config.state)
    page.stop()
    said["tray: an agent that is gone"] = Line(config.state, page.port, "anna").look().tooltip
    office.close()
    return said


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))
