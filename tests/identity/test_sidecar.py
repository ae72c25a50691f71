"""Keys from a companion file."""

from pathlib import Path
from typing import Any

import pytest

from irisdrop.identity.identify import Export, Identified, Refusal, Sidecar, identify
from irisdrop.identity.sandbox import Parsers
from irisdrop.vocabulary.reasons import Code

XML = "sidecar: {file: '{stem}.xml', xpath: {//Patient/ID: PatientID, //Image/@eye: ImageLaterality}}"


@pytest.fixture
def beside(tmp_path: Path, make: Any, parsers: Parsers) -> Any:
    """What a picture and its companion say."""

    def reading(rule: str, content: bytes | None, name: str = "a.xml") -> Identified | Refusal:
        picture = tmp_path / "picture"
        picture.write_bytes(make.picture())
        sidecars = ()
        if content is not None:
            (tmp_path / "spooled").write_bytes(content)
            sidecars = (Sidecar(tmp_path / "spooled", name),)
        return identify(make.profile(rule), Export(picture, "x/a.jpg", sidecars), parsers)

    return reading


def said(found: Identified | Refusal) -> list[tuple[str, str, str]]:
    assert isinstance(found, Identified), found
    return [(one.key, one.value, one.source) for one in found.readings]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp932", "iso-8859-1"])
def test_xml_is_read_in_its_own_encoding(beside: Any, encoding: str) -> None:
    name = "山田" if encoding in ("utf-8", "utf-16", "cp932") else "Müller"
    declared = "" if encoding == "utf-16" else f'<?xml version="1.0" encoding="{encoding}"?>'
    text = f'{declared}<Exam><Patient><ID> 000815 </ID><Name>{name}</Name></Patient><Image eye="OD"/></Exam>'
    rule = XML.replace("//Image", "//Patient/Name: PatientName, //Image")
    assert said(beside(rule, text.encode(encoding))) == [
        ("PatientID", "000815", "sidecar://Patient/ID"),
        ("PatientName", name, "sidecar://Patient/Name"),
        ("ImageLaterality", "R", "sidecar://Image/@eye"),
    ]


def test_xml_is_read_whatever_its_namespaces(beside: Any) -> None:
    text = b'<O xmlns="urn:o" xmlns:c="urn:c"><c:Patient><c:No.>1</c:No.><c:ID>000815</c:ID></c:Patient></O>'
    assert said(beside(XML, text))[0][1] == "000815"
    assert said(beside(XML.replace("//Patient/ID", "/O/Patient/ID"), text))[0][1] == "000815"


def test_two_values_at_one_place_are_two_readings(beside: Any) -> None:
    text = b"<O><Patient><ID>1</ID></Patient><Patient><ID>2</ID></Patient></O>"
    assert [value for _, value, _ in said(beside(XML, text))] == ["1", "2"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<O><Patient><ID>1</ID>",
        b"\xff\xff",
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><O><Patient><ID>&b;</ID></Patient></O>',
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><O><Patient><ID>&a;</ID></Patient></O>',
    ],
)
def test_a_companion_that_can_t_be_read_is_unreadable_and_never_no_keys(beside: Any, content: bytes) -> None:
    found = beside(XML, content)
    assert found.code is Code.UNREADABLE
    assert "companion" in found.detail


def test_a_missing_companion_is_unreadable(beside: Any) -> None:
    assert beside(XML, None).code is Code.UNREADABLE
    assert beside(XML, b"<O/>", "b.xml").code is Code.UNREADABLE


def test_a_companion_is_found_whatever_the_case_of_its_name(beside: Any) -> None:
    assert said(beside(XML, b"<O><Patient><ID>1</ID></Patient></O>", "A.XML"))[0][1] == "1"


def test_json_keeps_numbers_as_they_were_written(beside: Any) -> None:
    rule = """sidecar: {file: "{name}.json", json: {patient.id: PatientID, "images[0].eye": ImageLaterality, visit: AdmissionID}}"""
    text = b'{"patient": {"id": "000815"}, "images": [{"eye": "OS"}, {"eye": "OD"}], "visit": 8.10}'
    assert [value for _, value, _ in said(beside(rule, text, "a.jpg.json"))] == ["000815", "L", "8.10"]


def test_csv_is_read_by_its_headings(beside: Any) -> None:
    rule = "sidecar: {file: '{stem}.csv', csv: {Patient No: PatientID, Eye: ImageLaterality}}"
    text = 'eye;"patient no";Name\r\nOD;000815;"Müller; Anna"\r\n'.encode("utf-8-sig")
    assert [value for _, value, _ in said(beside(rule, text, "a.csv"))] == ["000815", "R"]


def test_ini_is_read_by_section_and_option(beside: Any) -> None:
    rule = "sidecar: {file: '{stem}.ini', ini: {Patient/ID: PatientID, eye: ImageLaterality}}"
    text = "eye=right\n[Patient]\n; of today\nid = 000815\n".encode("utf-16")
    assert [value for _, value, _ in said(beside(rule, text, "a.ini"))] == ["000815", "R"]


def test_a_declared_encoding_wins(beside: Any) -> None:
    rule = "sidecar: {file: '{stem}.csv', encoding: cp932, csv: {name: PatientName}}"
    assert said(beside(rule, "name\r\n山田\r\n".encode("cp932"), "a.csv"))[0][1] == "山田"


def test_a_pattern_is_for_the_whole_value(beside: Any) -> None:
    rule = r"sidecar: {file: '{stem}.xml', xpath: {//Patient/ID: 'MRN(?P<PatientID>\d+)'}}"
    assert said(beside(rule, b"<O><Patient><ID>MRN000815</ID></Patient></O>")) == [
        ("PatientID", "000815", "sidecar://Patient/ID")
    ]


JSON = "sidecar: {file: '{stem}.json', json: {patient.id: PatientID}}"
CSV = "sidecar: {file: '{stem}.csv', csv: {ID: PatientID}}"
INI = "sidecar: {file: '{stem}.ini', ini: {Patient/ID: PatientID}}"


def test_a_name_that_stands_twice_in_json_says_both_of_its_values(beside: Any) -> None:
    """Readers take the last one; which of two patients is meant, nobody knows."""
    found = beside(JSON, b'{"patient": {"id": "000815", "id": "000816", "id": "000817"}}', "a.json")
    assert [value for _, value, _ in said(found)] == ["000815", "000816", "000817"]
    found = beside(JSON, b'{"patient": {"id": "000815"}, "patient": {"id": "000816"}}', "a.json")
    assert [value for _, value, _ in said(found)] == ["000815", "000816"]


@pytest.mark.parametrize(
    ("rule", "name", "content"),
    [
        (XML, "a.xml", "<E><Patient><ID>000815</ID></Patient></E>"),
        (JSON, "a.json", '{"patient": {"id": "000815"}}'),
        (CSV, "a.csv", "ID,Eye\n000815,OD\n"),
        (INI, "a.ini", "[Patient]\nID=000815\n"),
    ],
    ids=["xml", "json", "csv", "ini"],
)
@pytest.mark.parametrize("mark", ["utf-8-sig", "utf-16", "utf-8 and zeros"])
def test_a_byte_order_mark_and_zeros_at_the_end_are_no_text(
    beside: Any, rule: str, name: str, content: str, mark: str
) -> None:
    """Some cameras make a file in the size that it will have, and fill it then."""
    written = content.encode() + bytes(512) if mark == "utf-8 and zeros" else content.encode(mark)
    assert ("PatientID", "000815") in [(key, value) for key, value, _ in said(beside(rule, written, name))]


@pytest.mark.parametrize(
    ("rule", "name", "content"),
    [
        (XML, "a.xml", "<E><Patient><ID>000815</ID></Patient></E>".encode("utf-16-le")),
        (INI, "a.ini", "[Patient]\nID=000815\n".encode("utf-16-be")),
        (CSV, "a.csv", b"ID,Eye\n000\x00815,OD\n"),
        (JSON, "a.json", b'{"patient": {"id": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}"),
        (JSON, "a.json", b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
        (XML, "a.xml", b'<!DOCTYPE E SYSTEM "file:///etc/passwd"><E><Patient><ID>1</ID></Patient></E>'),
        (XML, "a.xml", b'<!DOCTYPE E [<!ENTITY x SYSTEM "file:///etc/passwd">]><E><Patient><ID>&x;</ID></Patient></E>'),
        (XML, "a.xml", b'<?xml version="1.0" encoding="punycode"?>' + b"<E>" * 200_000),
        (XML, "a.xml", b'<?xml version="1.0" encoding="zlib"?><E/>'),
        (XML, "a.xml", b'<?xml version="1.0" encoding="undefined"?><E/>'),
        (CSV, "a.csv", b'ID\n"' + b"8" * 1_000_000 + b'"\n'),
        (XML, "a.xml", b"<E>" + b"<a/>" * 5_000_000),
    ],
    ids=[
        *("xml without mark", "ini without mark", "csv with zeros", "deep list", "deep object", "doctype", "entity"),
        *("slow encoding", "no text encoding", "undefined encoding", "endless field", "huge and cut"),
    ],
)
def test_what_is_made_to_harm_is_unreadable_in_time(beside: Any, rule: str, name: str, content: bytes) -> None:
    found = beside(rule, content, name)
    assert isinstance(found, Refusal)
    assert found.code is Code.UNREADABLE


def test_a_deep_document_is_read(beside: Any) -> None:
    text = b"<E>" * 50_000 + b"<Patient><ID>000815</ID></Patient>" + b"</E>" * 50_000
    assert [value for _, value, _ in said(beside(XML, text))] == ["000815"]
