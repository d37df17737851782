"""Finds households that may be listed twice, and says by which list a household is counted.

A list is a `household` record with its members. A machine never joins two lists, it finds them; a
person decides (`join_households`). Which list counts (`review.same_as`) is derived anew from the
decisions in force whenever one changes.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row
from sqlalchemy.exc import OperationalError

from server.linkage.households import (
    HEAD,
    Facts,
    Match,
    is_lodger,
    reasons,
    role_of,
    shared_of,
)
from server.linkage.score import AUTOMATIC
from server.observe import log
from server.storage import households_twice as storage
from server.storage.engine import writing
from server.storage.feed import allocate
from server.storage.households_twice import TWO
from server.storage.match_keys import household_ids_after
from server.storage.persons import OPEN, UNSURE, ordered
from server.storage.records import households_with

MOST_SHARING = 5
"""A register number on more lists than this is a placeholder or a mistake, and finds nobody."""

GONE = frozenset({"2", "4", "5"})
"""Changes of a member (`member_change`) after which he is on a list no more: died, married out, moved."""

Pair = tuple[str, str]


# Finding ------------------------------------------------------------------------------------------


def households_written(
    conn: Connection, county: str, household_ids: Collection[str], *, now_ms: int
) -> None:
    """Do what follows from a write: see anew which list counts, and which may be listed twice.

    Call it after `persons.members_written`, which takes the county's numbers.
    """
    count_anew(conn, county, household_ids, now_ms=now_ms)
    try:
        with conn.begin_nested():
            find(conn, county, household_ids, now_ms=now_ms)
    except OperationalError:
        raise  # the database is busy or full: all of the push is to be sent again
    except Exception as error:
        # What was captured is stored whatever becomes of the search; `chushan link` finds it later.
        log.error("household_matching_failed", county=county, error=type(error).__name__)


def persons_decided(
    conn: Connection, county: str, member_ids: Collection[str], *, now_ms: int
) -> None:
    """Look again at the households of members of whom it was just said who they are."""
    homes = storage.households_of_members(conn, county, member_ids)
    find(conn, county, homes, now_ms=now_ms)


def find_all(engine: Engine, county: str, *, now_ms: int) -> int:
    """Look at all households of a county; return how many pairs are new.

    Phones go on pushing between its transactions.
    """
    count, last = 0, ""
    while True:
        with writing(engine) as conn:
            homes = household_ids_after(conn, county, last, _AT_ONCE)
            if not homes:
                return count
            count += find(conn, county, homes, now_ms=now_ms)
            last = homes[-1]


_AT_ONCE = 200
"""Households in one transaction: phones that push wait no longer than for these."""


def find(conn: Connection, county: str, household_ids: Collection[str], *, now_ms: int) -> int:
    """Propose the pairs of lists that these households make, drop those for which nothing speaks now.

    What a person decided stays decided: two households are asked about again only when something
    speaks for one that did not when it was decided. Returns how many pairs are new.
    """
    known = storage.pairs_of(conn, county, household_ids)
    facts = facts_of(conn, county, household_ids)
    rows, dropped, new = [], [], 0
    for pair in sorted(facts.keys() | known.keys()):
        before = known.get(pair)
        together = facts.get(pair, Facts())
        why = reasons(together)
        if before is None:
            if why:
                new += 1
                rows.append(_row(county, pair, together, now_ms=now_ms))
        elif not why:
            if before.state == OPEN:
                dropped.append(pair)
        elif before.state in (OPEN, UNSURE):
            rows.append({**before._mapping, **_found(together)})
        elif before.state == TWO and not spoken(together) <= set(before.facts):
            rows.append(_row(county, pair, together, now_ms=now_ms))
    storage.forget_pairs(conn, county, dropped)
    storage.put_pairs(conn, rows)
    return new


def _row(county: str, pair: Pair, facts: Facts, *, now_ms: int) -> dict[str, Any]:
    return {
        "county": county,
        "left_id": pair[0],
        "right_id": pair[1],
        **_found(facts),
        "state": OPEN,
        "stays": None,
        "undo": None,
        "proposed_at_ms": now_ms,
        "decided_by": None,
        "decided_at_ms": None,
        "note": None,
    }


def _found(facts: Facts) -> dict[str, Any]:
    return {
        "shared": len(facts.shared),
        "reasons": list(reasons(facts)),
        "facts": sorted(spoken(facts)),
    }


def spoken(facts: Facts) -> set[str]:
    """Return what speaks for two lists being one household, as texts that can be compared later."""
    said = {f"{s.left}+{s.right}" for s in facts.shared}
    said |= {"registry_no"} if facts.same_registry_no else set()
    return said | ({"head"} if facts.same_head else set())


def facts_of(conn: Connection, county: str, household_ids: Collection[str]) -> dict[Pair, Facts]:
    """Return what is known of the pairs of lists that these households make, the lower id first."""
    if not household_ids:
        return {}
    matches = matches_of(conn, county, household_ids, least=AUTOMATIC)
    own = storage.lists_of(conn, county, household_ids)
    numbers = {row.registry_no for row in own.values() if row.registry_no}
    sharing: dict[str, set[str]] = {}
    for number, home, _ in households_with(conn, county, "household", "registry_no", numbers):
        sharing.setdefault(number, set()).add(home)
    one_number = {
        ordered(home, other)
        for homes in sharing.values() if len(homes) <= MOST_SHARING
        for home in homes & own.keys()
        for other in homes - {home}
    }  # fmt: skip
    wanted = matches.keys() | one_number
    around = {home for pair in wanted for home in pair}
    lists = storage.lists_of(conn, county, around)
    members = storage.members_on_lists(conn, county, around)
    relation_of = {m.id: m.relation for m in members}
    gone = {m.id for m in members if m.member_change in GONE}
    sizes = Counter(m.household_id for m in members)
    headed = {m.household_id for m in members if role_of(m.relation) == HEAD}
    return {
        pair: Facts(
            shared_of(matches.get(pair, ()), relation_of, gone),
            same_registry_no=pair in one_number,
            have_heads=set(pair) <= headed,
            is_branch=_is_branch(*(lists[home] for home in pair)),
            is_lodger=is_lodger(*((lists[home].village_code, sizes[home]) for home in pair)),
        )
        for pair in wanted
        if set(pair) <= lists.keys()
    }


def _is_branch(left: Row[Any], right: Row[Any]) -> bool:
    if left.id == right.split_from or right.id == left.split_from:
        return True
    return any(one.is_split and not one.split_from for one in (left, right))


def matches_of(
    conn: Connection, county: str, household_ids: Collection[str], *, least: float
) -> dict[Pair, list[Match]]:
    """Return who may be whom between these households and others, by their pair."""
    found: dict[Pair, list[Match]] = {}
    seen = set()
    certain = [(*row, None) for row in storage.members_in_two(conn, county, household_ids)]
    likely = storage.proposed_members(conn, county, household_ids, least=least)
    for home, one, other_home, other, score in (*certain, *likely):
        pair = ordered(home, other_home)
        left, right = (one, other) if pair == (home, other_home) else (other, one)
        if (left, right) not in seen:
            seen.add((left, right))
            found.setdefault(pair, []).append(Match(left, right, score is None, score or 0.0))
    return found


# Counting -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Joined:
    """Two lists that a person called one household, and the one that stays."""

    left: str
    right: str
    stays: str


def counted_with(decisions: Sequence[Joined], present: Collection[str]) -> dict[str, str | None]:
    """Return for each list of some decisions the list that it is counted with, None for itself.

    Of a chain (three lists of one household) the list stays that the decisions lead to; where that
    one is void, another that is `present` takes its place. Void lists are counted with none.
    """
    stays_of: dict[str, str] = {}
    together: dict[str, set[str]] = {}
    for said in decisions:
        for one in (said.left, said.right):
            stays_of.setdefault(one, one)
            together.setdefault(one, {one})
        root = stays_of[said.stays]
        group = together[stays_of[said.left]] | together[stays_of[said.right]]
        together[root] = group
        stays_of |= dict.fromkeys(group, root)
    found: dict[str, str | None] = {}
    for one, said_root in stays_of.items():
        there = together[said_root] & set(present)
        root = said_root if said_root in there else min(there, default=one)
        found[one] = root if one in there and one != root else None
    return found


def count_anew(
    conn: Connection, county: str, household_ids: Collection[str], *, now_ms: int
) -> None:
    """Write by which list each household of these chains is counted, and let the phones know.

    Depends on nothing but the decisions in force and whether the lists are void.
    """
    together = set(household_ids)
    while True:
        rows = storage.joined(conn, county, together)
        grown = together | {one for row in rows for one in (row.left_id, row.right_id)}
        if grown == together:
            break
        together = grown
    standing = storage.standing(conn, county, together)
    present = {one for one, (state, _) in standing.items() if state != "void"}
    wanted = counted_with([Joined(r.left_id, r.right_id, r.stays) for r in rows], present)
    changed = [
        (one, wanted.get(one))
        for one, (_, same_as) in sorted(standing.items())
        if wanted.get(one) != same_as
    ]
    if not changed:
        return
    first = allocate(conn, county, len(changed), at_ms=now_ms, tag=secrets.token_hex(4))
    storage.put_same_as(
        conn, county, [(one, other, first + i) for i, (one, other) in enumerate(changed)]
    )
