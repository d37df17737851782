"""The database's encryption: connections that hold the key, and the upgrade of a plain file.

On a phone Python's own sqlite3 is built with SQLite3 Multiple Ciphers (mobile/recipes/sqlite3); on
a PC the sqlcipher3 wheel brings a SQLite of its own. Both write SQLCipher's format of version 4
with a raw key, so that either reads the other's file: tests/mobile/test_encryption.py.
"""

from __future__ import annotations

import os
import sqlite3
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

KEY_BYTES = 32
_PLAIN = b"SQLite format 3\0"


class WrongKey(Exception):  # noqa: N818 - named after what it is
    """The file does not open with this key."""


class NoCipher(Exception):  # noqa: N818
    """This Python has neither a sqlite3 that encrypts nor sqlcipher3: personal data is not stored plain."""


def is_plain(path: Path) -> bool:
    """Tell whether a file is a database that anybody can read; a missing one is not."""
    try:
        with path.open("rb") as file:
            return file.read(len(_PLAIN)) == _PLAIN
    except FileNotFoundError:
        return False


def connect_encrypted(path: Path, key: bytes, *, timeout_s: float) -> Any:
    """Return a connection that reads and writes with the key; WrongKey where the file has another.

    It is a `sqlite3.Connection`, or the same by sqlcipher3, whose errors are not sqlite3's: see
    `database_errors`.
    """
    if len(key) != KEY_BYTES:
        raise WrongKey("a key has 32 bytes")
    driver = _driver()
    # A store is closed from one thread, so a connection may be closed by another than its own.
    connection = driver.connect(
        path, timeout=timeout_s, isolation_level=None, check_same_thread=False
    )
    try:
        for pragma in _PRAGMAS[driver.__name__]:
            connection.execute(pragma)
        connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except driver.OperationalError:
        connection.close()
        raise
    except driver.DatabaseError as error:  # "file is not a database"
        connection.close()
        raise WrongKey(str(path.name)) from error
    connection.row_factory = driver.Row
    # Else the phone's library writes what a statement may have to take back into a file of its own,
    # and nothing enciphers that one.
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


_PRAGMAS = {
    # The format is named, since each library's default may change with its next version.
    "sqlite3": ("PRAGMA cipher = 'sqlcipher'", "PRAGMA legacy = 4"),
    # A wrong key is an answer here, and need not be told on stderr.
    "sqlcipher3.dbapi2": ("PRAGMA cipher_log_level = NONE", "PRAGMA cipher_compatibility = 4"),
}


@cache
def _driver() -> ModuleType:
    probe = sqlite3.connect(":memory:")
    try:
        probe.execute("SELECT sqlite3mc_version()")
    except sqlite3.OperationalError:
        pass
    else:
        return sqlite3
    finally:
        probe.close()
    try:
        from sqlcipher3 import dbapi2  # not on a phone, where the answer stands above
    except ImportError as error:
        raise NoCipher from error
    driver: ModuleType = dbapi2
    return driver


def database_errors() -> tuple[type[Exception], ...]:
    """Return the errors by which a database says that it cannot do its work just now."""
    try:
        return tuple({sqlite3.OperationalError, _driver().OperationalError})
    except NoCipher:
        return (sqlite3.OperationalError,)


class NotTheSame(Exception):  # noqa: N818
    """The encrypted copy differs from the plain database; the plain one stays."""


def encrypt(path: Path, key: bytes) -> None:
    """Replace a plain database by the same one encrypted. Killed anywhere, one of the two is there.

    Flash memory may keep old pages of the plain file for a while: no program can prevent it.
    """
    fresh = path.with_name(path.name + ".encrypting")
    _remove(fresh)
    plain = sqlite3.connect(path, isolation_level=None)
    try:
        # What stands in the log goes into the file, and the log is deleted: the encrypted file must
        # not find a plain one beside it.
        plain.execute("PRAGMA journal_mode = DELETE").fetchone()
    finally:
        plain.close()
    copy = connect_encrypted(fresh, key, timeout_s=0)
    try:
        copy.execute("PRAGMA journal_mode = DELETE").fetchone()
        copy.execute("ATTACH ? AS plain KEY ''", (str(path),))
        _copy(copy)
        _compare(copy)
    finally:
        copy.close()
    _sync(fresh)
    fresh.replace(path)
    _sync(path.parent)


def _copy(connection: Any) -> None:
    declared = connection.execute(
        "SELECT type, name, sql FROM plain.sqlite_master"
        " WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    connection.execute("BEGIN")
    for row in declared:
        if row["type"] == "table":
            connection.execute(row["sql"])
            connection.execute(
                f'INSERT INTO main."{row["name"]}" SELECT * FROM plain."{row["name"]}"'  # noqa: S608
            )
    # After the rows: triggers would write rows of their own.
    for row in declared:
        if row["type"] != "table":
            connection.execute(row["sql"])
    version = connection.execute("PRAGMA plain.user_version").fetchone()[0]
    connection.execute(f"PRAGMA main.user_version = {int(version)}")
    connection.execute("COMMIT")


def _compare(connection: Any) -> None:
    if connection.execute("PRAGMA main.integrity_check").fetchone()[0] != "ok":
        raise NotTheSame("integrity_check")
    declared = "SELECT type, name, sql FROM {}.sqlite_master ORDER BY type, name"
    ours, theirs = (
        [tuple(row) for row in connection.execute(declared.format(side)).fetchall()]
        for side in ("main", "plain")
    )
    if ours != theirs:
        raise NotTheSame("sqlite_master")
    for kind, name, _ in ours:
        if kind != "table":
            continue
        for one, other in (("main", "plain"), ("plain", "main")):
            differing = connection.execute(
                f'SELECT 1 FROM (SELECT * FROM {one}."{name}" EXCEPT SELECT * FROM {other}."{name}")'  # noqa: S608
            ).fetchone()
            if differing is not None:
                raise NotTheSame(name)
        counts = [
            connection.execute(f'SELECT count(*) FROM {side}."{name}"').fetchone()[0]  # noqa: S608
            for side in ("main", "plain")
        ]
        if counts[0] != counts[1]:
            raise NotTheSame(name)


def _remove(path: Path) -> None:
    for name in (path.name, path.name + "-journal", path.name + "-wal", path.name + "-shm"):
        path.with_name(name).unlink(missing_ok=True)


def _sync(path: Path) -> None:
    if os.name != "posix" and path.is_dir():
        return
    opened = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
