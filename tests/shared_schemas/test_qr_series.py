"""A sealed file as a series of QR codes: any bytes, any order; what is not ours is told."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_schemas import qr_series
from shared_schemas.qr_series import (
    MOST_CODES,
    PIECE_BYTES,
    DamagedError,
    NotACodeError,
    TooLargeError,
    TooNewError,
)

SERIES = "0123456789ABCDEF"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"AB", "BB8"),
        (b"Hello!!", "%69 VD92EX0"),
        (b"base-45", "UJCLQE7W581"),
        (b"ietf!", "QED8WEX0"),
    ],
)
def test_base45_is_that_of_the_rfc(data: bytes, text: str) -> None:
    assert qr_series.to_base45(data) == text
    assert qr_series.from_base45(text) == data


@pytest.mark.parametrize("text", ["GGW", ":::", "A", "AB1C", "ab8", "一"])
def test_what_is_no_base45_is_refused(text: str) -> None:
    with pytest.raises(NotACodeError):
        qr_series.from_base45(text)


@given(st.binary(max_size=MOST_CODES * PIECE_BYTES), st.randoms(use_true_random=False))
def test_pieces_in_any_order_make_the_file_and_a_lost_one_does_not(data, random) -> None:
    texts = qr_series.split(data)
    random.shuffle(texts)
    pieces = [qr_series.parse(text) for text in [*texts, texts[0]]]
    [(series, of)] = {(piece.series, piece.of) for piece in pieces}
    found = {piece.at: piece.data for piece in pieces}
    assert set(found) == set(range(1, of + 1))
    assert qr_series.join(series, found) == data
    if of > 1:
        del found[random.randint(1, of)]
        with pytest.raises(DamagedError):
            qr_series.join(series, found)


@given(st.text())
def test_any_other_text_is_no_piece(text: str) -> None:
    with pytest.raises(NotACodeError):
        qr_series.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        f"CSQ1/{SERIES}/0/1/BB8",
        f"CSQ1/{SERIES}/2/1/BB8",
        f"CSQ1/{SERIES}/1/999/BB8",
        f"CSQ1/{SERIES}/1/1000000000/BB8",
        f"CSQ1/{SERIES.lower()}/1/1/BB8",
        f"CSQ1/{SERIES}/1/1/" + "BB8" * (PIECE_BYTES // 2 + 1),
    ],
)
def test_a_series_that_nobody_would_write_is_refused(text: str) -> None:
    with pytest.raises(NotACodeError):
        qr_series.parse(text)


def test_a_later_version_is_told_apart() -> None:
    with pytest.raises(TooNewError):
        qr_series.parse(f"CSQ2/{SERIES}/1/1/BB8")


def test_a_large_file_does_not_go_as_codes() -> None:
    with pytest.raises(TooLargeError):
        qr_series.split(bytes(MOST_CODES * PIECE_BYTES + 1))


def test_the_example_of_the_protocol_is_right() -> None:
    protocol = Path(__file__).parents[2] / "docs" / "protocol.md"
    assert f"    {qr_series.split(b'chushan')[0]}\n" in protocol.read_text()
