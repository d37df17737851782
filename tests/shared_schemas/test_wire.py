"""Messages on the wire: whole or refused, never half understood."""

from __future__ import annotations

import contextlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_schemas import wire
from shared_schemas.changes import Change, content_hash

values = st.dictionaries(
    st.sampled_from(["name", "phone", "skills", "work_wage", "lives_here"]),
    st.one_of(st.none(), st.text(max_size=8), st.integers(-9, 9), st.booleans(), st.just([])),
    max_size=4,
)
changes = st.lists(
    st.builds(
        Change,
        n=st.integers(1, 10**6),
        kind=st.sampled_from(["member", "household"]),
        record_id=st.just("0" * 17),
        base=st.integers(0, 99),
        at_ms=st.integers(0, 10**13),
        values=values,
    ),
    max_size=20,
    unique_by=lambda change: change.n,
)


@given(changes)
def test_changes_come_back_from_their_packed_form_in_order(batch):
    packed = wire.pack({"changes": wire.group_changes(batch)})
    again = wire.ungroup_changes(wire.unpack(packed)["changes"])
    assert again == sorted(batch, key=lambda change: change.n)
    assert [content_hash(c) for c in again] == [
        content_hash(c) for c in sorted(batch, key=lambda change: change.n)
    ]


@given(changes, st.data())
def test_a_message_cut_anywhere_is_refused(batch, data):
    packed = wire.pack({"changes": wire.group_changes(batch)})
    cut = data.draw(st.integers(0, len(packed) - 1))
    with pytest.raises(wire.NotAMessageError):
        wire.unpack(packed[:cut])


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(data):
    with contextlib.suppress(wire.NotAMessageError):
        wire.unpack(data)


def test_a_small_bomb_does_not_fill_the_memory():
    packer = zlib.compressobj(9, zlib.DEFLATED, 15, 9, zlib.Z_DEFAULT_STRATEGY, wire.dictionary())
    bomb = packer.compress(b"[" + b"0," * 20_000_000 + b"0]") + packer.flush()
    assert len(bomb) < 100_000
    with pytest.raises(wire.NotAMessageError):
        wire.unpack(bomb)


@pytest.mark.parametrize("plain", [b"NaN", b'{"a": Infinity}', b"\xff\xfe", b"[" * 100_000])
def test_what_is_not_strict_json_is_refused(plain):
    with pytest.raises(wire.NotAMessageError):
        wire.parse_json(plain)


@given(
    st.lists(
        st.tuples(st.just("0" * 17), st.integers(1, 99), values.map(
            lambda v: {k: x for k, x in v.items() if x is not None})),
        max_size=9,
    )
)  # fmt: skip
def test_pulled_rows_come_back_without_their_nulls(rows):
    assert wire.ungroup_rows(wire.group_rows("member", rows)) == rows


def test_equal_content_has_equal_hash_whatever_the_order_of_fields():
    one = Change(1, "member", "0" * 17, 0, 5, {"name": "韦小梅", "phone": None})
    two = Change(1, "member", "0" * 17, 0, 5, {"phone": None, "name": "韦小梅"})
    other = Change(1, "member", "0" * 17, 0, 5, {"phone": None, "name": "韦晓梅"})
    assert content_hash(one) == content_hash(two) != content_hash(other)
