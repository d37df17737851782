"""Schedules of a seeded simulation of phones and server. `CHUSHAN_SEED=…` replays one."""

import os

import pytest

from .simulation import run
from .world import World

SEEDS = range(1, 9)
"""The same in every run; `test_fresh_schedules` takes new ones with each commit."""

ONCE_FAILED = (
    20, 102, 1043, 910036, 910071, 700035, 900146, 6010392, 6010685, 6010787, 6011497, 6011944,
    6011952, 6021215, 6022097, 96000000204, 96000000260, 96000001459, 97000000625,
)  # fmt: skip
"""Each led to a fault that `test_found_faults` or `test_held` names; schedules have changed since."""


@pytest.mark.parametrize(
    "seed", [int(os.environ["CHUSHAN_SEED"])] if "CHUSHAN_SEED" in os.environ else SEEDS
)
def test_no_schedule_loses_doubles_or_overwrites_anything(world: World, seed: int) -> None:
    run(world, seed)


@pytest.mark.parametrize("seed", ONCE_FAILED)
def test_a_schedule_that_once_failed_stays_good(world: World, seed: int) -> None:
    run(world, seed)
