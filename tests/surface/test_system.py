"""The agent gives way to the camera's own software."""

from __future__ import annotations

import subprocess
import sys


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
