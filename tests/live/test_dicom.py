"""DICOM delivery against Orthanc and DCMTK."""

from __future__ import annotations

import logging
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pydicom
import pytest
import requests
from pydicom.encaps import generate_frames

from irisdrop.platforms import Platform
from irisdrop.platforms.association import Peer
from irisdrop.platforms.dicomweb import DicomWebPlatform
from irisdrop.platforms.dimse import DimsePlatform
from irisdrop.platforms.instance import Maker
from irisdrop.vocabulary.deliveries import Confirmed, Damaged, Parcel, Postponed, Refused, Uploaded
from irisdrop.vocabulary.reasons import Code

Parcels = Callable[..., Parcel]
Made = Callable[..., Platform]


@pytest.fixture(params=["dicomweb", "dimse"])
def platform(request: pytest.FixtureRequest, orthanc: Any, maker: Maker) -> Iterator[Made]:
    """Either way to Orthanc."""
    made: list[Platform] = []

    def one(**more: object) -> Platform:
        ours = replace(maker, **more)  # type: ignore[arg-type]
        if request.param == "dicomweb":
            made.append(DicomWebPlatform(orthanc.web, lambda: None, ours))
        else:
            made.append(DimsePlatform(orthanc.peer(), ours))
        return made[-1]

    yield one
    for each in made:
        each.close()


def stored(orthanc: Any, uid: str) -> list[bytes]:
    """Every file that Orthanc has of an instance."""
    root = orthanc.web.removesuffix("/dicom-web")
    found = requests.post(
        f"{root}/tools/find", json={"Level": "Instance", "Query": {"SOPInstanceUID": uid}}, timeout=10
    ).json()
    return [requests.get(f"{root}/instances/{one}/file", timeout=10).content for one in found]


@pytest.mark.parametrize(("mode", "shade"), [("RGB", 10), ("L", 11)])
def test_a_jpeg_arrives_as_dicom_with_its_bitstream_as_it_was(
    orthanc: Any, platform: Made, parcel: Parcels, jpeg: Callable[..., bytes], tmp_path: Path, mode: str, shade: int
) -> None:
    picture = jpeg(mode, shade)
    answer = platform().deliver(parcel(picture))
    assert isinstance(answer, Confirmed)
    (raw,) = stored(orthanc, answer.receipt.id)
    (tmp_path / "back.dcm").write_bytes(raw)
    back = pydicom.dcmread(tmp_path / "back.dcm")
    (fragment,) = generate_frames(back.PixelData, number_of_frames=1)
    assert fragment.removesuffix(b"\0") in (picture, picture.removesuffix(b"\0"))
    assert (back.PatientID, str(back.PatientName), back.ImageLaterality) == ("000815", "Müller^Jürgen", "R")
    assert (back.AcquisitionDateTime, back.DeviceSerialNumber) == ("20250114093105-0500", "NW-77")
    verdict = subprocess.run(["dciodvfy", str(tmp_path / "back.dcm")], capture_output=True, text=True, check=False)
    assert "Error" not in verdict.stdout + verdict.stderr


def test_a_retry_makes_the_same_instance(
    orthanc: Any, platform: Made, parcel: Parcels, jpeg: Callable[..., bytes]
) -> None:
    ours, one = platform(), parcel(jpeg(shade=20))
    answers = [ours.deliver(one), ours.deliver(one), platform().deliver(one)]
    assert all(isinstance(answer, Confirmed) for answer in answers)
    assert len({(answer.receipt.id, answer.receipt.digest) for answer in answers}) == 1  # type: ignore[union-attr]
    assert len(stored(orthanc, answers[0].receipt.id)) == 1  # type: ignore[union-attr]


def test_another_order_makes_another_instance(platform: Made, parcel: Parcels, jpeg: Callable[..., bytes]) -> None:
    picture = jpeg(shade=30)
    one = platform().deliver(parcel(picture))
    other = platform().deliver(parcel(picture, entry="E2", keys=(("PatientID", "000816"),)))
    assert isinstance(one, Confirmed) and isinstance(other, Confirmed)
    assert one.receipt.id != other.receipt.id


def test_a_dicom_file_goes_as_it_is(
    orthanc: Any, platform: Made, parcel: Parcels, dicom: Callable[..., bytes], request: pytest.FixtureRequest
) -> None:
    raw = dicom(SOPInstanceUID=f"1.2.3.{len(request.node.name)}", InstanceNumber="1")
    answer = platform().deliver(parcel(raw))
    assert isinstance(answer, Confirmed)
    assert answer.receipt.digest == parcel(raw).digest
    (back,) = stored(orthanc, answer.receipt.id)
    assert raw[raw.index(b"DICM") :].split(b"\x08\x00\x05\x00", 1)[1] == back.split(b"\x08\x00\x05\x00", 1)[1]


def test_a_dicom_file_that_names_another_patient_is_refused_before_it_is_sent(
    orthanc: Any, platform: Made, parcel: Parcels, dicom: Callable[..., bytes]
) -> None:
    for wrong in ({"PatientID": "000999"}, {"AccessionNumber": "A-9"}, {"PatientID": ""}):
        answer = platform().deliver(parcel(dicom(SOPInstanceUID="1.2.3.99", **wrong)))
        assert isinstance(answer, Refused)
        assert answer.code is Code.REJECTED_BY_PLATFORM
        assert "000999" not in answer.detail
    assert stored(orthanc, "1.2.3.99") == []


def test_coercing_writes_the_order_and_keeps_what_stood_there(
    orthanc: Any,
    platform: Made,
    parcel: Parcels,
    dicom: Callable[..., bytes],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    uid = f"1.2.4.{len(request.node.name)}"
    raw = dicom(SOPInstanceUID=uid, PatientID="999", PatientName="Österreicher^Ägidius")
    ours, one = platform(coerce=True), parcel(raw, keys=(("PatientID", "000815"), ("PatientName", "Şahin^Ayşe")))
    answer = ours.deliver(one)
    assert isinstance(answer, Confirmed)
    assert answer.receipt.digest != one.digest
    (back_raw,) = stored(orthanc, uid)
    (tmp_path / "back.dcm").write_bytes(back_raw)
    back = pydicom.dcmread(tmp_path / "back.dcm")
    assert (back.PatientID, str(back.PatientName)) == ("000815", "Şahin^Ayşe")
    (before,) = back.OriginalAttributesSequence[0].ModifiedAttributesSequence
    assert (before.PatientID, str(before.PatientName)) == ("999", "Österreicher^Ägidius")
    assert back.PixelData == bytes(range(16))
    again = ours.deliver(one)
    assert isinstance(again, Confirmed)
    assert again.receipt.digest == answer.receipt.digest


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"progressive": True}, Code.REJECTED_BY_PLATFORM),
        ({"eye": "U"}, Code.EYE_UNKNOWN),
        ({"mode": "CMYK"}, Code.REJECTED_BY_PLATFORM),
        ({"keys": (("AccessionNumber", "longer-than-sixteen"),)}, Code.REJECTED_BY_PLATFORM),
    ],
)
def test_what_dicom_cant_hold_as_it_is_is_refused(
    platform: Made, parcel: Parcels, jpeg: Callable[..., bytes], change: dict[str, object], code: Code
) -> None:
    about = {key: value for key, value in change.items() if key in ("eye", "keys")}
    picture = jpeg(**{key: value for key, value in change.items() if key not in about})
    answer = platform().deliver(parcel(picture, **about))
    assert isinstance(answer, Refused)
    assert answer.code is code


def test_text_is_refused_and_rot_is_told(platform: Made, parcel: Parcels, jpeg: Callable[..., bytes]) -> None:
    assert isinstance(platform().deliver(parcel(b"no image at all" * 20)), Refused)
    one = parcel(jpeg())
    Path(one.file).write_bytes(jpeg(shade=91))
    assert isinstance(platform().deliver(one), Damaged)


def test_several_images_share_one_association(
    orthanc: Any, maker: Maker, parcel: Parcels, jpeg: Callable[..., bytes]
) -> None:
    ours = DimsePlatform(orthanc.peer(), maker)
    for shade in range(40, 45):
        assert isinstance(ours.deliver(parcel(jpeg(shade=shade))), Confirmed)
        assert len(ours._lines._idle) == 1
    ours.close()


def test_nobodys_name_or_number_is_logged(
    orthanc: Any, maker: Maker, parcel: Parcels, jpeg: Callable[..., bytes], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("pynetdicom").setLevel(logging.DEBUG)
    for ours in (DimsePlatform(orthanc.peer(), maker), DicomWebPlatform(orthanc.web, lambda: None, maker)):
        assert isinstance(ours.deliver(parcel(jpeg(shade=95))), Confirmed)
        ours.close()
    assert not [one for one in ("000815", "Müller", "Jürgen", "A-1") if one in caplog.text]


def test_several_at_once_each_have_a_line(
    orthanc: Any, maker: Maker, parcel: Parcels, jpeg: Callable[..., bytes]
) -> None:
    ours = DimsePlatform(orthanc.peer(), maker)
    parcels = [parcel(jpeg(shade=shade)) for shade in range(60, 84)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ours.deliver, parcels))
    assert all(isinstance(answer, Confirmed) for answer in answers)
    assert len({answer.receipt.id for answer in answers}) == len(parcels)  # type: ignore[union-attr]
    assert 1 <= len(ours._lines._idle) <= 4
    ours.close()


def test_by_tls_the_server_must_be_who_it_says(
    tmp_path: Path, maker: Maker, parcel: Parcels, jpeg: Callable[..., bytes], free_port: Callable[[], int]
) -> None:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem"),
            *("-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    (tmp_path / "in").mkdir()
    port = free_port()
    server = subprocess.Popen(
        [
            *("storescp", "-aet", "STORESCP", "+xa", "-od", str(tmp_path / "in"), "-ic"),
            *("+tls", str(tmp_path / "key.pem"), str(tmp_path / "cert.pem"), str(port)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    peer = Peer("127.0.0.1", port, "STORESCP", "IRISDROP", tls=True, ca=tmp_path / "cert.pem")
    try:
        trusting = DimsePlatform(peer, maker, query=False)
        pause, answer = threading.Event(), trusting.deliver(parcel(jpeg()))
        while isinstance(answer, Postponed) and server.poll() is None and not pause.wait(0.2):
            answer = trusting.deliver(parcel(jpeg()))
        trusting.close()
        assert isinstance(answer, Uploaded)
        strict = DimsePlatform(replace(peer, ca=None), maker, query=False)
        assert isinstance(strict.deliver(parcel(jpeg(shade=91))), Postponed)
        strict.close()
    finally:
        server.terminate()
        server.wait(10)
    assert len(list((tmp_path / "in").iterdir())) == 1


def test_a_server_that_cant_be_asked_leaves_the_image_uploaded(
    maker: Maker, parcel: Parcels, jpeg: Callable[..., bytes], storescp: tuple[int, Path]
) -> None:
    port, folder = storescp
    ours = DimsePlatform(Peer("127.0.0.1", port, "STORESCP", "IRISDROP"), maker, query=False)
    answer = ours.deliver(parcel(jpeg()))
    ours.close()
    assert isinstance(answer, Uploaded)
    (received,) = folder.iterdir()
    assert answer.reference in received.name


def test_a_peer_that_is_not_there_is_waited_for(
    maker: Maker, parcel: Parcels, jpeg: Callable[..., bytes], free_port: Callable[[], int]
) -> None:
    answer = DimsePlatform(Peer("127.0.0.1", free_port(), "NOBODY", "IRISDROP"), maker).deliver(parcel(jpeg()))
    assert isinstance(answer, Postponed)
    assert answer.condition == "PLATFORM_UNREACHABLE"


def test_a_peer_that_does_not_know_us_is_told_apart(
    orthanc: Any, maker: Maker, parcel: Parcels, jpeg: Callable[..., bytes]
) -> None:
    ours = DimsePlatform(replace(orthanc.peer(), calling="STRANGER"), maker)
    answer = ours.deliver(parcel(jpeg(shade=50)))
    ours.close()
    assert isinstance(answer, Postponed | Refused)
