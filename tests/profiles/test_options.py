"""The settings that a kind of platform or a source of orders knows: typed, and every fault at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from irisdrop.profiles.config import Config, parse_config
from irisdrop.profiles.options import PLATFORM_OPTIONS, WORKLIST_OPTIONS
from irisdrop.profiles.secret import Secret
from irisdrop.vocabulary.faults import FaultyFile

DIMSE = "kind: dimse, host: pacs, port: 11112, called: PACS"


def config(platform: str = DIMSE, worklist: str = "from: json, path: orders.json") -> Config:
    """A configuration with this platform and worklist."""
    text = f"state: /s\nplatform: {{{platform}}}\nworklist: {{{worklist}}}\ncameras: [{{name: a, profile: p, folder: /e}}]\n"
    return parse_config(text, Path("/etc/irisdrop/irisdrop.yaml"))


def faults(platform: str = DIMSE, worklist: str = "from: json, path: orders.json") -> list[tuple[str, int, str]]:
    """Code, line and message of each fault."""
    with pytest.raises(FaultyFile) as caught:
        config(platform, worklist)
    return [(fault.code, fault.line, fault.message) for fault in caught.value.faults]


def test_settings_have_their_types_and_defaults() -> None:
    found = config(
        f"{DIMSE}, tls: true, ca: ca.pem",
        "from: csv, path: orders.csv, map: {MRN: PatientLocalId}, quiet: 5s, encoding: latin-1",
    )
    assert found.platform is not None
    options = found.platform.options
    assert (options["port"], options["tls"], options["coerce"], options["receipt"]) == (11112, True, False, "query")
    assert options["ca"] == Path("/etc/irisdrop/ca.pem")
    worklist = found.worklist.options
    assert (worklist["path"], worklist["quiet"]) == (Path("/etc/irisdrop/orders.csv"), 5.0)
    assert (dict(worklist["map"]), worklist["encoding"]) == ({"MRN": "PatientLocalId"}, "iso8859-1")


def test_a_secret_stays_a_reference() -> None:
    found = config("kind: iris, organization: G, container: c, connection_string: {env: STORAGE}")
    assert found.platform is not None
    assert found.platform.options["connection_string"] == Secret("env", "STORAGE")


@pytest.mark.parametrize(
    ("platform", "code", "message"),
    [
        ("kind: dimse, port: 11112, called: PACS", "MISSING", "`host` is missing in `platform`"),
        (DIMSE.replace("11112", "eleven"), "WRONG_VALUE", "this is no value for `port`"),
        (DIMSE.replace("11112", "70000"), "WRONG_VALUE", "this is no value for `port`"),
        (f"{DIMSE}, tls: maybe", "WRONG_VALUE", "this is no value for `tls`"),
        (f"{DIMSE}, receipt: ask", "WRONG_VALUE", "this is no value for `receipt`"),
        (f"{DIMSE}, calls: X", "UNKNOWN_SETTING", "`calls` is no setting of `kind: dimse`"),
        ("kind: dicomweb", "MISSING", "`url` is missing in `platform`"),
        ('kind: dicomweb, url: "http://pacs/dicom-web"', "NOT_ENCRYPTED", "images would travel unencrypted"),
        ("kind: folder, path: /e/out", "FOLDERS_OVERLAP", "`path` of the platform lies inside the folder of `a`"),
        (
            "kind: iris, organization: G, container: c, sas: sv=1&sig=x",
            "SECRET_IN_CLEAR",
            "`sas` holds a secret in clear",
        ),
    ],
)
def test_a_fault_of_a_platform_is_told_at_its_line(platform: str, code: str, message: str) -> None:
    found = faults(platform)
    assert (code, 2) in [(one[0], one[1]) for one in found]
    assert any(message in one[2] for one in found), found


@pytest.mark.parametrize(
    ("worklist", "message"),
    [
        ("from: mwl, port: 104, called: X", "`host` is missing in `worklist`"),
        ("from: csv, path: a.csv, withdrawals: never", "this is no value for `withdrawals`"),
        ("from: csv, path: a.csv, encoding: latin-99", "this is no value for `encoding`"),
        ("from: csv, path: a.csv, map: [MRN]", "this is no value for `map`"),
        ("from: csv, path: a.csv, quiet: 5", "this is no value for `quiet`"),
        ('from: fhir, url: "http://ehr.example/fhir"', "images would travel unencrypted"),
    ],
)
def test_a_fault_of_a_worklist_is_told(worklist: str, message: str) -> None:
    assert any(message in one[2] and one[1] == 3 for one in faults(worklist=worklist))


def test_every_fault_comes_at_once() -> None:
    assert len(faults("kind: dimse, tls: maybe, receipt: ask, other: 1", "from: mwl, ahead: soon")) >= 8


def test_no_setting_is_named_as_a_common_one() -> None:
    for options in (*PLATFORM_OPTIONS.values(), *WORKLIST_OPTIONS.values()):
        assert not options.keys() & {"kind", "from", "every", "stale", "concurrency"}
