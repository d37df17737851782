"""Who seems to be registered in another county too: the list, and one exchange."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, request

from server.access import audience, server
from server.services import other_counties as service
from server.storage import other_counties as storage
from server.storage import review_pages as queries
from server.storage.engine import reading, writing
from server.web.bundle_view import division_codes
from server.web.pages import OFFICE, in_section, language, office_user, page, see_other, words
from server.web.pair_view import field_pairs
from shared_schemas.errors import ChushanError
from shared_schemas.golden import Registration

blueprint = Blueprint("elsewhere", __name__)

MOST_SHOWN = 200
FOLLOW_S = 0.5
"""How long a page may wait for new registrations to be compared."""

SHOWN = ("name", "sex", "birth_date", "lives_here", "hukou_village")
"""What two counties show each other of a person; the rest is said to be equal or not, no more."""

COMPARED = ("id_no", "phone")


@blueprint.get("/elsewhere")
@audience(*OFFICE)
def listing() -> Any:
    """Show the registrations of this county that seem to stand in another one too."""
    user, county = office_user()
    here = server()
    service.follow_all(here.engine, here.secret_key, now_ms=here.now_ms(), for_s=FOLLOW_S)
    in_section("duplicates.listing")
    with reading(here.engine) as conn:
        rows = storage.doubles(conn, county, user.scope, MOST_SHOWN)
        places = queries.division_names(
            conn, {row.other_county for row in rows} | {row.village_code for row in rows}
        )
    return page("elsewhere/listing.html", rows=rows, places=places, state_of=_state)


def _state(row: Any) -> str:
    """Return where a double stands, as its own county sees it."""
    if row.verdict == row.their_verdict == service.SAME:
        return "linked"
    if service.NOT_SAME in (row.verdict, row.their_verdict):
        return "not_same"
    if service.REFUSED in (row.word, row.their_word):
        return "refused"
    if row.word == row.their_word == service.AGREED:
        return "said" if row.verdict else "open"
    if row.word:
        return "asked"
    return "asked_of_us" if row.their_word else "found"


@blueprint.get("/elsewhere/<double_id>")
@audience(*OFFICE)
def double(double_id: str) -> Any:
    """Show one registration, and that of the other county once both have agreed."""
    user, county = office_user()
    in_section("duplicates.listing")
    with reading(server().engine) as conn:
        row, other, mine, theirs = service.sides_of(conn, user, county, double_id)
        sides = [side for side in (mine, theirs) if side]
        codes = division_codes([("member", side.values) for side in sides])
        codes |= {side.village_code for side in sides} | {row.other_county, county}
        places = queries.division_names(conn, codes)
    state = _state(_Both(row, other))
    return page(
        "elsewhere/double.html",
        row=row,
        other=other,
        state=state,
        mine=mine,
        fields=_fields(mine, theirs, places) if theirs else [],
        own_place=places.get(mine.village_code, ""),
        their_place=places.get(f"{row.other_county}000000", row.other_county),
        county_name=places.get(f"{county}000000", county),
        may_decide=user.role == "county",
        is_exchange=theirs is not None,
    )


class _Both:
    """A side of a double with what the other has said, as `storage.doubles` gives it."""

    def __init__(self, row: Any, other: Any) -> None:
        self.word, self.verdict = row.word, row.verdict
        self.their_word, self.their_verdict = other.word, other.verdict


def _fields(mine: Registration, theirs: Registration, places: Any) -> list[Any]:
    pairs = field_pairs(mine, theirs, lang=language(), places=places)
    wanted = {each.name: each for each in pairs if each.name in (*SHOWN, *COMPARED)}
    return [
        (wanted[name], name in SHOWN)
        for name in (*SHOWN, *COMPARED)
        if name in wanted
        and wanted[name].is_answered
        # Of what only one side knows it would be wrong to say that both agree.
        and (name in SHOWN or all(side.values.get(name) for side in (mine, theirs)))
    ]


@blueprint.post("/elsewhere/<double_id>")
@audience("county")
def say(double_id: str) -> Any:
    """Take what the county says of a double."""
    user, county = office_user()
    here = server()
    act = request.form.get("act", "")
    if act not in service.ACTS:
        raise ChushanError("malformed")
    with writing(here.engine) as conn:
        service.say(
            conn, county, double_id, act, user=user, now_ms=here.now_ms(), new_id=here.new_id
        )
    flash(words(f"elsewhere.done_{act}"), "success")
    return see_other("elsewhere.double", double_id=double_id)
