"""The agent works on one processor, what it starts on all of them."""

from __future__ import annotations

import os
import subprocess
import sys

CODE = """
import os, subprocess, sys, threading
from irisdrop.vocabulary import processors
processors.free(os.getpid())
had = os.sched_getaffinity(0)
processors.keep_to_one()
processors.keep_to_one()
of_thread = []
thread = threading.Thread(target=lambda: of_thread.append(os.sched_getaffinity(0)))
thread.start(); thread.join()
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
inherited = os.sched_getaffinity(child.pid)
processors.free(child.pid)
freed = os.sched_getaffinity(child.pid)
child.kill(); child.wait()
processors.free(child.pid)
assert os.sched_getaffinity(0) == of_thread[0] == inherited == {max(had)}, (had, of_thread, inherited)
assert freed == had, (freed, had)
"""


def test_threads_share_one_processor_and_a_child_is_let_go_to_all() -> None:
    if sys.platform == "linux":
        subprocess.run([sys.executable, "-c", CODE], check=True, timeout=60)
    else:
        assert not hasattr(os, "sched_setaffinity")


def test_a_parser_runs_on_any_processor_while_its_agent_keeps_to_one() -> None:
    code = (
        "import os; from irisdrop.identity.sandbox import Parsers; from irisdrop.identity.contents import Wanted; "
        "from irisdrop.vocabulary import processors; from pathlib import Path; import irisdrop; "
        "had = os.sched_getaffinity(0); processors.keep_to_one(); parsers = Parsers(); "
        "parsers.read(Path(irisdrop.__file__), Wanted()); (pid,) = parsers.pids(); its = os.sched_getaffinity(pid); "
        "parsers.close(); assert its == had, (its, had)"
    )
    if sys.platform == "linux":
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
