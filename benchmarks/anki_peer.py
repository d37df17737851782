"""The peer of the sync benchmark: Anki's sync server and client, with the same documents.

Anki syncs one person's cards between devices over HTTP, compressed, merges by the later whole note
and stores in SQLite: the fastest of the systems that were tried (docs/design/sync.md, 4.1). Each
document is one note with the JSON in its first field, and the one card that Anki wants with it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.links import Link, Passed, link_to
from benchmarks.measure import LOOPBACK, free_port, peak_memory_mb, wait_for_port

PAUSE_S = 0.1


@dataclass(frozen=True, slots=True)
class AnkiResult:
    """One run of push and pull."""

    push_s: float
    pull_s: float
    up_bytes: int
    down_bytes: int
    server_mb: float


def run(documents: Sequence[str]) -> AnkiResult:
    """Push the documents from one collection and pull them into another, incrementally."""
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder)) as (port, server):
        sender = _synced_collection(Path(folder) / "a.anki2", port, upload=True)
        receiver = _synced_collection(Path(folder) / "b.anki2", port, upload=False)
        _add_notes(sender, documents)
        with link_to(port, Link()) as relay:
            first, second = (_signed_in(one, relay.port) for one in (sender, receiver))
            relay.taken()
            push_s = _timed_sync(sender, first)
            up = relay.taken().up
            pull_s = _timed_sync(receiver, second)
            down = relay.taken().down
        if receiver.note_count() != len(documents):
            raise RuntimeError(f"Anki pulled {receiver.note_count()} of {len(documents)} notes")
        memory = peak_memory_mb(server.pid)
        sender.close()
        receiver.close()
    return AnkiResult(push_s, pull_s, up, down, memory)


def bytes_of(documents: Sequence[str], edited: Sequence[str]) -> tuple[Passed, Passed, Passed]:
    """Return what pushing new notes, each edited, and nothing takes on the wire."""
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder)) as (port, _):
        sender = _synced_collection(Path(folder) / "a.anki2", port, upload=True)
        with link_to(port, Link()) as relay:
            signed_in = _signed_in(sender, relay.port)
            _add_notes(sender, documents)
            relay.taken()
            _timed_sync(sender, signed_in)
            new = relay.taken()
            notes = [sender.get_note(note_id) for note_id in sender.find_notes("")]
            for note, text in zip(notes, edited, strict=True):
                note.fields[0] = text
            sender.update_notes(notes)
            _timed_sync(sender, signed_in)
            edits = relay.taken()
            _timed_sync(sender, signed_in)
            nothing = relay.taken()
        sender.close()
    return new, edits, nothing


@dataclass(frozen=True, slots=True)
class Pushed:
    """How a push over a bad link ended."""

    ok: bool
    attempts: int
    up_bytes: int


def push_over(link: Link, documents: Sequence[str], *, attempts: int, timeout_s: float) -> Pushed:
    """Push the documents over a link until it is done, or the attempts or the time are over."""
    from anki.errors import NetworkError, SyncError

    with tempfile.TemporaryDirectory() as folder, _server(Path(folder)) as (port, _):
        sender = _synced_collection(Path(folder) / "a.anki2", port, upload=True)
        _add_notes(sender, documents)
        signed_in = _signed_in(sender, port)
        deadline = time.monotonic() + timeout_s
        made, ok = 0, False
        with link_to(port, link) as relay:
            signed_in.endpoint = f"{relay.url}/"
            while not ok and made < attempts and time.monotonic() < deadline:
                made += 1
                try:
                    _timed_sync(sender, signed_in)
                    ok = True
                except (NetworkError, SyncError):
                    time.sleep(PAUSE_S)
            up = relay.taken().up
        sender.close()
    return Pushed(ok, made, up)


def _synced_collection(path: Path, port: int, *, upload: bool) -> Any:
    """Return a collection after its first sync, which is a whole file; later ones are of changes."""
    collection = _collection(path)
    auth = _signed_in(collection, port)
    collection.sync_collection(auth, False)
    collection.full_upload_or_download(auth=auth, server_usn=None, upload=upload)
    _reopen(collection)
    return collection


def _signed_in(collection: Any, port: int) -> Any:
    url = f"http://{LOOPBACK}:{port}/"
    auth = collection.sync_login("bench", "bench", url)
    auth.endpoint = url
    return auth


def _timed_sync(collection: Any, auth: Any) -> float:
    start = time.perf_counter()
    answer = collection.sync_collection(auth, False)
    elapsed = time.perf_counter() - start
    if answer.required != answer.NO_CHANGES:
        raise RuntimeError(f"Anki did not sync the changes: {answer.required}")
    return elapsed


@contextlib.contextmanager
def _server(folder: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    port = free_port()
    environ = os.environ | {
        "SYNC_USER1": "bench:bench",
        "SYNC_HOST": LOOPBACK,
        "SYNC_PORT": str(port),
        "SYNC_BASE": str(folder / "server"),
        "MAX_SYNC_PAYLOAD_MEGS": "200",
        "RUST_LOG": "error",
    }
    server = subprocess.Popen([sys.executable, "-m", "anki.syncserver"], env=environ)
    try:
        wait_for_port(port, server)
        yield port, server
    finally:
        server.terminate()
        server.wait(timeout=20)


def _collection(path: Path) -> Any:
    from anki.collection import Collection

    return Collection(str(path))


def _reopen(collection: Any) -> None:
    collection.close_for_full_sync() if collection.db is not None else None
    collection.reopen(after_full_sync=True)


def _add_notes(collection: Any, documents: Sequence[str]) -> None:
    from anki.collection import AddNoteRequest

    kind = collection.models.by_name("Basic")
    deck = collection.decks.id("Default")
    requests = []
    for document in documents:
        note = collection.new_note(kind)
        note.fields[0] = document
        requests.append(AddNoteRequest(note, deck))
    collection.add_notes(requests)


if __name__ == "__main__":
    import json

    from server.demo.people import invent_households

    texts = [
        json.dumps(member, ensure_ascii=False, separators=(",", ":"))
        for whole in invent_households(1, 700, ["522326101200"])
        for member in whole.members
    ][:2000]
    print(run(texts))
