"""What a push wrote need not come down again: the phone reckons it, and the county's digest proves it."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from phones import VILLAGE, County, a_submitted_household, a_visit, sync

from mobile.storage import inbox, records
from mobile.storage.database import Store, get
from mobile.sync.client import Client
from server.services import receive_push
from shared_schemas import wire


@pytest.fixture
def phone(county: County, tmp_path: Path) -> Iterator[Store]:
    store = county.phone(tmp_path / "one" / "p.db")
    yield store
    store.close()


@pytest.fixture
def pulled(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Kind and id of every row that came down."""
    rows: list[tuple[str, str]] = []
    real = Client.pull

    def noting(*args: Any) -> Iterator[list[dict[str, Any]]]:
        for lines in real(*args):
            for group in (group for line in lines for group in line["groups"]):
                rows.extend((group["kind"], row[0]) for row in group["rows"])
            yield lines

    monkeypatch.setattr(Client, "pull", noting)
    return rows


def record_kinds_of(rows: list[tuple[str, str]]) -> set[str]:
    return {kind for kind, _ in rows} - {"review", "conflict", "person", "departed"}


def cells(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Return all that a phone holds of its records."""
    return {
        kind: [
            tuple(row) for row in store.connection.execute(f'SELECT * FROM "{kind}" ORDER BY id')
        ]
        for kind in ("household", "member", "intention", "consent")
    }


def test_own_records_do_not_come_down_again(
    phone: Store, county: County, tmp_path: Path, pulled: list[tuple[str, str]]
) -> None:
    household_id = a_submitted_household(phone)
    result = sync(phone)
    assert (result.sent, result.is_repaired, result.unconfirmed) == (8, False, 0)
    assert not record_kinds_of(pulled)
    for address in ("河边", None):
        visit = a_visit(phone, household_id)
        visit.household.answer("address", address)
        assert visit.submit().submitted
        assert sync(phone).sent == 1
        assert not record_kinds_of(pulled)
    # To the byte what a phone holds that pulls everything.
    with phone.writing() as connection:
        inbox.begin_full_pull(connection)
    before = cells(phone)
    assert not sync(phone).is_repaired
    assert record_kinds_of(pulled) == {"household", "member", "intention", "consent"}
    for kind, rows in cells(phone).items():
        generation = [d[0] for d in phone.connection.execute(f'SELECT * FROM "{kind}"').description]
        at = generation.index("generation")
        assert [without(row, at) for row in rows] == [without(row, at) for row in before[kind]]
    assert get(phone.connection, "held_spans") == []


def without(row: tuple[Any, ...], at: int) -> tuple[Any, ...]:
    """Return a row without one cell, and the county's values whatever their order."""
    rest = row[:at] + row[at + 1 :]
    return tuple(
        json.dumps(json.loads(cell), sort_keys=True) if str(cell).startswith("{") else cell
        for cell in rest
    )


def test_what_somebody_else_changed_meanwhile_comes_down(
    phone: Store, county: County, pulled: list[tuple[str, str]]
) -> None:
    household_id = a_submitted_household(phone)
    sync(phone)
    county.import_records([("household", household_id, {"address": "山上"})], seen=True)
    visit = a_visit(phone, household_id)
    visit.household.answer("group_no", "五组")
    assert visit.submit().submitted
    assert sync(phone).merged == 1
    assert record_kinds_of(pulled) == {"household"}
    shown = records.bundle(phone, household_id).household
    assert (shown["address"], shown["group_no"]) == ("山上", "五组")


def test_numbers_of_another_life_of_the_database_are_not_passed_over(
    phone: Store, county: County, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is copied back between push and pull, and others then get the same numbers."""
    before = tmp_path / "before.db"
    with sqlite3.connect(county.folder / "county.db") as source:
        source.execute("VACUUM INTO ?", (str(before),))
    household_id = a_submitted_household(phone)
    theirs = "0000000000abc"
    real = Client.pull

    def copied_back(*args: Any) -> Iterator[list[dict[str, Any]]]:
        monkeypatch.setattr(Client, "pull", real)
        county.engine.dispose()
        with (
            sqlite3.connect(before) as old,
            sqlite3.connect(county.folder / "county.db") as target,
        ):
            old.backup(target)
        county.engine.dispose()
        rows = [
            (theirs[:-2] + f"{i:02}", {"village_code": VILLAGE, "category": "1"}) for i in range(12)
        ]
        county.import_records([("household", row_id, values) for row_id, values in rows])
        yield from real(*args)

    monkeypatch.setattr(Client, "pull", copied_back)
    sync(phone)
    sync(phone)
    held = {row.id for row in records.households(phone)}
    assert len(held) == 13
    assert household_id in held
    assert county.values("household", household_id)


def test_a_wrong_digest_is_believed_by_nobody(
    phone: Store, county: County, monkeypatch: pytest.MonkeyPatch, pulled: list[tuple[str, str]]
) -> None:
    real = receive_push.shown_to
    monkeypatch.setattr(
        receive_push, "shown_to", lambda *args: {**(real(*args) or {}), "digest": "0" * 32}
    )
    a_submitted_household(phone)
    assert sync(phone).unconfirmed == 0
    assert record_kinds_of(pulled) == {"household", "member", "intention", "consent"}


def test_digest_tells_every_difference() -> None:
    row = ("member", "0000000000abc0001", 7, {"name": "王小河", "phone": None})
    same = ("member", "0000000000abc0001", 7, {"name": "王小河"})
    others = [
        ("household", *row[1:]),
        (row[0], "0000000000abc0002", *row[2:]),
        (*row[:2], 8, row[3]),
        (*row[:3], {"name": "王小何"}),
        (*row[:3], {"name": "王小河", "phone": "1"}),
    ]
    assert wire.rows_digest([row]) == wire.rows_digest([same])
    assert len({wire.rows_digest([one]) for one in [row, *others]}) == 6
    second = ("member", "0000000000abc0003", 9, {})
    assert wire.rows_digest([second, row]) == wire.rows_digest([row, second])
    assert wire.rows_digest([]) != wire.rows_digest([row])
