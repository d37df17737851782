"""Whether two household lists are one household written down twice. Pure.

One person on two lists says little: a bride stands with her parents and with her husband. A family
does not move onto two lists by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

HEAD, SPOUSE, OTHER = "head", "spouse", ""
HEAD_CODE = "02"
_ROLES = {
    HEAD_CODE: HEAD, "户主": HEAD, "本人": HEAD,
    **dict.fromkeys(("10", "11", "12", "配偶", "夫", "妻", "丈夫", "妻子"), SPOUSE),
}  # fmt: skip

REGISTRY_NO, SAME_HEAD, MEMBERS, COUPLE = REASONS = ("registry_no", "head", "members", "couple")
"""Why two lists may be one household: one register number, one head, two members or more, and that
the head of one is the spouse on the other."""

SHARED_FROM = 2
"""So many people on both lists are a family, not a bride or a lodger."""


def role_of(relation: str | None) -> str:
    """Return what somebody is on a list, by the relation to the head as code or in words."""
    return _ROLES.get(relation or "", OTHER)


@dataclass(frozen=True, slots=True)
class Match:
    """Two entries of different lists that are, or may be, one person."""

    left: str
    right: str
    is_certain: bool
    weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Shared:
    """Somebody on both lists: his two entries, and what he is on each list."""

    left: str
    right: str
    is_certain: bool
    left_role: str = OTHER
    right_role: str = OTHER


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of two lists together.

    `shared` leaves out who died, married out or moved away from either. `have_heads`: both lists
    name a head. `is_branch`: one was set up apart from the other (分户), or is newly apart.
    `is_lodger`: on one of the lists nobody else stands, and it is of another township.
    """

    shared: tuple[Shared, ...] = ()
    same_registry_no: bool = False
    have_heads: bool = True
    is_branch: bool = False
    is_lodger: bool = False

    @property
    def same_head(self) -> bool:
        """Whether it is certain that both lists have one head."""
        return any(s.is_certain and s.left_role == s.right_role == HEAD for s in self.shared)

    @property
    def is_couple(self) -> bool:
        """Whether the head of one list is the spouse on the other."""
        return any({s.left_role, s.right_role} == {HEAD, SPOUSE} for s in self.shared)


def reasons(facts: Facts) -> tuple[str, ...]:
    """Return why two lists may be one household; empty where nobody has to be asked.

    Branches keep the register number of the house they come from, and the old list often goes on
    naming who left with them: they are one household only if one man heads both. And a head who
    stands alone on a list far away rents a room there: he is one person, but not his household.
    """
    if facts.is_branch and not facts.same_head:
        return ()
    found = []
    if facts.same_registry_no and (facts.shared or not facts.have_heads):
        found.append(REGISTRY_NO)
    if facts.same_head and (found or len(facts.shared) >= SHARED_FROM or not facts.is_lodger):
        found.append(SAME_HEAD)
    if len(facts.shared) >= SHARED_FROM:
        found.append(MEMBERS)
    if found and facts.is_couple:
        found.append(COUPLE)
    return tuple(found)


def is_sure(facts: Facts) -> bool:
    """Tell whether two lists are one household beyond doubt: its head and another certain member.

    Under the wife the head is the spouse. Everything else a person looks at.
    """
    certain = [s for s in facts.shared if s.is_certain]
    heads = ({HEAD}, {HEAD, SPOUSE})
    headed = any({s.left_role, s.right_role} in heads for s in certain)
    return headed and len(certain) >= SHARED_FROM and not facts.is_branch


def one_to_one(matches: Iterable[Match]) -> list[Match]:
    """Return the matches in which nobody appears twice: the certain first, then the strongest."""
    taken: set[str] = set()
    kept = []
    for match in sorted(matches, key=lambda m: (not m.is_certain, -m.weight, m.left, m.right)):
        if match.left not in taken and match.right not in taken:
            taken |= {match.left, match.right}
            kept.append(match)
    return kept


@dataclass(frozen=True, slots=True)
class HouseholdPair:
    """Two lists that are (`same`) or may be (`candidate`) one household, the lower id on the left."""

    left: str
    right: str
    shared: int
    reasons: tuple[str, ...]
    verdict: Literal["same", "candidate"]


def is_lodger(left: tuple[str | None, int], right: tuple[str | None, int]) -> bool:
    """Tell whether somebody stands alone on a list far from the other: (village, people) of both."""
    towns = {village[:9] if village else "" for village, _ in (left, right)}
    return min(left[1], right[1]) < SHARED_FROM and len(towns) > 1


def household_pairs(
    matches: Iterable[Match],
    household_of: Mapping[str, str | None],
    relation_of: Mapping[str, str | None],
    village_of: Mapping[str, str | None],
) -> list[HouseholdPair]:
    """Return the household pairs that the matches of their members make, the surest first."""
    between: dict[tuple[str, str], list[Match]] = {}
    for match in matches:
        left, right = household_of.get(match.left), household_of.get(match.right)
        if left and right and left != right:
            turned = match if left < right else swapped(match)
            between.setdefault((min(left, right), max(left, right)), []).append(turned)
    villages = {home: village_of.get(one) for one, home in household_of.items()}
    sizes = Counter(household_of.values())
    headed = {household_of[one] for one, said in relation_of.items() if role_of(said) == HEAD}
    found = []
    for (left, right), among in between.items():
        facts = Facts(
            shared_of(among, relation_of),
            have_heads={left, right} <= headed,
            is_lodger=is_lodger(*((villages[home], sizes[home]) for home in (left, right))),
        )
        if why := reasons(facts):
            verdict: Literal["same", "candidate"] = "same" if is_sure(facts) else "candidate"
            found.append(HouseholdPair(left, right, len(facts.shared), why, verdict))
    return sorted(found, key=lambda p: (p.verdict != "same", -p.shared, p.left, p.right))


def swapped(match: Match) -> Match:
    """Return a match seen from the other list."""
    return Match(match.right, match.left, match.is_certain, match.weight)


def shared_of(
    matches: Iterable[Match],
    relation_of: Mapping[str, str | None],
    gone: Collection[str] = (),
) -> tuple[Shared, ...]:
    """Return who is on both of two lists by the matches between them, whoever is `gone` left out."""
    present = (m for m in matches if m.left not in gone and m.right not in gone)
    return tuple(
        Shared(m.left, m.right, m.is_certain,
               role_of(relation_of.get(m.left)), role_of(relation_of.get(m.right)))
        for m in one_to_one(present)
    )  # fmt: skip
