"""The kinds of trouble, one scene for each: every day has each of them, in one of its cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

from cameras import ROOMS, Room, described
from clinic import MEN, MINUTE, WINDOW, WOMEN, Making, Person

from irisdrop.vocabulary.orders import Standing, WorklistEntry

HOUR: Final = timedelta(hours=1)

ONE_LETTER: Final = (
    ("Muller", "Miller"), ("Hansen", "Hanson"), ("Braun", "Brawn"), ("Meier", "Maier"), ("Schmidt", "Schmitt"),
    ("Petersen", "Peterson"), ("Garcia", "Garzia"), ("Larsen", "Larson"), ("Perez", "Peres"), ("Stone", "Store"),
)  # fmt: skip
SPELLED: Final = (
    ("Müller", "Mueller"), ("Müller", "Muller"), ("Jørgensen", "Joergensen"), ("Núñez", "Nunez"), ("Åström", "Aastroem"),
    ("van der Berg", "Vanderberg"), ("O'Neill", "ONeill"), ("Weiß", "Weiss"), ("Łukasik", "Lukasik"),
)  # fmt: skip


def ordinary(d: Making) -> None:
    """Both eyes of a patient with one order."""
    for _ in range(d.chance.randrange(2, 9)):
        person = d.person()
        start = d.slot()
        order = d.order(person, start)
        room = d.room() if d.chance.random() < 0.9 else ROOMS["room-7"]
        begin = start + d.chance.randrange(-15, 40) * MINUTE
        draw = d.chance.random()
        case = "live" if draw < 0.7 else "exported later" if draw < 0.9 else "found at the agent's start"
        later = {} if case == "live" else {"arrived": begin + d.chance.randrange(10, 90) * MINUTE}
        eyes = d.chance.choice(("RL", "RLRL"))
        d.exam("ordinary", case, room, person, order, begin, eyes, determinable=True, live=draw < 0.9, **later)


def one_letter(d: Making) -> None:
    """Two patients whose names differ by one letter, due at nearly the same time."""
    kind = "names that differ by one letter"
    one, other = d.chance.choice(ONE_LETTER)
    a = d.person(family=one, given="Anna", sex="F")
    b = d.person(family=other, given="Anna", sex="F")
    start = d.slot()
    first, second = d.order(a, start), d.order(b, start + 10 * MINUTE)
    d.exam(kind, "each under its own number", d.room(), a, first, start, determinable=True)
    if d.chance.random() < 0.6:
        d.exam(kind, "each under its own number", d.room(), b, second, start + 9 * MINUTE, determinable=True)
    else:
        case = "the name typed with the letter that makes it the other's"
        d.exam(kind, case, d.room("name"), b, second, start + 9 * MINUTE, determinable=False, family=one)


def twins(d: Making) -> None:
    """Same birth date, same family name, neighbouring numbers."""
    kind = "twins"
    sex = d.chance.choice("MF")
    names = d.chance.sample(WOMEN if sex == "F" else MEN, 2)
    a = d.person(sex=sex, given=names[0])
    b = d.person(sex=sex, given=names[1], family=a.family, birth=a.birth, number=neighbour(d, a.number))
    start = d.slot()
    first, second = d.order(a, start), d.order(b, start + d.chance.choice((0, 10)) * MINUTE)
    d.exam(kind, "each under its own number", d.room(), a, first, start, determinable=True)
    begin = start + 8 * MINUTE
    draw = d.chance.random()
    if draw < 0.5:
        d.exam(kind, "each under its own number", d.room(), b, second, begin, determinable=True)
    elif draw < 0.75:
        d.exam(kind, "an initial for the name", d.room("name"), b, second, begin, determinable=True, given=b.given[0])
    else:
        d.exam(kind, "the sibling's name", d.room("name"), b, second, begin, determinable=False, given=a.given)


def father_and_son(d: Making) -> None:
    """The same name, another birth date and number."""
    kind = "father and son of one name"
    father = d.person(sex="M")
    born = date.fromisoformat(father.birth) + timedelta(days=d.chance.randrange(8000, 14000))
    son = d.person(sex="M", family=father.family, given=father.given, birth=born.isoformat())
    start = d.slot()
    first = d.order(father, start)
    d.exam(kind, "each under his own number", d.room(), father, first, start, determinable=True)
    if d.chance.random() < 0.5:
        second = d.order(son, start + 5 * MINUTE)
        d.exam(kind, "each under his own number", d.room(), son, second, start + 6 * MINUTE, determinable=True)
    else:
        d.exam(kind, "the son, whom nobody ordered", d.room(), son, None, start + 6 * MINUTE, determinable=False)


def reissued(d: Making) -> None:
    """A number that was somebody else's years ago."""
    kind = "reissued number"
    former = d.person()
    d.past(former)
    now = d.person(number=former.number)
    start = d.slot()
    order = d.order(now, start)
    room = d.room()
    case = "with a birth date or name" if room.reads else "nothing but the number"
    d.exam(kind, case, room, now, order, start, determinable=bool(room.reads))
    if d.chance.random() < 0.25:
        renumbered = d.person(family=former.family, given=former.given, birth=former.birth, sex=former.sex)
        again = d.order(renumbered, start + 2 * HOUR)
        begin = start + 2 * HOUR + 5 * MINUTE
        case = "the former owner, still under it"
        d.exam(kind, case, d.room(), renumbered, again, begin, determinable=False, number=former.number)
    else:
        room = d.room("birth", "name")
        d.exam(kind, "with a birth date or name", room, now, order, start + 6 * MINUTE, determinable=True)


def typed_wrong(d: Making) -> None:
    """A number typed with an error that makes it nobody's."""
    for _ in range(2):
        person = d.person()
        start = d.slot()
        order = d.order(person, start)
        case, number = mistyped(d, person.number)
        d.numbers.add(number)
        begin = start + d.chance.randrange(-10, 30) * MINUTE
        d.exam("typed number that is nobody's", case, d.room(), person, order, begin, determinable=False, number=number)


def nearly_another(d: Making) -> None:
    """A right number that is nearly another patient's: the leading zero is a part of it."""
    kind = "number that is nearly another's"
    for scheduled in (False, True):
        a = d.person()
        near, number = mistyped(d, a.number, *(["padding"] if d.chance.random() < 0.4 else []))
        b = d.person(number=number)
        start = d.slot()
        d.order(a, start)
        order = d.order(b, start + 10 * MINUTE) if scheduled else None
        case = "both are due" if scheduled else f"nobody ordered ({near})"
        d.exam(kind, case, d.room(), b, order, start + 12 * MINUTE, determinable=scheduled)


def clock_wrong(d: Making) -> None:
    """The camera's clock is wrong."""
    for _ in range(2):
        person = d.person()
        start = d.slot()
        order = d.order(person, start)
        CLOCKS[d.chance.choice(list(CLOCKS))](d, person, order, d.room(), start + d.chance.randrange(30) * MINUTE)


CLOCK: Final = "camera clock wrong"


def minutes_off(d: Making, person: Person, order: WorklistEntry, room: Room, begin: datetime) -> None:
    off = d.chance.choice((-1, 1)) * d.chance.randrange(4, 50) * MINUTE
    d.exam(CLOCK, "by minutes", room, person, order, begin, determinable=True, stamp=stamped(begin + off))


def behind(d: Making, person: Person, order: WorklistEntry, room: Room, begin: datetime) -> None:
    stamp = begin - timedelta(hours=d.chance.choice((24, 24, 30, 72, 200)), minutes=d.chance.randrange(-30, 30))
    fits = stamp_fits(room, stamp, order)
    case = "behind by about a day" if stamp > begin - timedelta(hours=26) else "behind by more"
    d.exam(CLOCK, case, room, person, order, begin, determinable=fits, stamp=stamped(stamp))


def ahead(d: Making, person: Person, order: WorklistEntry, room: Room, begin: datetime) -> None:
    stamp = begin + timedelta(days=d.chance.choice((1, 1, 30)))
    d.exam(CLOCK, "ahead by a day or more", room, person, order, begin, determinable=False, stamp=stamped(stamp))


def dead(d: Making, person: Person, order: WorklistEntry, room: Room, begin: datetime) -> None:
    stamp = begin.replace(year=2012, month=1, day=1, hour=0)
    d.exam(CLOCK, "battery dead: 2012", room, person, order, begin, determinable=False, stamp=stamped(stamp))


def corrected(d: Making, person: Person, order: WorklistEntry, _: Room, begin: datetime) -> None:
    d.exam(CLOCK, "two days, corrected by `clock:`", ROOMS["room-7"], person, order, begin, determinable=True)


def onto_older(d: Making, person: Person, order: WorklistEntry, room: Room, begin: datetime) -> None:
    """The patient did not come a day or two ago; the stamp falls on that order alone."""
    assert order.start is not None
    days = d.chance.choice((1, 2))
    d.order(person, order.start - timedelta(days=days, hours=-2 if days == 1 else 0))
    stamp = begin - timedelta(days=days, hours=3 if days == 1 else 0, minutes=d.chance.randrange(-20, 60))
    d.exam(
        CLOCK,
        "onto an older order of the patient",
        room,
        person,
        order,
        begin,
        determinable=False,
        stamp=stamped(stamp),
    )


CLOCKS: Final = {f.__name__: f for f in (minutes_off, behind, ahead, dead, corrected, onto_older)}


def again(d: Making) -> None:
    """Retakes, and the same picture exported twice."""
    kind = "retakes and duplicates"
    person = d.person()
    start = d.slot()
    order = d.order(person, start)
    room = d.room()
    first, *_ = d.exam(kind, "retake", room, person, order, start, "RLR", determinable=True)
    after = first.arrived + d.chance.randrange(3, 60) * MINUTE
    copy = replace(first, arrived=after, sent=after + MINUTE, case="the same file again", name=f"again/{first.name}")
    d.exports.append(copy)
    if d.chance.random() < 0.3:
        stranger = d.person()
        d.order(stranger, start + 30 * MINUTE)
        d.image(
            kind, "the same picture under another patient's number", d.number_room(), stranger, None, "R",
            start + HOUR, arrived=after + 5 * MINUTE, digest=first.digest, determinable=False,
        )  # fmt: skip


def two_cameras(d: Making) -> None:
    """Two cameras export at the same moment."""
    kind = "two cameras at once"
    a, b = d.person(), d.person()
    start = d.slot()
    first, second = d.order(a, start), d.order(b, start)
    if d.chance.random() < 0.5:
        d.exam(kind, "two patients", d.room(), a, first, start, determinable=True)
        d.exam(kind, "two patients", d.room(), b, second, start, determinable=True)
    else:
        d.exam(kind, "one patient", d.room(), a, first, start, determinable=True)
        d.exam(kind, "one patient", d.room(), a, first, start + MINUTE / 2, determinable=True)


def two_orders(d: Making) -> None:
    """Two orders of one patient on one day."""
    for _ in range(2):
        d.chance.choice(ORDERS)(d, d.person())


TWO: Final = "two orders of one patient on one day"


def both_open(d: Making, person: Person) -> None:
    start = d.slot()
    first, second = d.order(person, start), d.order(person, start + d.chance.choice((1, 3, 5)) * HOUR)
    order = d.chance.choice((first, second))
    assert order.start is not None
    d.exam(
        TWO, "both open, nothing tells them apart", d.room(), person, order, order.start + 5 * MINUTE,
        determinable=False, accession="", study=d.study(),
    )  # fmt: skip


def told_apart(d: Making, person: Person) -> None:
    start = d.slot()
    first, second = d.order(person, start), d.order(person, start + 2 * HOUR)
    order = d.chance.choice((first, second))
    d.exam(
        TWO, "both open, the order number tells", ROOMS["room-6"], person, order, start + 5 * MINUTE,
        determinable=True, accession=order.keys["AccessionNumber"], study=d.study(),
    )  # fmt: skip


def other_modality(d: Making, person: Person) -> None:
    start = d.slot()
    order = d.order(person, start, modality="OP")
    d.order(person, start + 30 * MINUTE, modality="OPT")
    d.exam(TWO, "the other for another device", d.room(), person, order, start + 5 * MINUTE, determinable=True)


def completed_late(d: Making, person: Person) -> None:
    """A late picture of the completed order, which the other must not get."""
    start = d.slot()
    first = d.order(person, start)
    d.order(person, start + d.chance.choice((3, 5)) * HOUR)
    done = minute(start + 12 * MINUTE)
    d.withdraw(done, first, Standing.COMPLETED)
    d.exam(
        TWO, "late image of the one that is completed", d.room(), person, first, start + 5 * MINUTE,
        arrived=done + d.chance.randrange(3, 30) * MINUTE, determinable=False,
    )  # fmt: skip


def completed_before(d: Making, person: Person) -> None:
    start = d.slot()
    first = d.order(person, start)
    second = d.order(person, start + 3 * HOUR)
    d.withdraw(minute(start + 30 * MINUTE), first, Standing.COMPLETED)
    room = d.room()
    named = "order" in room.reads
    d.exam(
        TWO, "image of the open one, the other is completed", room, person, second, start + 3 * HOUR + 5 * MINUTE,
        determinable=named, accession=second.keys["AccessionNumber"] if named else "", study=d.study(),
    )  # fmt: skip


ORDERS: Final = (both_open, told_apart, other_modality, completed_late, completed_before)


def ordered_again(d: Making) -> None:
    """A newer order takes the older one's place."""
    kind = "ordered again"
    for _ in range(2):
        person = d.person()
        start = d.slot()
        old = d.order(person, start, told=d.begin)
        case = d.chance.choice(AGAIN)
        told = {"before the image": -20, "old number": -20}.get(case, 3)
        at = minute(start + told * MINUTE)
        gap = {"the new one comes later": 25, "both open when it comes": -10}.get(case, 0) * MINUTE
        new = d.order(person, start + 5 * MINUTE, told=at + gap)
        d.withdraw(at, old, Standing.REPLACED)
        told_old = {"accession": old.keys["AccessionNumber"], "study": d.study()}
        if case == "old number":
            case = "the camera still names the old order"
            d.exam(kind, case, ROOMS["room-6"], person, new, start, determinable=False, **told_old)
        else:
            untold = {"accession": "", "study": d.study()}
            sent = start + 15 * MINUTE
            sure = case != "both open when it comes"
            d.exam(kind, case, d.room(), person, new, start, determinable=sure, sent=sent, **untold)


AGAIN: Final = (
    "before the image", "between match and upload", "the new one comes later", "old number", "both open when it comes",
)  # fmt: skip


def withdrawn(d: Making) -> None:
    """An order is cancelled, or completed, before its image is sent."""
    kind = "withdrawn before upload"
    for _ in range(2):
        person = d.person()
        start = d.slot()
        order = d.order(person, start)
        case = d.chance.choice(("before the image", "after the match", "completed after the match", "after the upload"))
        at = minute(start + {"before the image": -10, "after the upload": 30}.get(case, 4) * MINUTE)
        why = Standing.COMPLETED if case.startswith("completed") else Standing.CANCELLED
        d.withdraw(at, order, why)
        sent = start + (9 if case != "after the upload" else 3) * MINUTE
        truth = order if case in ("after the upload", "completed after the match") else None
        fed = {"accession": d.chance.choice((order.keys["AccessionNumber"], "")), "study": d.study()}
        done = case == "after the upload"
        d.exam(kind, case, d.room(), person, truth, start, determinable=done, sent=sent, **fed)


def late_order(d: Making) -> None:
    """The order comes after the image."""
    for wait in (
        d.chance.randrange(2, 200),
        d.chance.choice((d.chance.randrange(2, 200), d.chance.randrange(260, 330))),
    ):
        person = d.person()
        begin = d.slot()
        told = minute(begin + wait * MINUTE)
        d.late.append(told)
        order = d.order(person, begin + d.chance.randrange(-10, 60) * MINUTE, told=told)
        case = "within patience" if wait < 230 else "after patience"
        d.exam("late order", case, d.room(), person, order, begin, determinable=True)


def other_site(d: Making) -> None:
    """Orders of another site of the same organization."""
    kind = "another site's orders"
    for _ in range(2):
        person, stranger = d.person(), None
        start = d.slot()
        case = d.chance.choice(("only there", "here and there", "its number there", "its number there, nobody ordered"))
        if case == "only there":
            d.exam(kind, case, d.room(), person, d.order(person, start, site="S2"), start, determinable=False)
            continue
        if case == "here and there":
            d.order(person, start + HOUR, site="S2")
        else:
            stranger = d.person(number=person.number)
            d.order(stranger, start, site="S2")
        order = None if case.endswith("ordered") else d.order(person, start)
        d.exam(kind, case, d.room(), person, order, start, determinable=order is not None)


def accession_twice(d: Making) -> None:
    """One AccessionNumber under two patients."""
    kind = "AccessionNumber under two patients"
    a, b = d.person(), d.person()
    start = d.slot()
    first = d.order(a, start)
    number = first.keys["AccessionNumber"]
    second = d.order(b, start + d.chance.choice((0, 20, 240)) * MINUTE, accession=number)
    for person, order in ((a, first), (b, second)):
        said = {"accession": number, "study": d.study()}
        assert order.start is not None
        room = d.chance.choice((ROOMS["room-6"], d.room()))
        case = "the image names it" if "order" in room.reads else "only the worklist does"
        d.exam(kind, case, room, person, order, order.start, determinable=False, **said)


def accession_only(d: Making) -> None:
    """An AccessionNumber that fits, with a PatientID that doesn't; and the reverse."""
    kind = "AccessionNumber fits, PatientID does not"
    for _ in range(2):
        person, other = d.person(), d.person()
        start = d.slot()
        order, foreign = d.order(person, start), d.order(other, start + 20 * MINUTE)
        said = {"accession": order.keys["AccessionNumber"], "study": d.study()}
        case = d.chance.choice(
            ("a number that is nobody's", "another patient's number", "another patient's order number")
        )
        if case == "another patient's order number":
            said["accession"] = foreign.keys["AccessionNumber"]
        else:
            said["number"] = mistyped(d, person.number)[1] if "nobody" in case else other.number
        d.exam(kind, case, ROOMS["room-6"], person, order, start, determinable=False, **said)


def invented_study(d: Making) -> None:
    """A StudyInstanceUID that the camera made up; or another patient's."""
    kind = "StudyInstanceUID invented"
    for _ in range(2):
        person = d.person()
        start = d.slot()
        order = d.order(person, start)
        if d.chance.random() < 0.75:
            accession = d.chance.choice(("", order.keys["AccessionNumber"]))
            said = {"study": d.study(), "accession": accession}
            d.exam(kind, "nobody's", ROOMS["room-6"], person, order, start, determinable=True, **said)
        else:
            foreign = d.order(d.person(), start)
            while "StudyInstanceUID" not in foreign.keys:
                foreign = d.order(d.person(), start)
            said = {"study": foreign.keys["StudyInstanceUID"], "accession": ""}
            d.exam(kind, "another patient's", ROOMS["room-6"], person, order, start, determinable=False, **said)


def which_eye(d: Making) -> None:
    """An eye that is not told, or told in a way that nobody declared; or both."""
    kind = "the eye is unknown or both"
    for _ in range(2):
        person = d.person()
        start = d.slot()
        order = d.order(person, start)
        room = d.room()
        if "birth" in room.reads and d.chance.random() < 0.35:
            series = {"more": {"Laterality": "R"}} if room.name == "room-6" else {}
            d.exam(kind, "both", room, person, order, start, "BB", determinable=True, **series)
            continue
        # R1 is how the Daytona writes the first picture of a right eye
        token = d.chance.choice(("0D", "0S", "", "X", "U", "R1", "RL", "N")[: 5 if room.name == "room-5" else 8])
        d.exam(kind, f"`{token}`", room, person, order, start, "RL", determinable=False, eye=token)


def single_eye(d: Making) -> None:
    """Orders for one eye only."""
    kind = "orders for a single eye"
    for _ in range(2):
        person = d.person()
        start = d.slot()
        one = d.chance.choice("RL")
        other = "L" if one == "R" else "R"
        order = d.order(person, start, single_eye=one)
        case = d.chance.choice(("its own eye", "two orders, one for each", "a picture of the other eye"))
        if case == "its own eye":
            d.exam(kind, case, d.room(), person, order, start, one * 2, determinable=True)
            continue
        room = d.room()
        d.exam(kind, case, room, person, order, start, one, determinable=True)
        second = d.order(person, start, single_eye=other) if case.startswith("two") else None
        said = {"accession": (second or order).keys["AccessionNumber"]}
        d.exam(kind, case, room, person, second, start + MINUTE, other, determinable=second is not None, **said)


def contradiction(d: Making) -> None:
    """Two sources of one export differ, or the export and the order."""
    kind = "contradiction between sources"
    for _ in range(2):
        person, other = d.person(), d.person()
        start = d.slot()
        order = d.order(person, start)
        d.order(other, start)
        case, room, said = d.chance.choice(contradictions(d, person, other))
        d.exam(kind, case, ROOMS[room], person, order, start, determinable=False, **said)


def contradictions(d: Making, own: Person, other: Person) -> list[tuple[str, str, dict[str, object]]]:
    """What can be contradicted, where, and what the camera says then."""
    eyes = {"ImageLaterality": "R", "Laterality": "L"}
    return [
        ("name against Exif: number", "room-4", {"typed": other.number}),
        ("name against Exif: number", "room-4", {"typed": mistyped(d, own.number)[1]}),
        ("name against Exif: eye", "room-4", {"more": {"ImageDescription": described(own, "R")}, "eye": "L"}),
        ("image against series: eye", "room-6", {"more": eyes}),
        ("two dates", "room-6", {"more": {"ContentDate": "20200229"}}),
        ("sex", "room-6", {"sex": "F" if own.sex == "M" else "M"}),
        ("another's number, own birth date and name", "room-6", {"number": other.number, "accession": ""}),
        ("another's number, own name", "room-6" if d.style == "hyphens" else "room-3", {"number": other.number}),
        ("birth date of another", "room-6", {"birth": other.birth}),
        ("birth date of another", "room-4", {"birth": other.birth}),
    ]


def merged(d: Making) -> None:
    """The patient of an order is merged with another record, or takes another name, during the day."""
    kind = "merged or renamed patient"
    for _ in range(2):
        person = d.person()
        start = d.slot()
        order = d.order(person, start, told=d.begin)
        case = d.chance.choice(
            ("merged after the match", "merged after the match", "merged before", "married", "double name")
        )
        room = d.room()
        keys = dict(order.keys)
        keys |= {
            "merged": {"PatientID": d.number()},
            "married": {"PatientName": f"Bergmann^{person.given}"},
            "double": {"PatientName": f"{person.family}-Bergmann^{person.given}"},
        }[case.split()[0]]
        d.numbers.add(keys["PatientID"])
        at = minute(start + (3 if case.endswith("match") else -30) * MINUTE)
        d.tell(at, replace(order, keys=keys))
        # Where the change is known before the upload, the old number no longer fits the order; after it, all is done.
        quick = d.chance.random() < 0.5
        sent = start + (1 if quick else 8) * MINUTE + 30 * MINUTE * (not case.endswith("match"))
        holds = {
            "merged after the match": quick,
            "merged before": False,
            "married": "name" not in room.reads,
            "double name": True,
        }[case]
        begin = start - timedelta(seconds=30)
        d.image(kind, case, room, person, order, "R", begin, determinable=holds, sent=sent)
        d.image(kind, case, room, person, order, "L", begin + timedelta(seconds=20), determinable=holds, sent=sent)


def swapped(d: Making) -> None:
    """Day and month, or the parts of a name, in the other's place; names spelled in another way."""
    kind = "swapped date, swapped or respelled name"
    for _ in range(2):
        draw = d.chance.random()
        start = d.slot()
        if draw < 0.4:
            day, month = d.chance.sample(range(1, 13), 2)
            year = d.chance.randrange(1935, 2000)
            person = d.person(birth=f"{year}-{month:02d}-{day:02d}")
            said: dict[str, str] = {"birth": f"{year}-{day:02d}-{month:02d}"}
            room, case = d.room("birth"), "day and month"
        elif draw < 0.7:
            person = d.person()
            said = {"family": person.given, "given": person.family}
            room, case = d.room("name"), "family and given name"
        else:
            ours, theirs = d.chance.choice(SPELLED)
            person = d.person(family=ours)
            said = {"family": theirs}
            room, case = d.room("name"), "spelled otherwise"
        d.exam(kind, case, room, person, d.order(person, start), start, determinable=case != "day and month", **said)


ANOTHERS: Final = "undetectable: typed number that is another scheduled patient's"
UNWRITTEN: Final = "undetectable: order not written yet, another of the patient's fits"
UNDETECTABLE: Final = frozenset({ANOTHERS, UNWRITTEN})


def undetectable(d: Making) -> None:
    """Nothing but a number is read, and it is the wrong patient's."""
    for _ in range(2):
        a, b = d.person(), d.person()
        start = d.slot()
        order = d.order(a, start)
        d.order(b, start + 15 * MINUTE)
        d.exam(ANOTHERS, "", d.number_room(), a, order, start, determinable=False, number=b.number)


def unwritten(d: Making) -> None:
    """The order that the picture was taken for is written after it was sent; another of the patient's was open."""
    for _ in range(2):
        person = d.person()
        start = d.slot()
        d.order(person, start + 4 * HOUR)
        order = d.order(person, start, told=minute(start + 45 * MINUTE))
        said = {"accession": "", "study": d.study()}
        d.exam(UNWRITTEN, "", d.room(), person, order, start, determinable=False, **said)


KINDS: Final[dict[str, Callable[[Making], None]]] = {
    scene.__name__: scene
    for scene in (
        ordinary, one_letter, twins, father_and_son, reissued, typed_wrong, nearly_another, clock_wrong, again,
        two_cameras, two_orders, ordered_again, withdrawn, late_order, other_site, accession_twice, accession_only,
        invented_study, which_eye, single_eye, contradiction, merged, swapped, undetectable,
        unwritten,
    )
}  # fmt: skip


# ---------------------------------------------------------------------- slips of the hand and of clocks


def mistyped(d: Making, number: str, *slips: str) -> tuple[str, str]:
    """A slip, one of `slips` or any, that makes the number one that nobody has; and what slip it is."""
    slips = slips or tuple(SLIPS)
    while True:
        slip = d.chance.choice(slips)
        at = d.chance.randrange(len(number))
        made = SLIPS[slip](number, at)
        if made is not None and made != number and made not in d.numbers:
            return slip, made


def _exchanged(number: str, pairs: dict[str, str], at: int) -> str | None:
    places = [index for index, char in enumerate(number) if char in pairs]
    if not places:
        return None
    index = places[at % len(places)]
    return number[:index] + pairs[number[index]] + number[index + 1 :]


SLIPS: Final[dict[str, Callable[[str, int], str | None]]] = {
    "padding": lambda n, at: n.lstrip("0") if n.startswith("0") and at % 2 else "00" + n,
    "O for 0": lambda n, at: _exchanged(n, {"0": "O", "O": "0"}, at),
    "l for 1": lambda n, at: _exchanged(n, {"1": "l", "L": "1"}, at),
    "two digits swapped": lambda n, at: n[: at - 1] + n[at] + n[at - 1] + n[at + 1 :] if at else None,
    "a digit missing": lambda n, at: n[:at] + n[at + 1 :] if n[at].isdigit() else None,
    "one digit wrong": lambda n, at: n[:at] + str((int(n[at]) + 4) % 10) + n[at + 1 :] if n[at].isdigit() else None,
}


def neighbour(d: Making, number: str) -> str:
    """The number that is given out next; any other last digit where that one is taken."""
    for step in range(1, 10):
        made = number[:-1] + str((int(number[-1]) + step) % 10)
        if made not in d.numbers:
            return made
    return d.number()


def minute(moment: datetime) -> datetime:
    """The whole minute of a moment."""
    return moment.replace(second=0, microsecond=0)


def stamped(moment: datetime) -> datetime:
    """What a camera's clock shows at a moment."""
    return moment.replace(tzinfo=None, microsecond=0)


def stamp_fits(room: Room, stamp: datetime, order: WorklistEntry) -> bool:
    """Rule 4 and 5 of `determinable`, by the precision with which the camera writes time."""
    assert order.start is not None
    if room.profile in ("topcon-nw400", "canon-cr2"):
        midnight = stamp.replace(hour=0, minute=0, second=0, microsecond=0)
        stamp = midnight + timedelta(days=1)
    return stamp.astimezone(UTC) >= order.start.astimezone(UTC) - WINDOW
