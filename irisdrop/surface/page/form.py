"""What a browser or a program sent, read without trusting it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qs

from starlette.requests import Request

from irisdrop.surface.page.choice import Choice
from irisdrop.surface.page.office import Seen

LONGEST_NAME: Final = 80


class Said:
    """The fields of a form; a field that was sent twice keeps both."""

    def __init__(self, body: bytes, *, strip: bool = True) -> None:
        self._strip = strip
        self._fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=4000)

    def one(self, name: str) -> str:
        """The last value of a field."""
        found = self._fields.get(name, [""])[-1]
        return found.strip() if self._strip else found

    def number(self, name: str) -> int | None:
        """A field that is a number."""
        text = self.one(name)
        return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None

    def numbers(self, name: str) -> tuple[int, ...]:
        """A field that holds numbers."""
        return tuple(int(part) for part in self.one(name).split() if part.isascii() and part.isdigit())

    def seen(self, name: str = "seen") -> Seen:
        """A field that holds images with their versions."""
        pairs = (part.partition(":") for part in self.one(name).split())
        return [(int(one), int(two)) for one, _, two in pairs if one.isascii() and one.isdigit() and two.isdigit()]

    def choice(self) -> Choice:
        """The order that was chosen, as it was shown."""
        return Choice.read(self.one("entry"))

    def eyes(self) -> dict[int, str]:
        """The eyes that a person corrected, by image."""
        pairs = (text.partition(":") for text in self._fields.get("eye", []))
        return {int(one): eye for one, _, eye in pairs if one.isascii() and one.isdigit() and eye in ("R", "L", "B")}


def digits(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else None


async def fields(request: Request) -> dict[str, Any]:
    try:
        found = json.loads(await request.body())
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


async def apart(work: Callable[..., Any], *arguments: Any) -> Any:
    """Do what asks the journal on a thread, so that the loop goes on serving others."""
    return await asyncio.to_thread(work, *arguments)
