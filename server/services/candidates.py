"""Finds the registrations of a county that may be one person, while they are being written.

What a member is compared by is computed once, when he is written, and kept with the keys by which
he is found (`refresh`). One look-up by all keys of a push finds whom its members may be as well; the
trained model weighs each pair and the gate says what a machine may do with it (`candidates_for`).
The register as a whole is compared by the same levels, model and gate (`chushan link`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine

from server.linkage.gate import ALIKE, SOUNDS, may_ask, may_link, may_matter
from server.linkage.keys import blocking_keys
from server.linkage.levels import Side, head_of, side_of
from server.linkage.score import (
    AUTOMATIC,
    CANDIDATE,
    Model,
    Scored,
    model_from_json,
    scored,
    shipped_model,
)
from server.storage import match_keys as storage
from server.storage.engine import writing


@dataclass(frozen=True, slots=True)
class Comparison:
    """One line of the comparison of two registrations: how it turned out and what it weighs, log2."""

    comparison: str
    level: str
    weight: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """Two registrations that may be one person, the lower id on the left.

    `reasons`: codes of what they have in common. `certain`: through the gate, so that a machine may
    link them.
    """

    left: str
    right: str
    reasons: tuple[str, ...]
    breakdown: tuple[Comparison, ...]
    certain: bool

    @property
    def score(self) -> float:
        """Return the sum of the weights."""
        return round(sum(line.weight for line in self.breakdown), 2)


# Kept with the members ----------------------------------------------------------------------------


def refresh(
    conn: Connection, county: str, households: Collection[str], members: Collection[str] | None
) -> dict[str, Side]:
    """Compute anew what members of these households are compared by; return what it changed.

    That is `members`, which were written, void ones among them; and the others of whom nothing is
    kept, or whose head has another name now. None for all of these households.
    """
    kept = storage.kept_features(conn, county, households, members or ())
    present = set()
    changed: dict[str, Side] = {}
    rows: dict[str, tuple[str, str, Sequence[str]]] = {}
    for row in storage.people_of_households(conn, county, households):
        present.add(row.id)
        known = kept.get(row.id)
        is_written = members is None or row.id in members
        if known and not is_written and _head_in(known) == head_of(row.head_name):
            continue
        side = side_of(row.id, dict(row._mapping), row.head_name)
        text = packed(side[1:])
        if known != text:
            changed[row.id] = side
            rows[row.id] = (row.household_id, text, blocking_keys(side))
    gone = kept.keys() - (present - changed.keys())
    former = {one: blocking_keys(_unpacked(one, kept[one])) for one in gone}
    storage.drop_features(conn, county, former)
    storage.put_features(conn, county, rows)
    return changed


def compute_anew(engine: Engine, county: str) -> int:
    """Compute what a county's members are compared by, where it is not there or not as it should be.

    Returns how many members that were. Phones go on pushing between its transactions.
    """
    count, last = 0, ""
    while True:
        with writing(engine) as conn:
            homes = storage.household_ids_after(conn, county, last, _AT_ONCE)
            if not homes:
                return count
            count += len(refresh(conn, county, homes, None))
            last = homes[-1]


_AT_ONCE = 200
"""Households in one transaction: phones that push wait no longer than for these."""

packed = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""Return features as they are stored."""


_HEAD = Side._fields.index("head") - 1


def _head_in(kept: str) -> str | None:
    head: str | None = json.loads(kept)[_HEAD]
    return head


def _unpacked(member_id: str, kept: str) -> Side:
    return Side(member_id, *json.loads(kept))


def sides_of(conn: Connection, county: str, member_ids: Collection[str]) -> dict[str, Side]:
    """Return what present members are compared by."""
    found = storage.features_by_id(conn, county, member_ids)
    return {one: _unpacked(one, text) for one, text in found.items()}


# The model ----------------------------------------------------------------------------------------

_models: WeakKeyDictionary[Engine, dict[str, tuple[int, Model]]] = WeakKeyDictionary()


def model_of(conn: Connection, county: str) -> Model:
    """Return the model that `chushan link` has learnt of a county, or the one that is shipped."""
    made_at = storage.model_made_at(conn, county)
    if made_at is None:
        return shipped_model()
    known = _models.setdefault(conn.engine, {})
    if known.get(county, (None,))[0] != made_at:
        known[county] = made_at, model_from_json(storage.stored_model(conn, county))
    return known[county][1]


# Finding ------------------------------------------------------------------------------------------


def candidates_for(conn: Connection, county: str, own: Mapping[str, Side]) -> list[Candidate]:
    """Return the pairs that members make with each other and with all others of the county.

    `own` is what they are compared by, as `refresh` has stored it.
    """
    keys = {one: blocking_keys(side) for one, side in own.items()}
    sharing = storage.sharing(conn, county, {key for mine in keys.values() for key in mine})
    pairs = {
        (one, other) if one < other else (other, one)
        for one, mine in keys.items()
        for key in mine
        for other in sharing.get(key, ())
        if other != one
    }
    if not pairs:
        return []
    others = {one for pair in pairs for one in pair} - own.keys()
    sides = {**own, **sides_of(conn, county, others)}
    model = model_of(conn, county)
    found = []
    for left, right in sorted(pairs):
        if left in sides and right in sides and may_matter(sides[left], sides[right]):
            candidate = _candidate(conn, county, model, sides[left], sides[right])
            if candidate is not None:
                found.append(candidate)
    return found


MOST_PROPOSED = 5
"""Of somebody who looks like many, so many are put to a person: who meets 80 of one name and birthday
meets a mistake of the register, and a push must not wait for all of them."""


def strongest(found: Sequence[Candidate], member_ids: Collection[str]) -> list[Candidate]:
    """Return the pairs that are among the strongest of one of these members."""
    of_member: dict[str, list[Candidate]] = {}
    for pair in found:
        for one in {pair.left, pair.right} & {*member_ids}:
            of_member.setdefault(one, []).append(pair)
    kept = {
        (pair.left, pair.right)
        for pairs in of_member.values()
        for pair in sorted(pairs, key=lambda p: (-p.score, p.left, p.right))[:MOST_PROPOSED]
    }
    return [pair for pair in found if (pair.left, pair.right) in kept]


def compared(conn: Connection, county: str, pair: tuple[str, str]) -> Candidate | None:
    """Return the candidate that two registrations make as they stand, None when they make none."""
    sides = sides_of(conn, county, pair)
    if len(sides) < len(set(pair)):
        return None
    return _candidate(conn, county, model_of(conn, county), *(sides[one] for one in sorted(pair)))


def _candidate(
    conn: Connection, county: str, model: Model, left: Side, right: Side
) -> Candidate | None:
    found = scored(model, left, right)
    certain = (
        found.weight >= AUTOMATIC
        and may_link(found.levels)
        and not (
            found.levels["name"] not in SOUNDS
            and (_has_twin(conn, county, left) or _has_twin(conn, county, right))
        )
    )
    if not certain and (found.weight < CANDIDATE or not may_ask(found.levels)):
        return None
    return candidate_of(left, right, found, certain=certain)


def candidate_of(left: Side, right: Side, found: Scored, *, certain: bool = False) -> Candidate:
    """Return a pair with what was compared, as a person reads it."""
    lines = tuple(Comparison(name, level, round(weight, 2)) for name, level, weight in found.lines)
    return Candidate(left.record_id, right.record_id, _reasons(found.levels), lines, certain)


def _has_twin(conn: Connection, county: str, side: Side) -> bool:
    """Tell whether somebody on the same list was born on the same day: his number may be this one's."""
    if side.household_id is None or side.birth_day is None:
        return False
    family = storage.kept_features(conn, county, [side.household_id], [])
    sides = (_unpacked(one, text) for one, text in family.items())
    return any(
        other.record_id != side.record_id
        and (other.birth_day, other.sex) == (side.birth_day, side.sex)
        for other in sides
    )


NUMBER, TWO_NAMES, NEAR_NUMBER, NAME_AND_BIRTH, NAME, PHONE, ALIKE_ONLY = REASONS = (
    "number",
    "one_number_two_names",
    "near_number",
    "name_and_birth",
    "name",
    "phone",
    "alike",
)
"""What a pair has in common, as the queue is filtered by it."""


def _reasons(levels: Mapping[str, Any]) -> tuple[str, ...]:
    number, name, birth = levels["id_no"], levels["name"], levels["birth_date"]
    found = []
    if number == "equal":
        found += [NUMBER] if name in ALIKE or name is None else [NUMBER, TWO_NAMES]
    elif number in ("one_digit", "two_digits"):
        found.append(NEAR_NUMBER)
    if name in SOUNDS:
        found.append(NAME_AND_BIRTH if birth == "equal" else NAME)
    if levels["phone"] == "equal":
        found.append(PHONE)
    return tuple(found) or (ALIKE_ONLY,)


def differing(a: str, b: str) -> Sequence[bool]:
    """Return for each character of `a` whether `b` has another one, or none, in its place.

    Characters are laid side by side from both ends, so that one that was left out marks itself and
    not all that follow.
    """
    if len(a) == len(b):
        return [x != y for x, y in zip(a, b, strict=True)]
    head = 0
    while head < min(len(a), len(b)) and a[head] == b[head]:
        head += 1
    tail = 0
    while tail < min(len(a), len(b)) - head and a[-1 - tail] == b[-1 - tail]:
        tail += 1
    return [head <= i < len(a) - tail for i in range(len(a))]
