"""What others wrote is shown, and steers nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from irisdrop.reference.retina import draw
from irisdrop.surface.cli import cli
from irisdrop.surface.mask import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", "a\\nb"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\udcff.jpg", "\\udcff.jpg"),
        ("gpj.\u202e7", "gpj.\\u202e7"),
        ("нет имени \u200c é.jpg", "нет имени \u200c é.jpg"),
    ],
)
def test_what_would_steer_a_terminal_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(("number", "shown"), [("[bold]7[a]", "[bold]7[a]"), ("\x1b[31m7", "\\x1b[31m7")])
def test_a_number_that_looks_like_markup_is_shown_as_it_stands_in_the_name(
    tmp_path: Path, number: str, shown: str
) -> None:
    image = tmp_path / f"20250114_{number}_R_012.JPG"
    image.write_bytes(draw(1, "R"))
    done = CliRunner().invoke(cli, ["explain", str(image), "--profile", "topcon-nw400", "--show"])
    assert done.exit_code == 0, done.output
    assert f"PatientID = {shown}" in done.output
