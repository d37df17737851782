"""The golden record of a person: what is believed of him, field by field, and from where.

A person is a set of registrations (`member` records) that links hold together. Nothing is copied
between them: the golden record is derived each time from the registrations as they stand, so an edit
to any of them shows, and taking a link away leaves nothing behind. Who is believed about a field is
declared with the field (`Info.authority`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from shared_schemas.fields import Authority, Declared, Facts, Value
from shared_schemas.ids import household_id as id_from_bits
from shared_schemas.records import record_kind

_OWN = frozenset({"household_id", "relation", "deleted"})
"""Fields that are about a registration and its household, not about the person."""


@dataclass(frozen=True, slots=True)
class Registration:
    """One member record of a person. `confirmed_on` is the day of the latest visit or intention."""

    id: str
    household_id: str
    values: Mapping[str, Value]
    village_code: str = ""
    approved: bool = False
    confirmed_on: str = ""

    @property
    def is_home(self) -> bool:
        """Whether the person's registered residence is where he was registered."""
        return bool(self.village_code) and self.values.get("hukou_village") == self.village_code


class Why(StrEnum):
    """Why a value is the one that is believed."""

    AGREE = "agree"
    ONLY = "only"
    HOME = "home"
    NEWEST = "newest"
    UNION = "union"
    CHOSEN = "chosen"


@dataclass(frozen=True, slots=True)
class Golden:
    """A believed value. `source` is the registration it comes from; a union comes from all."""

    name: str
    value: Value
    source: str
    why: Why


def by_home(registration: Registration) -> tuple[object, ...]:
    """Return the rank of a registration as the person's home, the greater the better."""
    return (
        registration.approved,
        registration.is_home,
        registration.values.get("lives_here") is True,
        registration.confirmed_on,
        registration.id,
    )


def by_date(registration: Registration) -> tuple[object, ...]:
    """Return the rank of a registration by how lately it was confirmed."""
    return registration.confirmed_on, registration.approved, registration.id


def golden_record(
    registrations: Sequence[Registration], chosen: Mapping[str, str] | None = None
) -> dict[str, Golden]:
    """Return what is believed of a person, by field in form order.

    Left out is what nobody answered, and what is not asked of one who is as believed.

    `chosen` names, by field, the registration that a person of the county decided for. A choice of
    one that is not there, or has no answer there, does not count.
    """
    believed = {}
    for name, declared in person_fields().items():
        answered = [r for r in registrations if r.values.get(name) not in (None, "", [])]
        if answered:
            believed[name] = _settle(name, declared, answered, (chosen or {}).get(name))
    return _consistent(believed, registrations)


def _consistent(
    believed: Mapping[str, Golden], registrations: Sequence[Registration]
) -> dict[str, Golden]:
    """Leave out what is not asked of somebody like the person believed in.

    Of two registrations one may say that he works and where, the other, later, that he does not:
    then there is no employer. Nor is there a reason for having no number beside a number.
    """
    day = max((r.confirmed_on for r in registrations), default="") or None
    # Who has left one household lives on in another.
    whole = Facts({n: g.value for n, g in believed.items() if n != "member_change"}, today=day)
    own = {r.id: Facts(r.values, today=day) for r in registrations}

    def applies(name: str, entry: Golden) -> bool:
        asked = person_fields()[name].info.asked
        return asked is None or asked(whole) or not asked(own[entry.source])

    return {name: entry for name, entry in believed.items() if applies(name, entry)}


def person_fields() -> Mapping[str, Declared]:
    """Return the fields of a member that are about the person himself, in form order."""
    return {n: f for n, f in record_kind("member").fields.items() if n not in _OWN}


def _settle(
    name: str, declared: Declared, answered: Sequence[Registration], chosen: str | None
) -> Golden:
    picked = next((r for r in answered if r.id == chosen), None)
    if picked is not None:
        return Golden(name, picked.values[name], picked.id, Why.CHOSEN)
    authority = declared.info.authority
    newest = max(answered, key=by_date)
    best = newest if authority is not Authority.HOME else max(answered, key=by_home)
    if len(answered) == 1:
        return Golden(name, best.values[name], best.id, Why.ONLY)
    if all(r.values[name] == best.values[name] for r in answered):
        return Golden(name, best.values[name], best.id, Why.AGREE)
    if authority is Authority.UNION:
        return Golden(name, _union(answered, name), best.id, Why.UNION)
    why = Why.HOME if authority is Authority.HOME else Why.NEWEST
    return Golden(name, best.values[name], best.id, why)


def _union(answered: Iterable[Registration], name: str) -> Value:
    """Return every entry once, the newest registration's first; a certificate counts by its number."""
    entries: dict[object, Value] = {}
    for registration in sorted(answered, key=by_date, reverse=True):
        value = registration.values[name]
        for entry in value if isinstance(value, list) else [value]:
            certificate = entry.get("cert_no") if isinstance(entry, dict) else None
            entries.setdefault(certificate or repr(entry), entry)
    return list(entries.values())


@dataclass(frozen=True, slots=True)
class Clash:
    """Why registrations must not silently become one person, and which two of them."""

    code: str
    """`two_id_numbers` or `one_household`."""
    left: str
    right: str


def clashes(registrations: Iterable[Registration]) -> list[Clash]:
    """Return what speaks against these registrations being one person (matching.md, the gate).

    Two valid ID numbers that differ are two people, for a slip of the pen breaks the checksum; so
    are two lines of one household's list.
    """
    found = []
    numbers: dict[str, str] = {}
    homes: dict[str, str] = {}
    for registration in sorted(registrations, key=lambda r: r.id):
        number = registration.values.get("id_no")
        if isinstance(number, str) and person_fields()["id_no"].verdict(number) is None:
            for other, owner in numbers.items():
                if other != number:
                    found.append(Clash("two_id_numbers", owner, registration.id))
            numbers.setdefault(number, registration.id)
        home = registration.household_id
        if home in homes:
            found.append(Clash("one_household", homes[home], registration.id))
        homes.setdefault(home, registration.id)
    return found


def persons(links: Iterable[tuple[str, str]]) -> list[frozenset[str]]:
    """Return the persons of two or more registrations that links make."""
    root: dict[str, str] = {}

    def top(one: str) -> str:
        while root.setdefault(one, one) != one:
            one = root[one]
        return one

    for left, right in links:
        root[top(left)] = top(right)
    sets: dict[str, set[str]] = {}
    for one in list(root):
        sets.setdefault(top(one), set()).add(one)
    return [frozenset(members) for members in sets.values()]


def person_id(members: Collection[str]) -> str:
    """Return the id of the person that these registrations are: the same set, the same id.

    It tells nothing of the registrations: a phone may see it without seeing all of them.
    """
    digest = hashlib.blake2b(" ".join(sorted(members)).encode(), digest_size=8).digest()
    return id_from_bits(int.from_bytes(digest, "big"))
