"""YAML that can't be read, in words that a person can act on."""

from __future__ import annotations

import pytest

from irisdrop.profiles.places import DEEPEST, LARGEST, decoded, document, masked, read_text
from irisdrop.vocabulary.faults import Fault, FaultyFile, Foreseen


def faults(text: str) -> list[Fault]:
    """The faults of a text as YAML alone."""
    try:
        return list(document(text, "x.yaml").faults)
    except FaultyFile as error:
        return list(error.faults)


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a: 1\n\tb: 2\n", 2, 1, "a tab; YAML is indented with spaces"),
        ("a:\n\t- x\n", 2, 1, "a tab; YAML is indented with spaces"),
        ("a: x: y\n", 1, 5, "a colon and a space inside a text without quotes"),
        ("a:\n  - file: x: y\n", 2, 12, "a colon and a space inside a text without quotes"),
        ("a: 1\n  b: 2\n", 2, 3, "the indentation does not fit the line above"),
        ("a:\n    b: 1\n  c: 2\n", 3, 3, "the indentation does not fit, or quotes are missing"),
        ("a:\n  - x\n  y: 1\n", 3, 3, "the indentation does not fit, or quotes are missing"),
        ("a: [x, y\nb: 1\n", 1, 4, "a list `[…]` is not closed, or a comma or quote is missing"),
        ("a: {x: 1, y: 2\nb: 1\n", 1, 4, "a `{…}` is not closed, or a comma or quote is missing"),
        ("a: [A-Z]+\n", 1, 9, "the indentation does not fit, or quotes are missing"),
        ("a: *.jpg\n", 1, 4, "a text that begins with * or & needs quotes"),
        ("a: [*.jpg]\n", 1, 5, "a text that begins with * or & needs quotes"),
        ("a: 'x\nb: 1\n", 1, 4, "a quote is opened and never closed"),
        ('a: "x\nb: 1\n', 1, 4, "a quote is opened and never closed"),
        ('a: "D:\\Exports"\n', 1, 7, 'a \\ inside "double quotes" begins an escape'),
        ("a: 'x\nb: 1\nc: 'y'\n", 1, 4, "a quote is opened and not closed in its line"),
        ("a: 'x\nb: y'\n", 1, 4, "a quote is opened and not closed in its line"),
        ('a: 1\nb: "x\\ud800"\n', 2, 4, "half a character (U+D800)"),
        ("a: @x\n", 1, 4, "a value can't begin with this character"),
        ("a: `x`\n", 1, 4, "a value can't begin with this character"),
        ("a: %x\n", 1, 4, "a value can't begin with this character"),
        ("a: 1\nb\nc: 2\n", 2, 1, "a name without its `:`"),
        ("a: 1\n---\nb: 2\n", 2, 1, "a second document (`---`)"),
        ("a: - x\n", 1, 4, "a list can't begin here"),
        ("a: !x!y z\n", 1, 4, "a text that begins with ! needs quotes"),
        ("a: 1\nb: \x07\n", 2, 4, "an invisible character (U+0007)"),
        ("a: 1\n", 0, 0, ""),
    ],
)
def test_a_fault_of_yaml_is_told_in_words_at_its_place(text: str, line: int, column: int, message: str) -> None:
    found = faults(text)
    if not message:
        assert not found
        return
    assert [(fault.line, fault.column, fault.message) for fault in found] == [(line, column, message)]
    assert found[0].code == "YAML_SYNTAX"
    assert found[0].expected


@pytest.mark.parametrize(
    ("text", "code", "places"),
    [
        ("a: &x 1\nb: *x\n", "YAML_FEATURE", [(1, 4), (2, 4)]),
        ("a: !!int 1\n", "YAML_FEATURE", [(1, 4)]),
        ("a: 1\n<<: {b: 1}\n", "YAML_FEATURE", [(2, 1)]),
        ("? [a]\n: 1\n", "YAML_FEATURE", [(1, 3)]),
        ("a: 1\nb: 2\na: 3\n", "DUPLICATE_KEY", [(3, 1)]),
        ("a: {b: 1, b: 2}\n", "DUPLICATE_KEY", [(1, 11)]),
        ("a:\nb: 1\n", "MISSING_VALUE", [(1, 1)]),
        ("a: [x, ]\nb: [,]\n", "YAML_SYNTAX", [(2, 5)]),
        ("a:\n  -\n  - x\n", "MISSING_VALUE", [(2, 4)]),
        ("", "EMPTY_FILE", [(1, 1)]),
        ("# nothing\n", "EMPTY_FILE", [(1, 1)]),
        ("just a text\n", "WRONG_SHAPE", [(1, 1)]),
        ("- a\n", "WRONG_SHAPE", [(1, 1)]),
        ("a: " + "[" * 5000, "TOO_DEEP", [(1, 3 + DEEPEST)]),
        ("a: " + "x" * LARGEST, "TOO_LARGE", [(1, 1)]),
    ],
)
def test_what_is_not_used_of_yaml_is_refused(text: str, code: str, places: list[tuple[int, int]]) -> None:
    found = faults(text)
    assert {fault.code for fault in found} == {code}
    assert [(fault.line, fault.column) for fault in found] == places


def test_scalars_stay_the_text_that_was_written() -> None:
    tree = document("{a: 000815, b: no, c: 1e3, d: 2025-01-14, e: ~, f: 22:30, g: 0x1F, h: null, i: ''}", "x").tree
    assert list(tree.values()) == ["000815", "no", "1e3", "2025-01-14", "~", "22:30", "0x1F", "null", ""]


def test_a_question_mark_ends_no_text_in_a_list() -> None:
    assert document("a: [StudyInstanceUID?, b? c, d]", "x").tree == {"a": ["StudyInstanceUID?", "b? c", "d"]}


def test_places_survive_crlf_and_a_byte_order_mark() -> None:
    found = faults(decoded(b"\xef\xbb\xbfa: 1\r\nb: 2\r\nb: 3\r\n", "x"))
    assert [(fault.line, fault.column, fault.line_text) for fault in found] == [(3, 1, "b: 3")]


@pytest.mark.parametrize(("content", "place"), [(b"a: 1\nb: M\xfcller\n", (2, 5)), ("a: 1".encode("utf-16"), (1, 1))])
def test_another_encoding_is_told(content: bytes, place: tuple[int, int]) -> None:
    with pytest.raises(FaultyFile) as caught:
        decoded(content, "x")
    fault = caught.value.faults[0]
    assert (fault.code, fault.line, fault.column) == ("NOT_UTF8", *place)
    assert "Notepad" in fault.expected


def test_a_file_that_is_not_there_is_foreseen(tmp_path: object) -> None:
    from pathlib import Path

    with pytest.raises(Foreseen) as caught:
        read_text(Path(str(tmp_path)) / "none.yaml")
    assert caught.value.code == "NO_SUCH_FILE"
    with pytest.raises(Foreseen) as caught:
        read_text(Path(str(tmp_path)))
    assert caught.value.code == "FILE_UNREADABLE"


@pytest.mark.parametrize(
    "line",
    [
        "url: https://x/?sig=GEHEIM&a=b",
        "x: AccountKey=GEHEIM;b",
        "url: https://me:GEHEIM@host/",
        "token: GEHEIM",
        "a: {token: GEHEIM, b: 1}",
        "token: 'GEHEIM",
        'token: "GEHEIM: GEHEIM',
        'a: {"api_key": GEHEIM GEHEIM, b: 1}',
        "connection_string: Endpoint=x;GEHEIM",
    ],
)
def test_no_line_of_a_fault_shows_a_secret(line: str) -> None:
    assert "GEHEIM" not in masked(line)
    assert len(masked(line)) == len(line)


def test_what_is_no_secret_is_shown() -> None:
    assert masked('url: "https://reading.example:8443/v1"') == 'url: "https://reading.example:8443/v1"'
    assert masked("token: {env: IRISDROP_TOKEN}") == "token: {env: IRISDROP_TOKEN}"
