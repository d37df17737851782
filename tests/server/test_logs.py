"""What the server logs: facts, and nothing that tells who somebody is."""

from __future__ import annotations

import json

import pytest
from builders import a_family, a_phone
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from server.storage.engine import writing
from server.storage.tables import meta

PERSON = {"name": "韦无名", "id_no": "522399199303121129", "phone": "13987654321", "sex": "2",
          "birth_date": "1993-03-12"}  # fmt: skip
PERSONAL = ("韦无名", "522399199303121129", "13987654321", "1993-03-12")


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if line]


def test_a_push_is_one_event_without_personal_data(app, engine, capsys):
    phone = a_phone(app, engine)
    phone.submit(a_family(**PERSON))
    phone.edit("member", a_family().member, name="韦无名")
    phone.pull()
    told = capsys.readouterr().out
    events = [json.loads(line) for line in told.splitlines()]
    [first, second] = [event for event in events if event["event"] == "push_received"]
    assert (first["county"], first["device"], first["changes"], first["held"]) == (
        "522326", phone.device.id, 5, 0,
    )  # fmt: skip
    assert second["held"] == 1
    assert not [word for word in PERSONAL if word in told]


@pytest.mark.parametrize("path", ["/sync/v1/fails", "/fails"])
def test_a_failure_is_logged_without_the_values_that_it_was_about(app, engine, capsys, path):
    from server.access import audience

    @app.route(path)
    @audience("public")
    def fails():
        with writing(engine) as conn:
            for _ in range(2):
                conn.execute(insert(meta), {"key": "韦无名 522399199303121129"})

    answer = app.test_client().get(path)
    assert answer.status_code == 500
    told = capsys.readouterr().out
    [event] = [json.loads(line) for line in told.splitlines() if "request_failed" in line]
    assert event["error"] == IntegrityError.__name__
    assert any("test_logs.py" in frame for frame in event["at"])
    assert not [word for word in PERSONAL if word in told + answer.text]
    assert "Traceback" not in answer.text
