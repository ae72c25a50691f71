"""The texts for Windows' event log as the service writes them: what stands in for pywin32, which is not here, keeps them.

Run with the root of the code and the markers as words, it prints {path of output: text}.
"""

from __future__ import annotations

import json
import os
import sys
import types
from contextlib import suppress
from typing import Any

from irisdrop.vocabulary.faults import Foreseen

logged: list[str] = []


class Framework:
    """What pywin32 gives a service."""

    def __init__(self, words: Any) -> None:
        pass

    ReportServiceStatus = lambda *_, **__: None  # noqa: E731


BORDER: dict[str, dict[str, Any]] = {
    "servicemanager": dict.fromkeys(("LogInfoMsg", "LogWarningMsg", "LogErrorMsg"), logged.append),
    "win32service": {"SERVICE_STOP_PENDING": 3, "SERVICE_ACCEPT_PRESHUTDOWN": 256, "SERVICE_CONTROL_PRESHUTDOWN": 15},
    "win32serviceutil": {"ServiceFramework": Framework},
}


def main(root: str, markers: list[str]) -> dict[str, str]:
    for name, what in BORDER.items():
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(what)
    sys.path.insert(0, root)
    from service.windows_service import Service

    def ended(code: int) -> Any:
        raise SystemExit(code)

    os._exit = ended  # type: ignore[assignment]
    patient = " ".join(markers)

    def failing() -> None:
        raise RuntimeError(patient)

    def refused() -> None:
        raise Foreseen("CONFIG_FAULTY", patient, patient)

    said = {}
    for name, run in {"start and stop": lambda: None, "a fault": failing, "what was foreseen": refused}.items():
        service = Service([])
        service._run = run
        logged.clear()
        with suppress(SystemExit):
            service.SvcDoRun()
        assert len(logged) == 2, logged
        said[f"event log of Windows: {name}"] = "\n".join(logged)
    return said


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2:])))
