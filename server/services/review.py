"""The county's decisions about a household: approve, return with comments, void, approve a village.

Each is about the bundle as it was on the reviewer's page (`bundle_seq`); when it has changed since,
nothing happens and ChushanError changed_meanwhile says so. Every decision gets a number of the
county's feed, so that it reaches the phones, and a row of the audit.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection

from server.services.apply_changes import COUNTY, Author, apply_changes, next_n
from server.services.labourers import store_labourers, store_many_labourers
from server.services.persons import follow_households
from server.storage import decisions as storage
from server.storage.accounts import User
from server.storage.audit import add_audit
from server.storage.feed import allocate
from server.storage.records import StoredRecord, lock_households, pairs, records_of_households
from shared_schemas import SCHEMA_VERSION
from shared_schemas.bundle import bundle_of
from shared_schemas.changes import Change
from shared_schemas.errors import ChushanError
from shared_schemas.fields import Audience
from shared_schemas.records import is_record_kind, record_kind

APPROVED, RETURNED, VOIDED, VILLAGE_APPROVED = (
    "household_approved",
    "household_returned",
    "household_voided",
    "village_approved",
)
"""Actions of the audit."""

DECIDABLE = ("in_review",)
RETURNABLE = ("in_review", "approved")


@dataclass(frozen=True, slots=True)
class Comment:
    """The reviewer's words about one field."""

    kind: str
    record_id: str
    field: str
    text: str


def approve(
    conn: Connection,
    county: str,
    household_id: str,
    bundle_seq: int,
    *,
    user: User,
    now_ms: int,
    new_id: Callable[[], str],
) -> None:
    """Approve a household: its present values become the version that lists show.

    An open conflict or an error against the rules stands in the way (wrong_state).
    """
    row = _decidable(conn, county, household_id, bundle_seq, DECIDABLE)
    if any(hit["level"] == "E" for hit in row.hits or []):
        raise ChushanError("wrong_state", "还有必须改正的错误,请先退回")
    if storage.open_conflicts(conn, county, household_id):
        raise ChushanError("wrong_state", "这户还有没裁定的冲突,请先裁定")
    records = records_of_households(conn, county, [household_id])
    bundle = bundle_of(pairs(records))
    store_labourers(conn, county, bundle, approved_at_ms=now_ms)
    seq = allocate(conn, county, 1, at_ms=now_ms, tag=secrets.token_hex(4))
    storage.decide(
        conn,
        county,
        household_id,
        {
            "seq": seq,
            "state": "approved",
            "comments": [],
            "decided_by": user.id,
            "decided_at_ms": now_ms,
            "approved_at_ms": now_ms,
            "approved_values": approved_values(records),
        },
    )
    follow_households(conn, county, [household_id], now_ms=now_ms)
    add_audit(conn, county, id=new_id(), at_ms=now_ms, actor=user.id, action=APPROVED,
              target_kind="household", target_id=household_id,
              detail={"bundle_seq": bundle_seq, "lane": row.lane})  # fmt: skip


def approved_values(records: Sequence[StoredRecord]) -> list[list[Any]]:
    """Return the values of an approved version: [[kind, id, values]], void records left out."""
    return [
        [record.kind, record.id, dict(record.values)]
        for record in records
        if not record.values.get("deleted")
    ]


def return_bundle(
    conn: Connection,
    county: str,
    household_id: str,
    bundle_seq: int,
    comments: Sequence[Comment],
    *,
    user: User,
    now_ms: int,
    new_id: Callable[[], str],
) -> None:
    """Return a household to the cadre with words beside fields. An approved version stays listed.

    A comment about a record or field that the household does not have is refused (invalid_values).
    """
    _decidable(conn, county, household_id, bundle_seq, RETURNABLE)
    records = {(r.kind, r.id) for r in records_of_households(conn, county, [household_id])}
    for comment in comments:
        if (comment.kind, comment.record_id) not in records or not _may_comment(comment):
            raise ChushanError("invalid_values", "批注的项目不在这一户里")
    if not comments:
        raise ChushanError("invalid_values", "退回时至少写一条意见")
    written = [asdict(comment) for comment in comments]
    seq = allocate(conn, county, 1, at_ms=now_ms, tag=secrets.token_hex(4))
    storage.decide(
        conn,
        county,
        household_id,
        {
            "seq": seq,
            "state": "returned",
            "comments": written,
            "decided_by": user.id,
            "decided_at_ms": now_ms,
        },
    )
    add_audit(conn, county, id=new_id(), at_ms=now_ms, actor=user.id, action=RETURNED,
              target_kind="household", target_id=household_id,
              detail={"bundle_seq": bundle_seq, "comments": written})  # fmt: skip


def _may_comment(comment: Comment) -> bool:
    return is_record_kind(comment.kind) and comment.field in set(
        record_kind(comment.kind).seen_by(Audience.COUNTY)
    )


def void(
    conn: Connection,
    county: str,
    household_id: str,
    bundle_seq: int,
    reason: str,
    *,
    user: User,
    now_ms: int,
    new_id: Callable[[], str],
) -> None:
    """Void a household and all that belongs to it: off every list, and off the phones at sync."""
    if not reason.strip():
        raise ChushanError("invalid_values", "请写明作废的原因")
    _decidable(conn, county, household_id, bundle_seq,
               ("in_review", "returned", "approved", "to_confirm"))  # fmt: skip
    records = [
        record
        for record in records_of_households(conn, county, [household_id])
        if not record.values.get("deleted")
    ]
    first = next_n(conn, county, COUNTY, len(records))
    # The household goes last: what lies in a void household can no longer be changed.
    records.sort(key=lambda record: record.kind == "household")
    changes = [
        Change(first + i, record.kind, record.id, record.seq, now_ms, {"deleted": True})
        for i, record in enumerate(records)
    ]
    apply_changes(
        conn, changes, author=county_author(county, user), sent_ms=now_ms, received_ms=now_ms,
        schema=SCHEMA_VERSION,
    )  # fmt: skip
    storage.decide(
        conn, county, household_id,
        {"state": "void", "comments": [], "decided_by": user.id, "decided_at_ms": now_ms},
    )  # fmt: skip
    storage.forget_labourers(conn, county, household_id)
    follow_households(conn, county, [household_id], now_ms=now_ms)
    add_audit(conn, county, id=new_id(), at_ms=now_ms, actor=user.id, action=VOIDED,
              target_kind="household", target_id=household_id,
              detail={"reason": reason.strip()})  # fmt: skip


def county_author(county: str, user: User) -> Author:
    """Return the author of what a reviewer writes."""
    return Author(county, COUNTY, user.id, None, user.scope, "county")


@dataclass(frozen=True, slots=True)
class VillageApproval:
    """How many households were approved together, and how many had changed or were not green."""

    approved: int
    skipped: int


def approve_village(
    conn: Connection,
    county: str,
    scope: str,
    village: str,
    wanted: Sequence[tuple[str, int]],
    *,
    sample: Sequence[str],
    excluded: Sequence[str],
    user: User,
    now_ms: int,
    new_id: Callable[[], str],
) -> VillageApproval:
    """Approve the green households of a village that a sample was looked at for.

    `wanted` are (household id, bundle_seq) as the page drew them; one that is no longer green, no
    longer waits, or has changed is left out and counted. Sample and result stand in the audit.
    """
    lock_households(conn, county, [household_id for household_id, _ in wanted])
    present = storage.green_waiting(conn, county, scope, village)
    good = [household_id for household_id, seq in wanted if present.get(household_id) == seq]
    by_household: dict[str, list[StoredRecord]] = {household_id: [] for household_id in good}
    for start in range(0, len(good), storage.CHUNK):
        for record in records_of_households(conn, county, good[start : start + storage.CHUNK]):
            by_household[record.household_id].append(record)
    store_many_labourers(
        conn, county, [bundle_of(pairs(records)) for records in by_household.values()],
        approved_at_ms=now_ms,
    )  # fmt: skip
    if good:
        first = allocate(conn, county, len(good), at_ms=now_ms, tag=secrets.token_hex(4))
        storage.approve_many(
            conn,
            county,
            [
                (household_id, first + i, approved_values(records))
                for i, (household_id, records) in enumerate(by_household.items())
            ],
            by=user.id,
            now_ms=now_ms,
        )
        follow_households(conn, county, good, now_ms=now_ms)
    result = VillageApproval(len(good), len(wanted) - len(good))
    for household_id in good:
        add_audit(conn, county, id=new_id(), at_ms=now_ms, actor=user.id, action=APPROVED,
                  target_kind="household", target_id=household_id,
                  detail={"together_with_village": village,
                          "sampled": household_id in set(sample)})  # fmt: skip
    add_audit(conn, county, id=new_id(), at_ms=now_ms, actor=user.id, action=VILLAGE_APPROVED,
              target_kind="village", target_id=village,
              detail={"sample": list(sample), "excluded": list(excluded),
                      "approved": result.approved, "skipped": result.skipped})  # fmt: skip
    return result


def _decidable(
    conn: Connection, county: str, household_id: str, bundle_seq: int, states: Sequence[str]
) -> Any:
    """Return the review, locked, when it is still as the reviewer saw it."""
    lock_households(conn, county, [household_id])
    row = storage.review_to_decide(conn, county, household_id)
    if row is None:
        raise ChushanError("not_found")
    if row.bundle_seq != bundle_seq:
        raise ChushanError("changed_meanwhile")
    if row.state not in states:
        raise ChushanError("wrong_state")
    return row
