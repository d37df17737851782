"""The weight of one pair by the trained model: what Splink computes for a register, for one that arrives.

A pair weighs log2 of the odds that two records taken at random are one person, and for each
comparison log2(m/u) of its level: m is how often it comes out so for one person, u for two. Where a
level allows for commonness, u is how common the value is (Fellegi and Sunter 1969; Splink's term
frequency adjustment).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from server.linkage.levels import COMPARISONS, Side, outcomes

SHIPPED = Path(__file__).with_name("model.json")
"""Learnt on invented registers, for servers whose own is still small."""

AUTOMATIC = 8.0
"""Least match weight (log2) of a link by machine."""
CANDIDATE = -2.0
"""Least match weight of a pair that a person is asked about, if `gate.may_ask` lets it through.

So low since most of what the gate leaves is one person: without a number, with a lunar birth date."""

LEAST_U = 1e-6
"""However rare a level is among two people, it is not taken for rarer than this."""

ORDINARY_COUNTY = 100_000
"""Members of a county of which nothing has been learnt yet."""

PRIOR = "prior"
"""Name of the line that a pair begins with: how seldom two records taken at random are one person."""

_FREQUENT = {
    (c.name, one.name): one.frequent for c in COMPARISONS for one in c.levels if one.frequent
}


@dataclass(frozen=True, slots=True)
class Model:
    """A trained model: `levels` has (m, u) by comparison and level.

    `tf`: how common values are, by feature, as shares of the register; a value that is not in it is
    as common as `rare`. Without `rare` nothing is allowed for commonness.
    """

    prior: float
    levels: Mapping[tuple[str, str], tuple[float, float]]
    tf: Mapping[str, Mapping[str, float]]
    rare: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the model for storing."""
        each = [[*key, *value] for key, value in sorted(self.levels.items())]
        return {"prior": self.prior, "levels": each, "tf": self.tf, "rare": self.rare}


def model_from_json(stored: Mapping[str, Any]) -> Model:
    """Return a stored model."""
    levels = {(name, level): (m, u) for name, level, m, u in stored["levels"]}
    return Model(stored["prior"], levels, stored["tf"], stored["rare"])


@dataclass(frozen=True, slots=True)
class Scored:
    """A pair weighed: `levels` has None for what is unknown, `lines` what each comparison weighs."""

    weight: float
    levels: Mapping[str, str | None]
    lines: tuple[tuple[str, str, float], ...]


def prior_of(count: int, by_number: int = 0) -> float:
    """Return how likely two of so many records are one person.

    `by_number`: pairs with equal ID numbers, which leave out about a fifth of all doubles.
    """
    return min(0.01, max(by_number * 1.25, count * 0.02, 1.0) / (count * (count - 1) / 2))


@cache
def shipped_model(path: Path = SHIPPED) -> Model:
    """Return the model that comes with the server."""
    known = json.loads(path.read_text("utf-8"))
    levels = {}
    for comparison in COMPARISONS:
        m, u = (known[which].get(comparison.name, {}) for which in "mu")
        given = {one.name: one for one in comparison.levels}
        for level in {*m, *given}:
            said = given.get(level)
            levels[comparison.name, level] = (
                (said and said.m) or m[level],
                (said and said.u) or max(LEAST_U, u[level]),
            )
    return Model(prior_of(ORDINARY_COUNTY), levels, {})


def scored(model: Model, left: Side, right: Side) -> Scored:
    """Weigh a pair."""
    levels = outcomes(left, right)
    total = math.log2(model.prior / (1 - model.prior))
    lines = [(PRIOR, "any_two", total)]
    for name, level in levels.items():
        if level is None:
            continue
        m_u = model.levels.get((name, level))
        if m_u is None:  # never seen in training: it says nothing
            continue
        m, u = m_u
        feature = _FREQUENT.get((name, level)) if model.rare is not None else None
        if feature is not None:
            share = model.tf[feature].get(getattr(left, feature), model.rare or 0.0)
            u = max(share, LEAST_U)
        weight = math.log2(m / u)
        total += weight
        lines.append((name, level, weight))
    return Scored(total, levels, tuple(lines))
