"""Which households may be listed twice: the queue, and two lists side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from sqlalchemy import Connection

from server.access import audience, server
from server.services import persons
from server.services.households_twice import GONE
from server.services.join_households import (
    Decision,
    Line,
    decide_households,
    lines_of,
    take_apart,
)
from server.storage import households_twice as storage
from server.storage import review_pages as queries
from server.storage.accounts import user_names
from server.storage.engine import reading, writing
from server.storage.persons import OPEN, UNSURE, ordered
from server.storage.records import StoredRecord, records_of_households
from server.storage.reviews import reviews_of
from server.web.bundle_view import shown_value
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
from server.web.pair_view import field_pairs
from shared_schemas.errors import ChushanError
from shared_schemas.fields import age_on
from shared_schemas.golden import Registration
from shared_schemas.records import record_kind
from shared_schemas.records.member import HEAD

blueprint = Blueprint("duplicate_households", __name__)

MOST_IN_ORDER = 1000
"""So far down the queue a reviewer gets from one pair to the next."""

COMPARED = ("registry_no", "category", "phone", "group_no", "address", "is_split", "survey_date")
"""Fields of a household that stand side by side; all others are on its own page."""

TELLING = ("registry_no", "category", "is_split")
"""Those that one household has but once: two cadres write addresses and dates of their own."""


@blueprint.get("/duplicate-households")
@audience(*OFFICE)
def listing() -> Any:
    """Show the pairs of lists of a state, those with most people in common first."""
    user, county = office_user()
    state, number = _state(), page_number()
    with reading(server().engine) as conn:
        counts = storage.pair_counts(conn, county, user.scope)
        rows = storage.pairs(
            conn, county, user.scope, state, limit=ROWS_PER_PAGE,
            offset=(number - 1) * ROWS_PER_PAGE,
        )  # fmt: skip
        ids = sorted({one for row in rows for one in (row.left_id, row.right_id)})
        homes = {h.household_id: h for h in queries.households_by_id(conn, county, ids)}
        places = _names(conn, [h.village_code for h in homes.values()])
    return page(
        "duplicate_households/listing.html",
        state=state,
        states=storage.STATES,
        counts=counts,
        rows=rows,
        homes=homes,
        places=places,
        explained=_explained,
        number=number,
        pages=max(1, -(-counts[state] // ROWS_PER_PAGE)),
        page_url=lambda wanted: link_with(page=wanted),
    )


def _state() -> str:
    asked = request.args.get("state", OPEN)
    return asked if asked in storage.STATES else OPEN


def _explained(row: Any) -> list[str]:
    return [words(f"duplicate_households.reasons.{why}", count=row.shared) for why in row.reasons]


def _names(conn: Connection, villages: Sequence[str]) -> dict[str, str]:
    """Return township and village in words, by the village's code."""
    codes = {code for village in villages for code in (village, village[:9])}
    names = queries.division_names(conn, codes)
    return {
        village: " · ".join(
            names[code] for code in (village[:9].ljust(12, "0"), village) if code in names
        )
        for village in villages
    }


# One pair -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody on a list."""

    id: str
    name: str
    about: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """A household list as it stands beside the other one."""

    id: str
    head: str
    village: str
    cadre: str
    values: Mapping[str, Any]
    approved: bool
    members: Mapping[str, Entry]


@dataclass(frozen=True, slots=True)
class MemberLine:
    """Who is whom, on one line; `line` is None for somebody on one list only."""

    left: Entry | None
    right: Entry | None
    line: Line | None = None
    differing: tuple[str, ...] = ()


@blueprint.get("/duplicate-households/<left>/<right>")
@audience(*OFFICE)
def pair(left: str, right: str) -> Any:
    """Show two lists side by side, and who on them is whom."""
    return _pair_page(left, right, {})


def _pair_page(left: str, right: str, errors: Mapping[str, str], status: int = 200) -> Any:
    user, county = office_user()
    in_section("duplicate_households.listing")
    lang = language()
    with reading(server().engine) as conn:
        row = storage.pair_within(conn, county, user.scope, (left, right))
        if row is None:
            raise ChushanError("not_found")
        sheets = _sheets(conn, county, ordered(left, right))
        lines = _lines(conn, county, row, sheets)
        before, after = _neighbours(conn, county, user.scope, row)
        story = storage.stories_of(conn, county, (row.left_id, row.right_id))
    undecided = row.state in (OPEN, UNSURE)
    return page(
        "duplicate_households/pair.html",
        status,
        row=row,
        sheets=sheets,
        compared=_compared(sheets, lang),
        lines=lines,
        alone=[sum(1 for each in lines if each.line is None and getattr(each, side))
               for side in ("left", "right")],
        explained=_explained(row),
        stays=_recommended(sheets),
        before=before,
        after=after,
        state=_state(),
        story=story,
        undecided=undecided,
        may_decide=user.role == "county",
        errors=errors,
        typed=request.form,
    )  # fmt: skip


def _sheets(conn: Connection, county: str, pair: tuple[str, str]) -> tuple[Sheet, Sheet]:
    records: dict[str, list[StoredRecord]] = {one: [] for one in pair}
    for record in records_of_households(conn, county, pair):
        records[record.household_id].append(record)
    reviews = reviews_of(conn, county, pair)
    names = _names(conn, [reviews[one].village_code or "" for one in pair])
    cadres = user_names(conn, {r.submitted_by for r in reviews.values() if r.submitted_by})

    def sheet(one: str) -> Sheet:
        members = [
            r for r in records[one] if r.kind == "member" and not r.values.get("deleted")
        ]  # fmt: skip
        members.sort(key=lambda m: (m.values.get("relation") != HEAD,
                                    m.values.get("birth_date") or "9", m.id))  # fmt: skip
        head = next((m for m in members if m.values.get("relation") == HEAD), None)
        review = reviews[one]
        return Sheet(
            id=one,
            head=str(head.values.get("name") or "") if head else "",
            village=names[review.village_code or ""],
            cadre=cadres.get(review.submitted_by or "", ""),
            values=next(r.values for r in records[one] if r.kind == "household"),
            approved=review.approved_at_ms is not None,
            members={m.id: _entry(m) for m in members},
        )

    return sheet(pair[0]), sheet(pair[1])


def _entry(member: StoredRecord) -> Entry:
    lang, values = language(), member.values
    declared = record_kind("member").fields
    age = age_on(values.get("birth_date"), server().today())
    change = values.get("member_change")
    about = [
        declared["relation"].shown(values.get("relation"), lang),
        declared["sex"].shown(values.get("sex"), lang),
        words("duplicates.age", age=age) if age is not None else "",
        declared["member_change"].shown(change, lang) if change in GONE else "",
    ]
    return Entry(member.id, str(values.get("name") or member.id), " · ".join(a for a in about if a))


def _compared(sheets: tuple[Sheet, Sheet], lang: str) -> list[tuple[str, list[str], bool]]:
    """Return (label, both values, whether they tell the lists apart) of what stands side by side."""

    def said(key: str, both: list[str]) -> tuple[str, list[str], bool]:
        return words(f"duplicate_households.{key}"), both, False

    lines = [
        said("head", [sheet.head for sheet in sheets]),
        said("village", [sheet.village for sheet in sheets]),
    ]
    for name in COMPARED:
        declared = record_kind("household").fields[name]
        both = [shown_value(declared, s.values.get(name), lang=lang, places={}) for s in sheets]
        differs = name in TELLING and all(both) and both[0] != both[1]
        lines.append((declared.info.label(lang), both, differs))
    lines.append(said("cadre", [sheet.cadre for sheet in sheets]))
    return [line for line in lines if any(line[1])]


def _lines(
    conn: Connection, county: str, row: Any, sheets: tuple[Sheet, Sheet]
) -> list[MemberLine]:
    left, right = (sheet.members for sheet in sheets)
    found = []
    registered: dict[str, Registration] = {
        r.id: r for r in persons.registrations(conn, county, [*left, *right])
    }
    lines = lines_of(conn, county, (row.left_id, row.right_id))
    lines = [line for line in lines if line.left in left and line.right in right]
    order = list(left)
    for line in sorted(lines, key=lambda each: order.index(each.left)):
        pairs = field_pairs(registered[line.left], registered[line.right], lang=language())
        differing = tuple(
            each.label for each in pairs
            if not each.is_equal and all(
                registered[one].values.get(each.name) for one in (line.left, line.right)
            ) and each.name != "relation"
        )  # fmt: skip
        found.append(MemberLine(left[line.left], right[line.right], line, differing))
    matched = {one for line in lines for one in (line.left, line.right)}
    found += [MemberLine(entry, None) for one, entry in left.items() if one not in matched]
    found += [MemberLine(None, entry) for one, entry in right.items() if one not in matched]
    return found


def _recommended(sheets: tuple[Sheet, Sheet]) -> str:
    """Return the list to keep counting: approved, registered, then the newer one."""

    def rank(sheet: Sheet) -> tuple[Any, ...]:
        day = str(sheet.values.get("survey_date") or "")
        return (sheet.approved, bool(sheet.values.get("registry_no")), day, len(sheet.members),
                sheet is sheets[0])  # fmt: skip

    return max(sheets, key=rank).id


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
    return url_for("duplicate_households.pair", left=found[0], right=found[1], state=_state())


@blueprint.post("/duplicate-households/<left>/<right>")
@audience("county")
def decide(left: str, right: str) -> Any:
    """Take the decision about two lists and go to the next."""
    user, county = office_user()
    here = server()
    state = request.form.get("decision", "")
    if state not in (storage.ONE, storage.TWO, UNSURE):
        raise ChushanError("malformed")
    stays = request.form.get("stays", "")
    with reading(here.engine) as conn:
        row = storage.pair_within(conn, county, user.scope, (left, right))
        if row is None:
            raise ChushanError("not_found")
        _, after = _neighbours(conn, county, user.scope, row)
    if state == storage.ONE and stays not in (left, right):
        said = words("duplicate_households.stays_needed")
        return _pair_page(left, right, {"stays": said}, 422)
    same = [tuple(each.split("+", 1)) for each in request.form.getlist("same") if "+" in each]
    decision = Decision(
        state, stays, frozenset((each[0], each[1]) for each in same),
        request.form.get("reason", "").strip()[:200],
    )  # fmt: skip
    with writing(here.engine) as conn:
        decide_households(
            conn, county, (left, right), decision, user=user, now_ms=here.now_ms(),
            new_id=here.new_id,
        )  # fmt: skip
    flash(words(f"duplicate_households.done_{state}"), "success")
    return redirect(after or url_for("duplicate_households.listing", state=_state()), 303)


@blueprint.post("/duplicate-households/<left>/<right>/withdraw")
@audience("county")
def withdraw(left: str, right: str) -> Any:
    """Take it back that two lists are one household."""
    user, county = office_user()
    here = server()
    with writing(here.engine) as conn:
        take_apart(
            conn, county, (left, right), user=user, reason=request.form.get("reason", "")[:200],
            now_ms=here.now_ms(), new_id=here.new_id,
        )  # fmt: skip
    flash(words("duplicate_households.done_withdrawn"), "success")
    return see_other("duplicate_households.pair", left=left, right=right)
