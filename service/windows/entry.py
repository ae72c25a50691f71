"""What irisdrop.exe begins with: the command line, the service, or a child that the agent starts.

A frozen program has no Python beside it, so it answers to `-c CODE` and `-m MODULE` itself: parsers and painters run in children of our
own executable, apart from the agent, as they do everywhere else.
"""

from __future__ import annotations

import multiprocessing
import runpy
import sys


def main() -> None:
    """Choose by the arguments; the service control manager starts us with `--service`."""
    multiprocessing.freeze_support()
    words = sys.argv[1:]
    if "-c" in words:
        at = words.index("-c")
        sys.argv = ["-c", *words[at + 2 :]]
        exec(compile(words[at + 1], "<child>", "exec"), {"__name__": "__main__"})
    elif words[:1] == ["-m"]:
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__")
    elif words[:1] == ["--service"]:
        from irisdrop.service.windows_service import serve  # type: ignore[import-not-found,unused-ignore]

        serve()
    else:
        from irisdrop.surface.cli import main as irisdrop

        irisdrop()


if __name__ == "__main__":
    main()
