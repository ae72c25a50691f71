"""The agent works on one processor while files are small, what it starts on all of them."""

from __future__ import annotations

import os
import subprocess
import sys

CODE = """
import os, subprocess, sys, threading
from irisdrop.vocabulary import processors
processors.free(os.getpid())
processors.suit(1 << 30)
had = os.sched_getaffinity(0)
processors.keep_to_one()
processors.keep_to_one()
asked, answers = threading.Event(), []
def wait():
    answers.append(os.sched_getaffinity(0)); asked.wait(); answers.append(os.sched_getaffinity(0))
thread = threading.Thread(target=wait)
thread.start()
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
inherited = os.sched_getaffinity(child.pid)
processors.free(child.pid)
freed = os.sched_getaffinity(child.pid)
child.kill(); child.wait()
processors.free(child.pid)
assert os.sched_getaffinity(0) == inherited == {max(had)}, (had, inherited)
assert freed == had, (freed, had)
for _ in range(30): processors.suit(46_000)
assert os.sched_getaffinity(0) == {max(had)}
for _ in range(30): processors.suit(2_000_000)
assert os.sched_getaffinity(0) == had
for _ in range(30): processors.suit(400_000)
assert os.sched_getaffinity(0) == had  # between the two it stays where it is
asked.set(); thread.join()
assert answers == [{max(had)}, had], answers
for _ in range(30): processors.suit(46_000)
assert os.sched_getaffinity(0) == {max(had)}
for _ in range(30): processors.suit(400_000)
assert os.sched_getaffinity(0) == {max(had)}
"""


def test_small_files_are_worked_on_by_one_processor_and_large_ones_and_children_by_all() -> None:
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
