"""The Windows service as far as it runs elsewhere: Windows' own tools and pywin32 are played, all else is real.

What only Windows can show is in .github/workflows/windows.yml.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
import types
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from small_site import PROFILE, configured, platform_with

from irisdrop.reference.retina import draw
from irisdrop.vocabulary.faults import Foreseen
from service import _windows

ROOT = Path(__file__).parents[2]


class Windows:
    """Answers for sc.exe, icacls.exe, the registry and the drives, and keeps what was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.values: dict[str, Any] = {}
        self.refused: tuple[str, ...] = ()
        self.state = "4  RUNNING"
        self.drives: dict[str, str] = {}
        self.administrator = True

    def run(self, command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        self.asked.append([Path(command[0].replace("\\", "/")).name, *command[1:]])
        said = f"SERVICE_NAME: irisdrop\n        STATE              : {self.state}\n"
        refused = any(word in self.refused for word in command)
        return subprocess.CompletedProcess(command, int(refused), "Access is\r\n denied." if refused else said, "")

    def of(self, tool: str) -> list[list[str]]:
        return [words[1:] for words in self.asked if words[0] == tool]

    def connection(self, drive: str, name: Any, _: object) -> int:
        name.value = self.drives.get(drive, "")
        return 0 if drive in self.drives else 2250


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Windows:
    one = Windows()
    shell = SimpleNamespace(IsUserAnAdmin=lambda: one.administrator)
    libraries = SimpleNamespace(shell32=shell, mpr=SimpleNamespace(WNetGetConnectionW=one.connection))
    monkeypatch.setattr(ctypes, "windll", libraries, raising=False)
    monkeypatch.setattr(subprocess, "run", one.run)
    registry = types.ModuleType("winreg")
    vars(registry).update(
        HKEY_LOCAL_MACHINE="HKLM",
        KEY_SET_VALUE=2,
        REG_MULTI_SZ=7,
        REG_DWORD=4,
        OpenKey=lambda *_: nullcontext(),
        SetValueEx=lambda _key, name, _zero, _kind, value: one.values.update({name: value}),
    )
    monkeypatch.setitem(sys.modules, "winreg", registry)
    return one


def written(tmp_path: Path, **more: str) -> Path:
    return configured(tmp_path, "https://reading.example/v1", **more)


def test_the_service_is_registered_with_its_own_account_delayed_start_and_recovery(
    windows: Windows, tmp_path: Path
) -> None:
    _windows.install(written(tmp_path))
    created, *others = windows.of("sc.exe")
    assert created[:2] == ["create", "irisdrop"]
    settings = dict(zip(created[2::2], created[3::2], strict=True))
    assert settings["start="] == "delayed-auto"
    assert settings["obj="] == r"NT SERVICE\irisdrop"
    assert "windows_service" in settings["binPath="]
    assert ["failure", "irisdrop", "reset=", "86400", "actions=", "restart/5000/restart/30000/restart/60000"] in others
    assert ["failureflag", "irisdrop", "1"] in others
    assert windows.values["Environment"] == [f"IRISDROP_CONFIG={tmp_path}/irisdrop.yaml"]
    assert windows.values["PreshutdownTimeout"] >= 5000


def test_state_and_every_secrets_file_are_shut_to_others(windows: Windows, tmp_path: Path) -> None:
    """The shared access signature of iris stood open once: only `token` was looked for."""
    for name in ("sas", "bus"):
        (tmp_path / name).write_text("x")
    path = written(tmp_path)
    platform = (
        f"kind: iris, organization: A, container: images, url: https://a.blob.example, sas: {{file: {tmp_path}/sas}}"
    )
    platform += f", stamp: {{exif: Artist}}, bus_connection_string: {{file: {tmp_path}/bus}}"
    lines = [
        f"platform: {{{platform}}}" if line.startswith("platform") else line for line in path.read_text().split("\n")
    ]
    path.write_text("\n".join(lines).replace("{from: platform, every: 1s}", "{from: csv, path: orders.csv}"))
    _windows.install(path)
    shut = {words[0]: words[1:] for words in windows.of("icacls.exe")}
    assert set(shut) == {str(tmp_path / name) for name in ("state", "sas", "bus")}
    for rights in shut.values():
        assert "/inheritance:r" in rights  # nobody else keeps a right that came from above
    assert shut[str(tmp_path / "sas")][-1] == r"NT SERVICE\irisdrop:R"
    assert shut[str(tmp_path / "state")][-1] == r"NT SERVICE\irisdrop:(OI)(CI)F"


@pytest.mark.parametrize("where", ["camera", "after", "orders"])
def test_a_mapped_drive_is_refused_wherever_it_is_written_and_its_share_is_named(
    windows: Windows, tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows.drives = {"Z:": r"\\server\exports"}
    found = list(_windows._places(_settings(where)))
    monkeypatch.setattr(_windows, "_places", lambda _: iter(found))
    with pytest.raises(Foreseen) as refused:
        _windows.install(written(tmp_path))
    assert refused.value.code == "MAPPED_DRIVE"
    assert r"\\server\exports" in str(refused.value) + refused.value.remedy
    assert windows.of("sc.exe") == []


def _settings(where: str) -> Any:
    """What Windows would have read: here `Z:\\…` is no absolute path."""
    camera = SimpleNamespace(folder="D:\\exports", after=SimpleNamespace(move=None))
    options: dict[str, str] = {}
    if where == "camera":
        camera.folder = "Z:\\room-2"
    elif where == "after":
        camera.after.move = "Z:\\done"
    else:
        options["path"] = "Z:\\orders.csv"
    platform, worklist = SimpleNamespace(options={}), SimpleNamespace(options=options)
    return SimpleNamespace(state="C:\\state", cameras=[camera], platform=platform, worklist=worklist)


def test_who_is_no_administrator_is_told_so(windows: Windows, tmp_path: Path) -> None:
    windows.administrator = False
    for act in (lambda: _windows.install(tmp_path), _windows.uninstall):
        with pytest.raises(Foreseen) as refused:
            act()
        assert refused.value.code == "NOT_PERMITTED"
    assert windows.asked == []


def test_windows_own_words_come_through(windows: Windows) -> None:
    windows.refused = ("start",)
    with pytest.raises(Foreseen, match=r"`sc start`: Access is denied\."):
        _windows.start()


def test_rights_that_can_not_be_set_end_the_installation_and_are_told(windows: Windows, tmp_path: Path) -> None:
    windows.refused = ("/inheritance:r",)
    with pytest.raises(Foreseen) as refused:
        _windows.install(written(tmp_path))
    assert refused.value.code == "ACL_REFUSED"


def test_the_state_is_told_in_words(windows: Windows) -> None:
    assert _windows.state() == "active"
    windows.state = "1  STOPPED"
    assert _windows.state() == "stopped"
    windows.refused = ("query",)
    assert _windows.state() == "not installed"


SERVICE = """\
import json, os, sys, threading, types
for name in ("servicemanager", "win32service", "win32serviceutil"):
    sys.modules[name] = types.ModuleType(name)
logged, told = [], []
class Framework:
    def __init__(self, words): pass
    def GetAcceptedControls(self): return 1
    def ReportServiceStatus(self, state, waitHint=0): told.append([state, waitHint])
vars(sys.modules["servicemanager"]).update(dict.fromkeys(("LogInfoMsg", "LogErrorMsg"), logged.append))
vars(sys.modules["win32service"]).update(
    SERVICE_STOP_PENDING=3, SERVICE_ACCEPT_PRESHUTDOWN=256, SERVICE_CONTROL_PRESHUTDOWN=15
)
vars(sys.modules["win32serviceutil"]).update(ServiceFramework=Framework)
from irisdrop import agent as agents
from service.windows_service import Service
service = Service([])
run = agents.Agent.run
def until_there_is_one(agent, stop):
    def end():
        while not agent.journal.counts()["DELIVERED"]:
            agent.decider.woken.wait(0.05)
        service.SvcOtherEx(15, 0, None)
    threading.Thread(target=end, daemon=True).start()
    run(agent, stop)
agents.Agent.run = until_there_is_one
accepted = service.GetAcceptedControls()
service.SvcDoRun()
print(json.dumps([accepted, logged, told, os.nice(0)]))
"""


def test_the_service_delivers_gives_way_and_stops_when_windows_is_about_to(tmp_path: Path) -> None:
    with platform_with(tmp_path / "platform", ["000815"]) as platform:
        config = configured(tmp_path, platform.url, "./camera.yaml")
        (tmp_path / "camera.yaml").write_text(PROFILE)
        (tmp_path / "exports" / "000815_R.jpg").write_bytes(draw(1, "R", b""))
        environment = {"IRISDROP_CONFIG": str(config), "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(
            [sys.executable, "-c", SERVICE], capture_output=True, text=True, timeout=120, env=environment
        )
    assert done.returncode == 0, done.stderr
    accepted, logged, told, nice = json.loads(done.stdout.splitlines()[-1])
    assert accepted == 257
    assert logged == ["irisdrop starts", "irisdrop stopped"]
    assert told == [[3, 10_000]]
    assert nice >= 5
