"""The agent gives way to the camera's own software."""

from __future__ import annotations

import ctypes
import runpy
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from irisdrop import surface


def test_the_agent_and_its_children_go_after_every_other_program() -> None:
    code = (
        "import psutil, subprocess, sys; from irisdrop.surface.system import give_way; give_way(); give_way(); "
        "me = psutil.Process(); child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE); "
        "its = psutil.Process(child.pid); "
        "print(me.nice(), its.nice(), *(me.ionice() if hasattr(me, 'ionice') else ())); child.kill()"
    )
    own = subprocess.run([sys.executable, "-c", "import os; print(os.nice(0))"], capture_output=True, text=True)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    nice, of_child, *disk = done.stdout.split()
    assert int(nice) == int(of_child) == max(5, int(own.stdout))
    assert sys.platform != "linux" or disk[-1] == "7"


@pytest.mark.parametrize(("place", "name"), [("_windows.py", "give_way"), ("page/_windows.py", "calm")])
def test_on_windows_the_whole_handle_is_passed(monkeypatch: pytest.MonkeyPatch, place: str, name: str) -> None:
    """It is -1, and of a plain number a 64-bit Windows may get no more than the lower half: a handle of nothing."""
    asked: list[tuple[Any, int]] = []
    kernel = SimpleNamespace(GetCurrentProcess=lambda: -1, SetPriorityClass=lambda *given: asked.append(given))
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel), raising=False)
    runpy.run_path(f"{surface.__path__[0]}/{place}")[name]()
    [(handle, priority)] = asked
    assert (type(handle), handle.value) == (ctypes.c_void_p, ctypes.c_void_p(-1).value)
    assert priority == 0x4000
