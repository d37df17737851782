"""Backup and restore: one file for both databases, all or nothing, and a new epoch."""

from __future__ import annotations

import json
import zipfile

import pytest
from builders import a_family, a_phone
from sqlalchemy import select

from server.services.backup import BackupError, make_backup, restore_backup
from server.services.upgrade import upgrade_database
from server.storage import tables
from server.storage.dump import dumped_tables, rows_of
from server.storage.engine import open_engine, reading
from server.storage.meta import epoch_of


def everything(engine):
    with reading(engine) as conn:
        found = {name: list(rows_of(conn, table)) for name, table in dumped_tables().items()}
    found["meta"] = [row for row in found["meta"] if row["key"] != "epoch"]
    return found


@pytest.fixture
def filled(app, engine):
    phone = a_phone(app, engine)
    phone.submit(a_family(skills=[{"occupation": "01", "level": "0"}]))
    phone.edit("member", a_family().member, name="held")
    return phone


@pytest.fixture
def empty(tmp_path):
    other = open_engine(f"sqlite:///{tmp_path}/other.db")
    upgrade_database(other)
    yield other
    other.dispose()


def test_a_backup_restores_into_the_other_database_as_it_was(filled, engine, empty, tmp_path):
    make_backup(engine, tmp_path / "b.zip", now_ms=1)
    counts = restore_backup(empty, tmp_path / "b.zip", replace=False)
    assert counts["change"] == 6
    assert everything(empty) == everything(engine)


def test_a_sqlite_backup_restores_into_this_database(filled, engine, empty, tmp_path):
    make_backup(engine, tmp_path / "a.zip", now_ms=1)
    restore_backup(empty, tmp_path / "a.zip", replace=False)
    make_backup(empty, tmp_path / "b.zip", now_ms=2)
    restore_backup(engine, tmp_path / "b.zip", replace=True)
    assert everything(engine) == everything(empty)


def test_after_a_restore_phones_start_over_and_send_again_what_was_lost(
    app, filled, engine, tmp_path
):
    filled.pull()
    make_backup(engine, tmp_path / "b.zip", now_ms=1)
    lost = a_family()
    late = a_phone(app, engine)
    late.submit(lost)
    with reading(engine) as conn:
        before = epoch_of(conn)
    restore_backup(engine, tmp_path / "b.zip", replace=True)
    with reading(engine) as conn:
        assert epoch_of(conn) != before
    answer = filled.client.get(f"/sync/v1/pull?cursor={filled.cursor}", headers=filled.headers)
    assert (answer.status_code, answer.json["code"]) == (409, "epoch_changed")
    # The phone that enrolled after the backup is unknown now, and is told so.
    assert late.client.get("/sync/v1/pull", headers=late.headers).json["code"] == "bad_token"
    again = filled.push([], epoch=before)
    assert again["epoch"] != before
    assert again["acked"] == 6


def test_a_restore_does_not_overwrite_unasked(filled, engine, tmp_path):
    make_backup(engine, tmp_path / "b.zip", now_ms=1)
    with pytest.raises(BackupError, match="--replace"):
        restore_backup(engine, tmp_path / "b.zip", replace=False)


def test_a_backup_does_not_overwrite_a_file(engine, tmp_path):
    path = tmp_path / "b.zip"
    path.write_text("something else")
    with pytest.raises(BackupError, match="exists"):
        make_backup(engine, path, now_ms=1)
    assert path.read_text() == "something else"


def test_a_backup_is_for_its_owner_only(engine, tmp_path):
    make_backup(engine, tmp_path / "b.zip", now_ms=1)
    assert (tmp_path / "b.zip").stat().st_mode & 0o077 == 0


def damaged(path, name, data):
    """Write a copy of a backup in which one file has other bytes."""
    other = path.with_name("damaged.zip")
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(other, "w") as copy:
        for entry in whole.namelist():
            copy.writestr(entry, data if entry == name else whole.read(entry))
    return other


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("member.ndjson", b'{"county": "522326", "id": "x"}\n'),
        ("manifest.json", b"{}"),
        ("manifest.json", b"not JSON"),
        ("manifest.json", json.dumps({"format": 99, "schema": 1, "tables": {}}).encode()),
    ],
)
def test_a_damaged_backup_restores_nothing(filled, engine, tmp_path, name, data):
    make_backup(engine, tmp_path / "b.zip", now_ms=1)
    before = everything(engine)
    with pytest.raises(BackupError):
        restore_backup(engine, damaged(tmp_path / "b.zip", name, data), replace=True)
    assert everything(engine) == before


def test_half_a_file_is_no_backup(engine, tmp_path):
    make_backup(engine, tmp_path / "b.zip", now_ms=1)
    half = tmp_path / "half.zip"
    half.write_bytes((tmp_path / "b.zip").read_bytes()[:500])
    with pytest.raises(BackupError, match="whole"):
        restore_backup(engine, half, replace=True)
    with reading(engine) as conn:
        assert conn.execute(select(tables.division.c.code).limit(1)).scalar() is not None
