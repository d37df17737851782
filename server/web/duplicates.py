"""Who may be registered twice: the queue, one pair side by side, and a person of several."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from sqlalchemy import Connection

from server.access import audience, server
from server.services import persons as service
from server.services.persons import Decision, decide_pair, person_of
from server.services.scope import in_scope
from server.storage import persons as storage
from server.storage import review_pages as queries
from server.storage.engine import reading, writing
from server.storage.records import pairs as records_of
from server.storage.records import records_of_households
from server.web.bundle_view import division_codes
from server.web.pages import (
    OFFICE,
    ROWS_PER_PAGE,
    in_section,
    language,
    link_with,
    office_user,
    page,
    page_number,
    see_other,
    words,
)
from server.web.pair_view import believed_lines, explained, field_pairs, relatives, waterfall
from shared_schemas.errors import ChushanError
from shared_schemas.golden import Registration

blueprint = Blueprint("duplicates", __name__)

MOST_IN_ORDER = 1000
"""So far down the queue a reviewer gets from one pair to the next."""


def _state() -> str:
    asked = request.args.get("state", storage.OPEN)
    return asked if asked in storage.STATES else storage.OPEN


@blueprint.get("/duplicates")
@audience(*OFFICE)
def listing() -> Any:
    """Show the pairs of a state, the likeliest first."""
    user, county = office_user()
    state, number = _state(), page_number()
    with reading(server().engine) as conn:
        counts = storage.pair_counts(conn, county, user.scope)
        rows = storage.pairs(
            conn, county, user.scope, state, limit=ROWS_PER_PAGE,
            offset=(number - 1) * ROWS_PER_PAGE,
        )  # fmt: skip
        ids = {one for row in rows for one in (row.left_id, row.right_id)}
        people = {r.id: r for r in service.registrations(conn, county, ids)} if ids else {}
        places = _places(conn, people.values())
    return page(
        "duplicates/listing.html",
        state=state,
        states=storage.STATES,
        counts=counts,
        rows=rows,
        people=people,
        places=places,
        explained=lambda row: explained(row.breakdown, language()),
        number=number,
        pages=max(1, -(-counts[state] // ROWS_PER_PAGE)),
        page_url=lambda wanted: link_with(page=wanted),
    )


def _places(conn: Connection, registrations: Collection[Registration]) -> dict[str, str]:
    codes = division_codes([("member", r.values) for r in registrations])
    villages = {r.village_code for r in registrations}
    return queries.division_names(conn, codes | villages | {v[:9] for v in villages})


@blueprint.get("/duplicates/<left>/<right>")
@audience(*OFFICE)
def pair(left: str, right: str) -> Any:
    """Show two registrations side by side, with everything that helps to decide."""
    return _pair_page(left, right, {}, {})


def _pair_page(
    left: str, right: str, errors: Mapping[str, str], typed: Mapping[str, str], status: int = 200
) -> Any:
    user, county = office_user()
    in_section("duplicates.listing")
    lang = language()
    with reading(server().engine) as conn:
        row = storage.pair_within(conn, county, user.scope, (left, right))
        if row is None:
            raise ChushanError("not_found")
        sides = service.registrations(conn, county, (left, right))
        places = _places(conn, sides)
        families = [
            [record for kind, record in records_of(records_of_households(conn, county, [home]))
             if kind == "member"]
            for home in (side.household_id for side in sides)
        ]  # fmt: skip
        against = service.clashes_of(conn, county, (left, right)) if _is_undecided(row) else []
        before, after = _neighbours(conn, county, user.scope, row)
    bars, zero = waterfall(row.breakdown, lang)
    today = server().today()
    fields = field_pairs(*sides, lang=lang, places=places)
    return page(
        "duplicates/pair.html",
        status,
        row=row,
        sides=sides,
        names=[side.values.get("name") or side.id for side in sides],
        villages=[_village(side, places) for side in sides],
        families=[
            relatives(families[0], families[1], left, today=today, lang=lang),
            relatives(families[1], families[0], right, today=today, lang=lang),
        ],
        differing=[f for f in fields if not f.is_equal],
        equal=[f for f in fields if f.is_equal and f.is_answered],
        explained=explained(row.breakdown, lang),
        bars=bars,
        zero=zero,
        against=sorted({clash.code for clash in against}),
        before=before,
        after=after,
        state=_state(),
        undecided=_is_undecided(row),
        may_decide=user.role == "county",
        errors=errors,
        typed=typed,
    )


def _is_undecided(row: Any) -> bool:
    return row.state in (storage.OPEN, storage.UNSURE)


def _village(side: Registration, places: Mapping[str, str]) -> str:
    codes = (side.village_code[:9].ljust(12, "0"), side.village_code)
    return " · ".join(places.get(code, "") for code in codes if places.get(code))


def _neighbours(
    conn: Connection, county: str, scope: str, row: Any
) -> tuple[str | None, str | None]:
    """Return the addresses of the pairs before and after one in the queue."""
    queue = storage.pairs(conn, county, scope, _state(), limit=MOST_IN_ORDER)
    order = [(each.left_id, each.right_id) for each in queue]
    here = (row.left_id, row.right_id)
    if here not in order:
        return None, _address(order[0]) if order else None
    at = order.index(here)
    following = order[at + 1 : at + 2]
    return (
        _address(order[at - 1]) if at else None,
        _address(following[0]) if following else None,
    )


def _address(found: tuple[str, str]) -> str:
    return url_for("duplicates.pair", left=found[0], right=found[1], state=_state())


@blueprint.post("/duplicates/<left>/<right>")
@audience("county")
def decide(left: str, right: str) -> Any:
    """Take the decision about a pair and go to the next."""
    user, county = office_user()
    here = server()
    state = request.form.get("decision", "")
    if state not in (storage.MERGED, storage.NOT_SAME, storage.UNSURE):
        raise ChushanError("malformed")
    reason = request.form.get("reason", "").strip()[:200]
    confirmed = request.form.get("confirmed") == "yes"
    with reading(here.engine) as conn:
        row = storage.pair_within(conn, county, user.scope, (left, right))
        if row is None:
            raise ChushanError("not_found")
        sides = service.registrations(conn, county, (left, right))
        against = service.clashes_of(conn, county, (left, right)) if _is_undecided(row) else []
        _, after = _neighbours(conn, county, user.scope, row)
    if state == storage.MERGED and against and not (confirmed and reason):
        errors = {"reason": words("duplicates.reason_needed")} if not reason else {}
        errors |= {} if confirmed else {"confirmed": words("duplicates.confirm_needed")}
        return _pair_page(left, right, errors, request.form, 422)
    chosen = _chosen(sides) if state == storage.MERGED else {}
    with writing(here.engine) as conn:
        decide_pair(
            conn, county, (left, right), Decision(state, reason, chosen, confirmed), user=user,
            now_ms=here.now_ms(), new_id=here.new_id,
        )  # fmt: skip
    flash(words(f"duplicates.done_{state}", name=sides[0].values.get("name") or left), "success")
    return redirect(after or url_for("duplicates.listing", state=_state()), 303)


def _chosen(sides: list[Registration]) -> dict[str, str]:
    """Return the fields for which the reviewer took the side that authority does not name."""
    by_side = {"left": sides[0].id, "right": sides[1].id}
    return {
        pair.name: by_side[said]
        for pair in field_pairs(*sides)
        if pair.source
        and (said := request.form.get(f"field.{pair.name}", "")) in by_side
        and said != pair.source
    }


# A person -----------------------------------------------------------------------------------------


@blueprint.get("/persons/<member_id>")
@audience(*OFFICE)
def person(member_id: str) -> Any:
    """Show all registrations of a person, what is believed of him, and how they were joined."""
    user, county = office_user()
    in_section("duplicates.listing")
    lang = language()
    with reading(server().engine) as conn:
        found = person_of(conn, county, member_id)
        if found is None:
            raise ChushanError("not_found")
        mine = [r for r in found.registrations if in_scope(r.village_code, user.scope)]
        if member_id not in {r.id for r in mine}:
            raise ChushanError("not_found")
        places = _places(conn, mine)
        ids = {r.id for r in mine}
        audits = storage.audits_of_members(conn, county, [r.id for r in found.registrations])
    links = [link for link in found.links if {link.left_id, link.right_id} <= ids]
    hidden = len(found.registrations) - len(mine)
    golden = service.golden_record(mine, service.choices(links)) if hidden else found.golden
    numbers = {r.id: number for number, r in enumerate(mine, start=1)}
    return page(
        "duplicates/person.html",
        registrations=mine,
        hidden=hidden,
        numbers=numbers,
        name=golden["name"].value if "name" in golden else member_id,
        villages={r.id: _village(r, places) for r in mine},
        lines=believed_lines(golden, mine, lang=lang, places=places),
        links=links,
        against=sorted({clash.code for clash in service.clashes(mine)}),
        history=[
            a for a in audits
            if a.target_id in ids and (a.detail or {}).get("other") in ids | {None}
        ],
        may_decide=user.role == "county",
    )  # fmt: skip


@blueprint.post("/persons/links/<link_id>/withdraw")
@audience("county")
def withdraw(link_id: str) -> Any:
    """Take a merge back."""
    user, county = office_user()
    here = server()
    with writing(here.engine) as conn:
        left, _ = service.unlink(
            conn, county, link_id, user=user, reason=request.form.get("reason", "")[:200],
            now_ms=here.now_ms(), new_id=here.new_id,
        )  # fmt: skip
    flash(words("duplicates.done_withdrawn"), "success")
    return see_other("duplicates.person", member_id=left)
