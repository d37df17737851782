"""Whatever was done while lists were one household: with all taken apart, they never were.

Two counties with the same three lists of one family live through the same visits and approvals. In
one of them lists are joined and taken apart in between; at the end nobody can tell the two apart.
While joined, a household counts once and nobody is listed twice.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from builders import (
    NOW_MS,
    OTHER_TOWNSHIP_VILLAGE,
    TODAY,
    VILLAGE,
    WANGMO,
    Values,
    a_child_id,
    a_consent,
    a_firm,
    a_household,
    a_household_id,
    a_member,
    a_user,
    an_intention,
    villages,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from server.services import labour, review
from server.services.apply_changes import Author, apply_changes, next_n
from server.services.join_households import Decision, decide_households, lines_of, take_apart
from server.storage import labour as lists
from server.storage import review_pages as queries
from server.storage.accounts import Firm, User
from server.storage.engine import reading, writing
from server.storage.records import records_by_id
from server.storage.tables import candidate_pair, household_pair, labourer, person_link
from server.storage.tables import review as review_table
from shared_schemas import SCHEMA_VERSION
from shared_schemas.changes import Change
from shared_schemas.errors import ChushanError

Edit = tuple[str, str, Values]
Action = tuple[Any, ...]
PAIRS = ((0, 1), (1, 2), (0, 2))


@dataclass(frozen=True)
class List:
    """A list with its edits, the household first."""

    id: str
    members: list[str]
    edits: list[Edit]


def a_list(village: str, *people: tuple[str, Values]) -> List:
    home = a_household_id()
    ids = [a_child_id(home) for _ in people]
    edits: list[Edit] = [("household", home, a_household(village, head_member_id=ids[0]))]
    for one, (relation, values) in zip(ids, people, strict=True):
        edits.append(("member", one, a_member(home, **{"relation": relation, **values})))
        edits.append(("intention", a_child_id(home), an_intention(home, one)))
        edits.append(("consent", a_child_id(home), a_consent(home, one, "survey")))
        edits.append(("consent", a_child_id(home), a_consent(home, one, "share_hr")))
    return List(home, ids, edits)


HE: Values = {"name": "岑大山", "birth_date": "1980-03-02", "sex": "1", "marital": "20"}
SHE: Values = {"name": "黄阿妹", "birth_date": "1982-07-09", "sex": "2", "marital": "20"}
NO_PAPERS: Values = {"id_no": None, "no_id_reason": "1"}
LISTS = [
    a_list(VILLAGE, ("02", HE), ("12", SHE)),
    a_list(OTHER_TOWNSHIP_VILLAGE, ("02", SHE | NO_PAPERS), ("11", HE | NO_PAPERS)),
    a_list("522326113201", ("02", SHE | NO_PAPERS), ("11", HE | NO_PAPERS)),
]


@dataclass
class County:
    """A county that does as it is told, with or without joining lists."""

    engine: Engine
    joins: bool
    reviewer: User = field(init=False)
    firm: Firm = field(init=False)
    times: Iterator[int] = field(default_factory=lambda: itertools.count(NOW_MS, 1000))

    def __post_init__(self) -> None:
        with writing(self.engine) as conn:
            villages(conn)
            self.reviewer = a_user(conn, role="county", scope=WANGMO)
            self.firm = Firm(a_firm(conn, WANGMO)[0], "测试人力", (WANGMO,))
        for each in LISTS:
            self.write(each.edits)

    def write(self, edits: Sequence[Edit]) -> None:
        now_ms = next(self.times)
        with writing(self.engine) as conn:
            first = next_n(conn, WANGMO, "phone00000001", len(edits))
            changes = []
            for n, (kind, record_id, values) in enumerate(edits, start=first):
                known = records_by_id(conn, WANGMO, kind, [record_id]).get(record_id)
                changes.append(
                    Change(n, kind, record_id, known.seq if known else 0, now_ms, values)
                )
            author = Author(WANGMO, "phone00000001", self.reviewer.id, None, WANGMO, "device")
            apply_changes(
                conn, changes, author=author, sent_ms=now_ms, received_ms=now_ms,
                schema=SCHEMA_VERSION,
            )  # fmt: skip

    def who(self) -> dict[str, Any]:
        return {"user": self.reviewer, "now_ms": next(self.times), "new_id": a_household_id}

    def do(self, action: Action) -> None:
        """Do one thing; what the county may not do now it does in neither world."""
        what, i, *more = action
        given = self.who()
        if what == "member":
            self.write([("member", LISTS[i].members[more[0]], {more[1]: more[2]})])
        elif what == "household":
            self.write([("household", LISTS[i].id, {more[0]: more[1]})])
        elif what == "approve":
            self._approve(LISTS[i], given)
        elif self.joins:
            self._say(what, *PAIRS[i], *more, given=given)

    def _approve(self, each: List, given: dict[str, Any]) -> None:
        with writing(self.engine) as conn:
            seq = conn.execute(
                select(review_table.c.bundle_seq).where(review_table.c.household_id == each.id)
            ).scalar_one()
            try:
                review.approve(conn, WANGMO, each.id, seq, **given)
            except ChushanError as refused:
                if refused.error.code != "wrong_state":
                    raise

    def _say(self, what: str, i: int, j: int, *more: int, given: dict[str, Any]) -> None:
        pair = LISTS[i].id, LISTS[j].id
        with writing(self.engine) as conn:
            try:
                if what == "apart":
                    take_apart(conn, WANGMO, pair, **given)
                else:
                    same = frozenset((s.left, s.right) for s in lines_of(conn, WANGMO, pair))
                    decision = Decision("one", pair[more[0]], same)
                    decide_households(conn, WANGMO, pair, decision, **given)
            except ChushanError as refused:  # joined already, not joined, or nobody asks
                if refused.error.code not in ("wrong_state", "not_found"):
                    raise

    def take_all_apart(self) -> None:
        for i in range(len(PAIRS)):
            self.do(("apart", i))

    def listed(self) -> list[str]:
        criteria = labour.criteria_for(labour.Filters(), self.firm, today=TODAY, now_ms=NOW_MS)
        with reading(self.engine) as conn:
            return sorted(r.member_id for r in lists.available_labourers(conn, criteria, limit=99))

    def counted(self) -> int:
        with reading(self.engine) as conn:
            return sum(p.households for p in queries.coverage(conn, WANGMO, county=WANGMO, width=9))

    def check(self) -> None:
        """A household counts once, by one list, and its people are listed once."""
        with reading(self.engine) as conn:
            joined = conn.execute(
                select(household_pair).where(household_pair.c.state == "one")
            ).all()
            said = dict(
                conn.execute(select(review_table.c.household_id, review_table.c.same_as)).all()
            )
        counting = {one: said[one] or one for one in said}
        assert all(counting[row.left_id] == counting[row.right_id] for row in joined)
        assert all(said[one] is None for one in counting.values())
        assert self.counted() == len(set(counting.values()))
        if len(set(counting.values())) == 1:
            assert len(self.listed()) <= 2

    def seen(self) -> list[Any]:
        """Return everything that anybody can see, but for times, people's ids and feed numbers."""
        hidden = {"proposed_at_ms", "seq", "decided_at_ms", "decided_by", "approved_at_ms",
                  "submitted_at_ms", "submitted_by", "bundle_seq", "score"}  # fmt: skip
        queries_of_all = (
            select(household_pair).order_by(household_pair.c.left_id, household_pair.c.right_id),
            select(candidate_pair).order_by(candidate_pair.c.left_id, candidate_pair.c.right_id),
            select(labourer).order_by(labourer.c.member_id),
            select(review_table).order_by(review_table.c.household_id),
            select(person_link.c.left_id, person_link.c.right_id)
            .where(person_link.c.withdrawn_at_ms.is_(None))
            .order_by(person_link.c.left_id, person_link.c.right_id),
        )
        with reading(self.engine) as conn:
            rows = [
                [{k: v for k, v in r._mapping.items() if k not in hidden} for r in conn.execute(q)]
                for q in queries_of_all
            ]
        return [*rows, self.listed(), self.counted()]


which, member = st.integers(0, 2), st.integers(0, 1)
actions = st.one_of(
    st.tuples(st.just("join"), which, st.integers(0, 1)),
    st.tuples(st.just("join"), which, st.integers(0, 1)),
    st.tuples(st.just("apart"), which),
    st.tuples(st.just("approve"), which),
    st.tuples(st.just("member"), which, member, st.just("education"), st.sampled_from(["40", "80"])),
    st.tuples(st.just("member"), which, member, st.just("member_change"),
              st.sampled_from(["0", "5"])),
    st.tuples(st.just("household"), which, st.just("registry_no"),
              st.sampled_from(["5223260009", None])),
    st.tuples(st.just("household"), which, st.just("address"), st.sampled_from(["上组", "下组"])),
)  # fmt: skip


def live(engine: Engine, never: Engine, story: Sequence[Action]) -> None:
    """Let both worlds live through a story and compare them at its end."""
    joining, single = County(engine, joins=True), County(never, joins=False)
    for action in story:
        joining.do(action)
        single.do(action)
        joining.check()
    joining.take_all_apart()
    assert joining.seen() == single.seen()


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(story=st.lists(actions, min_size=3, max_size=10))
def test_with_all_taken_apart_it_is_as_if_nobody_had_joined_them(
    fresh: Any, story: list[Action]
) -> None:
    live(fresh(), fresh(), story)


def test_a_busy_story_of_three_lists_on_both_databases(engine: Engine, fresh: Any) -> None:
    live(
        engine,
        fresh(),
        [
            ("approve", 0), ("join", 0, 0), ("approve", 1), ("join", 1, 1), ("approve", 2),
            ("member", 1, 0, "education", "40"), ("household", 1, "registry_no", "5223260009"),
            ("apart", 0), ("household", 2, "registry_no", "5223260009"), ("join", 2, 0),
            ("member", 2, 1, "member_change", "5"), ("approve", 1), ("apart", 1),
        ],
    )  # fmt: skip
