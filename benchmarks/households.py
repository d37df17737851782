"""How well a household listed twice is found in a register.

    python -m benchmarks.households              # 100,000 rows, one seed
    python -m benchmarks.run households          # every seed, into docs/benchmarks.md

The register of `benchmarks.registers` lists whole families again (resettled, or under the wife), and
some members of others on the list of another cadre. `chushan link --households` says which lists it
takes for one household.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from benchmarks import registers
from benchmarks.measure import Section

ROWS, SEEDS = 100_000, (101, 102)
COMMAND = "python -m benchmarks.households"

AGAIN = ("resettlement", "household_twice", "same_village")
"""How a family comes to stand on a second list; whoever rents or marries elsewhere lives there."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run: by story (true pairs, `same`, `same` or shown), by reason and verdict (pairs, true)."""

    stories: list[tuple[Any, ...]]
    reasons: list[tuple[Any, ...]]
    verdicts: dict[str, tuple[int, int]]


def run(rows: int, seed: int) -> Outcome:
    """Invent a register, ask for its households, and compare with the truth."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        persons, truth, pairs, homes = (
            folder / f"{name}.parquet" for name in ("persons", "truth", "pairs", "homes")
        )
        registers.write(rows, persons, truth, seed=seed)
        program = str(Path(sys.executable).with_name("chushan"))
        subprocess.run(
            [program, "link", "--input", persons, "--output", pairs, "--households", homes],
            check=True, capture_output=True,
        )  # fmt: skip
        base = duckdb.connect()
        base.execute(f"CREATE TABLE person AS FROM '{persons}'")
        base.execute(f"CREATE TABLE truth AS FROM '{truth}'")
        base.execute(f"CREATE TABLE said AS FROM '{homes}'")
    base.execute(_TRUE_HOMES, [list(AGAIN)])
    verdicts = base.execute(_BY_VERDICT).fetchall()
    return Outcome(
        base.execute(_BY_STORY).fetchall(),
        base.execute(_BY_REASON).fetchall(),
        {verdict: (count, right) for verdict, count, right in verdicts},
    )


_TRUE_HOMES = """
CREATE TABLE true_home AS
WITH listed AS (
  SELECT t.family_id, p.household_id, t.person_id, t.scenario
  FROM truth t JOIN person p USING (record_id)
  WHERE t.scenario = 'first' OR t.scenario IN (SELECT unnest(?))
), lists AS (
  SELECT DISTINCT family_id, household_id,
    max(CASE WHEN scenario = 'first' THEN '' ELSE scenario END) AS story
  FROM listed GROUP BY ALL
)
SELECT a.household_id AS household_id_l, b.household_id AS household_id_r,
  CASE WHEN a.story = '' THEN b.story WHEN b.story = '' THEN a.story ELSE 'two again' END AS story,
  (SELECT count(DISTINCT x.person_id) FROM listed x JOIN listed y ON x.person_id = y.person_id
   WHERE x.household_id = a.household_id AND y.household_id = b.household_id) AS people
FROM lists a JOIN lists b ON a.family_id = b.family_id AND a.household_id < b.household_id
"""

_TOLD = """
WITH told AS (
  SELECT t.*, s.verdict = 'same' AS joined, s.verdict IS NOT NULL AS shown
  FROM true_home t LEFT JOIN said s USING (household_id_l, household_id_r)
)
"""

_BY_STORY = (
    _TOLD
    + """
SELECT story, CASE WHEN people > 1 THEN 'two people or more' ELSE 'one or nobody' END AS shared,
  count(*), avg(coalesce(joined, false)::INT), avg(shown::INT)
FROM told GROUP BY ALL ORDER BY shared DESC, count(*) DESC
"""
)

_JUDGED = """
SELECT s.*, t.household_id_l IS NOT NULL AS is_right
FROM said s LEFT JOIN true_home t USING (household_id_l, household_id_r)
"""

_BY_REASON = f"""
SELECT verdict, reason, count(*), avg(is_right::INT) FROM ({_JUDGED}) GROUP BY ALL ORDER BY 1 DESC, 3 DESC
"""

_BY_VERDICT = f"SELECT verdict, count(*), sum(is_right::INT)::INT FROM ({_JUDGED}) GROUP BY verdict"


def measure() -> Section:
    """Run every seed."""
    rows = []
    for seed in SEEDS:
        one = run(ROWS, seed)
        for story, shared, count, joined, shown in one.stories:
            rows.append((f"{seed}", story.replace("_", " "), shared, f"{count:,}",
                         f"{joined:.4f}", f"{shown:.4f}", "", ""))  # fmt: skip
        for verdict, (count, right) in sorted(one.verdicts.items(), reverse=True):
            rows.append((f"{seed}", f"all that is said `{verdict}`", "", "", "", "",
                         f"{count:,}", f"{right / count:.4f}"))  # fmt: skip
    return Section(
        title="Households listed twice",
        command=COMMAND,
        told=(
            f"Invented registers of {ROWS:,} records (`benchmarks/registers.py`) through `chushan"
            " link --households`. True pairs are two lists of one family: the whole family"
            " resettled in another town, the whole family under the wife, or some of it on another"
            " cadre's list of the same village; by how many people stand on both. Who rents,"
            " married or lives with relatives elsewhere is no household listed twice. `same` is said"
            " where head and another member are certain, `candidate` is for a person to look at;"
            " recall is of the pairs of lists, precision of what is said."
        ),
        head=("seed", "story", "on both lists", "true pairs", "recall of `same`",
              "recall with candidates", "said", "precision"),
        rows=rows,
    )  # fmt: skip


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--seed", type=int, default=SEEDS[0])
    given = parser.parse_args()
    outcome = run(given.rows, given.seed)
    for line in (*outcome.stories, *outcome.reasons, outcome.verdicts):
        print(line)


if __name__ == "__main__":
    main()
