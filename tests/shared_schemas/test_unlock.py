"""The digits that are read out over the telephone: made alike on both sides, slips are found."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from shared_schemas import unlock

TOKENS = st.text(min_size=1, max_size=40).map(lambda t: hashlib.sha256(t.encode()).hexdigest())
DEVICES = st.from_regex(r"[0-9a-hjkmnp-tv-z]{13}", fullmatch=True)
SERIALS = st.integers(0, unlock.SERIALS - 1)


@given(DEVICES, SERIALS)
def test_challenge_tells_its_phone_and_serial(device_id: str, serial: int) -> None:
    digits = unlock.challenge(device_id, serial)
    assert len(digits) == unlock.CHALLENGE_DIGITS
    assert unlock.serial_of(f" {unlock.in_groups(digits, 4)}\n", device_id) == serial
    for place in range(len(digits)):
        slipped = digits[:place] + str((int(digits[place]) + 1) % 10) + digits[place + 1 :]
        assert unlock.serial_of(slipped, device_id) is None
    assert unlock.serial_of(digits[:-1], device_id) is None
    assert unlock.serial_of("", device_id) is None


@given(TOKENS, DEVICES, SERIALS, st.data())
def test_every_slip_in_an_answer_is_found_in_its_group(
    token_hash: str, device_id: str, serial: int, data: st.DataObject
) -> None:
    digits = unlock.answer(token_hash, device_id, serial)
    assert len(digits) == unlock.ANSWER_DIGITS
    assert digits.isdecimal()
    assert unlock.wrong_group(digits) is None
    assert digits != unlock.answer(token_hash, device_id, serial + 1)
    place = data.draw(st.integers(0, len(digits) - 1))
    group = place // unlock.GROUP + 1
    other = data.draw(st.sampled_from([d for d in "0123456789" if d != digits[place]]))
    assert unlock.wrong_group(digits[:place] + other + digits[place + 1 :]) == group
    beside = place + 1
    if place % unlock.GROUP < unlock.GROUP - 1 and digits[place] != digits[beside]:
        swapped = digits[:place] + digits[beside] + digits[place] + digits[beside + 1 :]
        assert unlock.wrong_group(swapped) == group


def test_groups_read_out_in_the_wrong_order_are_found() -> None:
    digits = unlock.answer("ab" * 32, "9dev1ce000000", 7)
    parts = unlock.in_groups(digits, unlock.GROUP).split()
    parts[1], parts[2] = parts[2], parts[1]
    assert unlock.wrong_group("".join(parts)) == 2


def test_half_typed_answer_is_not_called_wrong() -> None:
    digits = unlock.answer("ab" * 32, "9dev1ce000000", 7)
    assert {unlock.wrong_group(digits[:i]) for i in range(len(digits) + 1)} == {None}
