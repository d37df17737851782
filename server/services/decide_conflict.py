"""The county decides between two values of a field that were written apart, or gives a third.

The decision is an edit of the county like any other, so it goes through `apply_changes` and reaches
the phones with the record. Both values and both authors stay in the conflict for ever.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from sqlalchemy import Connection

from server.services.apply_changes import COUNTY, apply_changes, next_n
from server.services.review import county_author
from server.services.scope import in_scope
from server.storage import decisions as storage
from server.storage.accounts import User
from server.storage.audit import add_audit
from server.storage.conflicts import conflict_by_id
from server.storage.feed import allocate
from server.storage.records import lock_households, records_by_id
from shared_schemas import SCHEMA_VERSION
from shared_schemas.changes import Change, Outcome
from shared_schemas.errors import ChushanError
from shared_schemas.fields import Value
from shared_schemas.records import record_kind

DECIDED = "conflict_decided"


def decide_conflict(
    conn: Connection,
    county: str,
    conflict_id: str,
    value: Value,
    *,
    user: User,
    now_ms: int,
    new_id: Callable[[], str],
) -> None:
    """Write `value` into the field and close every open conflict about it.

    ChushanError: not_found outside the scope, wrong_state when it was decided already,
    invalid_values when the field's own check refuses the value, or the record cannot be without one.
    """
    row = conflict_by_id(conn, county, conflict_id)
    if row is None or not in_scope(row["village_code"], user.scope):
        raise ChushanError("not_found")
    kind, record_id, field = row["kind"], row["record_id"], row["field"]
    declared = record_kind(kind).fields[field]
    fault = None if value is None else declared.verdict(value)
    if fault is not None:
        raise ChushanError("invalid_values", fault.message())
    lock_households(conn, county, [row["household_id"]])
    open_ids = storage.open_conflicts_of_field(conn, county, kind, record_id, field)
    if conflict_id not in open_ids:
        raise ChushanError("wrong_state")
    storage.close_conflicts(conn, county, open_ids, value=value, by=user.id, now_ms=now_ms)
    present = records_by_id(conn, county, kind, [record_id])[record_id]
    n = next_n(conn, county, COUNTY)
    # Closed before the change is applied: the recheck counts the conflicts that are still open.
    [decided] = apply_changes(
        conn,
        [Change(n, kind, record_id, present.seq, now_ms, {field: value})],
        author=county_author(county, user),
        sent_ms=now_ms,
        received_ms=now_ms,
        schema=SCHEMA_VERSION,
    )
    if decided.outcome is Outcome.HELD:
        raise ChushanError(
            "invalid_values", f"{declared.info.zh}不能这样定,请选一个值或填写正确的值"
        )
    first = allocate(conn, county, len(open_ids), at_ms=now_ms, tag=secrets.token_hex(4))
    storage.number_conflicts(conn, county, {one: first + i for i, one in enumerate(open_ids)})
    add_audit(conn, county, id=new_id(), at_ms=now_ms, actor=user.id, action=DECIDED,
              target_kind="household", target_id=row["household_id"],
              detail={"kind": kind, "record_id": record_id, "field": field,
                      "conflicts": open_ids})  # fmt: skip
