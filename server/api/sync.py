"""The phones' routes: enrol, hello, push, pull. `docs/protocol.md` tells the conversation."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import marshmallow as ma
from flask import Response, request
from flask_smorest import Blueprint
from marshmallow import validate

from server.access import audience, current_device, limit_calls, server
from server.observe import CHANGES, ROWS_PULLED, log
from server.services.build_pull import build_pull
from server.services.enrol import enrol_device
from server.services.receive_push import push_from_message, receive_push
from server.services.say_hello import say_hello
from server.storage.engine import reading, write_once
from shared_schemas.errors import ChushanError
from shared_schemas.messages import (
    EnrolAnswer,
    EnrolRequest,
    HelloAnswer,
    PullLine,
    PushAnswer,
    PushRequest,
)
from shared_schemas.protocol import (
    MAX_PACKED_BYTES,
    MAX_PAGE,
    PACKED,
    PROTOCOL,
    SUPPORTED_PROTOCOLS,
)
from shared_schemas.wire import NotAMessageError, dictionary, pack, parse_json, to_json, unpack

blueprint = Blueprint(
    "sync", __name__, url_prefix="/sync/v1", description="手机同步 · What phones talk"
)
JSON = "application/json"
NDJSON = "application/x-ndjson"
ENROLMENTS_PER_MINUTE = 20
_push_request = PushRequest()
_incarnation = validate.Regexp(r"^[0-9a-hjkmnp-tv-z]{13}$")


class HelloQuery(ma.Schema):
    """Which installation asks."""

    incarnation = ma.fields.String(required=True, validate=_incarnation)


class PullQuery(ma.Schema):
    """From where on, and at most how many rows."""

    cursor = ma.fields.String(
        validate=validate.Length(max=100), metadata={"description": "left out at the first pull"}
    )
    limit = ma.fields.Integer(load_default=MAX_PAGE, validate=validate.Range(1, MAX_PAGE))


@blueprint.route("/enrol", methods=["POST"])
@audience("public")
@blueprint.arguments(EnrolRequest)
@blueprint.response(200, EnrolAnswer)
def enrol(given: dict[str, Any]) -> dict[str, Any]:
    """Exchange a one-time code for a device token."""
    here = server()
    limit_calls(f"enrol {request.remote_addr}"[:80], most=ENROLMENTS_PER_MINUTE)
    enrolled = write_once(
        here.engine,
        lambda conn: enrol_device(conn, **given, device_id=here.new_id(), now_ms=here.now_ms()),
    )
    log.info(
        "device_enrolled",
        county=enrolled.device.county,
        device=enrolled.device.id,
        app_version=enrolled.device.app_version,
    )
    return {"token": enrolled.token, "device_id": enrolled.device.id}


@blueprint.route("/hello")
@audience("device", "lost_device")
@blueprint.arguments(HelloQuery, location="query")
@blueprint.response(200, HelloAnswer)
def hello(given: dict[str, Any]) -> dict[str, Any]:
    """Say what a phone needs to know before it syncs."""
    here = server()
    with reading(here.engine) as conn:
        return say_hello(conn, current_device(), given["incarnation"], now_ms=here.now_ms())


@blueprint.route("/push", methods=["POST"])
@audience("device", "lost_device")
@blueprint.doc(
    requestBody={
        "required": True,
        "content": {
            JSON: {"schema": PushRequest},
            PACKED: {"schema": {"type": "string", "contentMediaType": PACKED}},
        },
    },
)
@blueprint.response(200, PushAnswer)
def push() -> Response:
    """Store a batch of changes; each exactly once, however often it is sent."""
    here, device = server(), current_device()
    batch = push_from_message(_pushed_message())
    result = write_once(
        here.engine,
        lambda conn: receive_push(conn, batch, device=device, now_ms=here.now_ms()),
    )
    outcomes = [entry.outcome.value for entry in result.outcomes]
    for outcome in set(outcomes):
        CHANGES.labels(outcome).inc(outcomes.count(outcome))
    log.info(
        "push_received",
        county=device.county,
        device=device.id,
        changes=len(batch.changes),
        new=result.new,
        held=outcomes.count("held"),
        conflicts=outcomes.count("conflict"),
    )
    answer = result.to_message()
    if request.mimetype == PACKED:
        return Response(pack(answer), mimetype=PACKED)
    return Response(to_json(answer), mimetype=JSON)


def _pushed_message() -> dict[str, Any]:
    request.max_content_length = MAX_PACKED_BYTES
    if request.mimetype not in (PACKED, JSON):
        raise ChushanError("wrong_media_type", supported=[PACKED, JSON])
    body = request.get_data(cache=False)
    try:
        message = unpack(body) if request.mimetype == PACKED else parse_json(body)
        loaded: dict[str, Any] = _push_request.load(message)
    except NotAMessageError as error:
        raise ChushanError("malformed") from error
    except ma.ValidationError as error:
        if (
            isinstance(message, dict)
            and message.get("protocol", PROTOCOL) not in SUPPORTED_PROTOCOLS
        ):
            raise ChushanError("unknown_protocol", supported=sorted(SUPPORTED_PROTOCOLS)) from error
        raise ChushanError("invalid_message", errors=error.normalized_messages()) from error
    return loaded


@blueprint.route("/pull")
@audience("device")
@blueprint.arguments(PullQuery, location="query")
@blueprint.response(
    200, PullLine, content_type=NDJSON, description="One PullLine a line, in the order of seq"
)
def pull(given: dict[str, Any]) -> Response:
    """Send what the phone has not seen, line by line; a cut line is simply asked for again."""
    here, device = server(), current_device()
    with reading(here.engine) as conn:
        page = build_pull(conn, device, given.get("cursor"), limit=given["limit"])
    ROWS_PULLED.inc(page.rows)
    log.info("pull_answered", county=device.county, device=device.id, rows=page.rows)
    # Who says nothing of what he takes takes anything.
    anything = None if request.accept_mimetypes else NDJSON
    wanted = request.accept_mimetypes.best_match([NDJSON, PACKED, JSON], default=anything)
    if wanted is None:
        raise ChushanError("not_acceptable", supported=[NDJSON, PACKED])
    if wanted == PACKED:
        return Response(_packed(page.lines), mimetype=PACKED)
    return Response((to_json(line) + b"\n" for line in page.lines), mimetype=NDJSON)


def _packed(lines: Sequence[dict[str, Any]]) -> Iterator[bytes]:
    packer = zlib.compressobj(6, zlib.DEFLATED, 15, 9, zlib.Z_DEFAULT_STRATEGY, dictionary())
    for line in lines:
        yield packer.compress(to_json(line) + b"\n") + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()
