"""Fetches the index of who is registered in the county, after a sync and behind the cadre's back.

It is never part of a sync: nothing that was captured waits for it, and a bad link ends it at once.
What came stays, and the next time goes on from there.
"""

from __future__ import annotations

import logging
from base64 import b64decode
from typing import Any

from mobile.storage import phone_index as index
from mobile.storage.database import PhoneFull, Store, get
from mobile.sync.client import Client, Refused, SyncError
from shared_schemas.phone_index import unpack_changes

log = logging.getLogger(__name__)

ASK_EVERY_MS = 12 * 3_600_000
FIRST_PAGES, MOST_PAGES = 2, 32
"""Pages in one request, about 7 KB each: doubled after each answer."""


def fetch_index(store: Store, *, timeout_s: float = 20.0) -> bool:
    """Fetch what is new of the index, at most twice a day; True when it is as the county's.

    Call it off the UI thread, after a sync that went well. Never raises for a bad link.
    """
    server, token = get(store.connection, "server"), get(store.connection, "token")
    known = index.state(store.connection)
    is_whole = bool(known.get("is_whole"))
    if not server or not token:
        return False
    if is_whole and 0 <= store.clock() - known.get("asked_at_ms", 0) < ASK_EVERY_MS:
        return True
    client = Client(server, token, timeout_s)
    try:
        return _fetch(store, client)
    except Refused as refusal:
        if refusal.code in ("device_revoked", "bad_token"):
            with store.writing() as connection:
                index.forget(connection)
        return False
    except (SyncError, PhoneFull, ValueError, KeyError) as error:
        log.info("index_not_fetched reason=%s", type(error).__name__)
        return False
    finally:
        client.close()


def _fetch(store: Store, client: Client) -> bool:
    for _ in range(2):  # a second time where the first compared and found a difference
        known = index.state(store.connection)
        answer = client.index(known.get("generation"), None)
        if not answer["ready"]:
            return False
        if answer["generation"] != known.get("generation"):
            with store.writing() as connection:
                index.begin(connection, answer)
        if not _fetch_pages(store, client, answer["generation"]):
            return False
        told = _fetch_changes(store, client, answer["generation"])
        with store.writing() as connection:
            if told and index.is_equal(connection, told["entries"], told["total"]):
                index.keep_state(connection, is_whole=True, asked_at_ms=store.clock())
                return True
            index.forget(connection)
    return False


def _fetch_pages(store: Store, client: Client, generation: str) -> bool:
    count = FIRST_PAGES
    while True:
        page = index.missing_page(store.connection)
        if page is None:
            return True
        pages = client.index_pages(generation, page, count)
        if not pages:
            return False  # another generation by now
        with store.writing() as connection:
            for each in pages:
                index.keep_page(connection, each["page"], each["number"], b64decode(each["data"]))
        count = min(MOST_PAGES, count * 2)


def _fetch_changes(store: Store, client: Client, generation: str) -> dict[str, Any] | None:
    """Fetch the changes since the pages; None where they are to be fetched anew."""
    while True:
        after = index.oldest_number(store.connection)
        answer = client.index(generation, after)
        if answer.get("generation") != generation or answer["changes"] is None:
            return None
        with store.writing() as connection:
            changes = unpack_changes(b64decode(answer["changes"]))
            index.keep_changes(connection, changes, after=after)
            index.keep_state(connection, townships=answer["townships"])
        if not answer["more"]:
            return answer
