"""Where there is no internet, by real touches: a file is written, carried, and its receipt read."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mobile.device import desktop
from mobile.storage import outbox
from mobile.storage.database import Store, get, open_store, put
from mobile.storage.outbox import NewChange
from mobile.sync import handover as files
from shared_schemas import wire
from shared_schemas.changes import content_hash
from shared_schemas.handover import DOWN, Header, seal_file
from tests.screens.driver import Driver
from tests.screens.layout import layout_faults

pytestmark = pytest.mark.window


@pytest.fixture(autouse=True)
def shared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Note what would be shared, in place of opening a file manager; the user's folder is the test's."""
    noted: list[str] = []
    monkeypatch.setattr(desktop, "share", lambda path, _: noted.append(str(path)) or True)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return noted


def captured(store: Store, count: int) -> None:
    """Submit edits of a household of the seed."""
    [household] = store.connection.execute("SELECT id FROM household LIMIT 1").fetchone()
    edits = [
        NewChange("household", household, {"phone": f"1380013{n:04}"}, "", 1, n)
        for n in range(count)
    ]
    with store.writing() as connection:
        outbox.add(connection, household, edits)


def to_sync(driver: Driver) -> None:
    driver.tap_text("同步")
    driver.until(lambda: driver.sees("没有同步完"), timeout=60)


def choose(driver: Driver, name: str) -> None:
    """Touch a file in the sheet of folders."""
    entry = driver.until(
        lambda: next((w for w in driver.widgets() if getattr(w, "text", "") == name), None)
    )
    driver._press(entry)
    driver.settle(0.3)


def a_receipt(driver: Driver, folder: Path, outcome: str = "applied") -> Path:
    """Return the receipt that the county would make for all that the phone has written."""
    connection = driver.app.store.connection
    with driver.app.store.writing():
        batch = outbox.next_batch(connection, 1000)
    assert batch is not None
    part: dict[str, Any] = {
        "incarnation": batch.incarnation,
        "epoch": batch.epoch,
        "at_ms": 1,
        "acked": batch.changes[-1].n,
        "fault": None,
        "outcomes": [
            {"n": c.n, "outcome": outcome, "seq": 900 + c.n, "hash": content_hash(c)}
            for c in batch.changes
        ],
    }
    header = Header(DOWN, get(connection, "device_id"), 1, secrets.token_bytes(16), 1)
    token_hash = files._token_hash(get(connection, "token"))
    path = folder / "receipt.hand"
    path.write_bytes(seal_file(header, token_hash, [wire.pack(part)], desktop.seal))
    return path


def test_a_cadre_without_a_signal_writes_a_file_and_reads_the_receipt(
    phone: Callable[..., Driver], shared: list[str], tmp_path: Path
):
    driver = phone()
    captured(driver.app.store, 8)
    to_sync(driver)
    assert driver.sees("没有网?")
    assert driver.sees("有8条县里还没有回音")
    driver.tap_text("写成交接文件")
    driver.until(lambda: driver.sees("写好了"))
    assert driver.sees("写过一份,有8条")
    [path] = shared
    assert Path(path).exists()
    assert layout_faults(driver) == []

    captured(driver.app.store, 8)
    driver.back()
    to_sync(driver)
    assert driver.sees("另有8条不在里面")

    a_receipt(driver, tmp_path / "home")
    driver.tap_text("读入文件或回执")
    choose(driver, "receipt.hand")
    driver.until(lambda: driver.sees("县里已收到16条"))
    assert not driver.sees("县里还没有回音")
    driver.tap_text("写成交接文件")
    driver.until(lambda: driver.sees("没有要交的"))


def test_somebodys_file_is_kept_for_the_next_sync_and_another_file_is_told_apart(
    phone: Callable[..., Driver], tmp_path: Path
):
    other = open_store(tmp_path / "other" / "chushan.db")
    with other.writing() as connection:
        put(connection, "token", "a token")
        put(connection, "device_id", "0ther00000000")
    with other.writing() as connection:
        outbox.add(
            connection,
            "9fdtgj8yepfzx",
            [NewChange("household", "9fdtgj8yepfzx", {"phone": "15400000001"}, "", 0, 1)],
        )
    bundle = files.write_bundle(other)
    other.close()
    assert bundle is not None
    home = tmp_path / "home"
    (home / "from-the-ridge.hand").write_bytes(Path(bundle.path).read_bytes())
    (home / "photo.hand").write_bytes(b"a photograph that was renamed" * 9)
    driver = phone(font_scale=1.5)
    to_sync(driver)
    driver.tap_text("读入文件或回执")
    assert layout_faults(driver) == []
    choose(driver, "from-the-ridge.hand")
    driver.until(lambda: driver.sees("下次同步时带交"))
    assert driver.sees("from-the-ridge.hand")
    driver.tap_text("读入文件或回执")
    choose(driver, "photo.hand")
    driver.until(lambda: driver.sees("这不是交接文件,也不是回执"))
    assert len(files.carried(driver.app.store)) == 1
    assert layout_faults(driver) == []


def photographed(driver: Driver, home: Path, name: str) -> list[str]:
    """Take a picture of each code that a phone shows; return their names."""
    assert driver.screen == "codes"
    count = driver.app.manager.current_screen.of
    names = [f"{name}{at}.png" for at in range(1, count + 1)]
    for at, picture in enumerate(names, start=1):
        assert driver.sees(f"第{at}张 / 共{count}张")
        driver.shot(home / picture)
        driver.tap_text("下一张" if at < count else "都拍好了")
    assert driver.screen == "sync"
    return names


def read(driver: Driver, picture: str) -> None:
    """Read the picture of a code; the button says “go on” while codes are missing."""
    driver.tap(driver.find(kind="BigButton", where=lambda w: w.words in SCANS))
    choose(driver, picture)
    driver.until(lambda: not driver.find(kind="HandoverPart").is_working)
    driver.settle()


SCANS = ("拍对方的码", "接着拍下一张")


@pytest.mark.parametrize("look", ["day", "dark"])
def test_codes_go_from_screen_to_screen_and_the_receipt_comes_back_by_codes(
    phone: Callable[..., Driver], tmp_path: Path, look: str
):
    home = tmp_path / "home"
    author = phone(look=look)
    captured(author.app.store, 120)
    to_sync(author)
    author.tap_text("亮码给对方拍")
    author.until(lambda: author.screen == "codes")
    photos = photographed(author, home, "up")
    assert len(photos) > 2
    receipt = a_receipt(author, tmp_path).read_bytes()
    author.stop()

    carrier = phone()
    with carrier.app.store.writing() as connection:
        put(connection, "device_id", "0ther00000000")
    to_sync(carrier)
    first, *rest = reversed(photos)
    missing = "、".join(str(at) for at in range(1, len(photos)))
    for _ in range(2):
        read(carrier, first)
        assert carrier.sees(f"已读1张,还差第{missing}张")
    carrier.stop()
    carrier.start()
    to_sync(carrier)
    for photo in rest:
        assert not files.carried(carrier.app.store)
        read(carrier, photo)
    assert carrier.sees("下次同步时带交")
    [given] = files.carried(carrier.app.store)
    path = tmp_path / "receipt.hand"
    path.write_bytes(receipt)
    taken = dataclasses.replace(given, state="taken", changes=120, receipt=str(path))
    files._remember(carrier.app.store, taken)
    carrier.back()
    to_sync(carrier)
    carrier.tap_text("亮码交还")
    carrier.until(lambda: carrier.screen == "codes")
    photos = photographed(carrier, home, "down")
    carrier.stop()

    author.start()
    to_sync(author)
    for photo in photos:
        read(author, photo)
    assert author.sees("县里已收到120条")
    assert outbox.count_unanswered(author.app.store.connection) == 0


def test_a_receipt_is_passed_on_by_touch(
    phone: Callable[..., Driver], shared: list[str], tmp_path: Path
):
    driver = phone()
    receipt = tmp_path / "chushan-receipt-abc123.hand"
    receipt.write_bytes(b"sealed")
    taken = files.Carried("0" * 64, "a.hand", 9, 1, "taken", 8, None, str(receipt))
    refused = files.Carried("1" * 64, "b.hand", 9, 2, "refused", 0, "handover_unknown_phone")
    part = files.Carried("2" * 64, "c.hand", 9, 3, "taken", 100, "handover_damaged", str(receipt))
    for one in (taken, refused, part):
        files._remember(driver.app.store, one)
    to_sync(driver)
    assert driver.sees("县里收下8条,请把回执交还给他")
    assert driver.sees("县里只收下100条")
    assert driver.sees("写这份交接文件的手机不是这里登记的")
    driver.tap_text("交还回执")
    assert shared == [str(receipt)]
    assert driver.sees("请他在自己手机上读入")
    assert layout_faults(driver) == []
