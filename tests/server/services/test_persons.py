"""Two registrations, one person: found, decided, counted once, and taken apart again exactly."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from builders import (
    OTHER_TOWNSHIP_VILLAGE,
    VILLAGE,
    WANGMO,
    Family,
    Phone,
    a_child_id,
    a_family,
    a_firm,
    a_household_id,
    a_member,
    a_phone,
    a_user,
    an_id_number,
)
from flask import Flask
from sqlalchemy import Engine, func, select

from server.services import labour, persons, review
from server.services.candidates import MOST_PROPOSED, compute_anew, sides_of
from server.services.labour import Filters
from server.services.persons import Decision, decide_pair, person_of, unlink
from server.services.upgrade import MATCHED, upgrade_database
from server.storage import match_keys
from server.storage.accounts import Firm, User
from server.storage.engine import reading, writing
from server.storage.meta import set_meta_value
from server.storage.tables import audit, candidate_pair, match_features, match_key, person_link
from server.storage.tables import review as review_table
from shared_schemas.changes import Change
from shared_schemas.errors import ChushanError
from shared_schemas.fields import Value

TODAY = "2026-11-20"


NO_NUMBER: dict[str, Value] = {"id_no": None, "no_id_reason": "1"}


@dataclass
class County:
    """A county at work: its phone, its reviewer, a firm with an agreement."""

    app: Flask
    engine: Engine
    clock: Any
    phone: Phone
    reviewer: User
    firms: list[Firm] = field(default_factory=list)

    def register(self, village: str = VILLAGE, **member: Value) -> Family:
        """Send a household of one in, by the cadre's phone."""
        family = a_family(village, **member)
        outcomes = self.phone.submit(family)
        assert {o["outcome"] for o in outcomes} == {"applied"}, outcomes
        return family

    def approve(self, *families: Family) -> None:
        """Approve households as they stand."""
        for family in families:
            with writing(self.engine) as conn:
                seq = conn.execute(
                    select(review_table.c.bundle_seq).where(
                        review_table.c.household_id == family.household
                    )
                ).scalar_one()
                review.approve(conn, WANGMO, family.household, seq, **self.who())

    def who(self) -> dict[str, Any]:
        """Return the reviewer, the time and a maker of ids."""
        return {"user": self.reviewer, "now_ms": self.clock.now_ms, "new_id": a_household_id}

    def pairs(self) -> dict[frozenset[str], Any]:
        """Return the proposed pairs by their registrations."""
        with reading(self.engine) as conn:
            rows = conn.execute(select(candidate_pair)).all()
        return {frozenset((row.left_id, row.right_id)): row for row in rows}

    def links(self) -> list[Any]:
        """Return the links in force."""
        with reading(self.engine) as conn:
            query = select(person_link).where(person_link.c.withdrawn_at_ms.is_(None))
            return list(conn.execute(query))

    def decide(self, one: Family, other: Family, state: str = "merged", **said: Any) -> None:
        """Decide about a pair."""
        with writing(self.engine) as conn:
            decide_pair(conn, WANGMO, (one.member, other.member), Decision(state, **said),
                        **self.who())  # fmt: skip

    def unlink_all(self) -> None:
        """Take every link back."""
        for link in self.links():
            with writing(self.engine) as conn:
                unlink(conn, WANGMO, link.id, **self.who())

    def listed(self, firm: int = 0) -> labour.PulledList:
        """Pull the list of available people."""
        with writing(self.engine) as conn:
            return labour.pull_list(
                conn, self.firms[firm], Filters(), purpose="招工", channel="api", user_id=None,
                limit=100, today=TODAY, now_ms=self.clock.now_ms, new_id=a_household_id,
            )  # fmt: skip

    def hold(self, pulled: labour.PulledList, *list_nos: int, firm: int = 0) -> list[Any]:
        """Hold people of a list."""
        with writing(self.engine) as conn:
            return labour.hold_listed(
                conn, self.firms[firm], pull_id=pulled.pull_id, list_nos=list_nos,
                now_ms=self.clock.now_ms,
            )  # fmt: skip

    def reveal(
        self, pulled: labour.PulledList, list_no: int, *, per_day: int = 1
    ) -> dict[str, Any]:
        """Ask for somebody's phone."""
        with writing(self.engine) as conn:
            return labour.reveal_listed(
                conn, self.firms[0], pull_id=pulled.pull_id, list_no=list_no, reason="约面试",
                user_id=None, per_day=per_day, day_start_ms=0, now_ms=self.clock.now_ms,
                new_id=a_household_id,
            )  # fmt: skip

    def edit(self, kind: str, record_id: str, **values: Value) -> None:
        """Edit a record on the phone, having seen it as it is."""
        seq = self.phone.pull_all()[kind, record_id]["seq"]
        done = self.phone.edit(kind, record_id, base=seq, **values)
        assert done["outcome"] in ("applied", "merged"), done


class _Phone(Phone):
    def pull_all(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Pull everything from the start."""
        self.cursor = None
        return self.pull()


@pytest.fixture
def county(app: Flask, engine: Engine, clock: Any) -> County:
    return a_county(app, engine, clock)


def a_county(app: Flask, engine: Engine, clock: Any) -> County:
    """Return 望谟 with a phone, a reviewer and two firms."""
    phone = a_phone(app, engine)
    with writing(engine) as conn:
        reviewer = a_user(conn, role="county", scope=WANGMO)
        firms = [
            Firm(a_firm(conn, WANGMO, name=name)[0], name, (WANGMO,))
            for name in ("余姚人力", "集美人力")
        ]
    own = _Phone(phone.client, phone.token, phone.device, phone.incarnation)
    return County(app, engine, clock, own, reviewer, firms)


def twice(county: County, **differing: Value) -> tuple[Family, Family]:
    """Register one person in two townships; `differing` are values of the second."""
    number = an_id_number()
    one = county.register(id_no=number, name="岑小山")
    other = county.register(
        OTHER_TOWNSHIP_VILLAGE, **{"id_no": number, "name": "岑小山", **differing}
    )
    return one, other


def without_id(county: County, name: str = "岑小山", **differing: Value) -> tuple[Family, Family]:
    """Register one person twice, far apart and the second time without a number: a person decides."""
    one = county.register(name=name)
    values = {**NO_NUMBER, "name": name, **differing}
    return one, county.register(OTHER_TOWNSHIP_VILLAGE, **values)


# Found ------------------------------------------------------------------------------------------


def test_same_number_and_name_is_linked_by_machine_and_told_to_the_phones(county: County) -> None:
    one, other = twice(county)
    [link] = county.links()
    assert (link.source, {link.left_id, link.right_id}) == ("machine", {one.member, other.member})
    rows = county.phone.pull_all()
    told = [rows["person", family.member] for family in (one, other)]
    assert told[0]["person_id"] == told[1]["person_id"]
    assert [row["registrations"] for row in told] == [2, 2]
    with reading(county.engine) as conn:
        [act] = conn.execute(select(audit).where(audit.c.action == persons.LINKED)).all()
    assert (act.actor, act.detail["other"]) == ("machine", max(one.member, other.member))


def test_one_number_with_two_names_waits_for_a_person(county: County) -> None:
    one, other = twice(county, name="韦大江")
    assert county.links() == []
    pair = county.pairs()[frozenset((one.member, other.member))]
    assert (pair.state, pair.reasons) == ("open", ["number", "one_number_two_names"])


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ({}, {}, "name_and_birth"),
        ({}, {"name": "岑小珊"}, "name_and_birth"),
        # Listed under the surname of the family that somebody married into.
        ({"phone": "13912345678"},
         {"phone": "13912345678", "name": "黄小山"}, "phone"),
        # domain.md, worked example 2: one factory's worker whose name was read wrongly.
        ({"name": "刘继山", "work_employer": "余姚电子厂"},
         {"name": "刘维江", "work_employer": "余姚电子厂"}, "alike"),
    ],
)  # fmt: skip
def test_who_is_alike_is_proposed_and_not_linked(
    county: County, first: dict[str, Value], second: dict[str, Value], reason: str
) -> None:
    one = county.register(**first)
    other = county.register(OTHER_TOWNSHIP_VILLAGE, **NO_NUMBER, **second)
    pair = county.pairs()[frozenset((one.member, other.member))]
    assert reason in pair.reasons
    assert pair.score == pytest.approx(sum(line["weight"] for line in pair.breakdown), abs=0.02)
    assert county.links() == []


def test_no_number_but_one_name_birthday_and_township_is_linked(county: County) -> None:
    one = county.register()
    other = county.register(**NO_NUMBER)
    [link] = county.links()
    assert {link.left_id, link.right_id} == {one.member, other.member}


def test_a_twins_number_is_not_taken_for_ones_own(county: County) -> None:
    """The brother's number was written down for him who is registered elsewhere by his milk-name."""
    number = an_id_number()
    home = county.register(id_no=number, name="岑小山")
    county.phone.edit("member", a_child_id(home.household),
                      **a_member(home.household, name="岑小川", relation="21"))  # fmt: skip
    away = county.register(OTHER_TOWNSHIP_VILLAGE, id_no=number, name="岑山娃")
    assert county.links() == []
    assert frozenset((home.member, away.member)) in county.pairs()


def test_a_failure_in_matching_keeps_nothing_from_being_stored(
    county: County, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError("岑小山")

    monkeypatch.setattr(persons, "candidates_for", fail)
    one, other = twice(county)
    rows = county.phone.pull_all()
    assert ("member", one.member) in rows
    assert ("member", other.member) in rows
    assert county.pairs() == {}
    said = capsys.readouterr().out
    assert "matching_failed" in said
    assert "岑小山" not in said


@pytest.mark.parametrize("ordinary", [1, 20], ids=["each key counted", "all at once"])
def test_a_number_that_a_whole_county_shares_finds_nobody(
    county: County, monkeypatch: pytest.MonkeyPatch, ordinary: int
) -> None:
    monkeypatch.setattr(match_keys, "ORDINARY", ordinary)
    monkeypatch.setattr(match_keys, "MOST_SHARING", 2)
    number = an_id_number()
    for i, name in enumerate(("岑大山", "韦二水", "黄三木")):
        county.register(name=name, id_no=number, birth_date=f"199{i}-01-01")
    before = len(county.pairs())
    county.register(name="罗四火", id_no=number, birth_date="2001-01-01")
    assert len(county.pairs()) == before


def test_a_void_member_and_one_put_right_are_found_no_more(county: County) -> None:
    one = county.register(name="岑小山")
    county.edit("member", one.member, deleted=True)
    county.register(OTHER_TOWNSHIP_VILLAGE, name="岑小山", **NO_NUMBER)
    assert county.pairs() == {}
    with reading(county.engine) as conn:
        assert one.member not in sides_of(conn, WANGMO, [one.member])


def test_a_new_head_is_compared_with_by_his_whole_family(county: County) -> None:
    home = county.register()
    child = a_child_id(home.household)
    county.phone.edit("member", child, **a_member(home.household, name="岑阿宝", relation="20",
                      **NO_NUMBER, birth_date="2001-02-03"))  # fmt: skip
    county.edit("household", home.household, head_member_id=home.member)
    county.edit("member", home.member, name="岑大山")
    with reading(county.engine) as conn:
        assert sides_of(conn, WANGMO, [child])[child].head == "岑大山"


def test_what_is_kept_can_be_computed_anew(county: County) -> None:
    one, other = twice(county)
    with reading(county.engine) as conn:
        kept = sides_of(conn, WANGMO, [one.member, other.member])
    with writing(county.engine) as conn:
        conn.execute(match_features.delete())
        conn.execute(match_key.delete())
    assert compute_anew(county.engine, WANGMO) == 2
    assert compute_anew(county.engine, WANGMO) == 0
    with reading(county.engine) as conn:
        assert sides_of(conn, WANGMO, [one.member, other.member]) == kept
    again = county.register(id_no=one.edits[1][2]["id_no"])
    assert any(again.member in pair for pair in county.pairs())


def test_keys_of_an_older_version_are_made_anew_by_the_next(county: County) -> None:
    twice(county)
    with writing(county.engine) as conn:
        keys = conn.execute(match_key.select()).all()
        conn.execute(match_key.update().values(key_hash=func.substr(match_key.c.key_hash, 2, 15)))
        set_meta_value(conn, MATCHED, "the older version's")
    upgrade_database(county.engine)
    with reading(county.engine) as conn:
        assert {*conn.execute(match_key.select()).all()} == {*keys}


def test_twins_and_namesakes_with_numbers_of_their_own_are_not_proposed(county: County) -> None:
    county.register(name="岑小山")
    county.register(name="岑小川")
    assert county.pairs() == {}


def test_two_lines_of_one_list_are_never_linked_by_machine(county: County) -> None:
    number = an_id_number()
    one = county.register(id_no=number)
    again = a_child_id(one.household)
    county.phone.edit("member", again, **a_member(one.household, id_no=number, relation="21"))
    assert county.links() == []
    assert county.pairs()[frozenset((one.member, again))].reasons[0] == "number"


# Decided ----------------------------------------------------------------------------------------


def test_a_merge_keeps_both_records_and_says_where_each_value_is_from(county: County) -> None:
    one, other = without_id(county, phone="13700000001", education="40")
    county.edit("intention", other.intention, confirmed_on="2026-11-25")
    county.decide(one, other)
    with reading(county.engine) as conn:
        person = person_of(conn, WANGMO, other.member)
    assert person is not None
    assert {r.id for r in person.registrations} == {one.member, other.member}
    believed = person.golden
    assert (believed["id_no"].source, believed["id_no"].why) == (one.member, "only")
    assert (believed["education"].value, believed["education"].why) == ("40", "newest")
    assert believed["name"].why == "agree"


def test_a_choice_of_the_reviewer_beats_the_authority_and_goes_with_the_link(
    county: County,
) -> None:
    one, other = without_id(county, education="40")
    county.edit("intention", other.intention, confirmed_on="2026-11-25")
    county.decide(one, other, chosen={"education": one.member})
    with reading(county.engine) as conn:
        person = person_of(conn, WANGMO, one.member)
        assert person is not None
        assert (person.golden["education"].value, person.golden["education"].why) == (
            "70",
            "chosen",
        )
    county.unlink_all()
    with reading(county.engine) as conn:
        person = person_of(conn, WANGMO, one.member)
        assert person is not None
        assert len(person.registrations) == 1


def test_two_valid_numbers_are_merged_only_with_a_reason(county: County) -> None:
    one, other = without_id(county)
    county.edit("member", other.member, id_no=an_id_number(), no_id_reason=None)
    with pytest.raises(ChushanError, match="wrong_state"):
        county.decide(one, other)
    with pytest.raises(ChushanError):
        county.decide(one, other, confirmed=True)
    assert county.links() == []
    county.decide(one, other, confirmed=True, reason="派出所证明换过号")
    [link] = county.links()
    assert (link.confirmed, link.reason) == (["two_id_numbers"], "派出所证明换过号")


def test_a_chain_that_joins_two_said_to_differ_is_refused(county: County) -> None:
    first, second = without_id(county)
    third = county.register(**NO_NUMBER, birth_date="1990-06-10")
    county.decide(first, second)
    county.decide(first, third, "not_same")
    with pytest.raises(ChushanError, match="wrong_state"):
        county.decide(second, third)


def test_what_a_person_took_apart_the_machine_does_not_join_again(county: County) -> None:
    one, other = twice(county)
    county.unlink_all()
    county.edit("member", other.member, phone="13700000009")
    assert county.links() == []
    assert county.pairs()[frozenset((one.member, other.member))].state == "open"


def test_a_number_put_right_takes_the_machines_link_back(county: County) -> None:
    """One cadre had mistyped a number into that of a namesake, born on the same day."""
    one, other = twice(county)
    assert len(county.links()) == 1
    county.edit("member", other.member, id_no=an_id_number())
    assert county.links() == []
    pair = county.pairs().get(frozenset((one.member, other.member)))
    assert pair is None or pair.state == "open"
    assert county.phone.pull_all()["person", one.member]["registrations"] == 1


def test_a_question_that_a_corrected_number_answers_is_asked_no_longer(county: County) -> None:
    """Somebody's number had been mistyped into that of a stranger."""
    one, other = twice(county, name="韦大江")
    assert frozenset((one.member, other.member)) in county.pairs()
    county.edit("member", other.member, id_no=an_id_number())
    assert county.pairs() == {}


def test_a_pair_that_was_parked_is_not_forgotten(county: County) -> None:
    one, other = twice(county, name="韦大江")
    county.decide(one, other, "unsure", reason="等电话")
    county.edit("member", other.member, id_no=an_id_number())
    assert county.pairs()[frozenset((one.member, other.member))].note == "等电话"


def test_a_persons_link_stays_when_a_number_is_put_right(county: County) -> None:
    one, other = without_id(county)
    county.decide(one, other)
    county.edit("member", other.member, id_no=an_id_number(), no_id_reason=None)
    assert len(county.links()) == 1


def test_unsure_can_be_decided_later_and_a_decision_stands(county: County) -> None:
    one, other = without_id(county)
    county.decide(one, other, "unsure", reason="等电话核实")
    county.decide(one, other, "not_same")
    county.edit("member", other.member, phone="13700000009")
    assert county.pairs()[frozenset((one.member, other.member))].state == "not_same"
    with pytest.raises(ChushanError):
        county.decide(one, other)


def test_an_edit_of_a_linked_registration_lands_on_its_own_record_and_shows_on_the_person(
    county: County,
) -> None:
    """A phone edits a registration that was meanwhile linked to another."""
    one, other = without_id(county)
    base = county.phone.pull_all()["member", other.member]["seq"]
    county.decide(one, other)
    done = county.phone.edit("member", other.member, base=base, phone="13700000005")
    assert done["outcome"] == "applied"
    rows = county.phone.pull_all()
    assert rows["member", other.member]["phone"] == "13700000005"
    assert rows["member", one.member].get("phone") is None
    with reading(county.engine) as conn:
        person = person_of(conn, WANGMO, one.member)
    assert person is not None
    assert (person.golden["phone"].value, person.golden["phone"].source) == (
        "13700000005", other.member,
    )  # fmt: skip


# Counted once -----------------------------------------------------------------------------------


def test_one_person_is_listed_once_and_twice_again_when_taken_apart(county: County) -> None:
    one, other = twice(county)
    county.approve(one, other)
    assert county.listed().total == 1
    county.unlink_all()
    assert county.listed().total == 2


def test_a_consent_withdrawn_on_one_registration_takes_the_person_off(county: County) -> None:
    one, other = twice(county)
    county.approve(one, other)
    pulled = county.listed()
    share = other.edits[4][1]
    county.edit("consent", share, withdrawn_on=TODAY)
    assert county.listed().total == 0
    assert [a.code for a in county.hold(pulled, 1)] == ["wrong_state"]
    with pytest.raises(ChushanError):
        county.reveal(pulled, 1)
    county.unlink_all()
    assert county.listed().total == 1


def test_a_post_on_one_registration_keeps_the_person_from_being_offered(county: County) -> None:
    one, other = twice(county)
    county.phone.edit(
        "placement", a_child_id(other.household), household_id=other.household,
        member_id=other.member, state="on_job", started_on="2026-10-01", placement_kind="1",
        employer_name="余姚电子厂", place_code="330281000000", responsible="陆队长",
    )  # fmt: skip
    county.approve(one, other)
    assert county.listed().total == 0
    county.unlink_all()
    assert county.listed().total == 1


def test_one_person_is_held_once_whichever_registration_was_listed(county: County) -> None:
    one, other = twice(county)
    county.unlink_all()
    county.approve(one, other)
    pulled, rival = county.listed(), county.listed(1)
    assert [a.held for a in county.hold(pulled, 1)] == [True]
    county.decide(one, other)
    assert [a.code for a in county.hold(rival, 1, 2, firm=1)] == ["held_by_other"] * 2
    assert county.listed(1).total == 0
    assert [a.held for a in county.hold(pulled, 1, 2)] == [True, True]  # extended, once
    assert [a.code for a in county.hold(pulled, 2)] == ["wrong_state"]


def test_two_holds_of_one_person_leave_the_earlier_in_force(county: County) -> None:
    one, other = twice(county)
    county.unlink_all()
    county.approve(one, other)
    pulled, rival = county.listed(), county.listed(1)
    county.hold(pulled, 1)
    county.clock.now_ms += 1000
    county.hold(rival, 2, firm=1)
    county.decide(one, other)
    assert county.reveal(pulled, 1)["name"] == "岑小山"
    with writing(county.engine) as conn, pytest.raises(ChushanError) as refused:
        labour.reveal_listed(
            conn, county.firms[1], pull_id=rival.pull_id, list_no=2, reason="约面试", user_id=None,
            per_day=9, day_start_ms=0, now_ms=county.clock.now_ms, new_id=a_household_id,
        )  # fmt: skip
    assert refused.value.error.code == "held_by_other"
    county.unlink_all()
    assert [a.code or "held" for a in county.hold(rival, 2, firm=1)] == ["held"]


def test_one_person_is_revealed_once(county: County) -> None:
    one, other = twice(county)
    county.unlink_all()
    county.approve(one, other)
    pulled = county.listed()
    county.reveal(pulled, 1)
    with pytest.raises(ChushanError):
        county.reveal(pulled, 2)
    county.decide(one, other)
    county.reveal(pulled, 2)
    with reading(county.engine) as conn:
        from server.storage.labour import pulls_of_county

        [row] = pulls_of_county(conn, WANGMO)
    assert (row.rows, row.reveals) == (1, 1)


# Who learns what --------------------------------------------------------------------------------


def test_a_phone_learns_of_a_registration_elsewhere_that_it_exists_and_no_more(
    county: County,
) -> None:
    near = a_phone(county.app, county.engine, scope=VILLAGE[:9])
    one, other = twice(county)
    rows = near.pull()
    assert rows["person", one.member]["registrations"] == 2
    assert not any(other.member in str(entry) for entry in rows.items())
    assert not any(other.household in str(entry) for entry in rows.items())
    county.unlink_all()
    again = near.pull()["person", one.member]
    assert (again["registrations"], again.get("person_id")) == (1, None)


def test_an_older_phone_is_told_as_well(county: County) -> None:
    one, _ = twice(county)
    assert county.phone.pull(schema=1)["person", one.member]["registrations"] == 2


def test_a_person_follows_a_household_that_moves(county: County) -> None:
    one, _other = twice(county)
    far = a_phone(county.app, county.engine, scope=OTHER_TOWNSHIP_VILLAGE[:9])
    far.pull()
    county.edit("household", one.household, village_code=OTHER_TOWNSHIP_VILLAGE)
    assert far.pull()["person", one.member]["registrations"] == 2


def test_a_batch_that_brings_both_registrations_links_them(county: County) -> None:
    number = an_id_number()
    edits = [e for _ in range(2) for e in a_family(id_no=number).edits]
    batch = [Change(i, kind, rid, 0, county.clock.now_ms, values)
             for i, (kind, rid, values) in enumerate(edits, start=1)]  # fmt: skip
    county.phone.push(batch)
    assert len(county.links()) == 1


def test_whom_many_resemble_is_neither_joined_with_all_nor_asked_about_without_end(
    county: County,
) -> None:
    """Eighty lists with one child of one name and birthday are a mistake of the register."""
    for _ in range(10):
        county.register(**NO_NUMBER, name="岑小山")
    in_person: dict[str, int] = {}
    for row in county.phone.pull_all().values():
        if row.get("person_id"):
            in_person[row["person_id"]] = in_person.get(row["person_id"], 0) + 1
    assert 1 < max(in_person.values()) <= persons.MOST_REGISTRATIONS
    assert len(county.pairs()) <= 10 * MOST_PROPOSED
