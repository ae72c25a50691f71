"""Real servers, each started on free loopback ports and stopped by its pid; invented patients."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from irisdrop.platforms.association import Peer
from irisdrop.platforms.instance import Maker
from irisdrop.platforms.workbench import Workbench
from irisdrop.vocabulary.deliveries import Parcel

ZONE = ZoneInfo("America/New_York")
PLUGINS = Path("/usr/share/orthanc/plugins")
KEYS = (
    ("AccessionNumber", "A-1"),
    ("PatientBirthDate", "1961-03-07"),
    ("PatientID", "000815"),
    ("PatientName", "Müller^Jürgen"),
    ("PatientSex", "M"),
    ("ScheduledProcedureStepID", "S1"),
)


def _free_port() -> int:
    """A loopback port that nobody has now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def wait_for_port(port: int, process: subprocess.Popen[str], seconds: float = 20.0) -> None:
    """Until somebody listens; fails where the process ends first."""
    over = threading.Event()
    for _ in range(int(seconds * 20)):
        assert process.poll() is None, f"the server ended with {process.returncode}"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        over.wait(0.05)
    raise AssertionError("the server does not listen")


def stop(process: subprocess.Popen[str]) -> None:
    """End one process by its pid."""
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(30)


@dataclass(frozen=True, slots=True)
class Orthanc:
    """A running Orthanc."""

    web: str
    dicom: int
    worklists: Path

    def peer(self, **more: object) -> Peer:
        """How to talk to it."""
        return Peer("127.0.0.1", self.dicom, "ORTHANC", "IRISDROP", **more)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """Orthanc with STOW-RS, C-STORE and worklists, for this machine alone."""
    folder = tmp_path_factory.mktemp("orthanc")
    (folder / "worklists").mkdir()
    http, dicom = _free_port(), _free_port()
    settings = {
        "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"),
        "HttpPort": http,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAet": "ORTHANC",
        "DicomPort": dicom,
        "DicomModalities": {"irisdrop": ["IRISDROP", "127.0.0.1", 4242]},
        "DicomCheckModalityHost": True,
        "DicomAlwaysAllowFindWorklist": True,
        "Plugins": [str(PLUGINS / "libOrthancDicomWeb.so"), str(PLUGINS / "libModalityWorklists.so")],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        "Worklists": {"Enable": True, "Database": str(folder / "worklists"), "FilterIssuerAet": False},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            ["/usr/sbin/Orthanc", str(folder / "orthanc.json")], stdout=log, stderr=log, text=True
        )
    try:
        wait_for_port(http, process)
        wait_for_port(dicom, process)
        yield Orthanc(f"http://127.0.0.1:{http}/dicom-web", dicom, folder / "worklists")
    finally:
        stop(process)


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    """Makes instances in the site's zone."""
    return Maker(Workbench(tmp_path / "outgoing"), ZONE)


def _jpeg(mode: str = "RGB", shade: int = 90, **more: object) -> bytes:
    """A small JPEG."""
    buffer = io.BytesIO()
    Image.new(mode, (64, 48), shade).save(buffer, "JPEG", **({"comment": str(shade).encode()} | more))
    return buffer.getvalue()


@pytest.fixture
def parcel(tmp_path: Path) -> Callable[..., Parcel]:
    """Makes parcels for one order."""

    def made(image: bytes, entry: str = "E1", eye: str = "R", **more: object) -> Parcel:
        digest = hashlib.sha256(image).hexdigest()
        file = tmp_path / digest
        file.write_bytes(image)
        fields = {
            "taken": datetime(2025, 1, 14, 14, 31, 5, tzinfo=UTC),
            "decided": datetime(2025, 1, 14, 15, tzinfo=UTC),
            "keys": KEYS,
            "camera": "room-2",
            "name": "IMG_1.JPG",
            "said": (("DeviceSerialNumber", "NW-77"), ("InstanceNumber", "12")),
        }
        return Parcel(str(file), digest, len(image), entry, eye, **(fields | more))  # type: ignore[arg-type]

    return made


def _dicom(**changes: object) -> bytes:
    """A small ophthalmic photograph as a camera writes it."""
    made = Dataset()
    made.SOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.5.1"
    made.SOPInstanceUID = "1.2.826.0.1.3680043.8.498.1"
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.826.0.1.3680043.8.498.2", "1.2.826.0.1.3680043.8.498.3"
    made.SpecificCharacterSet = "ISO_IR 100"
    made.PatientID, made.PatientName, made.AccessionNumber = "000815", "Müller^Jürgen", "A-1"
    made.Modality, made.ImageLaterality = "OP", "R"
    made.Rows = made.Columns = 4
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit, made.PixelRepresentation, made.PixelData = 7, 0, bytes(range(16))
    for key, value in changes.items():
        setattr(made, key, value)
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = io.BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _write_order(path: Path, order: str, patient: str, name: str, date: str, **more: str) -> None:
    """A worklist file (.wl) as DCMTK and Orthanc read them."""
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 192"
    made.AccessionNumber, made.PatientID, made.PatientName = order, patient, name
    made.PatientBirthDate, made.PatientSex = "19610307", "M"
    made.StudyInstanceUID, made.RequestedProcedureID = f"1.2.3.{int(patient)}", "R1"
    made.RequestedProcedureDescription = "Fundus photograph"
    step = Dataset()
    step.Modality, step.ScheduledStationAETitle = "OP", more.get("station", "FUNDUS1")
    step.ScheduledProcedureStepStartDate, step.ScheduledProcedureStepStartTime = date, "093000"
    step.ScheduledProcedureStepID, step.ScheduledProcedureStepDescription = "S1", "Both eyes"
    step.ScheduledPerformingPhysicianName = ""
    made.ScheduledProcedureStepSequence = Sequence([step])
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = "1.2.276.0.7230010.3.1.0.1"
    made.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.4.{int(patient)}"
    part = path.with_suffix(".part")
    made.save_as(part, enforce_file_format=True)
    part.replace(path)


@pytest.fixture
def jpeg() -> Callable[..., bytes]:
    """Makes JPEGs."""
    return _jpeg


@pytest.fixture
def dicom() -> Callable[..., bytes]:
    """Makes DICOM files."""
    return _dicom


@pytest.fixture
def write_order() -> Callable[..., None]:
    """Writes worklist files."""
    return _write_order


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Finds free ports."""
    return _free_port


@pytest.fixture
def storescp(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """DCMTK's receiver: its port, and the folder that it writes to."""
    folder, port = tmp_path / "received", _free_port()
    folder.mkdir()
    process = subprocess.Popen(
        ["storescp", "-aet", "STORESCP", "+xa", "-od", str(folder), str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        wait_for_port(port, process)
        yield port, folder
    finally:
        stop(process)


@pytest.fixture
def wlmscpfs(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """DCMTK's worklist server: its port, and the folder of its orders. It drops character sets, as some do."""
    folder, port = tmp_path / "lists" / "WLM", _free_port()
    folder.mkdir(parents=True)
    (folder / "lockfile").touch()
    process = subprocess.Popen(
        ["wlmscpfs", "-dfp", str(folder.parent), str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        wait_for_port(port, process)
        yield port, folder
    finally:
        stop(process)


AZURITE = (
    "devstoreaccount1",
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
)


@dataclass(frozen=True, slots=True)
class Storage:
    """A running Azurite with one container; its account key is the one that everybody knows."""

    url: str

    @property
    def connection_string(self) -> str:
        """All rights."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={AZURITE[0]};AccountKey={AZURITE[1]};BlobEndpoint={self.url};"
        )

    def sas(self, rights: str = "cw", hours: float = 1.0) -> str:
        """A signature for the container: by default one that can't list or read."""
        from azure.storage.blob import ContainerSasPermissions, generate_container_sas

        return generate_container_sas(
            *(AZURITE[0], "images", AZURITE[1]),
            permission=ContainerSasPermissions.from_string(rights),
            expiry=datetime.now(UTC) + timedelta(hours=hours),
        )

    def client(self) -> Any:
        """Microsoft's own client, to look with."""
        from azure.storage.blob import ContainerClient

        return ContainerClient.from_connection_string(self.connection_string, "images", api_version="2021-12-02")


@pytest.fixture(scope="session")
def azurite() -> Iterator[str]:
    """Azurite's blob service, in memory."""
    port = _free_port()
    ours = Path(__file__).parents[1] / "node_modules" / ".bin" / "azurite-blob"
    program = str(ours) if ours.exists() else shutil.which("azurite-blob")
    assert program, "tests/run installs azurite"
    process = subprocess.Popen(
        [
            *(program, "--blobHost", "127.0.0.1", "--blobPort", str(port)),
            *("--skipApiVersionCheck", "--disableTelemetry", "--inMemoryPersistence", "--silent"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        wait_for_port(port, process, 60.0)
        yield f"http://127.0.0.1:{port}/{AZURITE[0]}"
    finally:
        stop(process)


@pytest.fixture
def storage(azurite: str) -> Iterator[Storage]:
    """An empty container `images`."""
    found = Storage(azurite)
    client = found.client()
    client.create_container()
    yield found
    client.delete_container()
    client.close()


@dataclass(frozen=True, slots=True)
class Bus:
    """A running broker."""

    connection_string: str

    def put(self, queue: str, body: object, identity: str = "1") -> None:
        """Send a message as IRIS would."""
        from azure.servicebus import ServiceBusClient, ServiceBusMessage

        text = body if isinstance(body, str) else json.dumps(body)
        client = ServiceBusClient.from_connection_string(self.connection_string)
        with client, client.get_queue_sender(queue) as sender:
            sender.send_messages(ServiceBusMessage(text, message_id=identity))

    def take(self, queue: str, wait: float = 0.5) -> list[dict[str, Any]]:
        """Every message of a queue, taken off."""
        from azure.servicebus import ServiceBusClient

        client = ServiceBusClient.from_connection_string(self.connection_string)
        with client, client.get_queue_receiver(queue) as receiver:
            found = receiver.receive_messages(max_message_count=100, max_wait_time=wait)
            for message in found:
                receiver.complete_message(message)
            return [json.loads(str(message)) | {"_id": message.message_id} for message in found]


@pytest.fixture
def bus() -> Iterator[Bus]:
    """The broker with empty queues."""
    port = _free_port()
    program = Path(__file__).with_name("broker.py")
    process = subprocess.Popen([sys.executable, str(program), str(port)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline() == "listening\n"
        yield Bus(
            f"Endpoint=sb://127.0.0.1:{port};SharedAccessKeyName=k;SharedAccessKey=secret;UseDevelopmentEmulator=true;"
        )
    finally:
        stop(process)
