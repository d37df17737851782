"""The database's key, and the three ways to it: the cadre's PIN, this device, the county.

The key is 32 random bytes and stands nowhere as it is. `key.json` beside the database holds it
sealed: under the PIN (scrypt) and within that under a key of the device's keystore, so that the
PIN's million possibilities can only be tried on this phone and as slowly as it allows; and under the
county's next answer (`shared_schemas.unlock`), which opens it where the PIN is forgotten.

To seal the phone is to destroy the first way: from then on only the county opens it. Nothing is
lost by that, and what is on the server already is deleted before anybody sees it again.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from types import ModuleType

from mobile.device import device
from mobile.storage.cipher import KEY_BYTES
from shared_schemas import unlock

PIN_DIGITS = 6
MOST_WRONG = 10
"""So many wrong PINs in a row, and the phone is sealed."""

WAITS_S = (0, 0, 0, 30, 60, 120, 300, 600, 900)
"""How long to wait after so many wrong PINs in a row; the last also after all further ones."""

SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**14, 8, 1
"""16 MiB and about a tenth of a second on a PC, a second on a cheap phone."""

_NONCE_BYTES = 12


class NotOpened(Exception):  # noqa: N818 - what it is for the cadre
    """The key was not opened; the narrower ones say why."""


class WrongPin(NotOpened):
    """The PIN was wrong."""

    def __init__(self, left: int | None, wait_s: int) -> None:
        super().__init__(left, wait_s)
        self.left = left
        """Tries until the phone is sealed; None where it is never, since no county could open it."""
        self.wait_s = wait_s


class TooSoon(NotOpened):
    """The wait after a wrong PIN is not over."""


class Sealed(NotOpened):
    """Only the county opens this phone now."""


class DeviceForgot(NotOpened):
    """The device's keystore no longer has its part: the county can help."""


class WrongAnswer(NotOpened):
    """The digits are not the county's answer to this challenge."""


@dataclass(frozen=True, slots=True)
class Wrap:
    """The key sealed under what a person knows, with the parameters by which it was stretched."""

    salt: str
    sealed: str
    n: int = SCRYPT_N
    r: int = SCRYPT_R
    p: int = SCRYPT_P


@dataclass(frozen=True, slots=True)
class County:
    """The county's way in: whose answer, and to which challenge."""

    wrap: Wrap
    device_id: str
    serial: int


@dataclass(frozen=True, slots=True)
class State:
    """What `key.json` holds."""

    name: str
    """Under which the device's keystore has its part."""
    bare: str | None = None
    """The key under the keystore alone: from the first start until a PIN is chosen."""
    pin: Wrap | None = None
    county: County | None = None
    failed: int = 0
    """Wrong PINs in a row."""
    sealed: str = ""
    """Why only the county opens it: "wrong_pin", "revoked", or "" while the PIN does."""
    is_to_wipe: bool = False
    """What is on the server is deleted when it is opened next."""


def is_trivial(pin: str) -> bool:
    """Tell whether a PIN is among the first that anybody would try."""
    steps = {(int(b) - int(a)) % 10 for a, b in pairwise(pin)}
    is_run = len(steps) == 1 and steps <= {0, 1, 9}
    is_repeated = any(pin == pin[:size] * (len(pin) // size) for size in (1, 2, 3))
    is_mirrored_run = pin[:3] == pin[5:2:-1] and len({*pin}) <= 3
    return is_run or is_repeated or is_mirrored_run or len({*pin}) <= 2 or pin in _COMMON


_COMMON = frozenset({"520131", "131420", "147258", "159357", "112233", "332211", "123654"})


def since_boot_s() -> float:
    """Return a clock that nobody can set; on a phone it counts sleep too."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class KeyFile:
    """The sealed key of one database, and the count of wrong PINs.

    The wait after wrong PINs begins anew when the app starts again: so neither ending the app nor
    setting the clock shortens it, and nothing but the count has to be kept.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock_s: Callable[[], float] = since_boot_s,
        port: ModuleType | None = None,
    ) -> None:
        self.path = path
        self._clock_s = clock_s
        self._port = port or device()
        self._began_s = clock_s()

    # What it is

    def exists(self) -> bool:
        """Tell whether the database has a key yet."""
        return self.path.exists()

    @property
    def state(self) -> State:
        """What stands in the file."""
        kept = json.loads(self.path.read_text("utf-8"))
        kept.pop("version")
        pin, county = kept.pop("pin"), kept.pop("county")
        return State(
            **kept,
            pin=Wrap(**pin) if pin else None,
            county=County(Wrap(**county["wrap"]), county["device_id"], county["serial"])
            if county
            else None,
        )

    def wait_s(self) -> float:
        """Return how long to wait until a PIN may be tried, in seconds."""
        wait = WAITS_S[min(self.state.failed, len(WAITS_S) - 1)]
        return max(0.0, self._began_s + wait - self._clock_s())

    def challenge(self) -> str | None:
        """Return the digits to read out to the county; None where it has no way in yet."""
        county = self.state.county
        return county and unlock.challenge(county.device_id, county.serial)

    # Making and changing the ways in

    def make(self) -> bytes:
        """Return a new key that this device alone holds until a PIN is chosen."""
        key, name = secrets.token_bytes(KEY_BYTES), secrets.token_hex(8)
        self._keep(State(name=name, bare=self._port.keystore_seal(name, key).hex()))
        return key

    def open_bare(self) -> bytes:
        """Return the key of a phone that has no PIN yet."""
        state = self.state
        key = self._port.keystore_open(state.name, bytes.fromhex(state.bare or ""))
        if key is None:
            raise DeviceForgot
        return bytes(key)

    def set_pin(self, key: bytes, pin: str) -> None:
        """Let a PIN open the key from now on, and no earlier one."""
        state, name = self.state, secrets.token_hex(8)
        wrap = self._wrapped(key, pin.encode(), b"pin")
        in_keystore = self._port.keystore_seal(name, bytes.fromhex(wrap.sealed))
        fresh = replace(wrap, sealed=in_keystore.hex())
        self._keep(replace(state, name=name, pin=fresh, bare=None, failed=0, sealed=""))
        self._port.keystore_forget(state.name)

    def offer_county(self, key: bytes, device_id: str, token: str, *, anew: bool = False) -> None:
        """Let the county's answer to the next challenge open the key; `anew` after it did so once."""
        county = self.state.county
        if county is not None and county.device_id == device_id and not anew:
            return
        serial = 0 if county is None else county.serial + 1
        token_hash = hashlib.sha256(token.encode()).hexdigest()
        digits = unlock.answer(token_hash, device_id, serial)
        wrap = self._wrapped(key, digits.encode(), b"county")
        # Read again: a PIN may have been chosen meanwhile on another thread.
        self._keep(replace(self.state, county=County(wrap, device_id, serial)))

    def seal(self, why: str) -> bool:
        """Destroy the way of the PIN; False, and nothing happens, where no county could open it then."""
        state = self.state
        if state.county is None:
            return False
        self._keep(replace(state, bare=None, pin=None, sealed=why, is_to_wipe=True))
        # Old copies of the file may still lie in the flash: without this they are of no use.
        self._port.keystore_forget(state.name)
        return True

    def wiped(self) -> None:
        """Note that what was on the server is deleted."""
        self._keep(replace(self.state, is_to_wipe=False))

    # Opening

    def try_pin(self, pin: str) -> bytes:
        """Return the key. WrongPin, TooSoon, Sealed or DeviceForgot say why not."""
        state = self.state
        if state.pin is None:
            raise Sealed
        if self.wait_s() > 0:
            raise TooSoon
        # Before it is tried: the app may be killed at the moment that tells right from wrong.
        counted = replace(state, failed=state.failed + 1)
        self._keep(counted)
        inner = self._port.keystore_open(state.name, bytes.fromhex(state.pin.sealed))
        if inner is None:
            self._keep(state)
            raise DeviceForgot
        key = self._unwrapped(replace(state.pin, sealed=inner.hex()), pin.encode(), b"pin")
        if key is not None:
            self._keep(replace(counted, failed=0))
            return key
        self._began_s = self._clock_s()
        if counted.failed >= MOST_WRONG and self.seal("wrong_pin"):
            raise Sealed
        left = None if state.county is None else MOST_WRONG - counted.failed
        raise WrongPin(left, round(self.wait_s()))

    def try_county(self, digits: str) -> bytes:
        """Return the key for the county's answer. The next step is a new PIN."""
        county = self.state.county
        key = county and self._unwrapped(county.wrap, digits.encode(), b"county")
        if not key:
            raise WrongAnswer
        return key

    # The bytes

    def _wrapped(self, key: bytes, secret: bytes, bound: bytes) -> Wrap:
        salt, nonce = secrets.token_bytes(16), secrets.token_bytes(_NONCE_BYTES)
        wrap = Wrap(salt.hex(), "")
        sealed = self._port.seal(_stretched(secret, wrap), nonce, key, bound)
        return replace(wrap, sealed=(nonce + sealed).hex())

    def _unwrapped(self, wrap: Wrap, secret: bytes, bound: bytes) -> bytes | None:
        sealed = bytes.fromhex(wrap.sealed)
        nonce, sealed = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        key: bytes | None = self._port.unseal(_stretched(secret, wrap), nonce, sealed, bound)
        return key

    def _keep(self, state: State) -> None:
        """Write the file whole or not at all, and see it on the disk."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_name(self.path.name + ".new")
        with open(fresh, "w", encoding="utf-8") as file:
            json.dump({"version": 1, **asdict(state)}, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)
        if os.name == "posix":
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def _stretched(secret: bytes, wrap: Wrap) -> bytes:
    return hashlib.scrypt(
        secret, salt=bytes.fromhex(wrap.salt), n=wrap.n, r=wrap.r, p=wrap.p,
        maxmem=64 * 1024 * 1024, dklen=32,
    )  # fmt: skip
