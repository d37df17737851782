"""A phone brings in a hand-over file of another, in pieces, and fetches the receipt for it."""

from __future__ import annotations

import re
import secrets
from typing import Any

import marshmallow as ma
from flask import Response, request
from flask_smorest import Blueprint
from marshmallow import validate

from server.access import audience, current_device, server
from server.observe import log
from server.services.take_handover import file_on_its_way, make_receipt, take_piece
from server.storage.engine import reading
from server.storage.handover import Handover, PieceKey, handover_by_hash
from shared_schemas.errors import ChushanError
from shared_schemas.handover import MAX_BYTES, MEDIA_TYPE, SALT_BYTES
from shared_schemas.messages import HandoverState

blueprint = Blueprint(
    "handover", __name__, url_prefix="/sync/v1", description="交接文件 · Hand-over files"
)
MAX_PIECE_BYTES = 512 * 1024
_BODY = {"schema": {"type": "string", "format": "binary"}}


class PieceQuery(ma.Schema):
    """Where a piece belongs in its file."""

    offset = ma.fields.Integer(required=True, validate=validate.Range(0, MAX_BYTES))
    size = ma.fields.Integer(
        required=True,
        validate=validate.Range(1),
        metadata={"description": f"of the whole file, at most {MAX_BYTES} bytes"},
    )


@blueprint.route("/handover/<sha256>")
@audience("device", "lost_device")
@blueprint.response(200, HandoverState)
def state(sha256: str) -> dict[str, Any]:
    """Say how much of a hand-over file has come, and whether it was taken."""
    with reading(server().engine) as conn:
        return _state(*file_on_its_way(conn, _key(sha256)))


@blueprint.route("/handover/<sha256>", methods=["PUT"])
@audience("device", "lost_device")
@blueprint.doc(requestBody={"required": True, "content": {MEDIA_TYPE: _BODY}})
@blueprint.arguments(PieceQuery, location="query")
@blueprint.response(200, HandoverState)
def piece(given: dict[str, Any], sha256: str) -> dict[str, Any]:
    """Keep a piece of a hand-over file; with the last one, take the file in."""
    key, here = _key(sha256), server()
    request.max_content_length = MAX_PIECE_BYTES
    if request.mimetype != MEDIA_TYPE:
        raise ChushanError("wrong_media_type", supported=[MEDIA_TYPE])
    have, taken = take_piece(
        here.engine,
        key,
        given["offset"],
        given["size"],
        request.get_data(cache=False),
        now_ms=here.now_ms(),
    )
    if taken is not None:
        log.info(
            "handover_taken",
            county=taken.county,
            device=taken.device_id,
            carrier=key.carrier_id,
            changes=taken.changes,
            new=taken.new,
            fault=taken.fault,
        )
    return _state(have, taken)


@blueprint.route("/handover/<sha256>/receipt")
@audience("device", "lost_device")
@blueprint.response(200, {"type": "string", "format": "binary"}, content_type=MEDIA_TYPE)
def receipt(sha256: str) -> Response:
    """Give the receipt for the phone that wrote a file that was taken; only that phone can read it."""
    here = server()
    with reading(here.engine) as conn:
        key = _key(sha256)
        taken = handover_by_hash(conn, key.county, key.sha256)
        if taken is None:
            raise ChushanError("not_found")
        made = make_receipt(conn, taken, salt=secrets.token_bytes(SALT_BYTES), now_ms=here.now_ms())
    return Response(made, mimetype=MEDIA_TYPE)


def _key(sha256: str) -> PieceKey:
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise ChushanError("not_found")
    device = current_device()
    return PieceKey(device.county, device.id, sha256)


def _state(have: int, taken: Handover | None) -> dict[str, Any]:
    if taken is None:
        return {"have": have, "taken": False}
    told = {"changes": taken.changes, "new": taken.new, "fault": taken.fault}
    return {"have": have, "taken": True, **told}
