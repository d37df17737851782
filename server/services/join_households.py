"""Takes a person's decision about two household lists, and takes it back exactly.

Saying that two lists are one household changes neither: their common members become one person each
(`persons`), and one of the lists is counted with the other (`households_twice`). Taking it back
leaves nothing behind but its story.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from server.linkage.households import one_to_one
from server.linkage.score import AUTOMATIC, CANDIDATE
from server.services import persons
from server.services.households_twice import Pair, count_anew, find, matches_of
from server.storage import households_twice as storage
from server.storage import persons as person_storage
from server.storage.accounts import User
from server.storage.audit import add_audit
from server.storage.feed import wait_for_writers
from server.storage.households_twice import ONE, TWO
from server.storage.persons import OPEN, UNSURE, ordered
from shared_schemas.errors import ChushanError

ONE_HOUSEHOLD, TWO_HOUSEHOLDS, LEFT_UNSURE, TAKEN_APART = (
    "households_one",
    "households_two",
    "households_unsure",
    "households_taken_apart",
)
"""Actions of the audit."""


# Who is whom -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """Two entries side by side. `is_one`: already one person; `against`: what speaks against it.

    `is_likely`: strong enough to be one person unless somebody says no.
    """

    left: str
    right: str
    is_one: bool
    is_likely: bool
    against: tuple[str, ...]


def lines_of(conn: Connection, county: str, pair: Pair) -> list[Line]:
    """Return who is whom on two lists, the certain first. Who is left out is on one list only."""
    pair = ordered(*pair)
    matches = matches_of(conn, county, [pair[0]], least=CANDIDATE).get(pair, [])
    lines = []
    for match in one_to_one(matches):
        against: tuple[str, ...] = ()
        if not match.is_certain:
            clashing = persons.clashes_of(conn, county, ordered(match.left, match.right))
            against = tuple(sorted({clash.code for clash in clashing}))
        is_likely = match.is_certain or (match.weight >= AUTOMATIC and not against)
        lines.append(Line(match.left, match.right, match.is_certain, is_likely, against))
    return lines


# Deciding -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person of the county says of two lists.

    `state`: one, two or unsure. For one household `stays` is the list that counts, and `same` are
    the lines (left entry, right entry) of those who are one person too.
    """

    state: str
    stays: str = ""
    same: frozenset[Pair] = frozenset()
    reason: str = ""


def decide_households(
    conn: Connection,
    county: str,
    pair: Pair,
    decision: Decision,
    *,
    user: User,
    now_ms: int,
    new_id: Callable[[], str],
) -> None:
    """Take a person's decision about two lists; from unsure it may be taken again.

    ChushanError: not_found outside the scope, wrong_state when it was decided already, malformed
    where a line is named that is none.
    """
    pair = ordered(*pair)
    wait_for_writers(conn, county)
    row = storage.pair_to_decide(conn, county, pair)
    if row is None or storage.pair_within(conn, county, user.scope, pair) is None:
        raise ChushanError("not_found")
    if row.state not in (OPEN, UNSURE):
        raise ChushanError("wrong_state", "这两户已经有人定过了")
    reason = decision.reason.strip() or None
    joined: list[dict[str, Any]] = []
    if decision.state == ONE:
        if decision.stays not in pair:
            raise ChushanError("malformed")
        joined = _join_members(
            conn, county, pair, decision, user=user, now_ms=now_ms, new_id=new_id
        )  # fmt: skip
    storage.settle_pair(
        conn, county, pair, state=decision.state, note=reason,
        stays=decision.stays if decision.state == ONE else None,
        undo={"said": _said(row), "members": joined} if decision.state == ONE else None,
        decided_by=user.id, decided_at_ms=now_ms,
    )  # fmt: skip
    count_anew(conn, county, pair, now_ms=now_ms)
    action = {ONE: ONE_HOUSEHOLD, TWO: TWO_HOUSEHOLDS, UNSURE: LEFT_UNSURE}[decision.state]
    _tell(conn, county, pair, action, user=user, now_ms=now_ms, new_id=new_id,
          detail={"reason": reason, "stays": decision.stays or None, "joined": len(joined)})  # fmt: skip


def _join_members(
    conn: Connection, county: str, pair: Pair, decision: Decision, **who: Any
) -> list[dict[str, Any]]:
    lines = {(line.left, line.right): line for line in lines_of(conn, county, pair)}
    if not decision.same <= lines.keys():
        raise ChushanError("malformed")
    joined = []
    for line in sorted(decision.same):
        members = ordered(*line)
        if lines[line].is_one or persons.clashes_of(conn, county, members):
            continue
        together = person_storage.members_of_persons(conn, county, members)
        person_ids = {row.member_id: row.person_id for row in together}
        if person_ids.get(members[0]) and person_ids[members[0]] == person_ids.get(members[1]):
            continue  # one person by way of a line before
        said = person_storage.pairs_of_members(conn, county, members)[members]
        persons.decide_pair(
            conn, county, members, persons.Decision(person_storage.MERGED, decision.reason), **who
        )
        joined.append({"left": members[0], "right": members[1], "said": _said(said)})
    return joined


def _said(row: Row[Any]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("state", "decided_by", "decided_at_ms", "note")}


def take_apart(
    conn: Connection,
    county: str,
    pair: Pair,
    *,
    user: User,
    reason: str = "",
    now_ms: int,
    new_id: Callable[[], str],
) -> None:
    """Take back that two lists are one household; the pair stands as it stood before.

    The members that the decision joined are apart again as they were; those whom somebody took
    apart since stay so. ChushanError: not_found outside the scope, wrong_state when it is not so.
    """
    pair = ordered(*pair)
    wait_for_writers(conn, county)
    row = storage.pair_to_decide(conn, county, pair)
    if row is None or storage.pair_within(conn, county, user.scope, pair) is None:
        raise ChushanError("not_found")
    if row.state != ONE:
        raise ChushanError("wrong_state", "这两户没有合为一户,或已经撤销过了")
    said = reason.strip() or None
    for made in reversed(row.undo["members"]):
        members = (made["left"], made["right"])
        for link in person_storage.links_among(conn, county, members):
            if (link.left_id, link.right_id) == members:
                persons.unlink(conn, county, link.id, user=user, reason=reason,
                               now_ms=now_ms, new_id=new_id)  # fmt: skip
                person_storage.settle_pair(conn, county, members, **made["said"])
    storage.settle_pair(conn, county, pair, stays=None, undo=None, **row.undo["said"])
    count_anew(conn, county, pair, now_ms=now_ms)
    find(conn, county, pair, now_ms=now_ms)
    _tell(conn, county, pair, TAKEN_APART, user=user, now_ms=now_ms, new_id=new_id,
          detail={"reason": said})  # fmt: skip


def _tell(
    conn: Connection,
    county: str,
    pair: Pair,
    action: str,
    *,
    user: User,
    now_ms: int,
    new_id: Callable[[], str],
    detail: Mapping[str, Any],
) -> None:
    add_audit(conn, county, id=new_id(), at_ms=now_ms, actor=user.id, action=action,
              target_kind="household_pair", target_id="+".join(pair), detail=dict(detail))  # fmt: skip
