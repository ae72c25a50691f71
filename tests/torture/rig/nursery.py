"""Real commands as real processes, forked from one that has imported them: ten thousand starts need no imports.

A command that is forked runs `irisdrop.surface.cli.main` as `python -m irisdrop` does; some are started by exec all
the same. Every process dies with the harness.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
LATER = Path(__file__).with_name("later.py")
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def load() -> None:
    """Import what the commands need, so that no child has to."""
    import truststore  # noqa: F401
    import watchdog.observers  # noqa: F401

    import irisdrop.agent
    import irisdrop.explain
    import irisdrop.platforms.http
    import irisdrop.platforms.http_worklist
    import irisdrop.profiles.installation
    import irisdrop.reference.server
    import irisdrop.surface.commands.reference
    import irisdrop.surface.commands.run
    import irisdrop.surface.page.server  # noqa: F401


@dataclass(frozen=True)
class Kill:
    """SIGKILL at the `count`-th passing of a mark that begins with `pattern`."""

    pattern: str
    count: int


@dataclass
class Process:
    """One child of ours."""

    pid: int
    handle: int
    status: int | None = None

    def ended(self, seconds: float = 0.0) -> bool:
        """Whether it has ended, after waiting at most so long."""
        if self.status is not None:
            return True
        if not select.select([self.handle], [], [], max(seconds, 0.0))[0]:
            return False
        _, status = os.waitpid(self.pid, 0)
        self.status = os.waitstatus_to_exitcode(status)
        os.close(self.handle)
        return True

    def signal(self, number: int) -> None:
        """Send a signal; one that is dead already takes none."""
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.handle, number)

    def kill(self) -> None:
        """End it as a power cut would, and wait for it."""
        self.signal(signal.SIGKILL)
        self.ended(60)

    def stop(self, seconds: float = 10.0) -> int | None:
        """Ask it to end; its exit code, None where it had to be killed."""
        self.signal(signal.SIGTERM)
        if self.ended(seconds):
            return self.status
        self.kill()
        return None


def start(
    arguments: list[str],
    log: Path,
    *,
    kill: Kill | None = None,
    env: Mapping[str, str] | None = None,
    prepare: Callable[[], None] | None = None,
    fresh: bool = False,
    calendar: Path | None = None,
) -> Process:
    """Run one command. `prepare` is called in the child, `fresh` starts a new interpreter, `calendar` one whose days the
    harness turns (`rig/later.py`)."""
    pid = os.fork()
    if pid == 0:
        command = ["-m", "irisdrop"] if calendar is None else [str(LATER), str(calendar)]
        _child(arguments, log, kill, env or {}, prepare, command if fresh or calendar else None)
    return Process(pid, os.pidfd_open(pid))


def _child(
    arguments: list[str],
    log: Path,
    kill: Kill | None,
    env: Mapping[str, str],
    prepare: Callable[[], None] | None,
    command: list[str] | None,
) -> None:
    code = 70
    try:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ.update(env)
        if command is not None:
            if kill is not None:
                os.environ["IRISDROP_MARKS"] = f"{kill.pattern}:{kill.count}"
            os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (env.get("PYTHONPATH"), str(ROOT))))
            os.execv(sys.executable, [sys.executable, *command, *arguments])
        code = _run(arguments, kill, log.with_suffix(".killed"), prepare)
    except BaseException:  # noqa: BLE001 - a child must not go on in its parent's code
        import traceback

        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _run(arguments: list[str], kill: Kill | None, told: Path, prepare: Callable[[], None] | None) -> int:
    from irisdrop.surface.cli import main
    from irisdrop.vocabulary import marks

    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - the harness's own may be a pipe by now
    sys.stderr = open(2, "w", closefd=False, buffering=1)  # noqa: SIM115
    if kill is not None:
        marks._passing = _telling(kill, told)
    if prepare is not None:
        prepare()
    try:
        main(arguments)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


def _telling(kill: Kill, told: Path) -> Callable[[str], None]:
    """As the product's own killer, but the mark's name is told first, for the table of the long run."""
    import threading

    left = [kill.count]
    guard = threading.Lock()
    file = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)

    def passing(name: str) -> None:
        if name.startswith(kill.pattern):
            with guard:
                left[0] -= 1
                if left[0] == 0:
                    os.write(file, name.encode())
                    os.kill(os.getpid(), signal.SIGKILL)

    return passing


def wait_until(true: Callable[[], bool], seconds: float, pause: float = 0.01) -> bool:
    """Whether something came true in time."""
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(pause)
    return True
