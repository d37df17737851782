"""Fills a database for the demo as a county would come to look after a few weeks.

Everything goes the ordinary way: the register is a spreadsheet that the roster import reads, the
visits are pushed by phones that pulled first, and the county decides with the reviewer's services.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from server.demo.doubles import Person, doubles
from server.demo.people import InventedHousehold, Record, invent_households
from server.demo.roster import write_roster
from server.services.build_pull import build_pull
from server.services.divisions import store_places
from server.services.enrol import enrol_device, hash_token, make_enrolment
from server.services.receive_push import Push, receive_push
from server.services.review import Comment, approve, return_bundle
from server.services.roster_import import Imported, RosterFile, import_roster
from server.services.sign_in import hash_password
from server.services.upgrade import upgrade_database
from server.storage.accounts import User, add_api_key, add_organisation, add_user
from server.storage.devices import Device
from server.storage.engine import reading, writing
from server.storage.meta import epoch_of
from server.storage.records import records_of_households
from server.storage.reviews import Review, reviews_of
from shared_schemas import SCHEMA_VERSION, ids, wire
from shared_schemas.changes import Change
from shared_schemas.codes import divisions
from shared_schemas.records import record_kinds
from shared_schemas.records.member import HEAD
from shared_schemas.rules import SPOUSES

PASSWORD = "chushan-demo"  # noqa: S105 (printed on the screen, for invented people)
SEED = 5223
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class DemoTownship:
    """A township with invented households: how many in each village, and how far the work is."""

    code: str
    per_village: int
    visited: float
    cadre: str


@dataclass(frozen=True, slots=True)
class DemoCounty:
    """A county of the demo and who signs in for it."""

    code: str
    reviewer: str
    townships: tuple[DemoTownship, ...]


COUNTIES = (
    DemoCounty(
        "522326",
        "wangmo",
        (
            DemoTownship("522326111", 11, 0.6, "岑村干"),
            DemoTownship("522326112", 9, 0.85, "罗村干"),
        ),
    ),
    DemoCounty("522325", "zhenfeng", (DemoTownship("522325102", 9, 0.7, "王村干"),)),
)
PHONE_SCOPE = COUNTIES[0].townships[0].code
"""The township whose cadre enrols the phone app of the demo."""

RETURNS = (
    ("household", "phone", "电话打不通,请核对"),
    ("household", "address", "住址写到组和门牌"),
    ("member", "education", "与户口簿不一致,请核对"),
)


@dataclass(frozen=True, slots=True)
class Clock:
    """When the demo is prepared."""

    now_ms: int
    today: dt.date


def prepare(
    engine: Engine, folder: Path, clock: Clock, *, say: Callable[[str], None] = lambda _: None
) -> None:
    """Fill an empty database; `folder` keeps the rosters and the firm's key, `say` tells progress."""
    upgrade_database(engine)
    with writing(engine) as conn:
        store_places(conn, divisions.demo_divisions())
    source = random.Random(SEED)  # noqa: S311 (nothing secret is drawn)
    users = _add_people(engine, folder, clock)
    for county in COUNTIES:
        name = _name(county.code)
        households = list(_households(county, clock.today))
        path = folder / f"{name}脱贫人口花名册(虚构).xlsx"
        listed = [whole for whole in households if whole.household.get("registry_no")]
        write_roster(path, listed, title=f"{name}脱贫人口花名册(虚构)")
        reviewer = users[county.reviewer]
        imported = _import(engine, path, reviewer, county.code, clock)
        say(f"{name}:名册导入 {imported.counts.households_new} 户 households from the roster")
        for township in county.townships:
            phone = DemoPhone.enrolled(engine, users[f"cadre-{township.code}"], clock)
            done = _visit(engine, phone, township, households, source, clock)
            _decide(engine, reviewer, county.code, done, source, clock)
            say(f"{_name(township.code)}:走访 {len(done)} 户 households visited")
    _make_a_conflict(engine, users, clock)
    _register_twice(engine, users[COUNTIES[0].reviewer], clock)
    _register_across(engine, users, clock)
    _list_a_household_twice(engine, users, clock)


def enrolment_code(engine: Engine, now_ms: int) -> str:
    """Return a new code for a phone of the demo's cadre."""
    with writing(engine) as conn:
        return make_enrolment(
            conn,
            user_id=_user_id(f"cadre-{PHONE_SCOPE}"),
            scope=PHONE_SCOPE,
            made_by=_user_id("admin"),
            now_ms=now_ms,
        )


def firm_key(folder: Path) -> str:
    """Return the key of the demo's firm."""
    return str(json.loads((folder / "firm_key.json").read_text(encoding="utf-8"))["key"])


# --- places and people who sign in --------------------------------------------------------------


def _name(code: str) -> str:
    place = divisions.division(code)
    return place.name if place else code


def _user_id(login: str) -> str:
    # The same login has the same id each time, so that a code can be made at a later start.
    return ids.household_id(random.Random(login).getrandbits(64))  # noqa: S311


def _add_people(engine: Engine, folder: Path, clock: Clock) -> dict[str, User]:
    org_id = _user_id("org")
    people = [
        User(_user_id("admin"), "admin", "管理员", "admin", ""),
        User(_user_id("firm"), "firm", "四明人力·余专员", "hr_firm", "", org_id),
    ]
    for county in COUNTIES:
        people.append(
            User(_user_id(county.reviewer), county.reviewer, f"{_name(county.code)}审核员",
                 "county", county.code)
        )  # fmt: skip
        people += [
            User(_user_id(f"cadre-{t.code}"), f"cadre-{t.code}", t.cadre, "cadre", t.code)
            for t in county.townships
        ]
    password_hash = hash_password(PASSWORD)
    key = secrets.token_urlsafe(24)
    with writing(engine) as conn:
        add_organisation(
            conn,
            {
                "id": org_id,
                "name": "四明人力资源(虚构)",
                "type": "agency",
                "uscc": None,
                "division": "330212000000",
                "licence_no": "虚构-0001",
                "contact": "余专员",
                "phone": "15400000001",
                "counties": [county.code for county in COUNTIES],
                "active": True,
            },
        )
        for user in people:
            signs_in = user.role != "cadre"  # a cadre works on his phone
            add_user(
                conn,
                user,
                password_hash=password_hash if signs_in else None,
                now_ms=clock.now_ms,
                phone=None if signs_in else "0859-1000000",
            )
        add_api_key(
            conn,
            {
                "id": _user_id("key"),
                "org_id": org_id,
                "label": "demo",
                "key_hash": hash_token(key),
                "created_at_ms": clock.now_ms,
                "expires_at_ms": clock.now_ms + 365 * DAY_MS,
            },
        )
    (folder / "firm_key.json").write_text(json.dumps({"key": key}), encoding="utf-8")
    return {user.login: user for user in people}


def _households(county: DemoCounty, today: dt.date) -> Iterator[InventedHousehold]:
    for i, township in enumerate(county.townships):
        villages = [p.code12 for p in divisions.divisions_within(township.code, divisions.VILLAGE)]
        yield from invent_households(
            int(county.code) + i, township.per_village * len(villages), villages, today=today
        )


def _import(engine: Engine, path: Path, user: User, county: str, clock: Clock) -> Imported:
    file = RosterFile(path.read_bytes(), path.name, county, user.scope, user.id)
    imported = import_roster(engine, file, clock=lambda: clock.now_ms, new_id=_new_id)
    if imported.counts.message:
        raise RuntimeError(f"the demo's own roster does not import whole: {imported.counts}")
    return imported


# --- a cadre's phone ----------------------------------------------------------------------------


class DemoPhone:
    """A phone without a screen: it pulls what the county knows and pushes what was visited."""

    def __init__(self, device: Device, incarnation: str, cadre: str) -> None:
        self.device = device
        self.incarnation = incarnation
        self.cadre = cadre
        self.n = 0

    @classmethod
    def enrolled(cls, engine: Engine, user: User, clock: Clock, what: str = "手机") -> DemoPhone:
        """Enrol a phone for a cadre with a one-time code."""
        incarnation = ids.incarnation_id(secrets.randbits(64))
        with writing(engine) as conn:
            code = make_enrolment(
                conn, user_id=user.id, scope=user.scope, made_by=None, now_ms=clock.now_ms
            )
            enrolled = enrol_device(
                conn,
                code=code,
                incarnation=incarnation,
                label=f"{user.name}的{what}",
                app_version="demo",
                device_id=ids.household_id(secrets.randbits(64)),
                now_ms=clock.now_ms,
            )
        return cls(enrolled.device, incarnation, user.name)

    def pull(self, engine: Engine) -> dict[tuple[str, str], tuple[int, dict[str, Any]]]:
        """Return everything in the phone's scope: (kind, id) → seq and values."""
        known = {}
        cursor, more = None, True
        with reading(engine) as conn:
            while more:
                for line in build_pull(conn, self.device, cursor).lines:
                    for group in line["groups"]:
                        for record_id, seq, values in wire.ungroup_rows(group):
                            known[group["kind"], record_id] = (seq, dict(values))
                    cursor, more = line["cursor"], line["more"]
        return known

    def push(self, engine: Engine, changes: Sequence[Change], now_ms: int) -> None:
        """Push changes whose `n` is still to be set, a hundred at a time."""
        for start in range(0, len(changes), 100):
            part = []
            for change in changes[start : start + 100]:
                self.n += 1
                part.append(replace(change, n=self.n))
            with writing(engine) as conn:
                push = Push(self.incarnation, epoch_of(conn), SCHEMA_VERSION, now_ms, part)
                receive_push(conn, push, device=self.device, now_ms=now_ms)


def _visit(
    engine: Engine,
    phone: DemoPhone,
    township: DemoTownship,
    households: Iterable[InventedHousehold],
    source: random.Random,
    clock: Clock,
) -> list[str]:
    """Push the visits of a township; return the ids of the households that were visited."""
    known = phone.pull(engine)
    changes: list[Change] = []
    visited = []
    for whole in households:
        if not whole.household["village_code"].startswith(township.code):
            continue
        if whole.household.get("registry_no") and source.random() > township.visited:
            continue  # on the roster, still to be visited
        whole.household["responsible_cadre"] = phone.cadre
        met = as_met(whole, known, source)
        visited.append(met.household["id"])
        changes += _changes(met, known, clock)
    phone.push(engine, changes, clock.now_ms)
    return visited


def as_met(
    whole: InventedHousehold,
    known: dict[tuple[str, str], tuple[int, dict[str, Any]]],
    source: random.Random,
) -> InventedHousehold:
    """Return the household with the ids that the roster's import gave it, if it is on the roster."""
    number = whole.household.get("registry_no")
    found = [
        record_id
        for (kind, record_id), (_, values) in known.items()
        if kind == "household" and number and values.get("registry_no") == number
    ]
    if not found:
        return whole
    household_id = found[0]
    by_name = {
        (values.get("name"), values.get("birth_date")): record_id
        for (kind, record_id), (_, values) in known.items()
        if kind == "member" and values.get("household_id") == household_id
    }
    new_ids = {whole.household["id"]: household_id}
    for member in whole.members:
        key = (member["name"], member["birth_date"])
        new_ids[member["id"]] = by_name.get(key) or ids.child_id(
            household_id, source.getrandbits(20)
        )
    for record in (*whole.intentions, *whole.consents):
        new_ids[record["id"]] = ids.child_id(household_id, source.getrandbits(20))

    def renamed(record: Record) -> Record:
        return {name: _renamed(value, new_ids) for name, value in record.items()}

    return InventedHousehold(
        renamed(whole.household),
        tuple(renamed(record) for record in whole.members),
        tuple(renamed(record) for record in whole.intentions),
        tuple(renamed(record) for record in whole.consents),
    )


def _renamed(value: Any, new_ids: dict[str, str]) -> Any:
    if isinstance(value, list):
        return [_renamed(entry, new_ids) for entry in value]
    if isinstance(value, dict):
        return {_reason_key(key, new_ids): entry for key, entry in value.items()}
    return new_ids.get(value, value) if isinstance(value, str) else value


def _reason_key(key: str, new_ids: dict[str, str]) -> str:
    rule, _, record_id = key.partition(" ")
    return f"{rule} {new_ids.get(record_id, record_id)}" if record_id else key


def _changes(
    whole: InventedHousehold,
    known: dict[tuple[str, str], tuple[int, dict[str, Any]]],
    clock: Clock,
) -> Iterator[Change]:
    """Yield the patches of a visit, the household first; `n` is set when they are pushed."""
    order = [kind.name for kind in record_kinds()]
    days_ago = (clock.today - dt.date.fromisoformat(whole.household["survey_date"])).days
    at_ms = clock.now_ms - days_ago * DAY_MS
    for kind, record in sorted(whole.records(), key=lambda entry: order.index(entry[0])):
        seq, before = known.get((kind, record["id"]), (0, {}))
        values = {
            name: value
            for name, value in record.items()
            if name != "id" and before.get(name) != value
        }
        if values:
            yield Change(0, kind, record["id"], seq, at_ms, values)


# --- the county decides -------------------------------------------------------------------------


def _decide(
    engine: Engine,
    reviewer: User,
    county: str,
    visited: Sequence[str],
    source: random.Random,
    clock: Clock,
) -> None:
    """Approve about half of what waits, return a few with words, leave the rest for the visitor."""
    with reading(engine) as conn:
        waiting = reviews_of(conn, county, visited)
    for review in waiting.values():
        choice = source.random()
        if review.state != "in_review" or any(hit["level"] == "E" for hit in review.hits):
            continue
        if choice < 0.07:
            _return(engine, reviewer, county, review, source, clock)
        elif choice < 0.55 and review.lane == "green":
            with writing(engine) as conn:
                approve(
                    conn, county, review.household_id, review.bundle_seq,
                    user=reviewer, now_ms=clock.now_ms, new_id=_new_id,
                )  # fmt: skip


def _return(
    engine: Engine,
    reviewer: User,
    county: str,
    review: Review,
    source: random.Random,
    clock: Clock,
) -> None:
    kind, field, words = source.choice(RETURNS)
    with writing(engine) as conn:
        record_id = review.household_id
        if kind == "member":
            record_id = _head_of(conn, county, review.household_id)
        comment = Comment(kind, record_id, field, words)
        return_bundle(
            conn, county, review.household_id, review.bundle_seq, [comment],
            user=reviewer, now_ms=clock.now_ms, new_id=_new_id,
        )  # fmt: skip


def _head_of(conn: Any, county: str, household_id: str) -> str:
    household = next(
        record
        for record in records_of_households(conn, county, [household_id])
        if record.kind == "household"
    )
    return str(household.values["head_member_id"])


def _new_id() -> str:
    return ids.household_id(secrets.randbits(64))


def _register_across(engine: Engine, users: dict[str, User], clock: Clock) -> None:
    """Let somebody of the first county be registered in the second too, where he rents a room."""
    someone = next(
        member
        for whole in _households(COUNTIES[0], clock.today)
        for member in whole.members
        if whole.household.get("registry_no") and member.get("id_no") and member["relation"] == HEAD
    )
    township = COUNTIES[1].townships[0]
    village = divisions.divisions_within(township.code, divisions.VILLAGE)[0].code12
    [rented] = invent_households(SEED + 1, 1, [village], today=clock.today, doubtful=0)
    head = next(member for member in rented.members if member["relation"] == HEAD)
    same = {name: someone[name] for name in ("name", "sex", "birth_date", "id_no")}
    alone = InventedHousehold(rented.household, ({**head, **same},), (), ())
    phone = DemoPhone.enrolled(engine, users[f"cadre-{township.code}"], clock)
    phone.push(engine, list(_changes(alone, {}, clock)), clock.now_ms)


def _list_a_household_twice(engine: Engine, users: dict[str, User], clock: Clock) -> None:
    """Let a family of the first township be listed in the second too, under the wife, half without papers."""
    family = next(
        whole
        for whole in _households(COUNTIES[0], clock.today)
        if whole.household.get("registry_no")
        and len(whole.members) > 3
        and {HEAD, *SPOUSES} & {m["relation"] for m in whole.members if m.get("id_no")} > {HEAD}
    )
    township = COUNTIES[0].townships[1]
    village = divisions.divisions_within(township.code, divisions.VILLAGE)[1].code12
    other = next(
        whole
        for whole in invent_households(SEED + 2, 50, [village], today=clock.today, doubtful=0)
        if not whole.household.get("registry_no")
    )
    home = other.household["id"]
    members = []
    for number, member in enumerate(family.members):
        again = {**member, "id": ids.child_id(home, number), "household_id": home}
        if member["relation"] in SPOUSES:
            again |= {"relation": HEAD}
            other.household["head_member_id"] = again["id"]
        else:
            again["relation"] = _UNDER_THE_WIFE.get(member["relation"], member["relation"])
            again |= {"id_no": None, "no_id_reason": "1"} if member.get("id_no") else {}
        members.append(again)
    phone = DemoPhone.enrolled(engine, users[f"cadre-{township.code}"], clock)
    other.household["responsible_cadre"] = phone.cadre
    listed = InventedHousehold(other.household, tuple(members), (), ())
    phone.push(engine, list(_changes(listed, {}, clock)), clock.now_ms)


_UNDER_THE_WIFE = {HEAD: "11", "51": "53", "52": "54"}
"""What the relations of a family become when the wife is the head."""


def _register_twice(engine: Engine, reviewer: User, clock: Clock) -> None:
    """Let people of a county be registered a second time, and approve some of the second ones."""
    phone = DemoPhone.enrolled(engine, reviewer, clock)
    known = phone.pull(engine)
    of_kind = {
        wanted: {key: values for (kind, key), (_, values) in known.items() if kind == wanted}
        for wanted in ("member", "household", "review")
    }
    people = [
        Person(values, of_kind["review"][str(values["household_id"])]["state"] == "approved")
        for _, values in sorted(of_kind["member"].items())
        if values["relation"] == HEAD and values.get("lives_here")
    ]
    # The towns are where the people are not: one of one town is linked without asking anybody.
    visited = {township.code for township in COUNTIES[0].townships}
    beyond = [
        divisions.divisions_within(township.code12[:9], divisions.VILLAGE)[0].code12
        for township in divisions.divisions_within(COUNTIES[0].code, divisions.TOWNSHIP)
        if township.code12[:9] not in visited
    ]
    for double in doubles(people, beyond, clock.today, seed=SEED):
        whole = double.whole
        phone.push(engine, list(_changes(whole, {}, clock)), clock.now_ms)
        if double.approve:
            home = whole.household["id"]
            with writing(engine) as conn:
                review = reviews_of(conn, COUNTIES[0].code, [home])[home]
                approve(
                    conn, COUNTIES[0].code, home, review.bundle_seq,
                    user=reviewer, now_ms=clock.now_ms, new_id=_new_id,
                )  # fmt: skip


def _make_a_conflict(engine: Engine, users: dict[str, User], clock: Clock) -> None:
    """Let two phones change the same fields of two people apart, as two cadres do in the field.

    And let one register a household beyond its township, which the county finds among the held.
    """
    cadre = users[f"cadre-{PHONE_SCOPE}"]
    first, second = (DemoPhone.enrolled(engine, cadre, clock, what) for what in ("手机", "旧手机"))
    known = first.pull(engine)
    states = {
        key: values["state"] for (kind, key), (_, values) in known.items() if kind == "review"
    }
    heads = [
        (record_id, seq, str(values["name"]))
        for (kind, record_id), (seq, values) in sorted(known.items())
        if kind == "member" and values.get("phone") and values["relation"] == HEAD
        and states.get(str(values["household_id"])) == "in_review"
    ][:2]  # fmt: skip
    (called, called_seq, _), (misheard, misheard_seq, name) = heads
    for record_id, seq, field, ours, theirs in (
        (called, called_seq, "phone", "15400000017", "15400000018"),
        (misheard, misheard_seq, "name", f"{name[:-1]}理", f"{name[:-1]}里"),
    ):
        for phone, value in ((first, ours), (second, theirs)):
            change = Change(0, "member", record_id, seq, clock.now_ms - 3_600_000, {field: value})
            phone.push(engine, [change], clock.now_ms)
    beyond = divisions.divisions_within(COUNTIES[0].townships[1].code, divisions.VILLAGE)[0]
    [stray] = invent_households(SEED, 1, [beyond.code12], today=clock.today)
    first.push(engine, list(_changes(stray, {}, clock))[:1], clock.now_ms)
