"""Invented people, accounts and phones for tests. A test says what it is about; the rest is here.

ID numbers have areas that were never assigned (522399, 510899, 622999), so nobody holds them.
"""

from __future__ import annotations

import itertools
import json
import random
import re
import secrets
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection, Engine
from werkzeug.test import TestResponse

from mobile.device.desktop import seal
from server.services.divisions import store_places
from server.services.enrol import hash_token
from server.services.sign_in import hash_password
from server.storage.accounts import User, add_api_key, add_organisation, add_user
from server.storage.devices import Device, add_device
from server.storage.divisions import count_divisions
from server.storage.engine import writing
from shared_schemas import SCHEMA_VERSION, ids, resident_id, wire
from shared_schemas.changes import Change
from shared_schemas.codes.divisions import demo_divisions
from shared_schemas.fields import Value
from shared_schemas.handover import UP, Header, seal_file
from shared_schemas.protocol import PACKED, PROTOCOL

WANGMO, ZHENFENG = "522326", "522325"
VILLAGE = "522326111201"
OTHER_TOWNSHIP_VILLAGE = "522326112201"
OTHER_COUNTY_VILLAGE = "522325102203"
TODAY = "2026-11-20"
NOW_MS = 1_795_168_800_000
"""The clock of conftest: 2026-11-20 18:00 in China."""
PASSWORD = "a long password"

_random = random.Random(2026)
_count = itertools.count(1)
Values = dict[str, Value]


def a_household_id() -> str:
    return ids.household_id(_random.getrandbits(64))


def a_child_id(household: str) -> str:
    return ids.child_id(household, _random.getrandbits(20))


def an_id_number(*, area: str = "522399", birth_date: str = "1990-05-04", sex: str = "1") -> str:
    """Return a valid number; another one at each call."""
    serial = (next(_count) * 2 + (1 if sex == "1" else 0)) % 1000
    first = f"{area}{birth_date.replace('-', '')}{serial:03}"
    return first + resident_id.check_character(first)


def a_household(village_code: str = VILLAGE, **given: Value) -> Values:
    """Return the values of a household that breaks no rule by itself."""
    return {
        "village_code": village_code,
        "relocated": False,
        "category": "1",
        "dibao": False,
        "tekun": False,
        "phone": f"139{next(_count):08}",
        "survey_date": TODAY,
        "survey_mode": "1",
        **given,
    }


def a_member(household: str, **given: Value) -> Values:
    """Return the values of a grown-up head of a household, who has no job."""
    birth_date = str(given.get("birth_date", "1990-05-04"))
    sex = str(given.get("sex", "1"))
    return {
        "household_id": household,
        "id_no": an_id_number(birth_date=birth_date, sex=sex),
        "name": "岑小山",
        "sex": sex,
        "birth_date": birth_date,
        "relation": "02",
        "lives_here": True,
        "ethnic": "09",
        "in_school": "0",
        "education": "70",
        "marital": "10",
        "speaks_mandarin": "1",
        "health": ["1"],
        "labour_ability": "1",
        "work_form": "7",
        **given,
    }


def an_intention(household: str, member: str, **given: Value) -> Values:
    """Return the values of a wish to leave for work."""
    return {
        "household_id": household,
        "member_id": member,
        "wants_job": "1",
        "available_from": TODAY,
        "reach": "4",
        "together_with": "0",
        "occupations": ["01"],
        "wage_floor": 4000,
        "training_wish": False,
        "startup_wish": False,
        "public_post_wish": False,
        "workshop_wish": False,
        "confirmed_on": TODAY,
        **given,
    }


def a_consent(household: str, member: str, consent_kind: str, **given: Value) -> Values:
    """Return the values of a consent that was given in writing."""
    return {
        "household_id": household,
        "member_id": member,
        "consent_kind": consent_kind,
        "text_version": "2026-11",
        "given": True,
        "method": "1",
        "consented_on": TODAY,
        **given,
    }


@dataclass(frozen=True, slots=True)
class Family:
    """A household of one member with an intention and both consents."""

    household: str
    member: str
    intention: str
    edits: list[tuple[str, str, Values]]
    """(kind, id, values), the household first."""


def a_family(village_code: str = VILLAGE, **member: Value) -> Family:
    """Return a bundle that breaks no rule; keyword arguments are values of the member."""
    home = a_household_id()
    person, wish, survey, share = (a_child_id(home) for _ in range(4))
    edits = [
        ("household", home, a_household(village_code, head_member_id=person)),
        ("member", person, a_member(home, **member)),
        ("intention", wish, an_intention(home, person)),
        ("consent", survey, a_consent(home, person, "survey")),
        ("consent", share, a_consent(home, person, "share_hr")),
    ]
    return Family(home, person, wish, edits)


def changes(
    edits: Iterable[tuple[str, str, Mapping[str, Value]]],
    *,
    first: int = 1,
    base: int = 0,
    at_ms: int = NOW_MS - 3_600_000,
) -> list[Change]:
    """Return edits as changes, numbered from `first`, made an hour ago one after the other."""
    return [
        Change(first + i, kind, record_id, base, at_ms + i, values)
        for i, (kind, record_id, values) in enumerate(edits)
    ]


def villages(conn: Connection) -> None:
    """Store the townships and villages of both demo counties, once."""
    if count_divisions(conn, level=5) == 0:
        store_places(conn, demo_divisions())


def a_user(
    conn: Connection,
    login: str | None = None,
    *,
    role: str = "cadre",
    scope: str = WANGMO,
    org_id: str | None = None,
    password: str | None = None,
) -> User:
    """Store and return a person."""
    login = login or f"person{next(_count)}"
    person = User(a_household_id(), login, f"测试{login}", role, scope, org_id)
    add_user(conn, person, password_hash=hash_password(password) if password else None, now_ms=0)
    return person


def a_device(
    conn: Connection, user: User, *, scope: str | None = None, state: str = "active"
) -> tuple[Device, str]:
    """Store and return a phone of a cadre, and its token."""
    token = secrets.token_urlsafe(16)
    scope = scope or user.scope
    made = Device(a_household_id(), scope[:6], user.id, scope, "测试手机", state, cadre=user.name)
    add_device(conn, made, token_hash=hash_token(token), now_ms=0)
    return made, token


def a_firm(conn: Connection, *counties: str, name: str = "测试人力") -> tuple[str, str]:
    """Store a firm with an agreement with these counties; return its id and a key."""
    org_id, key = a_household_id(), secrets.token_urlsafe(16)
    add_organisation(
        conn,
        {
            "id": org_id,
            "name": name,
            "type": "agency",
            "division": "330281000000",
            "counties": list(counties),
            "active": True,
        },
    )
    add_api_key(
        conn,
        {
            "id": a_household_id(),
            "org_id": org_id,
            "label": "test",
            "key_hash": hash_token(key),
            "created_at_ms": 0,
            "expires_at_ms": 1 << 52,
        },
    )
    return org_id, key


def sign_in(app: Flask, login: str, password: str = PASSWORD) -> FlaskClient:
    """Return a browser in which a person is signed in."""
    browser = app.test_client()
    page = browser.get("/sign-in").text
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert token, page
    answer = browser.post(
        "/sign-in", data={"login": login, "password": password, "csrf_token": token[1]}
    )
    assert answer.status_code in (302, 303), answer.text
    return browser


@dataclass
class Phone:
    """The network side of a phone: it numbers changes and speaks the protocol."""

    client: FlaskClient
    token: str
    device: Device
    incarnation: str = field(default_factory=lambda: ids.incarnation_id(_random.getrandbits(64)))
    n: int = 0
    epoch: str = ""
    cursor: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Say who calls."""
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def now_ms(self) -> int:
        """Return the time: the phone's clock is right."""
        return self.client.application.extensions["chushan"].now_ms()

    def hello(self) -> dict[str, Any]:
        """Greet the server and note its epoch."""
        answer = self.client.get(
            f"/sync/v1/hello?incarnation={self.incarnation}", headers=self.headers
        )
        assert answer.status_code == 200, answer.text
        self.epoch = answer.json["epoch"]
        return answer.json

    def message(self, batch: list[Change], **given: Any) -> dict[str, Any]:
        """Return the push message of a batch; keyword arguments replace its members."""
        return {
            "protocol": PROTOCOL,
            "schema": SCHEMA_VERSION,
            "incarnation": self.incarnation,
            "epoch": self.epoch or self.hello()["epoch"],
            "sent_at_ms": self.now_ms,
            "changes": wire.group_changes(batch),
            **given,
        }

    def send(self, batch: list[Change], **given: Any) -> TestResponse:
        """Push changes as they are and return the raw answer."""
        return self.send_message(self.message(batch, **given))

    def send_message(self, message: Mapping[str, Any]) -> TestResponse:
        """Push a message as it is and return the raw answer."""
        return self.client.post(
            "/sync/v1/push", data=wire.pack(message), content_type=PACKED, headers=self.headers
        )

    def push(self, batch: list[Change], **given: Any) -> dict[str, Any]:
        """Push changes and return the unpacked answer."""
        answer = self.send(batch, **given)
        assert answer.status_code == 200, answer.text
        return wire.unpack(answer.data)

    def edit(
        self, kind: str, record_id: str, *, base: int = 0, at_ms: int | None = None, **values: Value
    ) -> dict[str, Any]:
        """Make one edit, push it, and return its outcome."""
        self.n += 1
        at_ms = self.now_ms if at_ms is None else at_ms
        batch = [Change(self.n, kind, record_id, base, at_ms, values)]
        return self.push(batch)["outcomes"][0]

    def submit(self, family: Family) -> list[dict[str, Any]]:
        """Push a whole bundle and return the outcomes."""
        batch = changes(family.edits, first=self.n + 1)
        self.n += len(batch)
        return self.push(batch)["outcomes"]

    def pull_lines(
        self, *, limit: int = 5000, schema: int = SCHEMA_VERSION, **more: str
    ) -> list[dict[str, Any]]:
        """Pull one page from the cursor on, and move the cursor."""
        query: dict[str, Any] = {"limit": limit, "schema": schema, **more}
        query |= {"cursor": self.cursor} if self.cursor else {}
        answer = self.client.get(
            "/sync/v1/pull", query_string=query, headers={**self.headers, "Accept": PACKED}
        )
        assert answer.status_code == 200, answer.text
        plain = zlib.decompressobj(15, wire.dictionary()).decompress(answer.data)
        lines = [json.loads(line) for line in plain.splitlines()]
        self.cursor = lines[-1]["cursor"]
        return lines

    def pull(
        self, *, limit: int = 5000, schema: int = SCHEMA_VERSION, **more: str
    ) -> dict[tuple[str, str], dict[str, Any]]:
        """Pull until nothing is left; return the newest values by (kind, id)."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        while True:
            lines = self.pull_lines(limit=limit, schema=schema, **more)
            for group in (group for line in lines for group in line["groups"]):
                for row_id, seq, values in wire.ungroup_rows(group):
                    found[group["kind"], row_id] = {**values, "seq": seq}
            if not lines[-1]["more"]:
                return found


def a_phone(app: Flask, engine: Engine, *, scope: str = WANGMO, state: str = "active") -> Phone:
    """Return an enrolled phone of a new cadre."""
    with writing(engine) as conn:
        villages(conn)
        device, token = a_device(conn, a_user(conn, scope=scope), state=state)
    return Phone(app.test_client(), token, device)


def a_bundle(phone: Phone, *families: Family) -> bytes:
    """Return the hand-over file that a phone would write of these families, a chunk for each."""
    chunks = []
    for family in families:
        batch = changes(family.edits, first=phone.n + 1)
        phone.n += len(batch)
        chunks.append(wire.pack(phone.message(batch)))
    header = Header(UP, phone.device.id, 20_777, secrets.token_bytes(16), len(chunks))
    return seal_file(header, hash_token(phone.token), chunks, seal)


def a_clone(phone: Phone) -> Phone:
    """Return a copy of a phone: the same token and incarnation, as a restored backup has them."""
    return replace(phone)
