"""Runs a phone's first day against a real server and keeps what was said, for docs/protocol.md."""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import Engine

from server.app import create_app
from server.demo.people import InventedHousehold, invent_households
from server.services.apply_changes import Author, apply_changes, next_n
from server.services.divisions import store_places
from server.services.enrol import make_enrolment
from server.services.held import close_held_change
from server.services.upgrade import upgrade_database
from server.settings import Settings
from server.storage.accounts import User, add_user
from server.storage.engine import writing
from shared_schemas import SCHEMA_VERSION, wire
from shared_schemas.changes import Change
from shared_schemas.codes import divisions
from shared_schemas.protocol import PROTOCOL

NOW_MS = 1_795_168_800_000
VILLAGE = "522326111201"
INCARNATION = "7h3kq9v2m5xwt"
COUNTY = "522326"
ELSEWHERE = next(
    place.code12
    for place in divisions.demo_divisions()
    if place.level == 5 and place.code12[:6] == COUNTY and place.code12 != VILLAGE
)
REVIEWER = User("rev1ewer00000", "reviewer", "审核员", "county", COUNTY)
CADRE = User("c4dre00000000", "cadre", "岑村干", "cadre", VILLAGE)
SHOWN_FIELDS = ("village_code", "group_no", "phone", "household_id", "name", "sex", "birth_date")
"""The examples push these fields only; a whole record is told in docs/fields.md."""


@dataclass(frozen=True, slots=True)
class Step:
    """One request and its answer."""

    title: str
    request_line: str
    sent: Any
    status: str
    answered: Any


def run() -> list[Step]:
    """Return the conversation, the random words in it replaced by fixed ones."""
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(
            Settings(
                database_url=f"sqlite:///{folder}/example.db",
                data_dir=folder,
                secret_key="for the examples",  # noqa: S106
                log_level="ERROR",
            ),
            clock=lambda: NOW_MS,
        )
        engine = app.extensions["chushan"].engine
        upgrade_database(engine)
        with writing(engine) as conn:
            store_places(conn, divisions.demo_divisions())
            for user in (CADRE, REVIEWER):
                add_user(conn, user, password_hash=None, now_ms=NOW_MS)
            code = make_enrolment(
                conn, user_id=CADRE.id, scope=CADRE.scope, made_by=None, now_ms=NOW_MS
            )
        talk = _Talk(app.test_client(), engine)
        _first_day(talk, code)
        engine.dispose()
        return talk.steps()


def _first_day(talk: _Talk, code: str) -> None:
    enrolled = talk.say(
        "Enrol",
        "POST",
        "/sync/v1/enrol",
        {"code": code, "incarnation": INCARNATION, "label": "岑村干的手机", "app_version": "0.1.0"},
        fixed={code: "XXXX-XXXX"},
    )
    talk.token = enrolled["token"]
    talk.fixed |= {enrolled["token"]: "<token>", enrolled["device_id"]: "9dev1ce000000"}
    hello = talk.say("Hello", "GET", f"/sync/v1/hello?incarnation={INCARNATION}")
    talk.fixed[hello["epoch"]] = "5e0c4e9a1b2d3f60"

    [whole] = [w for w in invent_households(3, 12, [VILLAGE], doubtful=0) if len(w.members) == 2][
        :1
    ]
    first = _push(hello["epoch"], _born(whole))
    talk.say("Push: a new household with two members", "POST", "/sync/v1/push", first)
    talk.say("The same push again, as after a lost answer", "POST", "/sync/v1/push", first)
    pulled = talk.say("Pull from the start", "GET", f"/sync/v1/pull?schema={SCHEMA_VERSION}")
    cursor = pulled["cursor"]
    edit = Change(4, "household", whole.household["id"], 1, NOW_MS, {"phone": "15400000099"})
    talk.say("Push: one edited field", "POST", "/sync/v1/push", _push(hello["epoch"], [edit]))
    since = f"/sync/v1/pull?schema={SCHEMA_VERSION}&cursor={cursor}"
    pulled = talk.say("Pull what changed since", "GET", since)
    asking = f"/sync/v1/hello?incarnation={INCARNATION}&cursor={pulled['cursor']}"
    hello = talk.say("Hello with nothing new", "GET", f"{asking}&places={hello['places']}")
    talk.say(
        "The same hello again: nothing has changed",
        "GET",
        f"{asking}&places={hello['places']}",
        headers={"If-None-Match": talk.etag},
    )
    _held_change(talk, hello["epoch"], whole.household["id"])
    cursor = pulled["cursor"]
    _move_away(talk, whole.household["id"])
    talk.say("Pull, after the county moved the household away", "GET",
             f"/sync/v1/pull?schema={SCHEMA_VERSION}&cursor={cursor}")  # fmt: skip
    ahead = Change(9, "household", whole.household["id"], 1, NOW_MS, {"group_no": "二组"})
    talk.say(
        "Refused: changes 6 to 8 are missing",
        "POST",
        "/sync/v1/push",
        _push(hello["epoch"], [ahead]),
    )
    elsewhere = cursor.replace(hello["epoch"], "0123456789abcdef")
    talk.say(
        "Refused: a cursor from before the server was restored",
        "GET",
        f"/sync/v1/pull?schema={SCHEMA_VERSION}&cursor={elsewhere}",
    )


def _held_change(talk: _Talk, epoch: str, household_id: str) -> None:
    """Push a change that the phone may not make; the county then closes it."""
    away = Change(5, "household", household_id, 5, NOW_MS, {"village_code": ELSEWHERE})
    talk.say("Push: out of the phone's scope", "POST", "/sync/v1/push", _push(epoch, [away]))
    with writing(talk.engine) as conn:
        close_held_change(
            conn, COUNTY, INCARNATION, 5, "由那边的村干登记",
            user=REVIEWER, now_ms=NOW_MS, new_id=lambda: "a0d1t00000000",
        )  # fmt: skip
    talk.say(
        "What has become of it: the county closed it",
        "GET",
        f"/sync/v1/outcomes?incarnation={INCARNATION}&first=5&last=5",
    )


def _move_away(talk: _Talk, household_id: str) -> None:
    """Let the county move the household to another village."""
    with writing(talk.engine) as conn:
        n = next_n(conn, COUNTY, "county")
        apply_changes(
            conn,
            [Change(n, "household", household_id, 5, NOW_MS, {"village_code": ELSEWHERE})],
            author=Author(COUNTY, "county", REVIEWER.id, None, COUNTY, "county"),
            sent_ms=NOW_MS,
            received_ms=NOW_MS,
            schema=SCHEMA_VERSION,
        )


def _born(whole: InventedHousehold) -> list[Change]:
    records = [("household", whole.household), *(("member", m) for m in whole.members)]
    return [
        Change(
            n, kind, record["id"], 0, NOW_MS - 60_000,
            {name: record[name] for name in SHOWN_FIELDS if name in record},
        )
        for n, (kind, record) in enumerate(records, 1)
    ]  # fmt: skip


def _push(epoch: str, changes: list[Change]) -> dict[str, Any]:
    return {
        "protocol": PROTOCOL,
        "schema": SCHEMA_VERSION,
        "incarnation": INCARNATION,
        "epoch": epoch,
        "sent_at_ms": NOW_MS,
        "changes": wire.group_changes(changes),
    }


class _Talk:
    """Says something to the server and remembers it."""

    def __init__(self, client: FlaskClient, engine: Engine) -> None:
        self.client = client
        self.engine = engine
        self.etag = ""
        self.token = ""
        self.fixed: dict[str, str] = {}
        self.said: list[tuple[str, str, Any, str, Any]] = []

    def say(
        self,
        title: str,
        method: str,
        path: str,
        body: Any = None,
        fixed: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        self.fixed |= fixed or {}
        token = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        said = headers or {}
        answer = self.client.open(path, method=method, json=body, headers={**token, **said})
        text = answer.get_data(as_text=True)
        value = json.loads(text.splitlines()[0]) if text else None
        self.etag = answer.headers.get("ETag", self.etag)
        path = "\n".join([path, *(f"{name}: {told}" for name, told in said.items())])
        if self.etag:
            self.fixed[self.etag.strip('"')] = "c0ffee00"
        self.said.append((title, f"{method} {path}", body, answer.status, value))
        for cursor in re.findall(r'"cursor": "([^"]+)"', json.dumps(value)):
            tag = cursor.rpartition(".")[2]
            if tag:
                self.fixed[tag] = f"{len(self.fixed):08x}"
        return value

    def steps(self) -> list[Step]:
        return [
            Step(title, self._mask(line), self._masked(sent), status, self._masked(answered))
            for title, line, sent, status, answered in self.said
        ]

    def _masked(self, value: Any) -> Any:
        if value is None:
            return None
        return json.loads(self._mask(json.dumps(value, ensure_ascii=False)))

    def _mask(self, text: str) -> str:
        for found, shown in self.fixed.items():
            text = text.replace(found, shown)
        return text
