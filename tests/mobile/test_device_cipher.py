"""AES-GCM of a phone (javax.crypto through pyjnius, here on a PC's JVM) against that of a PC."""

from __future__ import annotations

import secrets

import pytest

pytest.importorskip("jnius", reason="pyjnius is not installed")
from mobile.device import android, desktop


@pytest.mark.parametrize("length", [0, 1, 117, 20_000])
def test_a_phone_and_a_pc_seal_alike_and_open_each_others_files(length):
    key, nonce, bound = (secrets.token_bytes(n) for n in (32, 12, 57))
    plain = secrets.token_bytes(length)
    sealed = desktop.seal(key, nonce, plain, bound)
    assert android.seal(key, nonce, plain, bound) == sealed
    assert android.unseal(key, nonce, sealed, bound) == plain
    for other in (sealed[:-1] + bytes([sealed[-1] ^ 1]), sealed + b"x"):
        assert android.unseal(key, nonce, other, bound) is None
        assert desktop.unseal(key, nonce, other, bound) is None
    assert android.unseal(key, nonce, sealed, bound + b"x") is None
