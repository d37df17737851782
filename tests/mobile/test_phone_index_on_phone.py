"""A cadre is warned offline that a person is registered elsewhere in the county."""

from __future__ import annotations

from pathlib import Path

import pytest
from phones import COUNTY, VILLAGE, County, a_number, a_submitted_household, a_visit, sync
from sqlalchemy import update

from mobile.forms.record_form import RecordForm
from mobile.storage import phone_index
from mobile.storage.database import Store
from mobile.sync.phone_index import fetch_index
from server.services.phone_index import rotate
from server.storage.engine import writing
from server.storage.tables import device
from shared_schemas.phone_index import ID_NO


@pytest.fixture
def phones(county: County, tmp_path: Path) -> tuple[Store, Store]:
    """Two phones of two villages in two townships; the second one's cadre has registered a family."""
    here = county.phone(tmp_path / "here.db", scope=VILLAGE)
    there = county.phone(tmp_path / "there.db", "cadre2", scope=COUNTY)
    sync(here)
    a_submitted_household(there)
    sync(there)
    return here, there


def notices(form: RecordForm) -> dict[str, str]:
    found = {}
    for group in form.groups():
        found |= {q.name: q.notice for q in form.questions(group.name) if q.notice}
    return found


def a_stranger(store: Store, **answers: str) -> RecordForm:
    member = a_visit(store).add_member()
    for name, value in answers.items():
        member.answer(name, value)
    return member


def warned(store: Store, person: dict[str, str]) -> list[str]:
    member = a_stranger(store, id_no=person["id_no"])
    found = member.visit.registered_in(member, ID_NO)
    member.visit.discard()
    return found


def registered(store: Store) -> list[dict[str, str]]:
    rows = store.connection.execute("SELECT id_no, name, birth_date FROM member").fetchall()
    return [dict(row) for row in rows]


def test_a_number_and_a_name_of_another_cadres_family_are_noticed_offline(phones, county):
    here, there = phones
    head, other = registered(there)[:2]
    assert not warned(here, head), "nothing fetched yet"
    assert fetch_index(here)
    county.stop()
    [(name, words)] = notices(a_stranger(here, id_no=other["id_no"])).items()
    assert name == "id_no"
    assert "王母街道" in words
    by_name = a_stranger(here, name=head["name"], birth_date=head["birth_date"])
    assert notices(by_name).keys() == {"birth_date"}
    assert notices(a_stranger(here, id_no=a_number("19770707", 7), name="罗远")) == {}


def test_of_his_own_registrations_a_cadre_is_not_warned(phones):
    _, there = phones
    assert fetch_index(there)
    head = registered(there)[0]
    assert not warned(there, head)  # rule V03 says in which household he is


def test_later_registrations_come_as_changes(phones, county):
    here, there = phones
    fetch_index(here)
    a_submitted_household(there, "岑", 300)
    sync(there)
    late = registered(there)[-2]
    assert not warned(here, late)
    ask_again(here)
    kept = phone_index.state(here.connection)["generation"]
    assert warned(here, late)
    assert phone_index.state(here.connection)["generation"] == kept


def ask_again(store: Store) -> None:
    with store.writing() as connection:
        phone_index.keep_state(connection, asked_at_ms=0)
    assert fetch_index(store)


def test_the_index_is_asked_for_at_most_twice_a_day(phones, county):
    here, _ = phones
    assert fetch_index(here)
    county.stop()
    assert fetch_index(here)


def test_a_new_key_brings_another_index_and_the_same_answers(phones, county):
    here, there = phones
    fetch_index(here)
    before = phone_index.state(here.connection)
    with writing(county.engine) as conn:
        rotate(conn, COUNTY)
    ask_again(here)
    ask_again(here)
    after = phone_index.state(here.connection)
    assert after["key"] != before["key"]
    assert warned(here, registered(there)[0])


def test_what_a_cut_leaves_is_gone_on_from(phones, county, monkeypatch):
    here, there = phones
    from mobile.sync import client

    whole = client.Client.index_pages
    asked: list[int] = []

    def cut_after_three(self, generation, first, count):
        asked.append(first)
        if len(asked) == 4:
            raise client.CutShort
        return whole(self, generation, first, count)

    monkeypatch.setattr(client.Client, "index_pages", cut_after_three)
    assert not fetch_index(here)
    assert not warned(here, registered(there)[0])
    assert fetch_index(here)
    assert asked[4] == asked[3] > asked[2]
    assert warned(here, registered(there)[0])


def test_a_damaged_index_is_fetched_anew(phones):
    here, there = phones
    fetch_index(here)
    with here.writing() as connection:
        page = connection.execute(
            "SELECT page FROM county_index ORDER BY length(data) DESC"
        ).fetchone()["page"]
        empty = phone_index.pack_page([])
        connection.execute("UPDATE county_index SET data = ? WHERE page = ?", (empty, page))
    ask_again(here)
    assert all(warned(here, person) for person in registered(there) if person["id_no"])


def test_a_phone_that_was_reported_lost_lets_go_of_the_index_and_its_key(phones, county):
    here, _ = phones
    fetch_index(here)
    with writing(county.engine) as conn:
        conn.execute(update(device).values(state="lost"))
    with here.writing() as connection:
        phone_index.keep_state(connection, asked_at_ms=0)
    assert not fetch_index(here)
    assert phone_index.state(here.connection) == {}
    assert here.connection.execute("SELECT count(*) FROM county_index").fetchone()[0] == 0
