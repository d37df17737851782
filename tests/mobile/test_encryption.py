"""The phone's database is encrypted; a plain one of an older app is encrypted without losing a row."""

import hashlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
from phones import VILLAGE, a_submitted_household, a_visit

from mobile.storage import cipher, records
from mobile.storage.cipher import NotTheSame, WrongKey, encrypt, is_plain
from mobile.storage.database import PhoneFull, get, open_store

ROOT = Path(__file__).resolve().parents[2]
KEY, OTHER = bytes(range(32)), bytes(range(1, 33))


def words_in(folder: Path, *words: str) -> list[str]:
    """Return which words stand readable in any file of a folder."""
    held = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    return [word for word in words if word.encode() in held]


def test_nothing_personal_is_readable_in_any_file(tmp_path: Path) -> None:
    names = ("韦秀兰", "522399199303121129")
    for folder, key in (("plain", None), ("encrypted", KEY)):
        store = open_store(tmp_path / folder / "p.db", key=key)
        visit = a_visit(store)
        visit.household.answer("address", "韦秀兰家旁522399199303121129")
        # Looked for while it is open: the log beside the database counts too.
        found = words_in(tmp_path / folder, *names)
        assert found == (list(names) if key is None else [])
        store.close()
        assert is_plain(tmp_path / folder / "p.db") == (key is None)


def test_another_key_opens_nothing_and_harms_nothing(tmp_path: Path) -> None:
    path = tmp_path / "p.db"
    store = open_store(path, key=KEY)
    household_id = a_submitted_household(store)
    before = records.bundle(store, household_id)
    store.close()
    for key in (OTHER, b"", KEY[:31]):
        with pytest.raises(WrongKey):
            open_store(path, key=key)
    with pytest.raises(sqlite3.DatabaseError):
        open_store(path)
    again = open_store(path, key=KEY)
    assert records.bundle(again, household_id) == before
    again.close()


def test_full_phone_and_busy_database_are_told_as_before(tmp_path: Path) -> None:
    store = open_store(tmp_path / "p.db", key=KEY)
    pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
    store.connection.execute(f"PRAGMA max_page_count = {pages + 1}")
    with pytest.raises(PhoneFull), store.writing() as connection:
        connection.execute("INSERT INTO meta VALUES ('big', ?)", ("x" * 100_000,))
    assert get(store.connection, "big") is None
    with pytest.raises(cipher.database_errors()):
        store.connection.execute("SELECT * FROM no_such_table")
    store.close()


def a_plain_phone(path: Path) -> tuple[str, dict[str, object]]:
    """Make a phone of an older app: a submitted household, an open draft, an outbox."""
    store = open_store(path)
    household_id = a_submitted_household(store)
    a_visit(store).household.answer("address", "旧楼三号")
    bundle = records.bundle(store, household_id)
    store.close()
    return household_id, bundle


def contents(path: Path, key: bytes | None) -> str:
    """Return a digest of every row of every table."""
    if key is None:
        connection = sqlite3.connect(path)
    else:
        connection = cipher.connect_encrypted(path, key, timeout_s=5)
    tables = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name"
    ).fetchall()
    digest = hashlib.sha256()
    for name, sql in [tuple(row) for row in tables]:
        rows = sorted(repr(tuple(r)) for r in connection.execute(f'SELECT * FROM "{name}"'))
        digest.update(repr((sql, rows)).encode())
    connection.close()
    return digest.hexdigest()


def test_plain_database_of_an_older_app_is_encrypted_in_place(tmp_path: Path) -> None:
    path = tmp_path / "phone" / "p.db"
    household_id, bundle = a_plain_phone(path)
    digest = contents(path, None)
    encrypt(path, KEY)
    assert contents(path, KEY) == digest
    store = open_store(path, key=KEY)
    assert records.bundle(store, household_id) == bundle
    assert [row.village_code for row in records.households(store)] == [VILLAGE, VILLAGE]
    visit = a_visit(store, household_id)
    assert visit.recall()  # the outbox went with it, and the triggers still work
    assert visit.submit().submitted
    store.close()
    assert words_in(path.parent, "旧楼三号") == []
    assert [file.name for file in path.parent.iterdir()] == ["p.db"]


def test_work_in_the_log_that_was_never_checkpointed_is_encrypted_too(tmp_path: Path) -> None:
    path = tmp_path / "p.db"
    open_store(path).close()
    child = os.fork()
    if child == 0:
        store = open_store(path)
        store.connection.execute("INSERT INTO division VALUES ('522326001001', '河东', 5)")
        os.kill(os.getpid(), signal.SIGKILL)  # leaves p.db-wal behind
    os.waitpid(child, 0)
    assert path.with_name("p.db-wal").stat().st_size > 0
    store = open_store(path, key=KEY)
    assert store.connection.execute("SELECT name FROM division").fetchone()["name"] == "河东"
    store.close()


def test_copy_that_differs_is_not_put_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "p.db"
    household_id, bundle = a_plain_phone(path)
    copied = cipher._copy

    def careless(connection: object) -> None:
        copied(connection)
        connection.execute("DELETE FROM main.outbox WHERE id = 1")  # type: ignore[attr-defined]

    monkeypatch.setattr(cipher, "_copy", careless)
    with pytest.raises(NotTheSame):
        open_store(path, key=KEY)
    monkeypatch.undo()
    assert is_plain(path)
    store = open_store(path, key=KEY)
    assert records.bundle(store, household_id) == bundle
    store.close()


def test_killed_at_any_moment_of_the_upgrade_nothing_is_lost(tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    source = random.Random(seed)
    original = tmp_path / "original.db"
    a_plain_phone(original)
    filler = sqlite3.connect(original)
    filler.executemany(
        "INSERT INTO county_index VALUES (?, 1, ?)",
        [(i, source.randbytes(3000)) for i in range(1000)],
    )
    filler.commit()
    filler.close()
    digest = contents(original, None)

    def run(path: Path, after_s: float | None) -> float:
        child = os.fork()
        if child == 0:
            encrypt(path, KEY)
            os._exit(0)
        began = time.monotonic()
        if after_s is not None:
            time.sleep(after_s)
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return time.monotonic() - began

    path = tmp_path / "whole" / "p.db"
    path.parent.mkdir()
    shutil.copy(original, path)
    whole_s = run(path, None)
    was_plain = set()
    for number in range(12):
        path = tmp_path / str(number) / "p.db"
        path.parent.mkdir()
        shutil.copy(original, path)
        run(path, whole_s * source.uniform(0.0, 1.2))
        was_plain.add(is_plain(path))
        store = open_store(path, key=KEY)
        store.close()
        assert contents(path, KEY) == digest
        assert words_in(path.parent, "旧楼三号") == []
        shutil.rmtree(path.parent)
    assert True in was_plain  # else it was never killed in the middle


@pytest.mark.parametrize("deed", ["replace", "_sync", "_compare", "_copy"])
def test_ended_before_each_step_of_the_upgrade_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deed: str
) -> None:
    path = tmp_path / "p.db"
    household_id, bundle = a_plain_phone(path)

    class PowerOutError(BaseException):
        pass

    def stops(*_: object) -> None:
        raise PowerOutError

    target = Path if deed == "replace" else cipher
    with monkeypatch.context() as patch:
        patch.setattr(target, deed, stops)
        with pytest.raises(PowerOutError):
            encrypt(path, KEY)
    assert is_plain(path)
    store = open_store(path, key=KEY)
    assert records.bundle(store, household_id) == bundle
    store.close()
    assert words_in(tmp_path, "旧楼三号") == []


RECIPE = ROOT / "mobile" / "recipes" / "sqlite3"


@pytest.fixture(scope="session")
def multiple_ciphers() -> Path:
    """Build the phone's library once, with the options of its recipe; skip where it cannot be built."""
    options = (RECIPE / "options.txt").read_text().split()
    mark = hashlib.sha256(" ".join(options).encode()).hexdigest()[:12]
    folder = ROOT / "var" / "cache" / f"sqlite3mc-{mark}"
    if not (folder / "libsqlite3.so.0").exists():
        missing = [tool for tool in ("npm", "gcc") if shutil.which(tool) is None]
        if missing:
            pytest.skip(
                f"no {' and no '.join(missing)} to fetch and build SQLite3 Multiple Ciphers"
            )
        folder.mkdir(parents=True, exist_ok=True)
        packed = subprocess.run(
            ["npm", "pack", "--silent", "better-sqlite3-multiple-ciphers@12.11.1"],
            cwd=folder, capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip
        if packed.returncode != 0:
            pytest.skip("npm has no better-sqlite3-multiple-ciphers here: " + packed.stderr[-200:])
        name = "package/deps/sqlite3/sqlite3.c"
        with tarfile.open(folder / packed.stdout.strip()) as archive:
            archive.extract(name, folder, filter="data")
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        assert digest in (RECIPE / "__init__.py").read_text()  # the file that the recipe compiles
        built = folder / "libsqlite3.so.0.new"
        subprocess.run(
            ["gcc", "-O1", "-fPIC", "-shared", *options, "-o", built, folder / name,
             "-lpthread", "-ldl", "-lm"],
            timeout=300, check=True,
        )  # fmt: skip
        built.replace(folder / "libsqlite3.so.0")
    return folder


ON_THE_PHONE = """
import sqlite3, sys
from pathlib import Path
from mobile.storage.database import open_store, get, put
from mobile.storage.cipher import encrypt, _driver, WrongKey

assert _driver() is sqlite3, "not the phone's sqlite3"
path, key, deed = Path(sys.argv[1]), bytes.fromhex(sys.argv[2]), sys.argv[3]
try:
    store = open_store(path, key=key)
except WrongKey:
    print("wrong key")
    sys.exit()
if deed:
    with store.writing() as connection:
        put(connection, "said", deed)
# What a long statement may have to take back goes into no file beside the database.
with store.writing() as connection:
    connection.executemany(
        "INSERT INTO county_index VALUES (?, 1, ?)", [(i, bytes(3000)) for i in range(500)]
    )
    connection.execute("UPDATE county_index SET page = page + 1000")
    connection.execute("DELETE FROM county_index")
    opened = [fd.readlink().name for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink()]
    assert not [name for name in opened if name.startswith("etilqs")], opened
print(get(store.connection, "said"))
print(store.connection.execute("SELECT count(*) FROM outbox").fetchone()[0])
store.close()
"""


def on_the_phone(library: Path, path: Path, key: bytes, deed: str = "") -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", ON_THE_PHONE, str(path), key.hex(), deed],
        env={**os.environ, "LD_LIBRARY_PATH": str(library), "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=120, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


@pytest.mark.slow
def test_phone_and_pc_read_each_others_files(tmp_path: Path, multiple_ciphers: Path) -> None:
    # Written on a PC, read and written on a phone, read on a PC.
    pc = tmp_path / "pc.db"
    store = open_store(pc, key=KEY)
    a_submitted_household(store)
    changes = store.connection.execute("SELECT count(*) FROM outbox").fetchone()[0]
    store.close()
    assert on_the_phone(multiple_ciphers, pc, OTHER) == ["wrong key"]
    assert on_the_phone(multiple_ciphers, pc, KEY, "手机写的") == ["手机写的", str(changes)]
    store = open_store(pc, key=KEY)
    assert get(store.connection, "said") == "手机写的"
    store.close()
    # Born on a phone, read and written on a PC, read on a phone.
    phone = tmp_path / "phone.db"
    assert on_the_phone(multiple_ciphers, phone, KEY, "第一句") == ["第一句", "0"]
    assert words_in(tmp_path, "第一句", "手机写的") == []
    store = open_store(phone, key=KEY)
    assert get(store.connection, "said") == "第一句"
    a_submitted_household(store)
    store.close()
    assert on_the_phone(multiple_ciphers, phone, KEY) == ["第一句", str(changes)]
    # A plain file of an older app is encrypted by the phone's library as by the PC's.
    old = tmp_path / "old.db"
    household_id, bundle = a_plain_phone(old)
    on_the_phone(multiple_ciphers, old, KEY, "升级了")
    store = open_store(old, key=KEY)
    assert records.bundle(store, household_id) == bundle
    store.close()
