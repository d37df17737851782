"""Puts the server together: settings, database, access, errors, routes."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask, Response, request
from flask_wtf import CSRFProtect

from server.access import Server, audience, prepare_access, wall_clock
from server.api import docs, handover, health, labour, sync
from server.api.problems import ProblemApi, handle_errors, is_api_request
from server.observe import configure_logs, observe
from server.settings import Settings, secret_key_of
from server.storage.engine import open_engine
from server.web import (
    accounts,
    conflicts,
    duplicate_households,
    duplicates,
    elsewhere,
    home,
    pages,
    review,
    roster,
)
from server.web import handover as handover_page
from server.web import labour as labour_pages
from shared_schemas.errors import ChushanError, ErrorCode
from shared_schemas.handover import MEDIA_TYPE
from shared_schemas.protocol import PACKED

SMALL_BODY_BYTES = 64 * 1024


def create_app(settings: Settings, *, clock: Callable[[], int] = wall_clock) -> Flask:
    """Return the server for these settings; `clock` gives UTC epoch milliseconds.

    The database must have been upgraded (`chushan db upgrade`; `chushan serve` does it).
    """
    configure_logs(settings.log_level)
    app = Flask(
        "server", root_path=None, static_folder="web/static", template_folder="web/templates"
    )
    app.config.update(
        SECRET_KEY=secret_key_of(settings),
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.secure_cookies,
        REMEMBER_COOKIE_HTTPONLY=True,
        REMEMBER_COOKIE_SECURE=settings.secure_cookies,
        WTF_CSRF_TIME_LIMIT=None,  # a reviewer's page stays open all day
        WTF_CSRF_SSL_STRICT=settings.secure_cookies,
        MAX_CONTENT_LENGTH=settings.max_upload_bytes + SMALL_BODY_BYTES,
        API_TITLE="出山 Chushan",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
    )
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.extensions["chushan"] = Server(
        open_engine(settings.database_url), settings, app.config["SECRET_KEY"], clock
    )
    observe(app)
    prepare_access(app)
    handle_errors(app, page=_error_page)
    app.before_request(_check_media_type)
    csrf = CSRFProtect(app)
    api = app.extensions["chushan_api"] = ProblemApi(app)
    for part in (sync, handover, labour, health):
        csrf.exempt(part.blueprint)
        api.register_blueprint(part.blueprint)
    for page in (
        docs,
        accounts,
        review,
        conflicts,
        duplicates,
        duplicate_households,
        elsewhere,
        roster,
        handover_page,
        labour_pages,
        home,
    ):
        app.register_blueprint(page.blueprint)
    app.view_functions["static"] = audience("public")(app.view_functions["static"])
    app.after_request(_protect)
    return app


def _error_page(error: ErrorCode, detail: str) -> str:
    lang = pages.language()
    shown, _ = pages.page(
        "error.html", title=error.title(lang), action=error.action(lang), detail=detail
    )
    return shown


def _check_media_type() -> None:
    known = request.is_json or request.mimetype in (PACKED, MEDIA_TYPE)
    if is_api_request() and request.content_length and not known:
        raise ChushanError("wrong_media_type", supported=["application/json"])


def _protect(response: Response) -> Response:
    if is_api_request() and response.status_code == 304:
        return response  # has no body; every byte counts on a bad link
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers.setdefault("X-Frame-Options", "DENY")
    response.headers.setdefault(
        "Content-Security-Policy",
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
        " frame-ancestors 'none'; form-action 'self'",
    )
    if request.endpoint != "static":
        # Nearly every answer holds personal data; none of it belongs into a shared cache.
        response.headers.setdefault("Cache-Control", "no-store")
    return response
