"""An audit record as an AuditMessage of DICOM PS3.15 A.5, for an audit record repository."""

from __future__ import annotations

import socket
from xml.etree.ElementTree import Element, SubElement, tostring

from irisdrop.record.audit import CODES, AuditRecord, Kind

START, STOP = ("110120", "Application Start"), ("110121", "Application Stop")


def message(record: AuditRecord) -> str:
    """One line of XML; an image is named by its digest, an order by its id, nobody by name or number."""
    root = Element("AuditMessage")
    event = SubElement(
        root,
        "EventIdentification",
        EventActionCode=record.action,
        EventDateTime=record.at,
        EventOutcomeIndicator=str(record.outcome),
    )
    _code(event, "EventID", CODES[Kind(record.kind)], record.kind)
    if record.kind == Kind.APPLICATION and record.detail.startswith(("start", "stop")):
        _code(event, "EventTypeCode", *(STOP if record.detail == "stop" else START))
    SubElement(root, "ActiveParticipant", UserID=record.who, UserIsRequestor="true")
    SubElement(root, "AuditSourceIdentification", AuditSourceID=f"irisdrop@{socket.gethostname()}")
    if record.digest:
        _object(root, "2", "3", "sha256", record.digest, record)  # system object, report
    if record.entry:
        _object(root, "2", "20", "order", record.entry, record)  # system object, job
    return tostring(root, encoding="unicode")


def _code(parent: Element, name: str, code: str, meaning: str) -> None:
    SubElement(parent, name, {"csd-code": code, "codeSystemName": "DCM", "originalText": meaning})


def _object(root: Element, kind: str, role: str, what: str, value: str, record: AuditRecord) -> None:
    found = SubElement(
        root,
        "ParticipantObjectIdentification",
        ParticipantObjectID=value,
        ParticipantObjectTypeCode=kind,
        ParticipantObjectTypeCodeRole=role,
    )
    SubElement(
        found,
        "ParticipantObjectIDTypeCode",
        {"csd-code": what, "codeSystemName": "irisdrop", "originalText": what},
    )
    if record.detail:
        SubElement(found, "ParticipantObjectDescription").text = record.detail
