"""Rechecks household bundles after a write: rules, lane, and the state of their review."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from server.services.labourers import take_off_lists
from server.storage.conflicts import count_open
from server.storage.divisions import known_villages, place_names
from server.storage.records import StoredRecord, households_with, pairs
from server.storage.reviews import Review, reviews_of, write_reviews
from shared_schemas.bundle import Bundle, bundle_of
from shared_schemas.rules import Hit, Surroundings, check_bundle, lane

TO_CONFIRM, IN_REVIEW, RETURNED, APPROVED, VOID = (
    "to_confirm", "in_review", "returned", "approved", "void",
)  # fmt: skip

CHINA = dt.timezone(dt.timedelta(hours=8))
"""The whole country keeps one time and has no summer time."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes. `source` is device, county or import; the last two are incarnations as well."""

    county: str
    incarnation: str
    user_id: str
    device_id: str | None
    scope: str
    source: str


@dataclass(frozen=True, slots=True)
class CheckedBundle:
    """A bundle as it stands now, and its review. Both numbers of the review are still to be set."""

    bundle: Bundle
    review: Review
    was_approved: bool


def store_checks(
    conn: Connection, county: str, checked: Iterable[CheckedBundle], reviews: Iterable[Review]
) -> None:
    """Write reviews, and take off the labour lists at once whoever may not be on them any more."""
    write_reviews(conn, county, reviews)
    listed = [entry.bundle for entry in checked if entry.was_approved]
    if listed:
        take_off_lists(conn, county, listed)


def check_bundles(
    conn: Connection,
    county: str,
    records: Mapping[str, Sequence[StoredRecord]],
    *,
    now_ms: int,
    author: Author,
    new_conflicts: Mapping[str, int],
) -> list[CheckedBundle]:
    """Return each household's bundle and what its review should be, without writing.

    `records` are all records of each household as they will stand; they need not be stored yet.
    """
    before = reviews_of(conn, county, records, lock=True)
    bundles = {key: bundle_of(pairs(entries)) for key, entries in records.items()}
    bundles = {key: bundle for key, bundle in bundles.items() if bundle.household}
    around = _surroundings(conn, county, bundles, now_ms=now_ms)
    open_now = count_open(conn, county, before)
    checked = []
    for key, bundle in bundles.items():
        conflicts = open_now.get(key, 0) + new_conflicts.get(key, 0)
        hits = check_bundle(bundle, replace(around, open_conflicts=conflicts))
        checked.append(
            CheckedBundle(
                bundle,
                _review(before.get(key), bundle, hits, author, now_ms),
                was_approved=key in before and before[key].approved_at_ms is not None,
            )
        )
    return checked


def _review(
    before: Review | None,
    bundle: Bundle,
    hits: list[Hit],
    author: Author,
    now_ms: int,
) -> Review:
    handed_in = author.source == "device"
    return Review(
        household_id=bundle.household["id"],
        village_code=bundle.household.get("village_code"),
        seq=0,
        state=next_state(
            before.state if before else None,
            author.source,
            void=bool(bundle.household.get("deleted")),
        ),
        lane=lane(hits),
        hits=[_hit_to_json(hit) for hit in hits],
        bundle_seq=0,
        submitted_at_ms=now_ms if handed_in else before.submitted_at_ms if before else None,
        submitted_by=author.user_id if handed_in else before.submitted_by if before else None,
    )


def next_state(before: str | None, source: str, *, void: bool) -> str:
    """Return the state of a review after a write (domain.md 4.4).

    A roster's households wait to be confirmed by a visit; whatever a phone sends waits for the
    county. An approved one that changes is in review again, and its approved version stays listed.
    """
    if void:
        return VOID
    if before is None:
        return TO_CONFIRM if source == "import" else IN_REVIEW
    if source == "device":
        return IN_REVIEW
    return before if before in (TO_CONFIRM, RETURNED) else IN_REVIEW


def _hit_to_json(hit: Hit) -> dict[str, Any]:
    return {
        "rule": hit.rule,
        "level": hit.level.value,
        "kind": hit.kind,
        "record_id": hit.record_id,
        "field": hit.field,
        "key": hit.key,
        "args": dict(hit.args),
        "reason": hit.reason,
    }


def today_of(now_ms: int) -> str:
    """Return the ISO date in China."""
    return dt.datetime.fromtimestamp(now_ms / 1000, CHINA).date().isoformat()


Owners = dict[str, set[tuple[str, str | None]]]
"""Which (household, village) have an ID number or a phone number."""


def _surroundings(
    conn: Connection, county: str, bundles: Mapping[str, Bundle], *, now_ms: int
) -> Surroundings:
    ids, phones, villages = _in_memory(bundles)
    for owners, kind, column in (
        (ids, "member", "id_no"),
        (phones, "member", "phone"),
        (phones, "household", "phone"),
    ):
        for value, household_id, village in households_with(conn, county, kind, column, owners):
            if household_id not in bundles:  # what we hold in memory is newer
                owners[value].add((household_id, village))
    known = known_villages(conn, villages)
    elsewhere = {village for owners in ids.values() if len(owners) > 1 for _, village in owners}
    names = place_names(conn, {v for v in elsewhere if v})

    def id_elsewhere(number: str, household_id: str) -> str | None:
        others = [v for owner, v in ids.get(number, ()) if owner != household_id]
        return (names.get(others[0] or "") or others[0] or "") if others else None

    def phone_households(phone: str, household_id: str) -> int:
        return len({owner for owner, _ in phones.get(phone, ()) if owner != household_id})

    return Surroundings(
        today=today_of(now_ms),
        village_known=known.__contains__,
        id_elsewhere=id_elsewhere,
        phone_households=phone_households,
        on_server=True,
        values_judged=True,  # apply_changes holds a change with a bad value
    )


def _in_memory(bundles: Mapping[str, Bundle]) -> tuple[Owners, Owners, set[str]]:
    ids: Owners = {}
    phones: Owners = {}
    villages: set[str] = set()
    for key, bundle in bundles.items():
        owner = (key, bundle.household.get("village_code"))
        if owner[1]:
            villages.add(owner[1])
        if bundle.household.get("phone"):
            phones.setdefault(bundle.household["phone"], set()).add(owner)
        for member in bundle.members:
            if member.get("id_no"):
                ids.setdefault(member["id_no"], set()).add(owner)
            if member.get("phone"):
                phones.setdefault(member["phone"], set()).add(owner)
    return ids, phones, villages
