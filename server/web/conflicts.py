"""What waits for a person of the county: fields written apart, and changes that were held."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, flash, request
from sqlalchemy import Connection

from server.access import audience, server
from server.services.decide_conflict import decide_conflict
from server.services.held import (
    APPLICABLE,
    apply_held_change,
    close_held_change,
    settle_batch,
)
from server.storage import review_pages as queries
from server.storage.changes import HeldBy, change_by_key, held_changes, held_groups
from server.storage.conflicts import conflict_by_id
from server.storage.engine import reading, writing
from server.storage.records import pairs, records_by_id, records_of_households
from server.web.bundle_view import division_codes, household_ids, shown_value
from server.web.pages import (
    OFFICE,
    in_section,
    language,
    link_with,
    office_user,
    page,
    page_number,
    see_other,
    words,
)
from shared_schemas.changes import Outcome
from shared_schemas.codes import code_list
from shared_schemas.errors import ChushanError
from shared_schemas.fields import Code, Declared, Flag
from shared_schemas.records import is_record_kind, record_kind
from shared_schemas.upgrade import up

blueprint = Blueprint("conflicts", __name__)

PER_PAGE = 20


@dataclass(frozen=True, slots=True)
class ConflictView:
    """One conflict as the page shows it."""

    row: Any
    label: str
    whose: str
    head: str
    village: str
    ours: str
    theirs: str
    decided: str
    ours_device: str
    theirs_device: str
    options: tuple[tuple[str, str], ...]
    """Choices for a third value; empty for a field that is typed."""


@blueprint.get("/conflicts")
@audience(*OFFICE)
def listing() -> Any:
    """Show conflicts, open ones or decided ones."""
    return _listing({}, {})


def _listing(errors: Mapping[str, str], typed: Mapping[str, str], status: int = 200) -> Any:
    user, county = office_user()
    state = "decided" if request.args.get("state") == "decided" else "open"
    number = page_number()
    with reading(server().engine) as conn:
        rows = queries.conflicts(
            conn, county, user.scope, state=state, limit=PER_PAGE, offset=(number - 1) * PER_PAGE
        )
        counts = {
            which: queries.conflict_count(conn, county, user.scope, which)
            for which in ("open", "decided")
        }
        views = _views(conn, county, rows)
    return page(
        "conflicts/listing.html",
        status,
        state=state,
        counts=counts,
        views=views,
        number=number,
        pages=max(1, -(-counts[state] // PER_PAGE)),
        page_url=lambda wanted: link_with(page=wanted),
        may_decide=user.role == "county",
        errors=errors,
        typed=typed,
    )


def _views(conn: Connection, county: str, rows: list[Any]) -> list[ConflictView]:
    lang = language()
    households = sorted({row.household_id for row in rows if row.household_id})
    records = pairs(records_of_households(conn, county, households))
    people = {r["id"]: str(r.get("name") or "") for kind, r in records if kind == "member"}
    owner = {r["id"]: str(r.get("member_id") or r["id"]) for _, r in records}
    values = [
        (row.kind, {row.field: value}) for row in rows
        for value in (row.ours, row.theirs, row.decided_value)
    ]  # fmt: skip
    lines = queries.households_by_id(conn, county, sorted({*households, *household_ids(values)}))
    heads = {line.household_id: line.head for line in lines}
    people |= heads
    places = queries.division_names(
        conn, division_codes(values) | {row.village_code for row in rows if row.village_code}
    )
    devices = queries.device_labels(
        conn, county, [i for row in rows for i in (row.ours_incarnation, row.theirs_incarnation)]
    )

    def view(row: Any) -> ConflictView:
        declared = record_kind(row.kind).fields[row.field]

        def said(value: Any) -> str:
            return shown_value(declared, value, lang=lang, places=places, people=people)

        return ConflictView(
            row=row,
            label=declared.info.label(lang),
            whose=people.get(owner.get(row.record_id, ""), ""),
            head=heads.get(row.household_id, row.household_id or ""),
            village=places.get(row.village_code or "", ""),
            ours=said(row.ours),
            theirs=said(row.theirs),
            decided=said(row.decided_value),
            ours_device=devices.get(row.ours_incarnation or "", ""),
            theirs_device=devices.get(row.theirs_incarnation or "", ""),
            options=_options(declared, lang),
        )

    return [view(row) for row in rows]


def _options(declared: Declared, lang: str) -> tuple[tuple[str, str], ...]:
    if isinstance(declared, Code):
        offered = code_list(declared.codes).offered()
        return tuple((code.code, code.en if lang == "en" else code.zh) for code in offered)
    if isinstance(declared, Flag):
        return tuple((said, declared.shown(value, lang)) for said, value in
                     (("true", True), ("false", False)))  # fmt: skip
    return ()


@blueprint.post("/conflicts/<conflict_id>")
@audience("county")
def decide(conflict_id: str) -> Any:
    """Take one of the two values, or a third."""
    user, county = office_user()
    here = server()
    choice = request.form.get("choice", "")
    with writing(here.engine) as conn:
        row = conflict_by_id(conn, county, conflict_id)
        if row is None:
            raise ChushanError("not_found")
        if choice in ("ours", "theirs"):
            value = row[choice]
        elif choice == "other":
            declared = record_kind(row["kind"]).fields[row["field"]]
            value = declared.parsed(request.form.get("other", ""))
            fault = None if value is None else declared.verdict(value)
            if value is None or fault is not None:
                said = fault.message(language()) if fault else words("conflicts.other_needed")
                return _listing({f"other-{conflict_id}": said}, request.form, 422)
        else:
            said = words("conflicts.choice_needed")
            return _listing({f"choice-{conflict_id}": said}, {}, 422)
        decide_conflict(
            conn, county, conflict_id, value, user=user, now_ms=here.now_ms(), new_id=here.new_id
        )
    flash(words("conflicts.done"), "success")
    return see_other("conflicts.listing")


# Held changes ------------------------------------------------------------------------------------


@blueprint.get("/held")
@audience("county")
def held() -> Any:
    """Show changes that could not be applied, each with its reason."""
    return _held_page({})


def _held_page(errors: Mapping[str, str], status: int = 200) -> Any:
    user, county = office_user()
    in_section("conflicts.held")
    lang = language()
    which, number = _which_held(request.args), page_number()
    with reading(server().engine) as conn:
        groups = held_groups(conn, county, user.scope)
        total = sum(
            group["count"]
            for group in groups
            if which.device_id in (None, group["device_id"])
            and which.reason in (None, group["reason"])
        )
        rows = held_changes(conn, county, which, limit=PER_PAGE, offset=(number - 1) * PER_PAGE)
        codes = division_codes(
            [(row["kind"], row["values"]) for row in rows if is_record_kind(row["kind"])]
        )
        places = queries.division_names(
            conn, codes | {row["village_code"] for row in rows if row["village_code"]}
        )
        named = {str(row["values"].get("member_id") or row["record_id"]) for row in rows}
        members = records_by_id(conn, county, "member", named)
        heads = queries.households_by_id(conn, county, sorted({key[:13] for key in named}))
    people = {line.household_id: line.head for line in heads}
    people |= {key: str(member.values.get("name") or "") for key, member in members.items()}
    return page(
        "conflicts/held.html",
        status,
        groups=groups,
        which=which,
        rows=[(row, _whose(row, people), _held_fields(row, lang, places)) for row in rows],
        places=places,
        errors=errors,
        applicable=APPLICABLE,
        total=total,
        number=number,
        pages=max(1, -(-total // PER_PAGE)),
        page_url=lambda wanted: link_with(page=wanted),
        kind_name=lambda kind: record_kind(kind).label(lang) if is_record_kind(kind) else kind,
    )


def _which_held(given: Mapping[str, str]) -> HeldBy:
    user, _ = office_user()
    device_id, reason = given.get("device", "")[:17], given.get("reason", "")[:40]
    return HeldBy(user.scope, device_id or None, reason or None)


def _whose(row: Any, people: Mapping[str, str]) -> str:
    """Return whom a held change is about, as far as anybody knows."""
    about = row["values"].get("member_id") or row["record_id"]
    return str(row["values"].get("name") or people.get(about, ""))


def _held_fields(row: Any, lang: str, places: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return (label, value, what is wrong) of the fields of a held change."""
    known = record_kind(row["kind"]).fields if is_record_kind(row["kind"]) else {}
    listed = []
    for name, value in up(row["kind"], row["values"], row["schema"]).items():
        declared = known.get(name)
        if declared is None:
            listed.append((name, str(value), words("held.unknown_field")))
        elif declared.widget not in ("record", "none"):
            fault = None if value is None else declared.verdict(value)
            shown = str(value) if fault else shown_value(declared, value, lang=lang, places=places)
            listed.append((declared.info.label(lang), shown, fault.message(lang) if fault else ""))
    return listed


@blueprint.post("/held/<incarnation>/<int:n>/apply")
@audience("county")
def apply(incarnation: str, n: int) -> Any:
    """Apply a held change after all."""
    user, county = office_user()
    here = server()
    with writing(here.engine) as conn:
        applied = apply_held_change(
            conn, county, incarnation, n, user=user, now_ms=here.now_ms(), new_id=here.new_id
        )
    if applied.outcome is Outcome.HELD:
        flash(words("held.still", reason=words(f"held.reason.{applied.reason}")), "error")
    else:
        flash(words("held.done_applied"), "success")
    return see_other("conflicts.held")


@blueprint.post("/held/<incarnation>/<int:n>/close")
@audience("county")
def close(incarnation: str, n: int) -> Any:
    """Close a held change without applying it."""
    user, county = office_user()
    here = server()
    reason = request.form.get("reason", "").strip()[:200]
    if not reason:
        with reading(here.engine) as conn:
            if change_by_key(conn, county, incarnation, n) is None:
                raise ChushanError("not_found")
        return _held_page({f"reason-{incarnation}-{n}": words("held.reason_needed")}, 422)
    with writing(here.engine) as conn:
        close_held_change(
            conn, county, incarnation, n, reason, user=user, now_ms=here.now_ms(),
            new_id=here.new_id,
        )  # fmt: skip
    flash(words("held.done_closed"), "success")
    return see_other("conflicts.held")


MOST_AT_ONCE = 5_000
"""Changes that one press of a button settles: about as long as a person waits for a page."""


@blueprint.post("/held/all")
@audience("county")
def settle_all() -> Any:
    """Apply or close all held changes of one phone for one reason."""
    user, county = office_user()
    here = server()
    which = _which_held(request.form)
    if which.device_id is None or which.reason is None:
        raise ChushanError("bad_query")
    closes = request.form.get("what") == "close"
    why = request.form.get("why", "").strip()
    if closes and not why:
        return _held_page(
            {f"why-{which.device_id}-{which.reason}": words("held.reason_needed")}, 422
        )
    done, still, after = 0, 0, None
    while done + still < MOST_AT_ONCE:
        with writing(here.engine) as conn:
            batch = settle_batch(
                conn, county, which, close_with=why if closes else None, after=after, user=user,
                now_ms=here.now_ms(), new_id=here.new_id,
            )  # fmt: skip
        done, still, after = done + batch.done, still + batch.still_held, batch.last
        if after is None:
            break
    key = "held.all_closed" if closes else "held.all_applied"
    flash(words(key, count=done), "success")
    if still:
        flash(words("held.all_still", count=still), "error")
    return see_other("conflicts.held")
