"""Who may be registered twice: the queue, one pair side by side, and a person of several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from sqlalchemy import Connection, Row

from server.access import User, audience, server
from server.services import persons as service
from server.services.candidates import REASONS
from server.services.persons import Decision, decide_pair, person_of, take_back
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
from server.web.pages import local_time as shown_time
from server.web.pair_sentences import sentences
from server.web.pair_view import (
    believed_lines,
    cluster,
    field_pairs,
    parts_without,
    relatives,
    waterfall,
)
from shared_schemas.bundle import Record
from shared_schemas.errors import ChushanError
from shared_schemas.golden import Clash, Registration
from shared_schemas.records.member import HEAD

blueprint = Blueprint("duplicates", __name__)

AGAINST = ("two_id_numbers", "one_household", service.SAID_NOT_SAME)
"""Codes of what keeps the machine from linking; a pair may be looked for by them too."""


# The queue ----------------------------------------------------------------------------------------


def _wanted(county: str, scope: str) -> storage.Wanted:
    """Return which pairs the address asks for; what it cannot mean asks nothing."""
    asked = request.args.get
    state, reason, place, strength = (
        asked("state", storage.OPEN), asked("reason", ""), asked("place", ""), asked("strength", ""),
    )  # fmt: skip
    return storage.Wanted(
        county,
        scope,
        state if state in storage.STATES else storage.OPEN,
        reason if reason in (*REASONS, *AGAINST) else "",
        place if place.isascii() and place.isdecimal() and len(place) <= 12 else "",
        strength if strength in storage.STRENGTHS else "",
    )


def _filters(wanted: storage.Wanted) -> dict[str, str]:
    """Return the address's part for the same queue."""
    named = {"reason": wanted.reason, "place": wanted.place, "strength": wanted.strength}
    return {"state": wanted.state, **{name: value for name, value in named.items() if value}}


@blueprint.get("/duplicates")
@audience(*OFFICE)
def listing() -> Any:
    """Show the pairs of a state: those counted twice first, then the likeliest."""
    user, county = office_user()
    wanted, number = _wanted(county, user.scope), page_number()
    with reading(server().engine) as conn:
        counts = storage.pair_counts(conn, county, user.scope)
        facets = storage.pair_facets(conn, county, user.scope, wanted.state)
        count = storage.count_pairs(conn, wanted)
        rows = storage.pairs(conn, wanted, limit=ROWS_PER_PAGE, offset=(number - 1) * ROWS_PER_PAGE)
        ids = {one for row in rows for one in (row.left_id, row.right_id)}
        people = {r.id: r for r in service.registrations(conn, county, ids)} if ids else {}
        villages = {v for row in facets for v in (row.left_village, row.right_village)}
        places = _places(conn, people.values()) | queries.division_names(
            conn, villages | {_township(v) for v in villages}
        )
    return page(
        "duplicates/listing.html",
        wanted=wanted,
        filters=_filters(wanted),
        state=wanted.state,
        states=storage.STATES,
        counts=counts,
        count=count,
        choices=_choices(facets, places),
        rows=rows,
        people=people,
        places=places,
        said=lambda row: sentences(
            row.breakdown, *(_values(people[one]) for one in (row.left_id, row.right_id)),
            lang=language(), places=places,
        ),
        against=AGAINST,
        just=_just(wanted),
        number=number,
        pages=max(1, -(-count // ROWS_PER_PAGE)),
        page_url=lambda page_wanted: link_with(page=page_wanted),
    )  # fmt: skip


def _choices(
    facets: Collection[Row[Any]], places: Mapping[str, str]
) -> dict[str, list[tuple[str, str]]]:
    """Return what a queue may be narrowed to, with how many pairs that leaves."""
    reasons = Counter(reason for row in facets for reason in row.reasons)
    strengths = Counter(
        name
        for row in facets
        for name, (least, below) in storage.STRENGTHS.items()
        if (least is None or row.score >= least) and (below is None or row.score < below)
    )
    codes = Counter(
        code
        for row in facets
        for code in {
            part for v in (row.left_village, row.right_village) if v for part in (v[:9], v)
        }
    )
    return {
        "reason": [
            (name, f"{words(f'duplicates.reason_of.{name}')} · {reasons[name]}")
            for name in (*REASONS, *AGAINST) if reasons[name]
        ],
        "place": [
            (code, f"{'　' * (len(code) > 9)}{places.get(code.ljust(12, '0'), code)} · {count}")
            for code, count in sorted(codes.items())
        ],
        "strength": [
            (name, f"{words(f'duplicates.strength.{name}')} · {strengths[name]}")
            for name in storage.STRENGTHS if strengths[name]
        ],
    }  # fmt: skip


def _places(conn: Connection, registrations: Collection[Registration]) -> dict[str, str]:
    codes = division_codes([("member", r.values) for r in registrations])
    villages = {r.village_code for r in registrations}
    return queries.division_names(conn, codes | villages | {_township(v) for v in villages})


def _township(village: str) -> str:
    return village[:9].ljust(12, "0")


def _values(side: Registration) -> dict[str, Any]:
    return {**side.values, "village_code": side.village_code}


# One pair -----------------------------------------------------------------------------------------


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
    wanted = _wanted(county, user.scope)
    with reading(server().engine) as conn:
        row = storage.pair_within(conn, county, user.scope, (left, right))
        if row is None:
            raise ChushanError("not_found")
        sides = service.registrations(conn, county, (left, right))
        places = _places(conn, sides)
        families = [_family(conn, county, side.household_id) for side in sides]
        undecided = row.state in (storage.OPEN, storage.UNSURE)
        clashes = service.clashes_of(conn, county, (left, right)) if undecided else []
        against = [(clash.code, _clash_words(conn, user, sides, clash)) for clash in clashes]
        before, after = storage.neighbours(conn, wanted, (left, right))
        count = storage.count_pairs(conn, wanted)
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
        heads=[_head_name(family) for family in families],
        differing=[f for f in fields if not f.is_equal],
        equal=[f for f in fields if f.is_equal and f.is_answered],
        said=sentences(
            row.breakdown, _values(sides[0]), _values(sides[1]), lang=lang, places=places
        ),
        bars=bars,
        zero=zero,
        against=against,
        counted_twice=undecided and all(side.approved for side in sides),
        before=_address(wanted, before),
        after=_address(wanted, after),
        count=count,
        wanted=wanted,
        filters=_filters(wanted),
        just=_just(wanted, but=(left, right)),
        undecided=undecided,
        may_decide=user.role == "county",
        errors=errors,
        typed=typed,
    )


def _family(conn: Connection, county: str, household_id: str) -> list[Record]:
    records = records_of_households(conn, county, [household_id])
    return [record for kind, record in records_of(records) if kind == "member"]


def _head_name(family: Collection[Record]) -> str:
    return next((str(m.get("name") or "") for m in family if m.get("relation") == HEAD), "")


def _clash_words(
    conn: Connection, user: User, sides: Collection[Registration], clash: Clash
) -> str:
    """Return who it is that may not be one person: names, numbers, the list, the earlier decision."""
    county = str(user.county)
    both = {r.id: r for r in service.registrations(conn, county, {clash.left, clash.right})}
    one, other = both[clash.left], both[clash.right]
    places = _places(conn, both.values())
    said: dict[str, Any] = {}
    for key, registration in (("left", one), ("right", other)):
        said[key] = _called(registration, sides, places, user)
        shown = in_scope(registration.village_code, user.scope)
        said[f"{key}_number"] = (registration.values.get("id_no") or "") if shown else ""
    if clash.code == "one_household":
        said["head"] = _head_name(_family(conn, county, one.household_id))
        said["place"] = _village(one, places)
    if clash.code == service.SAID_NOT_SAME:
        decided = storage.pair_within(conn, county, user.scope, (clash.left, clash.right))
        said["day"] = shown_time(decided.decided_at_ms if decided else None)
        said["by"] = (decided and decided.decided_name) or ""
        note = decided.note if decided else None
        said["note"] = words("duplicates.who.note", note=note) if note else ""
    return words(f"duplicates.who.{clash.code}", **said)


def _called(
    registration: Registration,
    sides: Collection[Registration],
    places: Mapping[str, str],
    user: User,
) -> str:
    if not in_scope(registration.village_code, user.scope):
        return words("duplicates.who.hidden")
    name = registration.values.get("name") or registration.id
    # On a person's page there is no left and right.
    for side, own in zip(("left", "right"), sides, strict=False):
        if own.id == registration.id:
            return words("duplicates.who.side", side=words(f"duplicates.side_{side}"), name=name)
    return words("duplicates.who.other", name=name, place=_village(registration, places))


def _village(side: Registration, places: Mapping[str, str]) -> str:
    codes = (_township(side.village_code), side.village_code)
    return " · ".join(places.get(code, "") for code in codes if places.get(code))


def _address(
    wanted: storage.Wanted, found: tuple[str, str] | None, just: str | None = None
) -> str | None:
    if found is None:
        return None
    return url_for("duplicates.pair", left=found[0], right=found[1], **_filters(wanted), just=just)


def _just(wanted: storage.Wanted, *, but: tuple[str, str] | None = None) -> str | None:
    """Return the address of the pair that was decided just now, which the address names."""
    left, _, right = request.args.get("just", "").partition(".")
    return _address(wanted, (left, right)) if right and (left, right) != but else None


@blueprint.post("/duplicates/<left>/<right>")
@audience("county")
def decide(left: str, right: str) -> Any:
    """Take the decision about a pair and go to the next."""
    user, county = office_user()
    here = server()
    wanted = _wanted(county, user.scope)
    state = request.form.get("decision", "")
    if not state:  # Enter in the note: nobody has decided anything
        return _pair_page(
            left, right, {"reason": words("duplicates.choose_first")}, request.form, 422
        )
    if state not in (storage.MERGED, storage.NOT_SAME, storage.UNSURE):
        raise ChushanError("malformed")
    reason = request.form.get("reason", "").strip()[:200]
    confirmed = request.form.get("confirmed") == "yes"
    with reading(here.engine) as conn:
        row = storage.pair_within(conn, county, user.scope, (left, right))
        if row is None:
            raise ChushanError("not_found")
        sides = service.registrations(conn, county, (left, right))
        against = state == storage.MERGED and service.clashes_of(conn, county, (left, right))
    if against and row.state in (storage.OPEN, storage.UNSURE) and not (confirmed and reason):
        errors = {"reason": words("duplicates.reason_needed")} if not reason else {}
        errors |= {} if confirmed else {"confirmed": words("duplicates.confirm_needed")}
        return _pair_page(left, right, errors, request.form, 422)
    chosen = _chosen(sides) if state == storage.MERGED else {}
    with writing(here.engine) as conn:
        decide_pair(
            conn, county, (left, right), Decision(state, reason, chosen, confirmed), user=user,
            now_ms=here.now_ms(), new_id=here.new_id,
        )  # fmt: skip
        _, after = storage.neighbours(conn, wanted, (left, right))
    flash(words(f"duplicates.done_{state}", name=sides[0].values.get("name") or left), "success")
    just = f"{left}.{right}"
    following = _address(wanted, after, just)
    return redirect(following or url_for("duplicates.listing", **_filters(wanted), just=just), 303)


@blueprint.post("/duplicates/<left>/<right>/take-back")
@audience("county")
def undo(left: str, right: str) -> Any:
    """Take back what was decided about a pair, and show it again."""
    user, county = office_user()
    here = server()
    with writing(here.engine) as conn:
        take_back(conn, county, (left, right), user=user, now_ms=here.now_ms(), new_id=here.new_id)
    flash(words("duplicates.done_taken_back"), "success")
    filters = _filters(_wanted(county, user.scope)) | {"state": storage.OPEN}
    return see_other("duplicates.pair", left=left, right=right, **filters)


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
        against = [
            (clash.code, _clash_words(conn, user, (), clash)) for clash in service.clashes(mine)
        ]
        audits = storage.audits_of_members(conn, county, [r.id for r in found.registrations])
    links = [link for link in found.links if {link.left_id, link.right_id} <= ids]
    in_force = [(k.left_id, k.right_id) for k in links if k.withdrawn_at_ms is None]
    hidden = len(found.registrations) - len(mine)
    golden = service.golden_record(mine, service.choices(links)) if hidden else found.golden
    numbers = {r.id: number for number, r in enumerate(mine, start=1)}
    nodes, arcs, height = cluster(
        numbers, [(k.left_id, k.right_id, k.withdrawn_at_ms is None) for k in links]
    )
    return page(
        "duplicates/person.html",
        registrations=mine,
        hidden=hidden,
        numbers=numbers,
        name=golden["name"].value if "name" in golden else member_id,
        villages={r.id: _village(r, places) for r in mine},
        lines=believed_lines(golden, mine, lang=lang, places=places),
        links=links,
        nodes=nodes,
        arcs=arcs,
        height=height,
        parts_left={
            k.id: parts_without(numbers, in_force, (k.left_id, k.right_id))
            for k in links if k.withdrawn_at_ms is None
        },
        against=against,
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
