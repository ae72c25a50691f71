"""The icon itself, and what stands in where a desktop shows none."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from irisdrop import __version__
from irisdrop.surface.page.words import say
from irisdrop.surface.tray.icon import on_tile, picture
from irisdrop.surface.tray.line import Line
from irisdrop.surface.tray.look import DOWN, Face, Look, notes
from irisdrop.vocabulary.faults import Foreseen

if TYPE_CHECKING:
    import pystray
    from PIL import Image

EVERY: Final = 2.0  # seconds between looks


class Tray:
    """Looks every two seconds and shows what it saw; ends when `stop` is called or the icon is closed."""

    def __init__(self, line: Line, opens: Callable[[str], object] = webbrowser.open) -> None:
        self._line = line
        self._opens = opens
        self._stop = threading.Event()
        self._seen: Look | None = None
        self._icon: Any = None

    def run(self) -> None:
        """Show the icon until it is closed; needs a desktop with a tray."""
        import pystray

        self._icon = pystray.Icon("irisdrop", None, DOWN.tooltip, self._menu(pystray))
        self._icon.icon = self._picture("down")
        self._icon.run(setup=self._begin)

    def stop(self) -> None:
        """End."""
        self._stop.set()
        if self._icon is not None:
            self._icon.stop()

    def in_words(self, tell: Callable[[str], None], until: Callable[[], bool] = lambda: False) -> None:
        """Where no icon can be shown: every change as a line of text, until one can."""
        while not self._stop.is_set() and not until():
            now = self._line.look()
            if self._seen is None or now.tooltip != self._seen.tooltip:
                tell(now.tooltip)
            self._seen = now
            self._stop.wait(EVERY)
        self._seen = None

    def _begin(self, icon: Any) -> None:
        icon.visible = True
        threading.Thread(target=self._watch, name="tray", daemon=True).start()

    def _picture(self, face: Face, count: int = 0) -> Image.Image:
        drawn = picture(face, count)
        return drawn if self._icon.HAS_MENU else on_tile(drawn)  # without a menu it is X11's own tray

    def _watch(self) -> None:
        while not self._stop.is_set():
            now = self._line.look()
            before, self._seen = self._seen, now
            if before is None or (now.face, now.exams) != (before.face, before.exams):
                self._icon.icon = self._picture(now.face, now.exams)
            if before is None or now.tooltip != before.tooltip:
                self._icon.title = now.tooltip
            if now != before:
                self._icon.update_menu()
            if self._icon.HAS_NOTIFICATION:
                for note in notes(before, now):
                    self._icon.notify(note, "irisdrop")
            self._stop.wait(EVERY)

    def _menu(self, tray: Any) -> pystray.Menu:
        item = tray.MenuItem
        return tray.Menu(
            item(say("tray_open"), lambda: self._open(), default=True),
            item(lambda _: say("tray_quarantine", n=self._exams()), lambda: self._open(quarantine=True)),
            item(lambda _: say("tray_resume" if self._paused() else "tray_pause"), self._turn),
            tray.Menu.SEPARATOR,
            item(lambda _: f"{say('tray_about')}: irisdrop {__version__}", None, enabled=False),
            item(say("tray_quit"), self.stop),
        )

    def _exams(self) -> int:
        return self._seen.exams if self._seen else 0

    def _paused(self) -> bool:
        return self._seen is not None and self._seen.paused

    def _open(self, *, quarantine: bool = False) -> None:
        try:
            self._opens(self._line.link(quarantine=quarantine))
        except (OSError, Foreseen):
            self._seen = None  # looked at again at once, and told by the icon

    def _turn(self) -> None:
        try:
            (self._line.resume if self._paused() else self._line.pause)()
        except (OSError, Foreseen):
            self._seen = None


def why_no_tray() -> str | None:
    """Why this desktop can't show an icon, or None where it can."""
    if sys.platform != "linux":
        return None
    if not os.environ.get("DISPLAY"):
        return "there is no desktop here (DISPLAY is not set)"
    if os.environ.get("PYSTRAY_BACKEND") not in (None, "xorg"):
        return None
    try:
        import gi  # noqa: F401 - with it, pystray speaks to desktops that have no X11 tray
    except ImportError:
        return _why_no_x11_tray()
    return None


def _why_no_x11_tray() -> str | None:
    from Xlib import X, display, error

    try:
        screen = display.Display()
    except error.DisplayError:
        return "the desktop can't be reached"
    try:
        owner = screen.get_selection_owner(screen.intern_atom(f"_NET_SYSTEM_TRAY_S{screen.get_default_screen()}"))
        return "this desktop has no place for tray icons" if owner == X.NONE else None
    finally:
        screen.close()
