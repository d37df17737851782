"""The simulation is not blind: planted faults are caught. `benchmarks.simulation --mutations` tries
the heavier ones too."""

import pytest

from .mutations import MUTATIONS, Mutation, caught_after
from .world import World

MOST = 25


@pytest.mark.parametrize("mutation", [m for m in MUTATIONS if m.quick], ids=lambda m: m.name)
def test_a_planted_fault_is_caught(world: World, mutation: Mutation) -> None:
    assert caught_after(world, mutation, MOST), f"not caught in {MOST} schedules"


def test_at_least_twelve_faults_are_planted() -> None:
    assert len([mutation for mutation in MUTATIONS if mutation.quick]) >= 12
