"""XMP and IPTC of a picture, for a person who looks for what a camera writes; no rule reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, Final
from xml.etree import ElementTree

LARGEST: Final = 4 << 20  # bytes: both stand near the beginning
PACKET: Final = re.compile(rb"<(?:\w+:)?xmpmeta\b.*?</(?:\w+:)?xmpmeta>", re.DOTALL)
RESOURCE: Final = b"8BIM\x04\x04"
DATASETS: Final = {5: "ObjectName", 25: "Keywords", 55: "DateCreated", 60: "TimeCreated", 80: "By-line", 120: "Caption"}
Row = tuple[str, str, str]


def read_embedded(file: BinaryIO) -> Iterator[Row]:
    """Directory (`XMP`, `IPTC`), name and text of everything that has one; what can't be read is left out."""
    file.seek(0)
    head = file.read(LARGEST)
    packet = PACKET.search(head)
    if packet is not None and b"<!" not in packet[0]:
        try:
            yield from _xmp(ElementTree.fromstring(packet[0]))
        except ElementTree.ParseError:
            yield "XMP", "packet", "not readable"
    yield from _iptc(head)


def _xmp(root: ElementTree.Element) -> Iterator[Row]:
    for element in root.iter():
        name = element.tag.rpartition("}")[2]
        for attribute, value in element.attrib.items():
            if not attribute.startswith("{http://www.w3.org/") and value.strip():
                yield "XMP", attribute.rpartition("}")[2], value.strip()
        if len(element) == 0 and element.text and element.text.strip():
            yield "XMP", name, element.text.strip()


def _iptc(head: bytes) -> Iterator[Row]:
    begin = head.find(RESOURCE)
    if begin < 0:
        return
    at = head.find(b"\x1c", begin, begin + 64)
    while at >= 0 and head[at : at + 1] == b"\x1c" and len(head) >= at + 5:
        record, dataset, length = head[at + 1], head[at + 2], int.from_bytes(head[at + 3 : at + 5], "big")
        if length & 0x8000:
            return
        text = head[at + 5 : at + 5 + length].decode("utf-8", "replace").strip("\0 ")
        if record == 2 and text and dataset:
            yield "IPTC", DATASETS.get(dataset, f"2:{dataset:03}"), text
        at += 5 + length
