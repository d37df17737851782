"""QR codes by the phone's reader (ZXing in Java through pyjnius, here on a PC's JVM) and by a PC's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import segno
from PIL import Image

from mobile.device import qr
from mobile.sync.client import NoQrFound
from mobile.sync.enrol import Enrolment, parse_enrolment, read_qr
from server.services.enrol import enrolment_text

TEXT = enrolment_text("https://chushan.county.example:8443/x", "AB12-CD34")


def a_picture(path: Path, *, turned: int = 0) -> Path:
    """A code as somebody photographs it off a screen: not in the middle, on grey, perhaps turned."""
    code = path.with_name("code.png")
    segno.make(TEXT, error="m").save(code, scale=6, border=4)
    with Image.open(code) as drawn:
        sheet = Image.new("L", (900, 1200), 168)
        sheet.paste(drawn.convert("L").rotate(turned, expand=True, fillcolor=255), (140, 320))
    sheet.save(path)
    return path


def read_by_java(path: Path) -> list[str]:
    pytest.importorskip("jnius", reason="pyjnius is not installed")
    if "CLASSPATH" not in os.environ:
        pytest.skip("ZXing is not here: apt-get install libzxing-core-java")
    with Image.open(path) as picture:
        return qr.texts_by_java(picture.tobytes(), picture.width, picture.height)


@pytest.mark.parametrize("turned", [0, 7, 90, 180])
def test_phone_and_pc_read_the_county_s_code_alike(tmp_path: Path, turned: int) -> None:
    picture = a_picture(tmp_path / "photo.png", turned=turned)
    assert qr.texts_by_cpp(picture) == [TEXT]
    assert read_by_java(picture) == [TEXT]


def test_a_picture_without_a_code_has_no_texts(tmp_path: Path) -> None:
    Image.new("L", (640, 480), 200).save(tmp_path / "wall.png")
    assert qr.texts_by_cpp(tmp_path / "wall.png") == []
    assert read_by_java(tmp_path / "wall.png") == []


def test_the_code_of_the_picture_is_the_enrolment(tmp_path: Path) -> None:
    read = read_qr(a_picture(tmp_path / "photo.jpg"))
    assert parse_enrolment(read) == Enrolment("https://chushan.county.example:8443/x", "AB12-CD34")


def test_what_is_no_picture_is_answered_in_words(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(NoQrFound) as raised:
        read_qr(tmp_path / "a.png")
    assert "二维码" in raised.value.words()


def test_the_phone_reads_a_large_unsharp_code_by_fewer_of_its_points(tmp_path: Path) -> None:
    """Of these photos its reader alone finds no code in some, and all by every second point."""
    from benchmarks.handover_codes import photo_of, shown

    screen, _ = shown(TEXT)
    for seed in range(12):
        photo = photo_of(screen, (1500, 2000), seed)
        photo.save(tmp_path / "photo.png")
        assert read_by_java(tmp_path / "photo.png") == [TEXT], seed
