"""Whatever a person's editor leaves behind: faults at a line of the file, or a profile; never anything else."""

from __future__ import annotations

import re
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from irisdrop.profiles.config import parse_config
from irisdrop.profiles.profile import DeviceProfile, parse_profile, shelf
from irisdrop.vocabulary.faults import FaultyFile

TEXTS = [file.read_bytes().decode() for file in shelf().values()]
CONFIG = """\
state: /var/lib/irisdrop
site: {id: S1, zone: America/New_York}
platform: {kind: http, url: "https://reading.example/v1", token: {env: IRISDROP_TOKEN}}
worklist: {from: csv, path: list.csv, every: 60s, stale: 15m}
cameras:
  - {name: room-2, profile: topcon-nw400, folder: 'D:\\Exports', existing: 1d, after: {delete: 30d}}
spool: {keep: 7d, limit: 50GB}
page: {port: 7474}
"""
SPLINTERS = st.one_of(
    st.sampled_from("'\"[]{},#*?|>%@() \n\t\0~ü\u2028\ud800"),
    st.sampled_from(
        ("", ": ", "- ", "&x ", "!!int ", "<<: ", "---\n", "(?=", "\\1", "no", "000815", "1e400", "x" * 300)
    ),
)


@st.composite
def mutated(draw: st.DrawFn, texts: list[str]) -> str:
    """A good text in which a few stretches are replaced by splinters."""
    text = draw(st.sampled_from(texts))
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(text)))
        end = min(len(text), begin + draw(st.integers(0, 12)))
        text = text[:begin] + draw(SPLINTERS) + text[end:]
    return text


def check(text: str, error: FaultyFile) -> None:
    """Every fault names a line that the file has, and says something."""
    lines = len(text.splitlines()) + 1
    for fault in error.faults:
        assert 1 <= fault.line <= lines
        assert fault.column >= 1
        assert fault.message
        assert fault.code
        assert str(fault)


@settings(max_examples=400, deadline=None)
@given(mutated(TEXTS))
def test_a_spoilt_profile_gives_faults_and_nothing_else(text: str) -> None:
    begin = time.thread_time()
    try:
        assert isinstance(parse_profile(text, "x.yaml"), DeviceProfile)
    except FaultyFile as error:
        check(text, error)
    assert time.thread_time() - begin < 1


@settings(max_examples=300, deadline=None)
@given(mutated([CONFIG]))
def test_a_spoilt_configuration_gives_faults_and_nothing_else(text: str) -> None:
    from pathlib import Path

    try:
        parse_config(text, Path("/etc/irisdrop/irisdrop.yaml"))
    except FaultyFile as error:
        check(text, error)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_any_text_at_all_gives_faults_and_nothing_else(text: str) -> None:
    try:
        parse_profile(text, "x.yaml")
    except FaultyFile as error:
        check(text, error)


LINES = [(text, number) for text in TEXTS for number, line in enumerate(text.splitlines()) if not line.startswith("#")]
TOP = [(text, number) for text, number in LINES if re.match(r"\w+:", text.splitlines()[number])]
BELOW = [(text, number) for text, number in LINES if re.match(r" +[\w\-]", text.splitlines()[number])]


def places(text: str) -> set[tuple[str, int]]:
    """Code and line of every fault."""
    try:
        parse_profile(text, "x.yaml")
    except FaultyFile as error:
        return {(fault.code, fault.line) for fault in error.faults}
    return set()


def with_line(text: str, number: int, *lines: str) -> str:
    """A text with one line replaced."""
    written = text.splitlines()
    return "\n".join((*written[:number], *lines, *written[number + 1 :])) + "\n"


def test_a_misspelt_setting_is_told_at_its_line() -> None:
    for text, number in TOP:
        line = text.splitlines()[number]
        assert ("UNKNOWN_SETTING", number + 1) in places(with_line(text, number, "x" + line)), line


def test_a_setting_written_twice_is_told_at_the_second() -> None:
    for text, number in TOP:
        name = text.splitlines()[number].partition(":")[0]
        assert ("DUPLICATE_KEY", len(text.splitlines()) + 1) in places(text + f"{name}: x\n"), name


def test_a_tab_is_told_at_its_line() -> None:
    for text, number in BELOW:
        line = text.splitlines()[number]
        assert ("YAML_SYNTAX", number + 1) in places(with_line(text, number, "\t" + line.lstrip())), line


def test_an_open_quote_is_told_at_its_line() -> None:
    for text, number in TOP:
        line = text.splitlines()[number]
        if re.match(r"\w+: \w", line):
            assert ("YAML_SYNTAX", number + 1) in places(with_line(text, number, line.replace(": ", ": '", 1))), line


def test_a_missing_value_is_told_at_its_line() -> None:
    for text, number in TOP:
        line = text.splitlines()[number]
        if re.match(r"\w+: [\w\[{]", line) and not text.splitlines()[number + 1].startswith(" "):
            spoilt = with_line(text, number, line.partition(" ")[0])
            assert ("MISSING_VALUE", number + 1) in places(spoilt), line


def test_a_colon_without_quotes_is_told_at_its_line() -> None:
    for text, number in TOP:
        line = text.splitlines()[number]
        if re.match(r"\w+: \w", line):
            assert ("YAML_SYNTAX", number + 1) in places(with_line(text, number, line.replace(": ", ": a: ", 1))), line
