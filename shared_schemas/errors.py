"""Every error that a client can see: a stable code, its HTTP status and its words.

The words stand in `locale/errors.toml` under the code. On the wire an error is RFC 9457
`application/problem+json` with `code` beside the standard members.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shared_schemas.locale import text


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """A kind of error: its stable code and HTTP status."""

    code: str
    status: int

    def title(self, lang: str = "zh") -> str:
        """Return what happened, in `lang`."""
        return text(f"errors.{self.code}.title", lang)

    def action(self, lang: str = "zh") -> str:
        """Return what to do now, in `lang`."""
        return text(f"errors.{self.code}.action", lang)


ERRORS: dict[str, ErrorCode] = {
    error.code: error
    for error in (
        ErrorCode("malformed", 400),
        ErrorCode("bad_query", 422),
        ErrorCode("invalid_message", 422),
        ErrorCode("invalid_values", 422),
        ErrorCode("unknown_protocol", 409),
        ErrorCode("app_too_old", 409),
        ErrorCode("sign_in_needed", 401),
        ErrorCode("bad_token", 401),
        ErrorCode("device_revoked", 403),
        ErrorCode("forbidden", 403),
        ErrorCode("not_found", 404),
        ErrorCode("method_not_allowed", 405),
        ErrorCode("not_acceptable", 406),
        ErrorCode("request_timeout", 408),
        ErrorCode("sequence_gap", 409),
        ErrorCode("forked", 409),
        ErrorCode("epoch_changed", 409),
        ErrorCode("changed_meanwhile", 409),
        ErrorCode("wrong_state", 409),
        ErrorCode("held_by_other", 409),
        ErrorCode("enrolment_expired", 410),
        ErrorCode("too_large", 413),
        ErrorCode("handover_not_one", 422),
        ErrorCode("handover_damaged", 422),
        ErrorCode("handover_unknown_phone", 422),
        ErrorCode("handover_out_of_scope", 403),
        ErrorCode("wrong_media_type", 415),
        ErrorCode("limit_reached", 429),
        ErrorCode("internal", 500),
        ErrorCode("busy", 503),
        ErrorCode("storage_full", 507),
    )
}


class ChushanError(Exception):
    """An error with a stable code. `detail` is for people, `extra` for programs; neither is personal."""

    def __init__(self, code: str, detail: str = "", **extra: Any) -> None:
        super().__init__(code)
        self.error = ERRORS[code]
        self.detail = detail
        self.extra = extra
