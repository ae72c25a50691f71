"""The support bundle: a ZIP of facts, each text scrubbed of every name and number that is known here."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from irisdrop import __version__
from irisdrop.profiles.secret import IN_CLEAR, NAMES
from irisdrop.surface.doctor import PARTS
from irisdrop.surface.doctor.finding import Case
from irisdrop.surface.log import FILE, log_folder
from irisdrop.surface.mask import masked
from irisdrop.surface.scrubbing import Scrubber
from irisdrop.vocabulary.faults import FaultyFile, Foreseen

if TYPE_CHECKING:
    from irisdrop.record.database import Database

LOG_BYTES: Final = 2 << 20  # of the newest log
PATHS: Final = re.compile(r"\b(folder|move|path|state)(\s*:\s*)([^,}\n#]+)")
SETTING: Final = re.compile(r"([\w-]+)(\s*:\s*)([^{\s][^,}\n]*)")


def written(config_path: Path | None, output: Path) -> int:
    """Write the bundle to a new file; how many places were masked. Nothing is written where the journal can't be read."""
    from irisdrop.record.database import Database
    from irisdrop.record.facts import Facts
    from irisdrop.record.soundness import examined
    from irisdrop.surface.commands.doctor import case_of
    from irisdrop.vocabulary.clock import SystemClock

    case = case_of(config_path)
    texts = dict(_without_journal(case))
    personal: list[tuple[str, str]] = []
    journal = None if case.config is None else case.config.state / "journal.db"
    if journal is not None and journal.exists():
        try:
            if examined(journal, thorough=False).damage:
                texts.pop("log.jsonl", None)  # it can't be searched for names that nobody can read
                return _packed(texts, Scrubber(()), output)
            with closing(Database.to_read(journal, SystemClock())) as database:
                texts |= dict(_of_journal(database))
                personal = list(Facts(database).personal())
        except PermissionError:
            raise Foreseen(
                "NOT_PERMITTED",
                "This account may not read the journal, so nobody could say whether the bundle is free of names.",
                "run it with the service's account or as an administrator.",
            ) from None
    elif case.config is None:
        # Without the configuration nobody knows where the journal is, so no log can be searched for names either.
        texts.pop("log.jsonl", None)
    return _packed(texts, Scrubber(personal), output)


def _packed(texts: dict[str, str], scrubber: Scrubber, output: Path) -> int:
    scrubbed = {name: scrubber.scrub(text) for name, text in texts.items()}
    draft = output.with_name(output.name + ".part")
    with zipfile.ZipFile(draft, "x", zipfile.ZIP_DEFLATED) as archive:
        for name, (text, _) in scrubbed.items():
            archive.writestr(name, text)
    draft.rename(output)
    return sum(count for _, count in scrubbed.values())


def _without_journal(case: Case) -> Iterator[tuple[str, str]]:
    from irisdrop.surface.commands.doctor import findings

    looked = {part: [asdict(finding) for finding in findings(part, case)] for part in PARTS}
    yield "doctor.json", _plain({"irisdrop": __version__, "parts": looked})
    if case.config_path.is_file():
        yield "config.yaml", config_without_secrets(case.config_path.read_text("utf-8", errors="replace"))
    yield "faults.json", _plain(list(_faults(case)))
    if case.config is not None:
        yield "log.jsonl", _log(log_folder(case.config.state))


def _of_journal(database: Database) -> Iterator[tuple[str, str]]:
    from irisdrop.record.conditions import Conditions
    from irisdrop.record.facts import Facts
    from irisdrop.record.journal import Journal
    from irisdrop.vocabulary.clock import SystemClock

    facts, clock = Facts(database), SystemClock()
    counts = Journal(database, clock).counts_by_camera()
    yield "counts.json", _plain({camera: {str(s): n for s, n in found.items()} for camera, found in counts.items()})
    yield "conditions.json", _plain([asdict(condition) for condition in Conditions(database, clock).active()])
    yield "transitions.json", _plain(facts.last_transitions())
    timings = {"attempt": facts.attempt_seconds(), "arrival to receipt": facts.delivery_seconds()}
    yield "timings.json", _plain({name: _spread(seconds) for name, seconds in timings.items()})


def config_without_secrets(text: str) -> str:
    """A configuration with paths by their shape and without what is, or may be, a secret in clear."""
    lines = []
    for line in text.splitlines():
        if IN_CLEAR.search(line):
            line = re.sub(r"(:\s*).*", r"\1[masked]", line, count=1)
        line = SETTING.sub(
            lambda found: f"{found[1]}{found[2]}[masked]" if NAMES.fullmatch(found[1]) else found[0], line
        )
        lines.append(PATHS.sub(lambda found: found[1] + found[2] + masked(found[3]), line))
    return "\n".join(lines) + "\n"


def _faults(case: Case) -> Iterator[dict[str, Any]]:
    """Faults of configuration and profiles by code and place: their texts quote what somebody wrote."""
    from irisdrop.profiles.config import load_config, load_profiles

    try:
        load_profiles(load_config(case.config_path))
    except FaultyFile as faulty:
        for fault in faulty.faults:
            yield {"code": fault.code, "file": Path(fault.file).name, "line": fault.line, "column": fault.column}
    except Foreseen as failure:
        yield {"code": failure.code}


def _log(folder: Path) -> str:
    """The newest lines of log, whole ones."""
    text = ""
    for path in (folder / FILE, folder / f"{FILE}.1"):
        if path.is_file() and len(text) < LOG_BYTES:
            text = path.read_text("utf-8", errors="replace") + text
    return text if len(text) <= LOG_BYTES else text[-LOG_BYTES:].partition("\n")[2]


def _spread(seconds: list[float]) -> dict[str, float | int]:
    if not seconds:
        return {"count": 0}
    at = {
        name: seconds[min(len(seconds) - 1, int(len(seconds) * part))] for name, part in (("p50", 0.5), ("p95", 0.95))
    }
    return {"count": len(seconds), **{name: round(value, 3) for name, value in at.items()}, "longest": seconds[-1]}


def _plain(value: Any) -> str:
    return json.dumps(value, indent=1, default=str, ensure_ascii=False)
