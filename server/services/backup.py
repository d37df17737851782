"""Backup and restore: one file for both databases.

A backup is a zip of one NDJSON file for each table and a manifest with their counts and SHA-256.
It shows one state of the database and is made while the server serves.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine

from server.storage.dump import (
    add_rows,
    delete_everything,
    dumped_tables,
    holds_records,
    rows_of,
)
from server.storage.engine import reading, writing
from server.storage.lift import lift_row, lift_stored
from server.storage.meta import BACKED_UP, EPOCH, epoch_of, set_meta_value
from shared_schemas import SCHEMA_VERSION
from shared_schemas.records import is_record_kind

FORMAT = 1
MANIFEST = "manifest.json"


class BackupError(Exception):
    """A backup that cannot be made or restored; the message says why and what to do."""


def make_backup(engine: Engine, path: Path, *, now_ms: int) -> dict[str, int]:
    """Write a backup and return the rows of each table. An existing file is not overwritten.

    The file appears under its name only when it was read back and is whole. It holds personal data: only its owner
    may read it.
    """
    if path.exists():
        raise BackupError(f"{path.name} exists; choose another name")
    part = path.with_name(path.name + ".part")
    counts: dict[str, int] = {}
    digests: dict[str, str] = {}
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w+b") as file, reading(engine) as conn:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, table in dumped_tables().items():
                digest = hashlib.sha256()
                counts[name] = 0
                with archive.open(f"{name}.ndjson", "w", force_zip64=True) as lines:
                    for row in rows_of(conn, table):
                        line = json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n"
                        digest.update(line.encode())
                        lines.write(line.encode())
                        counts[name] += 1
                digests[name] = digest.hexdigest()
            manifest = {
                "format": FORMAT,
                "schema": SCHEMA_VERSION,
                "epoch": epoch_of(conn),
                "made_at_ms": now_ms,
                "tables": {n: {"rows": counts[n], "sha256": digests[n]} for n in counts},
            }
            archive.writestr(MANIFEST, json.dumps(manifest, indent=2))
        file.flush()
        os.fsync(file.fileno())
    with zipfile.ZipFile(part) as archive:
        _checked_manifest(archive)
    part.rename(path)
    with writing(engine) as conn:
        # Phones now need no longer keep what they sent before.
        set_meta_value(conn, BACKED_UP, str(now_ms))
    return counts


def restore_backup(engine: Engine, path: Path, *, replace: bool) -> dict[str, int]:
    """Put a backup in place of what the (upgraded) database holds; return the rows of each table.

    All or nothing. The database begins a new epoch, by which phones notice that it was restored:
    they compare, and send again what the backup did not have.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = _checked_manifest(archive)
            with writing(engine) as conn:
                if holds_records(conn) and not replace:
                    raise BackupError("the database is not empty; --replace deletes what it holds")
                return _put_back(conn, archive, manifest)
    except (zipfile.BadZipFile, OSError) as error:
        raise BackupError(f"{path.name} is not a whole backup ({type(error).__name__})") from error


def _put_back(
    conn: Connection, archive: zipfile.ZipFile, manifest: dict[str, Any]
) -> dict[str, int]:
    delete_everything(conn)
    counts = {}
    tables = dumped_tables()
    for name in manifest["tables"]:
        rows = _rows(archive, name)
        if is_record_kind(name):
            # The backup may be of an older version, with fields that others have replaced since.
            rows = map(partial(lift_row, name), rows)
        try:
            counts[name] = add_rows(conn, tables[name], rows)
        except KeyError as error:
            raise BackupError(
                f"the backup has {error.args[0]}, which this version does not know; update first"
            ) from error
    lift_stored(conn)
    set_meta_value(conn, EPOCH, secrets.token_hex(8))
    set_meta_value(conn, BACKED_UP, str(manifest["made_at_ms"]))
    return counts


def _checked_manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(archive.read(MANIFEST))
        if manifest["format"] != FORMAT or manifest["schema"] > SCHEMA_VERSION:
            raise BackupError("the backup was made by a newer version; update first")
        for name, told in manifest["tables"].items():
            digest = hashlib.sha256()
            with archive.open(f"{name}.ndjson") as lines:
                for block in iter(lambda: lines.read(1 << 20), b""):
                    digest.update(block)
            if digest.hexdigest() != told["sha256"]:
                raise BackupError(f"{name} is damaged in the backup")
    except (KeyError, TypeError, ValueError) as error:
        raise BackupError("not a backup of this program") from error
    return manifest


def _rows(archive: zipfile.ZipFile, name: str) -> Iterator[dict[str, Any]]:
    with archive.open(f"{name}.ndjson") as lines:
        for line in lines:
            yield json.loads(line)
