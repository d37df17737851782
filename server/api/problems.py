"""Every error as the client sees it: RFC 9457 for programs, a plain page for people.

One place, so that a 404 of the router, a refused argument and a failed transaction look alike.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import marshmallow as ma
from flask import Flask, Response, current_app, jsonify, redirect, request, url_for
from flask_smorest import Api
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import HTTPException

from server.observe import log_failure
from server.storage.engine import is_disk_full
from shared_schemas.errors import ERRORS, ChushanError, ErrorCode
from shared_schemas.locale import LANGUAGES

_BUSY = (OperationalError, PoolTimeoutError)
"""The database cannot be reached, is locked for long, or has no connection left."""

API_PREFIXES = ("/sync/", "/v1/", "/health", "/metrics", "/openapi.json")
_CODE_OF_STATUS = {
    400: "malformed",
    401: "sign_in_needed",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "request_timeout",
    409: "wrong_state",
    410: "enrolment_expired",
    413: "too_large",
    415: "wrong_media_type",
    422: "invalid_message",
    429: "limit_reached",
    503: "busy",
}


class Problem(ma.Schema):
    """An error, RFC 9457. `code` is stable; `title` and `action` are for people."""

    type = ma.fields.String(required=True)
    title = ma.fields.String(required=True, metadata={"description": "what happened"})
    status = ma.fields.Integer(required=True)
    code = ma.fields.String(required=True, validate=ma.validate.OneOf(list(ERRORS)))
    action = ma.fields.String(required=True, metadata={"description": "what to do now"})
    detail = ma.fields.String()
    errors = ma.fields.Dict(metadata={"description": "what is wrong with each field"})


class ProblemApi(Api):
    """flask-smorest with our errors instead of its own, which drop the Allow header."""

    ERROR_SCHEMA = Problem

    def handle_http_exception(self, error: HTTPException) -> Any:
        """Answer an HTTP error of the router, of werkzeug or of an argument's schema."""
        return answer_http_exception(error)


Page = Callable[[ErrorCode, str], str]


def handle_errors(app: Flask, *, page: Page) -> None:
    """Make the app answer every error as a problem; `page` draws one for a person."""
    app.extensions["chushan_error_page"] = page
    app.register_error_handler(ChushanError, answer_chushan_error)
    app.register_error_handler(HTTPException, answer_http_exception)
    app.register_error_handler(Exception, answer_failure)


def answer_chushan_error(error: ChushanError) -> Any:
    """Answer an error that the code raised on purpose."""
    wants_sign_in = error.error.code == "sign_in_needed" and not is_api_request()
    if wants_sign_in and "accounts.sign_in" in current_app.view_functions:
        target = request.full_path.rstrip("?") if request.method == "GET" else None
        return redirect(url_for("accounts.sign_in", next=target))
    return problem(error.error, detail=error.detail, **error.extra)


def answer_http_exception(error: HTTPException) -> Any:
    """Answer an HTTP error; its own headers (Allow, Retry-After) are kept."""
    if error.response is not None:
        return error.response
    status = error.code or 500
    if status < 400:
        return error.get_response()
    messages = getattr(error, "data", {}).get("messages", {})
    if status == 422 and set(messages) & {"query", "path", "headers"}:
        known = ERRORS["bad_query"]
    else:
        known = ERRORS[_CODE_OF_STATUS.get(status, "internal" if status >= 500 else "malformed")]
    kept = {k: v for k, v in error.get_headers() if k not in ("Content-Type", "Content-Length")}
    kept |= getattr(error, "data", {}).get("headers") or {}
    extra = {"errors": messages} if messages else {}
    return problem(known, status=status, headers=kept, **extra)


def answer_failure(error: Exception) -> Any:
    """Answer what nobody expected: logged without its message, told without a traceback."""
    if isinstance(error, RecursionError):  # a body that nests without end
        return problem(ERRORS["malformed"])
    log_failure(error)
    if isinstance(error, OperationalError) and is_disk_full(error):
        return problem(ERRORS["storage_full"])
    return problem(ERRORS["busy" if isinstance(error, _BUSY) else "internal"])


def is_api_request() -> bool:
    """Tell whether a program asks, not a person's browser."""
    return request.path.startswith(API_PREFIXES)


def language() -> str:
    """Return the language of an answer: Chinese unless English is preferred."""
    return request.accept_languages.best_match(LANGUAGES) or "zh"


def problem(
    error: ErrorCode,
    *,
    detail: str = "",
    status: int | None = None,
    headers: dict[str, str] | None = None,
    **extra: Any,
) -> Response:
    """Return the answer for an error. `extra` members stand beside the standard ones."""
    status = status or error.status
    if is_api_request():
        body = {
            "type": f"urn:chushan:error:{error.code}",
            "title": error.title(language()),
            "status": status,
            "code": error.code,
            "action": error.action(language()),
            **({"detail": detail} if detail else {}),
            **extra,
        }
        response = jsonify(body)
        response.mimetype = "application/problem+json"
    else:
        response = Response(_page(error, detail), mimetype="text/html")
    response.status_code = status
    for name, value in (headers or {}).items():
        response.headers[name] = value
    if status == 401:
        response.headers.setdefault("WWW-Authenticate", 'Bearer realm="chushan"')
    if "retry_after_s" in extra:
        response.headers["Retry-After"] = str(extra["retry_after_s"])
    return response


def _page(error: ErrorCode, detail: str) -> str:
    try:
        page: Page = current_app.extensions["chushan_error_page"]
        return page(error, detail)
    except Exception as failure:  # the page asks the database, which may be what failed
        log_failure(failure)
        return _bare_page(error, detail)


def _bare_page(error: ErrorCode, detail: str) -> str:
    lines = [f"<p>{html.escape(detail)}</p>"] if detail else []
    for lang in LANGUAGES:
        lines.append(f'<h2 lang="{lang}">{html.escape(error.title(lang))}</h2>')
        lines.append(f'<p lang="{lang}">{html.escape(error.action(lang))}</p>')
    return (
        '<!doctype html><html lang="zh-CN"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(error.title())} · 出山</title><main>{''.join(lines)}"
        f'<p><a href="/">出山 Chushan</a></p></main></html>'
    )
