"""The disk after a power cut, at any moment of a run: what was not flushed is gone, or half there.

Which layer, and why: `powerlog.c` is interposed between the agent and the C library and writes down every write, flush,
rename and unlink below the state folder in its order; the state of the disk after a cut is built from that afterwards.
A device mapper needs a kernel that has it, and a FUSE layer a mount; an interposed library needs neither, sees SQLite's
calls as well as Python's, and one run gives thousands of cuts. What it can't see is what goes by `mmap`: SQLite's
shared memory alone, which is made anew after a crash.

Strict: only what was flushed is there; a name only if its folder was flushed since. Torn: of what was not flushed, any
page and any name may be there. The truth of any file system lies between the two.
"""

from __future__ import annotations

import os
import random
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PAGE = 4096
HEAD = struct.Struct("<cQQII")

# Told by the agent itself, in the same log: every mark that it passes, so that a commit that has returned is known.
CUSTOM = """\
import os, sys
if os.environ.get("POWERLOG_MARKS"):
    sys.path.append(os.environ["RIG"])
    from irisdrop.vocabulary import marks
    told = os.open(os.environ["POWERLOG_MARKS"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    marks._passing = lambda name: os.write(told, name.encode() + b"\\n")
    if os.environ.get("PLANT"):
        from rig.planted import BUGS
        BUGS[os.environ["PLANT"]]()
"""


def build(folder: Path) -> Path:
    """Compile the interposed library."""
    library = folder / "powerlog.so"
    source = Path(__file__).with_name("powerlog.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", str(library), str(source), "-ldl"], check=True)
    return library


def environment(library: Path, log: Path, root: Path, custom: Path, plant: str | None = None) -> dict[str, str]:
    """What a process needs to write its log."""
    custom.mkdir(exist_ok=True)
    (custom / "sitecustomize.py").write_text(CUSTOM)
    return {
        "LD_PRELOAD": str(library),
        "POWERLOG": str(log),
        "POWERLOG_ROOT": str(root),
        "POWERLOG_MARKS": str(root / "MARKS"),
        "PYTHONPATH": str(custom),
        "PYTHONDONTWRITEBYTECODE": "1",
        "RIG": str(Path(__file__).parents[1]),
        "PLANT": plant or "",
    }


@dataclass(frozen=True)
class Call:
    """One line of the log."""

    op: str
    inode: int
    offset: int
    one: bytes
    two: bytes


def calls(log: Path) -> list[Call]:
    """The whole log; a last record that was cut is left out."""
    content = log.read_bytes()
    found: list[Call] = []
    at = 0
    while at + HEAD.size <= len(content):
        op, inode, offset, first, second = HEAD.unpack_from(content, at)
        at += HEAD.size
        if at + first + second > len(content):
            break
        found.append(
            Call(op.decode(), inode, offset, content[at : at + first], content[at + first : at + first + second])
        )
        at += first + second
    return found


@dataclass
class File:
    """Bytes as the program sees them, and as they were when they were last flushed."""

    live: bytearray = field(default_factory=bytearray)
    durable: bytes = b""


@dataclass
class Folder:
    """Names as the program sees them, and as they were when the folder was last flushed."""

    live: dict[str, Node] = field(default_factory=dict)
    durable: dict[str, Node] = field(default_factory=dict)


Node = File | Folder


class Disk:
    """Everything below one folder, moved on call by call."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self.root = Folder()
        self._by_inode: dict[int, Node] = {root.stat().st_ino: self.root}
        self.marks: list[str] = []
        self._marks: File | None = None

    def take(self, call: Call) -> None:
        """One call more."""
        if call.op in "cm":
            node: Node = File() if call.op == "c" else Folder()
            self._by_inode[call.inode] = node
            folder, name = self._place(call.one)
            folder.live[name] = node
        elif call.op == "w":
            self._write(self._file(call.inode), call)
        elif call.op == "t":
            self._cut(self._file(call.inode).live, call.offset)
        elif call.op == "s":
            flushed = self._by_inode.get(call.inode)
            if isinstance(flushed, File):
                flushed.durable = bytes(flushed.live)
            elif isinstance(flushed, Folder):
                flushed.durable = dict(flushed.live)
        elif call.op == "r":
            folder, name = self._place(call.one)
            target, new = self._place(call.two)
            target.live[new] = folder.live.pop(name)
        elif call.op == "u":
            folder, name = self._place(call.one)
            folder.live.pop(name, None)

    def live(self, name: str) -> bytes | None:
        """A file of the root as the program sees it."""
        node = self.root.live.get(name)
        return bytes(node.live) if isinstance(node, File) else None

    def build(self, target: Path, torn: random.Random | None = None) -> None:
        """Write down the disk as it is after a cut at this moment."""
        target.mkdir(parents=True)
        _build(self.root, target, torn)

    def _file(self, inode: int) -> File:
        node = self._by_inode.setdefault(inode, File())
        assert isinstance(node, File)
        return node

    def _write(self, file: File, call: Call) -> None:
        if self._marks is None and isinstance(self.root.live.get("MARKS"), File):
            self._marks = self.root.live["MARKS"]  # type: ignore[assignment]
        if file is self._marks:
            self.marks.append(call.one.decode().strip())
            return
        if len(file.live) < call.offset:
            file.live.extend(bytes(call.offset - len(file.live)))
        file.live[call.offset : call.offset + len(call.one)] = call.one

    @staticmethod
    def _cut(live: bytearray, size: int) -> None:
        if len(live) > size:
            del live[size:]
        else:
            live.extend(bytes(size - len(live)))

    def _place(self, path: bytes) -> tuple[Folder, str]:
        parts = os.fsdecode(path)[len(self._root) + 1 :].split("/")
        folder = self.root
        for part in parts[:-1]:
            below = folder.live.setdefault(part, Folder())
            assert isinstance(below, Folder)
            folder = below
        return folder, parts[-1]


def _build(folder: Folder, target: Path, torn: random.Random | None) -> None:
    for name, node in _names(folder, torn):
        if name == "MARKS":
            continue
        if isinstance(node, Folder):
            (target / name).mkdir()
            _build(node, target / name, torn)
        else:
            (target / name).write_bytes(_content(node, torn))


def _names(folder: Folder, torn: random.Random | None) -> Iterator[tuple[str, Node]]:
    if torn is None:
        yield from folder.durable.items()
        return
    for name in sorted({*folder.durable, *folder.live}):
        before, now = folder.durable.get(name), folder.live.get(name)
        node = before if before is now else torn.choice((before, now))
        if node is not None:
            yield name, node


def _content(file: File, torn: random.Random | None) -> bytes:
    if torn is None or file.durable == file.live:
        return file.durable
    size = torn.choice(
        (
            len(file.durable),
            len(file.live),
            torn.randrange(min(len(file.durable), len(file.live)), max(len(file.durable), len(file.live)) + 1),
        )
    )
    pages = bytearray()
    for begin in range(0, size, PAGE):
        page = torn.choice((file.durable, bytes(file.live)))[begin : begin + PAGE]
        pages += page.ljust(min(PAGE, size - begin), b"\0")
    return bytes(pages)
