"""The packed form of a push: what goes over the line, and into a hand-over file."""

from __future__ import annotations

from mobile.storage.outbox import Batch
from shared_schemas import wire
from shared_schemas.protocol import PROTOCOL


def packed(batch: Batch, sent_at_ms: int, *, brief: bool = False) -> bytes:
    """Return the request. Its changes are what they were at the first sending, to the byte.

    The server knows a change that it has by its hash and answers it again. The time of sending is
    not part of that and is stamped anew: the server reads the clock's error from it, and a batch
    that waited an hour for signal would look like a clock that is an hour slow.
    """
    return wire.pack(
        {
            "protocol": PROTOCOL,
            "schema": batch.schema,
            "incarnation": batch.incarnation,
            "epoch": batch.epoch,
            "sent_at_ms": sent_at_ms,
            **({"brief": True} if brief else {}),
            "changes": wire.group_changes(batch.changes),
        }
    )
