"""Sign-in and out; a county's phones and how they are enrolled; the people who can sign in."""

from __future__ import annotations

import io
from typing import Any
from urllib.parse import urlsplit

import segno
from flask import Blueprint, flash, redirect, request, url_for
from markupsafe import Markup
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from server.access import (
    audience,
    current_user,
    limit_calls,
    log_in,
    log_out,
    maybe_user,
    server,
)
from server.services.enrol import (
    VALID_HOURS,
    enrolment_text,
    make_enrolment,
    reassign_device,
)
from server.services.scope import scope_prefix
from server.services.sign_in import SHORTEST_PASSWORD, check_sign_in, hash_password
from server.services.unlock import UNLOCKS_PER_DAY, unlock_answer
from server.storage import review_pages as queries
from server.storage.accounts import User, add_user, firm_of
from server.storage.audit import add_audit
from server.storage.devices import devices_within, set_device_state
from server.storage.divisions import places_within
from server.storage.engine import reading, writing
from server.web.pages import page, see_other, words
from shared_schemas import unlock as unlock_digits
from shared_schemas.codes import code_list
from shared_schemas.errors import ChushanError

blueprint = Blueprint("accounts", __name__)

PROVINCIAL_ROLES = ("admin", "prefecture")
"""Roles whose scope may be wider than a county."""


@blueprint.get("/sign-in")
@audience("public")
def sign_in() -> Any:
    """Show the sign-in form."""
    if maybe_user() is not None:
        return redirect(url_for("home.start"))
    return _sign_in_page(next=request.args.get("next", ""))


def _sign_in_page(status: int = 200, **values: Any) -> Any:
    return page(
        "accounts/sign_in.html", status, **({"errors": {}, "login": "", "next": ""} | values)
    )


@blueprint.post("/sign-in")
@audience("public")
def take_sign_in() -> Any:
    """Sign somebody in and go where he wanted to go."""
    here = server()
    login, password = request.form.get("login", "")[:80], request.form.get("password", "")[:200]
    follow = request.form.get("next", "")
    try:
        with writing(here.engine) as conn:
            found = check_sign_in(
                conn, login, password, now_ms=here.now_ms(), attempts=here.settings.sign_in_attempts
            )
    except ChushanError as error:
        if error.error.code != "limit_reached":
            raise
        errors = {"login": words("sign_in.too_many")}
        return _sign_in_page(429, errors=errors, login=login, next=follow)
    if found is None:
        errors = {"login": words("sign_in.wrong")}
        return _sign_in_page(422, errors=errors, login=login, next=follow)
    log_in(*found)
    return redirect(follow if _is_our_path(follow) else url_for("home.start"), 303)


def _is_our_path(target: str) -> bool:
    """Tell whether a target lies on this server: a path, with no host hidden in it."""
    parts = urlsplit(target.replace("\\", "/"))
    return target.startswith("/") and not parts.scheme and not parts.netloc


@blueprint.post("/sign-out")
@audience("signed_in")
def sign_out() -> Any:
    """End the session."""
    log_out()
    return see_other("accounts.sign_in")


# Phones ------------------------------------------------------------------------------------------


@blueprint.get("/devices")
@audience("county", "admin")
def devices() -> Any:
    """Show a county's phones."""
    return _devices_page()


def _devices_page(
    enrolled: dict[str, Any] | None = None,
    errors: dict[str, str] | None = None,
    status: int = 200,
    unlocked: dict[str, Any] | None = None,
    asked: str = "",
) -> Any:
    user = current_user()
    with reading(server().engine) as conn:
        counties = _counties(conn, user)
        listed = [d for county in counties for d in devices_within(conn, county, user.scope)]
        cadres = [row for row in queries.people_within(conn, user.scope) if row.role == "cadre"]
        names = queries.division_names(
            conn, [d.scope for d in listed] + [cadre.scope for cadre in cadres]
        )
        places = {county: places_within(conn, user.scope or county) for county in counties}
    return page(
        "accounts/devices.html",
        status,
        devices=sorted(listed, key=lambda d: (d.state != "active", -(d.last_sync_at_ms or 0))),
        cadres=[cadre for cadre in cadres if cadre.active],
        names=names,
        places=places,
        enrolled=enrolled,
        unlocked=unlocked,
        asked=asked,
        errors=errors or {},
        hours=VALID_HOURS,
        late_ms=server().now_ms() - 7 * 86_400_000,
    )


@blueprint.post("/devices")
@audience("county", "admin")
def enrol() -> Any:
    """Make a one-time code for a cadre's phone and show it once."""
    user, here = current_user(), server()
    with writing(here.engine) as conn:
        cadre = _cadre(conn, user, request.form.get("user_id", ""))
        if cadre is None:
            return _devices_page(errors={"user_id": words("devices.choose_cadre")}, status=422)
        code = make_enrolment(
            conn, user_id=cadre.id, scope=cadre.scope, made_by=user.id, now_ms=here.now_ms()
        )
        add_audit(conn, cadre.scope[:6], id=here.new_id(), at_ms=here.now_ms(), actor=user.id,
                  action="enrolment_made", target_kind="user", target_id=cadre.id)  # fmt: skip
    content = enrolment_text(here.settings.public_url, code)
    return _devices_page(
        {"code": code, "text": content, "picture": _qr(content), "cadre": cadre.name}
    )


def _cadre(conn: Connection, user: User, user_id: str) -> Any:
    people = queries.people_within(conn, user.scope)
    wanted = (p for p in people if p.id == user_id and p.role == "cadre" and p.active)
    return next((p for p in wanted if len(scope_prefix(p.scope)) >= 6), None)


def _qr(content: str) -> Markup:
    drawn = io.BytesIO()
    segno.make(content, error="m").save(
        drawn, kind="svg", border=2, xmldecl=False, svgclass=None, lineclass=None,
        omitsize=True, dark="#123529", title=words("devices.qr"),
    )  # fmt: skip
    return Markup(drawn.getvalue().decode())  # noqa: S704 - drawn by segno from our own text


@blueprint.post("/devices/<county>/<device_id>/revoke")
@audience("county", "admin")
def revoke(county: str, device_id: str) -> Any:
    """Revoke a phone: it pulls nothing any more, and what it still sends is held."""
    user, here = current_user(), server()
    with writing(here.engine) as conn:
        found = [d for d in devices_within(conn, county, user.scope) if d.id == device_id]
        if not found:
            raise ChushanError("not_found")
        set_device_state(conn, county, device_id, "revoked")
        add_audit(conn, county, id=here.new_id(), at_ms=here.now_ms(), actor=user.id,
                  action="device_revoked", target_kind="device", target_id=device_id)  # fmt: skip
    flash(words("devices.done_revoked", name=found[0].cadre), "success")
    return see_other("accounts.devices")


@blueprint.post("/devices/unlock")
@audience("county", "admin")
def unlock() -> Any:
    """Tell what opens a locked phone, to the digits that the cadre reads out from it."""
    user, here = current_user(), server()
    device_id = request.form.get("device_id", "")[:17]
    with reading(here.engine) as conn:
        found = [
            d
            for county in _counties(conn, user)
            for d in devices_within(conn, county, user.scope)
            if d.id == device_id
        ]
    if not found:
        raise ChushanError("not_found")
    limit_calls(f"unlock {device_id}", most=UNLOCKS_PER_DAY, window_s=86_400)
    with writing(here.engine) as conn:
        told = unlock_answer(
            conn, found, request.form.get("challenge", "")[:40],
            actor=user.id, audit_id=here.new_id(), now_ms=here.now_ms(),
        )  # fmt: skip
    if told is None:
        wrong = {"challenge": words("devices.wrong_challenge")}
        return _devices_page(errors=wrong, asked=device_id, status=422)
    groups = unlock_digits.in_groups(told[1], unlock_digits.GROUP).split()
    return _devices_page(unlocked={"cadre": found[0].cadre, "groups": groups}, asked=device_id)


def _counties(conn: Connection, user: User) -> list[str]:
    if user.county:
        return [user.county]
    return [code[:6] for code, _ in queries.places_of_level(conn, user.scope, 3)]


@blueprint.post("/devices/<county>/<device_id>/scope")
@audience("county", "admin")
def reassign(county: str, device_id: str) -> Any:
    """Give a phone other villages: it fetches them at its next sync and lets go of the old ones."""
    user, here = current_user(), server()
    scope = request.form.get("scope", "")
    with writing(here.engine) as conn:
        found = [d for d in devices_within(conn, county, user.scope) if d.id == device_id]
        if not found or not scope.isdecimal() or not scope_prefix(scope).startswith(user.scope):
            raise ChushanError("not_found")
        given = reassign_device(conn, found[0], scope)
        add_audit(conn, county, id=here.new_id(), at_ms=here.now_ms(), actor=user.id,
                  action="device_reassigned", target_kind="device", target_id=device_id,
                  detail={"from": found[0].scope, "to": given})  # fmt: skip
        names = queries.division_names(conn, [given])
    place = names.get(given.ljust(12, "0"), given)
    flash(words("devices.done_reassigned", name=found[0].cadre, place=place), "success")
    return see_other("accounts.devices")


# People ------------------------------------------------------------------------------------------


@blueprint.get("/users")
@audience("admin")
def users() -> Any:
    """Show the people who can sign in."""
    return _users_page({}, {})


def _users_page(errors: dict[str, str], typed: dict[str, str], status: int = 200) -> Any:
    user = current_user()
    with reading(server().engine) as conn:
        people = queries.people_within(conn, user.scope, firms=user.scope == "")
        names = queries.division_names(conn, [p.scope for p in people])
        firms = queries.organisations(conn) if user.scope == "" else []
    roles = [code for code in code_list("user_role").offered() if code.code != "hr_firm" or firms]
    return page("accounts/users.html", status, people=people, names=names, firms=firms,
                firm_options=[(firm.id, firm.name) for firm in firms], roles=roles,
                errors=errors, typed=typed, shortest=SHORTEST_PASSWORD)  # fmt: skip


@blueprint.post("/users")
@audience("admin")
def add() -> Any:
    """Add a person within the administrator's own scope."""
    user, here = current_user(), server()
    typed = {name: request.form.get(name, "").strip()[:80] for name in
             ("login", "name", "phone", "role", "scope", "org_id")}  # fmt: skip
    password = request.form.get("password", "")[:200]
    with reading(here.engine) as conn:
        errors = _user_faults(conn, user, typed, password)
    if errors:
        return _users_page(errors, typed, 422)
    new = User(
        here.new_id(),
        typed["login"],
        typed["name"],
        typed["role"],
        "" if typed["role"] == "hr_firm" else scope_prefix(typed["scope"]),
        typed["org_id"] if typed["role"] == "hr_firm" else None,
    )
    try:
        with writing(here.engine) as conn:
            add_user(conn, new, password_hash=hash_password(password) if password else None,
                     now_ms=here.now_ms(), phone=typed["phone"] or None)  # fmt: skip
            add_audit(conn, new.scope[:6] or "000000", id=here.new_id(), at_ms=here.now_ms(),
                      actor=user.id, action="user_added", target_kind="user",
                      target_id=new.id)  # fmt: skip
    except IntegrityError:
        return _users_page({"login": words("users.login_taken")}, typed, 422)
    flash(words("users.done_added", name=new.name), "success")
    return see_other("accounts.users")


def _user_faults(
    conn: Connection, user: User, typed: dict[str, str], password: str
) -> dict[str, str]:
    errors = {}
    if not typed["login"]:
        errors["login"] = words("users.login_needed")
    if not typed["name"]:
        errors["name"] = words("users.name_needed")
    role = typed["role"]
    if role not in code_list("user_role"):
        errors["role"] = words("users.role_needed")
    elif role == "hr_firm":
        if user.scope != "" or firm_of(conn, typed["org_id"]) is None:
            errors["org_id"] = words("users.firm_needed")
    elif not _scope_fits(conn, user, role, typed["scope"]):
        errors["scope"] = words("users.scope_wrong")
    # A cadre signs in with his phone only; everybody else needs a password.
    if (role != "cadre" or password) and len(password) < SHORTEST_PASSWORD:
        errors["password"] = words("users.password_short", least=SHORTEST_PASSWORD)
    return errors


def _scope_fits(conn: Connection, user: User, role: str, scope: str) -> bool:
    if not scope.isdecimal() or len(scope) > 12:
        return False
    prefix = scope_prefix(scope)
    if not prefix.startswith(user.scope) or not queries.division_names(conn, [prefix]):
        return False
    return len(prefix) >= 6 or role in PROVINCIAL_ROLES
