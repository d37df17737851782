"""One household, two lists: found, decided, counted once, and taken apart again exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from builders import (
    OTHER_TOWNSHIP_VILLAGE,
    VILLAGE,
    WANGMO,
    Phone,
    Values,
    a_child_id,
    a_consent,
    a_household,
    a_household_id,
    a_member,
    a_phone,
    a_user,
    an_id_number,
    an_intention,
)
from flask import Flask
from sqlalchemy import Engine, select

from server.services import households_twice as service
from server.services import persons
from server.services.join_households import (
    ONE_HOUSEHOLD,
    TAKEN_APART,
    Decision,
    decide_households,
    lines_of,
    take_apart,
)
from server.storage import households_twice as storage
from server.storage import review_pages as queries
from server.storage.accounts import User
from server.storage.engine import reading, writing
from server.storage.tables import audit, candidate_pair, household_pair, person_link, person_member
from server.storage.tables import review as review_table
from shared_schemas.changes import Change
from shared_schemas.errors import ChushanError
from shared_schemas.fields import Value

HUSBAND: Values = {"name": "岑大山", "birth_date": "1980-03-02", "sex": "1"}
WIFE: Values = {"name": "黄阿妹", "birth_date": "1982-07-09", "sex": "2"}
SON: Values = {"name": "岑小江", "birth_date": "2009-05-06", "sex": "1", "in_school": "1"}


@dataclass
class List:
    """A household as one cadre wrote it down."""

    id: str
    members: list[str]


@dataclass
class County:
    """A county at work: its phone and its reviewer."""

    engine: Engine
    clock: Any
    phone: Phone
    reviewer: User

    def register(
        self, *people: tuple[str, Values], village: str = VILLAGE, **household: Value
    ) -> List:
        """Send in a household of (relation, values), the head first."""
        home = a_household_id()
        ids = [a_child_id(home) for _ in people]
        edits: list[tuple[str, str, Values]] = [
            ("household", home,
             a_household(village, head_member_id=ids[0] if ids else None, **household)),
        ]  # fmt: skip
        for one, (relation, values) in zip(ids, people, strict=True):
            edits.append(("member", one, a_member(home, **{"relation": relation, **values})))
            if values["birth_date"] < "2000":  # type: ignore[operator]
                edits.append(("intention", a_child_id(home), an_intention(home, one)))
                edits.append(("consent", a_child_id(home), a_consent(home, one, "share_hr")))
        batch = [
            Change(self.phone.n + 1 + i, kind, one, 0, self.clock.now_ms - 1000 + i, values)
            for i, (kind, one, values) in enumerate(edits)
        ]
        self.phone.n += len(batch)
        outcomes = self.phone.push(batch)["outcomes"]
        assert {o["outcome"] for o in outcomes} == {"applied"}, outcomes
        return List(home, ids)

    def edit(self, kind: str, record_id: str, **values: Value) -> None:
        """Edit a record on the phone, having seen it as it is."""
        self.phone.cursor = None
        seq = self.phone.pull()[kind, record_id]["seq"]
        done = self.phone.edit(kind, record_id, base=seq, **values)
        assert done["outcome"] in ("applied", "merged"), done

    def who(self) -> dict[str, Any]:
        """Return the reviewer, the time and a maker of ids."""
        return {"user": self.reviewer, "now_ms": self.clock.now_ms, "new_id": a_household_id}

    def pairs(self) -> dict[frozenset[str], Any]:
        """Return the proposed pairs of households."""
        with reading(self.engine) as conn:
            rows = conn.execute(select(household_pair)).all()
        return {frozenset((row.left_id, row.right_id)): row for row in rows}

    def pair(self, one: List, other: List) -> Any:
        """Return the pair of two lists, None where nobody is asked."""
        return self.pairs().get(frozenset((one.id, other.id)))

    def decide(self, one: List, other: List, state: str, **said: Any) -> None:
        """Decide about two lists; of one household all lines are one person unless told."""
        with writing(self.engine) as conn:
            if state == "one" and "same" not in said:
                lines = lines_of(conn, WANGMO, (one.id, other.id))
                said["same"] = frozenset((line.left, line.right) for line in lines)
            decide_households(conn, WANGMO, (one.id, other.id), Decision(state, **said),
                              **self.who())  # fmt: skip
        self.clock.now_ms += 1000

    def apart(self, one: List, other: List) -> None:
        """Take it back that two lists are one household."""
        with writing(self.engine) as conn:
            take_apart(conn, WANGMO, (one.id, other.id), **self.who())

    def same_as(self) -> dict[str, str]:
        """Return the lists that are counted with another, and with which."""
        with reading(self.engine) as conn:
            rows = conn.execute(
                select(review_table.c.household_id, review_table.c.same_as).where(
                    review_table.c.same_as.is_not(None)
                )
            ).all()
        return {row.household_id: row.same_as for row in rows}

    def counted(self) -> int:
        """Return how many households the county has surveyed."""
        with reading(self.engine) as conn:
            places = queries.coverage(conn, WANGMO, county=WANGMO, width=9)
        return sum(place.surveyed for place in places)

    def people(self) -> set[frozenset[str]]:
        """Return who is one person, as sets of registrations."""
        with reading(self.engine) as conn:
            rows = conn.execute(
                select(person_member).where(person_member.c.person_id.is_not(None))
            ).all()
        found: dict[str, set[str]] = {}
        for row in rows:
            found.setdefault(row.person_id, set()).add(row.member_id)
        return {frozenset(members) for members in found.values()}


@pytest.fixture
def county(app: Flask, engine: Engine, clock: Any) -> County:
    phone = a_phone(app, engine)
    with writing(engine) as conn:
        reviewer = a_user(conn, role="county", scope=WANGMO)
    return County(engine, clock, phone, reviewer)


def numbered(person: Values) -> Values:
    """Return a person with a number of his own."""
    return {
        **person,
        "id_no": an_id_number(birth_date=str(person["birth_date"]), sex=str(person["sex"])),
    }


def unnumbered(person: Values) -> Values:
    """Return a person as he is written down without his papers."""
    return {**person, "id_no": None, "no_id_reason": "1"}


def under_both(county: County) -> tuple[List, List]:
    """Register a family under the husband and, in another township, under the wife."""
    he, she, son = numbered(HUSBAND), numbered(WIFE), numbered(SON)
    one = county.register(("02", he), ("12", she), ("21", son))
    other = county.register(("02", she), ("11", he), ("21", son), village=OTHER_TOWNSHIP_VILLAGE)
    return one, other


def without_papers(county: County) -> tuple[List, List]:
    """Register a family, then without numbers and under the wife: not all are linked by machine.

    Members stand in the same order on both lists.
    """
    one = county.register(("02", numbered(HUSBAND)), ("12", numbered(WIFE)), ("21", numbered(SON)))
    again = ("11", unnumbered(HUSBAND)), ("02", unnumbered(WIFE)), ("21", unnumbered(SON))
    return one, county.register(*again, village=OTHER_TOWNSHIP_VILLAGE)


# Found --------------------------------------------------------------------------------------------


def test_a_family_under_the_husband_and_under_the_wife_is_found_on_arrival(county: County) -> None:
    pair = county.pair(*under_both(county))
    assert (pair.state, pair.shared, pair.reasons) == ("open", 3, ["members", "couple"])


def test_a_family_without_papers_is_found_by_its_likely_members(county: County) -> None:
    one, other = without_papers(county)
    assert len(county.people()) < 2
    pair = county.pair(one, other)
    assert pair.reasons == ["members", "couple"]
    assert pair.shared >= 2


def test_a_bride_on_her_parents_list_is_no_household_listed_twice(county: County) -> None:
    bride = numbered(WIFE)
    parents = county.register(("02", numbered({**HUSBAND, "name": "黄老大"})), ("31", bride))
    married = county.register(("02", numbered(HUSBAND)), ("12", bride))
    assert len(county.people()) == 1
    assert county.pair(parents, married) is None


def test_one_head_of_two_lists_is_found(county: County) -> None:
    he = numbered(HUSBAND)
    one = county.register(("02", he))
    other = county.register(("02", he), ("12", numbered(WIFE)))
    assert county.pair(one, other).reasons == ["head"]


def test_a_head_who_is_listed_alone_in_another_township_rents_there(county: County) -> None:
    he = numbered(HUSBAND)
    home = county.register(("02", he), ("12", numbered(WIFE)))
    room = county.register(("02", he), village=OTHER_TOWNSHIP_VILLAGE)
    assert len(county.people()) == 1
    assert county.pair(home, room) is None
    county.edit("household", room.id, registry_no="5223260004")
    county.edit("household", home.id, registry_no="5223260004")
    assert county.pair(home, room).reasons == ["registry_no", "head"]


def test_branches_that_kept_the_register_number_are_told_apart(county: County) -> None:
    county.register(("02", numbered(HUSBAND)), registry_no="5223260001")
    county.register(("02", numbered({**SON, "birth_date": "1999-05-06"})), registry_no="5223260001")
    assert county.pairs() == {}


def test_a_branch_whose_people_still_stand_on_the_old_list_is_told_apart(county: County) -> None:
    son, wife = numbered({**SON, "birth_date": "1995-05-06"}), numbered(WIFE)
    old = county.register(("02", numbered(HUSBAND)), ("21", son), ("38", wife))
    new = county.register(("02", son), ("12", wife), is_split=True, split_from=old.id)
    assert len(county.people()) == 2
    assert county.pair(old, new) is None


def test_one_register_number_and_one_member_in_common_are_found(county: County) -> None:
    son = numbered(SON)
    one = county.register(("02", numbered(HUSBAND)), ("21", son), registry_no="5223260002")
    other = county.register(("02", numbered(WIFE)), ("21", son), registry_no="5223260002")
    assert county.pair(one, other).reasons == ["registry_no"]


def test_a_placeholder_for_a_register_number_finds_nobody(county: County) -> None:
    for _ in range(7):
        county.register(registry_no="0")
    assert len(county.pairs()) == 10  # of the first five
    assert all(row.reasons == ["registry_no"] for row in county.pairs().values())


def test_who_moved_out_or_died_is_not_in_common(county: County) -> None:
    one, other = under_both(county)
    county.edit("member", one.members[1], member_change="4")
    assert county.pair(one, other).shared == 2
    county.edit("member", one.members[2], member_change="5")
    assert county.pair(one, other) is None


def test_a_void_list_is_asked_about_no_more(county: County) -> None:
    one, other = under_both(county)
    for member in other.members:
        county.edit("member", member, deleted=True)
    assert county.pair(one, other) is None


def test_a_failure_in_the_search_keeps_nothing_from_being_stored(
    county: County, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("岑大山")

    monkeypatch.setattr(service, "facts_of", fail)
    one, other = under_both(county)
    assert {("household", one.id), ("household", other.id)} <= county.phone.pull().keys()
    said = capsys.readouterr().out
    assert "household_matching_failed" in said
    assert "岑大山" not in said
    monkeypatch.undo()
    assert service.find_all(county.engine, WANGMO, now_ms=county.clock.now_ms) == 1
    assert service.find_all(county.engine, WANGMO, now_ms=county.clock.now_ms) == 0


# Decided ------------------------------------------------------------------------------------------


def test_one_household_counts_once_and_its_people_are_one_each(county: County) -> None:
    one, other = without_papers(county)
    assert county.counted() == 2
    county.decide(one, other, "one", stays=one.id)
    assert county.same_as() == {other.id: one.id}
    assert county.counted() == 1
    assert county.people() == {
        frozenset(pair) for pair in zip(one.members, other.members, strict=True)
    }
    rows = county.phone.pull()
    assert rows["review", other.id]["same_as"] == one.id
    assert ("household", other.id) in rows
    county.edit("member", other.members[0], education="40")  # his cadre goes on


def test_who_is_said_not_to_be_the_same_stays_two(county: County) -> None:
    one, other = without_papers(county)
    first = tuple(sorted((one.members[0], other.members[0])))
    with writing(county.engine) as conn:
        persons.decide_pair(conn, WANGMO, first, persons.Decision("not_same"), **county.who())  # type: ignore[arg-type]
    county.decide(one, other, "one", stays=one.id)
    assert frozenset(first) not in county.people()
    assert len(county.people()) == 2


def test_a_line_that_is_none_is_refused(county: County) -> None:
    one, other = without_papers(county)
    with pytest.raises(ChushanError, match="malformed"):
        county.decide(one, other, "one", stays=one.id,
                      same=frozenset({(one.members[0], other.members[1])}))  # fmt: skip
    with pytest.raises(ChushanError, match="malformed"):
        county.decide(one, other, "one", stays="")
    assert county.same_as() == {}


def test_undo_restores_links_decisions_and_counts(county: County) -> None:
    one, other = without_papers(county)
    unsure = tuple(sorted((one.members[0], other.members[0])))
    with writing(county.engine) as conn:
        persons.decide_pair(conn, WANGMO, unsure, persons.Decision("unsure", "等电话"),  # type: ignore[arg-type]
                            **county.who())  # fmt: skip
    before = state_of(county)
    county.decide(one, other, "one", stays=other.id)
    assert len(county.people()) == 3
    county.apart(one, other)
    assert state_of(county) == before
    assert (county.same_as(), county.counted()) == ({}, 2)
    with pytest.raises(ChushanError, match="wrong_state"):
        county.apart(one, other)
    with reading(county.engine) as conn:
        acts = conn.execute(
            select(audit.c.action).where(audit.c.target_kind == "household_pair")
        ).scalars()
        assert set(acts) == {ONE_HOUSEHOLD, TAKEN_APART}


def state_of(county: County) -> list[Any]:
    """Return all that is decided and derived, without when it was proposed."""
    with reading(county.engine) as conn:
        links = select(person_link.c.left_id, person_link.c.right_id).where(
            person_link.c.withdrawn_at_ms.is_(None)
        )
        dropped = {"proposed_at_ms", "seq"}
        tables = [
            [{k: v for k, v in row._mapping.items() if k not in dropped} for row in conn.execute(q)]
            for q in (
                select(household_pair).order_by(
                    household_pair.c.left_id, household_pair.c.right_id
                ),
                select(candidate_pair).order_by(
                    candidate_pair.c.left_id, candidate_pair.c.right_id
                ),
                links.order_by(person_link.c.left_id, person_link.c.right_id),
            )
        ]
    return [*tables, county.same_as(), county.people(), county.counted()]


def test_two_households_are_asked_about_again_only_when_something_new_speaks(
    county: County,
) -> None:
    one, other = without_papers(county)
    county.edit("member", other.members[2], name="岑阿宝", birth_date="2013-01-01")
    county.decide(one, other, "two", reason="堂兄弟两家")
    county.edit("household", other.id, address="岩脚组")
    assert county.pair(one, other).state == "two"
    county.edit("household", one.id, registry_no="5223260003")
    county.edit("household", other.id, registry_no="5223260003")
    assert county.pair(one, other).state == "open"


def test_unsure_is_parked_and_may_be_decided_later(county: County) -> None:
    one, other = without_papers(county)
    county.decide(one, other, "unsure", reason="等村里回话")
    county.edit("household", other.id, address="岩脚组")
    assert (county.pair(one, other).state, county.pair(one, other).note) == ("unsure", "等村里回话")
    county.decide(one, other, "one", stays=one.id)
    county.apart(one, other)
    assert (county.pair(one, other).state, county.pair(one, other).note) == ("unsure", "等村里回话")
    county.decide(one, other, "one", stays=one.id)
    with pytest.raises(ChushanError, match="wrong_state"):
        county.decide(one, other, "two")


def test_three_lists_of_one_household_count_once_and_come_apart_one_by_one(county: County) -> None:
    he, she = numbered(HUSBAND), numbered(WIFE)
    a, b, c = (county.register(("02", he), ("12", she)) for _ in range(3))
    assert len(county.pairs()) == 3
    county.decide(a, b, "one", stays=a.id)
    county.decide(b, c, "one", stays=c.id)
    assert county.same_as() == {a.id: c.id, b.id: c.id}
    assert county.counted() == 1
    with reading(county.engine) as conn:
        # The third pair needs no decision of its own.
        assert storage.pair_counts(conn, WANGMO, WANGMO)["open"] == 0
    county.apart(a, b)
    assert county.same_as() == {b.id: c.id}
    assert county.counted() == 2


def test_when_the_list_that_counts_is_void_the_other_counts(county: County) -> None:
    one, other = under_both(county)
    county.decide(one, other, "one", stays=one.id)
    county.edit("household", one.id, deleted=True)
    assert county.same_as() == {}
    assert county.counted() == 1


def test_a_township_decides_nothing_beyond_its_own(county: County) -> None:
    one, other = under_both(county)
    with writing(county.engine) as conn:
        somebody = a_user(conn, role="township", scope=VILLAGE[:9])
        assert (
            storage.pair_within(conn, WANGMO, somebody.scope, tuple(sorted((one.id, other.id))))
            is None
        )  # type: ignore[arg-type]
        with pytest.raises(ChushanError, match="not_found"):
            decide_households(conn, WANGMO, (one.id, other.id), Decision("two"),
                              **{**county.who(), "user": somebody})  # fmt: skip


def test_what_a_person_says_of_members_is_looked_at_at_once(county: County) -> None:
    one, other = without_papers(county)
    assert county.pair(one, other) is not None
    with reading(county.engine) as conn:
        open_pairs = conn.execute(
            select(candidate_pair).where(candidate_pair.c.state == "open")
        ).all()
    for row in open_pairs:
        with writing(county.engine) as conn:
            persons.decide_pair(conn, WANGMO, (row.left_id, row.right_id),
                                persons.Decision("not_same"), **county.who())  # fmt: skip
    assert county.pair(one, other) is None
    for row in open_pairs:
        with writing(county.engine) as conn:
            persons.take_back(conn, WANGMO, (row.left_id, row.right_id), **county.who())
    assert county.pair(one, other).state == "open"
