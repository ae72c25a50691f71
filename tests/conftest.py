"""What every test shares."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def home_of_nobody(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test finds, or writes to, the state or configuration of the person who runs it."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(home / name.lower()))
    for name in ("IRISDROP_CONFIG", "IRISDROP_TOKEN"):
        monkeypatch.delenv(name, raising=False)
