"""Finds people who are registered in two counties, without either county reading the other.

A county learns that one of its registrations seems to stand in another county too, and in which one.
Nothing more, until both offices have agreed to an exchange of that one pair; either takes its word
back at any time. Two are one person when both counties say so; one that says no is enough for no.

Found by keyed hashes of the ID number, and of name, birth date and sex; the key is kept outside the
database, and under another key all hashes are made anew.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Row

from server.services import persons
from server.storage import other_counties as storage
from server.storage.accounts import User
from server.storage.audit import add_audit
from server.storage.engine import reading, write_once
from server.storage.feed import present_seq
from shared_schemas.errors import ChushanError
from shared_schemas.golden import Registration
from shared_schemas.ids import household_id
from shared_schemas.match_features import features_of

LIKELY, POSSIBLE = "likely", "possible"
AGREED, REFUSED = "agreed", "refused"
SAME, NOT_SAME = "same", "not_same"
ACTS = {
    "agree": ("word", AGREED),
    "refuse": ("word", REFUSED),
    "take_back": ("word", ""),
    "same": ("verdict", SAME),
    "not_same": ("verdict", NOT_SAME),
    "undecide": ("verdict", ""),
}
"""What an office can say of a double: what it changes, and to what. Also the audit's actions."""

BATCH = 500


# Finding ------------------------------------------------------------------------------------------


def follow(engine: Engine, secret_key: str, county: str, *, now_ms: int, for_s: float) -> bool:
    """Hash what a county has registered since, and find its doubles, for about so many seconds.

    True when it is up to date. Twice at once does no harm: the same rows are written.
    """
    key = hmac.digest(secret_key.encode(), b"across counties", "sha256")
    mark = hashlib.blake2b(key, digest_size=4).hexdigest()
    until = time.monotonic() + for_s
    while True:
        with reading(engine) as conn:
            made_under, upto = storage.key_state(conn, county)
            seq = present_seq(conn, county)
            upto = upto if made_under == mark else 0
            rows = storage.members_after(conn, county, upto, BATCH)
        if made_under == mark and upto >= seq:
            return True
        if time.monotonic() > until:
            return False
        keys = {row.id: {} if row.deleted else _hashes(key, dict(row._mapping)) for row in rows}
        reached = rows[-1].seq if len(rows) == BATCH else seq

        def write(
            conn: Connection,
            keys: Any = keys,
            reached: int = reached,
            is_anew: bool = made_under != mark,
        ) -> None:
            storage.wait_for_finders(conn)
            if is_anew:
                storage.forget_keys(conn, county)
            storage.replace_keys(conn, county, keys)
            _note_doubles(conn, county, list(keys), now_ms)
            storage.put_key_state(conn, county, mark, reached)

        write_once(engine, write)


def _hashes(key: bytes, values: Mapping[str, Any]) -> dict[str, str]:
    features = features_of(dict(values))
    texts = {}
    if features.id18 and features.is_id_valid:
        texts["id"] = features.id18
    if features.name_pinyin and features.birth_day and features.sex:
        texts["name"] = f"{features.name_pinyin}|{features.birth_day}|{features.sex}"
    return {
        kind: hmac.digest(key, f"{kind}:{text}".encode(), "sha256")[:8].hex()
        for kind, text in texts.items()
    }


def _note_doubles(conn: Connection, county: str, record_ids: Sequence[str], now_ms: int) -> None:
    strengths: dict[tuple[str, str, str], str] = {}
    for row in storage.sharing(conn, county, record_ids):
        pair = (row.record_id, row.county, row.other_id)
        if row.kind == "id" or pair not in strengths:
            strengths[pair] = LIKELY if row.kind == "id" else POSSIBLE
    own = storage.keys_of(conn, county, [pair[0] for pair in strengths])
    found = set()
    for (record_id, other_county, other_id), strength in strengths.items():
        theirs = storage.keys_of(conn, other_county, [other_id]).get(other_id)
        if theirs and own.get(record_id) and theirs != own[record_id]:
            continue  # two valid ID numbers that differ are two people
        double_id = _double_id(record_id, other_id)
        found.add(double_id)
        storage.put_double(
            conn,
            [
                {"county": mine, "id": double_id, "other_county": yours, "record_id": whose,
                 "strength": strength, "word": "", "verdict": "", "found_at_ms": now_ms}
                for mine, yours, whose in (
                    (county, other_county, record_id), (other_county, county, other_id),
                )
            ],
        )  # fmt: skip
    storage.drop_unsaid(conn, county, record_ids, found)


def _double_id(one: str, other: str) -> str:
    # Ids of records are random, so this tells neither; the same pair found again is the same double.
    digest = hashlib.blake2b("/".join(sorted((one, other))).encode(), digest_size=8).digest()
    return household_id(int.from_bytes(digest))


def follow_all(engine: Engine, secret_key: str, *, now_ms: int, for_s: float) -> bool:
    """Find the doubles of all counties, for about so many seconds; True when all are up to date."""
    until = time.monotonic() + for_s
    with reading(engine) as conn:
        counties = storage.counties(conn)
    return all(
        follow(engine, secret_key, county, now_ms=now_ms, for_s=until - time.monotonic())
        for county in counties
    )


# Showing ------------------------------------------------------------------------------------------


def is_open(row: Row[Any] | None, other: Row[Any] | None) -> bool:
    """Tell whether both counties have agreed to an exchange."""
    return bool(row and other) and row.word == AGREED and other.word == AGREED  # type: ignore[union-attr]


def sides_of(
    conn: Connection, user: User, county: str, double_id: str
) -> tuple[Row[Any], Row[Any], Registration, Registration | None]:
    """Return both sides of a double and the own registration; the other's only once both agreed.

    ChushanError not_found outside the user's scope.
    """
    row = storage.double(conn, county, double_id)
    other = storage.double(conn, row.other_county, double_id) if row else None
    if row is None or other is None:
        raise ChushanError("not_found")
    mine = persons.registrations(conn, county, [row.record_id])
    if not mine or not mine[0].village_code.startswith(user.scope):
        raise ChushanError("not_found")
    theirs: Sequence[Registration] = ()
    if is_open(row, other):
        theirs = persons.registrations(conn, row.other_county, [other.record_id])
    return row, other, mine[0], theirs[0] if theirs else None


# Deciding -----------------------------------------------------------------------------------------


def say(
    conn: Connection,
    county: str,
    double_id: str,
    act: str,
    *,
    user: User,
    now_ms: int,
    new_id: Callable[[], str],
) -> None:
    """Take what an office says of a double (`ACTS`), and note it in its audit.

    That two are one person can be said only while both agree to the exchange; who takes his
    agreement back takes his verdict with it. ChushanError: wrong_state, not_found.
    """
    if act not in ACTS:
        raise ChushanError("malformed")
    row, other, _, _ = sides_of(conn, user, county, double_id)
    what, said = ACTS[act]
    if act == "same" and not is_open(row, other):
        raise ChushanError("wrong_state", "两边都同意核对之后才能认定是同一人")
    noted = {what: said, f"{what}_by": user.id, f"{what}_at_ms": now_ms}
    if what == "word" and said != AGREED:
        noted |= {"verdict": "", "verdict_by": None, "verdict_at_ms": None}
    storage.say(conn, county, double_id, noted)
    add_audit(conn, county, id=new_id(), at_ms=now_ms, actor=user.id, action=f"double_{act}",
              target_kind="member", target_id=row.record_id,
              detail={"other_county": row.other_county})  # fmt: skip
