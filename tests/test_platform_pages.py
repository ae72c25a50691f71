"""The pages of the platforms can't go stale: each block is a configuration, each kind and setting is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from irisdrop.platforms import PLATFORMS, WORKLISTS
from irisdrop.profiles.config import parse_config
from irisdrop.profiles.options import PLATFORM_OPTIONS, TLS, WORKLIST_OPTIONS

PAGES = (Path(__file__).parents[1] / "service" / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", PAGES, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("block", BLOCKS)
def test_every_block_is_a_configuration_without_fault(block: str, tmp_path: Path) -> None:
    config = parse_config(block, tmp_path / "irisdrop.yaml")
    assert config.platform is not None
    assert config.platform.kind in PLATFORMS and config.worklist.source in WORKLISTS


def test_every_kind_of_platform_has_its_page_and_every_source_its_line() -> None:
    assert set(PLATFORMS) == set(PLATFORM_OPTIONS) == set(re.findall(r"^## (\w+)$", PAGES, re.MULTILINE))
    for source in WORKLISTS:
        assert f"| `{source}` |" in PAGES


@pytest.mark.parametrize("kind", [*PLATFORM_OPTIONS, *WORKLIST_OPTIONS])
def test_every_setting_is_told(kind: str) -> None:
    for name in (PLATFORM_OPTIONS | WORKLIST_OPTIONS)[kind].keys() - TLS.keys():
        assert re.search(rf"[`\s{{]{name}[`:\s]", PAGES), name


def test_every_page_says_what_to_ask_and_how_to_see_that_it_works() -> None:
    for page in re.split(r"^## ", PAGES.partition("\n# Worklists")[0], flags=re.MULTILINE)[1:]:
        assert "**Ask" in page and "**It works**" in page, page[:20]
