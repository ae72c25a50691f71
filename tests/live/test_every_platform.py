"""The agent as a process with each kind of platform, killed in the middle: each image once, with its right patient."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pydicom
import pytest
import requests
from pydicom.encaps import generate_frames

from irisdrop.platforms.stamp import read, stamped, tag_of
from irisdrop.reference.retina import draw

ROOT = Path(__file__).parents[2]
IMAGES = 24
PATIENTS = [f"{number:06}" for number in range(8)]
TAG = tag_of("ImageDescription")

Held = list[tuple[str, str]]  # of each image that a platform has: its patient, and the SHA-256 of the export


class Site:
    """One state folder, one camera folder, one platform."""

    def __init__(self, folder: Path, platform: str) -> None:
        self.folder, self.path = folder, folder / "irisdrop.yaml"
        (folder / "exports").mkdir()
        now = datetime.now(UTC).isoformat()
        orders = [
            {"id": f"E{one}", "PatientID": one, "AccessionNumber": f"EP-{one}", "PatientName": "Okafor^Ngozi"}
            | {"ScheduledProcedureStepStartDateTime": now}
            for one in PATIENTS
        ]
        (folder / "orders.json").write_text(json.dumps(orders))
        self.path.write_text(
            f"state: state\nplatform: {platform}\nworklist: {{from: json, path: orders.json, every: 1s}}\n"
            "cameras: [{name: room-1, profile: topcon-nw400, folder: exports}]\n"
        )
        self.meant: Held = []

    def export(self) -> None:
        """All images at once."""
        picture = draw(5, "R")
        for number in range(IMAGES):
            patient = PATIENTS[number % len(PATIENTS)]
            content = picture + number.to_bytes(4, "big")  # bytes after the end of a JPEG are normal
            name = f"{datetime.now(UTC):%Y%m%d}_{patient}_R_{number:04}.JPG"
            (self.folder / name).write_bytes(content)
            (self.folder / name).rename(self.folder / "exports" / name)
            self.meant.append((patient, hashlib.sha256(content).hexdigest()))

    def agent(self) -> subprocess.Popen[bytes]:
        """`irisdrop run`."""
        words = [sys.executable, "-m", "irisdrop", "--config", str(self.path), "run"]
        return subprocess.Popen(
            words, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def counts(self) -> dict[str, int]:
        """How many images are in each state."""
        words = [sys.executable, "-m", "irisdrop", "--config", str(self.path), "status", "--json"]
        done = subprocess.run(words, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, check=False)
        found: dict[str, int] = json.loads(done.stdout)["counts"] if done.returncode == 0 else {}
        return found

    def reaches(self, state: str, count: int, seconds: float = 100.0) -> None:
        """Wait until so many images are in a state."""
        end, pause = time.monotonic() + seconds, threading.Event()
        while self.counts().get(state, 0) < count:
            assert time.monotonic() < end, self.counts()
            pause.wait(0.1)


class Iris:
    """Plays the platform's listener: takes each new blob, reads its patient, says so in the queue of events."""

    def __init__(self, storage: Any, bus: Any) -> None:
        self._client, self._bus = storage.client(), bus
        self._seen: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while not self._stop.wait(0.2):
            for blob in self._client.list_blobs():
                if blob.name in self._seen:
                    continue
                self._seen.add(blob.name)
                patient = read(self._client.download_blob(blob.name).readall(), TAG)
                self._bus.put("events", self._receipt(blob.name, str(patient)), blob.name)

    def _receipt(self, name: str, patient: str) -> dict[str, object]:
        return {
            "TransactionId": name,
            "Timestamp": datetime.now(UTC).isoformat(),
            "ImageLocalId": name.removesuffix(".jpg").upper(),
            "IrisImageId": len(self._seen),
            "OrderLocalId": f"EP-{patient}",
            "PatientLocalId": patient,
            "Success": True,
            "ResultObjectType": "ImageReceipt",
            "Version": "2.3.1",
        }

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join(20)


@pytest.fixture(params=["folder", "dicomweb", "dimse", "iris"])
def kind(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, Callable[[Site], Held]]]:
    """The platform as it is written, and what it has in the end."""
    if request.param == "folder":
        (tmp_path / "out").mkdir()
        yield "{kind: folder, path: out}", in_folder
    elif request.param == "iris":
        storage, bus = request.getfixturevalue("storage"), request.getfixturevalue("bus")
        monkeypatch.setenv("SAS", storage.sas())
        monkeypatch.setenv("BUS", bus.connection_string)
        listener = Iris(storage, bus)
        written = (
            f'{{kind: iris, url: "{storage.url}", organization: GUID, container: images, sas: {{env: SAS}}, stamp: '
            "{exif: ImageDescription}, bus_connection_string: {env: BUS}, events: owner, events_queue: events, "
            "events_keep: others}"
        )
        yield written, lambda site: in_container(site, storage)
        listener.close()
    else:
        orthanc = request.getfixturevalue("orthanc")
        root = orthanc.web.removesuffix("/dicom-web")
        where = f'url: "{orthanc.web}"'
        if request.param == "dimse":
            where = f"host: 127.0.0.1, port: {orthanc.dicom}, called: ORTHANC"
        yield f"{{kind: {request.param}, {where}}}", lambda _: in_orthanc(root)


def in_folder(site: Site) -> Held:
    """What lies in the folder, by the patient's sub-folder."""
    found = [path for path in (site.folder / "out").rglob("*") if path.is_file()]
    return [(path.parent.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in found]


def in_container(site: Site, storage: Any) -> Held:
    """What lies in the container, by the stamp; the export is found by stamping it again."""
    exports = {}
    for patient, digest in site.meant:
        for path in (site.folder / "exports").iterdir():
            raw = path.read_bytes()
            if hashlib.sha256(raw).hexdigest() == digest:
                exports[hashlib.sha256(stamped(raw, TAG, patient)).hexdigest()] = digest
    found = [storage.client().download_blob(blob.name).readall() for blob in storage.client().list_blobs()]
    return [(str(read(raw, TAG)), exports[hashlib.sha256(raw).hexdigest()]) for raw in found]


def in_orthanc(root: str) -> Held:
    """What Orthanc has of these orders; taken away again for the next test."""
    query = {"Level": "Instance", "Query": {"AccessionNumber": "EP-*"}}
    held = []
    for one in requests.post(f"{root}/tools/find", json=query, timeout=20).json():
        raw = requests.get(f"{root}/instances/{one}/file", timeout=20).content
        back = pydicom.dcmread(pydicom.filebase.DicomBytesIO(raw))
        (fragment,) = generate_frames(back.PixelData, number_of_frames=1)
        picture = fragment[: fragment.rindex(b"\xff\xd9") + 6]  # the export's own four bytes, without DICOM's padding
        held.append((str(back.PatientID), hashlib.sha256(picture).hexdigest()))
        requests.delete(f"{root}/instances/{one}", timeout=20)
    return held


@pytest.mark.timeout(240)
def test_a_kill_in_the_middle_leaves_each_image_there_once(
    kind: tuple[str, Callable[[Site], Held]], tmp_path: Path
) -> None:
    written, held = kind
    site = Site(tmp_path, written)
    site.export()
    agent = site.agent()
    site.reaches("delivered", 1)
    agent.send_signal(signal.SIGKILL)
    agent.wait(20)
    agent = site.agent()
    try:
        site.reaches("delivered", IMAGES)
    finally:
        agent.send_signal(signal.SIGTERM)
        agent.wait(20)
    assert site.counts()["delivered"] == IMAGES
    assert sorted(held(site)) == sorted(site.meant)
