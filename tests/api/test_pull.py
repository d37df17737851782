"""Pull over HTTP: everything of the scope, in the order of visibility, cut wherever the link cuts."""

from __future__ import annotations

import json
import threading

import pytest
from builders import (
    OTHER_TOWNSHIP_VILLAGE,
    PASSWORD,
    a_family,
    a_household_id,
    a_phone,
    a_user,
    changes,
)
from sqlalchemy import delete, select, update

from server.services.apply_changes import Author, apply_changes
from server.services.review import Comment, return_bundle
from server.storage import tables
from server.storage.engine import reading, write_once, writing
from server.storage.meta import set_meta_value
from shared_schemas import wire


def test_a_phone_pulls_only_its_scope(app, engine):
    phone = a_phone(app, engine)
    near, far = a_family(), a_family(OTHER_TOWNSHIP_VILLAGE)
    phone.submit(near)
    phone.submit(far)
    found = a_phone(app, engine, scope="522326111").pull()
    assert {row_id for kind, row_id in found if kind == "household"} == {near.household}
    assert {row_id for kind, row_id in found if kind == "review"} == {near.household}


@pytest.mark.parametrize("limit", [1, 3, 7, 1000])
def test_pages_of_any_size_bring_the_same_rows(app, engine, limit):
    phone = a_phone(app, engine)
    for _ in range(4):
        phone.submit(a_family())
    whole = a_phone(app, engine).pull()
    assert len(whole) == 4 * 6
    assert a_phone(app, engine).pull(limit=limit) == whole


def test_a_household_comes_before_its_members(app, engine):
    phone, family = a_phone(app, engine), a_family()
    phone.submit(family)
    found = phone.pull()
    assert found["household", family.household]["seq"] < found["member", family.member]["seq"]


def test_a_pull_that_is_cut_goes_on_after_its_last_whole_line(app, engine):
    phone = a_phone(app, engine)
    for _ in range(30):
        phone.submit(a_family())
    whole = a_phone(app, engine)
    lines = whole.pull_lines()
    assert len(lines) == 4
    cut = a_phone(app, engine)
    cut.cursor = lines[1]["cursor"]
    rest = cut.pull_lines()
    assert [line["groups"] for line in rest] == [line["groups"] for line in lines[2:]]
    assert rest[-1]["cursor"] == lines[-1]["cursor"]


def test_a_pull_with_nothing_new_is_one_small_line_with_a_cursor(app, engine):
    phone = a_phone(app, engine, scope="522326111")
    a_phone(app, engine).submit(a_family(OTHER_TOWNSHIP_VILLAGE))
    phone.pull()
    answer = phone.client.get(f"/sync/v1/pull?cursor={phone.cursor}", headers=phone.headers)
    assert len(answer.data) < 200
    line = json.loads(answer.data)
    assert (line["groups"], line["more"], line["cursor"]) == ([], False, phone.cursor)


def test_the_cursor_passes_what_others_wrote(app, engine):
    phone, other = a_phone(app, engine, scope="522326111"), a_phone(app, engine)
    phone.pull()
    before = phone.cursor
    other.submit(a_family(OTHER_TOWNSHIP_VILLAGE))
    assert phone.pull() == {}
    assert phone.cursor != before


def test_a_record_comes_again_only_when_it_changed(app, engine):
    phone, family = a_phone(app, engine), a_family()
    base = phone.submit(family)[1]["seq"]
    reader = a_phone(app, engine)
    reader.pull()
    phone.edit("member", family.member, base=base, marital="20")
    assert {kind for kind, _ in reader.pull()} == {"member", "review"}
    assert reader.pull() == {}


def test_void_records_come_as_such(app, engine):
    phone, family = a_phone(app, engine), a_family()
    base = phone.submit(family)[1]["seq"]
    phone.edit("member", family.member, base=base, deleted=True)
    assert a_phone(app, engine).pull()["member", family.member]["deleted"] is True


def test_a_returned_household_comes_with_the_reviewers_words_and_is_mended(app, engine, clock):
    phone, family = a_phone(app, engine), a_family()
    phone.submit(family)
    seen = phone.pull()
    with writing(engine) as conn:
        reviewer = a_user(conn, role="county", password=PASSWORD)
        [row] = conn.execute(select(tables.review)).mappings()
        return_bundle(
            conn, "522326", family.household, row["bundle_seq"],
            [Comment("member", family.member, "name", "姓名与身份证不符")],
            user=reviewer, now_ms=clock.now_ms, new_id=a_household_id,
        )  # fmt: skip
    told = phone.pull()["review", family.household]
    assert told["state"] == "returned"
    assert [(c["field"], c["text"]) for c in told["comments"]] == [("name", "姓名与身份证不符")]
    phone.edit("member", family.member, base=seen["member", family.member]["seq"], name="岑大山")
    assert phone.pull()["review", family.household]["state"] == "in_review"


def test_a_roster_household_waits_to_be_confirmed_by_a_visit(app, engine, clock):
    phone, family = a_phone(app, engine), a_family()
    author = Author("522326", "import", phone.device.user_id, None, "522326", "import")
    with writing(engine) as conn:
        apply_changes(
            conn, changes(family.edits[:2]), author=author, sent_ms=clock.now_ms,
            received_ms=clock.now_ms, schema=1,
        )  # fmt: skip
    row = phone.pull()
    assert row["review", family.household]["state"] == "to_confirm"
    base = row["household", family.household]["seq"]
    phone.edit("household", family.household, base=base, survey_date="2026-11-20")
    assert phone.pull()["review", family.household]["state"] == "in_review"


def refused(phone):
    answer = phone.client.get(f"/sync/v1/pull?cursor={phone.cursor}", headers=phone.headers)
    return answer.status_code, answer.json["code"]


def test_a_cursor_of_another_epoch_is_refused_and_the_start_is_not(app, engine):
    phone = a_phone(app, engine)
    phone.submit(a_family())
    phone.pull()
    with writing(engine) as conn:
        set_meta_value(conn, "epoch", "another")
    assert refused(phone) == (409, "epoch_changed")
    phone.cursor = None
    assert len(phone.pull()) == 6


def test_a_cursor_of_a_lost_commit_is_refused(app, engine):
    phone = a_phone(app, engine)
    phone.submit(a_family())
    phone.pull()
    with writing(engine) as conn:  # as a file that somebody copied back would look
        conn.execute(delete(tables.feed_commit))
    assert refused(phone) == (409, "epoch_changed")


def test_a_cursor_with_another_tag_is_refused(app, engine):
    phone = a_phone(app, engine)
    phone.submit(a_family())
    phone.pull()
    with writing(engine) as conn:
        conn.execute(update(tables.feed_commit).values(tag="ffffffff"))
    assert refused(phone) == (409, "epoch_changed")


def test_a_phone_whose_scope_changed_starts_over(app, engine):
    phone = a_phone(app, engine)
    phone.submit(a_family())
    phone.pull()
    with writing(engine) as conn:
        conn.execute(update(tables.device).values(scope="522326111"))
    assert refused(phone) == (409, "epoch_changed")


@pytest.mark.parametrize("cursor", ["x", "a.b.c.d", "a.b.-1.d", "a.b.²." + "d", "." * 3])
def test_a_cursor_that_is_none_is_a_bad_query(app, engine, cursor):
    phone = a_phone(app, engine)
    answer = phone.client.get(
        "/sync/v1/pull", query_string={"cursor": cursor}, headers=phone.headers
    )
    assert (answer.status_code, answer.json["code"]) == (422, "bad_query")


def test_a_pull_comes_plain_or_packed(app, engine):
    phone = a_phone(app, engine)
    phone.submit(a_family())
    plain = phone.client.get("/sync/v1/pull", headers=phone.headers)
    assert plain.mimetype == "application/x-ndjson"
    [line] = [json.loads(line) for line in plain.data.splitlines()]
    assert line == phone.pull_lines()[0]
    answer = phone.client.get("/sync/v1/pull", headers={**phone.headers, "Accept": "image/png"})
    assert (answer.status_code, answer.json["code"]) == (406, "not_acceptable")


@pytest.mark.slow
def test_a_reader_never_passes_a_row_that_is_still_to_come(app, engine, clock):
    """Four writers and a reader that polls: the order of numbers is the order of visibility."""
    writers = [a_phone(app, engine) for _ in range(4)]
    sent = [[a_family() for _ in range(12)] for _ in writers]

    def write(phone, families):
        for i, family in enumerate(families):
            author = Author("522326", phone.incarnation, phone.device.user_id, None, "522326",
                            "device")  # fmt: skip
            batch = changes(family.edits, first=i * 5 + 1)
            write_once(
                engine,
                lambda conn, batch=batch, author=author: apply_changes(
                    conn, batch, author=author, sent_ms=clock.now_ms, received_ms=clock.now_ms,
                    schema=1,
                ),
            )  # fmt: skip

    reader = a_phone(app, engine)
    threads = [
        threading.Thread(target=write, args=pair) for pair in zip(writers, sent, strict=True)
    ]
    for thread in threads:
        thread.start()
    found = {}
    while any(thread.is_alive() for thread in threads):
        found |= reader.pull(limit=20)
    found |= reader.pull(limit=20)
    wanted = {family.member for families in sent for family in families}
    assert {row_id for kind, row_id in found if kind == "member"} == wanted
    assert len(found) == 4 * 12 * 6


def test_rows_survive_the_wire_with_their_types(app, engine):
    phone, family = a_phone(app, engine), a_family(skills=[{"occupation": "01", "level": "0"}])
    phone.submit(family)
    [line] = phone.pull_lines()
    rows = {
        (group["kind"], row[0]): row for group in line["groups"] for row in wire.ungroup_rows(group)
    }
    member = rows["member", family.member][2]
    assert member["lives_here"] is True
    assert member["skills"] == [{"occupation": "01", "level": "0"}]
    with reading(engine) as conn:
        assert conn.execute(select(tables.county_counter.c.seq)).scalar_one() == 6
