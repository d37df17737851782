"""A peer of the sync benchmarks: PouchDB replicating to express-pouchdb, both on leveldb.

The pair that programs for the field are most often built on: whole documents with revisions, in
JSON over HTTP. Its packages are in `benchmarks/peers`; `scripts/setup.sh bench` installs them.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from benchmarks.links import Link, Passed, link_to
from benchmarks.measure import LOOPBACK, free_port, peak_memory_mb, wait_for_port

PEERS = Path(__file__).resolve().parent / "peers"


@dataclass(frozen=True, slots=True)
class PouchResult:
    """One run of push and pull."""

    push_s: float
    pull_s: float
    up_bytes: int
    down_bytes: int
    server_mb: float


def run(records: Sequence[dict[str, Any]]) -> PouchResult:
    """Push the records from one database and pull them into another."""
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as (port, process):
        sender = filled(Path(folder), records)
        with link_to(port, Link()) as relay:
            pushed = replicate("push", sender, f"{relay.url}/bench")
            up = relay.taken().up
            pulled = replicate("pull", Path(folder) / "b", f"{relay.url}/bench")
            down = relay.taken().down
        if not pushed.ok or pulled.local != len(records):
            raise RuntimeError(f"PouchDB did not replicate: {pushed} {pulled}")
        memory = peak_memory_mb(process.pid)
    return PouchResult(pushed.seconds, pulled.seconds, up, down, memory)


def bytes_of(records: Sequence[dict[str, Any]], field: str) -> tuple[Passed, Passed, Passed]:
    """Return what pushing new records, one edited field of each, and nothing takes on the wire."""
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as (port, _):
        sender = filled(Path(folder), records)
        with link_to(port, Link()) as relay:
            taken = []
            for edits in (False, True, False):
                if edits:
                    _node("edit", sender, field, timeout_s=120)
                if not replicate("push", sender, f"{relay.url}/bench").ok:
                    raise RuntimeError("PouchDB did not replicate")
                taken.append(relay.taken())
    new, edited, nothing = taken
    return new, edited, nothing


@contextlib.contextmanager
def server(folder: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run express-pouchdb with an empty database `bench`; yield its port and process."""
    port = free_port()
    data = folder / "server"
    data.mkdir()
    process = subprocess.Popen(["node", PEERS / "server.js", data, str(port)])
    try:
        wait_for_port(port, process)
        requests.put(f"http://{LOOPBACK}:{port}/bench", timeout=30).raise_for_status()
        yield port, process
    finally:
        process.terminate()
        process.wait(timeout=20)


def filled(folder: Path, records: Sequence[dict[str, Any]]) -> Path:
    """Return a PouchDB that holds the records, not yet replicated."""
    lines = folder / "documents.jsonl"
    with lines.open("w", encoding="utf-8") as file:
        for record in records:
            document = {"_id" if name == "id" else name: v for name, v in record.items()}
            file.write(json.dumps(document, ensure_ascii=False) + "\n")
    database = folder / "a"
    told = _node("fill", database, lines, timeout_s=120)
    if told != [{"stored": len(records)}]:
        raise RuntimeError(f"PouchDB stored {told}")
    return database


@dataclass(frozen=True, slots=True)
class Replicated:
    """How a replication ended."""

    ok: bool
    attempts: int
    unsettled: int
    """How often Node ended because its promise was neither kept nor broken and nothing was left to do."""
    seconds: float
    local: int
    """Documents in the phone's database."""


def replicate(
    way: str, database: Path, url: str, *, attempts: int = 1, timeout_s: float = 300
) -> Replicated:
    """Replicate ("push" or "pull") until it is done, or the attempts or the time are over."""
    begun = time.monotonic()
    made = unsettled = 0
    while made < attempts and (left_s := timeout_s - (time.monotonic() - begun)) > 0:
        told = _node(way, database, url, attempts - made, left_s, timeout_s=left_s + 5)
        made += sum("begun" in line for line in told)
        last = told[-1] if told else {}
        if last.get("ok"):
            return Replicated(True, made, unsettled, last["seconds"], last["local"])
        unsettled += "begun" in last
    return Replicated(False, made, unsettled, time.monotonic() - begun, 0)


def stored(port: int) -> int:
    """Return how many records the server has."""
    answer = requests.get(f"http://{LOOPBACK}:{port}/bench", timeout=30)
    return int(answer.json()["doc_count"])


def _node(*arguments: object, timeout_s: float) -> list[dict[str, Any]]:
    command = ["node", PEERS / "client.js", *map(str, arguments)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=timeout_s
        )
    except subprocess.TimeoutExpired as over:
        told = over.stdout or b""
    else:
        if done.returncode == 1:
            raise RuntimeError(f"Node failed: {done.stderr[-500:]}")
        told = done.stdout.encode()
    return [json.loads(line) for line in told.splitlines()]
