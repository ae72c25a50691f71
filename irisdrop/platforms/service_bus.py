"""Azure Service Bus queues, by Microsoft's client: sending a message, and taking messages off only when they are kept."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from irisdrop.vocabulary.faults import Foreseen

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusClient, ServiceBusReceiver

SECONDS: Final = 30.0
MOST: Final = 50
LARGEST: Final = 1024 * 1024
Reveal = Callable[[], str]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a queue: `number` is the queue's own, in the order in which they were put in; it stays the same
    when the message comes again."""

    number: int
    enqueued: datetime
    text: str


class BusUnavailable(Exception):
    """The queue can't be used now; the text holds no PHI and no secret."""

    def __init__(self, detail: str, *, denied: bool = False) -> None:
        super().__init__(detail)
        self.detail = detail
        self.denied = denied


class Bus:
    """One namespace. The connection string is asked for anew whenever the connection is made anew."""

    def __init__(self, reveal: Reveal, *, websocket: bool = False) -> None:
        if find_spec("azure.servicebus" if find_spec("azure") else "azure") is None:
            raise Foreseen("NOT_INSTALLED", "Service Bus is not installed", "pip install 'irisdrop[azure]'.")
        self._reveal = reveal
        self._websocket = websocket

    def send(self, queue: str, body: Mapping[str, Any], identity: str) -> None:
        """Put one JSON message into a queue; `identity` stays the same at a retry. Raises BusUnavailable, Foreseen."""
        from azure.servicebus import ServiceBusMessage

        message = ServiceBusMessage(
            json.dumps(body, ensure_ascii=False), message_id=identity, content_type="application/json"
        )
        with self._told(), self._client() as client, client.get_queue_sender(queue) as sender:
            sender.send_messages(message, timeout=SECONDS)

    def check(self, queue: str) -> None:
        """See whether a queue can be sent to, without sending. Raises BusUnavailable, Foreseen."""
        with self._told(), self._client() as client, client.get_queue_sender(queue) as sender:
            sender.create_message_batch()

    def listen(self, queue: str) -> Listening:
        """Begin to receive from a queue. Raises BusUnavailable, Foreseen."""
        with self._told():
            client = self._client()
            receiver = client.get_queue_receiver(queue)
            receiver.__enter__()  # connects, so that what is wrong shows here and not in the first look
            return Listening(client, receiver)

    def _client(self) -> ServiceBusClient:
        from azure.servicebus import ServiceBusClient, TransportType

        for name in ("azure", "azure.servicebus"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # its frames hold what the messages say
        transport = TransportType.AmqpOverWebsocket if self._websocket else TransportType.Amqp
        return ServiceBusClient.from_connection_string(self._reveal(), transport_type=transport, retry_total=1)

    @staticmethod
    def _told() -> Told:
        return Told()


class Told:
    """Whatever the client raises, told as BusUnavailable."""

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        from azure.servicebus.exceptions import (
            ServiceBusAuthenticationError,
            ServiceBusAuthorizationError,
            ServiceBusError,
        )

        if isinstance(error, ServiceBusAuthenticationError | ServiceBusAuthorizationError):
            raise BusUnavailable("the queue refuses our credentials", denied=True) from None
        if isinstance(error, ServiceBusError | OSError | TimeoutError):
            raise BusUnavailable(f"the queue can't be used ({type(error).__name__})") from None
        if isinstance(error, ValueError):
            raise BusUnavailable("the queue's connection string can't be used", denied=True) from None


class Listening:
    """A queue that is listened to. A message is locked while it is looked at, and goes only by `complete`."""

    def __init__(self, client: ServiceBusClient, receiver: ServiceBusReceiver) -> None:
        self._client = client
        self._receiver = receiver

    def receive(self, keep: Callable[[Message], None], wait: float) -> int:
        """Give each message to `keep`, then take it off; returns how many came. Raises BusUnavailable.

        Where `keep` raises, the message stays and comes again.
        """
        with Told():
            messages = self._receiver.receive_messages(max_message_count=MOST, max_wait_time=max(wait, 0.1))
        for message in messages:
            enqueued = message.enqueued_time_utc or datetime.fromtimestamp(0, UTC)
            keep(Message(message.sequence_number or 0, enqueued, _text(message)))
            with Told():
                self._receiver.complete_message(message)
        return len(messages)

    def close(self) -> None:
        """Close the connection; messages that are locked come again."""
        with Told():
            self._receiver.close()
            self._client.close()


def _text(message: Any) -> str:
    body = message.body
    raw = body if isinstance(body, bytes | str) else b"".join(body)
    return raw if isinstance(raw, str) else raw[:LARGEST].decode("utf-8", "replace")
