"""What a change is: one edit to one record, as a patch of field values (sync.md 3.1)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from shared_schemas.fields import Value


@dataclass(frozen=True)
class Change:
    """An edit as its device recorded it. Immutable once it was sent.

    `n` counts 1, 2, 3 … without gaps within one incarnation of a device. `base` is the server's
    `seq` of the record that was on the screen when the edit was made, 0 for a record that the
    server had not seen. `at_ms` is the device's clock, UTC epoch milliseconds; it may be wrong.
    """

    n: int
    kind: str
    record_id: str
    base: int
    at_ms: int
    values: Mapping[str, Value]

    @cached_property
    def values_text(self) -> str:
        """The values as JSON, one text for equal values: it is hashed and logged."""
        return _packed(dict(self.values))


class Outcome(StrEnum):
    """What became of a change on the server. Every change gets exactly one; none is dropped."""

    APPLIED = "applied"
    MERGED = "merged"
    """Someone else had changed other fields of the record meanwhile; both edits stand."""
    CONFLICT = "conflict"
    """Someone else had changed the same field; both values are kept for the county to decide."""
    HELD = "held"
    """Not applied; kept, with a reason, on the county's page."""


SUM_PRIMES = (1_000_003, 999_983)
"""Of the rows of one kind, phone and server compare their number, the sum of their `seq` and the sum of
(seq mod p)(seq mod q) for these two primes. No two versions of records in a county share a `seq`, so
equal sums mean the same versions; eight million rows stay within 63 bits."""


class HeldReason(StrEnum):
    """Why a change is held."""

    OUT_OF_SCOPE = "out_of_scope"
    INVALID = "invalid"
    UNKNOWN_KIND = "unknown_kind"
    UNKNOWN_SCHEMA = "unknown_schema"
    MISSING_HOUSEHOLD = "missing_household"
    DEVICE_REVOKED = "device_revoked"
    RECORD_VOID = "record_void"


def content_hash(change: Change) -> str:
    """Return 16 hex digits that name the content of a change; equal content, equal hash."""
    head = _packed([change.n, change.kind, change.record_id, change.base, change.at_ms])
    content = f"{head[:-1]},{change.values_text}]"
    return hashlib.blake2b(content.encode(), digest_size=8).hexdigest()


_packed = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode
