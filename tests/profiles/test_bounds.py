"""Whatever a file is made of: it is judged in less than a second, with no more faults than a person reads."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from irisdrop.explain import prove
from irisdrop.profiles.config import parse_config
from irisdrop.profiles.places import LARGEST, MOST, decoded
from irisdrop.profiles.profile import parse_profile, shelf
from irisdrop.vocabulary.faults import FaultyFile

GOOD = shelf()["topcon-nw400"].read_bytes().decode()
CONFIG = """\
state: state
platform: {kind: http, url: "https://reading.example/v1", token: {env: T}}
cameras:
  - {name: room-2, profile: topcon-nw400, folder: room-2}
"""


def instead(name: str, written: str) -> str:
    """The good profile with another first line of one section."""
    return GOOD.replace(f"\n{name}:", f"\n{name}: {written}\nx{name}:", 1)


def rule(written: str) -> str:
    """The good profile with one more rule."""
    return GOOD.replace("\nread:\n", f"\nread:\n  - {written}\n", 1)


LINES = {
    "cameras": "cameras:\n" + "- {}\n" * 13_000,
    "good cameras": CONFIG + "".join(f"  - {{name: a{n}, profile: p, folder: f{n}}}\n" for n in range(1_500)),
    "same cameras": CONFIG + "  - {name: a, profile: p, folder: f}\n" * 1_500,
    "settings": GOOD + "".join(f"x{n}: y\n" for n in range(6_000)),
    "twice": GOOD + "title: y\n" * 6_000,
    "examples": GOOD + "  - {}\n" * 7_000,
    "good examples": GOOD + "  - {file: 20250114_000815_R_012.JPG, gives: {PatientID: '000815'}}\n" * 850,
    "rules": rule("\n  - ".join(f"filename: '(?P<PatientID>{n})'" for n in range(1_500))),
    "bad rules": rule("\n  - ".join(f"filename: '(?P<P{n}>(?=x)'" for n in range(1_500))),
    "anchors": "".join(f"a{n}: &x{n} y\n" for n in range(4_500)),
    "tags": "".join(f"a{n}: !!x y\n" for n in range(4_500)),
    "documents": "---\n" * 16_000,
    "directives": "%YAML 1.1\n" * 6_000,
    "comments": "#\n" * 32_000,
    "open quote": 'a: "' + "x\n" * 32_000,
    "block": "title: >\n" + "  x\n\n" * 13_000,
    "globs": instead("files", "{take: [" + ",".join(f'"*a*b*{n}"' for n in range(4_500)) + "]}"),
    "contexts": GOOD + "context:\n" + "".join(f"  '*{n}*': Primary\n" for n in range(3_000)),
    "contexts below *": GOOD + "context:\n  '*': Primary\n" + "".join(f"  '*{n}*': Primary\n" for n in range(3_000)),
    "tags of Exif": rule("exif: {" + ", ".join(f"T{n}: PatientID" for n in range(3_000)) + "}"),
    "steps": GOOD.replace("\nmatch:", "\nclean: {PatientID: [" + ", ".join(["trim"] * 9_000) + "]}\nmatch:"),
    "growing": GOOD.replace(
        "\nmatch:", "\nclean: {PatientID: [" + ", ".join(["{replace: {'0': '" + "0" * 60 + "'}}"] * 20) + "]}\nmatch:"
    ),
    "key sets": instead("match", "[" + ", ".join(["PatientID + PatientBirthDate"] * 2_000) + "]"),
}
LONG = {
    "lists": "a: " + "[" * 60_000,
    "mappings": "a: " + "{b: " * 15_000,
    "dashes": "- " * 32_000,
    "questions": "? " * 32_000,
    "colons": ": " * 32_000,
    "quotes": "'" * 65_000,
    "commas": "a: [" + "," * 60_000,
    "nothing": "\0" * 65_000,
    "spaces": " " * 65_000,
    "tabs": "\t" * 65_000,
    "line breaks": "\n" * 65_000,
    "a key": "x" * 65_000 + ": a",
    "escapes": 'title: "' + "\\x41" * 16_000 + '"',
    "marks on a letter": "title: e" + "\u0301" * 30_000,
    "a glob": instead("files", "{take: ['" + "*a" * 30_000 + "']}"),
    "an open glob": instead("files", "{take: ['" + "[a" * 30_000 + "']}"),
    "a repetition": rule("filename: '(?P<PatientID>((a{1000}){1000}))'"),
    "a repetition of three": rule("filename: '(?P<PatientID>((a{100}){10}){1000})'"),
    "many choices": rule("filename: '(?P<PatientID>" + "(?:x{0,100}){0,10}" * 40 + ")'"),
    "brackets": rule("filename: '(?P<PatientID>" + "(?:" * 200 + "a" + ")" * 200 + ")'"),
    "an XPath": rule("sidecar: {file: '{stem}.xml', xpath: {'" + "//a[b]" * 9_000 + "': PatientID}}"),
    "a path of DICOM": rule("dicom: {'" + "RequestAttributesSequence[0]." * 2_000 + "PatientID': PatientID}"),
    "a key set": instead("match", "['" + "PatientID+" * 6_000 + "']"),
    "a duration": GOOD.replace("\nmatch:", "\nsettle: " + "9" * 60_000 + "s\nmatch:"),
    "a name": GOOD + "  - {file: '" + "a" * 60_000 + ".jpg', refuses: NO_KEYS}\n",
    "a tag": GOOD + "  - {file: a.jpg, exif: {ImageDescription: '" + "a" * 60_000 + "'}, refuses: NO_KEYS}\n",
    "an address": CONFIG.replace("https://reading.example/v1", "https://[" + ":" * 60_000),
    "secrets": CONFIG + "x: '" + "sig=" * 15_000 + "'\n",
    "passwords": CONFIG + "x: '" + "://a:" * 12_000 + "'\n",
    "colons of a password": CONFIG + "x: '://" + ":" * 60_000 + "'\n",
    "tokens": CONFIG + "x: '" + "token: " * 9_000 + "'\n",
    "a folder": CONFIG.replace("folder: room-2", "folder: " + "../" * 20_000),
    "a zone": CONFIG + "site: {zone: " + "A/" * 30_000 + "}\n",
}
BOMB = "a: &a [x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
)


@pytest.mark.parametrize("text", [*LINES.values(), *LONG.values(), BOMB], ids=[*LINES, *LONG, "aliases"])
def test_a_file_is_judged_in_less_than_a_second(text: str) -> None:
    text = text[: LARGEST - 1]
    begin = time.thread_time()
    for judged in (lambda: prove(parse_profile(text, "x.yaml")), lambda: parse_config(text, Path("/x/irisdrop.yaml"))):
        try:
            judged()
        except FaultyFile as faulty:
            assert 0 < len(faulty.faults) <= MOST
    assert time.thread_time() - begin < 2  # for both


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"x" * (LARGEST + 1), "TOO_LARGE"),
        (b"a: b\n" * (2 << 20), "TOO_LARGE"),
        (GOOD.encode("utf-16"), "NOT_UTF8"),
        (GOOD.encode("utf-16-be"), "YAML_SYNTAX"),
        (GOOD.replace("title", "ti\0tle").encode(), "YAML_SYNTAX"),
        (b"\xef\xbb\xbf", "EMPTY_FILE"),
        (GOOD.replace("Topcon", "T\xf6pcon").encode("latin-1"), "NOT_UTF8"),
    ],
)
def test_bytes_that_are_no_profile_are_told(content: bytes, code: str) -> None:
    with pytest.raises(FaultyFile) as told:
        parse_profile(decoded(content, "x.yaml"), "x.yaml")
    assert told.value.faults[0].code == code


def test_a_file_with_the_line_ends_of_an_old_mac_is_read_and_its_faults_have_their_lines() -> None:
    assert prove(parse_profile(GOOD.replace("\n", "\r"), "x.yaml")) == []
    with pytest.raises(FaultyFile) as told:
        parse_profile(GOOD.replace("\n", "\r").replace("modality:", "modalty:"), "x.yaml")
    line = GOOD[: GOOD.index("modality:")].count("\n") + 1
    assert ("UNKNOWN_SETTING", line) in {(fault.code, fault.line) for fault in told.value.faults}
