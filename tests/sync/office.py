"""A county's office with its server over HTTP and the phones that it enrolled."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from flask import Flask
from sqlalchemy import Engine, select

from mobile.storage import outbox
from mobile.storage.database import Store, open_store
from mobile.sync.attempt import SyncResult, sync_once
from mobile.sync.enrol import enrol, parse_enrolment
from server.services.enrol import enrolment_text, make_enrolment
from server.storage import tables
from server.storage.accounts import User
from server.storage.engine import reading, writing
from tests.mobile.phones import TOWNSHIP

AUTHOR, CARRIER = "author", "carrier"


@dataclass
class Office:
    """A county's server over HTTP, its cadres, and the phones that were enrolled."""

    app: Flask
    engine: Engine
    folder: Path
    url: str
    port: int
    people: dict[str, User]
    phones: list[Store] = field(default_factory=list)

    def enrolment(self, login: str, url: str | None = None) -> str:
        with writing(self.engine) as conn:
            code = make_enrolment(
                conn,
                user_id=self.people[login].id,
                scope=TOWNSHIP,
                made_by=None,
                now_ms=self.app.extensions["chushan"].now_ms(),
            )
        return enrolment_text(url or self.url, code)

    def phone(self, login: str, url: str | None = None) -> Store:
        """Return a phone that was enrolled at the office and has not synced."""
        clock = self.app.extensions["chushan"].clock
        store = open_store(self.folder / f"phone{len(self.phones)}" / "chushan.db", clock=clock)
        enrol(store, parse_enrolment(self.enrolment(login, url)), timeout_s=10)
        self.phones.append(store)
        return store

    def outcomes(self) -> Counter[str]:
        """Return how many changes of phones are stored, by outcome."""
        query = select(tables.change.c.outcome).where(tables.change.c.device_id.is_not(None))
        with reading(self.engine) as conn:
            return Counter(conn.execute(query).scalars())

    def authors(self) -> set[tuple[str, str]]:
        """Return under which person and device changes are stored."""
        query = select(tables.change.c.author_id, tables.change.c.device_id)
        with reading(self.engine) as conn:
            return {(row[0], row[1]) for row in conn.execute(query)}

    def pieces(self) -> int:
        """Return how many pieces of files lie on the server."""
        with reading(self.engine) as conn:
            return len(conn.execute(select(tables.handover_piece.c.start)).all())


def sync(store: Store) -> SyncResult:
    result = sync_once(store, timeout_s=10)
    assert result.error is None, result.error
    return result


def unanswered(store: Store) -> int:
    return outbox.count_unanswered(store.connection)
