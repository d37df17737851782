"""Review of household bundles: the lists in three lanes, one household, bulk approval of a village."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from sqlalchemy import Connection

from server.access import audience, server
from server.services import review as decisions
from server.storage import review_pages as queries
from server.storage.accounts import user_names
from server.storage.engine import reading, writing
from server.storage.records import pairs, records_of_households
from server.web.bundle_view import (
    Beside,
    Seen,
    cards,
    division_codes,
    household_ids,
    seen_at_approval,
    seen_at_return,
)
from server.web.history_view import history
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
from shared_schemas.errors import ChushanError
from shared_schemas.locale import text
from shared_schemas.records import is_record_kind, record_kind

blueprint = Blueprint("review", __name__)

SAMPLE = 20
PHRASES = 7


def _wanted(county: str, scope: str, args: Mapping[str, str]) -> queries.Wanted:
    state, lane = args.get("state", "in_review"), args.get("lane", "")
    place = args.get("village") or args.get("place") or ""
    return queries.Wanted(
        county,
        scope,
        state=state if state in queries.STATES else "",
        lane=lane if lane in queries.LANES else "",
        place=place if place.isdecimal() and len(place) <= 12 else "",
        search=args.get("search", "").strip()[:50],
    )


def _list_args() -> dict[str, str]:
    """Return the arguments of the list that the reader came from, to go on with it."""
    names = ("state", "lane", "place", "village", "search")
    return {name: request.args[name] for name in names if name in request.args}


@blueprint.get("/review")
@audience(*OFFICE)
def listing() -> Any:
    """Show the households of a state, lane and place."""
    user, county = office_user()
    wanted = _wanted(county, user.scope, request.args)
    number = page_number()
    with reading(server().engine) as conn:
        counts = queries.state_counts(conn, wanted)
        rows = queries.households(
            conn, wanted, limit=ROWS_PER_PAGE, offset=(number - 1) * ROWS_PER_PAGE
        )
        townships = queries.places_of_level(conn, user.scope[:9], 4) if len(user.scope) < 9 else []
        below = wanted.place[:9] if len(wanted.place) >= 9 else user.scope
        villages = queries.places_of_level(conn, below, 5) if len(below) >= 9 else []
        names = queries.division_names(conn, [row.village_code for row in rows])
        people = user_names(conn, {row.submitted_by for row in rows if row.submitted_by})
        green = queries.villages_with_green(conn, county, user.scope)
    lanes = {
        lane: sum(by.get(lane, 0) for state, by in counts.items() if wanted.state in ("", state))
        for lane in queries.LANES
    }
    no_lane = sum(by.get("", 0) for state, by in counts.items() if wanted.state in ("", state))
    total = lanes[wanted.lane] if wanted.lane else sum(lanes.values()) + no_lane
    return page(
        "review/listing.html",
        wanted=wanted,
        states=[(state, sum(counts.get(state, {}).values())) for state in queries.STATES],
        everything=sum(sum(by.values()) for by in counts.values()),
        lanes=lanes,
        rows=rows,
        townships=townships,
        villages=villages,
        names=names,
        people=people,
        green_waiting=sum(count for _, count in green),
        total=total,
        number=number,
        pages=max(1, -(-total // ROWS_PER_PAGE)),
        list_args=_list_args(),
        hit_message=lambda hit: _hit_words(hit, language())["message"],
        page_url=lambda wanted_page: link_with(page=wanted_page),
    )


@blueprint.get("/review/<household_id>")
@audience(*OFFICE)
def bundle(household_id: str) -> Any:
    """Show one household with everything that helps to decide about it."""
    return _bundle_page(household_id, {}, {})


def _bundle_page(
    household_id: str, errors: Mapping[str, str], typed: Mapping[str, str], status: int = 200
) -> Any:
    user, county = office_user()
    in_section("review.listing")
    with reading(server().engine) as conn:
        row = queries.review_row(conn, county, user.scope, household_id)
        if row is None:
            raise ChushanError("not_found")
        records = pairs(records_of_households(conn, county, [household_id]))
        changes = queries.changes_of(conn, county, [record["id"] for _, record in records])
        audits = queries.audits_of(conn, county, household_id)
        conflicts = queries.conflicts_of_household(conn, county, household_id)
        codes = division_codes(records, row.approved_values or []) | {row.village_code or ""}
        places = queries.division_names(conn, codes)
        named = household_ids(records, row.approved_values or [])
        others = queries.households_by_id(conn, county, sorted(named))
        before, after = queries.neighbours(
            conn, _wanted(county, user.scope, request.args), household_id
        )
        village = " · ".join(queries.place_names(conn, row.village_code or "")[1:])
    seen = _seen(row, records, changes, audits)
    only_changes = bool(seen.since) and row.state == "in_review" and "all" not in request.args
    lang = language()
    beside = Beside(
        hits=[_hit_words(hit, lang) for hit in row.hits or []],
        comments=row.comments or [],
        conflicts=frozenset((c.kind, c.record_id, c.field) for c in conflicts),
        places=places,
        households={
            other.household_id: other.head
            for other in others
            if other.head and other.village_code.startswith(user.scope)
        },
        seen=seen if row.state == "in_review" else Seen(),
        today=server().today(),
        lang=lang,
    )
    shown = cards(records, beside)
    return page(
        "review/bundle.html",
        status,
        row=row,
        cards=shown,
        hits=beside.hits,
        conflicts=conflicts,
        blocked="conflicts" if conflicts else _errors_in(beside.hits),
        history=history(changes, audits, records, lang, places, beside.households),
        only_changes=only_changes,
        since=seen.since if row.state == "in_review" else "",
        village=village,
        before=before,
        after=after,
        list_args=_list_args(),
        phrases=[words(f"phrase.{n}") for n in range(1, PHRASES + 1)],
        may_decide=user.role == "county",
        errors=errors,
        typed=typed,
        head=next((card.title for card in shown[1:2]), ""),
    )


def _errors_in(hits: Sequence[Mapping[str, Any]]) -> str:
    return "errors" if any(hit["level"] == "E" for hit in hits) else ""


def _seen(row: Any, records: Any, changes: Any, audits: Any) -> Seen:
    if row.approved_values:
        return seen_at_approval(records, row.approved_values)
    returned = [a.at_ms for a in audits if a.action == decisions.RETURNED]
    if returned and row.state == "in_review":
        return seen_at_return(records, changes, max(returned))
    return Seen()


def _hit_words(hit: Mapping[str, Any], lang: str) -> dict[str, Any]:
    """Return a stored rule hit with its message in the reader's language."""
    args = dict(hit.get("args") or {})
    field = (
        record_kind(hit["kind"]).fields.get(hit["field"]) if is_record_kind(hit["kind"]) else None
    )
    if "field" in args and field is not None:
        args["field"] = field.info.label(lang)
    try:
        message = text(hit["key"], lang, **args)
    except KeyError:
        message = str(hit.get("rule", ""))
    return {**hit, "message": message}


@blueprint.post("/review/<household_id>/approve")
@audience("county")
def approve(household_id: str) -> Any:
    """Approve the household as it was on the page."""
    user, county = office_user()
    here = server()
    with writing(here.engine) as conn:
        head = _head(conn, county, user.scope, household_id)
        decisions.approve(
            conn, county, household_id, _bundle_seq(), user=user, now_ms=here.now_ms(),
            new_id=here.new_id,
        )  # fmt: skip
    flash(words("review.done_approved", name=head), "success")
    return _go_on()


@blueprint.post("/review/<household_id>/return")
@audience("county")
def give_back(household_id: str) -> Any:
    """Return the household with the comments that were written beside its fields."""
    user, county = office_user()
    comments = []
    typed: dict[str, str] = {}
    for name, value in request.form.items():
        if not name.startswith("comment.") or not value.strip():
            continue
        typed[name.removeprefix("comment.")] = value
        _, kind, record_id, field = name.split(".", 3)
        comments.append(decisions.Comment(kind, record_id, field, value.strip()[:200]))
    if not comments:
        errors = {"comments": words("review.comment_needed")}
        return _bundle_page(household_id, errors, typed, 422)
    here = server()
    with writing(here.engine) as conn:
        head = _head(conn, county, user.scope, household_id)
        decisions.return_bundle(
            conn, county, household_id, _bundle_seq(), comments, user=user, now_ms=here.now_ms(),
            new_id=here.new_id,
        )  # fmt: skip
    flash(words("review.done_returned", name=head, count=len(comments)), "success")
    return _go_on()


@blueprint.post("/review/<household_id>/void")
@audience("county")
def void(household_id: str) -> Any:
    """Void the household, with the reason."""
    user, county = office_user()
    reason = request.form.get("reason", "").strip()[:200]
    if not reason:
        return _bundle_page(household_id, {"reason": words("review.reason_needed")}, {}, 422)
    here = server()
    with writing(here.engine) as conn:
        head = _head(conn, county, user.scope, household_id)
        decisions.void(
            conn, county, household_id, _bundle_seq(), reason, user=user, now_ms=here.now_ms(),
            new_id=here.new_id,
        )  # fmt: skip
    flash(words("review.done_void", name=head), "success")
    return _go_on()


def _bundle_seq() -> int:
    given = request.form.get("bundle_seq", "")
    if not given.isdecimal():
        raise ChushanError("malformed")
    return int(given)


def _head(conn: Connection, county: str, scope: str, household_id: str) -> str:
    """Return what to call a household that the reader may see."""
    if queries.review_row(conn, county, scope, household_id) is None:
        raise ChushanError("not_found")
    rows = queries.households_by_id(conn, county, [household_id])
    return rows[0].head or household_id


def _go_on() -> Any:
    """Go to the next household of the list, or back to it when there is none."""
    follow = request.form.get("next", "")
    if follow:
        return see_other("review.bundle", household_id=follow, **_list_args())
    return redirect(url_for("review.listing", **_list_args()), 303)


@blueprint.get("/review-village")
@audience("county")
def village() -> Any:
    """Draw a random sample of a village's green households before they are approved together."""
    user, county = office_user()
    in_section("review.listing")
    chosen = request.args.get("village", "")
    with reading(server().engine) as conn:
        green = queries.villages_with_green(conn, county, user.scope)
        names = queries.division_names(
            conn, [code for code, _ in green] + [code[:9] for code, _ in green]
        )
        waiting = queries.green_of_village(conn, county, user.scope, chosen) if chosen else []
        drawn = random.SystemRandom().sample(waiting, min(SAMPLE, len(waiting)))
        rows = queries.households_by_id(conn, county, [row.household_id for row in drawn])
    return page(
        "review/village.html",
        green=green,
        names=names,
        chosen=chosen,
        waiting=waiting,
        rows=rows,
        sample=SAMPLE,
        errors={},
    )


@blueprint.post("/review-village")
@audience("county")
def approve_village() -> Any:
    """Approve the green households of a village that were on the page and did not change since."""
    user, county = office_user()
    if request.form.get("looked") != "yes":
        flash(words("village.look_first"), "error")
        return see_other("review.village", village=request.form.get("village", ""))
    here = server()
    listed = [part.partition(":") for part in request.form.get("waiting", "").split()]
    wanted = [(one, int(seq)) for one, _, seq in listed if seq.isdecimal()]
    excluded = frozenset(request.form.getlist("exclude"))
    with writing(here.engine) as conn:
        result = decisions.approve_village(
            conn, county, user.scope, request.form.get("village", ""),
            [pair for pair in wanted if pair[0] not in excluded],
            sample=request.form.get("sample", "").split(), excluded=sorted(excluded),
            user=user, now_ms=here.now_ms(), new_id=here.new_id,
        )  # fmt: skip
    flash(words("village.done", approved=result.approved, skipped=result.skipped), "success")
    return see_other("review.listing")
