"""Every route says who may call it, and nobody else gets in."""

from __future__ import annotations

import re

import pytest
from builders import PASSWORD, WANGMO, a_device, a_firm, a_user, sign_in

from server.access import AUDIENCES, PEOPLE, audience_of
from server.storage.engine import writing

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ROLES = ("township", "county", "prefecture", "station", "hr_firm", "admin")


def routes(app):
    """Yield (method, path with something in each place, audience of the view)."""
    for rule in app.url_map.iter_rules():
        # A number where the route wants one, an id that nobody has everywhere else.
        path = re.sub(r"<int[^>]*>", "1", rule.rule)
        path = re.sub(r"<[^>]+>", "0000000000000", path)
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            yield method, path, audience_of(app.view_functions[rule.endpoint])


def test_every_view_declares_its_audience(app):
    assert [(method, path) for method, path, who in routes(app) if not who] == []
    assert all(who <= AUDIENCES for _, _, who in routes(app))


def test_a_view_without_an_audience_is_closed_to_everybody(app):
    app.add_url_rule("/forgotten", "forgotten", lambda: "open")
    assert app.test_client().get("/forgotten").status_code == 403


def is_refused(answer) -> bool:
    """Tell whether nobody was let in: an error, or the way to the sign-in page."""
    to_sign_in = answer.status_code == 302 and answer.location.startswith("/sign-in")
    return answer.status_code in (401, 403) or to_sign_in


def test_nobody_gets_into_a_route_without_signing_in(app):
    for method, path, who in routes(app):
        answer = app.test_client().open(
            path, method=method, environ_base={"REMOTE_ADDR": "203.0.113.5"}
        )
        assert is_refused(answer) is not ("public" in who), (method, path, answer.status)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_refused_where_it_is_not_named(app, engine, role):
    app.config["WTF_CSRF_ENABLED"] = False
    with writing(engine) as conn:
        org_id = a_firm(conn, WANGMO)[0] if role == "hr_firm" else None
        scope = "" if role in ("hr_firm", "admin") else WANGMO
        a_user(conn, "someone", role=role, scope=scope, org_id=org_id, password=PASSWORD)
    app.config["WTF_CSRF_ENABLED"] = True
    browser = sign_in(app, "someone")
    app.config["WTF_CSRF_ENABLED"] = False
    for method, path, who in routes(app):
        if who & {"public", "signed_in", "loopback", role}:
            continue
        answer = browser.open(path, method=method)
        assert answer.status_code in (401, 403), (role, method, path, answer.status)


def test_a_phones_token_opens_only_the_phones_routes(app, engine):
    with writing(engine) as conn:
        _, token = a_device(conn, a_user(conn))
    for method, path, who in routes(app):
        if who & {"public", "loopback", "device"}:
            continue
        answer = app.test_client().open(
            path, method=method, headers={"Authorization": f"Bearer {token}"}
        )
        assert is_refused(answer), (method, path, answer.status)


def test_a_firms_key_opens_only_the_firms_routes(app, engine):
    with writing(engine) as conn:
        _, key = a_firm(conn, WANGMO)
    for method, path, who in routes(app):
        if who & {"public", "loopback", "firm_key"}:
            continue
        answer = app.test_client().open(
            path, method=method, headers={"Authorization": f"Bearer {key}"}
        )
        assert is_refused(answer), (method, path, answer.status)


def test_metrics_are_for_this_machine_only(app):
    client = app.test_client()
    assert client.get("/metrics").status_code == 200
    assert b"chushan_requests_total" in client.get("/metrics").data
    far = client.get("/metrics", environ_base={"REMOTE_ADDR": "203.0.113.5"})
    proxied = client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.5"})
    assert {far.status_code, proxied.status_code} == {403}


def test_a_form_without_its_token_is_refused(app, engine):
    with writing(engine) as conn:
        a_user(conn, "someone", role="county", password=PASSWORD)
    answer = app.test_client().post("/sign-in", data={"login": "someone", "password": PASSWORD})
    assert answer.status_code == 400


def test_a_session_ends_when_the_password_changes(app, engine):
    from server.services.sign_in import hash_password
    from server.storage.accounts import set_password_hash

    with writing(engine) as conn:
        person = a_user(conn, "someone", role="county", password=PASSWORD)
    browser = sign_in(app, "someone")
    assert browser.get("/review").status_code in (200, 308)
    with writing(engine) as conn:
        set_password_hash(conn, person.id, hash_password("another password"))
    assert is_refused(browser.get("/review/", follow_redirects=False)) or is_refused(
        browser.get("/review")
    )


def test_answers_carry_the_headers_that_protect_a_reader(client):
    headers = client.get("/sign-in").headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"


def test_people_are_the_roles_of_the_code_list(app):
    from shared_schemas.codes import code_list

    assert {code.code for code in code_list("user_role").codes} == PEOPLE
