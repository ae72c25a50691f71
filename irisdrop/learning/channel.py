"""One place in which all exports say something (the name, the folder, a tag): its layouts, found and tried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from irisdrop.learning.layout import Layout, Row, layout, pattern
from irisdrop.learning.spans import IDENTIFIERS, Person, readings_of
from irisdrop.learning.tokens import Span, tokens
from irisdrop.profiles.patterns import LONGEST, Pattern, Unusable, compiled
from irisdrop.vocabulary.keys import DECIDING_KEYS

MOST_LAYOUTS = 4
WORTH = ("ImageLaterality", "AcquisitionDateTime", "AcquisitionDate")  # never lost for a shorter profile


@dataclass(frozen=True, slots=True)
class Said:
    """What one export says in the channel: the text, and whom it may be of (None: nobody that is known)."""

    export: int
    text: str
    person: Person | None
    spans: tuple[Span, ...]

    @property
    def row(self) -> Row:
        """The text in pieces."""
        return tokens(self.text, self.spans)


@dataclass(frozen=True, slots=True)
class Rule:
    """One pattern that was tried on the exports that it was learnt from; `exports` are their numbers."""

    pattern: str
    layout: Layout
    exports: tuple[int, ...]
    people: int

    @property
    def identifies(self) -> bool:
        """Whether it says whose an image is."""
        return bool(self.layout.keys & set(DECIDING_KEYS))


@dataclass(slots=True)
class Channel:
    """A place and what was learnt about it; `unsure` are sentences about exports that no rule was found for."""

    name: str
    rules: list[Rule] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)


def learn_channel(name: str, texts: Sequence[str | None], people: Sequence[Sequence[Person]]) -> Channel:
    """The rules of one channel; `people` are those whom each export may be of.

    A value that is the same in every export says nothing: only what differs from person to person is an identifier.
    """
    chosen = choose([ways(number, text, people[number]) for number, text in enumerate(texts) if text])
    found = Channel(name)
    of_somebody = [said for said in chosen if said.spans]
    folder = name == "folder"
    for group in grouped(of_somebody, folder):
        rule = tried(group, folder)
        if rule is not None and rule.people > 1:
            found.rules += [rule, *repeated(rule, folder)]
        elif rule is not None and name in ("filename", "folder"):
            found.unsure.append(f"{len(group)} exports are named in a way that only one person's are: not read")
    found.rules = sorted(agreed(found.rules, of_somebody), key=lambda rule: -len(rule.exports))[:MOST_LAYOUTS]
    of_nobody = [said for said in chosen if not said.spans]
    if not found.rules and name.partition(":")[0] in ("filename", "folder", "sidecar") and len(of_nobody) > 1:
        rule = tried(of_nobody, folder)
        if rule is not None and rule.layout.keys & set(WORTH):
            found.rules.append(rule)
    return found


def ways(export: int, text: str, people: Sequence[Person]) -> list[Said]:
    """Every way in which one text can be read; as nobody's where it can't."""
    found = [Said(export, text, person, spans) for person in people for spans in readings_of(text, person)]
    return found or [Said(export, text, people[0] if len(people) == 1 else None, ())]


def choose(ways_of_all: Sequence[Sequence[Said]]) -> list[Said]:
    """One way for each export: the one that is laid out as most others, for as many people as can be."""
    votes: Counter[tuple[str, ...]] = Counter()
    for ways_of_one in ways_of_all:
        votes.update({outline(said) for said in ways_of_one})
    people: dict[tuple[str, ...], set[str]] = {}
    for ways_of_one in ways_of_all:
        for said in ways_of_one:
            people.setdefault(outline(said), set()).add(value_of(said))

    def worth(said: Said) -> tuple[int, int, int, int]:
        look = outline(said)
        return len(people[look]) > 1, votes[look], len(said.spans), sum(span.end - span.begin for span in said.spans)

    return [max(ways_of_one, key=worth) for ways_of_one in ways_of_all]


def outline(said: Said) -> tuple[str, ...]:
    """Marks and kinds of a text."""
    return tuple(token.look for token in said.row)


def value_of(said: Said) -> str:
    """The text by which it was found to be somebody's."""
    return "\0".join(said.text[span.begin : span.end] for span in said.spans if span.key in DECIDING_KEYS)


def grouped(chosen: Sequence[Said], folder: bool) -> list[list[Said]]:
    """Exports that are laid out alike; two groups become one where one pattern reads as much of both."""
    by_look: dict[tuple[str, ...], list[Said]] = {}
    for said in chosen:
        by_look.setdefault(outline(said), []).append(said)
    groups: list[list[Said]] = []
    for group in sorted(by_look.values(), key=len, reverse=True)[:64]:
        for number, other in enumerate(groups):
            if together(other, group, folder):
                groups[number] = other + group
                break
        else:
            groups.append(group)
    return groups


def together(one: Sequence[Said], other: Sequence[Said], folder: bool) -> bool:
    """Whether one pattern reads everything that two would."""
    joined = tried([*one, *other], folder)
    if joined is None:
        return False
    apart = [rule for rule in (tried(one, folder), tried(other, folder)) if rule is not None]
    wanted = {key for rule in apart for key in rule.layout.keys if key in WORTH or key in DECIDING_KEYS}
    if "AcquisitionDate" in joined.layout.keys and any("ImageLaterality" not in rule.layout.keys for rule in apart):
        wanted.discard("AcquisitionDateTime")  # the day of all is worth less than the eye of all
    return wanted <= joined.layout.keys and ("ImageLaterality" in joined.layout.keys or not joined.layout.wild)


def tried(group: Sequence[Said], folder: bool) -> Rule | None:
    """The pattern of a group, if it reads from each of its texts what stands there and nothing else."""
    rows = [said.row for said in group]
    made = layout(rows, [said.person.identity if said.person else None for said in group])
    found = {span.key for span in group[0].spans}
    if not found & set(DECIDING_KEYS) <= made.keys or (made.wild and not made.left and not made.right):
        return None
    source = pattern(made, folder=folder)
    try:
        if len(source) > LONGEST or "(?P<" not in source:
            return None
        compiled(source)
    except Unusable:
        return None
    fit = [said for said in group if Pattern(source).fullmatch(said.text) is not None]
    if len(fit) * 2 < len(group) or not fit or not all(reads(Pattern(source), said) for said in fit):
        return None
    if len(fit) < len(group):  # a number that holds the mark beside it: those are refused, the others read
        made.rows = [said.row for said in fit]
    return Rule(source, made, tuple(said.export for said in fit), len({value_of(said) for said in fit}))


def repeated(rule: Rule, folder: bool) -> list[Rule]:
    """A rule for each further place at which the same number stands, so that two that differ are a conflict."""
    places = [
        at
        for at in rule.layout.indices()
        if rule.layout.rows[0][at].key in IDENTIFIERS and at not in rule.layout.fields
    ]
    found = []
    for at in places:
        made = replace(rule.layout, fields={at: rule.layout.rows[0][at].key}, clean={}, sure=[], unsure=[])
        found.append(replace(rule, pattern=pattern(made, folder=folder), layout=made))
    return found


def reads(source: Pattern, said: Said) -> bool:
    """Whether a pattern reads from a text what stands there."""
    found = source.fullmatch(said.text)
    if found is None:
        return False
    return all(found.get(span.key) == said.text[span.begin : span.end] for span in said.spans if span.key in found)


def agreed(rules: Sequence[Rule], chosen: Sequence[Said]) -> list[Rule]:
    """The rules without those that read another value than stands there from any export."""
    kept: list[Rule] = []
    for rule in sorted(rules, key=lambda rule: -len(rule.exports)):
        made = Pattern(rule.pattern)
        texts = (said for said in chosen if made.fullmatch(said.text) is not None)
        if all(reads(made, said) for said in texts):
            kept.append(rule)
    return kept
