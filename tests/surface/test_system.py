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


def test_thirty_threads_do_not_keep_thirty_heaps() -> None:
    code = (
        "import re, sys, threading; from irisdrop.surface.system import stay_small; {first}\n"
        "met = threading.Barrier(30)\n"
        "def keep(): met.wait(); held.append([bytes(2000) for _ in range(500)]); met.wait()\n"
        "held = []; threads = [threading.Thread(target=keep) for _ in range(30)]\n"
        "[one.start() for one in threads]; [one.join() for one in threads]\n"
        # Beside the first one, which is the program's own, each begins at a multiple of 64 MiB.
        "begins = {{int(line.split('-')[0], 16) for line in open('/proc/self/maps')}}\n"
        "print(sum(1 for one in begins if one % (64 << 20) == 0))"
    )

    def heaps(first: str) -> int:
        command = [sys.executable, "-c", code.format(first=first)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert heaps("stay_small()") <= 2 < heaps("pass")


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
