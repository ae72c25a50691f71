"""A stand-in for Azure Service Bus on qpid-proton: queues with peek-lock, delivery counts and dead letters.

`python broker.py PORT [DELIVERIES]` listens on 127.0.0.1 and prints one line when it does. No broker of Debian answers the `$cbs`
node that Microsoft's client asks for; this one accepts every token but one that holds `wrong`.
"""

from __future__ import annotations

import sys
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from proton import Condition, Delivery, Message, symbol, timestamp
from proton.handlers import MessagingHandler
from proton.reactor import Container

MOST_DELIVERIES = 10
LOCK_SECONDS = 30


@dataclass
class Queue:
    """Messages that wait, those who listen, and those that were delivered too often."""

    messages: deque[Message] = field(default_factory=deque)
    listeners: list[Any] = field(default_factory=list)
    dead: list[Message] = field(default_factory=list)
    count: int = 0


class Broker(MessagingHandler):  # type: ignore[misc]
    """Every address that does not begin with `$` is a queue."""

    def __init__(self, port: int, most: int = MOST_DELIVERIES) -> None:
        self.most = most
        super().__init__(auto_accept=False, auto_settle=False, prefetch=100)
        self.url = f"127.0.0.1:{port}"
        self.queues: dict[str, Queue] = {}
        self.replies: list[Any] = []
        self.locked: dict[Any, tuple[str, Message]] = {}

    def on_start(self, event: Any) -> None:
        event.container.listen(self.url)
        print("listening", flush=True)

    def on_link_opening(self, event: Any) -> None:
        link = event.link
        link.source.copy(link.remote_source)
        link.target.copy(link.remote_target)
        link.rcv_settle_mode, link.snd_settle_mode = link.remote_rcv_settle_mode, link.remote_snd_settle_mode
        if link.is_sender:
            address = _address(link.remote_source.address)
            if "$" in address:
                self.replies.append(link)
            else:
                self._queue(address).listeners.append(link)

    def on_link_closing(self, event: Any) -> None:
        self._forget(lambda link: link == event.link)

    def on_disconnected(self, event: Any) -> None:
        self._forget(lambda link: link.connection == event.connection)

    def on_sendable(self, event: Any) -> None:
        address = _address(event.link.remote_source.address)
        if address in self.queues:
            self._pump(address)

    def on_message(self, event: Any) -> None:
        address = _address(event.link.remote_target.address)
        event.delivery.update(Delivery.ACCEPTED)
        event.delivery.settle()
        if "$" in address:
            self._answer(address, event)
            return
        queue = self._queue(address)
        queue.count += 1
        event.message.annotations = {
            symbol("x-opt-sequence-number"): queue.count,
            symbol("x-opt-enqueued-time"): timestamp(int(time.time() * 1000)),
        }
        queue.messages.append(event.message)
        self._pump(address)

    def on_delivery(self, event: Any) -> None:
        delivery = event.delivery
        if not delivery.link.is_sender or not delivery.updated or delivery not in self.locked:
            return
        if not delivery.remote_state:
            return
        address, message = self.locked.pop(delivery)
        if delivery.remote_state == Delivery.RELEASED:
            # The client was not asking just then: that is no failed delivery (AMQP 1.0 §3.4.4).
            self._queue(address).messages.appendleft(message)
        elif delivery.remote_state == Delivery.MODIFIED:
            self._again(address, message)
        elif delivery.remote_state == Delivery.REJECTED:
            self._queue(address).dead.append(message)
        delivery.update(delivery.remote_state)
        delivery.settle()
        self._pump(address)

    def _answer(self, address: str, event: Any) -> None:
        wrong = "wrong" in str(event.message.body)
        properties = {"status-code": 401 if wrong else 202, "status-description": "no" if wrong else "OK"}
        mine = [link for link in self.replies if link.connection == event.connection]
        for link in [link for link in mine if _address(link.remote_source.address) == address][-1:]:
            link.send(Message(correlation_id=event.message.id, properties=properties)).settle()
            if wrong:
                link.condition = Condition("amqp:unauthorized-access", "no")

    def _pump(self, address: str) -> None:
        queue = self._queue(address)
        for link in queue.listeners:
            while queue.messages and link.credit > 0:
                message = queue.messages.popleft()
                locked = {symbol("x-opt-locked-until"): timestamp(int((time.time() + LOCK_SECONDS) * 1000))}
                message.annotations = {**message.annotations, **locked}
                delivery = link.delivery(str(uuid.uuid4().int)[:16])
                link.stream(message.encode())
                link.advance()
                self.locked[delivery] = (address, message)

    def _again(self, address: str, message: Message) -> None:
        message.delivery_count = (message.delivery_count or 0) + 1
        queue = self._queue(address)
        if message.delivery_count >= self.most:
            queue.dead.append(message)
        else:
            queue.messages.appendleft(message)

    def _forget(self, gone: Any) -> None:
        self.replies = [link for link in self.replies if not gone(link)]
        for queue in self.queues.values():
            queue.listeners = [link for link in queue.listeners if not gone(link)]
        for delivery, (address, message) in list(self.locked.items()):
            if delivery.link is None or gone(delivery.link):
                del self.locked[delivery]
                self._again(address, message)
                self._pump(address)

    def _queue(self, address: str) -> Queue:
        return self.queues.setdefault(address, Queue())


def _address(text: str | None) -> str:
    """The queue of `sb://host/queue`."""
    found = text or ""
    return found.split("://", 1)[1].split("/", 1)[1] if "://" in found else found


if __name__ == "__main__":
    Container(Broker(*map(int, sys.argv[1:]))).run()
