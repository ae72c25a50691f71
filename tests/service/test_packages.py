"""What is shipped: every package is in the wheel, the unit is hardened, the package's scripts are sound."""

from __future__ import annotations

import configparser
import re
import subprocess
from pathlib import Path

import pytest

from irisdrop.vocabulary.faults import Foreseen
from service import _posix

ROOT = Path(__file__).parents[2]
SERVICE = ROOT / "service"


def test_every_package_is_in_the_wheel() -> None:
    """irisdrop.surface.doctor was forgotten once, and `doctor` failed on the first machine that it was installed on."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    shipped = set(config["options"]["packages"].split())
    there = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "irisdrop").rglob("__init__.py")}
    assert there | {"irisdrop.rules", "irisdrop.service"} == shipped


def test_the_installers_hold_all_extras_that_a_site_can_need() -> None:
    """`irisdrop[dicom]` was missing in the Debian package, and nobody can pip it in there."""
    extras = configparser.ConfigParser()
    extras.read(ROOT / "setup.cfg")
    everything = set(extras["options.extras_require"]["all"].strip().removeprefix("irisdrop[").rstrip("]").split(","))
    assert set((SERVICE / "deb" / "extras").read_text().split()) == everything - {"windows"}
    for file in (SERVICE / "README.md", ROOT / ".github" / "workflows" / "windows.yml"):
        [named] = re.findall(r'pip install (?:--quiet )?"?\.\[([a-z,]+)\]', file.read_text("utf-8"))
        assert {"all", "build"} <= set(named.split(",")) <= set(extras["options.extras_require"])


def test_every_path_and_test_that_the_windows_workflow_names_is_there() -> None:
    text = (ROOT / ".github" / "workflows" / "windows.yml").read_text("utf-8")
    named = set(re.findall(r"(?<![\w\\$:])((?:tests|service)[\\/][\w.\\/]+)", text))
    assert len(named) >= 6
    assert [name for name in named if not (ROOT / name.replace("\\", "/")).exists()] == []


def test_the_unit_is_hardened_to_2_or_better() -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(SERVICE / "irisdrop.service")],
        capture_output=True,
        text=True,
        check=False,
    )
    score = re.search(r"Overall exposure level for irisdrop.service: ([\d.]+)", done.stdout)
    assert score, done.stderr
    assert float(score[1]) <= 2.0


def test_every_exposure_that_remains_has_its_reason() -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(SERVICE / "irisdrop.service")],
        capture_output=True,
        text=True,
        check=False,
    )
    remaining = re.findall(r"^✗ (\S+)", done.stdout, re.MULTILINE)
    text = (SERVICE / "README.md").read_text("utf-8").replace("\\|", "|")  # a bar in a table is escaped
    assert remaining
    assert [name for name in remaining if f"`{name}`" not in text] == []


@pytest.mark.parametrize("script", ["postinst", "prerm", "postrm"])
def test_the_scripts_of_the_package_are_sound(script: str) -> None:
    subprocess.run(["sh", "-n", str(SERVICE / "deb" / script)], check=True)


def test_purge_keeps_what_was_never_delivered() -> None:
    text = (SERVICE / "deb" / "postrm").read_text("utf-8")
    assert text.index('[ "$left" != 0 ]') < text.index("rm -rf $state")


def test_the_unit_for_another_place_runs_that_command_and_that_configuration(tmp_path: Path) -> None:
    text = _posix.unit(["/opt/my python/bin/python", "-m", "irisdrop"], tmp_path / "irisdrop.yaml")
    assert f"ExecStart='/opt/my python/bin/python' -m irisdrop --config {tmp_path}/irisdrop.yaml run\n" in text
    assert f"ConditionPathExists={tmp_path}/irisdrop.yaml\n" in text


def test_an_account_that_may_not_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    for act in (lambda: _posix.install(tmp_path), _posix.uninstall, _posix.start, _posix.stop):
        with pytest.raises(Foreseen) as refused:
            act()
        assert refused.value.code == "NOT_PERMITTED"


def test_systemd_s_own_words_come_through(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tool = tmp_path / "systemctl"
    tool.write_text("#!/bin/sh\necho 'Unit irisdrop.service is masked.' >&2\nexit 1\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with pytest.raises(Foreseen, match="is masked"):
        _posix.start()
