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

from benchmarks.links import Link, Relay, link_to
from benchmarks.measure import LOOPBACK, free_port, peak_memory_mb, wait_for_port


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
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder)) as (relay, server):
        url = f"{relay.url}/"
        sender, receiver = (_collection(Path(folder) / f"{name}.anki2") for name in ("a", "b"))
        # A collection's first sync is a whole file; only what comes after it is a sync of changes.
        first = sender.sync_login("bench", "bench", url)
        sender.sync_collection(first, False)
        sender.full_upload_or_download(auth=first, server_usn=None, upload=True)
        second = receiver.sync_login("bench", "bench", url)
        receiver.sync_collection(second, False)
        receiver.full_upload_or_download(auth=second, server_usn=None, upload=False)
        _reopen(sender)
        _reopen(receiver)
        _add_notes(sender, documents)
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


def _timed_sync(collection: Any, auth: Any) -> float:
    start = time.perf_counter()
    answer = collection.sync_collection(auth, False)
    elapsed = time.perf_counter() - start
    if answer.required != answer.NO_CHANGES:
        raise RuntimeError(f"Anki did not sync the changes: {answer.required}")
    return elapsed


@contextlib.contextmanager
def _server(folder: Path) -> Iterator[tuple[Relay, subprocess.Popen[bytes]]]:
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
        with link_to(port, Link()) as relay:
            yield relay, server
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
