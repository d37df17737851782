"""Run many schedules of the simulation of phones and server, or try its planted faults.

`python -m benchmarks.simulation --schedules 10000 [--first SEED]`, or `--mutations`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT / "tests") not in sys.path:
    sys.path.append(str(ROOT / "tests"))  # after the root: tests/server is not server

SHOWN_EVERY_S = 30


def run_schedules(first: int, count: int) -> int:
    """Run schedules one after another; print what fails and return how many did."""
    from sync.simulation import run
    from sync.world import World

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
    print(f"{count} schedules, {failed} failed, {count / took:.2f} a second")
    return failed


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
    parser.add_argument("--schedules", type=int, default=1000)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--mutations", action="store_true")
    parser.add_argument("--most", type=int, default=60, help="schedules for each mutation")
    given = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":
        # Sets are walked in the order of their hashes: without this a seed is not quite a schedule.
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "benchmarks.simulation", *sys.argv[1:]])
    failed = (
        try_mutations(given.most)
        if given.mutations
        else run_schedules(given.first, given.schedules)
    )
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
