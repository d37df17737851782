"""The phone's database file: durability, threads, an older file."""

import sqlite3
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from phones import VILLAGE, a_submitted_household, a_visit

from mobile.storage import records, search
from mobile.storage.database import PhoneFull, Store, get, open_store, put, tick


def test_every_commit_is_synced_to_the_disk(store: Store) -> None:
    assert store.connection.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL
    assert store.connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_screen_and_sync_write_at_the_same_time_without_a_lock_error(store: Store) -> None:
    failures: list[BaseException] = []

    def write(name: str) -> None:
        try:
            visit = a_visit(store)
            for i in range(60):
                visit.household.answer("address", f"{name}{i}")
        except sqlite3.Error as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(name,)) for name in "甲乙丙丁"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(row.address for row in records.households(store)) == sorted(
        f"{name}59" for name in "甲乙丙丁"
    )


def test_a_quiet_moment_brings_the_log_into_the_file_and_people_into_the_index(
    store: Store,
) -> None:
    before = store.path.stat().st_size
    for serial in range(3):
        a_submitted_household(store, serial=100 * serial + 100)
    assert store.path.stat().st_size == before
    store.tidy()
    assert store.path.stat().st_size > before
    assert search.find_people(store.connection, "wzm")
    count = "SELECT count(*) FROM search_waiting"
    assert store.connection.execute(count).fetchone()[0] == 0
    store.connection.execute("INSERT INTO member (id, name) VALUES ('x', '石大山')")
    store.tidy()  # too little to be worth it
    assert store.connection.execute(count).fetchone()[0] == 1


def test_a_quiet_moment_on_a_full_phone_says_nothing_and_loses_nothing(store: Store) -> None:
    for serial in range(30):
        a_submitted_household(store, serial=10 * serial + 100)
    pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
    store.connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(PhoneFull), store.writing():
        search.index_waiting(store.connection)
    store.tidy()
    assert len(search.find_people(store.connection, "wzm")) == 30


def test_transaction_that_fails_leaves_nothing(store: Store) -> None:
    class UnforeseenError(Exception):
        pass

    try:
        with store.writing() as connection:
            connection.execute("INSERT INTO division VALUES ('522326001001', '河东', 5)")
            raise UnforeseenError
    except UnforeseenError:
        pass
    assert store.connection.execute("SELECT count(*) FROM division").fetchone()[0] == 0
    assert not store.connection.in_transaction


def test_time_of_edits_never_goes_back_with_the_clock(tmp_path: Path) -> None:
    clock = iter([1000, 500, 2000])
    store = open_store(tmp_path / "p.db", clock=lambda: next(clock))
    with store.writing() as connection:
        times = [tick(connection, store.clock) for _ in range(3)]
    assert times == [1000, 1001, 2000]
    store.close()


def test_file_of_an_older_app_opens_with_its_outbox_full(tmp_path: Path) -> None:
    path = tmp_path / "p.db"
    store = open_store(path)
    household_id = a_submitted_household(store)
    before = records.bundle(store, household_id)
    incarnation = get(store.connection, "incarnation")
    with store.writing() as connection:
        # An older app did not know these columns.
        connection.execute("ALTER TABLE member DROP COLUMN work_channel")
        connection.execute("ALTER TABLE outbox DROP COLUMN note")
    store.close()
    newer = open_store(path)
    assert records.bundle(newer, household_id) == before
    assert get(newer.connection, "incarnation") == incarnation
    assert newer.connection.execute("SELECT count(*) FROM outbox").fetchone()[0] == 8
    visit = a_visit(newer, household_id)
    assert visit.recall()
    assert visit.submit().submitted
    newer.close()


def laid_out(store: Store) -> list[tuple[str, ...]]:
    """Return every table, index and trigger as it is declared."""
    rows = store.connection.execute("SELECT type, name, sql FROM sqlite_master")
    return sorted(tuple(row) for row in rows if row["sql"])


OLDER = (
    *(f"DROP TRIGGER search_{deed}" for deed in ("born", "changed", "gone")),
    "DROP TABLE search_waiting",
    "CREATE TABLE search_stale (member_id TEXT PRIMARY KEY, name, id_no, phone, deleted)",
    "CREATE TRIGGER search_insert AFTER INSERT ON member"
    " BEGIN INSERT INTO search_stale (member_id) SELECT new.id; END",
    "CREATE UNIQUE INDEX idx_outbox_incarnation_n ON outbox (incarnation, n)",
    "CREATE INDEX idx_draft_household_id ON draft (household_id)",
    "CREATE INDEX idx_member_household_id ON member (household_id)",
    "PRAGMA user_version = 0",
)
"""What the first app had: indexes of sqlite-utils, and nobody who waited to be searched."""


@pytest.mark.parametrize("key", [None, bytes(range(32))], ids=["plain", "encrypted"])
def test_indexes_of_an_older_app_give_way_to_todays_or_stay_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: bytes | None
) -> None:
    store = open_store(tmp_path / "p.db", key=key)
    todays = laid_out(store)
    household_id = a_submitted_household(store)
    with store.writing() as connection:
        search.index_waiting(connection)
    before = records.bundle(store, household_id)
    for kind, name, _ in todays:
        if kind == "index":
            store.connection.execute(f'DROP INDEX "{name}"')
    for statement in OLDER:
        store.connection.execute(statement)
    olds = laid_out(store)
    store.close()

    class PowerOutError(BaseException):
        pass

    def stops(_: object) -> None:
        raise PowerOutError

    with monkeypatch.context() as patch:
        patch.setattr(search, "prepare", stops)
        with pytest.raises(PowerOutError):
            open_store(tmp_path / "p.db", key=key)
    bare = Store(tmp_path / "p.db", lambda: 0, key)
    assert laid_out(bare) == olds
    bare.close()
    store = open_store(tmp_path / "p.db", key=key)
    assert laid_out(store) == todays
    assert records.bundle(store, household_id) == before
    assert [found.household_id for found in search.find_people(store.connection, "wzm")] == [
        household_id
    ]
    store.close()


def test_a_list_reads_its_index_and_not_the_records(store: Store) -> None:
    asked: list[str] = []
    store.connection.set_trace_callback(asked.append)
    records.households(store, VILLAGE)
    records.villages(store)
    records.last_touched(store)
    store.connection.set_trace_callback(None)
    read = [
        row["detail"]
        for statement in asked
        if statement.startswith("SELECT")
        for row in store.connection.execute(f"EXPLAIN QUERY PLAN {statement}")
    ]
    long = [line for line in read if line.split()[1] in ("h", "m", "outbox")]
    assert {line.split()[1] for line in long} == {"h", "m", "outbox"}
    assert [line for line in long if "COVERING INDEX" not in line] == []


def test_store_closed_while_another_thread_reads_ends_that_thread_and_no_process(
    tmp_path: Path,
) -> None:
    came: list[type[Exception]] = []
    began = threading.Event()
    store = open_store(tmp_path / "closing.db", key=bytes(32))

    def read() -> None:
        try:
            while True:
                with store.writing() as connection:
                    for number in connection.execute(
                        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000)"
                        " SELECT i FROM n"
                    ):
                        put(connection, "read", number["i"])
                        began.set()
        except Exception as error:
            came.append(type(error))

    thread = threading.Thread(target=read)
    thread.start()
    assert began.wait(10)
    store.close()
    thread.join(10)

    assert not thread.is_alive()
    assert [error.__name__ for error in came] in (["OperationalError"], ["StoreClosed"])
    again = open_store(tmp_path / "closing.db", key=bytes(32))
    assert get(again.connection, "read", 3000) == 3000  # a whole transaction or none
    again.close()


def test_connection_of_a_thread_that_ended_is_not_kept(store: Store) -> None:
    def use() -> None:
        get(store.connection, "incarnation")

    for _ in range(9):
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
    open_files = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the listing's own
            open_files.append(link.readlink())

    assert open_files.count(store.path) <= 3


def test_an_ordinary_start_does_without_sqlite_utils(tmp_path: Path) -> None:
    path = tmp_path / "phone.db"
    open_store(path).close()
    code = (
        "import sys; from mobile.storage.database import open_store;"
        " open_store(sys.argv[1]).close(); print('sqlite_utils' in sys.modules)"
    )
    again = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert again.stdout.strip() == "False"
