"""Finds doubles in a county's whole register by the batch model, and proposes them to its people.

What arrives is matched at once by a few keys (`candidates`); this finds what these miss: dialect
spellings, lunar dates, numbers with a wrong digit. It only proposes; a person of the county decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Engine

from server.linkage.batch import Pair
from server.services.candidates import Candidate, compare, records_of
from server.services.persons import propose
from server.storage.engine import reading, writing
from server.storage.persons import counties_with_members as _counties
from server.storage.persons import people_of_county

LINKAGE = "linkage"
"""Why a pair is proposed: the model found it."""

_AT_ONCE = 200
"""Pairs in one transaction: phones that push wait no longer than for these."""


def counties_with_members(engine: Engine) -> list[str]:
    """Return the counties of which members are stored."""
    with reading(engine) as conn:
        return _counties(conn)


def persons_of(engine: Engine, county: str) -> Iterator[dict[str, Any]]:
    """Yield the present members of a county with the columns of `linkage.rows.INPUT`."""
    with reading(engine) as conn:
        for row in people_of_county(conn, county):
            yield dict(row._mapping)


def propose_found(engine: Engine, county: str, pairs: Sequence[Pair], *, now_ms: int) -> int:
    """Propose pairs that nobody has seen yet; return how many these are."""
    count = 0
    rest = iter(pairs)
    while some := list(islice(rest, _AT_ONCE)):
        with writing(engine) as conn:
            people = records_of(conn, county, {one for p in some for one in (p.left, p.right)})
            found = [
                Candidate(pair.left, pair.right, (LINKAGE,),
                          compare(people[pair.left], people[pair.right]), certain=False)
                for pair in some
                if pair.left in people and pair.right in people
            ]  # fmt: skip
            count += propose(conn, county, found, now_ms=now_ms, only_new=True)
    return count
