"""The county opens a locked phone: on its page and at the command line, audited, a few times a day."""

import hashlib
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from office import WANGMO, Office
from sqlalchemy import select

from mobile.storage.key import KeyFile, Sealed, WrongAnswer
from server.cli import main
from server.services.unlock import UNLOCKS_PER_DAY
from server.storage.devices import set_device_state
from server.storage.engine import reading, writing
from server.storage.tables import audit, user_account
from shared_schemas import unlock


def told(page: str) -> str:
    return "".join(re.findall(r'<span class="cs-code">(\d{5})</span>', page))


WAY = "/devices/unlock"


def device_of(office: Office) -> str:
    found = re.search(
        r'name="device_id".*?<option value="([0-9a-z]+)"', office.browser.get("/devices").text
    )
    assert found
    return found[1]


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyFile:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    return KeyFile(tmp_path / "key.json")


def test_what_the_page_tells_opens_the_phone_once(office: Office, key_file: KeyFile) -> None:
    device_id = device_of(office)
    key = key_file.make()
    key_file.set_pin(key, "274916")
    key_file.offer_county(key, device_id, office.phone.token)
    assert key_file.seal("wrong_pin")
    with pytest.raises(Sealed):
        key_file.try_pin("274916")
    challenge = key_file.challenge()
    assert challenge
    page = office.post(WAY, {"device_id": device_id, "challenge": unlock.in_groups(challenge, 4)})
    assert page.status_code == 200
    digits = told(page.text)
    assert key_file.try_county(digits) == key
    with reading(office.engine) as conn:
        row = conn.execute(select(audit).where(audit.c.action == "device_unlock_told")).one()
    assert (row.target_id, row.detail) == (device_id, {"serial": 0})
    key_file.offer_county(key, device_id, office.phone.token, anew=True)
    with pytest.raises(WrongAnswer):
        key_file.try_county(digits)


def test_revoked_phone_is_opened_too_for_what_was_not_sent(office: Office) -> None:
    device_id = device_of(office)
    with writing(office.engine) as conn:
        set_device_state(conn, WANGMO, device_id, "revoked")
    page = office.post(WAY, {"device_id": device_id, "challenge": unlock.challenge(device_id, 3)})
    expected = hashlib.sha256(office.phone.token.encode()).hexdigest()
    assert told(page.text) == unlock.answer(expected, device_id, 3)


def test_wrong_digits_strangers_and_too_many_are_refused(office: Office) -> None:
    device_id = device_of(office)
    wrong = office.post(WAY, {"device_id": device_id, "challenge": "1234 5678"})
    assert wrong.status_code == 422
    assert "再读一遍" in wrong.text
    assert told(wrong.text) == ""
    stranger = office.someone("county", "522325")
    right = {"device_id": device_id, "challenge": unlock.challenge(device_id, 0)}
    assert office.post(WAY, right, stranger).status_code == 404
    for _ in range(UNLOCKS_PER_DAY - 1):
        assert office.post(WAY, right).status_code == 200
    assert office.post(WAY, right).status_code == 429


def test_command_line_tells_the_same(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    device_id = device_of(office)
    with reading(office.engine) as conn:
        login = conn.execute(
            select(user_account.c.login).where(user_account.c.role == "cadre")
        ).scalar_one()
    monkeypatch.setenv("CHUSHAN_DATABASE_URL", office.engine.url.render_as_string(False))
    challenge = unlock.challenge(device_id, 0)
    said = CliRunner().invoke(main, ["device", "unlock", login, challenge])
    assert said.exit_code == 0, said.output
    expected = hashlib.sha256(office.phone.token.encode()).hexdigest()
    assert unlock.in_groups(unlock.answer(expected, device_id, 0), 5) in said.output
    refused = CliRunner().invoke(main, ["device", "unlock", login, "12345678"])
    assert refused.exit_code != 0
    assert "read it out again" in refused.output
