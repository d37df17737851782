"""Engines and transactions: the one place that knows SQLite from PostgreSQL.

Statements that each push or pull runs are built once, as constants or by cached functions, with
their values as parameters: SQLAlchemy takes 80–250 µs to build and look up a statement, and 20–30
to run one that it has met.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import (
    Column,
    Connection,
    Dialect,
    Engine,
    Table,
    Text,
    TypeDecorator,
    bindparam,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.dml import Insert
from sqlalchemy.sql.functions import FunctionElement

BUSY_TIMEOUT_S = 30


def open_engine(database_url: str) -> Engine:
    """Return an engine; for SQLite the folder is made and WAL with full durability is set."""
    url = make_url(database_url)
    if url.get_backend_name() != "sqlite":
        # Two workers stay below PostgreSQL's ordinary 100 connections; further threads wait a moment.
        engine = create_engine(url, pool_size=10, max_overflow=30, pool_pre_ping=True)
        event.listen(engine, "connect", _prepare_postgresql)
        return engine
    options: dict[str, Any] = {}
    if url.database not in (None, "", ":memory:"):
        Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
        # The connection that was used last has its pages in memory still. There is one for each
        # thread that reads, should all of them read at once.
        options = {"pool_use_lifo": True, "pool_size": 8, "max_overflow": 64}
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S}, **options)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_postgresql(connection: Any, _record: Any) -> None:
    # A plan that is kept for all lists of ids compares each row with each id of the list.
    connection.execute("SET plan_cache_mode = force_custom_plan")
    connection.commit()


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-8000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("may_be_lost", False):
        connection.exec_driver_sql("PRAGMA synchronous=NORMAL")
    # A deferred BEGIN fails "database is locked" when a read turns into a write under load, so a
    # transaction that will write says so from its first statement.
    writes = options.get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


_turns: WeakKeyDictionary[Engine, threading.Lock] = WeakKeyDictionary()


@contextmanager
def _turn(engine: Engine) -> Iterator[None]:
    """Let the writers of SQLite in this process wait for each other before they take a connection.

    Otherwise all of them poll for the file's lock, each with a connection and its pages, and some
    starve: of 200 phones at once a tenth was told "busy".
    """
    if engine.dialect.name != "sqlite":
        yield
        return
    lock = _turns.setdefault(engine, threading.Lock())
    if not lock.acquire(timeout=BUSY_TIMEOUT_S):
        raise PoolTimeoutError("too many writers wait")
    try:
        yield
    finally:
        lock.release()


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that may write; it commits at the end and rolls back on an error."""
    with (
        _turn(engine),
        engine.connect().execution_options(writes=True) as connection,
        connection.begin(),
    ):
        yield connection


@contextmanager
def counting(engine: Engine) -> Iterator[Connection]:
    """Open a writing transaction that does not wait for the disk: a power cut may forget it.

    For counts of calls only. The next ordinary commit makes it durable too.
    """
    with (
        _turn(engine),
        engine.connect().execution_options(writes=True, may_be_lost=True) as connection,
    ):
        try:
            with connection.begin():
                if engine.dialect.name == "postgresql":
                    connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
                yield connection
        finally:
            if engine.dialect.name == "sqlite":
                connection.connection.cursor().execute("PRAGMA synchronous=FULL")


Result = TypeVar("Result")
_ATTEMPTS = 4


def write_once(engine: Engine, work: Callable[[Connection], Result]) -> Result:
    """Run `work` in a writing transaction, again where two writers met on the same rows.

    Only a collision is tried again (a key that appeared meanwhile, a deadlock); it has left nothing
    behind, so `work` must not do anything outside of the database.
    """
    for attempt in range(_ATTEMPTS):
        try:
            with writing(engine) as conn:
                return work(conn)
        except (IntegrityError, OperationalError) as error:
            met = isinstance(error, IntegrityError) or _is_collision(error)
            if not met or attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("the last attempt returns or raises")


def is_disk_full(error: OperationalError) -> bool:
    """Tell whether the database's disk has no room left."""
    # 53100: disk_full of PostgreSQL
    return (
        getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        or getattr(error.orig, "sqlstate", None) == "53100"
    )


def _is_collision(error: OperationalError) -> bool:
    # 40001 serialisation failure, 40P01 deadlock
    return getattr(error.orig, "sqlstate", None) in ("40001", "40P01")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that sees one state of the database and writes nothing."""
    options = (
        {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        if engine.dialect.name == "postgresql"
        else {}
    )
    with engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


class in_county(FunctionElement[Any]):  # noqa: N801 - reads as a function
    """The condition that a row is of the county `:county` and a column has one of some texts.

    These travel as one value: an IN list makes another statement of each number of texts. And
    SQLite, which knows nothing of the size of a county, reads all of it unless both columns are
    looked up together.
    """

    inherit_cache = True

    def __init__(self, column: Column[Any], parameter: str) -> None:
        county = column.table.c.county
        super().__init__(
            county, bindparam("county", type_=Text), column, bindparam(parameter, type_=_Listed)
        )


class _Listed(TypeDecorator[Iterable[str]]):
    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        is_postgresql = dialect.name == "postgresql"
        return dialect.type_descriptor(postgresql.ARRAY(Text) if is_postgresql else Text())

    def process_bind_param(self, value: Iterable[str] | None, dialect: Dialect) -> Any:
        listed = sorted(value or ())
        return listed if dialect.name == "postgresql" else json.dumps(listed)


@compiles(in_county, "sqlite")
def _in_county_in_sqlite(element: in_county, compiler: Any, **options: Any) -> str:
    county, own, column, wanted = (compiler.process(c, **options) for c in element.clauses)
    each = f"SELECT {own}, value FROM json_each({wanted})"  # noqa: S608 - names and marks only
    return f"({county}, {column}) IN ({each})"


@compiles(in_county, "postgresql")
def _in_county_in_postgresql(element: in_county, compiler: Any, **options: Any) -> str:
    county, own, column, wanted = (compiler.process(c, **options) for c in element.clauses)
    return f"({county} = {own} AND {column} = ANY ({wanted}))"


def upsert(
    connection: Connection, table: Any, key: Sequence[str], *, keep: Collection[str] = ()
) -> Insert:
    """Return an INSERT that replaces the columns of the row with the same key, but those to keep."""
    return _upsert(connection.dialect.name, table, tuple(key), tuple(keep))


@cache
def _upsert(dialect: str, table: Any, key: tuple[str, ...], keep: tuple[str, ...]) -> Insert:
    insert = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    rest = {c.name: insert.excluded[c.name] for c in table.columns if c.name not in (*key, *keep)}
    return insert.on_conflict_do_update(index_elements=key, set_=rest)


def insert_or_add(connection: Connection, table: Any, key: Sequence[str], counter: str) -> Any:
    """Return an INSERT that adds to the counter of an existing row; it returns the new count."""
    return _insert_or_add(connection.dialect.name, table, tuple(key), counter)


@cache
def _insert_or_add(dialect: str, table: Any, key: tuple[str, ...], counter: str) -> Any:
    insert = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    grown = {counter: table.c[counter] + insert.excluded[counter]}
    return insert.on_conflict_do_update(index_elements=key, set_=grown).returning(table.c[counter])


def insert_many(
    connection: Connection, table: Table, names: tuple[str, ...], rows: Sequence[Sequence[Any]]
) -> None:
    """Insert rows of values that are ready for the driver (JSON as text) in the order of `names`.

    For the rows of a push: SQLAlchemy's handling of each row's parameters costs more than the
    insert itself, and on PostgreSQL the insert of each row more than COPY of all.
    """
    if not rows:
        return
    statement = _insert_statement(table, names, type(connection.dialect))
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(statement, [tuple(row) for row in rows])
        return
    driver = connection.connection.cursor()
    try:
        with driver.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except connection.dialect.loaded_dbapi.Error as error:
        # As SQLAlchemy names what its own statements meet: a collision, a full disk.
        base = connection.dialect.loaded_dbapi.Error
        raise DBAPIError.instance(statement, None, error, base) from error
    finally:
        driver.close()


@cache
def _insert_statement(table: Table, names: tuple[str, ...], dialect: type[Dialect]) -> str:
    quote = dialect().identifier_preparer.quote
    columns = ", ".join(quote(name) for name in names)
    if dialect.name == "postgresql":
        return f"COPY {quote(table.name)} ({columns}) FROM STDIN"
    marks = ", ".join(["?"] * len(names))
    return f"INSERT INTO {quote(table.name)} ({columns}) VALUES ({marks})"  # noqa: S608


def insert_ignoring(connection: Connection, table: Any) -> Insert:
    """Return an INSERT that leaves an existing row alone."""
    insert = (
        postgresql.insert(table)
        if connection.dialect.name == "postgresql"
        else sqlite.insert(table)
    )
    return insert.on_conflict_do_nothing()
