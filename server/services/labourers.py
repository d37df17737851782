"""Labourers: the row that the labour list asks and shows, derived from an approved bundle.

Three callers: review approval calls `store_labourers` with the approved bundle; the recheck after
every write calls `take_off_lists` with the present bundles, so that a withdrawal of consent, a
death or a move takes effect at once, before anybody approves; the labour list only reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection

from server.storage import labour as storage
from shared_schemas.bundle import Bundle, Record
from shared_schemas.fields import Audience, Declared
from shared_schemas.records import RecordKind, record_kinds
from shared_schemas.records.consent import SHARE_HR
from shared_schemas.records.member import HEAD, adult
from shared_schemas.rules import SPOUSES

DIED, MOVED_AWAY = "2", "5"
SPOUSE, FATHER_AND_SON, BROTHERS = "1", "2", "3"
PAIRED = frozenset({SPOUSE, FATHER_AND_SON, BROTHERS})
ETHNIC = "ethnic"


@dataclass(frozen=True, slots=True)
class CardField:
    """A field that a firm may see. `key` names it in JSON; two kinds may share a field name."""

    key: str
    kind: str
    name: str
    declared: Declared


def card_fields() -> tuple[CardField, ...]:
    """Return the fields whose declaration names the audience firm_list, in form order."""
    return _fields_for(Audience.FIRM_LIST, record_kinds())


def reveal_fields() -> tuple[CardField, ...]:
    """Return the fields whose declaration names the audience firm_reveal."""
    return _fields_for(Audience.FIRM_REVEAL, record_kinds())


@cache
def _fields_for(audience: Audience, kinds: tuple[RecordKind, ...]) -> tuple[CardField, ...]:
    order = ("member", "intention", "household")
    named = [
        (kind, name)
        for kind in sorted((k for k in kinds if k.name in order), key=lambda k: order.index(k.name))
        for name in kind.seen_by(audience)
    ]
    names = [name for _, name in named]
    return tuple(
        CardField(name if names.count(name) == 1 else f"{kind.name}_{name}",
                  kind.name, name, kind.fields[name])
        for kind, name in named
    )  # fmt: skip


def labourer_row(
    bundle: Bundle, member: Record, *, county: str, approved_at_ms: int
) -> dict[str, Any]:
    """Return the `labourer` row of one member of an approved bundle.

    The ethnic group goes on the card only where the worker ticked that it may be told. Whether
    somebody is available is not decided here, because age and freshness change with the day.
    """
    intention = current_intention(bundle, member["id"]) or {}
    sources: Mapping[str, Record] = {
        "household": bundle.household,
        "member": member,
        "intention": intention,
    }

    def told(fields: Iterable[CardField]) -> dict[str, Any]:
        values = {field.key: sources[field.kind].get(field.name) for field in fields}
        return {key: value for key, value in values.items() if value is not None}

    card = told(card_fields())
    if intention.get("share_ethnic") is True and member.get(ETHNIC):
        card[ETHNIC] = member[ETHNIC]
    wished = ["*"] if intention.get("any_occupation") else intention.get("occupations") or []
    return {
        "county": county,
        "member_id": member["id"],
        "household_id": bundle.household["id"],
        "village_code": bundle.household.get("village_code") or "",
        "name": member.get("name") or "",
        **{name: member.get(name) for name in _OF_MEMBER},
        **{name: intention.get(name) for name in _OF_INTENTION},
        "partners": sorted(partners(bundle, member, intention)),
        "share_hr": shares_with_firms(bundle, member["id"]),
        "gone": is_gone(bundle, member),
        "listable": bool(member.get("id_no")),
        "state": placement_state(bundle, member["id"]),
        "card": card,
        "reveals": told(reveal_fields()),
        "occupations": f",{','.join(wished)}," if wished else "",
        "approved_at_ms": approved_at_ms,
    }


_OF_MEMBER = (
    "sex",
    "birth_date",
    "labour_ability",
    "in_school",
    "graduates_on",
    "speaks_mandarin",
)
_OF_INTENTION = (
    "wants_job",
    "reach",
    "wage_floor",
    "available_from",
    "confirmed_on",
    "together_with",
)


def current_intention(bundle: Bundle, member_id: str) -> Record | None:
    """Return the newest intention of a member, None when there is none."""
    own = [i for i in bundle.intentions if i.get("member_id") == member_id]
    return max(own, key=lambda i: (i.get("confirmed_on") or "", i["id"]), default=None)


def shares_with_firms(bundle: Bundle, member_id: str) -> bool:
    """Tell whether a consent to share with HR firms was given and no later answer took it back.

    A refusal or withdrawal of the same day wins: the answer that shares less counts.
    """
    answers = [
        c
        for c in bundle.consents
        if c.get("member_id") == member_id and c.get("consent_kind") == SHARE_HR
    ]
    given = [
        c.get("consented_on") or ""
        for c in answers
        if c.get("given") is True and not c.get("withdrawn_on")
    ]
    taken_back = [
        c.get("withdrawn_on") or c.get("consented_on") or ""
        for c in answers
        if c.get("given") is not True or c.get("withdrawn_on")
    ]
    return bool(given) and (not taken_back or max(given) > max(taken_back))


def is_gone(bundle: Bundle, member: Record) -> bool:
    """Tell whether a member died, moved away or was voided: such a person leaves every list."""
    return bool(
        member.get("member_change") in (DIED, MOVED_AWAY)
        or member.get("deleted")
        or bundle.household.get("deleted")
    )


def placement_state(bundle: Bundle, member_id: str) -> str:
    """Return the labourer state that the placements of a member say: "available" when none is open."""
    present = [
        p
        for p in bundle.placements
        if p.get("member_id") == member_id
        and not p.get("ended_on")
        and p.get("state") in ("matched", "departed", "on_job", "lost_contact")
    ]
    newest = max(present, key=lambda p: (p.get("started_on") or "", p["id"]), default=None)
    return str(newest["state"]) if newest else "available"


def partners(bundle: Bundle, member: Record, intention: Record) -> set[str]:
    """Return the ids of those whom a member wants to go with, as spouse, father, son or brother.

    The intention may name them. Where it does not, a spouse is read from the relations, and
    otherwise the one other member of the household who wants to go in the same way.
    """
    way = intention.get("together_with")
    if way not in PAIRED:
        return set()
    named = intention.get("together_members") or []
    if named:
        return set(named)
    if way == SPOUSE:
        couple = [m for m in bundle.members if m.get("relation") in {HEAD, *SPOUSES}]
        if len(couple) == 2 and member["id"] in {m["id"] for m in couple}:
            return {m["id"] for m in couple} - {member["id"]}
    alike = {
        m["id"]
        for m in bundle.members
        if m["id"] != member["id"]
        and (current_intention(bundle, m["id"]) or {}).get("together_with") == way
    }
    return alike if len(alike) == 1 else set()


def labourer_rows(bundle: Bundle, *, county: str, approved_at_ms: int) -> list[dict[str, Any]]:
    """Return a row for each member who was of working age at the visit (an unknown age counts)."""
    return [
        labourer_row(bundle, member, county=county, approved_at_ms=approved_at_ms)
        for member in bundle.members
        if adult(bundle.facts("member", member, None))
    ]


def store_labourers(conn: Connection, county: str, bundle: Bundle, *, approved_at_ms: int) -> None:
    """Replace the labourers of a household by those of the bundle that was just approved."""
    store_many_labourers(conn, county, [bundle], approved_at_ms=approved_at_ms)


def store_many_labourers(
    conn: Connection, county: str, bundles: Iterable[Bundle], *, approved_at_ms: int
) -> None:
    """Do `store_labourers` for many bundles of a county in few statements (bulk approval)."""
    listed = list(bundles)
    storage.replace_labourers(
        conn,
        county,
        [b.household["id"] for b in listed],
        [
            row
            for bundle in listed
            for row in labourer_rows(bundle, county=county, approved_at_ms=approved_at_ms)
        ],
    )


def take_off_lists(conn: Connection, county: str, bundles: Iterable[Bundle]) -> int:
    """Take at once from every list whoever withdrew consent, died, moved away or was voided.

    `bundles` are the present ones, not yet approved, void records left out. It only ever takes
    people off; back on they come by an approval. Returns how many rows changed.
    """
    by_household = {bundle.household["id"]: bundle for bundle in bundles}
    taken = []
    for row in storage.listed_labourers(conn, county, list(by_household)):
        bundle = by_household[row.household_id]
        member = bundle.member(row.member_id)
        gone = row.gone or not member or is_gone(bundle, member)
        share = row.share_hr and shares_with_firms(bundle, row.member_id)
        if (gone, share) != (row.gone, row.share_hr):
            taken.append({"b_member_id": row.member_id, "b_gone": gone, "b_share_hr": share})
    storage.restrict_labourers(conn, county, taken)
    return len(taken)
