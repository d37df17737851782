"""The index that a phone carries: what is looked up, and how pages and changes are written."""

from __future__ import annotations

import random

import pytest

from shared_schemas.phone_index import (
    changed,
    fingerprint,
    keys_of,
    pack_changes,
    pack_page,
    page_of,
    unpack_changes,
    unpack_page,
)

KEY = bytes(16)
PERSON = {"id_no": "522399199303121129", "name": "韦 小花", "birth_date": "1993-03-12"}


def test_what_was_typed_with_spaces_or_the_old_form_is_looked_up_as_the_same():
    assert keys_of({**PERSON, "name": "韦小花"}) == keys_of(PERSON)
    assert keys_of({"id_no": "522399930312112"})["id"] == keys_of(PERSON)["id"]


def test_a_number_that_breaks_its_checksum_and_a_year_alone_name_nobody():
    assert keys_of({**PERSON, "id_no": "522399199303121128", "birth_date": "1993"}) == {}
    assert keys_of({}) == {}


def test_a_fingerprint_depends_on_the_key_and_tells_the_two_ways_apart():
    texts = keys_of(PERSON)
    marks = {fingerprint(key, text) for key in (KEY, b"1" * 16) for text in texts.values()}
    assert len(marks) == 4
    assert all(0 <= mark < 1 << 32 for mark in marks)


def test_a_page_comes_back_as_it_was_packed():
    seed = random.randrange(1 << 30)
    rng = random.Random(seed)
    entries = [(7 << 24 | rng.getrandbits(24), rng.randint(1, 255)) for _ in range(2000)]
    assert unpack_page(7, pack_page(entries)) == sorted(entries), seed
    assert {page_of(mark) for mark, _ in entries} == {7}
    assert unpack_page(3, pack_page([])) == []


@pytest.mark.parametrize("data", [b"", b"nothing", pack_page([(1, 1)])[:-3]])
def test_a_damaged_page_is_refused(data):
    with pytest.raises(ValueError, match="damaged"):
        unpack_page(0, data)


def test_of_two_registrations_with_one_entry_one_stays_when_the_other_leaves():
    entry = (9, 2)
    two = changed([], [(*entry, True), (*entry, True)])
    assert changed(two, [(*entry, False), (8, 1, False)]) == [entry]


def test_changes_come_back_as_they_were_packed():
    changes = [(0xFFFFFFFF, 255, True), (0, 1, False)]
    assert unpack_changes(pack_changes(changes)) == changes
    with pytest.raises(ValueError, match="damaged"):
        unpack_changes(pack_changes(changes)[:-1])
