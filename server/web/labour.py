"""The available-labour list as a firm's page, and the county's page of who pulled whom."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from io import BytesIO
from typing import Any

from flask import Blueprint, Response, flash, request
from sqlalchemy import Connection

from server.access import audience, current_user, server
from server.services import labour
from server.services.labour_export import write_list
from server.services.labourers import reveal_fields
from server.storage import labour as storage
from server.storage import review_pages as queries
from server.storage.accounts import Firm, firm_of, user_names
from server.storage.engine import reading, writing
from server.web.pages import (
    county_of,
    in_section,
    language,
    local_time,
    page,
    see_other,
    words,
)
from shared_schemas.codes import code_list
from shared_schemas.errors import ChushanError

blueprint = Blueprint("labour_list", __name__)

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ROWS = 100
CODES = {"sex": "sex", "reach": "reach", "mandarin": "mandarin", "together": "together_with"}
NUMBERS = {"age_min": (16, 99), "age_max": (16, 120), "wage_max": (0, 50_000)}
FIRST = ("list_no", "name", "age", "sex", "township_name", "pair_no", "wants_job", "occupations",
         "skills", "wage_floor", "reach", "available_from", "days_since_confirmed")  # fmt: skip
"""Columns that a firm asks for first; the others of the list follow them as they are declared."""


def _firm(conn: Connection) -> Firm:
    found = firm_of(conn, current_user().org_id or "")
    if found is None:
        raise ChushanError("forbidden")
    return found


def _filters(typed: Mapping[str, str], occupations: list[str]) -> tuple[Any, dict[str, str]]:
    """Return the filters that a form asks for, and what is wrong with it."""
    errors: dict[str, str] = {}
    values: dict[str, Any] = {}
    for name, listed in CODES.items():
        if typed.get(name) in code_list(listed):
            values[name] = typed[name]
    for name, (least, most) in NUMBERS.items():
        said = typed.get(name, "").strip()
        if not said:
            continue
        if not said.isascii() or not said.isdigit() or not least <= int(said) <= most:
            errors[name] = words("labour.number_range", least=least, most=most)
        else:
            values[name] = int(said)
    day = typed.get("available_by", "").strip()
    if day:
        try:
            values["available_by"] = dt.date.fromisoformat(day).isoformat()
        except ValueError:
            errors["available_by"] = words("labour.day")
    if typed.get("section") == labour.MAY_CHANGE:
        values["section"] = labour.MAY_CHANGE
    known = code_list("occupation")
    values["occupations"] = tuple(code for code in occupations if code in known)
    return labour.filters_from(values), errors


@blueprint.get("/labour")
@audience("hr_firm")
def listing() -> Any:
    """Show the filters, and the firm's latest pulls."""
    return _ask({}, [], {})


def _ask(
    typed: Mapping[str, str], occupations: list[str], errors: dict[str, str], status: int = 200
) -> Any:
    lang = language()
    with reading(server().engine) as conn:
        firm = _firm(conn)
        pulls = storage.pulls_of_firm(conn, firm.org_id, limit=5)
        counties = queries.division_names(conn, firm.counties)
    return page(
        "labour/listing.html",
        status,
        firm=firm,
        counties=list(counties.values()),
        pulls=pulls,
        typed=typed,
        chosen=occupations,
        occupations=_grouped(lang),
        options={name: _options(listed, lang) for name, listed in CODES.items()},
        errors=errors,
        today=server().today(),
        filters_shown=lambda pull: filters_shown(pull.filters, lang),
    )


def _options(listed: str, lang: str) -> list[tuple[str, str]]:
    offered = code_list(listed).offered()
    return [(code.code, code.en if lang == "en" else code.zh) for code in offered]


def _grouped(lang: str) -> list[tuple[str, list[tuple[str, str]]]]:
    groups: dict[str, list[tuple[str, str]]] = {}
    for code in code_list("occupation").offered():
        groups.setdefault(code.group, []).append((code.code, code.en if lang == "en" else code.zh))
    return list(groups.items())


def filters_shown(filters: Mapping[str, Any], lang: str) -> str:
    """Return the filters of a pull as a person reads them."""
    parts = []
    for name, value in filters.items():
        if name == "occupations":
            known = code_list("occupation")
            parts.append("、".join(known.label(code, lang) for code in value))
        elif name in CODES:
            parts.append(f"{words('labour.' + name)} {code_list(CODES[name]).label(value, lang)}")
        elif name in NUMBERS or name == "available_by":
            parts.append(f"{words('labour.' + name)} {value}")
        elif name == "section" and value == labour.MAY_CHANGE:
            parts.append(words("labour.may_change"))
    return " · ".join(part for part in parts if part) or words("labour.no_filter")


@blueprint.post("/labour")
@audience("hr_firm")
def pull() -> Any:
    """Pull a list for a purpose, or fetch it as a spreadsheet; both are logged."""
    typed = {name: value[:200] for name, value in request.form.items() if name != "csrf_token"}
    occupations = request.form.getlist("occupations")
    filters, errors = _filters(typed, occupations)
    if not typed.get("purpose", "").strip():
        errors["purpose"] = words("labour.purpose_needed")
    if errors:
        return _ask(typed, occupations, errors, 422)
    pulled = _pull(filters, typed["purpose"].strip(), "page", ROWS)
    return see_other("labour_list.pulled", pull_id=pulled[0].pull_id)


def _pull(filters: Any, purpose: str, channel: str, limit: int) -> tuple[Any, Firm]:
    here = server()
    with writing(here.engine) as conn:
        firm = _firm(conn)
        pulled = labour.pull_list(
            conn, firm, filters, purpose=purpose, channel=channel, user_id=current_user().id,
            limit=limit, today=here.today(), now_ms=here.now_ms(), new_id=here.new_id,
        )  # fmt: skip
    return pulled, firm


@blueprint.get("/labour/pulls/<pull_id>")
@audience("hr_firm")
def pulled(pull_id: str) -> Any:
    """Show a pulled list again, under its number."""
    return _pulled_page(pull_id)


def _pulled_page(
    pull_id: str,
    *,
    told: list[dict[str, Any]] | None = None,
    errors: dict[str, str] | None = None,
    typed_reason: str = "",
    selected: frozenset[int] = frozenset(),
    status: int = 200,
) -> Any:
    in_section("labour_list.listing")
    here, lang = server(), language()
    after = request.args.get("after", "0")
    after = after if after.isdecimal() and len(after) < 8 else "0"
    with writing(here.engine) as conn:
        firm = _firm(conn)
        row = storage.pull_of(conn, pull_id, firm.org_id)
        if row is None:
            raise ChushanError("not_found")
        found = labour.next_page(
            conn, firm, f"{pull_id}.{after}", limit=ROWS, today=here.today(), now_ms=here.now_ms()
        )
    rows = [entry.values() for entry in found.rows]
    last = max((entry.list_no for entry in found.rows), default=int(after))
    return page(
        "labour/pulled.html",
        status,
        pull=found,
        rows=rows,
        columns=_columns(rows),
        shown=lambda column, values: column.shown(values, lang),
        heading=lambda column: column.heading(lang),
        filters=filters_shown(row.filters, lang),
        more_after=last if found.rows and last < found.total else None,
        told=told or [],
        reveal_columns=[(f.key, f.declared.info.label(lang)) for f in reveal_fields()],
        errors=errors or {},
        typed_reason=typed_reason,
        selected=selected,
        now_ms=here.now_ms(),
    )


def _columns(rows: list[dict[str, Any]]) -> list[Any]:
    """Return the columns that say something in these rows, those asked for first in front."""
    by_key = {column.key: column for column in labour.columns()}
    order = [key for key in FIRST if key in by_key] + [key for key in by_key if key not in FIRST]
    hidden = {"county_name"} if len({row.get("county_name") for row in rows}) < 2 else set()
    if not any(row.get("minor") for row in rows):
        hidden.add("minor")
    return [
        by_key[key]
        for key in order
        if key not in hidden
        and (key in FIRST or any(row.get(key) not in (None, "", []) for row in rows))
    ]


def _selected() -> list[int]:
    return [int(n) for n in request.form.getlist("list_no") if n.isdecimal() and len(n) < 8][:200]


@blueprint.post("/labour/pulls/<pull_id>/hold")
@audience("hr_firm")
def hold(pull_id: str) -> Any:
    """Hold the selected people for 72 hours."""
    chosen = _selected()
    if not chosen:
        return _pulled_page(pull_id, errors={"rows": words("labour.select_needed")}, status=422)
    with writing(server().engine) as conn:
        answers = labour.hold_listed(
            conn, _firm(conn), pull_id=pull_id, list_nos=chosen, now_ms=server().now_ms()
        )
    held = sum(answer.held for answer in answers)
    if held:
        until = max(answer.until_ms or 0 for answer in answers)
        flash(words("labour.done_held", count=held, until=local_time(until)), "success")
    if held < len(answers):
        refused = "、".join(str(answer.list_no) for answer in answers if not answer.held)
        flash(words("labour.not_held", numbers=refused), "warning")
    return see_other("labour_list.pulled", pull_id=pull_id, **_after())


@blueprint.post("/labour/pulls/<pull_id>/reveal")
@audience("hr_firm")
def reveal(pull_id: str) -> Any:
    """Show names and phones of the selected people, for a reason; each is logged."""
    here = server()
    chosen, reason = _selected(), request.form.get("reason", "").strip()[:200]
    errors = {}
    if not chosen:
        errors["rows"] = words("labour.select_needed")
    if not reason:
        errors["reason"] = words("labour.reason_needed")
    if errors:
        return _pulled_page(pull_id, errors=errors, typed_reason=reason,
                            selected=frozenset(chosen), status=422)  # fmt: skip
    told: list[dict[str, Any]] = []
    for list_no in chosen:
        try:
            with writing(here.engine) as conn:
                person = labour.reveal_listed(
                    conn, _firm(conn), pull_id=pull_id, list_no=list_no, reason=reason,
                    user_id=current_user().id, per_day=here.settings.reveals_per_day,
                    day_start_ms=labour.day_start_ms(here.today(), here.settings.timezone),
                    now_ms=here.now_ms(), new_id=here.new_id,
                )  # fmt: skip
            told.append({"list_no": list_no, "person": person})
        except ChushanError as error:
            if error.error.code == "not_found":
                raise
            said = error.error.title(language())
            told.append({"list_no": list_no, "refused": said})
            if error.error.code == "limit_reached":
                break
    return _pulled_page(pull_id, told=told, selected=frozenset(chosen), typed_reason=reason)


@blueprint.post("/labour/pulls/<pull_id>/export")
@audience("hr_firm")
def export(pull_id: str) -> Any:
    """Fetch the whole list of a pull as a spreadsheet: a pull of its own, with the same filters."""
    with reading(server().engine) as conn:
        row = storage.pull_of(conn, pull_id, _firm(conn).org_id)
    if row is None:
        raise ChushanError("not_found")
    pulled, firm = _pull(
        labour.filters_from(row.filters), row.purpose, "xlsx", labour.MOST_ROWS_OF_FILE
    )
    file = BytesIO()
    write_list(pulled, firm_name=firm.name, timezone=server().settings.timezone, file=file,
               lang=language())  # fmt: skip
    disposition = f'attachment; filename="labour-{pulled.pull_id}.xlsx"'
    return Response(file.getvalue(), mimetype=XLSX, headers={"Content-Disposition": disposition})


def _after() -> dict[str, str]:
    return {"after": request.args["after"]} if "after" in request.args else {}


@blueprint.get("/labour/own-pulls")
@audience("hr_firm")
def own_pulls() -> Any:
    """Show a firm all it pulled."""
    lang = language()
    with reading(server().engine) as conn:
        firm = _firm(conn)
        pulls = storage.pulls_of_firm(conn, firm.org_id, limit=200)
        people = user_names(conn, {pull.user_id for pull in pulls if pull.user_id})
    return page("labour/own_pulls.html", pulls=pulls, people=people,
                filters_shown=lambda pull: filters_shown(pull.filters, lang))  # fmt: skip


@blueprint.get("/pulls")
@audience("county")
def pulls() -> Any:
    """Show a county which firms pulled its people, what for, and whose phone they asked for."""
    county, lang = county_of(current_user()), language()
    with reading(server().engine) as conn:
        listed = storage.pulls_of_county(conn, county, limit=200)
        reveals = queries.reveals_of_county(conn, county)
        places = queries.division_names(conn, [row.village_code or "" for row in reveals])
    return page("labour/pulls.html", pulls=listed, reveals=reveals, places=places,
                filters_shown=lambda pull: filters_shown(pull.filters, lang))  # fmt: skip
