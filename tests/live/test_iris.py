"""Cloud Direct against Azurite and a broker."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pydicom
import pytest

from irisdrop.platforms.azure_blob import Container, account_by_sas, account_of
from irisdrop.platforms.iris import Announcement, IrisPlatform, Organization
from irisdrop.platforms.iris_events import IrisEvents, reference_of
from irisdrop.platforms.messages import OrderRequest
from irisdrop.platforms.service_bus import Bus, BusUnavailable
from irisdrop.platforms.stamp import read, tag_of
from irisdrop.platforms.workbench import Workbench
from irisdrop.vocabulary.deliveries import Damaged, Parcel, Postponed, Refused, Said, Uploaded
from irisdrop.vocabulary.faults import Foreseen
from irisdrop.vocabulary.reasons import Code

Parcels = Callable[..., Parcel]
Jpeg = Callable[..., bytes]
TAG = tag_of("ImageDescription")
ZONE = ZoneInfo("America/New_York")
HERE = Organization("63E3C9EF", "images", "", ZONE, {"room-2": "CAM-9"})


@pytest.fixture
def iris(storage: Any, tmp_path: Path) -> Iterator[Callable[..., IrisPlatform]]:
    """Makes platforms that may write, and nothing else."""
    made: list[IrisPlatform] = []

    def one(rights: str = "cw", block: int = 1 << 23, hours: float = 1.0, **more: Any) -> IrisPlatform:
        account = account_by_sas(storage.url, storage.sas(rights, hours))
        container = Container(lambda: account, "images", tmp_path / "outgoing", block=block)
        made.append(IrisPlatform(HERE, container, Workbench(tmp_path / "outgoing"), **({"tag": TAG} | more)))
        return made[-1]

    yield one
    for each in made:
        each.close()


def blobs(storage: Any) -> dict[str, Any]:
    """Every blob by name."""
    return {blob.name: blob for blob in storage.client().list_blobs(include=["metadata"])}


def content(storage: Any, name: str) -> bytes:
    """The bytes of a blob."""
    found: bytes = storage.client().download_blob(name).readall()
    return found


def test_a_jpeg_is_uploaded_with_its_patient_stamped_by_a_write_only_signature(
    storage: Any, iris: Any, parcel: Parcels, jpeg: Jpeg
) -> None:
    one = parcel(jpeg())
    answer = iris().deliver(one)
    assert isinstance(answer, Uploaded)
    ((name, blob),) = blobs(storage).items()
    raw = content(storage, name)
    assert name == f"{answer.reference}.jpg"
    assert read(raw, TAG) == "000815"
    assert hashlib.sha256(raw).hexdigest() == answer.sent == blob.metadata["sha256"] != one.digest
    assert blob.content_settings.content_type == "image/jpeg"
    assert "000815" not in name and "A-1" not in name


def test_a_second_try_finds_it_there(storage: Any, iris: Any, parcel: Parcels, jpeg: Jpeg) -> None:
    platform, one = iris(), parcel(jpeg())
    assert platform.deliver(one) == platform.deliver(one) == iris().deliver(one)
    assert len(blobs(storage)) == 1


def test_another_order_or_eye_or_a_release_is_another_blob(
    storage: Any, iris: Any, parcel: Parcels, jpeg: Jpeg
) -> None:
    platform = iris()
    for about in ({}, {"entry": "E2"}, {"eye": "L"}, {"keys": (("PatientID", "000816"),)}, {"uploads": 1}):
        assert isinstance(platform.deliver(parcel(jpeg(), **about)), Uploaded)
    assert len(blobs(storage)) == 5


def test_a_rebuilt_journal_finds_what_the_old_one_sent(
    storage: Any, iris: Any, parcel: Parcels, dicom: Callable[..., bytes]
) -> None:
    raw = dicom(PatientID="999")
    for decided in (datetime(2025, 1, 14, 15, tzinfo=UTC), datetime(2025, 2, 1, tzinfo=UTC)):
        assert isinstance(iris().deliver(parcel(raw, decided=decided)), Uploaded)
    assert len(blobs(storage)) == 1


def test_dicom_carries_its_patient_and_keeps_what_stood_there(
    storage: Any, iris: Any, parcel: Parcels, dicom: Callable[..., bytes], tmp_path: Path
) -> None:
    platform, one = iris(), parcel(dicom(PatientID="999"))
    answer = platform.deliver(one)
    assert isinstance(answer, Uploaded)
    (tmp_path / "back.dcm").write_bytes(content(storage, f"{answer.reference}.dcm"))
    back = pydicom.dcmread(tmp_path / "back.dcm")
    assert back.PatientID == "000815"
    assert back.OriginalAttributesSequence[0].ModifiedAttributesSequence[0].PatientID == "999"
    assert platform.deliver(one) == answer


@pytest.mark.parametrize("by", ["connection string", "signature"])
def test_a_large_file_goes_in_blocks(storage: Any, parcel: Parcels, jpeg: Jpeg, tmp_path: Path, by: str) -> None:
    account = (
        account_of(storage.connection_string)
        if by == "connection string"
        else account_by_sas(storage.url, "https://x/?" + storage.sas())
    )
    container = Container(lambda: account, "images", tmp_path / "outgoing", block=1000)
    platform = IrisPlatform(HERE, container, Workbench(tmp_path / "outgoing"), tag=None)
    one = parcel(jpeg() + os.urandom(10_500))
    answer = platform.deliver(one)
    platform.close()
    assert isinstance(answer, Uploaded)
    assert content(storage, f"{answer.reference}.jpg") == Path(one.file).read_bytes()
    assert list((tmp_path / "outgoing").iterdir()) == []


def test_blocks_go_on_after_a_cut_and_a_restart(
    storage: Any, iris: Any, parcel: Parcels, jpeg: Jpeg, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = parcel(jpeg() + os.urandom(10_000))
    asked: list[str] = []
    ask = Container.ask

    def counted(self: Container, *args: Any, **query: Any) -> Any:
        asked.append(query.get("blockid", query.get("comp", "blob")))
        if len(asked) == 5:
            raise OSError("the line is cut")
        return ask(self, *args, **query)

    monkeypatch.setattr(Container, "ask", counted)
    assert isinstance(iris(block=1000).deliver(one), Postponed)
    first, asked[:] = list(asked), [*[""] * 10]
    answer = iris(block=1000).deliver(one)
    assert isinstance(answer, Uploaded)
    resent = [block for block in asked if block in first[:4]]
    assert resent == [] and first[4] in asked
    assert len(content(storage, f"{answer.reference}.jpg")) > 10_000


def test_blocks_of_an_older_version_are_never_glued_to_a_newer_one(
    storage: Any, iris: Any, parcel: Parcels, jpeg: Jpeg, monkeypatch: pytest.MonkeyPatch
) -> None:
    """tus#139: the name was used again between the cut and the resuming, and the file was half of each."""
    fillings = (os.urandom(10_000), os.urandom(10_000))
    old, new = (parcel(jpeg() + filling, name="IMG_1.JPG") for filling in fillings)
    ask, left = Container.ask, [5]

    def cut(self: Container, *args: Any, **query: Any) -> Any:
        left[0] -= 1
        if not left[0]:
            raise OSError("the line is cut")
        return ask(self, *args, **query)

    with monkeypatch.context() as patch:
        patch.setattr(Container, "ask", cut)
        assert isinstance(iris(block=1000).deliver(old), Postponed)
    for version, filling in ((new, fillings[1]), (old, fillings[0])):
        answer = iris(block=1000).deliver(version)
        assert isinstance(answer, Uploaded)
        raw = content(storage, f"{answer.reference}.jpg")
        assert hashlib.sha256(raw).hexdigest() == answer.sent
        assert raw.endswith(filling)
    assert len(blobs(storage)) == 2


def test_blocks_that_the_server_forgot_are_all_sent_again(
    iris: Any, parcel: Parcels, jpeg: Jpeg, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = parcel(jpeg() + os.urandom(5_000))
    platform = iris(block=1000)
    with monkeypatch.context() as patch:
        patch.setattr(Container, "_one_block", lambda *_: None)  # noted as arrived, and never sent
        assert isinstance(platform.deliver(one), Postponed)
    assert isinstance(platform.deliver(one), Uploaded)


@pytest.mark.parametrize(
    ("how", "condition"),
    [({"rights": "r"}, "PLATFORM_DENIED"), ({"hours": -1.0}, "PLATFORM_DENIED")],
)
def test_a_signature_that_is_too_weak_or_too_old_halts(
    iris: Any, parcel: Parcels, jpeg: Jpeg, how: dict[str, Any], condition: str
) -> None:
    answer = iris(**how).deliver(parcel(jpeg()))
    assert isinstance(answer, Postponed)
    assert (answer.condition, answer.halts) == (condition, True)


def test_a_wrong_key_and_a_missing_container_are_told_apart(
    storage: Any, parcel: Parcels, jpeg: Jpeg, tmp_path: Path
) -> None:
    wrong = storage.connection_string.replace("Eby8", "AAAA")
    for text, name, condition in (
        (wrong, "images", "PLATFORM_DENIED"),
        (storage.connection_string, "nowhere", "PLATFORM_STRANGE"),
    ):
        account = account_of(text)
        platform = IrisPlatform(
            HERE, Container(lambda account=account: account, name, tmp_path), Workbench(tmp_path / "outgoing"), tag=None
        )
        answer = platform.deliver(parcel(jpeg()))
        platform.close()
        assert isinstance(answer, Postponed)
        assert answer.condition == condition


@pytest.mark.parametrize("text", ["", "nonsense", "AccountName=a", "BlobEndpoint=http://x/;AccountKey=!!", "sv=1"])
def test_a_connection_string_that_is_none_is_told_without_a_word_of_it(text: str) -> None:
    with pytest.raises(Foreseen) as caught:
        account_of(text)
    assert text == "" or text not in caught.value.message


def test_what_cant_be_stamped_is_refused_and_rot_is_told(iris: Any, parcel: Parcels, jpeg: Jpeg, storage: Any) -> None:
    platform = iris()
    assert isinstance(platform.deliver(parcel(b"\x89PNG\r\n\x1a\n" + bytes(200))), Refused)
    text = platform.deliver(parcel(b"hello" * 50))
    assert isinstance(text, Refused) and text.code is Code.NOT_AN_IMAGE
    assert isinstance(platform.deliver(parcel(jpeg(), keys=(("AccessionNumber", "A-1"),))), Refused)
    one = parcel(jpeg())
    Path(one.file).write_bytes(b"rot")
    assert isinstance(platform.deliver(one), Damaged)
    assert blobs(storage) == {}


def test_an_image_first_upload_is_announced_with_a_valid_order_request(
    iris: Any, storage: Any, bus: Any, parcel: Parcels, jpeg: Jpeg
) -> None:
    queues = Bus(lambda: bus.connection_string)
    platform = iris(tag=None, bus=queues, announcement=Announcement("order", "orders", "NW"))
    one = parcel(jpeg(), site="S1", context="Primary")
    answer = platform.deliver(one)
    assert isinstance(answer, Uploaded)
    assert platform.deliver(one) == answer
    first, again = bus.take("orders")
    assert first == again  # the same id: a queue that looks for duplicates takes one
    identity = first.pop("_id")
    assert OrderRequest.model_validate(first).camera is not None
    assert identity == answer.reference
    assert first == {
        "Version": "2.3.1",
        "OrderControlCode": "NW",
        "ClientGuid": "63E3C9EF",
        "Site": {"LocalId": "S1"},
        "Camera": {
            "LocalId": "CAM-9",
            "SerialNumber": "NW-77",
            "Images": [
                {
                    "LocalId": answer.reference,
                    "Taken": "2025-01-14T09:31:05-05:00",
                    "AzureBlobStorage": {"Container": "images", "FileName": f"{answer.reference}.jpg"},
                    "Laterality": "OD",
                    "ImageContext": "Primary",
                }
            ],
        },
        "Order": {"LocalId": "A-1"},
        "Patient": {
            "LocalId": "000815",
            "Name": {"First": "Jürgen", "Last": "Müller"},
            "Dob": "1961-03-07",
            "Genders": [{"Context": "BirthGender", "Gender": "M"}],
        },
    }
    assert content(storage, f"{answer.reference}.jpg") == Path(one.file).read_bytes()


def test_an_image_request_names_class_and_encoding(iris: Any, bus: Any, parcel: Parcels, jpeg: Jpeg) -> None:
    queues = Bus(lambda: bus.connection_string)
    platform = iris(tag=None, bus=queues, announcement=Announcement("image", "images"))
    assert isinstance(platform.deliver(parcel(jpeg())), Uploaded)
    (message,) = bus.take("images")
    assert (message["OrderLocalId"], message["ImageClass"], message["ImageEncoding"]) == ("A-1", 0, 0)


def test_an_order_without_a_number_is_refused_and_a_queue_that_is_gone_waited_for(
    iris: Any, bus: Any, parcel: Parcels, jpeg: Jpeg
) -> None:
    how = Announcement("order", "orders", "NW")
    lacking = iris(tag=None, bus=Bus(lambda: bus.connection_string), announcement=how)
    answer = lacking.deliver(parcel(jpeg(), keys=(("PatientID", "000815"),)))
    assert isinstance(answer, Refused)
    assert "Order.LocalId" in answer.detail or "LocalId" in answer.detail
    gone = iris(
        tag=None,
        bus=Bus(
            lambda: "Endpoint=sb://127.0.0.1:9;SharedAccessKeyName=k;SharedAccessKey=s;UseDevelopmentEmulator=true;"
        ),
        announcement=how,
    )
    assert isinstance(gone.deliver(parcel(jpeg())), Postponed)


def event(**more: object) -> dict[str, object]:
    """An ImageReceipt as the documentation shows one."""
    return {
        "TransactionId": "DB816B37",
        "Timestamp": "2025-01-14T17:42:18.6936779+00:00",
        "ImageLocalId": "ours",
        "IrisImageId": 3677459,
        "IrisOrderId": 1225564,
        "OrderLocalId": "A-1",
        "PatientLocalId": "000815",
        "Success": True,
        "ErrorMessage": None,
        "ResultObjectType": "ImageReceipt",
        "Version": "2.3.1",
    } | more


def test_events_are_kept_before_they_are_taken_off_and_those_of_others_are_stored(bus: Any, tmp_path: Path) -> None:
    bus.put("events", event())
    bus.put("events", event(ImageLocalId="theirs"))
    bus.put("events", event(ResultObjectType="OrderGradedEvent"))
    bus.put("events", "no JSON at all")
    events = IrisEvents(Bus(lambda: bus.connection_string), "events", tmp_path / "others", 60.0)
    kept: list[Said] = []

    def keep(said: Said) -> bool:
        kept.append(said)
        return said.reference == "ours"

    events.open()
    while events.receive(keep, 0.5):
        pass
    events.close()
    assert [(said.reference, said.succeeded, said.order, said.patient, said.receipt) for said in kept] == [
        ("ours", True, "A-1", "000815", "3677459"),
        ("theirs", True, "A-1", "000815", "3677459"),
    ]
    assert len(list((tmp_path / "others").glob("*.json"))) == 3
    assert bus.take("events") == []


def test_an_event_that_could_not_be_kept_comes_again(bus: Any, tmp_path: Path) -> None:
    bus.put("events", event())
    events = IrisEvents(Bus(lambda: bus.connection_string), "events", tmp_path / "others", 60.0)
    events.open()

    def fails(_: Said) -> bool:
        raise OSError(28, "No space left on device")

    with pytest.raises(Exception, match="can't be kept"):
        events.receive(fails, 0.5)
    events.close()
    assert [message["ImageLocalId"] for message in bus.take("events", 2.0)] == ["ours"]


def test_a_queue_that_is_not_there_is_told(free_port: Callable[[], int]) -> None:
    gone = f"Endpoint=sb://127.0.0.1:{free_port()};SharedAccessKeyName=k;SharedAccessKey=s;UseDevelopmentEmulator=true;"
    with pytest.raises(BusUnavailable):
        Bus(lambda: gone).send("orders", {}, "1")
    with pytest.raises(BusUnavailable):
        Bus(lambda: "nonsense").send("orders", {}, "1")


@pytest.mark.parametrize("text", ["AbC-1", "abc-1.jpg", "folder/abc-1.DCM", " abc-1 "])
def test_a_receipt_may_name_the_id_or_the_blob(text: str) -> None:
    assert reference_of(text) == "abc-1"


def test_stopping_does_not_wait_for_the_queue(bus: Any, tmp_path: Path) -> None:
    events = IrisEvents(Bus(lambda: bus.connection_string), "events", tmp_path / "others", 60.0)
    events.open()
    done = threading.Event()
    thread = threading.Thread(target=lambda: (events.receive(lambda _: True, 1.0), done.set()))
    thread.start()
    assert done.wait(60)
    thread.join()
    events.close()
