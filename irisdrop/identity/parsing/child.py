"""The child: one JSON line in, one JSON line out, until its input ends.

A request: `{"file", "exif": [tag…], "dicom": [path…], "sidecars": [[rule, file, format, [place…], encoding]…], "all", "seconds"}`.
The answer is `{"kind", "flaw", "exif": [[directory, name, text]…], "dicom": [[asked, place, [text…]]…],
"sidecars": [[rule, place, [text…]]…], "failed": {part: why}}`, or
`{"errno"}` where the file can't be opened, or `{"memory": true}` where it took more memory than it may.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from irisdrop.identity.parsing import content, system

# Never wait for a pipe's other end; what is no plain file is told, not read.
FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


def main(memory: int) -> None:
    """Serve requests; `memory` is the most address space in bytes."""
    # Whoever stops the agent stops it alone: the end of our input ends us, and an image is never blamed for a Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    logging.disable()  # libraries log what they read, and that may be a patient
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # a library that prints must not speak in our place
    system.limit_memory(memory)
    answers.write(b'{"ready": true}\n')
    for line in sys.stdin.buffer:
        request = json.loads(line)
        system.limit_time(request["seconds"])
        try:
            answer = serve(request)
        except MemoryError:
            answers.write(b'{"memory": true}\n')
            os._exit(1)  # what is left of the heap is not worth trusting
        answers.write(json.dumps(answer).encode() + b"\n")


def serve(request: dict[str, Any]) -> dict[str, Any]:
    """The answer to one request."""
    try:
        descriptor = os.open(request["file"], FLAGS)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return blank("special", None)
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return _read(file, status.st_size, request)
        finally:
            os.close(descriptor)
    except OSError as error:
        return {"errno": error.errno or errno.EIO}


def _read(file: BinaryIO, size: int, request: dict[str, Any]) -> dict[str, Any]:
    found = _content(file, size)
    answer = blank(found.kind, found.flaw)
    if found.flaw is not None or found.kind not in content.IMAGES:
        return answer
    part = "dicom" if found.kind == "dicom" else "exif"
    if request[part] or request["all"]:
        _part(answer, part, lambda: _elements(file, request) if part == "dicom" else _tags(file, found, request))
    if request["sidecars"]:
        _part(answer, "sidecars", lambda: _notes(request["sidecars"]))
    return answer


def blank(kind: str, flaw: str | None) -> dict[str, Any]:
    """An answer that holds nothing yet."""
    return {"kind": kind, "flaw": flaw, "exif": [], "dicom": [], "sidecars": [], "failed": {}}


def _part(answer: dict[str, Any], part: str, parse: Callable[[], list[Any]]) -> None:
    """Fill in one part of the answer, or why it can't be: eight kinds of exception and more escape from parsers."""
    try:
        answer[part] = parse()
    except (MemoryError, OSError):
        raise
    except content.Damaged as damage:
        answer["failed"][part] = str(damage)
    except content.Misasked as fault:
        answer["failed"]["profile"] = str(fault)
    except Exception as error:  # noqa: BLE001 - each is told, none is a "no"
        answer["failed"][part] = f"the parser gave up ({type(error).__name__})"


def _content(file: BinaryIO, size: int) -> content.Content:
    try:
        return content.examine(file, size)
    except (MemoryError, OSError):
        raise
    except Exception as error:  # noqa: BLE001 - the same
        return content.Content("damaged", f"the file can't be made sense of ({type(error).__name__})")


def _elements(file: BinaryIO, request: dict[str, Any]) -> list[Any]:
    from irisdrop.identity.parsing import elements

    return list(elements.read_all(file) if request["all"] else elements.read_elements(file, request["dicom"]))


def _notes(asked: list[Any]) -> list[Any]:
    from irisdrop.identity.parsing import companions

    found = []
    for rule, path, form, places, encoding in asked:
        with Path(path).open("rb") as file:
            text = file.read(companions.LARGEST + 1)
        if len(text) > companions.LARGEST:
            raise content.Damaged("the sidecar is larger than any should be")
        read = companions.read_places(text, form, places, encoding) if places else companions.read_all(text, form)
        found += [(rule, *value) for value in read]
    return found


def _tags(file: BinaryIO, found: content.Content, request: dict[str, Any]) -> list[Any]:
    from irisdrop.identity.parsing import tags

    if not request["all"]:
        return list(tags.read_tags(file, found.exif, request["exif"]))
    from irisdrop.identity.parsing import embedded

    return [*tags.read_tags(file, found.exif, None), *embedded.read_embedded(file)]
