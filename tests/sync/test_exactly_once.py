"""A change has one effect, however often, in whatever pieces and in whatever order it arrives.

What is proven elsewhere is not repeated: a batch twice, half before whole, an old batch late
(tests/api/test_push.py), a phone at a link that is cut (tests/mobile/test_attempt.py).
"""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from builders import NOW_MS, Family, Phone, a_family, a_phone, changes
from flask import Flask
from hypothesis import HealthCheck, given
from hypothesis import settings as having
from hypothesis import strategies as st
from sqlalchemy import Engine, insert
from sqlalchemy.exc import IntegrityError
from werkzeug.serving import make_server

from server.storage import tables
from server.storage.engine import writing
from shared_schemas import ids, wire
from shared_schemas.changes import Change
from shared_schemas.protocol import PACKED

from .ledger import record, rows, waiting

COUNTED = (tables.change, tables.conflict, tables.feed_commit, tables.county_counter)


@pytest.fixture
def served(app: Flask) -> Iterator[str]:
    """Yield the address of the server, threaded, on a socket of loopback."""
    httpd = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def body_of(phone: Phone, batch: list[Change]) -> bytes:
    return wire.pack(phone.message(batch))


def post(address: str, phone: Phone, body: bytes) -> requests.Response:
    headers = {**phone.headers, "Content-Type": PACKED, "Accept": PACKED}
    return requests.post(f"{address}/sync/v1/push", data=body, headers=headers, timeout=30)


def state(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """Return all that pushes write, without what only tells when a phone was heard of."""
    found = {table.name: [dict(row) for row in rows(engine, table)] for table in COUNTED}
    for kind, table in tables.record_tables().items():
        found[kind] = [dict(row) for row in rows(engine, table)]
    return {name: sorted(held, key=repr) for name, held in found.items()}


def test_one_batch_from_eight_connections_at_once_has_one_effect_and_one_answer(
    app: Flask, engine: Engine, served: str
) -> None:
    phone = a_phone(app, engine)
    families = [a_family() for _ in range(10)]
    for start in range(0, 50, 10):
        batch = changes(
            [edit for family in families[start // 5 : start // 5 + 2] for edit in family.edits],
            first=start + 1,
        )
        body = body_of(phone, batch)
        barrier = threading.Barrier(8)

        def deliver(_: int, body: bytes = body, barrier: threading.Barrier = barrier) -> bytes:
            barrier.wait()
            answer = post(served, phone, body)
            assert answer.status_code == 200, answer.text
            return answer.content

        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(deliver, range(8)))
        assert len({repr(wire.unpack(answer)["outcomes"]) for answer in answers}) == 1
    assert len(rows(engine, tables.change)) == 50
    assert len(rows(engine, tables.record_tables()["member"])) == 10
    # One commit each: seven of eight deliveries took no number of the county's.
    assert len(rows(engine, tables.feed_commit)) == 5


def test_database_itself_refuses_a_second_change_of_the_same_number(
    app: Flask, engine: Engine
) -> None:
    """The guarantee is a constraint; the code above it only makes the answer friendly."""
    phone = a_phone(app, engine)
    phone.submit(a_family())
    stored = dict(rows(engine, tables.change)[0])
    with pytest.raises(IntegrityError), writing(engine) as conn:
        conn.execute(insert(tables.change), {**stored, "values": {"phone": "13900000000"}})
    with writing(engine) as conn:
        conn.execute(insert(tables.change), {**stored, "incarnation": ids.incarnation_id(5)})
    assert len(rows(engine, tables.change)) == 6


def test_batches_that_arrive_in_any_order_take_effect_in_their_own(
    app: Flask, engine: Engine, served: str
) -> None:
    """Three batches, in every order, each offered again until it is taken: the end is the same."""
    for order in itertools.permutations(range(3)):
        phone, family = a_phone(app, engine), a_family()
        edits = [
            Change(6 + i, "member", family.member, 0, NOW_MS + i, {"work_employer": place})
            for i, place in enumerate("甲乙丙丁")
        ]
        batch = [*changes(family.edits), *edits]
        parts = [batch[:4], batch[4:7], batch[7:]]
        left = list(order)
        while left:
            for i in list(left):
                answer = post(served, phone, body_of(phone, parts[i]))
                if answer.status_code == 200:
                    left.remove(i)
                else:
                    assert answer.json()["code"] == "sequence_gap"
        assert record(engine, "member", family.member)["work_employer"] == "丁"
        assert phone.hello()["acked"] == 9


def test_body_cut_at_any_byte_has_no_effect_and_the_whole_one_then_has(
    app: Flask, engine: Engine, served: str
) -> None:
    phone, family = a_phone(app, engine), a_family()
    body = body_of(phone, changes(family.edits))
    address = urlsplit(served)
    head = (
        f"POST /sync/v1/push HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"Authorization: {phone.headers['Authorization']}\r\nContent-Type: {PACKED}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode()
    for cut in (*range(0, len(body), 7), len(body) - 1):
        with socket.create_connection((str(address.hostname), int(address.port or 0))) as raw:
            raw.sendall(head + body[:cut])
            raw.shutdown(socket.SHUT_WR)
            raw.settimeout(10)
            answer = b""
            while piece := raw.recv(4096):
                answer += piece
        assert b" 200 " not in answer.split(b"\r\n", 1)[0]
    assert rows(engine, tables.change) == []
    assert post(served, phone, body).status_code == 200
    assert len(rows(engine, tables.change)) == 5


def test_answer_that_was_lost_is_given_again_word_for_word(
    app: Flask, engine: Engine, served: str
) -> None:
    """Also after other phones wrote: the first outcome, not what would come of it today."""
    phone, other, family = a_phone(app, engine), a_phone(app, engine), a_family()
    body = body_of(phone, changes(family.edits))
    first = wire.unpack(post(served, phone, body).content)
    other.edit("member", family.member, base=first["outcomes"][1]["seq"], marital="20")
    before = state(engine)
    again = wire.unpack(post(served, phone, body).content)
    assert {**again, "received_at_ms": 0} == {**first, "received_at_ms": 0}
    assert state(engine) == before


# --- any split, repeat and order of deliveries (I7, I8 of sync.md) ---

DAY = 12
Delivery = tuple[int, int]


@st.composite
def deliveries(draw: st.DrawFn) -> list[Delivery]:
    """Ranges of a day's changes as they reach the server: split, repeated, late, with gaps."""
    found = draw(
        st.lists(
            st.tuples(st.integers(0, DAY - 1), st.integers(1, DAY)).map(
                lambda pair: (pair[0], min(DAY, pair[0] + pair[1]))
            ),
            max_size=10,
        )
    )
    return [*found, (0, draw(st.integers(1, DAY))), (0, DAY)]


def a_day(family: Family) -> list[Change]:
    edits = [
        ("member", family.member, {"work_employer": "甲"}),
        ("member", family.member, {"work_employer": "乙", "marital": "20"}),
        ("household", family.household, {"address": "坡上"}),
        ("member", family.member, {"name": 7}),  # held: no name
        ("consent", family.edits[4][1], {"given": False}),
        ("household", family.household, {"address": None}),
        ("member", family.member, {"skills": [{"occupation": "01"}]}),
    ]
    return changes([*family.edits, *edits])


@given(received=deliveries())
@having(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_however_a_day_is_split_and_repeated_the_county_holds_the_same(
    app: Flask, engine: Engine, received: list[Delivery]
) -> None:
    phone, family = a_phone(app, engine), a_family()
    day = a_day(family)
    told: dict[int, Any] = {}
    for start, end in received:
        answer = phone.send(day[start:end])
        if answer.status_code == 409:
            assert answer.json["code"] == "sequence_gap"
            continue
        assert answer.status_code == 200, answer.text
        for entry in wire.unpack(answer.data)["outcomes"]:
            # I8: a repeat is answered like the first time.
            assert told.setdefault(entry["n"], entry) == entry
    # I7: what it came to does not depend on the split.
    assert [told[n]["outcome"] for n in sorted(told)] == [
        *["applied"] * 8,
        "held",
        *["applied"] * 3,
    ]
    member = record(engine, "member", family.member)
    assert (member["work_employer"], member["marital"]) == ("乙", "20")
    assert member["name"] == family.edits[1][2]["name"]
    assert member["skills"] == [{"occupation": "01"}]
    assert record(engine, "household", family.household)["address"] is None
    assert record(engine, "consent", family.edits[4][1])["given"] is False
    mine = [row for row in rows(engine, tables.change) if row["incarnation"] == phone.incarnation]
    assert [row["n"] for row in sorted(mine, key=lambda row: row["n"])] == list(range(1, DAY + 1))
    assert len([row for row in waiting(engine) if row["incarnation"] == phone.incarnation]) == 1


def test_two_copies_of_a_phone_may_race_with_the_same_work(
    app: Flask, engine: Engine, served: str
) -> None:
    """The same edits under two incarnations at the same moment: known by content, applied once."""
    for seed in range(6):
        phone, family = a_phone(app, engine), a_family()
        copies = [
            replace(phone, incarnation=ids.incarnation_id(seed * 2 + i)) for i in (1000, 2001)
        ]
        bodies = [body_of(copy, changes(family.edits)) for copy in copies]
        with ThreadPoolExecutor(2) as threads:
            answers = list(
                threads.map(lambda pair: post(served, *pair), zip(copies, bodies, strict=True))
            )
        assert [answer.status_code for answer in answers] == [200, 200]
        kept = rows(engine, tables.conflict)
        assert kept == []
        mine = rows(engine, tables.change, tables.change.c.record_id == family.member)
        assert sorted(str(row["resolution"]) for row in mine) == ["None", "again"]


def test_a_database_file_is_the_same_after_a_repeat_to_the_byte_of_its_rows(
    app: Flask, engine: Engine, tmp_path: Path
) -> None:
    phone, family = a_phone(app, engine), a_family()
    day = a_day(family)
    phone.push(day)
    before = state(engine)
    for start, end in itertools.product(range(0, DAY, 3), range(3, DAY + 1, 3)):
        if start < end:
            phone.push(day[start:end])
    assert state(engine) == before
