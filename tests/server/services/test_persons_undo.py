"""Whatever was done while registrations were linked: with all links taken back, they never were (I13).

Two counties of the same people live through the same edits, approvals, refusals and moves. In one
of them registrations are linked and taken apart in between; when all links are gone, nobody can tell
the two apart. While linked, a person is listed at most once, and never against his refusal.
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
    Family,
    a_child_id,
    a_family,
    a_firm,
    a_household_id,
    a_user,
    villages,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from server.services import labour, review
from server.services.apply_changes import Author, apply_changes, next_n
from server.services.persons import Decision, decide_pair, person_of, refuses, unlink
from server.storage import labour as lists
from server.storage import persons as storage
from server.storage.accounts import Firm, User
from server.storage.engine import reading, writing
from server.storage.records import records_by_id, records_of_households
from server.storage.tables import (
    conflict,
    hold,
    labourer,
    list_pull_row,
    person_link,
    reveal,
)
from server.storage.tables import review as review_table
from shared_schemas import SCHEMA_VERSION
from shared_schemas.changes import Change
from shared_schemas.errors import ChushanError
from shared_schemas.fields import Value

PEOPLE = 4
Action = tuple[Any, ...]
FAMILIES = [
    a_family((VILLAGE, OTHER_TOWNSHIP_VILLAGE)[i % 2], name="岑小山") for i in range(PEOPLE)
]
"""Namesakes born on the same day with numbers of their own: linked only where a person says so."""
PLACEMENTS = [a_child_id(family.household) for family in FAMILIES]


@dataclass
class County:
    """A county that does as it is told, with or without links."""

    engine: Engine
    links: bool
    reviewer: User = field(init=False)
    firm: Firm = field(init=False)
    times: Iterator[int] = field(default_factory=lambda: itertools.count(NOW_MS, 1000))
    first_seqs: dict[tuple[str, str], int] = field(default_factory=dict)
    """What a phone that has not pulled since the beginning knows of each record."""

    def __post_init__(self) -> None:
        with writing(self.engine) as conn:
            villages(conn)
            self.reviewer = a_user(conn, role="county", scope=WANGMO)
            self.firm = Firm(a_firm(conn, WANGMO)[0], "测试人力", (WANGMO,))
        for family in FAMILIES:
            self.write(family.edits)
            for kind, record_id, _ in family.edits:
                self.first_seqs[kind, record_id] = self.seq(kind, record_id)
        with writing(self.engine) as conn:
            for one, other in itertools.combinations(FAMILIES, 2):
                left, right = sorted((one.member, other.member))
                row = {"county": WANGMO, "left_id": left, "right_id": right, "score": 1.0,
                       "breakdown": [], "reasons": ["K4"], "state": "open", "proposed_at_ms": 0,
                       "decided_by": None, "decided_at_ms": None, "note": None}  # fmt: skip
                storage.put_pairs(conn, [row])

    def seq(self, kind: str, record_id: str) -> int:
        with reading(self.engine) as conn:
            known = records_by_id(conn, WANGMO, kind, [record_id]).get(record_id)
        return known.seq if known else 0

    def write(
        self, edits: Sequence[tuple[str, str, dict[str, Value]]], *, late: bool = False
    ) -> None:
        now_ms = next(self.times)
        with writing(self.engine) as conn:
            first = next_n(conn, WANGMO, "phone00000001", len(edits))
            changes = []
            for n, (kind, record_id, values) in enumerate(edits, start=first):
                known = records_by_id(conn, WANGMO, kind, [record_id]).get(record_id)
                seq = known.seq if known else 0
                if late:  # made long ago, on a phone that was out of reach ever since
                    seq = self.first_seqs[kind, record_id]
                changes.append(Change(n, kind, record_id, seq, NOW_MS if late else now_ms, values))
            author = Author(WANGMO, "phone00000001", self.reviewer.id, None, WANGMO, "device")
            apply_changes(
                conn, changes, author=author, sent_ms=now_ms, received_ms=now_ms,
                schema=SCHEMA_VERSION,
            )  # fmt: skip

    def who(self) -> dict[str, Any]:
        return {"user": self.reviewer, "now_ms": next(self.times), "new_id": a_household_id}

    def do(self, action: Action) -> bool:
        """Do one thing; return whether it was done."""
        what, i, *more = action
        family = FAMILIES[i]
        given = self.who()
        if what == "edit":
            self.write([("member", family.member, {more[0]: more[1]})])
        elif what == "late":
            self.write([("member", family.member, {more[0]: more[1]})], late=True)
        elif what == "wish":
            self.write([("intention", family.intention, {"confirmed_on": more[0]})])
        elif what == "pull":
            self._pull(given["now_ms"])
        elif what == "unsure":
            return self._park(family, FAMILIES[more[0]], given)
        elif what == "refuse":
            self.write([("consent", family.edits[4][1], {"withdrawn_on": more[0]})])
        elif what == "work":
            self.write([("placement", PLACEMENTS[i], _work(family, more[0]))])
        elif what == "move":
            self.write([("household", family.household, {"village_code": more[0]})])
        elif what in ("approve", "void"):
            self._review(family, what, given)
        elif self.links and what == "link":
            self._link(family, FAMILIES[more[0]], given)
        elif self.links and what == "unlink":
            self._unlink(i, given)
        return True

    def _pull(self, now_ms: int) -> None:
        """Let the firm pull the list, hold everybody on it and ask for the first one's phone."""
        with writing(self.engine) as conn:
            pulled = labour.pull_list(
                conn, self.firm, labour.Filters(), purpose="招工", channel="api", user_id=None,
                limit=100, today=TODAY, now_ms=now_ms, new_id=a_household_id,
            )  # fmt: skip
            numbers = range(1, pulled.total + 1)
            labour.hold_listed(
                conn, self.firm, pull_id=pulled.pull_id, list_nos=numbers, now_ms=now_ms
            )
            if pulled.total:
                labour.reveal_listed(
                    conn, self.firm, pull_id=pulled.pull_id, list_no=1, reason="约面试",
                    user_id=None, per_day=99, day_start_ms=0, now_ms=now_ms, new_id=a_household_id,
                )  # fmt: skip

    def _park(self, one: Family, other: Family, given: dict[str, Any]) -> bool:
        with writing(self.engine) as conn:
            try:
                decide_pair(conn, WANGMO, (one.member, other.member),
                            Decision("unsure", "等电话"), **given)  # fmt: skip
            except ChushanError as refused:  # merged now, with itself, or void
                if refused.error.code not in ("wrong_state", "not_found"):
                    raise
                return False
        return True

    def _review(self, family: Family, what: str, given: dict[str, Any]) -> None:
        with writing(self.engine) as conn:
            seq = conn.execute(
                select(review_table.c.bundle_seq).where(
                    review_table.c.household_id == family.household
                )
            ).scalar_one()
            try:
                if what == "approve":
                    review.approve(conn, WANGMO, family.household, seq, **given)
                else:
                    review.void(conn, WANGMO, family.household, seq, "重复登记", **given)
            except ChushanError as refused:
                if refused.error.code != "wrong_state":
                    raise

    def _link(self, one: Family, other: Family, given: dict[str, Any]) -> None:
        decision = Decision("merged", "派出所证明", confirmed=True)
        with writing(self.engine) as conn:
            try:
                decide_pair(conn, WANGMO, (one.member, other.member), decision, **given)
            except ChushanError as refused:  # linked already, with itself, or void
                if refused.error.code not in ("wrong_state", "not_found"):
                    raise

    def _unlink(self, i: int, given: dict[str, Any]) -> None:
        present = self.in_force()
        if present:
            with writing(self.engine) as conn:
                unlink(conn, WANGMO, present[i % len(present)], **given)

    def in_force(self) -> list[str]:
        with reading(self.engine) as conn:
            query = select(person_link.c.id).where(person_link.c.withdrawn_at_ms.is_(None))
            return list(conn.execute(query.order_by(person_link.c.linked_at_ms)).scalars())

    def unlink_all(self) -> None:
        while self.in_force():
            self._unlink(0, self.who())

    def listed(self) -> list[str]:
        criteria = labour.criteria_for(labour.Filters(), self.firm, today=TODAY, now_ms=NOW_MS)
        with reading(self.engine) as conn:
            rows = lists.available_labourers(conn, criteria, limit=100)
            assert len(rows) == lists.count_available(conn, criteria)
        return sorted(row.member_id for row in rows)

    def given_away(self) -> dict[str, list[Any]]:
        """Return the lists that were pulled, the holds and the reveals, as they are kept."""
        with reading(self.engine) as conn:
            return {
                table.name: sorted(tuple(row) for row in conn.execute(select(*columns)))
                for table, columns in (
                    (list_pull_row, (list_pull_row.c.pull_id, list_pull_row.c.member_id)),
                    (hold, (hold.c.member_id, hold.c.org_id, hold.c.until_ms)),
                    (reveal, (reveal.c.pull_id, reveal.c.member_id)),
                )
            }

    def check_counts(self) -> None:
        """However often a person was listed or revealed, the county counts him once."""
        away = self.given_away()
        with reading(self.engine) as conn:
            ids = {family.member for family in FAMILIES}
            who = {row.member_id: row.person_id or row.member_id
                   for row in storage.members_of_persons(conn, WANGMO, ids)}  # fmt: skip
            for pull in lists.pulls_of_county(conn, WANGMO):
                for name, counted in (("list_pull_row", pull.rows), ("reveal", pull.reveals)):
                    persons = {who.get(m, m) for p, m in away[name] if p == pull.pull_id}
                    assert counted == len(persons)

    def check(self) -> None:
        """Nobody is listed twice, and nobody against a no on any of his registrations."""
        self.check_counts()
        listed = self.listed()
        with reading(self.engine) as conn:
            for family in FAMILIES:
                person = person_of(conn, WANGMO, family.member)
                assert person is not None
                own = {r.id for r in person.registrations}
                homes = [r.household_id for r in person.registrations]
                said_no = [
                    refuses([dict(record.values, id=record.id)], str(record.values["member_id"]))
                    for record in records_of_households(conn, WANGMO, homes)
                    if record.kind == "consent"
                ]
                among = own & set(listed)
                assert len(among) <= 1
                assert not (any(said_no) and among)

    def seen(self) -> dict[str, Any]:
        """Return everything that anybody can see, but for the numbers of the feed."""
        with reading(self.engine) as conn:
            homes = [family.household for family in FAMILIES]
            records = {
                (r.kind, r.id): (r.village_code, r.values)
                for r in records_of_households(conn, WANGMO, homes)
            }
            reviews = [
                (r.household_id, r.village_code, r.state, r.lane, r.hits, r.approved_values)
                for r in conn.execute(select(review_table).order_by(review_table.c.household_id))
            ]
            rows = [
                tuple(value for name, value in r._mapping.items() if name != "approved_at_ms")
                for r in conn.execute(select(labourer).order_by(labourer.c.member_id))
            ]
            members = [family.member for family in FAMILIES]
            pairs = {
                key: (row.state, row.note, row.decided_by is not None)
                for key, row in storage.pairs_of_members(conn, WANGMO, members).items()
            }
            conflicts = sorted(
                (c.record_id, c.field, repr(c.ours), repr(c.theirs), c.state)
                for c in conn.execute(select(conflict))
            )
            believed = [person_of(conn, WANGMO, one) for one in members]
            told = [
                (row.person_id, row.registrations)
                for row in storage.members_of_persons(conn, WANGMO, members)
            ]
        assert set(told) <= {(None, 1)}
        golden = [person and (person.registrations, person.golden) for person in believed]
        return {"records": records, "reviews": reviews, "labourers": rows, "golden": golden,
                "pairs": pairs, "conflicts": conflicts,
                "listed": self.listed()}  # fmt: skip


def _work(family: Family, state: str) -> dict[str, Value]:
    return {
        "household_id": family.household, "member_id": family.member, "state": state,
        "started_on": "2026-10-01", "placement_kind": "1", "employer_name": "余姚电子厂",
        "place_code": "330281000000", "responsible": "陆队长",
        "ended_on": "2026-11-01" if state == "ended" else None,
        "end_reason": "1" if state == "ended" else None,
    }  # fmt: skip


people = st.integers(0, PEOPLE - 1)
actions = st.one_of(
    st.tuples(st.just("link"), people, people),
    st.tuples(st.just("link"), people, people),
    st.tuples(st.just("unlink"), people),
    st.tuples(st.just("approve"), people),
    st.tuples(st.just("approve"), people),
    st.tuples(st.just("refuse"), people, st.sampled_from([TODAY, None])),
    st.tuples(st.just("work"), people, st.sampled_from(["on_job", "ended"])),
    st.tuples(st.just("move"), people, st.sampled_from([VILLAGE, OTHER_TOWNSHIP_VILLAGE])),
    st.tuples(st.just("edit"), people, st.just("phone"),
              st.sampled_from(["13700000001", "13700000002"])),
    st.tuples(st.just("edit"), people, st.just("lives_here"), st.booleans()),
    st.tuples(st.just("edit"), people, st.just("member_change"), st.sampled_from(["2", None])),
    st.tuples(st.just("edit"), people, st.just("deleted"), st.booleans()),
    st.tuples(st.just("edit"), people, st.just("name"), st.sampled_from(["岑小珊", "岑小山"])),
    st.tuples(st.just("late"), people, st.just("phone"), st.sampled_from(["13700000003", None])),
    st.tuples(st.just("late"), people, st.just("name"), st.sampled_from(["岑晓山", "岑小山"])),
    st.tuples(st.just("wish"), people, st.sampled_from(["2026-11-01", "2026-03-01"])),
    st.tuples(st.just("unsure"), people, people),
    st.tuples(st.just("pull"), people),
    st.tuples(st.just("void"), people),
)  # fmt: skip


def live(engine: Engine, never: Engine, story: Sequence[Action]) -> None:
    """Let both worlds live through a story and compare them at its end."""
    linked, single = County(engine, links=True), County(never, links=False)
    for action in story:
        done = linked.do(action)
        if done:
            single.do(action)
        linked.check()
    away = linked.given_away()
    linked.unlink_all()
    assert linked.given_away() == away
    linked.check_counts()
    assert linked.seen() == single.seen()


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(story=st.lists(actions, min_size=3, max_size=14))
def test_with_all_links_taken_back_it_is_as_if_there_had_been_none(
    fresh: Any, story: list[Action]
) -> None:
    live(fresh(), fresh(), story)


def test_a_busy_story_on_both_databases(engine: Engine, fresh: Any) -> None:
    live(
        engine,
        fresh(),
        [
            ("approve", 0), ("approve", 1), ("link", 0, 1), ("link", 1, 2), ("approve", 2),
            ("edit", 1, "phone", "13700000001"), ("refuse", 2, TODAY), ("unlink", 1),
            ("link", 2, 3), ("work", 0, "on_job"), ("approve", 0), ("move", 1, VILLAGE),
            ("link", 1, 2), ("edit", 3, "deleted", True), ("void", 2), ("refuse", 2, None),
            ("work", 0, "ended"), ("approve", 0), ("approve", 1), ("unlink", 0), ("link", 0, 3),
            ("edit", 3, "deleted", False), ("approve", 3), ("pull", 0), ("unsure", 1, 3),
            ("link", 1, 3), ("pull", 0), ("late", 1, "phone", "13700000003"),
            ("late", 1, "name", "岑晓山"), ("unlink", 1), ("approve", 1), ("pull", 0),
        ],
    )  # fmt: skip
