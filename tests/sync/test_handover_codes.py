"""Hand-over from screen to screen: codes in any order, once and with one effect; the receipt by codes as well."""

from __future__ import annotations

import itertools
import os
import random
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import segno
from PIL import Image

from mobile.storage.database import Store, open_store
from mobile.sync import codes, handover
from shared_schemas import qr_series
from tests.mobile.phones import a_submitted_household, a_visit

from .office import AUTHOR, CARRIER, Office, sync, unanswered

_numbers = itertools.count()


def pictures(folder: Path, texts: Sequence[str], *, on_one: int = 1) -> list[Path]:
    """Draw codes, `on_one` of them on each picture."""
    drawn = []
    for place in range(0, len(texts), on_one):
        sheet = Image.new("L", (500, 500 * on_one), 255)
        for row, text in enumerate(texts[place : place + on_one]):
            code = folder / "code.png"
            segno.make_qr(text, error="l").save(code, scale=5, border=4)
            with Image.open(code) as one:
                sheet.paste(one.convert("L"), (10, 10 + 500 * row))
        drawn.append(folder / f"photo-{next(_numbers)}.png")
        sheet.save(drawn[-1])
    return drawn


def shown(store: Store, folder: Path) -> list[Path]:
    bundle = codes.bundle_to_show(store)
    assert bundle is not None
    return pictures(folder, codes.texts_of(bundle.path))


def a_days_work(store: Store, households: int = 4) -> None:
    for serial in range(100, 100 + households * 10, 10):
        a_submitted_household(store, serial=serial)


def test_codes_in_any_order_bring_everything_in_once_and_the_receipt_comes_back(office: Office):
    author, carrier = office.phone(AUTHOR), office.phone(CARRIER)
    a_days_work(author)
    count = unanswered(author)
    photos = shown(author, office.folder)
    assert len(photos) > 2
    random.Random(5).shuffle(photos)
    first, *rest = photos
    reading = codes.read_picture(carrier, first)
    assert (len(reading.have), reading.came) == (1, None)
    assert reading.words().startswith("已读1张,还差第")
    carrier = reopened(carrier, office)
    for photo in [first, *rest[:-1]]:
        reading = codes.read_picture(carrier, photo)
        assert reading.came is None
    came = codes.read_picture(carrier, rest[-1]).came
    assert isinstance(came, handover.Carried)
    again = [codes.read_picture(carrier, photo).came for photo in photos][-1]
    assert isinstance(again, handover.Carried)
    assert again.sha256 == came.sha256
    assert sync(carrier).carried == 1
    assert office.outcomes() == {"applied": count}

    [done] = handover.carried(carrier)
    back = pictures(office.folder, codes.texts_of(done.receipt))
    receipts = [codes.read_picture(author, photo).came for photo in reversed(back)]
    assert isinstance(receipts[-1], handover.Receipt)
    assert receipts[-1].answered == count
    assert unanswered(author) == 0
    assert handover.last_bundle(author) is None
    assert list((author.path.parent / "handover" / "own").iterdir()) == []
    assert sync(author).sent == 0


def reopened(store: Store, office: Office) -> Store:
    """Return the phone as it is after its app was killed."""
    again = open_store(store.path, clock=store.clock)
    office.phones.append(again)
    return again


def test_several_codes_on_one_picture_and_of_two_phones_are_told_apart(office: Office):
    one, two, carrier = office.phone(AUTHOR), office.phone(AUTHOR), office.phone(CARRIER)
    a_days_work(one, 2)
    a_submitted_household(two, serial=900)
    texts = [codes.texts_of(codes.bundle_to_show(store).path) for store in (one, two)]
    mixed = [text for of_one in zip(*texts, strict=False) for text in of_one]
    rest = [text for of_one in texts for text in of_one if text not in mixed]
    for photo in pictures(office.folder, [*mixed, *rest], on_one=2):
        codes.read_picture(carrier, photo)
    for text in [texts[0][0], texts[1][0]]:  # whichever was whole last is read to its end
        with_own = [t for t in texts if text in t]
        for photo in pictures(office.folder, with_own[0]):
            codes.read_picture(carrier, photo)
    assert len(handover.carried(carrier)) == 2
    assert sync(carrier).carried == 2


def test_the_same_codes_are_shown_until_something_is_newer(office: Office):
    author = office.phone(AUTHOR)
    assert codes.bundle_to_show(author) is None
    a_submitted_household(author)
    first = codes.bundle_to_show(author)
    assert codes.bundle_to_show(author) == first
    a_submitted_household(author, serial=300)
    assert codes.bundle_to_show(author) != first


def test_of_too_much_for_codes_the_first_part_goes_and_the_rest_is_told(
    office: Office, monkeypatch: pytest.MonkeyPatch
):
    author, carrier = office.phone(AUTHOR), office.phone(CARRIER)
    a_days_work(author, 12)
    monkeypatch.setattr(codes, "MOST_CODES", 5)
    count = unanswered(author)
    bundle = codes.bundle_to_show(author)
    assert bundle is not None
    assert bundle.left > 0
    assert bundle.changes + bundle.left == count
    for photo in pictures(office.folder, codes.texts_of(bundle.path)):
        codes.read_picture(carrier, photo)
    sync(carrier)
    for photo in pictures(office.folder, codes.texts_of(handover.carried(carrier)[0].receipt)):
        codes.read_picture(author, photo)
    assert unanswered(author) == bundle.left
    assert sync(author).remaining == 0
    assert office.outcomes() == {"applied": count}
    assert handover.write_bundle(author) is None


def test_what_alone_is_too_large_for_codes_is_told_to_go_as_a_file(
    office: Office,
    monkeypatch: pytest.MonkeyPatch,
):
    author = office.phone(AUTHOR)
    a_submitted_household(author)
    monkeypatch.setattr(codes, "MOST_CODES", 1)
    with pytest.raises(codes.TooManyCodes) as met:
        codes.bundle_to_show(author)
    assert "写成交接文件" in met.value.words()
    assert handover.write_bundle(author) is not None


def test_codes_that_are_not_right_are_told_and_lose_nothing(office: Office):
    author, carrier = office.phone(AUTHOR), office.phone(CARRIER)
    a_days_work(author)
    texts = codes.texts_of(codes.bundle_to_show(author).path)

    def read(*said: str) -> codes.Reading:
        [photo] = pictures(office.folder, said, on_one=len(said))
        return codes.read_picture(carrier, photo)

    read(texts[0])
    for other, error in (
        ("https://example.com", codes.NoCodes),
        (texts[1].replace("CSQ1", "CSQ2"), handover.FromNewerApp),
    ):
        with pytest.raises(error):
            read(other)
    with pytest.raises(codes.NoCodes):
        codes.read_picture(carrier, office.folder / "missing.png")
    *photos, last = pictures(office.folder, texts)
    for photo in photos:
        codes.read_picture(author, photo)
    with pytest.raises(handover.OwnBundle):
        codes.read_picture(author, last)
    series, at, of = texts[1].split("/")[1:4]
    wrong = f"CSQ1/{series}/{at}/{of}/{qr_series.to_base45(b'else')}"
    for said in [wrong, *texts[2:-1]]:
        read(said)
    with pytest.raises(codes.DamagedCodes):
        read(texts[-1])
    for said in texts:
        reading = read(said)
    assert isinstance(reading.came, handover.Carried)


def test_half_read_series_are_forgotten_and_never_many(office: Office):
    carrier = office.phone(CARRIER)
    kept = carrier.path.parent / "handover" / "codes"

    def read(series: int) -> None:
        said = f"CSQ1/{series:016X}/1/2/{qr_series.to_base45(b'piece')}"
        [photo] = pictures(office.folder, [said])
        codes.read_picture(carrier, photo)

    for series in range(codes.MOST_SERIES + 3):
        read(series)
    assert len(list(kept.iterdir())) == codes.MOST_SERIES
    long_ago = time.time() - (codes.KEPT_DAYS + 1) * 86_400
    for path in kept.iterdir():
        os.utime(path, (long_ago, long_ago))
    read(99)
    assert len(list(kept.iterdir())) == 1


def test_codes_hold_only_what_is_sealed(office: Office):
    author = office.phone(AUTHOR)
    home = a_submitted_household(author)
    names = [form.values["name"] for form in a_visit(author, home).members]
    data = b"".join(
        qr_series.parse(text).data for text in codes.texts_of(codes.bundle_to_show(author).path)
    )
    assert names
    assert not [name for name in names if name.encode() in data]
