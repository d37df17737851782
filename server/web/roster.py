"""Roster import: upload, check what the columns mean, run with progress, fetch the bad rows."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, request, session

from server.access import Server, audience, server
from server.observe import log_failure
from server.services.read_roster import (
    Target,
    mappable,
    mapping_from_json,
    preview,
)
from server.services.roster_import import RosterFile, begin_import, fault_sheet_bytes, run_import
from server.storage import roster as storage
from server.storage.accounts import user_names
from server.storage.engine import reading
from server.web.pages import in_section, office_user, page, see_other, words
from shared_schemas.errors import ChushanError

blueprint = Blueprint("roster", __name__)

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
KEPT_S = 24 * 3600
"""An upload that was never imported is deleted after a day."""


@blueprint.get("/roster")
@audience("county")
def listing() -> Any:
    """Show the upload form and the imports so far."""
    return _listing({})


def _listing(errors: dict[str, str], status: int = 200) -> Any:
    _, county = office_user()
    with reading(server().engine) as conn:
        runs = storage.imports_of(conn, county)
        people = user_names(conn, {run.by_user for run in runs})
    return page("roster/listing.html", status, runs=runs, people=people, errors=errors)


@blueprint.post("/roster")
@audience("county")
def upload() -> Any:
    """Keep an uploaded file until its columns were confirmed."""
    user, _ = office_user()
    given = request.files.get("file")
    if given is None or not given.filename:
        return _listing({"file": words("roster.choose_file")}, 422)
    data = given.read()
    try:
        preview(data, given.filename, scope=user.scope)
    except ChushanError as error:
        return _listing({"file": error.detail or error.error.title()}, 422)
    upload_id = server().new_id()
    folder = _folder(server())
    _forget_old(folder)
    path = folder / upload_id
    path.touch(0o600)
    path.write_bytes(data)
    session["upload"] = {"id": upload_id, "name": given.filename[-120:]}
    return see_other("roster.check")


def _folder(here: Server) -> Path:
    folder = Path(here.settings.data_dir) / "uploads"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def _forget_old(folder: Path) -> None:
    for path in folder.iterdir():
        if time.time() - path.stat().st_mtime > KEPT_S:
            path.unlink(missing_ok=True)


def _uploaded() -> tuple[bytes, str, Path] | None:
    """Return the file that this person uploaded and that waits: bytes, name, path."""
    kept = session.get("upload") or {}
    if not re.fullmatch(r"[0-9a-z]{13,17}", str(kept.get("id", ""))):
        return None
    path = _folder(server()) / kept["id"]
    return (path.read_bytes(), str(kept.get("name", "")), path) if path.exists() else None


@blueprint.get("/roster/check")
@audience("county")
def check() -> Any:
    """Show what each column was taken for, with the first rows."""
    return _check(None)


def _check(mapping: dict[int, Target] | None, errors: dict[str, str] | None = None) -> Any:
    user, _ = office_user()
    in_section("roster.listing")
    kept = _uploaded()
    if kept is None:
        return see_other("roster.listing")
    found = preview(kept[0], kept[1], mapping, scope=user.scope)
    return page(
        "roster/check.html",
        422 if errors else 200,
        preview=found,
        targets=[(f"{kind}.{name}", label) for (kind, name), label in mappable()],
        chosen={n: f"{kind}.{name}" for n, (kind, name) in found.mapping.items()},
        samples=lambda n: list(
            dict.fromkeys(cells[n] for _, cells in found.sample if cells.get(n))
        )[:4],
        errors=errors or {},
    )


@blueprint.post("/roster/check")
@audience("county")
def run() -> Any:
    """Take the columns as they were confirmed: look again, or begin the import."""
    user, county = office_user()
    kept = _uploaded()
    if kept is None:
        return see_other("roster.listing")
    chosen = {
        name.removeprefix("column."): target
        for name, target in request.form.items()
        if name.startswith("column.") and target
    }
    try:
        mapping = mapping_from_json(chosen)
    except ChushanError as error:
        return _check(None, {"columns": error.detail})
    if request.form.get("do") != "import":
        return _check(mapping)
    here = server()
    data, name, path = kept
    file = RosterFile(data, name, county, user.scope, user.id, mapping)
    try:
        import_id = begin_import(here.engine, file, now_ms=here.now_ms(), new_id=here.new_id)
    except ChushanError as error:
        return _check(mapping, {"columns": error.detail})
    session.pop("upload", None)
    threading.Thread(
        target=_run_in_background, args=(here, file, import_id, path), daemon=True
    ).start()
    return see_other("roster.result", import_id=import_id)


def _run_in_background(here: Server, file: RosterFile, import_id: str, path: Path) -> None:
    try:
        run_import(here.engine, file, import_id, clock=here.now_ms)
    except Exception as error:  # the outermost line of a thread; the run is marked failed already
        log_failure(error)
    finally:
        path.unlink(missing_ok=True)


@blueprint.get("/roster/<import_id>")
@audience("county")
def result(import_id: str) -> Any:
    """Show how far an import has come, and what came of it."""
    _, county = office_user()
    in_section("roster.listing")
    with reading(server().engine) as conn:
        found = storage.import_of(conn, county, import_id)
        if found is None:
            raise ChushanError("not_found")
        faults = storage.faults_of(conn, county, import_id, limit=20)
        count = storage.count_faults(conn, county, import_id)
        people = user_names(conn, {found.by_user})
    return page("roster/result.html", run=found, faults=faults, fault_count=count,
                person=people.get(found.by_user, ""))  # fmt: skip


@blueprint.get("/roster/<import_id>/faults.xlsx")
@audience("county")
def faults(import_id: str) -> Any:
    """Give the rows that were not imported as a spreadsheet, with the reason for each."""
    _, county = office_user()
    with reading(server().engine) as conn:
        if storage.import_of(conn, county, import_id) is None:
            raise ChushanError("not_found")
    body = fault_sheet_bytes(server().engine, county, import_id)
    disposition = f'attachment; filename="faults-{import_id}.xlsx"'
    return Response(body, mimetype=XLSX, headers={"Content-Disposition": disposition})
