"""Data sets in large writes, against DCMTK, Orthanc and servers that misbehave."""

from __future__ import annotations

import io
import os
import random
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pydicom
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
)
from pynetdicom import AE, evt
from pynetdicom.dsutils import split_dataset
from pynetdicom.sop_class import OphthalmicPhotography8BitImageStorage

from irisdrop.platforms import dimse
from irisdrop.platforms.association import Peer
from irisdrop.platforms.dimse import DimsePlatform
from irisdrop.platforms.fragments import AROUND, BLOCK, HEADER, LAST, P_DATA, DataSet, Fragments
from irisdrop.platforms.instance import Maker
from irisdrop.vocabulary.deliveries import Confirmed, Parcel, Postponed, Refused, Uploaded

Parcels = Callable[..., Parcel]
Dicom = Callable[..., bytes]
Server = Callable[..., int]
UID = "1.2.826.0.1.3680043.8.498.1"


def large(dicom: Dicom, side: int = 1500, **more: object) -> bytes:
    """A photograph of some megabytes."""
    pixels = random.Random(side).randbytes(side * side // 2 * 2)
    return dicom(Rows=side, Columns=side, PixelData=pixels, **more)


def data_set(file: Path) -> bytes:
    """What a file holds after its meta information."""
    _, offset = split_dataset(file)
    return file.read_bytes()[offset:]


def listens(port: int) -> bool:
    """Whether somebody has a port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def dcmtk(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Callable[..., tuple[int, Path]]]:
    """Starts DCMTK's receiver, which keeps data sets bit by bit; its port and the folder that it writes to."""
    running: list[subprocess.Popen[bytes]] = []

    def started(*words: str) -> tuple[int, Path]:
        folder, port = tmp_path / f"received{len(running)}", free_port()
        folder.mkdir()
        command = ["storescp", "-aet", "STORESCP", "+xa", "+B", "-od", str(folder), *words, str(port)]
        running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        pause = threading.Event()
        while not listens(port):
            assert running[-1].poll() is None
            pause.wait(0.05)
        return port, folder

    yield started
    for process in running:
        process.terminate()
        process.wait(30)


@pytest.fixture
def server() -> Iterator[Server]:
    """Starts a server of pynetdicom that does what a test wants at some event; its port."""
    running: list[Any] = []

    def started(*doing: Any, receives: int | None = None) -> int:
        own = AE("STORESCP")
        own.network_timeout = None
        own.add_supported_context(OphthalmicPhotography8BitImageStorage, ExplicitVRLittleEndian)
        running.append(own.start_server(("127.0.0.1", 0), block=False, evt_handlers=list(doing)))
        if receives is not None:
            running[-1].socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
        port: int = running[-1].server_address[1]
        return port

    yield started
    for each in running:
        each.shutdown()


@pytest.fixture
def platform(maker: Maker) -> Iterator[Callable[..., DimsePlatform]]:
    """Delivers to a port."""
    made: list[DimsePlatform] = []

    def one(port: int, **more: Any) -> DimsePlatform:
        made.append(DimsePlatform(Peer("127.0.0.1", port, "STORESCP", "IRISDROP", **more), maker, query=False))
        return made[-1]

    yield one
    for each in made:
        each.close()


Made = Callable[..., DimsePlatform]


def saved(raw: bytes, syntax: str) -> bytes:
    """A file in another transfer syntax."""
    made = pydicom.dcmread(io.BytesIO(raw))
    if syntax == JPEGBaseline8Bit:
        made.PixelData = encapsulate([made.PixelData])
        made["PixelData"].is_undefined_length = True
    made.file_meta.TransferSyntaxUID = syntax
    made._read_little = made._read_implicit = None
    buffer = io.BytesIO()
    little, implicit = syntax != ExplicitVRBigEndian, syntax == ImplicitVRLittleEndian
    pydicom.dcmwrite(buffer, made, implicit_vr=implicit, little_endian=little, force_encoding=True)
    return buffer.getvalue()


@pytest.mark.parametrize("words", [(), ("--max-pdu", "4096"), ("--max-pdu", "5001"), ("--max-pdu", "131072")])
def test_whatever_a_server_takes_in_one_it_gets_the_data_set_of_the_file(
    dcmtk: Callable[..., tuple[int, Path]], platform: Made, parcel: Parcels, dicom: Dicom, words: tuple[str, ...]
) -> None:
    port, folder = dcmtk(*words)
    ours, sent = platform(port), [parcel(large(dicom, side, SOPInstanceUID=f"{UID}.{side}")) for side in (900, 1501)]
    for one in sent:
        assert isinstance(ours.deliver(one), Uploaded)
    received = {data_set(file) for file in folder.iterdir()}
    assert received == {data_set(Path(one.file)) for one in sent}


@pytest.mark.parametrize(
    "syntax",
    [
        *(ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian),
        *(DeflatedExplicitVRLittleEndian, JPEGBaseline8Bit),
    ],
)
def test_a_file_of_any_transfer_syntax_arrives_as_it_is(
    dcmtk: Callable[..., tuple[int, Path]], platform: Made, parcel: Parcels, dicom: Dicom, syntax: str
) -> None:
    port, folder = dcmtk()
    one = parcel(saved(large(dicom), syntax))
    assert isinstance(platform(port).deliver(one), Uploaded)
    (received,) = folder.iterdir()
    assert pydicom.dcmread(received, stop_before_pixels=True).file_meta.TransferSyntaxUID == syntax
    assert data_set(received) == data_set(Path(one.file))


def test_orthanc_has_every_byte_of_a_large_image(orthanc: Any, maker: Maker, parcel: Parcels, dicom: Dicom) -> None:
    uid = f"{UID}.77"
    one, ours = parcel(large(dicom, SOPInstanceUID=uid)), DimsePlatform(orthanc.peer(), maker)
    assert isinstance(ours.deliver(one), Confirmed)
    ours.close()
    root = orthanc.web.removesuffix("/dicom-web")
    query = {"Level": "Instance", "Query": {"SOPInstanceUID": uid}}
    (found,) = requests.post(f"{root}/tools/find", json=query, timeout=10).json()
    back = requests.get(f"{root}/instances/{found}/file", timeout=10).content
    assert back.endswith(data_set(Path(one.file)))


def test_a_large_image_goes_by_tls(
    dcmtk: Callable[..., tuple[int, Path]], platform: Made, parcel: Parcels, dicom: Dicom, tmp_path: Path
) -> None:
    subject = ("-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*made, *subject], check=True, capture_output=True)
    port, folder = dcmtk("-ic", "+tls", str(key), str(certificate))
    ours = platform(port, tls=True, ca=certificate)
    sent = [parcel(large(dicom, side, SOPInstanceUID=f"{UID}.{side}")) for side in (1499, 1501)]
    for one in sent:
        assert isinstance(ours.deliver(one), Uploaded)
    assert isinstance(ours._lines._idle[0].dul.socket.socket, ssl.SSLSocket)
    assert {data_set(file) for file in folder.iterdir()} == {data_set(Path(one.file)) for one in sent}


def test_the_installed_pynetdicom_sends_the_command_alone(
    server: Server, platform: Made, parcel: Parcels, dicom: Dicom
) -> None:
    taken: list[bytes] = []

    def took(event: Any) -> int:
        taken.append(event.encoded_dataset(include_meta=False))
        return 0

    ours, itself = platform(server((evt.EVT_C_STORE, took))), 0
    assert isinstance(ours.deliver(parcel(dicom())), Uploaded)

    def counted(event: Any) -> None:
        nonlocal itself
        itself += event.pdu.pdu_type == P_DATA

    ours._lines._idle[0].bind(evt.EVT_PDU_SENT, counted)
    one = parcel(large(dicom))
    assert isinstance(ours.deliver(one), Uploaded)
    assert itself == 1
    assert taken[1] == data_set(Path(one.file))


def test_a_pynetdicom_that_keeps_the_file_elsewhere_sends_as_it_does() -> None:
    plain: list[object] = []
    line = SimpleNamespace(dimse=SimpleNamespace(send_msg=lambda *sent: plain.append(sent)), bind=lambda *_: None)
    Fragments(line)
    message = SimpleNamespace(DataSet=io.BytesIO(b"1234"))
    line.dimse.send_msg(message, 1)
    assert plain == [(message, 1)]


@pytest.mark.parametrize("direct", [True, False])
def test_a_server_that_stops_reading_holds_nobody_up(
    server: Server, platform: Made, parcel: Parcels, dicom: Dicom, monkeypatch: pytest.MonkeyPatch, direct: bool
) -> None:
    if not direct:
        monkeypatch.setattr(dimse, "Fragments", lambda line: line)
    over, before = threading.Event(), threading.active_count()

    def stopped(event: Any) -> None:
        if len(event.data) > 10_000:
            over.wait(100)

    ours, begun = platform(server((evt.EVT_DATA_RECV, stopped)), wait=2.0), time.monotonic()
    answer = ours.deliver(parcel(large(dicom, 5000)))
    over.set()
    assert isinstance(answer, Postponed)
    assert answer.condition == "PLATFORM_UNREACHABLE"
    assert time.monotonic() - begun < 60
    assert ours._lines._idle == []
    pause = threading.Event()
    while threading.active_count() > before + 1:  # the server's own
        pause.wait(0.05)


def test_a_server_that_stops_in_the_middle_of_its_greeting_holds_nobody_up(
    platform: Made, parcel: Parcels, dicom: Dicom
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def half() -> None:
            connection, _ = listening.accept()
            connection.recv(10_000)
            connection.sendall(b"\x02\x00\x00\x00\x01\x00half of it")
            over.wait(100)
            connection.close()

        over, serving = threading.Event(), threading.Thread(target=half)
        serving.start()
        answer = platform(listening.getsockname()[1], wait=1.0).deliver(parcel(dicom()))
        over.set()
        serving.join()
    assert isinstance(answer, Postponed)
    assert answer.condition == "PLATFORM_UNREACHABLE"


def test_a_server_that_does_not_agree_to_an_end_delays_a_stop_for_seconds(
    server: Server, platform: Made, parcel: Parcels, dicom: Dicom
) -> None:
    over = threading.Event()

    def silent(event: Any) -> None:
        if event.pdu.pdu_type == 5:  # A-RELEASE-RQ
            over.wait(100)

    ours = platform(server((evt.EVT_PDU_RECV, silent), (evt.EVT_C_STORE, lambda _: 0)))
    assert isinstance(ours.deliver(parcel(dicom())), Uploaded)
    begun = time.monotonic()
    ours.close()
    took = time.monotonic() - begun
    over.set()
    assert took < 20


def test_an_image_may_take_longer_than_an_answer_as_long_as_it_moves(
    server: Server, platform: Made, parcel: Parcels, dicom: Dicom, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause, bound = threading.Event(), Peer._bound

    def narrow(peer: Peer, opened: Any) -> None:
        """Else this machine's own buffers hold all of the image at once, as no slow line does."""
        bound(peer, opened)
        opened.assoc.dul.socket.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)

    def slow(event: Any) -> None:
        if len(event.data) > 10_000:
            pause.wait(0.06)

    monkeypatch.setattr(Peer, "_bound", narrow)
    port = server((evt.EVT_DATA_RECV, slow), (evt.EVT_C_STORE, lambda _: 0), receives=65536)
    begun = time.monotonic()
    assert isinstance(platform(port, wait=4.0).deliver(parcel(large(dicom, 1500))), Uploaded)
    assert time.monotonic() - begun > 4.0


def test_an_image_that_is_refused_in_the_middle_is_sent_again_later(
    dcmtk: Callable[..., tuple[int, Path]], platform: Made, parcel: Parcels, dicom: Dicom
) -> None:
    port, folder = dcmtk("--abort-during")
    answer = platform(port).deliver(parcel(large(dicom)))
    assert isinstance(answer, Postponed)
    assert answer.condition == "PLATFORM_UNREACHABLE"
    assert list(folder.iterdir()) == []


def test_after_an_abort_in_the_middle_the_next_image_has_a_line_of_its_own(
    server: Server, platform: Made, parcel: Parcels, dicom: Dicom
) -> None:
    seen, taken = 0, 0

    def aborting(event: Any) -> None:
        nonlocal seen
        seen += len(event.data)
        if 200_000 < seen < 300_000:
            seen = 1_000_000
            event.assoc.abort()

    def took(_: Any) -> int:
        nonlocal taken
        taken += 1
        return 0

    ours = platform(server((evt.EVT_DATA_RECV, aborting), (evt.EVT_C_STORE, took)))
    one = parcel(large(dicom))
    assert isinstance(ours.deliver(one), Postponed)
    assert taken == 0
    assert isinstance(ours.deliver(one), Uploaded)
    assert taken == 1


def test_a_file_that_is_cut_while_it_is_sent_is_no_instance_at_the_server(
    server: Server, platform: Made, parcel: Parcels, dicom: Dicom
) -> None:
    one, taken = parcel(large(dicom, 5000)), []

    def cutting(event: Any) -> None:
        if len(event.data) > 10_000:
            os.truncate(one.file, 2_000_000)

    doing = (evt.EVT_DATA_RECV, cutting), (evt.EVT_C_STORE, lambda event: taken.append(event) or 0)
    answer = platform(server(*doing, receives=65536)).deliver(one)
    assert isinstance(answer, Postponed)
    assert "OSError" in answer.detail
    assert taken == []


def test_a_file_whose_meta_information_lacks_its_class_is_refused(
    server: Server, platform: Made, parcel: Parcels, dicom: Dicom
) -> None:
    made = pydicom.dcmread(io.BytesIO(dicom()))
    del made.file_meta.MediaStorageSOPClassUID
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, made, enforce_file_format=False)
    answer = platform(server()).deliver(parcel(buffer.getvalue()))
    assert isinstance(answer, Refused)


@settings(deadline=None)
@given(
    size=st.one_of(st.integers(1, 200_000), st.integers(-4, 4).map(lambda more: 3 * (16384 - AROUND) + more)),
    limit=st.sampled_from((0, 64, 4096, 5001, 16384, 131072, 1 << 31)),
)
def test_fragments_are_within_the_limit_and_only_the_last_says_so(size: int, limit: int) -> None:
    content = random.Random(size).randbytes(size)
    written = b"".join(DataSet(io.BytesIO(content), size, 3, limit).blocks())
    at, pieces, controls = 0, [], []
    while at < len(written):
        kind, length, item, context, control = HEADER.unpack_from(written, at)
        assert (kind, length, context) == (P_DATA, item + 4, 3)
        assert length <= (limit or BLOCK)
        pieces.append(written[at + HEADER.size : at + 6 + length])
        controls.append(control)
        at += 6 + length
    assert b"".join(pieces) == content
    assert controls == [0] * (len(controls) - 1) + [LAST]
    assert all(len(piece) % 2 == 0 for piece in pieces[:-1])


def test_images_that_are_cut_leave_neither_threads_nor_handles_behind(
    server: Server, platform: Made, parcel: Parcels, dicom: Dicom
) -> None:
    """A server that ends each association in the middle of an image is tried for days."""
    began = 0

    def aborts(event: Any) -> None:
        nonlocal began
        if len(event.data) > 10_000:
            began += 1
            event.assoc.abort(block=False)

    made, sent = platform(server((evt.EVT_DATA_RECV, aborts))), parcel(large(dicom))

    def left() -> tuple[int, int]:
        """Threads of associations, the server's too, and handles."""
        threads = [one for one in threading.enumerate() if type(one).__module__.startswith("pynetdicom")]
        return len(threads), len(list(Path("/dev/fd").iterdir()))

    assert isinstance(made.deliver(sent), Postponed)
    pause, before = threading.Event(), left()
    for _ in range(12):
        assert isinstance(made.deliver(sent), Postponed)
    for _ in range(600):
        if max(now - then for now, then in zip(left(), before, strict=True)) <= 4:
            break
        pause.wait(0.05)
    assert began >= 13
    assert max(now - then for now, then in zip(left(), before, strict=True)) <= 4, (before, left())
