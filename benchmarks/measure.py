"""What the benchmarks share: a section of the report, ports, memory, processor time, medians."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import platform
import socket
import sqlite3
import statistics
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
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


def processor_s(pid: int) -> float:
    """Return the processor seconds that a process and all below it have used."""
    ticks = 0
    for member in [pid, *_children(pid)]:
        with contextlib.suppress(OSError):
            # The name stands in brackets and may hold spaces.
            columns = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(int(columns[i]) for i in (11, 12, 13, 14))
    return ticks / os.sysconf("SC_CLK_TCK")


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which this share of the values lies."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += [int(child), *_children(int(child))]
    return found
