"""Deletes from the phone what the county has: for a phone that was revoked, or guessed at.

What the county does not have (drafts, changes without an answer, changes that are in no backup of
its database yet) stays.
"""

from __future__ import annotations

from mobile.storage import inbox, outbox, phone_index
from mobile.storage.database import Store, get, put


def wipe_settled(store: Store) -> None:
    """Delete the settled records and the index of who is registered; the next sync may bring them again."""
    store.connection.execute("PRAGMA secure_delete = ON")
    with store.writing() as connection:
        told = get(connection, "hello") or {}
        inbox.begin_full_pull(connection)
        outbox.prune(connection, store.clock() + outbox.KEPT_MS, told.get("backed_up_at_ms"))
        inbox.let_go(connection)
        connection.execute(
            "DELETE FROM position WHERE household_id NOT IN (SELECT household_id FROM draft)"
        )
        phone_index.forget(connection)
        # The word that the county revoked it was heeded by this: the next sync says anew how it stands.
        put(connection, "last_result", None)
    # The pages that held them go too, from the file and from the log beside it.
    store.connection.execute("VACUUM")
    store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
