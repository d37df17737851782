"""Who decides between two values of a field: the table of domain.md 4.5 against the declarations.

docs/fields.md prints the policy of each field; here stands which policy the domain wants.
"""

from __future__ import annotations

import pytest

from shared_schemas.fields import Merge
from shared_schemas.records import record_kinds

WAITS_FOR_THE_COUNTY = {
    "identity": {"id_no", "name", "sex", "birth_date", "ethnic"},
    "hukou": {"hukou_village"},
    "relations": {"relation", "member_change", "head_member_id", "household_id", "member_id",
                  "split_from"},
    "category": {"registry_no", "category", "jdlk_from", "jdlk_to", "monitor_type",
                 "jdlk_at_start"},
    "place of the household": {"village_code"},
    "what a consent was about": {"consent_kind", "text_version"},
    "deletion": {"deleted"},
}  # fmt: skip
"""High stakes: the value that the county has stays shown until a person decides."""

BOTH_STAND = {"skills", "together_members"}
"""Skills and certificates: union, a certificate's number counts once."""

SHARES_LESS = {"given", "withdrawn_on"}
"""A withdrawal always wins."""


@pytest.mark.parametrize("kind", record_kinds(), ids=lambda kind: kind.name)
def test_each_field_merges_as_the_domain_says(kind) -> None:
    held = set().union(*WAITS_FOR_THE_COUNTY.values())
    for name, declared in kind.fields.items():
        wanted = (
            Merge.HOLD if name in held
            else Merge.UNION if name in BOTH_STAND
            else Merge.WITHDRAW if name in SHARES_LESS
            else Merge.LATER
        )  # fmt: skip
        assert declared.info.merge is wanted, f"{kind.name}.{name}"


def test_no_field_of_the_table_is_without_a_declaration() -> None:
    declared = {name for kind in record_kinds() for name in kind.fields}
    named = set().union(*WAITS_FOR_THE_COUNTY.values(), BOTH_STAND, SHARES_LESS)
    assert named <= declared
