"""What the benchmarks share: a section of the report, a relay that counts bytes, memory, medians."""

from __future__ import annotations

import contextlib
import datetime as dt
import multiprocessing
import os
import platform
import socket
import sqlite3
import statistics
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Section:
    """One part of docs/benchmarks.md."""

    title: str
    command: str
    told: str
    """What was measured and what to know when reading the figures."""
    head: Sequence[str]
    rows: Sequence[Sequence[object]]
    notes: Sequence[str] = field(default_factory=tuple)

    def markdown(self) -> str:
        """Return the section as Markdown."""
        lines = [self.head, ["---"] + ["---:"] * (len(self.head) - 1), *self.rows]
        table = "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
        notes = "".join(f"\n- {note}" for note in self.notes)
        return (
            f"## {self.title}\n\n{self.told}\n\n`{self.command}`, {machine()}, {today()}\n\n"
            f"{table}\n{notes}\n"
        )


def machine() -> str:
    """Return one line on the machine and the versions that matter."""
    cpu = "unknown CPU"
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30
    return (
        f"{os.cpu_count()} cores ({cpu}), {memory} GiB, {platform.system()}"
        f" {platform.release().split('-')[0]}, Python {platform.python_version()},"
        f" SQLite {sqlite3.sqlite_version}, load {os.getloadavg()[1]:.1f} in the last 5 minutes"
    )


def today() -> str:
    """Return the day of the measurement."""
    return dt.datetime.now(dt.UTC).date().isoformat()


def median(values: Iterable[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def spread(values: Sequence[float]) -> str:
    """Return a median with the lowest and highest beside it."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:,.0f} ({low:,.0f}–{high:,.0f})"


def free_port() -> int:
    """Return a port of loopback that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes], timeout_s: float = 60) -> None:
    """Wait until something listens; RuntimeError when the process ends or the time is over."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port} after {timeout_s} s")


def peak_memory_mb(pid: int) -> float:
    """Return the sum of the highest resident memory of a process and all below it, in MB."""
    total = 0.0
    for member in [pid, *_children(pid)]:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{member}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    total += int(line.split()[1]) / 1000
    return total


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += [int(child), *_children(int(child))]
    return found


# --- A relay that counts every byte on the wire, headers included ------------------------------


@dataclass(frozen=True, slots=True)
class Counted:
    """Bytes that passed since the last count."""

    up: int
    down: int


class Relay:
    """A process of its own between client and server; both peers are measured through one."""

    def __init__(self, port: int, control: Connection, process: multiprocessing.Process) -> None:
        self.port = port
        self._control = control
        self._process = process

    def taken(self) -> Counted:
        """Return the bytes since the last call."""
        self._control.send("count")
        counted: Counted = self._control.recv()
        return counted


@contextlib.contextmanager
def relay_to(target_port: int) -> Iterator[Relay]:
    """Relay loopback connections to a port and count."""
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_relay, args=(target_port, theirs), daemon=True)
    process.start()
    try:
        yield Relay(ours.recv(), ours, process)  # type: ignore[arg-type]
    finally:
        process.terminate()
        process.join()


def _relay(target_port: int, control: Connection) -> None:
    counts = {"up": 0, "down": 0}
    lock = threading.Lock()

    def pump(source: socket.socket, sink: socket.socket, way: str) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                with lock:
                    counts[way] += len(data)
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def accept(listener: socket.socket) -> None:
        while True:
            near, _ = listener.accept()
            far = socket.create_connection((LOOPBACK, target_port))
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=pump, args=(near, far, "up"), daemon=True).start()
            threading.Thread(target=pump, args=(far, near, "down"), daemon=True).start()

    listener = socket.create_server((LOOPBACK, 0))
    control.send(listener.getsockname()[1])
    threading.Thread(target=accept, args=(listener,), daemon=True).start()
    while control.recv() == "count":
        with lock:
            control.send(Counted(counts["up"], counts["down"]))
            counts["up"] = counts["down"] = 0
