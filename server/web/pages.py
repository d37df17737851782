"""What every page shares: the reader's language, words, navigation, places and local times."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import Response, g, redirect, render_template, request, url_for
from sqlalchemy import Connection

from server.access import User, current_user, maybe_user, server
from server.storage import review_pages as queries
from server.storage.engine import reading
from shared_schemas.errors import ChushanError
from shared_schemas.locale import LANGUAGES, text

LANGUAGE_COOKIE = "lang"
ROWS_PER_PAGE = 50

OFFICE = ("county", "township")
"""Roles that work on a county's records. A township sees its own; only the county decides."""

# Which pages a role finds in its navigation: (name, endpoint, roles).
_NAVIGATION = (
    ("home", "home.start", ("county", "township", "prefecture", "admin")),
    ("review", "review.listing", OFFICE),
    ("conflicts", "conflicts.listing", OFFICE),
    ("duplicates", "duplicates.listing", OFFICE),
    ("duplicate_households", "duplicate_households.listing", OFFICE),
    ("held", "conflicts.held", ("county",)),
    ("roster", "roster.listing", ("county",)),
    ("pulls", "labour_list.pulls", ("county",)),
    ("labour", "labour_list.listing", ("hr_firm",)),
    ("own_pulls", "labour_list.own_pulls", ("hr_firm",)),
    ("handover", "handover_page.listing", OFFICE),
    ("devices", "accounts.devices", ("county", "admin")),
    ("users", "accounts.users", ("admin",)),
)


def language() -> str:
    """Return the reader's language: `?lang=`, then the cookie, then Chinese."""
    asked = request.args.get("lang") or request.cookies.get(LANGUAGE_COOKIE)
    return asked if asked in LANGUAGES else "zh"


def words(key: str, /, **args: Any) -> str:
    """Return the words of the pages for `key`, in the reader's language."""
    return text(f"pages.{key}", language(), **args)


def remember_language(response: Response) -> Response:
    """Keep a language that was asked for in the address."""
    asked = request.args.get("lang")
    if asked in LANGUAGES:
        response.set_cookie(LANGUAGE_COOKIE, asked, max_age=31_536_000, samesite="Lax")
    return response


def local_time(ms: int | None, *, with_year: bool = False) -> str:
    """Return a time as the county reads its clock, to the minute; empty for None."""
    if ms is None:
        return ""
    at = dt.datetime.fromtimestamp(ms / 1000, ZoneInfo(server().settings.timezone))
    if with_year or at.date().isoformat()[:4] != server().today()[:4]:
        return at.strftime("%Y-%m-%d %H:%M")
    return at.strftime("%m-%d %H:%M")


def ago(ms: int | None) -> str:
    """Return how long ago a time was, in plain words."""
    if ms is None:
        return words("ago.never")
    minutes = max(0, server().now_ms() - ms) // 60_000
    if minutes < 1:
        return words("ago.now")
    if minutes < 60:
        return words("ago.minutes", count=minutes)
    if minutes < 48 * 60:
        return words("ago.hours", count=minutes // 60)
    return words("ago.days", count=minutes // 1440)


def county_of(user: User) -> str:
    """Return the county that a person works for; forbidden for somebody without one."""
    if user.county is None:
        raise ChushanError("forbidden")
    return user.county


def page_number() -> int:
    """Return the page of a listing that is asked for, 1 for nonsense."""
    asked = request.args.get("page", "1")
    return max(1, int(asked)) if asked.isdecimal() and len(asked) < 7 else 1


def link_with(**changed: Any) -> str:
    """Return this page's address with some arguments changed; None takes one away."""
    args = {k: v for k, v in request.args.items() if k not in ("lang", *changed)}
    args |= {k: str(v) for k, v in changed.items() if v not in (None, "")}
    return request.path + (f"?{urlencode(args)}" if args else "")


def page(template: str, status: int = 200, **values: Any) -> tuple[str, int]:
    """Render a template with what every page needs."""
    return render_template(template, **frame(), **values), status


def frame() -> dict[str, Any]:
    """Return what the frame of every page shows: language, person, navigation."""
    user = maybe_user()
    lang = language()
    other = "en" if lang == "zh" else "zh"
    get = request.method == "GET"
    base = link_with() if get else "/"
    shown: dict[str, Any] = {
        "lang": lang,
        "t": words,
        "user": user,
        "local_time": local_time,
        "ago": ago,
        "link_with": link_with,
        "other_language_url": f"{base}{'&' if '?' in base else '?'}lang={other}",
        "navigation": [],
        "user_place": "",
    }
    if user is not None:
        with reading(server().engine) as conn:
            shown["user_place"] = _place_of(conn, user)
            counts = _counts(conn, user)
        shown["navigation"] = [
            {
                "name": name,
                "url": url_for(endpoint),
                "current": _is_current(endpoint),
                "count": counts.get(name, 0),
            }
            for name, endpoint, roles in _NAVIGATION
            if user.role in roles
        ]
    return shown


def _is_current(endpoint: str) -> bool:
    here = g.get("section") or request.endpoint or ""
    return here == endpoint


def in_section(endpoint: str) -> None:
    """Mark a navigation entry as the one that this page belongs to."""
    g.section = endpoint


def _place_of(conn: Connection, user: User) -> str:
    if user.role == "hr_firm":
        return queries.organisation_name(conn, user.org_id or "")
    names = queries.place_names(conn, user.scope)
    return " · ".join(names) or words("whole_country")


def _counts(conn: Connection, user: User) -> Mapping[str, int]:
    if user.role not in OFFICE or user.county is None:
        return {}
    return queries.waiting_counts(conn, user.county, user.scope)


def see_other(endpoint: str, **values: Any) -> Any:
    """Redirect after a form was taken."""
    return redirect(url_for(endpoint, **values), 303)


def office_user() -> tuple[User, str]:
    """Return the person of a county or township office, and the county."""
    user = current_user()
    return user, county_of(user)
