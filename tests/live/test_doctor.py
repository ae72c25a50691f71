"""`irisdrop doctor platform` of every kind, well and unwell, against real servers."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from irisdrop.profiles.config import load_config
from irisdrop.surface.doctor.finding import Case
from irisdrop.surface.doctor.platform import platform
from irisdrop.surface.doctor.reaching import reached_at

Look = Callable[..., list[str]]


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """What the doctor says of a platform, each finding as `grade text`."""

    def looked(written: str, probe: bool = False) -> list[str]:
        path = tmp_path / "irisdrop.yaml"
        path.write_text(
            f"state: {tmp_path / 'state'}\nplatform: {written}\n"
            f"worklist: {{from: json, path: orders.json}}\n"
            f"cameras: [{{name: one, profile: topcon-nw400, folder: {tmp_path / 'exports'}}}]\n"
        )
        return [f"{found.grade} {found.text}" for found in platform(Case(path, load_config(path), probe=probe))]

    return looked


def grades(said: list[str]) -> set[str]:
    """The grades alone."""
    return {one.partition(" ")[0] for one in said}


def test_orthanc_by_dicomweb_is_well_and_another_path_is_not(orthanc: Any, look: Look) -> None:
    said = look(f'{{kind: dicomweb, url: "{orthanc.web}"}}')
    assert grades(said) == {"ok"}
    assert any("QIDO-RS" in one for one in said)
    assert "broken there is no DICOMweb at this address (404)" in look(
        f'{{kind: dicomweb, url: "{orthanc.web}/nowhere"}}'
    )


def test_orthanc_by_dimse_answers_an_echo(orthanc: Any, look: Look) -> None:
    said = look(f"{{kind: dimse, host: 127.0.0.1, port: {orthanc.dicom}, called: ORTHANC}}")
    assert grades(said) == {"ok"}
    assert any("C-ECHO" in one for one in said)


def test_storescp_takes_no_queries(storescp: tuple[int, Path], look: Look) -> None:
    where = f"host: 127.0.0.1, port: {storescp[0]}, called: STORESCP"
    assert any("takes no queries" in one for one in look(f"{{kind: dimse, {where}}}"))
    assert grades(look(f"{{kind: dimse, {where}, receipt: none}}")) == {"ok"}


def test_a_port_where_nobody_listens_is_told(look: Look, free_port: Callable[[], int]) -> None:
    said = look(f"{{kind: dimse, host: 127.0.0.1, port: {free_port()}, called: NOBODY}}")
    assert any(one.startswith("broken 127.0.0.1 does not answer on port") for one in said)


def test_a_name_that_does_not_resolve_is_told() -> None:
    (found,) = reached_at("no-such-host.invalid", 443, encrypted=True)
    assert "does not resolve" in found.text


def test_a_folder_is_looked_at_and_with_probe_written_to(tmp_path: Path, look: Look) -> None:
    target = tmp_path / "out"
    assert grades(look(f"{{kind: folder, path: {target}}}")) == {"broken"}
    target.mkdir()
    (target / "share").touch()
    said = look(f"{{kind: folder, path: {target}, marker: share}}", probe=True)
    assert grades(said) <= {"ok", "look"}
    assert any("read back and removed" in one for one in said)
    assert [path.name for path in target.iterdir()] == ["share"]
    assert any("marker" in one for one in look(f"{{kind: folder, path: {target}, marker: other}}"))


def test_iris_is_tried_by_a_block_that_never_becomes_a_blob(
    storage: Any, bus: Any, look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAS", storage.sas())
    monkeypatch.setenv("BUS", bus.connection_string)
    written = (
        f'{{kind: iris, url: "{storage.url}", organization: GUID, container: images, sas: {{env: SAS}}, '
        "stamp: {exif: ImageDescription}, bus_connection_string: {env: BUS}, events: owner, events_queue: events, "
        f"events_keep: {tmp_path / 'events'}}}"
    )
    said = look(written, probe=True)
    assert grades(said) == {"ok"}, said
    assert any("clock is the platform's" in one for one in said)
    assert any("takes what we write" in one for one in said) and any("queue of events" in one for one in said)
    assert list(storage.client().list_blobs()) == []
    monkeypatch.setenv("SAS", storage.sas("r"))
    assert any("refuses our credentials" in one for one in look(written, probe=True))
    monkeypatch.setenv("SAS", storage.connection_string)
    written = written.replace("sas: {env: SAS}", "connection_string: {env: SAS}")
    assert any(
        "no such container" in one for one in look(written.replace("container: images", "container: nowhere"), True)
    )


def test_iris_without_its_undocumented_tag_says_whom_to_ask(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAS", "sig=x")
    said = look('{kind: iris, url: "https://a.example", organization: G, container: c, sas: {env: SAS}}')
    assert any("which Exif tag" in one for one in said)


@pytest.fixture
def inspecting(tmp_path: Path) -> Iterator[int]:
    """A server whose certificate is of a proxy that looks into TLS."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/O=Inspecting Proxy Ltd/CN=localhost"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                line, _ = server.accept()
            except OSError:
                return
            try:
                context.wrap_socket(line, server_side=True).close()
            except OSError:
                line.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(10)


def test_who_looks_into_tls_is_named(inspecting: int) -> None:
    _, found = reached_at("127.0.0.1", inspecting, encrypted=True)
    assert "does not verify" in found.text and "issued by Inspecting Proxy Ltd" in found.text
    assert "must leave 127.0.0.1 out" in found.remedy
