"""The sealed key, its count of wrong PINs, and a phone that the county revokes (a real server)."""

import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from phones import County, a_submitted_household, a_visit, sync

from mobile.storage import records
from mobile.storage.database import Store, get, open_store
from mobile.storage.key import (
    MOST_WRONG,
    WAITS_S,
    DeviceForgot,
    KeyFile,
    Sealed,
    TooSoon,
    WrongAnswer,
    WrongPin,
    is_trivial,
)
from mobile.storage.wipe import wipe_settled
from mobile.sync.attempt import sync_once
from mobile.sync.client import Refused
from mobile.sync.enrol import enrol, parse_enrolment
from server.storage.devices import set_device_state
from server.storage.engine import writing
from shared_schemas import unlock

PIN, OTHER = "274916", "839105"
DEVICE, TOKEN = "9dev1ce000000", "token"


class Phone:
    """A key file under a clock that the test sets; `restart` is what killing the app comes to."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "key.json"
        self.now_s = 1000.0
        self.restart()

    def restart(self) -> None:
        self.keys = KeyFile(self.path, clock_s=lambda: self.now_s)

    def wrong(self) -> WrongPin:
        with pytest.raises(WrongPin) as met:
            self.keys.try_pin(OTHER)
        return met.value


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Phone:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    return Phone(tmp_path / "phone")


def test_key_stands_nowhere_as_it_is(phone: Phone, tmp_path: Path) -> None:
    key = phone.keys.make()
    assert phone.keys.open_bare() == key
    phone.keys.set_pin(key, PIN)
    phone.keys.offer_county(key, DEVICE, TOKEN)
    for file in tmp_path.rglob("*"):
        if file.is_file():
            held = file.read_bytes()
            assert key not in held
            assert key.hex().encode() not in held
            assert PIN.encode() not in held
    phone.restart()
    assert phone.keys.try_pin(PIN) == key


def test_new_pin_ends_the_old_one_and_copies_of_its_file(phone: Phone) -> None:
    key = phone.keys.make()
    phone.keys.set_pin(key, PIN)
    old = phone.path.read_bytes()
    phone.keys.set_pin(key, OTHER)
    with pytest.raises(WrongPin):
        phone.keys.try_pin(PIN)
    phone.path.write_bytes(old)  # somebody kept the file of before
    phone.restart()
    with pytest.raises(DeviceForgot):
        phone.keys.try_pin(PIN)


def test_wait_grows_and_neither_killing_nor_a_clock_shortens_it(phone: Phone) -> None:
    key = phone.keys.make()
    phone.keys.set_pin(key, PIN)
    phone.keys.offer_county(key, DEVICE, TOKEN)
    for number in range(1, MOST_WRONG):
        met = phone.wrong()
        assert met.left == MOST_WRONG - number
        assert met.wait_s == WAITS_S[min(number, len(WAITS_S) - 1)]
        if met.wait_s:
            phone.now_s += met.wait_s - 1
            with pytest.raises(TooSoon):
                phone.keys.try_pin(PIN)
            phone.restart()
            with pytest.raises(TooSoon):
                phone.keys.try_pin(PIN)
            assert phone.keys.wait_s() == met.wait_s
        phone.now_s += met.wait_s
    assert phone.keys.try_pin(PIN) == key
    assert phone.keys.state.failed == 0


def test_try_counts_even_when_the_app_is_killed_in_it(
    phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = phone.keys.make()
    phone.keys.set_pin(key, PIN)

    class KilledError(BaseException):
        pass

    def killed(*_: object) -> None:
        raise KilledError

    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(KeyFile, "_unwrapped", killed)
            with pytest.raises(KilledError):
                phone.keys.try_pin(OTHER)
        phone.restart()
    assert phone.keys.state.failed == 2


def test_ten_wrong_pins_seal_and_only_the_county_opens(phone: Phone) -> None:
    key = phone.keys.make()
    phone.keys.set_pin(key, PIN)
    phone.keys.offer_county(key, DEVICE, TOKEN)
    before = phone.path.read_bytes()
    for _ in range(MOST_WRONG - 1):
        phone.now_s += phone.wrong().wait_s
    with pytest.raises(Sealed):
        phone.keys.try_pin(OTHER)
    with pytest.raises(Sealed):
        phone.keys.try_pin(PIN)
    # The file of before is of no use: the device has forgotten its half.
    phone.path.with_name("old.json").write_bytes(before)
    with pytest.raises(DeviceForgot):
        KeyFile(phone.path.with_name("old.json"), clock_s=lambda: 10**9).try_pin(PIN)
    state = phone.keys.state
    assert (state.sealed, state.is_to_wipe) == ("wrong_pin", True)
    with pytest.raises(WrongAnswer):
        phone.keys.try_county("0" * unlock.ANSWER_DIGITS)
    token_hash = hashlib.sha256(TOKEN.encode()).hexdigest()
    challenge = phone.keys.challenge()
    assert challenge
    serial = unlock.serial_of(challenge, DEVICE)
    assert serial is not None
    assert phone.keys.try_county(unlock.answer(token_hash, DEVICE, serial)) == key


def test_phone_that_no_county_could_open_is_never_sealed(phone: Phone) -> None:
    key = phone.keys.make()
    phone.keys.set_pin(key, PIN)
    for _ in range(MOST_WRONG + 5):
        met = phone.wrong()
        assert met.left is None
        phone.now_s += met.wait_s
    assert met.wait_s == WAITS_S[-1]
    assert phone.keys.try_pin(PIN) == key


@pytest.mark.parametrize(
    "pin",
    ["000000", "123456", "987654", "456789", "121212", "123123", "110110", "123321", "520131"],
)
def test_first_guesses_are_no_pins(pin: str) -> None:
    assert is_trivial(pin)


def test_nearly_every_other_number_is_a_pin() -> None:
    assert sum(is_trivial(f"{number:06d}") for number in range(0, 10**6, 7)) < 10**6 / 7 / 100


def test_key_file_that_is_cut_by_a_kill_is_the_old_or_the_new_one(phone: Phone) -> None:
    key = phone.keys.make()
    phone.keys.set_pin(key, PIN)
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    whole = phone.path.read_bytes()
    phone.path.with_name("key.json.new").write_bytes(
        whole[: random.Random(seed).randrange(len(whole))]
    )
    phone.restart()
    assert phone.keys.try_pin(PIN) == key
    assert json.loads(phone.path.read_text())["failed"] == 0


# --- a phone that the county revokes ---


@pytest.fixture
def enrolled(county: County, tmp_path: Path, phone: Phone) -> Callable[[], tuple[Store, bytes]]:
    def made() -> tuple[Store, bytes]:
        key = phone.keys.make()
        store = open_store(tmp_path / "phone" / "chushan.db", key=key)
        enrol(store, parse_enrolment(county.enrolment()), timeout_s=10)
        return store, key

    return made


def test_revoked_phone_sends_what_it_has_and_keeps_only_what_it_could_not(
    county: County, enrolled: Callable[[], tuple[Store, bytes]], phone: Phone
) -> None:
    store, key = enrolled()
    settled = a_submitted_household(store, "韦", 100)
    assert sync(store).error is None
    waiting = a_submitted_household(store, "岑", 200)
    draft = a_visit(store)
    draft.household.answer("address", "还没交的")
    device_id = get(store.connection, "device_id")
    with writing(county.engine) as conn:
        set_device_state(conn, "522326", device_id, "revoked")
    result = sync_once(store, timeout_s=10)
    assert isinstance(result.error, Refused)
    assert result.error.code == "device_revoked"
    assert result.held == 8  # the household that waited is with the county, for a person to look at
    wipe_settled(store)
    phone.keys.offer_county(key, device_id, get(store.connection, "token"))
    assert phone.keys.seal("revoked")
    left = {row.id for row in records.households(store)}
    assert settled not in left
    assert draft.household_id in left
    assert waiting in left  # held: the county has not taken it in yet
    assert store.connection.execute("SELECT count(*) FROM county_index").fetchone()[0] == 0
    store.close()
    # Taken into use again: the county's rows come back, and the draft is handed in.
    with writing(county.engine) as conn:
        set_device_state(conn, "522326", device_id, "active")
    again = open_store(store.path, key=key)
    assert sync(again).error is None
    assert settled in {row.id for row in records.households(again)}
    assert a_visit(again, draft.household_id).household.values["address"] == "还没交的"
    again.close()


def test_wiped_pages_are_gone_from_the_file(county: County, tmp_path: Path, phone: Phone) -> None:
    # Plain, so that the file can be looked into.
    store = county.phone(tmp_path / "plain" / "p.db")
    a_submitted_household(store, "韦", 100)
    assert sync(store).error is None
    with writing(county.engine) as conn:
        from server.storage.meta import BACKED_UP, set_meta_value

        set_meta_value(conn, BACKED_UP, str(county.server.now_ms() + 10**8))
    assert sync(store).error is None
    wipe_settled(store)
    store.close()
    held = b"".join(file.read_bytes() for file in (tmp_path / "plain").iterdir())
    for word in ("韦正明", "岑秀兰", "韦小军"):
        assert word.encode() not in held
