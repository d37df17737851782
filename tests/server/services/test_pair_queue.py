"""The queue of pairs: its order, its filters, the way from one to the next, and taking back."""

from __future__ import annotations

from typing import Any

import pytest
from builders import NOW_MS, OTHER_TOWNSHIP_VILLAGE, VILLAGE, WANGMO, a_user
from sqlalchemy import Engine, insert

from server.services.persons import Decision, decide_pair, take_back
from server.storage import persons as storage
from server.storage.accounts import User
from server.storage.engine import reading, writing
from server.storage.persons import Wanted
from server.storage.tables import candidate_pair, record_tables, review
from shared_schemas import ids
from shared_schemas.errors import ChushanError

Pair = tuple[str, str]


@pytest.fixture
def reviewer(engine: Engine) -> User:
    with writing(engine) as conn:
        return a_user(conn, role="county", scope=WANGMO)


def many(
    engine: Engine, scores: list[float], *, approved: frozenset[int] = frozenset()
) -> list[Pair]:
    """Store pairs of people with these scores, as a register would hold them; return them in order."""
    member = record_tables()["member"]
    people, pairs, reviews = [], [], []
    for n, score in enumerate(scores):
        own = sorted(ids.household_id(1000 + 2 * n + i) for i in (0, 1))
        for i, one in enumerate(own):
            village = (VILLAGE, OTHER_TOWNSHIP_VILLAGE)[(n + i) % 2]
            people.append({"county": WANGMO, "id": one, "seq": n, "stamps": {},
                           "household_id": one, "village_code": village, "name": "岑小山"})  # fmt: skip
            reviews.append({"county": WANGMO, "household_id": one, "seq": n, "village_code": village,
                            "state": "in_review", "hits": [], "comments": [], "bundle_seq": n,
                            "approved_at_ms": 1 if n in approved else None})  # fmt: skip
        pairs.append({"county": WANGMO, "left_id": own[0], "right_id": own[1], "score": score,
                      "breakdown": [], "reasons": [("name", "name_and_birth")[n % 2]],
                      "state": "open", "proposed_at_ms": 0})  # fmt: skip
    with writing(engine) as conn:
        conn.execute(insert(member), people)
        conn.execute(insert(review), reviews)
        conn.execute(insert(candidate_pair), pairs)
    return [(row["left_id"], row["right_id"]) for row in pairs]


def walk(engine: Engine, wanted: Wanted, start: Pair, steps: int) -> list[Pair]:
    found, here = [start], start
    with reading(engine) as conn:
        for _ in range(steps):
            _, after = storage.neighbours(conn, wanted, here)
            assert after is not None
            found.append(after)
            here = after
    return found


def test_who_is_counted_twice_comes_first_then_the_likeliest(engine: Engine) -> None:
    pairs = many(engine, [3.0, 9.0, 5.0, 9.0, 2.0], approved=frozenset({0, 2}))
    wanted = Wanted(WANGMO, WANGMO)
    expected = [pairs[2], pairs[0], *sorted((pairs[1], pairs[3]), reverse=True), pairs[4]]
    with reading(engine) as conn:
        rows = storage.pairs(conn, wanted, limit=10)
        assert [(r.left_id, r.right_id) for r in rows] == expected
        assert storage.pairs(conn, wanted, limit=1, offset=4)[0].score == 2.0
        assert storage.neighbours(conn, wanted, expected[0])[0] is None
        assert storage.neighbours(conn, wanted, expected[3])[0] == expected[2]
    assert walk(engine, wanted, expected[0], 5) == [*expected, expected[0]]


def test_a_queue_is_narrowed_by_reason_place_and_strength(engine: Engine) -> None:
    many(engine, [3.0, 9.0, 5.0, 9.0])

    def scores(**asked: str) -> list[float]:
        with reading(engine) as conn:
            wanted = Wanted(WANGMO, WANGMO, **asked)
            rows = storage.pairs(conn, wanted, limit=10)
            assert storage.count_pairs(conn, wanted) == len(rows)
        return [row.score for row in rows]

    assert scores(reason="name") == [5.0, 3.0]
    assert scores(reason="name_and_birth") == [9.0, 9.0]
    assert scores(strength="strong") == [9.0, 9.0]
    assert scores(strength="middle") == [5.0]
    assert scores(strength="weak", reason="name") == [3.0]
    assert len(scores(place=VILLAGE[:9])) == 4
    assert scores(place="522326110") == []


def test_a_pair_that_left_the_queue_still_leads_to_the_next(engine: Engine, reviewer: User) -> None:
    pairs = many(engine, [9.0, 7.0, 5.0])
    with writing(engine) as conn:
        decide_pair(conn, WANGMO, pairs[1], Decision("not_same"), user=reviewer,
                    now_ms=NOW_MS, new_id=lambda: ids.household_id(1))  # fmt: skip
        found = storage.neighbours(conn, Wanted(WANGMO, WANGMO), pairs[1])
    assert found == (pairs[0], pairs[2])


def test_the_way_through_a_long_queue_is_its_order(engine: Engine) -> None:
    many(engine, [1 + n % 17 / 7 for n in range(90)], approved=frozenset(range(0, 90, 9)))
    wanted = Wanted(WANGMO, WANGMO)
    with reading(engine) as conn:
        order = [(r.left_id, r.right_id) for r in storage.pairs(conn, wanted, limit=100)]
    assert len({*order}) == 90
    assert walk(engine, wanted, order[0], 89) == order


def test_what_was_decided_can_be_taken_back(engine: Engine, reviewer: User) -> None:
    [pair] = many(engine, [5.0])
    given: dict[str, Any] = {"user": reviewer, "now_ms": NOW_MS}
    numbers = iter(range(2, 99))

    def new_id() -> str:
        return ids.household_id(next(numbers))

    def state() -> tuple[Any, ...]:
        with reading(engine) as conn:
            row = storage.pair_within(conn, WANGMO, WANGMO, pair)
        assert row is not None
        return row.state, row.note, row.decided_by

    def decide(what: str, note: str = "") -> None:
        with writing(engine) as conn:
            decide_pair(conn, WANGMO, pair, Decision(what, note), new_id=new_id, **given)
        given["now_ms"] += 1000

    def back() -> None:
        with writing(engine) as conn:
            take_back(conn, WANGMO, pair, new_id=new_id, **given)
        given["now_ms"] += 1000

    with pytest.raises(ChushanError):
        back()
    decide("not_same", "两兄弟")
    back()
    assert state() == ("open", None, None)
    decide("unsure", "等电话")
    decide("merged")
    back()
    assert state() == ("unsure", "等电话", reviewer.id)  # as it stood before the merge
    decide("merged")
    back()
    assert state() == ("unsure", "等电话", reviewer.id)
    back()
    assert state() == ("open", None, None)
    decide("merged")
    back()
    assert state() == ("open", None, None)


def test_what_was_decided_is_shown_newest_first(engine: Engine, reviewer: User) -> None:
    pairs = many(engine, [9.0, 7.0, 5.0])
    numbers = iter(range(1, 9))
    for n in (2, 0, 1):
        with writing(engine) as conn:
            decide_pair(conn, WANGMO, pairs[n], Decision("not_same"), user=reviewer,
                        now_ms=NOW_MS + 1000 * next(numbers),
                        new_id=lambda: ids.household_id(next(numbers)))  # fmt: skip
    wanted = Wanted(WANGMO, WANGMO, "not_same")
    with reading(engine) as conn:
        order = [(r.left_id, r.right_id) for r in storage.pairs(conn, wanted, limit=9)]
    assert order == [pairs[1], pairs[0], pairs[2]]
    assert walk(engine, wanted, order[0], 2) == order
