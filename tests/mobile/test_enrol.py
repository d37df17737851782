"""Reading an enrolment code, and enrolling at a real server."""

from pathlib import Path

import pytest
import segno
from phones import County, sync

from mobile.storage.database import get, open_store, put
from mobile.sync.attempt import last_result, sync_once
from mobile.sync.client import BadEnrolment, NoQrFound, NoSignal, NotEnrolled, Refused
from mobile.sync.enrol import (
    Enrolment,
    enrol,
    is_enrolled,
    parse_enrolment,
    read_qr,
    typed_enrolment,
)

TEXT = "chushan:enrol?server=https%3A%2F%2Fcounty.example%3A8443%2Fx&code=AB12-CD34"


def test_qr_text_tells_server_and_code() -> None:
    assert parse_enrolment(f"  {TEXT}\n") == Enrolment("https://county.example:8443/x", "AB12-CD34")


@pytest.mark.parametrize(
    ("server", "code", "expected"),
    [
        ("county.example", "ab12cd34", Enrolment("https://county.example", "AB12-CD34")),
        ("127.0.0.1:8020/", "oil1-2345", Enrolment("http://127.0.0.1:8020", "0111-2345")),
        (" http://a.example ", "AB 12 CD 34", Enrolment("http://a.example", "AB12-CD34")),
    ],
)
def test_typed_slips_are_mended(server: str, code: str, expected: Enrolment) -> None:
    assert typed_enrolment(server, code) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://county.example/enrol?code=AB12-CD34",
        "chushan:enrol?code=AB12-CD34",
        "chushan:enrol?server=https%3A%2F%2Fa.example&code=AB12",
        "chushan:enrol?server=https%3A%2F%2Fa.example&code=AB12-CD3U",
        "chushan:enrol?server=ftp%3A%2F%2Fa.example&code=AB12-CD34",
        "chushan:enrol?server=https%3A%2F%2Fa.example%3Aport&code=AB12-CD34",
    ],
)
def test_anything_else_is_no_enrolment_and_says_what_to_do(text: str) -> None:
    with pytest.raises(BadEnrolment) as raised:
        parse_enrolment(text)
    assert "登记码" in raised.value.words()
    assert "code" in raised.value.words("en")


def test_qr_code_is_read_from_a_picture(tmp_path: Path) -> None:
    picture = tmp_path / "code.png"
    segno.make(TEXT, micro=False).save(str(picture), scale=6)
    assert read_qr(picture) == TEXT


def test_picture_without_a_code_says_so(tmp_path: Path) -> None:
    from PIL import Image

    picture = tmp_path / "empty.png"
    Image.new("L", (200, 200), 255).save(picture)
    with pytest.raises(NoQrFound):
        read_qr(picture)
    with pytest.raises(NoQrFound):
        read_qr(tmp_path / "missing.png")


def test_phone_that_is_not_enrolled_says_so(tmp_path: Path) -> None:
    store = open_store(tmp_path / "p.db")
    result = sync_once(store)
    assert isinstance(result.error, NotEnrolled)
    assert not is_enrolled(store)
    store.close()


def test_enrolled_phone_learns_its_cadre_and_villages(county: County, tmp_path: Path) -> None:
    store = county.phone(tmp_path / "p.db")
    assert is_enrolled(store)
    sync(store)
    assert store.cadre() == "测试村干"
    assert store.scope() == "522326001"
    assert store.connection.execute("SELECT count(*) FROM division").fetchone()[0] > 5
    kept = last_result(store)
    assert kept is not None
    assert kept.error is None
    with store.writing() as connection:
        put(connection, "server", "http://127.0.0.1:9")
    sync_once(store, timeout_s=2)
    failed = last_result(store)
    assert failed is not None
    assert isinstance(failed.error, NoSignal)
    assert failed.words()
    store.close()


def test_code_is_good_once(county: County, tmp_path: Path) -> None:
    text = county.enrolment()
    first, second = open_store(tmp_path / "a.db"), open_store(tmp_path / "b.db")
    enrol(first, parse_enrolment(text))
    with pytest.raises(Refused) as raised:
        enrol(second, parse_enrolment(text))
    assert raised.value.code == "enrolment_expired"
    assert "新的登记码" in raised.value.words()
    assert not is_enrolled(second)
    assert get(first.connection, "token")
    first.close()
    second.close()
