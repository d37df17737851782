"""Makes one person of several registrations, and takes it back exactly.

A registration is a `member` record; linking never touches one. A person is what the links in force
hold together; everything else (who is counted, who is listed, what is believed) is derived from the
links and the records as they stand, each time one of them changes. So taking a link back leaves
nothing behind but its story.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row
from sqlalchemy.exc import OperationalError

from server.linkage.levels import Side
from server.observe import log
from server.services.candidates import (
    Candidate,
    candidates_for,
    compared,
    refresh,
    sides_of,
    strongest,
)
from server.services.households_twice import persons_decided
from server.services.labourers import DIED, shares_with_firms
from server.storage import persons as storage
from server.storage.accounts import User
from server.storage.audit import add_audit
from server.storage.feed import allocate, wait_for_writers
from server.storage.persons import (
    MACHINE,
    MERGED,
    NOT_SAME,
    OPEN,
    PERSON,
    UNSURE,
    PersonMember,
    ordered,
)
from server.storage.records import StoredRecord, records_by_id, records_of_households
from shared_schemas.bundle import Bundle
from shared_schemas.errors import ChushanError
from shared_schemas.golden import Clash, Golden, Registration, clashes, golden_record, person_id
from shared_schemas.golden import persons as persons_of
from shared_schemas.ids import household_id as id_from_bits
from shared_schemas.records.consent import SHARE_HR

LINKED, NOT_ONE_PERSON, LEFT_UNSURE, UNLINKED, REOPENED = (
    "pair_merged",
    "pair_not_same",
    "pair_unsure",
    "link_withdrawn",
    "pair_reopened",
)
"""Actions of the audit."""

SAID_NOT_SAME = "said_not_same"
"""A clash beside those of `golden.clashes`: a person of the county has said that two are not one."""

MOST_REGISTRATIONS = 6
"""A machine joins no more registrations than this: who seems to stand on more lists is a mistake of the
register, or several people, and a person looks."""

Pair = tuple[str, str]


# Finding ------------------------------------------------------------------------------------------


def members_written(
    conn: Connection,
    county: str,
    *,
    households: Collection[str],
    members: Collection[str],
    now_ms: int,
) -> None:
    """Do what follows from a write: persons follow their registrations, new pairs are proposed.

    Call it after the county's numbers were taken (`allocate`): from there on other writers of the
    county wait, so that two of them cannot each miss what the other does to one person.
    """
    linked = follow_households(conn, county, households, now_ms=now_ms)
    try:
        with conn.begin_nested():
            changed = refresh(conn, county, households, members)
            _take_back_unproven(conn, county, linked & {*members}, now_ms=now_ms)
            propose_pairs(conn, county, changed, now_ms=now_ms)
    except OperationalError:
        raise  # the database is busy or full: all of the push is to be sent again
    except Exception as error:
        # What was captured is stored whatever becomes of the search for doubles; `chushan link`
        # finds later what was missed now. The message of an error may hold a name.
        log.error("matching_failed", county=county, error=type(error).__name__)


def follow_households(
    conn: Connection, county: str, households: Collection[str], *, now_ms: int
) -> set[str]:
    """Derive anew the persons that have a registration in these households; return those."""
    linked = {row.member_id for row in storage.linked_in_households(conn, county, households)}
    if linked:
        derive(conn, county, linked, now_ms=now_ms)
    return linked


def _take_back_unproven(
    conn: Connection, county: str, member_ids: Collection[str], *, now_ms: int
) -> None:
    """Take back the machine's links of which an edit has changed the evidence.

    A number that was mistyped into somebody else's and is put right leaves two people. Where a key
    still joins them, a person decides; what a person has linked only a person takes back.
    """
    for link in storage.links_among(conn, county, member_ids) if member_ids else ():
        pair = (link.left_id, link.right_id)
        candidate = compared(conn, county, pair)
        if link.source != MACHINE or (candidate is not None and candidate.certain):
            continue
        _withdraw(conn, county, pair, link.id, by=MACHINE, reason=None, now_ms=now_ms)
        if candidate is None:
            storage.forget_pair(conn, county, pair)
        add_audit(conn, county, id=id_from_bits(secrets.randbits(64)), at_ms=now_ms, actor=MACHINE,
                  action=UNLINKED, target_kind="member", target_id=pair[0],
                  detail={"other": pair[1], "reason": None})  # fmt: skip


def propose_pairs(
    conn: Connection, county: str, members: Mapping[str, Side], *, now_ms: int
) -> None:
    """Find who these members may be as well: link what is certain, propose the rest to a person.

    What a person decided stays decided, and what a person has taken apart is not joined again. A
    question that nothing speaks for any more, since a number was put right, is asked no longer.
    """
    if not members:
        return
    found = candidates_for(conn, county, members)
    _forget_unlike(conn, county, members, {(one.left, one.right) for one in found})
    propose(conn, county, strongest(found, members), now_ms=now_ms)


def _forget_unlike(
    conn: Connection, county: str, member_ids: Collection[str], alike: Collection[Pair]
) -> None:
    waiting = [
        pair
        for pair, row in storage.pairs_of_members(conn, county, member_ids).items()
        if row.state == OPEN and pair not in alike
    ]
    if not waiting:
        return
    ids = {one for pair in waiting for one in pair}
    present = sides_of(conn, county, ids)
    apart = storage.were_linked(conn, county, ids)
    for pair in waiting:
        # One that was taken apart waits for the person who did it; one of a void member for its return.
        is_whole = all(one in present for one in pair)
        if is_whole and pair not in apart and compared(conn, county, pair) is None:
            storage.forget_pair(conn, county, pair)


def propose(
    conn: Connection,
    county: str,
    found: Sequence[Candidate],
    *,
    now_ms: int,
    only_new: bool = False,
) -> int:
    """Link or propose what was found, `only_new` what is not known yet; return how many pairs were put."""
    if not found:
        return 0
    ids = {one for candidate in found for one in (candidate.left, candidate.right)}
    known = storage.pairs_of_members(conn, county, ids)
    linked_once = storage.were_linked(conn, county, ids)
    rows = []
    for candidate in found:
        pair = (candidate.left, candidate.right)
        if only_new and (pair in known or pair in linked_once):
            continue
        is_new = pair not in known or known[pair].state == OPEN
        against: list[Clash] = []
        state = OPEN
        if candidate.certain and is_new and pair not in linked_once:
            together = storage.members_of_persons(conn, county, pair)
            if len(together) < MOST_REGISTRATIONS:
                against = clashes_of(conn, county, pair)
            if len(together) < MOST_REGISTRATIONS and not against:
                _link(conn, county, pair, {"source": MACHINE, "chosen": {}, "confirmed": []},
                      now_ms=now_ms)  # fmt: skip
                state = MERGED
        rows.append(_pair_row(county, candidate, state, against, now_ms=now_ms))
        if state == MERGED and pair in known:
            storage.settle_pair(conn, county, pair, state=MERGED, decided_at_ms=now_ms)
    storage.put_pairs(conn, rows)
    return len(rows)


def _pair_row(
    county: str, candidate: Candidate, state: str, against: Sequence[Clash], *, now_ms: int
) -> dict[str, Any]:
    return {
        "county": county,
        "left_id": candidate.left,
        "right_id": candidate.right,
        "score": candidate.score,
        "breakdown": [asdict(line) for line in candidate.breakdown],
        "reasons": [*candidate.reasons, *sorted({clash.code for clash in against})],
        "state": state,
        "proposed_at_ms": now_ms,
        "decided_by": None,
        "decided_at_ms": now_ms if state == MERGED else None,
        "note": None,
    }


# Deciding -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person of the county says of a pair.

    `state`: merged, not_same or unsure. `chosen`: for a merge, the registration to believe about a
    field where it is not the one that its authority names. `confirmed`: that what speaks against
    the merge was seen and looked into; the reason is then needed.
    """

    state: str
    reason: str = ""
    chosen: Mapping[str, str] | None = None
    confirmed: bool = False


def decide_pair(
    conn: Connection,
    county: str,
    pair: Pair,
    decision: Decision,
    *,
    user: User,
    now_ms: int,
    new_id: Callable[[], str],
) -> None:
    """Take a person's decision about a proposed pair; from unsure it may be taken again.

    ChushanError: not_found outside the scope, wrong_state when it was decided already or when
    something speaks against the merge that was not confirmed.
    """
    pair = ordered(*pair)
    wait_for_writers(conn, county)
    row = storage.pair_to_decide(conn, county, pair)
    if row is None or storage.pair_within(conn, county, user.scope, pair) is None:
        raise ChushanError("not_found")
    if row.state not in (OPEN, UNSURE):
        raise ChushanError("wrong_state", "这一对已经有人定过了")
    reason = decision.reason.strip() or None
    action = {MERGED: LINKED, NOT_SAME: NOT_ONE_PERSON, UNSURE: LEFT_UNSURE}[decision.state]
    detail: dict[str, Any] = {"other": pair[1], "reason": reason}
    if decision.state == MERGED:
        against = sorted({clash.code for clash in clashes_of(conn, county, pair)})
        if against and not (decision.confirmed and reason):
            raise ChushanError("wrong_state", "合并前请核实不符之处,并写明理由")
        chosen = dict(decision.chosen or {})
        if not set(chosen.values()) <= set(pair):
            raise ChushanError("malformed")
        detail |= {"confirmed": against, "chosen": sorted(chosen)}
        _link(conn, county, pair, {"source": PERSON, "chosen": chosen, "confirmed": against,
                                   "reason": reason, "linked_by": user.id},
              now_ms=now_ms)  # fmt: skip
    storage.settle_pair(
        conn, county, pair, state=decision.state, decided_by=user.id, decided_at_ms=now_ms,
        note=reason,
    )  # fmt: skip
    persons_decided(conn, county, pair, now_ms=now_ms)
    add_audit(conn, county, id=new_id(), at_ms=now_ms, actor=user.id, action=action,
              target_kind="member", target_id=pair[0], detail=detail)  # fmt: skip


def take_back(
    conn: Connection,
    county: str,
    pair: Pair,
    *,
    user: User,
    now_ms: int,
    new_id: Callable[[], str],
) -> None:
    """Take back what was decided about a pair, by a person or the machine: it waits again.

    ChushanError: not_found outside the scope, wrong_state when nothing is decided.
    """
    pair = ordered(*pair)
    wait_for_writers(conn, county)
    row = storage.pair_to_decide(conn, county, pair)
    if row is None or storage.pair_within(conn, county, user.scope, pair) is None:
        raise ChushanError("not_found")
    if row.state == MERGED:
        link = storage.link_of_pair(conn, county, pair)
        if link is None:
            raise ChushanError("wrong_state", "这次合并已经撤销过了")
        unlink(conn, county, link.id, user=user, now_ms=now_ms, new_id=new_id)
        return
    if row.state == OPEN:
        raise ChushanError("wrong_state", "这一对还没有定")
    storage.settle_pair(conn, county, pair, **_UNDECIDED)
    persons_decided(conn, county, pair, now_ms=now_ms)
    add_audit(conn, county, id=new_id(), at_ms=now_ms, actor=user.id, action=REOPENED,
              target_kind="member", target_id=pair[0],
              detail={"other": pair[1], "reason": None})  # fmt: skip


_UNDECIDED: Mapping[str, Any] = {
    "state": OPEN, "decided_by": None, "decided_at_ms": None, "note": None,
}  # fmt: skip


def unlink(
    conn: Connection,
    county: str,
    link_id: str,
    *,
    user: User,
    reason: str = "",
    now_ms: int,
    new_id: Callable[[], str],
) -> Pair:
    """Take a link back: everything is as if it had never been, and the pair stands as it stood before.

    ChushanError: not_found outside the scope, wrong_state when it was taken back already.
    """
    wait_for_writers(conn, county)
    link = storage.link_by_id(conn, county, link_id)
    if link is None:
        raise ChushanError("not_found")
    pair = (link.left_id, link.right_id)
    members = records_by_id(conn, county, "member", pair)
    if not all((r.village_code or "").startswith(user.scope) for r in members.values()):
        raise ChushanError("not_found")
    if link.withdrawn_at_ms is not None:
        raise ChushanError("wrong_state", "这次合并已经撤销过了")
    said = reason.strip() or None
    _withdraw(conn, county, pair, link_id, by=user.id, reason=said, now_ms=now_ms)
    parked = _parked_before(conn, county, pair)
    if parked is not None:
        storage.settle_pair(conn, county, pair, **parked)
    add_audit(conn, county, id=new_id(), at_ms=now_ms, actor=user.id, action=UNLINKED,
              target_kind="member", target_id=pair[0],
              detail={"other": pair[1], "reason": said})  # fmt: skip
    persons_decided(conn, county, pair, now_ms=now_ms)
    return pair


def _parked_before(conn: Connection, county: str, pair: Pair) -> dict[str, Any] | None:
    """Return how somebody had left a pair as unsure before it was merged, None when nobody had."""
    act = storage.last_act(conn, county, pair, (LEFT_UNSURE, REOPENED))
    if act is None or act.action == REOPENED:
        return None
    return {"state": UNSURE, "decided_by": act.actor, "decided_at_ms": act.at_ms,
            "note": act.detail["reason"]}  # fmt: skip


def _withdraw(
    conn: Connection,
    county: str,
    pair: Pair,
    link_id: str,
    *,
    by: str,
    reason: str | None,
    now_ms: int,
) -> None:
    together = [row.member_id for row in storage.members_of_persons(conn, county, pair)]
    storage.withdraw_link(
        conn, county, link_id, withdrawn_by=by, withdrawn_at_ms=now_ms, withdrawn_reason=reason
    )
    storage.settle_pair(conn, county, pair, **_UNDECIDED)
    derive(conn, county, together, now_ms=now_ms)


def _link(
    conn: Connection, county: str, pair: Pair, values: Mapping[str, Any], *, now_ms: int
) -> None:
    link_id = id_from_bits(secrets.randbits(64))
    storage.add_link(
        conn, county,
        {"id": link_id, "left_id": pair[0], "right_id": pair[1], "linked_at_ms": now_ms, **values},
    )  # fmt: skip
    derive(conn, county, pair, now_ms=now_ms)
    if values["source"] == MACHINE:
        add_audit(conn, county, id=id_from_bits(secrets.randbits(64)), at_ms=now_ms, actor=MACHINE,
                  action=LINKED, target_kind="member", target_id=pair[0],
                  detail={"other": pair[1]})  # fmt: skip


def clashes_of(conn: Connection, county: str, pair: Pair) -> list[Clash]:
    """Return what speaks against the person that would come of linking a pair."""
    together = {row.member_id for row in storage.members_of_persons(conn, county, pair)} | {*pair}
    found = clashes(registrations(conn, county, together))
    for said, row in storage.pairs_of_members(conn, county, together).items():
        if row.state == NOT_SAME and set(said) <= together:
            found.append(Clash(SAID_NOT_SAME, *said))
    return found


# Persons ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PersonView:
    """A person: his registrations, the links that hold them together, what is believed of him."""

    registrations: tuple[Registration, ...]
    links: tuple[Row[Any], ...]
    golden: Mapping[str, Golden]


def person_of(conn: Connection, county: str, member_id: str) -> PersonView | None:
    """Return the person that a registration belongs to, None when there is no such registration."""
    ids = {row.member_id for row in storage.members_of_persons(conn, county, [member_id])}
    found = registrations(conn, county, ids | {member_id})
    if not any(registration.id == member_id for registration in found):
        return None
    links = list(storage.links_among(conn, county, ids | {member_id}, withdrawn=True))
    return PersonView(tuple(found), tuple(links), golden_record(found, choices(links)))


def choices(links: Iterable[Row[Any]]) -> dict[str, str]:
    """Return the choices of the links in force, a later one in place of an earlier."""
    chosen: dict[str, str] = {}
    for link in links:
        if link.withdrawn_at_ms is None:
            chosen |= link.chosen
    return chosen


def registrations(conn: Connection, county: str, member_ids: Collection[str]) -> list[Registration]:
    """Return registrations with what their authority depends on, in the order of ids."""
    members = records_by_id(conn, county, "member", member_ids)
    homes = {record.household_id for record in members.values()}
    approved = storage.approved_households(conn, county, homes)
    confirmed: dict[str, str] = {}
    for record in records_of_households(conn, county, homes):
        name, whose = _CONFIRMED_BY.get(record.kind, ("", "member_id"))
        said = str(record.values.get(name) or "")
        owner = record.id if whose == "id" else str(record.values.get(whose))
        if not record.values.get("deleted"):
            confirmed[owner] = max(confirmed.get(owner, ""), said)

    def registration(record: StoredRecord) -> Registration:
        return Registration(
            id=record.id,
            household_id=record.household_id,
            values=record.values,
            village_code=record.village_code or "",
            approved=record.household_id in approved,
            confirmed_on=max(confirmed.get(record.household_id, ""), confirmed.get(record.id, "")),
        )

    return [registration(record) for _, record in sorted(members.items())]


_CONFIRMED_BY = {"household": ("survey_date", "id"), "intention": ("confirmed_on", "member_id")}
"""Kind of record → its field that says when somebody asked, and the field that says whose it is."""


# Deriving -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """What a registration says about its person being listed. `listing` is the row of the list."""

    id: str
    refuses: bool
    died: bool
    lives_here: bool
    listing: Row[Any] | None


def listed_registration(standings: Collection[Standing]) -> str | None:
    """Return the registration by which a person stands on the labour list, None for by none.

    The strictest holds: who refused or withdrew on any registration, or died on any, is not listed.
    Of the others the one with a post comes first, so that nobody is offered who works; then one
    that may be listed at all, then where he lives, then the newest.
    """
    if any(standing.refuses or standing.died for standing in standings):
        return None
    there = [s for s in standings if s.listing is not None and not s.listing.gone]
    best = max(there, key=_rank, default=None)
    return best.id if best else None


def _rank(standing: Standing) -> tuple[Any, ...]:
    row = standing.listing
    assert row is not None, "only those that are listed are ranked"  # noqa: S101
    return (
        row.state != "available",
        bool(row.share_hr and row.listable),
        standing.lives_here,
        row.confirmed_on or "",
        row.approved_at_ms,
        standing.id,
    )


def derive(conn: Connection, county: str, member_ids: Collection[str], *, now_ms: int) -> None:
    """Write who is one person with these registrations, and by which of them he is listed.

    Depends on nothing but the links in force and the records as they stand. A registration whose
    person, household or village changed gets a number of the feed, so that phones learn of it.
    """
    together = set(member_ids)
    while True:
        links = [(link.left_id, link.right_id)
                 for link in storage.links_among(conn, county, together)]  # fmt: skip
        grown = together | {one for link in links for one in link}
        if grown == together:
            break
        together = grown
    members = records_by_id(conn, county, "member", together)
    standings = _standings(conn, county, members)
    wanted = {}
    for person in [
        *persons_of(links),
        *({one} for one in together - {i for k in links for i in k}),
    ]:
        listed = listed_registration([standings[one] for one in person])
        for one in person:
            several = len(person) > 1
            wanted[one] = PersonMember(
                member_id=one,
                household_id=members[one].household_id,
                village_code=members[one].village_code or "",
                person_id=person_id(person) if several else None,
                registrations=len(person),
                listed=one == listed if several else True,
            )
    before = {row.member_id: row for row in storage.members_of_persons(conn, county, together)}
    changed = [
        row for one, row in sorted(wanted.items())
        if (one in before and row != replace(before[one], seq=0))
        or (one not in before and row.person_id is not None)
    ]  # fmt: skip
    told = [row for row in changed if _what_phones_see(row) != _what_phones_see(
        before.get(row.member_id))]  # fmt: skip
    seqs = {row.member_id: row.seq for row in before.values()}
    if told:
        first = allocate(conn, county, len(told), at_ms=now_ms, tag=secrets.token_hex(4))
        seqs |= {row.member_id: first + i for i, row in enumerate(told)}
    storage.put_members(conn, county, [replace(row, seq=seqs[row.member_id]) for row in changed])


def _what_phones_see(row: PersonMember | None) -> tuple[Any, ...] | None:
    if row is None:
        return None
    return row.person_id, row.registrations, row.household_id, row.village_code


def _standings(
    conn: Connection, county: str, members: Mapping[str, StoredRecord]
) -> dict[str, Standing]:
    homes = {record.household_id for record in members.values()}
    consents: dict[str, list[Mapping[str, Any]]] = {}
    for record in records_of_households(conn, county, homes):
        if record.kind == "consent":
            # Void ones too: voiding one of two registrations does not give a consent back.
            whose = str(record.values.get("member_id"))
            consents.setdefault(whose, []).append({**record.values, "id": record.id})
    listings = storage.labourers_of(conn, county, members)
    return {
        one: Standing(
            one,
            refuses=refuses(consents.get(one, ()), one),
            died=record.values.get("member_change") == DIED,
            lives_here=record.values.get("lives_here") is True,
            listing=listings.get(one),
        )
        for one, record in members.items()
    }


def refuses(consents: Sequence[Mapping[str, Any]], member_id: str) -> bool:
    """Tell whether a registration's answer to sharing with firms is no. Not asked is not a no."""
    asked = [c for c in consents if c.get("consent_kind") == SHARE_HR]
    return bool(asked) and not shares_with_firms(Bundle({}, consents=tuple(asked)), member_id)
