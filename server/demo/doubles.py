"""People who are registered twice in one county, each in a way in which that happens.

Made from people who are there already: names written by ear and as another dialect hears them, a milk
name with a lunar birthday, a wife on the lists of both families, a number in which two slips pass the
check, twins who are two, and a namesake with a number of his own. (A number that fails its check is
refused on the phone already.)
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from server.demo.people import InventedHousehold, Record, invent_households
from shared_schemas import resident_id
from shared_schemas.records.member import HEAD

SAME_SOUND = {"丽": "莉", "明": "铭", "军": "君", "华": "桦", "平": "萍", "建": "健", "志": "智",
              "芳": "方", "玉": "育", "梅": "玫", "文": "雯", "刚": "纲", "永": "勇"}  # fmt: skip
DIALECT = {"兰": "南", "林": "宁", "山": "三", "春": "村", "英": "音", "芝": "姿", "晴": "琴",
           "昌": "仓", "朝": "曹", "珍": "增", "成": "层"}  # fmt: skip
"""Characters that sound the same, and that sound the same where n and l, zh and z, ing and in are one."""

NO_NUMBER: Mapping[str, Any] = {"id_no": None, "no_id_reason": "1"}
BROTHER, WIFE, DAUGHTER = "79", "10", "30"
TWINS_BORN = "1991-04-08"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the register: his values with `id`, `household_id` and `village_code`."""

    values: Record
    approved: bool

    @property
    def name(self) -> str:
        """Return the name."""
        return str(self.values["name"])


@dataclass(frozen=True, slots=True)
class Double:
    """A household in which somebody of the register is registered again."""

    whole: InventedHousehold
    approve: bool = False


class _Homes:
    """Invents a household for each double, in the villages one after the other."""

    def __init__(self, villages: Sequence[str], today: dt.date, seed: int) -> None:
        self.made = iter(invent_households(seed, 60, villages, today=today, doubtful=0))

    def with_head(self, **values: Any) -> InventedHousehold:
        """Return the next household with these values of its head."""
        return self._with(HEAD, values)

    def with_wife(self, **values: Any) -> InventedHousehold:
        """Return the next household that has a wife, with these values of her."""
        return self._with(WIFE, values)

    def _with(self, relation: str, values: Mapping[str, Any]) -> InventedHousehold:
        for whole in self.made:
            ours = next((m for m in whole.members if m["relation"] == relation), None)
            if ours is None or ours["sex"] != values["sex"]:
                continue
            put = {**ours, **{name: value for name, value in values.items() if value is not None}}
            for name, value in values.items():
                if value is None:
                    put.pop(name, None)
            members = tuple(put if m is ours else m for m in whole.members)
            return replace(whole, members=members)
        raise LookupError("no invented household has such a member")


def doubles(
    people: Iterable[Person], villages: Sequence[str], today: dt.date, *, seed: int
) -> Iterator[Double]:
    """Yield households in other villages, in which people of the register stand a second time."""
    homes = _Homes(villages, today, seed)
    unused = _Unused(people)

    by_ear = unused.with_character(SAME_SOUND)
    written = {"name": _written(by_ear.name, SAME_SOUND), "phone": "", **NO_NUMBER}
    yield Double(homes.with_head(**_again(by_ear, **written)), approve=True)
    milk = unused.who(lambda p: len(p.name) == 3 and p.values.get("phone"))
    said = {"name": milk.name[0] + milk.name[2], "birth_date": _lunar(milk.values["birth_date"])}
    yield Double(homes.with_head(**_again(milk, **said, **NO_NUMBER)))
    for _ in range(2):
        heard = unused.with_character(DIALECT)
        written = {"name": _written(heard.name, DIALECT), "phone": "", **NO_NUMBER}
        yield Double(homes.with_head(**_again(heard, **written)), approve=True)
    wife = unused.who(
        lambda p: (
            p.values["sex"] == "2" and p.values.get("phone")
            and _swapped(p.values["birth_date"]) not in (None, p.values["birth_date"])
        )
    )  # fmt: skip
    swapped = _swapped(wife.values["birth_date"])
    yield Double(homes.with_wife(**_again(wife, birth_date=swapped, **NO_NUMBER)))
    slip = unused.who(lambda p: p.approved and p.values.get("phone"))
    other = number_of(slip.values["birth_date"], slip.values["sex"], 71)
    yield Double(homes.with_head(**_again(slip, id_no=other)), approve=True)
    yield from _twins(homes)
    namesake = unused.who(lambda p: p.approved)
    own = number_of(namesake.values["birth_date"], namesake.values["sex"], 72)
    yield Double(homes.with_head(**_again(namesake, phone="", **NO_NUMBER)), approve=True)
    yield Double(homes.with_head(**_again(namesake, phone="", id_no=own)))


def _twins(homes: _Homes) -> Iterator[Double]:
    """Yield two brothers born on one day, and one of them once more where he works, without papers."""
    elder = {
        "name": "岑建平",
        "sex": "1",
        "birth_date": TWINS_BORN,
        "id_no": number_of(TWINS_BORN, "1", 30),
    }
    whole = homes.with_head(**elder)
    head = next(m for m in whole.members if m["relation"] == HEAD)
    younger = {**head, "id": f"{head['id'][:-1]}{'2' if head['id'][-1] != '2' else '3'}",
               "name": "岑建安", "relation": BROTHER, "id_no": number_of(TWINS_BORN, "1", 31)}  # fmt: skip
    younger.pop("phone", None)
    yield Double(replace(whole, members=(*whole.members, younger)))
    yield Double(homes.with_head(**{**elder, "name": "岑建安", **NO_NUMBER}))


class _Unused:
    """Gives each person out once."""

    def __init__(self, people: Iterable[Person]) -> None:
        self.people = [p for p in people if p.values.get("id_no") and 2 <= len(p.name) <= 3
                       and p.values.get("birth_date")]  # fmt: skip

    def who(self, suits: Any) -> Person:
        """Return and use up the first who suits; whose lists are approved come first."""
        found = next(p for p in sorted(self.people, key=lambda p: not p.approved) if suits(p))
        self.people.remove(found)
        return found

    def with_character(self, other: Mapping[str, str]) -> Person:
        """Return somebody in whose given name is one of these characters."""
        return self.who(lambda p: any(c in other for c in p.name[1:]))


def _again(person: Person, **differing: Any) -> dict[str, Any]:
    kept = {
        name: person.values.get(name) for name in ("name", "sex", "birth_date", "id_no", "phone")
    }
    return {name: value or None for name, value in {**kept, **differing}.items()}


def _written(name: str, other: Mapping[str, str]) -> str:
    at = next(i for i, c in enumerate(name) if i and c in other)
    return name[:at] + other[name[at]] + name[at + 1 :]


def number_of(born: str, sex: str, serial: int) -> str:
    """Return a good ID number of an unassigned county."""
    first = f"522399{born.replace('-', '')}{serial:02}{1 if sex == '1' else 2}"
    return first + resident_id.check_character(first)


def _lunar(born: str) -> str:
    return (dt.date.fromisoformat(born) - dt.timedelta(days=33)).isoformat()


def _swapped(born: str) -> str | None:
    """Return a birth date with month and day changed about, None where that is no date."""
    year, month, day = born.split("-")
    return f"{year}-{day}-{month}" if day <= "12" else None
