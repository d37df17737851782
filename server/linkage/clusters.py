"""Links become persons, the strongest first; a link that would make one of two is refused.

A plain closure of links chains strangers together: A is like B, B is like C. Here no cluster ever
holds two valid different ID numbers, nor two entries of one household list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Link:
    """Two records that may be one person, the lower id on the left."""

    left: str
    right: str
    weight: float


@dataclass(frozen=True, slots=True)
class Clusters:
    """`person_of` has the records that are in a cluster of several, with the lowest id among them."""

    person_of: Mapping[str, str]
    refused: Sequence[Link]


def constrained_clusters(
    links: Iterable[Link],
    valid_id: Mapping[str, str],
    household: Mapping[str, str],
) -> Clusters:
    """Join links, strongest first, whatever their order; return the clusters and what was refused.

    `valid_id` and `household` tell of the records that have one.
    """
    parent: dict[str, str] = {}
    members: dict[str, list[str]] = {}

    def root(one: str) -> str:
        while (above := parent.setdefault(one, one)) != one:
            parent[one] = parent.setdefault(above, above)
            one = parent[one]
        return one

    refused = []
    for link in sorted(links, key=lambda link: (-link.weight, link.left, link.right)):
        a, b = root(link.left), root(link.right)
        if a == b:
            continue
        both = members.get(a, [a]) + members.get(b, [b])
        if _is_two_people(both, valid_id, household):
            refused.append(link)
            continue
        kept, gone = min(a, b), max(a, b)
        parent[gone] = kept
        members.pop(gone, None)
        members[kept] = both
    return Clusters({one: person for person, all_ in members.items() for one in all_}, refused)


def _is_two_people(
    records: Sequence[str], valid_id: Mapping[str, str], household: Mapping[str, str]
) -> bool:
    numbers = {valid_id[one] for one in records if one in valid_id}
    homes = [household[one] for one in records if one in household]
    return len(numbers) > 1 or len(homes) > len(set(homes))
