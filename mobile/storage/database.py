"""The phone's database file: opening it, its tables, its transactions.

A record table has the declared fields as columns. They hold what is displayed: the county's values
(`server`, the shadow) with this phone's own submits over them that the county has not yet shown
back. Drafts are apart and lie over both.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mobile.storage.cipher import connect_encrypted, encrypt, is_plain
from shared_schemas import SCHEMA_VERSION, ids
from shared_schemas.fields import Declared
from shared_schemas.records import RecordKind, record_kinds
from shared_schemas.upgrade import row_up, up

BUSY_TIMEOUT_S = 30
"""How long a thread waits for another one's writing; the screens' own thread waits less (`Store.wait_at_most`)."""


MOST_UNTIDY = 200
"""Rows written, those of one visit about, before a quiet moment is used to put them in order."""


def now_ms() -> int:
    """Return the phone's clock, UTC epoch milliseconds."""
    return time.time_ns() // 1_000_000


class PhoneFull(Exception):  # noqa: N818 - named after what the cadre meets
    """The phone has no room left: what was being written is not stored, all else is as it was."""


class PhoneBusy(sqlite3.OperationalError):
    """Another part of the app kept writing for as long as this waits: nothing is stored, try again."""


class StoreClosed(RuntimeError):  # noqa: N818
    """The database was closed while a thread still worked with it: the app ends."""


class Store:
    """The open database. May be used from several threads; each gets a connection of its own."""

    def __init__(self, path: Path, clock: Callable[[], int], key: bytes | None = None) -> None:
        self.path = path
        self.clock = clock
        self._key = key
        self.sync_lock = threading.Lock()
        """Held while a sync runs: one at a time."""
        self.is_closed = False
        self._of_thread = threading.local()
        self._tidied_at = 0
        self._opened: dict[threading.Thread, sqlite3.Connection] = {}
        self._opening = threading.Lock()

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection, outside a transaction unless one was opened; StoreClosed."""
        if self.is_closed:
            raise StoreClosed
        connection: sqlite3.Connection | None = getattr(self._of_thread, "connection", None)
        if connection is None:
            connection = self._of_thread.connection = self._open()
        return connection

    def _open(self) -> sqlite3.Connection:
        connection: sqlite3.Connection = (
            _connect(self.path)
            if self._key is None
            else _prepared(connect_encrypted(self.path, self._key, timeout_s=BUSY_TIMEOUT_S))
        )
        with self._opening:
            if self.is_closed:
                connection.close()
                raise StoreClosed
            for thread in [each for each in self._opened if not each.is_alive()]:
                self._opened.pop(thread).close()
            self._opened[threading.current_thread()] = connection
        return connection

    def wait_at_most(self, seconds: float) -> None:
        """Let this thread wait less, or more, for another one's writing before it is PhoneBusy."""
        self.connection.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Open a transaction that may write; it commits at the end and rolls back on an error.

        BEGIN IMMEDIATE: the screen and a sync share the file, and a deferred transaction that
        turns from reading to writing fails "database is locked" beside another one. PhoneFull where
        there is no room for it, PhoneBusy where a sync does not let go.
        """
        connection = self.connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            _index_people(connection)
            connection.execute("COMMIT")
        except BaseException as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if getattr(error, "sqlite_errorcode", None) in _NO_ROOM:
                raise PhoneFull from error
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
                raise PhoneBusy from error
            raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Open a transaction that sees one state of the database."""
        connection = self.connection
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.execute("ROLLBACK")

    def tidy(self) -> None:
        """Do in a quiet moment what would else come upon the cadre in the middle of a hand-in.

        The log goes into the file, which SQLite does when it has 1,000 pages, each of them to be
        deciphered and enciphered; and who waits to be searched goes into the index. On a full or
        busy phone neither is done, and nothing is said: nobody asked for it.
        """
        connection = self.connection
        if connection.total_changes - self._tidied_at < MOST_UNTIDY:
            return
        # Late: search needs pinyin, and this module is what it stands on.
        from mobile.storage.cipher import database_errors
        from mobile.storage.search import index_waiting

        with suppress(PhoneFull, *database_errors()):
            with self.writing():
                index_waiting(connection)
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        self._tidied_at = connection.total_changes

    def cadre(self) -> str:
        """Return the name of the cadre whom the phone belongs to, empty before the first sync."""
        return str(get(self.connection, "cadre", ""))

    def office_phone(self) -> str | None:
        """Return the number at which the cadre's office is reached, None when the county gave none."""
        return get(self.connection, "office_phone")

    def scope(self) -> str:
        """Return the division prefix that the phone may see, empty before the first sync."""
        return str(get(self.connection, "scope", ""))

    def close(self) -> None:
        """Close the database. Another thread that works with it is interrupted, and its work undone."""
        with self._opening:
            self.is_closed = True
            for thread, connection in self._opened.items():
                if thread is threading.current_thread() or not thread.is_alive():
                    connection.close()
                else:
                    # Closed here, it would be pulled from under a statement that runs there; its
                    # thread lets go of it when it ends.
                    connection.interrupt()
            self._opened.clear()


def _index_people(connection: sqlite3.Connection) -> None:
    # Late: search needs pinyin, and this module is what it stands on.
    from mobile.storage.search import follow

    follow(connection)


_NO_ROOM = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_SHMOPEN,
)
"""What SQLite says where a file cannot grow: the database, its log, or the log's index."""


def open_store(
    path: str | Path,
    *,
    key: bytes | None = None,
    clock: Callable[[], int] = now_ms,
    no_backup_path: Path | None = None,
) -> Store:
    """Open the database; it is made or migrated where it is new or of an older app.

    With its key (`mobile.storage.key`) it is encrypted; a plain one of an older app is encrypted
    first. The app never opens it without, but for a developer who asked for `--plain`; tests may.
    `no_backup_path` names a file that backups of the phone leave out. Where it disagrees with the
    database, this is a restored or copied phone, and it takes a new incarnation (sync.md 3.7).
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if key is not None and is_plain(path):
        encrypt(path, key)
    store = Store(path, clock, key)
    with store.writing() as connection:
        _migrate(connection)
        if no_backup_path is not None:
            _compare_incarnation(connection, no_backup_path)
    if no_backup_path is not None:
        no_backup_path.parent.mkdir(parents=True, exist_ok=True)
        no_backup_path.write_text(get(store.connection, "incarnation"))
    return store


def _connect(path: Path) -> Any:
    # A store is closed from one thread, so a connection may be closed by another than its own.
    connection = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    connection.row_factory = sqlite3.Row
    return _prepared(connection)


def _prepared(connection: Any) -> Any:
    connection.execute("PRAGMA journal_mode=WAL")
    # NORMAL may lose the last commits when the battery is pulled out.
    connection.execute("PRAGMA synchronous=FULL")
    # A page that fell out of the cache is decrypted anew: 8 MiB, SQLite's own 2 are soon full.
    connection.execute("PRAGMA cache_size = -8192")
    return connection


def get(connection: sqlite3.Connection, key: str, default: Any = None) -> Any:
    """Return what is kept under a key of `meta`."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return default if row is None else json.loads(row["value"])


def put(connection: sqlite3.Connection, key: str, value: Any) -> None:
    """Keep a JSON value under a key of `meta`."""
    # Not OR REPLACE: that writes a new row, and with it a page of the keys' index.
    connection.execute(
        "INSERT INTO meta (key, value) VALUES (?, ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, dumps(value)),
    )


def dumps(value: Any) -> str:
    """Return compact JSON."""
    return _compact(value)


_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def tick(connection: sqlite3.Connection, clock: Callable[[], int]) -> int:
    """Return the time of an edit: the clock, but always later than the edit before."""
    at_ms = max(clock(), int(get(connection, "last_at_ms", 0)) + 1)
    put(connection, "last_at_ms", at_ms)
    return at_ms


COLUMN_TYPES = {"TEXT": str, "INTEGER": int, "JSON": str}


def encode(declared: Declared, value: Any) -> Any:
    """Return a field's value as its column holds it; a value of a newer app's type is kept as JSON."""
    if declared.column == "JSON" or isinstance(value, list | dict):
        return None if value is None else dumps(value)
    return value


def decode(declared: Declared, stored: Any) -> Any:
    """Return a field's value from its column."""
    if stored is None:
        return None
    if declared.column == "JSON":
        return json.loads(stored)
    return bool(stored) if declared.widget == "flag" and stored in (0, 1) else stored


TABLES: dict[str, tuple[dict[str, type], tuple[str, ...]]] = {
    # Values of edits of the open visits, one row for each touched field. `epoch` and `base` say
    # which version of the record was on the screen.
    "draft": (
        {
            "record_id": str,
            "field": str,
            "kind": str,
            "household_id": str,
            "value": str,
            "epoch": str,
            "base": int,
            "at_ms": int,
        },
        ("record_id", "field"),
    ),
    # Submitted changes. `state`: waiting (may be recalled), sent (n given, no answer yet), acked.
    # `covered`: the county's own row has shown the change back, or decided over it. `resolution` and
    # `note`: how the county settled a held change, and its words when it closed it. `schema`: under
    # which the values were written; they are sent as they are, whatever the app is by then.
    "outbox": (
        {
            "id": int,
            "incarnation": str,
            "n": int,
            "kind": str,
            "record_id": str,
            "household_id": str,
            "epoch": str,
            "base": int,
            "at_ms": int,
            "schema": int,
            "values": str,
            "state": str,
            "outcome": str,
            "reason": str,
            "resolution": str,
            "note": str,
            "seq": int,
            "covered": int,
            "answered_at_ms": int,
        },
        ("id",),
    ),
    "review": (
        {
            "household_id": str,
            "seq": int,
            "generation": int,
            "state": str,
            "comments": str,
            "decided_at_ms": int,
            "same_as": str,
        },
        ("household_id",),
    ),
    "conflict": (
        {
            "id": str,
            "seq": int,
            "generation": int,
            "household_id": str,
            "state": str,
            "values": str,
        },
        ("id",),
    ),
    # Registrations that the county has found to be of one person with another, perhaps elsewhere.
    "person": (
        {
            "member_id": str,
            "seq": int,
            "generation": int,
            "household_id": str,
            "person_id": str,
            "registrations": int,
        },
        ("member_id",),
    ),
    "division": ({"code": str, "name": str, "level": int}, ("code",)),
    # The index of who is registered in the county; `number`: the last change that is in the page.
    "county_index": ({"page": int, "number": int, "data": bytes}, ("page",)),
    # The question that was open in each visit; `open` marks the visit to reopen at start.
    "position": (
        {
            "household_id": str,
            "village_code": str,
            "record_id": str,
            "group_name": str,
            "field": str,
            "open": int,
        },
        ("household_id",),
    ),
}


LAYOUT = 1
"""Of the indexes; the file's user_version says which it has, and gets today's when it is opened."""

# A touch and a submit wait for each page that they write, and for its encryption: an index is here
# that saves more. Lists read theirs alone and not the records, which are ten times as long. Drafts
# are few and are read whole.
_INDEXES = {
    "outbox": {
        "outbox_numbered": "(incarnation, n) WHERE n IS NOT NULL",
        "outbox_of_record": "(record_id)",
        "outbox_in_state": "(state)",
        "outbox_listed": "(household_id, covered, state, outcome, at_ms)",
    },
    "conflict": {"conflict_of_household": "(household_id)"},
    "household": {
        "household_listed": "(village_code, id, group_no, address, phone, survey_date,"
        " head_member_id, deleted)",
        "household_called": "(phone) WHERE phone IS NOT NULL",
    },
    "member": {
        "member_listed": "(household_id, id, name, relation, deleted)",
        "member_numbered": "(id_no) WHERE id_no IS NOT NULL",
        "member_called": "(phone) WHERE phone IS NOT NULL",
    },
}


def _make_indexes(connection: sqlite3.Connection) -> None:
    present = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    ).fetchall()
    for row in present:
        connection.execute(f'DROP INDEX "{row["name"]}"')
    wanted = {
        kind.name: {f"{kind.name}_of_household": "(household_id)"}
        for kind in record_kinds()
        if "household_id" in kind.fields
    } | _INDEXES
    for table, indexes in wanted.items():
        for name, columns in indexes.items():
            unique = "UNIQUE" if name == "outbox_numbered" else ""
            connection.execute(f'CREATE {unique} INDEX "{name}" ON "{table}" {columns}')
    connection.execute(f"PRAGMA user_version = {LAYOUT}")


def _migrate(connection: sqlite3.Connection) -> None:
    from mobile.storage import search

    is_complete = _has_all_tables(connection)
    if not is_complete:
        _make_tables(connection)
    if not is_complete or connection.execute("PRAGMA user_version").fetchone()[0] != LAYOUT:
        _make_indexes(connection)
    search.prepare(connection)
    schema = get(connection, "schema")
    if schema != SCHEMA_VERSION:
        _lift(connection, schema)
        # The county has more to say to a newer app: it did not send what the older one did not know.
        put(connection, "cursor", None)
        put(connection, "schema", SCHEMA_VERSION)


def _has_all_tables(connection: sqlite3.Connection) -> bool:
    """Tell whether every table has its columns, as at every start but the first of an app's version."""
    present: dict[str, set[str]] = {}
    for table, column in connection.execute(
        "SELECT t.name, c.name FROM sqlite_master t, pragma_table_info(t.name) c"
        " WHERE t.type = 'table'"
    ):
        present.setdefault(table, set()).add(column)
    declared = {name: set(columns) for name, (columns, _) in TABLES.items()}
    declared |= {kind.name: set(kind.fields) for kind in record_kinds()}
    return "meta" in present and all(
        columns <= present.get(name, set()) for name, columns in declared.items()
    )


def _make_tables(connection: sqlite3.Connection) -> None:
    # Late: 0.2 s and 15 MiB on a phone, spent only where something is to be made.
    from sqlite_utils import Database

    db = Database(connection)
    names = set(db.table_names())
    if "meta" not in names:
        db.table("meta").create({"key": str, "value": str}, pk="key")
        put(connection, "incarnation", ids.incarnation_id(secrets.randbits(64)))
        put(connection, "schema", SCHEMA_VERSION)
    for name, (columns, key) in TABLES.items():
        if name not in names:
            db.table(name).create(columns, pk=key if len(key) > 1 else key[0])
        else:
            _add_columns(db, name, columns)
    for kind in record_kinds():
        _migrate_kind(db, kind, is_new=kind.name not in names)


def _migrate_kind(db: Any, kind: RecordKind, *, is_new: bool) -> None:
    declared = {name: COLUMN_TYPES[field.column] for name, field in kind.fields.items()}
    if not is_new:
        added = _add_columns(db, kind.name, declared)
        if added:
            _fill_columns(db.conn, kind, added)
        return
    own = {"id": str, "seq": int, "server": str, "epoch": str, "generation": int}
    table = db.table(kind.name)
    table.create({**own, **declared}, pk="id", defaults={"seq": 0, "generation": 0})


def _add_columns(db: Any, table: str, columns: dict[str, type]) -> list[str]:
    present = db.table(table).columns_dict
    missing = [name for name in columns if name not in present]
    for name in missing:
        db.table(table).add_column(name, columns[name])
    return missing


def _fill_columns(connection: sqlite3.Connection, kind: RecordKind, added: list[str]) -> None:
    """Fill new columns from the shadow: the county may have sent the field before this app knew it."""
    assignments = ", ".join(f'"{name}" = ?' for name in added)
    for row in connection.execute(f'SELECT id, server FROM "{kind.name}"').fetchall():  # noqa: S608
        values = json.loads(row["server"] or "{}")
        if any(name in values for name in added):
            cells = [encode(kind.fields[name], values.get(name)) for name in added]
            connection.execute(
                f'UPDATE "{kind.name}" SET {assignments} WHERE id = ?',  # noqa: S608
                (*cells, row["id"]),
            )


def _lift(connection: sqlite3.Connection, schema: int) -> None:
    """Let the work that an older app left go on in today's schema; what is to be sent stays as it is."""
    from mobile.storage.records import refresh

    connection.execute("UPDATE outbox SET schema = ? WHERE schema IS NULL", (schema,))
    for row in connection.execute("SELECT kind, record_id, field, value FROM draft").fetchall():
        [(field, value)] = up(row["kind"], {row["field"]: json.loads(row["value"])}, schema).items()
        if field == row["field"]:
            continue
        key = (row["record_id"], row["field"])
        connection.execute(
            "UPDATE draft SET field = ?, value = ? WHERE record_id = ? AND field = ?",
            (field, dumps(value), *key),
        )
        connection.execute(
            "UPDATE position SET field = ? WHERE record_id = ? AND field = ?", (field, *key)
        )
    stale = {
        (row["kind"], row["record_id"])
        for row in connection.execute("SELECT kind, record_id FROM outbox WHERE covered = 0")
    }
    for kind in record_kinds():
        for row in connection.execute(f'SELECT id, server FROM "{kind.name}"').fetchall():  # noqa: S608
            before = json.loads(row["server"] or "{}")
            values = up(kind.name, before, schema)
            if values != before:
                connection.execute(
                    f'UPDATE "{kind.name}" SET server = ? WHERE id = ?',  # noqa: S608
                    (dumps(values), row["id"]),
                )
                stale.add((kind.name, row["id"]))
    for kind_name, record_id in stale:
        refresh(connection, kind_name, record_id)
    for row in connection.execute("SELECT household_id, comments FROM review").fetchall():
        said = {"comments": json.loads(row["comments"] or "[]")}
        connection.execute(
            "UPDATE review SET comments = ? WHERE household_id = ?",
            (dumps(row_up("review", said, schema)["comments"]), row["household_id"]),
        )
    for row in connection.execute('SELECT id, "values" FROM conflict').fetchall():
        values = row_up("conflict", json.loads(row["values"]), schema)
        connection.execute(
            'UPDATE conflict SET "values" = ? WHERE id = ?', (dumps(values), row["id"])
        )


def _compare_incarnation(connection: sqlite3.Connection, path: Path) -> None:
    try:
        outside = path.read_text().strip()
    except OSError:
        # First start, or restored to a phone that has not this file: only the latter has sent.
        outside = "" if get(connection, "next_n", 1) > 1 else get(connection, "incarnation")
    if outside != get(connection, "incarnation"):
        from mobile.storage.outbox import new_incarnation

        new_incarnation(connection)
