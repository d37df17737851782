"""Schedules that no earlier version was tried with. `CHUSHAN_SEED=… pytest …/test_simulation.py` replays one.

The seeds come from the commit: each change of the program meets new ones, and whoever runs the tests
of one commit, wherever, meets the same.
"""

import secrets
import subprocess
from pathlib import Path

import pytest

from .simulation import run
from .world import World

ROOT = Path(__file__).resolve().parents[2]
SCHEDULES, PARTS = 200, 8


def first_seed() -> int:
    """Return a number that the commit says, or chance where there is none."""
    told = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return int(told.stdout[:10] or secrets.token_hex(5), 16)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_no_fresh_schedule_loses_doubles_or_overwrites_anything(world: World, part: int) -> None:
    share = SCHEDULES // PARTS
    first = first_seed() + part * share
    for seed in range(first, first + share):
        run(world, seed)
