"""A cadre learns that the county has joined one of his registrations with another."""

from __future__ import annotations

from pathlib import Path

from phones import COUNTY, VILLAGE, County, a_submitted_household, a_visit, sync
from sqlalchemy import select

from mobile.forms.matters import matters
from mobile.storage.database import open_store
from server.services.join_households import Decision, decide_households, take_apart
from server.services.persons import unlink
from server.storage.engine import reading, writing
from server.storage.tables import person_link


def unlink_all(county: County) -> None:
    with reading(county.engine) as conn:
        query = select(person_link.c.id).where(person_link.c.withdrawn_at_ms.is_(None))
        links = list(conn.execute(query).scalars())
    for link in links:
        with writing(county.engine) as conn:
            unlink(
                conn, COUNTY, link, user=county.reviewer, now_ms=county.server.now_ms(),
                new_id=county.server.new_id,
            )  # fmt: skip


def test_a_family_that_two_cadres_registered_is_joined_on_both_phones_and_taken_apart(
    county: County, tmp_path: Path
) -> None:
    first = county.phone(tmp_path / "first.db", scope=VILLAGE)
    second = county.phone(tmp_path / "second.db", "cadre2", scope=VILLAGE)
    one, other = a_submitted_household(first), a_submitted_household(second)
    assert not sync(first).is_repaired
    assert not sync(second).is_repaired
    for phone, household in ((first, one), (second, other)):
        assert not sync(phone).is_repaired
        joined = a_visit(phone, household).registered_elsewhere
        named = {m.values["name"] for m in a_visit(phone, household).members
                 if m.record_id in joined}  # fmt: skip
        # The child has no number, but his name, birthday, village and place in the family.
        assert named == {"韦正明", "岑秀兰", "罗阿妹", "韦小军"}
        assert set(joined.values()) == {1}
    unlink_all(county)
    for phone, household in ((first, one), (second, other)):
        assert not sync(phone).is_repaired
        assert a_visit(phone, household).registered_elsewhere == {}
        phone.close()


def test_a_phone_from_before_persons_fetches_them_once(county: County, tmp_path: Path) -> None:
    first = county.phone(tmp_path / "first.db", scope=VILLAGE)
    second = county.phone(tmp_path / "second.db", "cadre2", scope=VILLAGE)
    one = a_submitted_household(first)
    a_submitted_household(second)
    sync(first)
    sync(second)
    sync(first)
    first.connection.execute("DROP TABLE person")
    assert not sync(first).is_repaired
    first.close()
    first = open_store(tmp_path / "first.db")
    assert a_visit(first, one).registered_elsewhere == {}
    assert sync(first).is_repaired
    assert len(a_visit(first, one).registered_elsewhere) == 4
    assert not sync(first).is_repaired
    for phone in (first, second):
        phone.close()


def test_the_cadre_of_a_list_that_is_counted_with_another_is_told_and_goes_on(
    county: County, tmp_path: Path
) -> None:
    first = county.phone(tmp_path / "first.db", scope=VILLAGE)
    second = county.phone(tmp_path / "second.db", "cadre2", scope=VILLAGE)
    one, other = a_submitted_household(first), a_submitted_household(second)
    sync(first)
    sync(second)
    who = {
        "user": county.reviewer,
        "now_ms": county.server.now_ms(),
        "new_id": county.server.new_id,
    }
    with writing(county.engine) as conn:
        decide_households(conn, COUNTY, (one, other), Decision("one", stays=one), **who)
    assert not sync(second).is_repaired
    [said] = matters(a_visit(second, other))
    assert said.kind == "listed_twice"
    assert "韦正明" in said.lines[0]
    visit = a_visit(second, other)
    visit.household.answer("address", "岩脚组3号")
    for hit in visit.submit().problems:  # his people stand on the other list too
        visit.accept_warning(hit, "县里知道")
    assert visit.submit().submitted
    assert not sync(second).is_repaired
    assert matters(a_visit(second, other)) == [said]
    sync(first)
    assert matters(a_visit(first, one)) == []
    with writing(county.engine) as conn:
        take_apart(conn, COUNTY, (one, other), **who)
    assert not sync(second).is_repaired
    assert matters(a_visit(second, other)) == []
    for phone in (first, second):
        phone.close()
