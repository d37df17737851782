"""The rules by which field systems find doubles, on the same register as `benchmarks.linkage`.

    python -m benchmarks.field_rules

Community Health Toolkit (`DEFAULT_CONTACT_DUPLICATE_EXPRESSION` in cht-core's
webapp/src/ts/services/deduplicate.service.ts): a Levenshtein distance of at most 3 between the names
and the same age in years, among the siblings under one parent. CommCare's deduplication compares
chosen properties of a case for equality.
"""

from __future__ import annotations

from typing import Any

import duckdb

from benchmarks.linkage import KINDS, judged, one_row
from benchmarks.measure import Section

ROWS, SEED = 100_000, 101
COMMAND = "python -m benchmarks.field_rules"

_AGE = "date_diff('year', DATE '2026-11-20', try_cast(birth_date AS DATE))"
_SIMILAR = "levenshtein(a.name, b.name) <= 3 AND a.age = b.age"

RULES = {
    "exact ID number": "a.id_no <> '' AND a.id_no = b.id_no",
    "CHT, parent = household": f"a.household_id = b.household_id AND {_SIMILAR}",
    "CHT, parent = village": f"a.village_code = b.village_code AND {_SIMILAR}",
    "CommCare, name, birth date, sex": (
        "a.name = b.name AND a.birth_date = b.birth_date AND a.sex = b.sex"
    ),
    "CommCare, name, ID number": "a.name = b.name AND a.id_no <> '' AND a.id_no = b.id_no",
}
"""Each rule as a join of the register with itself."""

_TWINS, _FAMILY, _STRANGERS = 1, 2, 3


def measure() -> Section:
    """Link one register, apply the rules to it, and set them beside each other."""
    with judged(ROWS, SEED) as (base, _, _):
        _apply(base)
        kinds = [one_row(base, KINDS.format(pairs=said)) for said in _said()]
        scenarios = base.execute(_recalls()).fetchall()
    rows: list[tuple[Any, ...]] = [
        (name, f"{count:,}", *(f"{share:.3f}" for share in shares))
        for name, count, *shares in scenarios
    ]
    rows.append(("pairs said", "", *(f"{sum(one):,}" for one in kinds)))
    rows.append(("precision", "", *(f"{one[0] / max(1, sum(one)):.5f}" for one in kinds)))
    for told, kind in (("twins", _TWINS), ("family", _FAMILY), ("strangers", _STRANGERS)):
        rows.append((f"wrong pairs, {told}", "", *(f"{one[kind]:,}" for one in kinds)))
    return Section(
        title="The same person: beside the rules of field systems",
        command=COMMAND,
        told=(
            f"One invented register of {ROWS:,} records (seed {SEED}). Recall of true pairs by how"
            " they came to be, and below it what each says in all. “Linked” is what `chushan link`"
            " says is `same`; “or shown” adds its candidates. The Community Health Toolkit's default"
            " (names within a Levenshtein distance of 3 and the same age, among siblings under one"
            " parent) warns and does not link; here once with the household as the parent, as it is"
            " with CHT, and once with the village. CommCare compares chosen properties for"
            " equality. Ages are of 2026-11-20."
        ),
        head=("", "true pairs", "linked", "or shown", *RULES),
        rows=rows,
    )


def _apply(base: duckdb.DuckDBPyConnection) -> None:
    base.execute(f"CREATE VIEW aged AS SELECT *, {_AGE} AS age FROM person")
    for number, rule in enumerate(RULES.values()):
        base.execute(
            f"CREATE TABLE rule_{number} AS SELECT a.record_id AS record_id_l, b.record_id AS"
            f" record_id_r FROM aged a JOIN aged b ON a.record_id < b.record_id AND {rule}"
        )


def _said() -> list[str]:
    return [
        "(FROM pair WHERE verdict = 'same')",
        "pair",
        *(f"rule_{number}" for number in range(len(RULES))),
    ]


def _recalls() -> str:
    """Return the statement for the share of the true pairs of each scenario that each says."""
    told = range(len(_said()))
    joins = " ".join(
        f"LEFT JOIN (SELECT record_id_l, record_id_r, true AS s{n} FROM {said})"
        " USING (record_id_l, record_id_r)"
        for n, said in zip(told, _said(), strict=True)
    )
    shares = ", ".join(f"avg(coalesce(s{n}, false)::INT)" for n in told)
    return f"""
WITH told AS (FROM true_pair {joins}), story AS (
  SELECT 0 AS part, 'all' AS story, * FROM told
  UNION ALL SELECT 1, scenario, * FROM told
  UNION ALL SELECT 2, id_story, * FROM told
  UNION ALL SELECT 3, name_story, * FROM told WHERE name_story IS NOT NULL
  UNION ALL SELECT 4, birth_story, * FROM told WHERE birth_story IS NOT NULL
)
SELECT replace(story, '_', ' '), count(*), {shares}
FROM story GROUP BY part, story ORDER BY part, count(*) DESC"""


if __name__ == "__main__":
    print(measure().markdown())
