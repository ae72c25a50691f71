"""The registry of platforms and worklists."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from irisdrop.platforms import PLATFORMS, WORKLISTS, open_platform, open_worklist
from irisdrop.platforms.http import HttpPlatform
from irisdrop.platforms.http_worklist import HttpWorklist
from irisdrop.platforms.worklist_file import FileWorklist
from irisdrop.profiles.config import Config, load_config
from irisdrop.vocabulary.faults import Foreseen


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A configuration with a platform and its worklist."""
    return configured(tmp_path, "{from: platform}")


def configured(folder: Path, worklist: str) -> Config:
    """A configuration with this worklist."""
    path = folder / "irisdrop.yaml"
    path.write_text(
        f"state: {folder / 'state'}\n"
        'platform: {kind: http, url: "http://127.0.0.1:9/v1", token: {env: IRISDROP_TOKEN}}\n'
        f"worklist: {worklist}\n"
        f"cameras: [{{name: one, profile: topcon-nw400, folder: {folder / 'exports'}}}]\n"
    )
    return load_config(path)


def test_every_kind_names_a_factory_that_exists() -> None:
    for module, factory in (PLATFORMS | WORKLISTS).values():
        assert callable(getattr(import_module(module), factory))


def test_a_configuration_opens_its_platform_and_worklist(config: Config) -> None:
    platform, worklist = open_platform(config), open_worklist(config)
    assert isinstance(platform, HttpPlatform)
    assert isinstance(worklist, HttpWorklist)
    platform.close()
    worklist.close()


def test_a_configuration_opens_a_worklist_file_beside_it(tmp_path: Path) -> None:
    assert isinstance(open_worklist(configured(tmp_path, "{from: csv, path: orders.csv}")), FileWorklist)


def test_a_kind_that_is_not_known_names_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(Foreseen) as caught:
        open_worklist(configured(tmp_path, "{from: telepathy}"))
    assert "csv" in caught.value.remedy + caught.value.message
