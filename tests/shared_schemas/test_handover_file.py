"""Hand-over files: what is sealed comes out, and nothing else does."""

from __future__ import annotations

import hashlib
import secrets

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobile.device.desktop import seal, unseal
from shared_schemas.handover import (
    DOWN,
    MAGIC,
    UP,
    Header,
    NotAHandoverError,
    TooNewError,
    file_key,
    open_file,
    read_header,
    seal_file,
)

KEY = hashlib.sha256(b"a token").hexdigest()
HEAD = 45
CHUNKS = [b"first", b"", "第三".encode() * 40]


def a_file(chunks=CHUNKS, direction=UP, token_hash=KEY, salt=b"s" * 16):
    header = Header(direction, "9dev1ce000000", 20_777, salt, len(chunks))
    return seal_file(header, token_hash, chunks, seal)


def opened(data, direction=UP, token_hash=KEY):
    header = read_header(data)
    assert header.direction == direction
    return open_file(data, header, token_hash, unseal)


@given(
    st.lists(st.binary(max_size=300), min_size=1, max_size=6), st.binary(min_size=16, max_size=16)
)
@settings(max_examples=60)
def test_what_was_sealed_comes_out(chunks, salt):
    got = opened(a_file(chunks, salt=salt))
    assert (list(got.chunks), got.is_whole) == (chunks, True)


@given(st.data())
@settings(max_examples=200)
def test_any_changed_byte_is_noticed_and_the_chunks_before_it_are_good(data):
    whole = a_file()
    at = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[at]))
    try:
        got = opened(whole[:at] + bytes([other]) + whole[at + 1 :])
    except NotAHandoverError:
        assert at < HEAD
        return
    assert not got.is_whole
    assert list(got.chunks) == CHUNKS[: len(got.chunks)]
    ends = [HEAD + 4 + len(CHUNKS[0]) + 16]
    ends.append(ends[0] + 4 + len(CHUNKS[1]) + 16)
    assert len(got.chunks) == (0 if at < HEAD else sum(at >= end for end in ends))


@pytest.mark.parametrize("length", range(len(a_file())))
def test_any_cut_is_noticed_and_the_chunks_before_it_are_good(length):
    data = a_file()[:length]
    try:
        got = opened(data)
    except NotAHandoverError:
        assert length < HEAD
        return
    assert not got.is_whole
    assert list(got.chunks) == CHUNKS[: len(got.chunks)]


def test_chunks_cannot_be_dropped_swapped_or_taken_from_another_file():
    sealed = [a_file([one]) for one in CHUNKS]
    assert len({len(one) for one in sealed}) == 3
    head = a_file()[:HEAD]
    pieces, at = [], HEAD
    for plain in CHUNKS:
        pieces.append(a_file()[at : at + 4 + len(plain) + 16])
        at += len(pieces[-1])
    assert list(opened(head + b"".join([pieces[1], pieces[0], pieces[2]])).chunks) == []
    dropped = opened(head + pieces[0] + pieces[2])
    assert (list(dropped.chunks), dropped.is_whole) == (CHUNKS[:1], False)
    foreign = a_file(salt=b"t" * 16)[HEAD:]
    assert list(opened(head + foreign).chunks) == []


def test_another_key_or_direction_opens_nothing():
    turned = bytearray(a_file())
    turned[9] = ord(DOWN)
    assert list(opened(bytes(turned), DOWN).chunks) == []
    assert list(opened(a_file(), token_hash=hashlib.sha256(b"another").hexdigest()).chunks) == []
    turned[9] = ord("x")
    with pytest.raises(NotAHandoverError):
        read_header(bytes(turned))
    up = Header(UP, "9dev1ce000000", 1, b"s" * 16, 1)
    down = Header(DOWN, "9dev1ce000000", 1, b"s" * 16, 1)
    assert file_key(up, KEY) != file_key(down, KEY)


def test_the_key_is_that_of_rfc_5869():
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    header = Header(UP, "9dev1ce000000", 1, secrets.token_bytes(16), 1)
    known = HKDF(SHA256(), 32, header.salt, b"chushan hand-over 1 up").derive(bytes.fromhex(KEY))
    assert file_key(header, KEY) == known


def test_a_file_of_a_later_version_is_told_from_one_that_is_none():
    later = MAGIC + b"\x02" + a_file()[9:]
    with pytest.raises(TooNewError):
        read_header(later)
    for data in (b"", b"PK\x03\x04" + b"x" * 200, MAGIC):
        with pytest.raises(NotAHandoverError) as met:
            read_header(data)
        assert not isinstance(met.value, TooNewError)


def test_the_clear_part_tells_nothing_but_the_phone_and_the_day():
    data = a_file(["韦正明 522399198503121234".encode()])
    assert "韦".encode() not in data
    assert len(data) == HEAD + 4 + len("韦正明 522399198503121234".encode()) + 16
    assert (
        data[:HEAD]
        == MAGIC + b"\x01u9dev1ce000000" + (20_777).to_bytes(4, "big") + b"s" * 16 + b"\0\1"
    )


def test_a_clock_that_is_centuries_off_still_makes_a_file():
    header = Header(UP, "9dev1ce000000", -(10**12), b"s" * 16, 1)
    assert read_header(seal_file(header, KEY, [b"x"], seal)).made_on == -(2**31)
