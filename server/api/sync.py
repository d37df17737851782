"""The phones' routes: enrol, hello, push, pull. `docs/protocol.md` tells the conversation."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import marshmallow as ma
from flask import Response, request
from flask_smorest import Blueprint
from marshmallow import validate

from server.access import audience, current_device, limit_calls, server
from server.observe import ROWS_PULLED, log, note_push
from server.services.build_pull import RolledBack, begin_epoch, build_pull, spans_from_text
from server.services.enrol import enrol_device
from server.services.phone_index import follow, tell_index, tell_pages
from server.services.receive_push import push_from_message, read_outcomes, receive_push
from server.services.say_hello import hello_mark, is_to_be_noted, say_hello
from server.storage.devices import note_sync
from server.storage.engine import reading, write_once
from shared_schemas.errors import ChushanError
from shared_schemas.messages import (
    SAFE_INTEGER,
    EnrolAnswer,
    EnrolRequest,
    HelloAnswer,
    IndexAnswer,
    IndexPages,
    OutcomesAnswer,
    PullLine,
    PushAnswer,
    PushRequest,
)
from shared_schemas.phone_index import PAGES
from shared_schemas.protocol import (
    MAX_CHANGES,
    MAX_PACKED_BYTES,
    MAX_PAGE,
    PACKED,
)
from shared_schemas.wire import NotAMessageError, dictionary, pack, parse_json, to_json, unpack

blueprint = Blueprint(
    "sync", __name__, url_prefix="/sync/v1", description="手机同步 · What phones talk"
)
JSON = "application/json"
NDJSON = "application/x-ndjson"
ENROLMENTS_PER_MINUTE = 20
MOST_PAGES = 32
FOLLOW_S = 1.0
"""How long a phone that asks for the index may wait while it is brought up to date."""

_following = threading.Lock()
"""One phone's request brings an index up to date; others take it as it is."""

_incarnation = validate.Regexp(r"^[0-9a-hjkmnp-tv-z]{13}$")


_cursor = validate.Length(max=100)

_ANSWERED = "[0-9a-hjkmnp-tv-z]{13}-[0-9]{1,15}-[0-9a-f]{8}"


class HelloQuery(ma.Schema):
    """Which installation asks, and what it has already."""

    incarnation = ma.fields.String(required=True, validate=_incarnation)
    cursor = ma.fields.String(validate=_cursor, metadata={"description": "of the last pull"})
    places = ma.fields.String(
        validate=validate.Length(max=16),
        metadata={"description": "`places` of the last answer, to be spared the divisions"},
    )
    epoch = ma.fields.String(
        validate=validate.Length(max=40),
        metadata={"description": "by which it has its answers, where no cursor says it"},
    )
    answered = ma.fields.String(
        validate=validate.Regexp(rf"^{_ANSWERED}(,{_ANSWERED}){{0,19}}$"),
        metadata={
            "description": "of each incarnation the highest n that has an answer, and the first"
            " 8 digits of that change's hash: `incarnation-n-hash`, commas between"
        },
    )


class OutcomesQuery(ma.Schema):
    """Which changes are asked about."""

    incarnation = ma.fields.String(required=True, validate=_incarnation)
    first = ma.fields.Integer(required=True, validate=validate.Range(1, SAFE_INTEGER))
    last = ma.fields.Integer(required=True, validate=validate.Range(1, SAFE_INTEGER))

    @ma.validates_schema
    def is_a_range(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse more than one batch."""
        if not 0 <= data["last"] - data["first"] < MAX_CHANGES:
            raise ma.ValidationError(f"at most {MAX_CHANGES} changes, first to last", "last")


class PullQuery(ma.Schema):
    """From where on, and at most how many rows."""

    cursor = ma.fields.String(
        validate=_cursor, metadata={"description": "left out at the first pull"}
    )
    incarnation = ma.fields.String(
        validate=_incarnation, metadata={"description": "to be told its `tally`"}
    )
    held = ma.fields.String(
        validate=validate.Length(max=1000),
        metadata={
            "description": "`first-last-tag` of what was `shown` and is held already, with commas between"
        },
    )
    limit = ma.fields.Integer(load_default=MAX_PAGE, validate=validate.Range(1, MAX_PAGE))
    schema = ma.fields.Integer(
        load_default=1,
        validate=validate.Range(1),
        metadata={"description": "of the phone; an older one gets what it understands"},
    )


class IndexQuery(ma.Schema):
    """Which index the phone has, and up to which change."""

    generation = ma.fields.String(validate=validate.Length(max=40), load_default=None)
    after = ma.fields.Integer(validate=validate.Range(0, SAFE_INTEGER), load_default=None)


class IndexPagesQuery(ma.Schema):
    """Which pages of which index."""

    generation = ma.fields.String(required=True, validate=validate.Length(max=40))
    first = ma.fields.Integer(required=True, validate=validate.Range(0, PAGES - 1))
    count = ma.fields.Integer(load_default=4, validate=validate.Range(1, MOST_PAGES))


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
@blueprint.alt_response(
    304, description="Nothing has changed since the answer whose ETag stands in If-None-Match"
)
def hello(given: dict[str, Any]) -> Response:
    """Say what a phone needs to know before it syncs, and whether there is anything new."""
    here, device, now_ms = server(), current_device(), server().now_ms()
    told = (life.split("-") for life in given.pop("answered", "").split(",") if life)
    answered = {life: (int(n), named) for life, n, named in told}
    try:
        with reading(here.engine) as conn:
            answer = say_hello(conn, device, **given, answered=answered, now_ms=now_ms)
    except RolledBack as met:
        _begin_epoch(met)
        with reading(here.engine) as conn:
            answer = say_hello(conn, device, given["incarnation"], now_ms=now_ms)
    if is_to_be_noted(device, now_ms):
        write_once(
            here.engine, lambda conn: note_sync(conn, device.county, device.id, now_ms=now_ms)
        )
    mark = hello_mark(answer)
    said = Response(status=304) if mark in request.if_none_match else _answered(answer)
    said.set_etag(mark)
    return said


def _begin_epoch(met: RolledBack) -> str:
    """Begin a new epoch, since the database was copied back: by it all phones learn of that."""
    here, device = server(), current_device()
    epoch = write_once(here.engine, lambda conn: begin_epoch(conn, instead_of=met.epoch))
    log.warning("database_rolled_back", county=device.county, device=device.id)
    return epoch


@blueprint.route("/outcomes")
@audience("device", "lost_device")
@blueprint.arguments(OutcomesQuery, location="query")
@blueprint.response(200, OutcomesAnswer)
def outcomes(given: dict[str, Any]) -> dict[str, Any]:
    """Say what has become of changes that were pushed, held ones above all."""
    with reading(server().engine) as conn:
        return {"outcomes": read_outcomes(conn, current_device(), **given)}


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
    note_push(outcomes, new=result.new, county=device.county, device=device.id)
    answer = result.to_message()
    if request.mimetype == PACKED:
        return Response(pack(answer), mimetype=PACKED)
    return Response(to_json(answer), mimetype=JSON)


def _pushed_message() -> Any:
    request.max_content_length = MAX_PACKED_BYTES
    if request.mimetype not in (PACKED, JSON):
        raise ChushanError("wrong_media_type", supported=[PACKED, JSON])
    body = request.get_data(cache=False)
    try:
        return unpack(body) if request.mimetype == PACKED else parse_json(body)
    except NotAMessageError as error:
        raise ChushanError("malformed") from error


@blueprint.route("/pull")
@audience("device")
@blueprint.arguments(PullQuery, location="query")
@blueprint.response(
    200, PullLine, content_type=NDJSON, description="One PullLine a line, in the order of seq"
)
def pull(given: dict[str, Any]) -> Response:
    """Send what the phone has not seen, line by line; a cut line is simply asked for again."""
    here, device = server(), current_device()
    held = spans_from_text(given.pop("held")) if "held" in given else ()
    try:
        with reading(here.engine) as conn:
            page = build_pull(conn, device, **{"cursor": None, **given}, held=held)
    except RolledBack as met:
        raise ChushanError("epoch_changed", epoch=_begin_epoch(met)) from met
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


@blueprint.route("/index")
@audience("device")
@blueprint.arguments(IndexQuery, location="query")
@blueprint.response(200, IndexAnswer)
def index(given: dict[str, Any]) -> Response:
    """Say how the index of who is registered in the county changed, so that phones can warn offline."""
    here, county = server(), current_device().county
    if _following.acquire(blocking=False):
        try:
            follow(here.engine, county, now_ms=here.now_ms(), for_s=FOLLOW_S)
        finally:
            _following.release()
    with reading(here.engine) as conn:
        return _answered(tell_index(conn, county, **given))


@blueprint.route("/index/pages")
@audience("device")
@blueprint.arguments(IndexPagesQuery, location="query")
@blueprint.response(200, IndexPages)
def index_pages(given: dict[str, Any]) -> Response:
    """Give pages of that index, to a phone that has none yet."""
    with reading(server().engine) as conn:
        return _answered(tell_pages(conn, current_device().county, **given))


def _answered(answer: dict[str, Any]) -> Response:
    wanted = request.accept_mimetypes.best_match([JSON, PACKED], default=JSON)
    if wanted == PACKED:
        return Response(pack(answer), mimetype=PACKED)
    return Response(to_json(answer), mimetype=JSON)
