"""The phone's database file: durability, threads, an older file."""

import sqlite3
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from phones import a_submitted_household, a_visit

from mobile.storage import records
from mobile.storage.database import Store, get, open_store, put, tick


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
