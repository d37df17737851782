"""Hand-over without internet: real phones, a real server over HTTP, both databases."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import threading
from pathlib import Path

import pytest
from builders import a_user
from click.testing import CliRunner
from sqlalchemy import select, update

from mobile.storage import outbox
from mobile.storage.database import Store, get, open_store
from mobile.storage.records import bundle
from mobile.sync import handover
from mobile.sync.attempt import sync_once
from mobile.sync.enrol import enrol, parse_enrolment
from server.cli import main
from server.observe import registry
from server.services.backup import make_backup, restore_backup
from server.storage import tables
from server.storage.engine import reading, writing
from shared_schemas.handover import MAX_BYTES
from tests.mobile.phones import (
    COUNTY,
    BadLink,
    a_submitted_household,
    a_visit,
)

from .office import AUTHOR, CARRIER, sync, unanswered


def written(store: Store) -> str:
    """Write a file and pass it on; return the path of the copy."""
    bundle = handover.write_bundle(store)
    assert bundle is not None
    passed_on = store.path.parent / "passed-on" / Path(bundle.path).name
    passed_on.parent.mkdir(exist_ok=True)
    return str(shutil.copyfile(bundle.path, passed_on))


def brought(carrier: Store, path: str) -> handover.Carried:
    """Let a phone carry a file in; return what became of it."""
    given = handover.take(carrier, path)
    sync(carrier)
    return next(one for one in handover.carried(carrier) if one.sha256 == given.sha256)


def edit_phone(store: Store, household: str, number: str) -> None:
    visit = a_visit(store, household)
    visit.household.answer("phone", number)
    assert visit.submit().submitted


def test_what_a_phone_without_internet_captured_goes_in_and_the_receipt_comes_back(office):
    author, carrier = office.phone(AUTHOR), office.phone(CARRIER)
    household = a_submitted_household(author)
    bundle = handover.write_bundle(author)
    assert bundle is not None
    assert (bundle.changes, bundle.left, unanswered(author)) == (8, 0, 8)
    assert "韦正明".encode() not in Path(bundle.path).read_bytes()
    assert not outbox.is_waiting(author.connection, household)  # it can no longer be recalled

    counted = ("chushan_changes_total", {"outcome": "applied"})
    before = registry.get_sample_value(*counted) or 0
    handover.take(carrier, bundle.path)
    result = sync(carrier)
    assert result.carried == 1
    assert "替别人带交了1份交接文件" in result.message
    assert registry.get_sample_value(*counted) == before + 8
    assert office.outcomes() == {"applied": 8}
    assert office.authors() == {(office.people[AUTHOR].id, get(author.connection, "device_id"))}
    assert office.pieces() == 0

    [done] = handover.carried(carrier)
    assert (done.state, done.changes, done.code) == ("taken", 8, None)
    receipt = handover.take(author, done.receipt)
    assert (receipt.answered, receipt.held, receipt.fault) == (8, 0, None)
    assert receipt.words() == "县里已收到8条。"
    assert unanswered(author) == 0
    assert handover.take(author, done.receipt).answered == 0

    first = sync(author)  # his first sync of all finds everything settled
    assert (first.sent, first.remaining, first.is_repaired, first.unconfirmed) == (0, 0, False, 0)
    assert office.outcomes() == {"applied": 8}


def test_without_a_receipt_the_next_own_sync_settles_everything(office):
    author, carrier = office.phone(AUTHOR), office.phone(CARRIER)
    a_submitted_household(author)
    brought(carrier, written(author))
    result = sync(author)
    assert (result.sent, result.remaining) == (8, 0)
    assert office.outcomes() == {"applied": 8}


def test_two_phones_that_carry_the_same_file_at_once_have_one_effect(office):
    author = office.phone(AUTHOR)
    carriers = [office.phone(CARRIER), office.phone(CARRIER)]
    for i in range(4):
        a_submitted_household(author, serial=100 + 10 * i)
    path = written(author)
    for carrier in carriers:
        handover.take(carrier, path)
    together, results = threading.Barrier(2), []

    def carry(carrier: Store) -> None:
        together.wait()
        results.append(sync_once(carrier, timeout_s=20))

    threads = [threading.Thread(target=carry, args=(carrier,)) for carrier in carriers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.error for result in results] == [None, None]
    assert office.outcomes() == {"applied": 32}
    for carrier in carriers:
        [done] = handover.carried(carrier)
        assert (done.state, done.changes) == ("taken", 32)
        assert done.receipt is not None
    assert handover.take(author, handover.carried(carriers[0])[0].receipt).answered == 32
    assert handover.take(author, handover.carried(carriers[1])[0].receipt).answered == 0


def test_a_file_that_comes_after_the_authors_own_sync_changes_nothing(office):
    author, carrier = office.phone(AUTHOR), office.phone(CARRIER)
    a_submitted_household(author)
    path = written(author)
    sync(author)
    done = brought(carrier, path)
    assert (done.state, done.changes) == ("taken", 8)
    assert office.outcomes() == {"applied": 8}
    before = list(author.connection.execute("SELECT * FROM outbox"))
    assert handover.take(author, done.receipt).answered == 0
    assert [tuple(row) for row in author.connection.execute("SELECT * FROM outbox")] == [
        tuple(row) for row in before
    ]
    assert sync(author).is_repaired is False


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (1,)], ids=["in order", "late", "second only"])
def test_edits_between_two_files_arrive_in_any_order_of_the_files(office, order):
    author, carrier = office.phone(AUTHOR), office.phone(CARRIER)
    household = a_submitted_household(author)
    first = written(author)
    visit = a_visit(author, household)
    visit.household.answer("phone", "13800138001")
    visit.household.answer("group_no", "三组")
    assert visit.submit().submitted
    second = handover.write_bundle(author)
    assert second is not None
    assert second.changes == unanswered(author) > 8
    files = [first, second.path]
    for i in order:
        brought(carrier, files[i])
    assert set(office.outcomes()) == {"applied"}
    assert sum(office.outcomes().values()) == second.changes
    last = handover.carried(carrier)[0]
    later = next(one for one in handover.carried(carrier) if one.changes == second.changes)
    assert handover.take(author, last.receipt).answered in (8, second.changes)
    handover.take(author, later.receipt)
    assert unanswered(author) == 0
    sync(author)
    with reading(office.engine) as conn:
        table = tables.record_tables()["household"]
        assert conn.execute(select(table.c.phone)).scalar_one() == "13800138001"


def test_a_server_restored_from_a_backup_asks_through_the_receipt_for_what_it_forgot(office):
    author, carrier = office.phone(AUTHOR), office.phone(CARRIER)
    a_submitted_household(author, serial=100)
    sync(author)
    make_backup(office.engine, office.folder / "backup.zip", now_ms=0)
    a_submitted_household(author, serial=120)
    sync(author)  # the backup does not have these
    a_submitted_household(author, serial=140)
    path = written(author)
    restore_backup(office.engine, office.folder / "backup.zip", replace=True)

    done = brought(carrier, path)
    assert (done.state, done.changes, done.code) == ("taken", 0, "sequence_gap")
    receipt = handover.take(author, done.receipt)
    assert (receipt.answered, receipt.fault) == (0, "sequence_gap")
    assert "请再写一份" in receipt.words()
    again = handover.write_bundle(author)
    assert again is not None
    assert again.changes == 16  # what was forgotten, and what is new
    done = brought(carrier, again.path)
    assert (done.changes, done.code) == (16, None)
    assert sum(office.outcomes().values()) == 24
    assert handover.take(author, done.receipt).answered == 16
    result = sync(author)
    assert (result.remaining, result.is_unequal) == (0, False)
    assert sum(office.outcomes().values()) == 24
    assert set(office.outcomes()) <= {"applied", "merged"}


def test_an_answer_of_a_restored_server_does_not_hide_what_the_cadre_edited_last(office):
    author, carrier = office.phone(AUTHOR), office.phone(CARRIER)
    household = a_submitted_household(author)
    sync(author)
    make_backup(office.engine, office.folder / "backup.zip", now_ms=0)
    for i in range(6):  # the row on the phone gets a seq that the restored server has not reached
        edit_phone(author, household, f"1380013801{i}")
        sync(author)
    edit_phone(author, household, "13900139009")
    path = written(author)
    restore_backup(office.engine, office.folder / "backup.zip", replace=True)
    handover.take(author, brought(carrier, path).receipt)
    assert bundle(author, household).household["phone"] == "13900139009"
    handover.take(author, brought(carrier, written(author)).receipt)
    assert unanswered(author) == 0
    assert bundle(author, household).household["phone"] == "13900139009"
    sync(author)
    assert bundle(author, household).household["phone"] == "13900139009"


def test_a_receipt_for_what_the_phone_sent_before_it_was_put_back_answers_nothing(office):
    author, carrier = office.phone(AUTHOR), office.phone(CARRIER)
    backup = open_store(office.folder / "old.db")
    author.connection.backup(backup.connection)
    a_submitted_household(author, serial=100)
    done = brought(carrier, written(author))
    backup.connection.backup(author.connection)
    backup.close()
    a_submitted_household(author, serial=200)  # other changes under the same numbers
    written(author)
    assert handover.take(author, done.receipt).answered == 0
    assert unanswered(author) == 8
    assert sync(author).sent == 8
    assert office.outcomes() == {"applied": 16}


def test_a_server_restored_after_the_file_was_taken_gets_it_again_from_the_author(office):
    author, carrier = office.phone(AUTHOR), office.phone(CARRIER)
    make_backup(office.engine, office.folder / "backup.zip", now_ms=0)
    a_submitted_household(author)
    done = brought(carrier, written(author))
    assert handover.take(author, done.receipt).answered == 8
    restore_backup(office.engine, office.folder / "backup.zip", replace=True)
    assert office.outcomes() == {}
    assert sync(author).sent == 8
    assert office.outcomes() == {"applied": 8}


def test_what_a_revoked_phone_wrote_is_taken_and_held(office):
    author, carrier = office.phone(AUTHOR), office.phone(CARRIER)
    a_submitted_household(author)
    path = written(author)
    with writing(office.engine) as conn:
        conn.execute(
            update(tables.device)
            .where(tables.device.c.id == get(author.connection, "device_id"))
            .values(state="revoked")
        )
    done = brought(carrier, path)
    assert (done.state, done.changes) == ("taken", 8)
    assert office.outcomes() == {"held": 8}
    receipt = handover.take(author, done.receipt)
    assert (receipt.answered, receipt.held) == (8, 8)
    assert "8条县里已收到,待处理" in receipt.words()


def test_a_phone_enrolled_again_has_its_earlier_file_taken_and_reads_the_receipt(office):
    author, carrier = office.phone(AUTHOR), office.phone(CARRIER)
    a_submitted_household(author)
    path = written(author)
    enrol(author, parse_enrolment(office.enrolment(AUTHOR)), timeout_s=10)
    done = brought(carrier, path)
    assert (done.state, done.changes, done.code) == ("taken", 8, None)
    assert office.outcomes() == {"applied": 8}
    assert handover.take(author, done.receipt).answered == 8
    assert sync(author).remaining == 0


def test_a_copy_of_the_phone_that_spoke_first_is_told_through_the_receipt(office):
    author, carrier = office.phone(AUTHOR), office.phone(CARRIER)
    copied = office.folder / "copy" / "chushan.db"
    copied.parent.mkdir()
    with author.writing():
        copied.write_bytes(author.path.read_bytes())
        wal = Path(f"{author.path}-wal")
        Path(f"{copied}-wal").write_bytes(wal.read_bytes())
    copy = open_store(copied, clock=author.clock)
    office.phones.append(copy)
    a_submitted_household(copy, serial=200)
    sync(copy)
    a_submitted_household(author, serial=300)
    done = brought(carrier, written(author))
    assert (done.changes, done.code) == (0, "forked")
    assert handover.take(author, done.receipt).fault == "forked"
    done = brought(carrier, written(author))
    assert (done.changes, done.code) == (8, None)
    assert handover.take(author, done.receipt).answered == 8
    assert office.outcomes() == {"applied": 16}


def test_the_time_on_the_way_is_not_taken_for_a_wrong_clock(office, clock):
    author, carrier = office.phone(AUTHOR), office.phone(CARRIER)
    captured_ms = clock.now_ms
    a_submitted_household(author)
    path = written(author)
    clock.pass_days(5)
    brought(carrier, path)
    with reading(office.engine) as conn:
        effective = list(conn.execute(select(tables.change.c.eff_ms)).scalars())
        skews = list(conn.execute(select(tables.device.c.clock_skew_s)).scalars())
    assert max(effective) < captured_ms + 60_000
    assert {skew or 0 for skew in skews} == {0}


def test_an_upload_that_is_cut_at_any_piece_goes_on_and_is_taken_once(office):
    author = office.phone(AUTHOR)
    for i in range(5):
        a_submitted_household(author, serial=100 + 10 * i)
    path = written(author)
    size = Path(path).stat().st_size
    link = BadLink(office.port)
    try:
        carrier = office.phone(CARRIER, link.url)
        for up in range(300, size + 2400, 450):
            for down in (0, 150, 1 << 60):
                link.cuts += [(up, down)]
        handover.take(carrier, path)
        attempts = 0
        while handover.carried(carrier)[0].state == "waiting":
            sync_once(carrier, timeout_s=10)
            attempts += 1
            assert attempts < 60
        assert handover.carried(carrier)[0].state == "taken"
    finally:
        link.close()
    assert office.outcomes() == {"applied": 40}
    assert office.pieces() == 0
    assert handover.take(author, handover.carried(carrier)[0].receipt).answered == 40


def test_the_last_piece_that_comes_eight_times_at_once_takes_the_file_once(office):
    author, carrier = office.phone(AUTHOR), office.phone(CARRIER)
    a_submitted_household(author)
    data = Path(written(author)).read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    headers = {"Authorization": f"Bearer {get(carrier.connection, 'token')}"}
    together, answers = threading.Barrier(8), []

    def put() -> None:
        client = office.app.test_client()
        together.wait()
        answer = client.put(
            f"/sync/v1/handover/{digest}?offset=0&size={len(data)}",
            data=data,
            headers=headers,
            content_type="application/vnd.chushan.handover",
        )
        answers.append((answer.status_code, answer.json["taken"], answer.json["changes"]))

    threads = [threading.Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [(200, True, 8)] * 8
    assert office.outcomes() == {"applied": 8}
    assert office.pieces() == 0


def test_a_lost_phone_brings_in_what_it_carries_before_it_is_turned_away(office):
    author, carrier = office.phone(AUTHOR), office.phone(CARRIER)
    sync(carrier)
    a_submitted_household(author)
    handover.take(carrier, written(author))
    with writing(office.engine) as conn:
        conn.execute(
            update(tables.device)
            .where(tables.device.c.id == get(carrier.connection, "device_id"))
            .values(state="lost")
        )
    sync_once(carrier, timeout_s=10)
    assert handover.carried(carrier)[0].state == "taken"
    assert office.outcomes() == {"applied": 8}


def test_a_file_is_brought_in_over_several_starts_of_the_app(office):
    author = office.phone(AUTHOR)
    for i in range(5):
        a_submitted_household(author, serial=100 + 10 * i)
    path = written(author)
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    carrier = office.phone(CARRIER)
    handover.take(carrier, path)
    token = get(carrier.connection, "token")
    begun = office.app.test_client().put(
        f"/sync/v1/handover/{digest}?offset=0&size={Path(path).stat().st_size}",
        data=Path(path).read_bytes()[:700],
        headers={"Authorization": f"Bearer {token}"},
        content_type="application/vnd.chushan.handover",
    )
    assert begun.json == {"have": 700, "taken": False}
    Path(path).unlink()  # the stick is gone
    carrier.close()
    reopened = open_store(carrier.path, clock=carrier.clock)
    office.phones.append(reopened)
    assert sync(reopened).carried == 1
    assert handover.carried(reopened)[0].changes == 40


def test_of_a_damaged_file_the_good_part_is_taken_and_the_rest_comes_later(office):
    author, carrier = office.phone(AUTHOR), office.phone(CARRIER)
    for i in range(15):
        a_submitted_household(author, serial=100 + 10 * i)
    path = written(author)
    data = Path(path).read_bytes()
    cut = office.folder / "cut.hand"
    cut.write_bytes(data[:-10])
    done = brought(carrier, str(cut))
    assert (done.state, done.changes, done.code) == ("taken", 100, "handover_damaged")
    receipt = handover.take(author, done.receipt)
    assert (receipt.answered, unanswered(author)) == (100, 20)
    assert "请再写一份交接文件" in receipt.words()
    done = brought(carrier, path)
    assert (done.changes, done.code) == (120, None)
    assert handover.take(author, done.receipt).answered == 20
    assert office.outcomes() == {"applied": 120}


def test_a_file_damaged_from_its_start_is_refused_in_words_and_kept_nowhere(office):
    author, carrier = office.phone(AUTHOR), office.phone(CARRIER)
    a_submitted_household(author)
    data = bytearray(Path(written(author)).read_bytes())
    data[60] ^= 1
    bad = office.folder / "bad.hand"
    bad.write_bytes(data)
    done = brought(carrier, str(bad))
    assert (done.state, done.code) == ("refused", "handover_damaged")
    assert not list((carrier.path.parent / "handover" / "carried").iterdir())
    assert (office.outcomes(), office.pieces(), unanswered(author)) == ({}, 0, 8)
    with reading(office.engine) as conn:
        assert conn.execute(select(tables.handover.c.sha256)).all() == []


def test_a_file_for_another_countys_server_is_refused_in_words(office):
    author, carrier = office.phone(AUTHOR), office.phone(CARRIER)
    a_submitted_household(author)
    path = written(author)
    data = Path(path).read_bytes()
    elsewhere = office.folder / "elsewhere.hand"
    elsewhere.write_bytes(data.replace(get(author.connection, "device_id").encode(), b"9" * 13))
    done = brought(carrier, str(elsewhere))
    assert (done.state, done.code) == ("refused", "handover_unknown_phone")
    with writing(office.engine) as conn:  # a phone of a neighbouring county on the same server
        conn.execute(
            update(tables.device)
            .where(tables.device.c.id == get(carrier.connection, "device_id"))
            .values(county="522325", scope="522325102")
        )
    other = handover.take(carrier, path)
    sync_once(carrier, timeout_s=10)
    done = next(one for one in handover.carried(carrier) if one.sha256 == other.sha256)
    assert (done.state, done.code) == ("refused", "handover_out_of_scope")
    assert office.outcomes() == {}


def test_a_full_disk_loses_nothing_and_says_so(office, monkeypatch):
    author = office.phone(AUTHOR)
    a_submitted_household(author)
    first = handover.write_bundle(author)
    assert first is not None

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(handover.NoRoom) as met:
            handover.write_bundle(author)
    assert "记录没有丢" in met.value.words()
    assert [str(path) for path in Path(first.path).parent.iterdir()] == [first.path]
    assert unanswered(author) == 8
    assert handover.last_bundle(author) == first
    assert sync(author).sent == 8


def test_a_file_is_rewritten_with_the_same_changes_under_the_same_numbers(office):
    author, carrier = office.phone(AUTHOR), office.phone(CARRIER)
    a_submitted_household(author)
    first, second = written(author), written(author)
    assert Path(second).read_bytes() != Path(first).read_bytes()  # another key each time
    brought(carrier, first)
    assert brought(carrier, second).changes == 8
    assert office.outcomes() == {"applied": 8}


def test_nothing_to_hand_over_makes_no_file(office):
    author = office.phone(AUTHOR)
    assert handover.write_bundle(author) is None
    a_submitted_household(author)
    sync(author)
    assert handover.write_bundle(author) is None


def test_files_that_are_no_bundle_or_receipt_are_told_apart_in_words(office):
    author, carrier = office.phone(AUTHOR), office.phone(CARRIER)
    a_submitted_household(author)
    path = written(author)
    done = brought(carrier, path)
    picture = office.folder / "picture.jpg"
    picture.write_bytes(b"\xff\xd8\xff" + b"x" * 200)
    huge = office.folder / "huge.hand"
    with huge.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    later = office.folder / "later.hand"
    later.write_bytes(b"chushan\n\x02" + b"x" * 90)
    for given, error in (
        (picture, handover.NotAHandover),
        (done.receipt, handover.ForAnotherPhone),
        (huge, handover.TooLarge),
        (later, handover.FromNewerApp),
        (office.folder / "gone", handover.Unreadable),
    ):
        with pytest.raises(error) as met:
            handover.take(carrier, given)
        assert met.value.words()
        assert met.value.words("en")
    with pytest.raises(handover.OwnBundle):
        handover.take(author, path)
    damaged = office.folder / "receipt.hand"
    damaged.write_bytes(Path(done.receipt).read_bytes()[:-1])
    with pytest.raises(handover.DamagedReceipt):
        handover.take(author, damaged)
    assert unanswered(author) == 8


def test_the_county_settles_a_held_change_and_a_newer_receipt_says_so(office):
    from server.services.held import close_held_change

    author, carrier = office.phone(AUTHOR), office.phone(CARRIER)
    a_submitted_household(author)
    path = written(author)
    with writing(office.engine) as conn:
        conn.execute(update(tables.device).values(scope="522326112"))
    done = brought(carrier, path)
    assert office.outcomes() == {"held": 8}
    old = office.folder / "old-receipt.hand"
    old.write_bytes(Path(done.receipt).read_bytes())
    assert handover.take(author, old).held == 8
    with writing(office.engine) as conn:
        reviewer = a_user(conn, role="county", scope=COUNTY)
        incarnation = get(author.connection, "incarnation")
        for n in range(1, 9):
            close_held_change(
                conn,
                COUNTY,
                incarnation,
                n,
                "另一户已登记",
                user=reviewer,
                now_ms=1,
                new_id=office.app.extensions["chushan"].new_id,
            )
    sha = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    token = get(carrier.connection, "token")
    fresh = office.app.test_client().get(
        f"/sync/v1/handover/{sha}/receipt", headers={"Authorization": f"Bearer {token}"}
    )
    new = office.folder / "new-receipt.hand"
    new.write_bytes(fresh.data)
    for path_ in (new, old):  # older words do not come over newer ones
        handover.take(author, path_)
        rows = author.connection.execute("SELECT resolution, note FROM outbox").fetchall()
        assert {tuple(row) for row in rows} == {("dismissed", "另一户已登记")}


def test_the_servers_own_command_takes_files_from_a_stick(office, database_url, monkeypatch):
    author = office.phone(AUTHOR)
    a_submitted_household(author)
    path = written(author)
    photo = office.folder / "photo.hand"
    photo.write_bytes(b"no bundle at all, only some bytes")
    monkeypatch.setenv("CHUSHAN_DATABASE_URL", database_url)
    monkeypatch.setenv("CHUSHAN_DATA_DIR", str(office.folder))
    receipts = office.folder / "receipts"
    ran = CliRunner().invoke(main, ["handover", path, "--receipts", str(receipts)])
    assert ran.exit_code == 0, ran.output
    assert "收下 8 条,其中新的 8 条" in ran.output
    [receipt] = receipts.iterdir()
    assert handover.take(author, receipt).answered == 8
    ran = CliRunner().invoke(main, ["handover", str(photo), path])
    assert ran.exit_code == 1
    assert "这不是出山的交接文件" in ran.output
    assert "收下 8 条,其中新的 0 条" in ran.output


def test_pieces_are_bounded_and_left_ones_are_purged(office, clock):
    carrier = office.phone(CARRIER)
    headers = {"Authorization": f"Bearer {get(carrier.connection, 'token')}"}
    client = office.app.test_client()

    def put(digest: str, offset: int, data: bytes, size: int = 1000):
        return client.put(
            f"/sync/v1/handover/{digest}?offset={offset}&size={size}",
            data=data,
            headers=headers,
            content_type="application/vnd.chushan.handover",
        )

    one, two = "a" * 64, "b" * 64
    assert put(one, 0, b"x" * 300).json["have"] == 300
    assert put(one, 0, b"x" * 300).json["have"] == 300  # came twice
    assert put(one, 700, b"x" * 300).json["have"] == 300  # not the next
    assert put(one, 300, b"x" * 900).json["have"] == 300  # more than it should have
    assert put(one, 0, b"x", MAX_BYTES + 1).json["code"] == "too_large"
    assert put(two, 0, b"y" * 10).json["have"] == 10  # one file at a time
    assert office.pieces() == 1
    other = office.phone(CARRIER)
    headers = {"Authorization": f"Bearer {get(other.connection, 'token')}"}
    clock.pass_days(8)
    put(one, 0, b"x" * 300)
    assert office.pieces() == 1
    wrong = put(one, 300, b"x" * 700)
    assert (wrong.status_code, wrong.json["code"]) == (400, "malformed")
    assert office.pieces() == 0
    assert client.get("/sync/v1/handover/nonsense", headers=headers).status_code == 404
    assert client.get(f"/sync/v1/handover/{one}/receipt", headers=headers).status_code == 404
