"""Is the server well? For whoever keeps it running."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import marshmallow as ma
from flask import Response
from flask_smorest import Blueprint
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from server.access import audience, server
from server.observe import registry
from server.storage.engine import reading
from server.storage.meta import epoch_of
from shared_schemas.errors import ChushanError

blueprint = Blueprint("health", __name__, description="运行状况 · Whether the server is well")


class Health(ma.Schema):
    """The database answers, and was upgraded."""

    status = ma.fields.String(required=True, metadata={"description": "always `ok`; 503 otherwise"})
    version = ma.fields.String(required=True)
    database = ma.fields.String(required=True, metadata={"description": "sqlite or postgresql"})


@blueprint.route("/health")
@audience("public")
@blueprint.response(200, Health)
def health() -> dict[str, Any]:
    """Say whether the server can work: it reaches its database and finds it upgraded."""
    engine = server().engine
    with reading(engine) as conn:
        if not epoch_of(conn):
            raise ChushanError("busy", detail="the database was not upgraded")
    return {"status": "ok", "version": version("chushan"), "database": engine.dialect.name}


@blueprint.route("/metrics")
@audience("loopback")
@blueprint.doc(responses={"200": {"content": {"text/plain": {"schema": {"type": "string"}}}}})
def metrics() -> Response:
    """Counters for Prometheus, to this machine only; of this worker process only."""
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
