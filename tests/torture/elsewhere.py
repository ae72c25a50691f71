"""The same kills, with a platform that people have: a folder, Orthanc by STOW-RS or C-STORE, or Cloud Direct.

    python tests/torture/elsewhere.py folder|dicomweb|dimse|iris [--kills 300] [--seed 1]

Orders come from a file, the platform is killed between the agent's lives too (Orthanc; a folder has no
process, and Azurite keeps its blobs in memory), and what it has is read from itself: the bytes of each image, its order and its eye.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import itertools
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

import requests  # noqa: E402
import torture  # noqa: E402
from rig import nursery  # noqa: E402
from rig.clinic import Clinic, entry_of, free_port, reachable  # noqa: E402
from rig.nursery import Process, wait_until  # noqa: E402

from irisdrop.platforms.iris import local_id  # noqa: E402
from irisdrop.platforms.jpeg import segments  # noqa: E402
from irisdrop.platforms.stamp import read, tag_of  # noqa: E402
from irisdrop.vocabulary.deliveries import Parcel  # noqa: E402

KINDS = ("folder", "dicomweb", "dimse", "iris")
ACCOUNT = (
    "devstoreaccount1",  # Azurite's, which everybody knows
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
)
AZURITE = Path(__file__).parents[1] / "node_modules" / ".bin" / "azurite-blob"
DELIVERIES = "100000"  # an agent that is killed while it holds a message must not make a dead letter of it
BROKER = Path(__file__).parents[1] / "live" / "broker.py"
PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"
TEMPLATE = "{AccessionNumber}_{ImageLaterality}_{digest}{ext}"


def spawn(arguments: list[str], log: Path) -> Process:
    """A server that dies with us."""
    pid = os.fork()
    if pid == 0:
        ctypes.CDLL(None).prctl(nursery.PR_SET_PDEATHSIG, signal.SIGKILL)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.execvp(arguments[0], arguments)
    return Process(pid, os.pidfd_open(pid))


class Forever:
    """The process of a platform that has none, or whose loss would be the loss of its memory."""

    def ended(self, seconds: float = 0.0) -> bool:  # noqa: ARG002
        return False

    def kill(self) -> None:
        pass


@dataclass
class Elsewhere(Clinic):
    """A clinic whose platform is not the reference."""

    kind: str = "folder"
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.dicom = free_port()
        self.servers: list[Process] = []
        super().__post_init__()
        (self.root / "out").mkdir(exist_ok=True)
        (self.data / "images").mkdir(exist_ok=True)
        self.platform_log.touch()

    def write_config(self, url: str | None = None) -> None:
        """The agent's configuration, with this platform and the orders from a file."""
        super().write_config(url)
        path = self.root / "irisdrop.yaml"
        written = {
            "folder": f"{{kind: folder, path: {self.root / 'out'}, template: '{TEMPLATE}'}}",
            "dicomweb": f'{{kind: dicomweb, url: "http://127.0.0.1:{self.port}/dicom-web"}}',
            "dimse": f"{{kind: dimse, host: 127.0.0.1, port: {self.dicom}, called: ORTHANC}}",
            "iris": (
                "{kind: iris, organization: GUID, container: images, connection_string: {env: STORAGE}, stamp: "
                "{exif: ImageDescription}, bus_connection_string: {env: BUS}, events: owner, events_queue: events, "
                f"events_keep: {self.root / 'others'}}}"
            ),
        }[self.kind]
        lines = {"platform:": f"platform: {written}"}
        lines["worklist:"] = f"worklist: {{from: json, path: {self.root / 'orders.json'}, every: 1s, stale: 15m}}"
        path.write_text("".join(f"{lines.get(line.split()[0], line)}\n" for line in path.read_text().splitlines()))

    def open_platform(self, tls: tuple[Path, Path] | None = None) -> Process:  # noqa: ARG002
        """Start it, and wait until it answers."""
        if self.kind == "folder":
            self.platform = Forever()  # type: ignore[assignment]
        elif self.kind == "iris":
            self._open_cloud()
            self.platform = Forever()  # type: ignore[assignment]
        else:
            file = self.root / "orthanc.json"
            file.write_text(json.dumps(self._settings()))
            self.platform = spawn(["/usr/sbin/Orthanc", str(file)], self.root / "orthanc.log")
            up = wait_until(lambda: reachable(self.port) and reachable(self.dicom), 30, 0.02)
            assert up, "Orthanc does not start"
        assert self.platform is not None
        return self.platform

    def _open_cloud(self) -> None:
        """Azurite, a broker, and who listens to the container."""
        from azure.storage.blob import ContainerClient

        self.env |= {
            "STORAGE": f"AccountName={ACCOUNT[0]};AccountKey={ACCOUNT[1]};"
            f"BlobEndpoint=http://127.0.0.1:{self.port}/{ACCOUNT[0]};",
            "BUS": f"Endpoint=sb://127.0.0.1:{self.dicom};SharedAccessKeyName=k;SharedAccessKey=s;"
            "UseDevelopmentEmulator=true;",
        }
        log, port = self.root / "cloud.log", str(self.port)
        quiet = ("--skipApiVersionCheck", "--disableTelemetry", "--inMemoryPersistence", "--silent")
        self.servers = [
            spawn([str(AZURITE), "--blobHost", "127.0.0.1", "--blobPort", port, *quiet], log),
            spawn([sys.executable, str(BROKER), str(self.dicom), DELIVERIES], log),
        ]
        assert wait_until(lambda: reachable(self.port) and reachable(self.dicom), 60, 0.02), "no cloud"
        self.container: Any = ContainerClient.from_connection_string(
            self.env["STORAGE"], "images", api_version="2021-12-02"
        )
        self.container.create_container()
        listener = str(Path(__file__).parent / "rig" / "listener.py")
        words = [sys.executable, listener, self.env["STORAGE"], "images", self.env["BUS"], "events"]
        self.servers.append(spawn(words, log))

    def close(self) -> None:
        """End every process."""
        super().close()
        for server in self.servers:
            server.kill()

    def _settings(self) -> dict[str, Any]:
        return {
            "StorageDirectory": str(self.data / "db"),
            "IndexDirectory": str(self.data / "db"),
            "HttpPort": self.port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomAet": "ORTHANC",
            "DicomPort": self.dicom,
            "DicomModalities": {"irisdrop": ["IRISDROP", "127.0.0.1", 4242]},
            "DicomCheckModalityHost": True,
            "Plugins": [PLUGIN],
        }

    def receipts(self) -> list[dict[str, Any]]:
        """What the platform has, in the words of the reference platform's receipts."""
        looks = {"folder": self._in_folder, "iris": self._in_container}
        return looks.get(self.kind, self._in_orthanc)()

    def _in_container(self) -> list[dict[str, Any]]:
        for blob in self.container.list_blobs():
            if blob.name not in self.seen:
                self.seen[blob.name] = self._unstamped(blob.name, self.container.download_blob(blob.name).readall())
        return list(self.seen.values())

    def _unstamped(self, name: str, raw: bytes) -> dict[str, Any]:
        """The export of a blob, which had no Exif before; its eye is in the blob's name alone."""
        tag = tag_of("ImageDescription")
        patient = str(read(raw, tag))
        (exif,) = [one for one in segments(raw) if raw[one.content : one.content + 4] == b"Exif"]
        picture = raw[: exif.begin] + raw[exif.end :]
        digest = hashlib.sha256(picture).hexdigest()
        keys = (("PatientID", patient),)
        names = {local_id("GUID", Parcel("", digest, 0, entry_of(patient), eye, None, keys), tag): eye for eye in "RL"}
        return self._receipt(picture, f"A-{patient}", names.get(name.removesuffix(".jpg"), "?"))

    def _in_folder(self) -> list[dict[str, Any]]:
        found = []
        for path in sorted((self.root / "out").iterdir()):
            if not path.name.startswith("."):
                order, eye, _ = path.name.split("_")
                found.append(self._receipt(path.read_bytes(), order, eye))
        return found

    def _in_orthanc(self) -> list[dict[str, Any]]:
        if self.platform is None or self.platform.ended():
            self.open_platform()
        root = f"http://127.0.0.1:{self.port}"
        for one in requests.get(f"{root}/instances", timeout=20).json():
            if one not in self.seen:
                self.seen[one] = self._read(requests.get(f"{root}/instances/{one}/file", timeout=20).content)
        return list(self.seen.values())

    def _read(self, raw: bytes) -> dict[str, Any]:
        from pydicom import dcmread
        from pydicom.encaps import generate_frames
        from pydicom.filebase import DicomBytesIO

        back = dcmread(DicomBytesIO(raw))
        (picture,) = generate_frames(back.PixelData, number_of_frames=1)
        if picture.endswith(b"\xff\xd9\0"):
            picture = picture[:-1]  # DICOM's own padding
        return self._receipt(picture, str(back.AccessionNumber), str(back.ImageLaterality))

    def _receipt(self, picture: bytes, order: str, eye: str) -> dict[str, Any]:
        digest = hashlib.sha256(picture).hexdigest()
        (self.data / "images" / digest).write_bytes(picture)
        return {"digest": digest, "entry": entry_of(order.removeprefix("A-")), "eye": eye, "replaced": 0}


def load(kind: str) -> None:
    """Import what the agent needs for this platform, so that no child has to."""
    nursery.load()
    __import__(f"irisdrop.platforms.{kind}")
    if kind == "iris":
        import irisdrop.platforms.iris_events
        import irisdrop.platforms.messages
        import irisdrop.platforms.service_bus  # noqa: F401
    elif kind != "folder":
        import pydicom.encaps
        import pydicom.filewriter  # noqa: F401
        import pynetdicom  # noqa: F401


def main() -> int:
    """Runs until there are enough kills; the sum at the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", default="1")
    options = parser.parse_args()
    load(options.kind)
    folder = Path(tempfile.mkdtemp(prefix="torture-elsewhere-"))
    total: Counter[str] = Counter()
    begun = time.monotonic()
    for number in itertools.count():
        name = f"{options.seed}.{number}"
        root = folder / name
        root.mkdir()
        run = torture.Run(name, root, min(torture.KILLS_A_RUN, options.kills), False, None)
        run.clinic = Elsewhere(root, after=run.clinic.after, kind=options.kind)
        outcome = run.go()
        total.update(runs=1, kills=outcome.kills, images=outcome.images)
        for line in outcome.findings.lines():
            total["findings"] += 1
            print(f"  run {name}: {line}", flush=True)
        if not outcome.findings:
            shutil.rmtree(root)
        if total["kills"] >= options.kills:
            break
    print(
        f"{options.kind}: {total['runs']} runs, {total['kills']} kills, {total['images']} images, "
        f"{total['findings']} findings, {time.monotonic() - begun:.0f} s"
    )
    if not total["findings"]:
        shutil.rmtree(folder)
    return int(total["findings"] > 0)


if __name__ == "__main__":
    sys.exit(main())
