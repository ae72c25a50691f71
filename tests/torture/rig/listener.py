"""Plays Cloud Direct's other side: takes each new blob, reads its patient from the stamp, and confirms it by an event.

python listener.py STORAGE CONTAINER BUS QUEUE     (connection strings; ends with its parent)
"""

from __future__ import annotations

import ctypes
import json
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from irisdrop.platforms.stamp import read, tag_of


def receipt(name: str, patient: str) -> str:
    """An ImageReceipt for a blob."""
    return json.dumps(
        {
            "TransactionId": name,
            "Timestamp": datetime.now(UTC).isoformat(),
            "ImageLocalId": name.removesuffix(".jpg"),
            "IrisImageId": name[:13],
            "OrderLocalId": f"A-{patient}",
            "PatientLocalId": patient,
            "Success": True,
            "ResultObjectType": "ImageReceipt",
            "Version": "2.3.1",
        }
    )


def main(storage: str, container: str, bus: str, queue: str) -> None:
    """Until the parent is gone."""
    from azure.servicebus import ServiceBusClient, ServiceBusMessage
    from azure.storage.blob import ContainerClient

    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    blobs: Any = ContainerClient.from_connection_string(storage, container, api_version="2021-12-02")
    seen: set[str] = set()
    client = ServiceBusClient.from_connection_string(bus)
    with client, client.get_queue_sender(queue) as sender:
        while True:
            for blob in blobs.list_blobs():
                if blob.name not in seen:
                    seen.add(blob.name)
                    patient = read(blobs.download_blob(blob.name).readall(), tag_of("ImageDescription"))
                    sender.send_messages(ServiceBusMessage(receipt(blob.name, str(patient)), message_id=blob.name))
            time.sleep(0.1)


if __name__ == "__main__":
    main(*sys.argv[1:5])
