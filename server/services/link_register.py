"""Finds doubles in a county's whole register by the batch model, and proposes them to its people.

What arrives is matched at once (`candidates`), by a model that was learnt before; this learns from the
register as it stands, and finds what was stored before. It only proposes; a person of the county
decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Engine

from server.linkage.batch import Pair
from server.linkage.score import Model, scored
from server.services.candidates import candidate_of, model_of, sides_of
from server.services.persons import propose
from server.storage.engine import reading, writing
from server.storage.match_keys import put_model
from server.storage.persons import counties_with_members as _counties
from server.storage.persons import people_of_county

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


def keep_model(engine: Engine, county: str, model: Model, *, now_ms: int) -> None:
    """Let what was learnt of a county weigh the pairs of those who arrive from now on."""
    with writing(engine) as conn:
        put_model(conn, county, model.to_json(), now_ms=now_ms)


def propose_found(engine: Engine, county: str, pairs: Sequence[Pair], *, now_ms: int) -> int:
    """Propose pairs that nobody has seen yet; return how many these are."""
    count = 0
    rest = iter(pairs)
    while some := list(islice(rest, _AT_ONCE)):
        with writing(engine) as conn:
            sides = sides_of(conn, county, {one for p in some for one in (p.left, p.right)})
            model = model_of(conn, county)
            found = []
            for pair in some:
                if pair.left in sides and pair.right in sides:
                    left, right = sides[pair.left], sides[pair.right]
                    found.append(candidate_of(left, right, scored(model, left, right)))
            count += propose(conn, county, found, now_ms=now_ms, only_new=True)
    return count
