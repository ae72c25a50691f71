"""The agent under the service control manager of Windows (pywin32)."""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

import servicemanager
import win32service
import win32serviceutil

from irisdrop.vocabulary.faults import Foreseen, place

NAME = "irisdrop"
STOP_WITHIN = 10_000  # milliseconds that the manager is asked to wait; the agent takes five seconds


class Service(win32serviceutil.ServiceFramework):
    """Start, stop and pre-shutdown; the event log tells of each, and of faults, without anybody's name."""

    _svc_name_ = NAME
    _svc_display_name_ = "irisdrop"

    def __init__(self, words: Any) -> None:
        super().__init__(words)
        self._stop = threading.Event()

    def GetAcceptedControls(self) -> int:  # noqa: N802 - pywin32's name
        """Pre-shutdown comes minutes before the others are ended, so that what is being sent can end."""
        accepted: int = super().GetAcceptedControls() | win32service.SERVICE_ACCEPT_PRESHUTDOWN  # type: ignore[no-untyped-call]
        return accepted

    def SvcOtherEx(self, control: int, kind: int, data: Any) -> None:  # noqa: N802, ARG002
        """Pre-shutdown is a stop."""
        if control == win32service.SERVICE_CONTROL_PRESHUTDOWN:
            self.SvcStop()

    def SvcStop(self) -> None:  # noqa: N802
        """Stop in order; told at once, so that the manager does not end us meanwhile."""
        self.ReportServiceStatus(win32service.SERVICE_STOP_PENDING, waitHint=STOP_WITHIN)
        self._stop.set()

    def SvcDoRun(self) -> None:  # noqa: N802
        """The agent until it is told to stop; a fault ends the process, and the recovery actions start it again."""
        servicemanager.LogInfoMsg("irisdrop starts")
        try:
            self._run()
        except Foreseen as failure:
            servicemanager.LogErrorMsg(
                f"irisdrop can't run: {failure.code}. `irisdrop check` and `irisdrop doctor` say more."
            )
            os._exit(1)  # an orderly stop would not be recovered from
        except Exception as fault:  # noqa: BLE001 - the last place that can tell of it
            servicemanager.LogErrorMsg(f"irisdrop failed: {place(fault)}")
            os._exit(3)
        servicemanager.LogInfoMsg("irisdrop stopped")

    def _run(self) -> None:
        from irisdrop.surface.commands.run import as_good, page_beside
        from irisdrop.surface.system import give_way

        give_way()  # the camera's own software runs on this machine
        with as_good(None, verbose=False) as agent, page_beside(agent):
            agent.run(self._stop)


def serve() -> None:
    """Hand this process to the service control manager."""
    servicemanager.Initialize(NAME, sys.executable)
    servicemanager.PrepareToHostSingle(Service)
    servicemanager.StartServiceCtrlDispatcher()  # type: ignore[no-untyped-call]


__all__ = ["NAME", "Service", "serve"]
