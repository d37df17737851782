"""Run many schedules of the simulation of phones and server, or try its planted faults.

`python -m benchmarks.simulation [--schedules 10000] [--first SEED] [--processes 2]`, or `--mutations`.
"""

from __future__ import annotations

import argparse
import logging
import random
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.measure import Section

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT / "tests") not in sys.path:
    sys.path.append(str(ROOT / "tests"))  # after the root: tests/server is not server

SCHEDULES = 10_000
PROCESSES = 2
SHOWN_EVERY_S = 30


def run_schedules(first: int, count: int) -> int:
    """Run schedules one after another; print what fails and return how many did."""
    from sync.simulation import run
    from sync.world import World

    logging.disable(logging.CRITICAL)  # what the faults make the phones log is not news here
    world = World()
    began = shown = time.monotonic()
    failed = 0
    try:
        for done in range(1, count + 1):
            try:
                run(world, first + done - 1)
            except Exception as error:
                failed += 1
                print(f"seed {first + done - 1}: {type(error).__name__}: {error}", flush=True)
            if time.monotonic() - shown > SHOWN_EVERY_S:
                shown = time.monotonic()
                print(f"{done} schedules, {failed} failed", flush=True)
    finally:
        world.close()
    took = time.monotonic() - began
    print(f"{count} schedules, {failed} failed, {count / took:.2f} a second", flush=True)
    return failed


def run_in_processes(first: int, count: int, processes: int) -> list[str]:
    """Run schedules in several processes side by side; return the lines of those that failed."""
    share = count // processes
    started = []
    for i in range(processes):
        mine = share + (count % processes if i == processes - 1 else 0)
        command = [sys.executable, "-m", "benchmarks.simulation", "--processes", "1",
                   "--schedules", str(mine), "--first", str(first + i * share)]  # fmt: skip
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    failed = []
    for process in started:
        said, _ = process.communicate()
        failed += [line for line in said.splitlines() if line.startswith("seed ")]
    return failed


def measure(count: int = SCHEDULES) -> Section:
    """Run schedules with fresh seeds."""
    first = random.randrange(1 << 40)
    began = time.monotonic()
    failed = run_in_processes(first, count, PROCESSES)
    rate = count / (time.monotonic() - began)
    return Section(
        title="Simulated schedules",
        command="python -m benchmarks.simulation",
        told=(
            "Real phones and the real server in one process over a link that does anything, with"
            " reviewers, operators, clocks, crashes, copies and restores drawn from a seed; after each"
            " schedule an oracle that shares nothing with the merge checks that nothing is lost,"
            " doubled or silently overwritten (tests/sync). Goal (issue): 10,000 schedules, none failed."
        ),
        head=("schedules", "failed", "a second", "first seed"),
        rows=[[f"{count:,}", len(failed), f"{rate:.2f}", first]],
        notes=failed,
    )


def try_mutations(most: int) -> int:
    """Plant each fault in turn; print after how many schedules it was caught, return the uncaught."""
    from sync.mutations import MUTATIONS, caught_after
    from sync.world import World

    world = World()
    uncaught = 0
    try:
        for mutation in MUTATIONS:
            after = caught_after(world, mutation, most)
            uncaught += after is None
            print(
                f"{mutation.name}: {f'caught after {after}' if after else 'NOT caught'}", flush=True
            )
    finally:
        world.close()
    return uncaught


def main() -> None:
    """Run what the command line asks for; the exit code tells whether all was well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=SCHEDULES)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--processes", type=int, default=PROCESSES)
    parser.add_argument("--mutations", action="store_true")
    parser.add_argument("--most", type=int, default=60, help="schedules for each mutation")
    given = parser.parse_args()
    if given.mutations:
        sys.exit(bool(try_mutations(given.most)))
    if given.processes == 1:
        sys.exit(bool(run_schedules(given.first, given.schedules)))
    failed = run_in_processes(given.first, given.schedules, given.processes)
    print("\n".join(failed))
    print(f"{given.schedules} schedules, {len(failed)} failed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
