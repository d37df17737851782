"""The interfaces' own description: the OpenAPI document and a page to browse it."""

from __future__ import annotations

import html
from typing import Any

from flask import Blueprint, Flask, Response, current_app, jsonify, url_for

from server.access import audience, audience_of
from shared_schemas import SCHEMA_VERSION
from shared_schemas.protocol import PROTOCOL
from shared_schemas.records import RecordKind, record_kinds

blueprint = Blueprint("docs", __name__)

PROBLEM = "application/problem+json"
SECURITY = {"device": "device_token", "lost_device": "device_token", "firm_key": "firm_key"}
DESCRIPTION = (
    "手机同步用 /sync/v1,人力资源机构取用工名单用 /v1。"
    "所有错误都是 RFC 9457 application/problem+json,`code` 不会改名。\n\n"
    "Phones sync at /sync/v1; HR firms pull the available-labour list at /v1. Every error is RFC"
    " 9457 application/problem+json; its `code` never changes its meaning."
)


@blueprint.route("/openapi.json")
@audience("public")
def openapi_json() -> Response:
    """The OpenAPI 3.1 document of the JSON interfaces."""
    return jsonify(openapi_document(current_app))


@blueprint.route("/api-docs")
@audience("public")
def api_docs() -> Response:
    """A page to browse the interfaces; it loads nothing from elsewhere."""

    def asset(name: str) -> str:
        return html.escape(url_for("static", filename=name))

    return Response(
        '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<title>接口说明 API · 出山 Chushan</title>"
        f'<link rel="icon" href="{asset("mountain.svg")}" type="image/svg+xml">'
        f'<link rel="stylesheet" href="{asset("vendor/swagger-ui.css")}"></head>'
        '<body><noscript><p><a href="/openapi.json">openapi.json</a></p></noscript>'
        '<div id="swagger-ui"></div>'
        f'<script src="{asset("vendor/swagger-ui-bundle.js")}"></script>'
        f'<script src="{asset("api-docs.js")}"></script></body></html>',
        mimetype="text/html",
    )


def openapi_document(app: Flask) -> dict[str, Any]:
    """Return the OpenAPI document, with each kind of record from its declared fields."""
    document: dict[str, Any] = app.extensions["chushan_api"].spec.to_dict()
    document["info"] |= {
        "description": DESCRIPTION,
        "x-sync-protocol": PROTOCOL,
        "x-record-schema": SCHEMA_VERSION,
    }
    parts = document.setdefault("components", {})
    parts.setdefault("schemas", {}).update(
        {k.name.title(): record_schema(k) for k in record_kinds()}
    )
    parts["securitySchemes"] = {
        "device_token": {"type": "http", "scheme": "bearer", "description": "手机 · phone"},
        "firm_key": {"type": "http", "scheme": "bearer", "description": "机构密钥 · firm's key"},
    }
    for answer in parts.get("responses", {}).values():
        _as_problem(answer)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if isinstance(operation, dict) and "responses" in operation:
                _complete(app, path, method, operation)
    return document


def record_schema(kind: RecordKind) -> dict[str, Any]:
    """Return the JSON Schema of a kind of record; `extra` fields of newer phones are let through."""
    return {
        "type": "object",
        "title": kind.zh,
        "description": kind.en,
        "properties": {
            name: {
                **field.json_schema(),
                "title": field.info.zh,
                "description": field.info.en,
                "x-audiences": sorted(field.info.audiences),
            }
            for name, field in kind.fields.items()
        },
        "additionalProperties": True,
    }


def _as_problem(answer: dict[str, Any]) -> None:
    content = answer.get("content", {})
    if "application/json" in content:
        content[PROBLEM] = content.pop("application/json")


def _complete(app: Flask, path: str, method: str, operation: dict[str, Any]) -> None:
    endpoint = next(
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if _openapi_path(rule.rule) == path and method.upper() in (rule.methods or ())
    )
    schemes = {
        SECURITY[who] for who in audience_of(app.view_functions[endpoint]) if who in SECURITY
    }
    if schemes:
        operation["security"] = [{scheme: []} for scheme in sorted(schemes)]
    for status, answer in operation["responses"].items():
        if status.isdigit() and int(status) >= 400:
            _as_problem(answer)
    operation["responses"].setdefault("default", {"$ref": "#/components/responses/DEFAULT_ERROR"})


def _openapi_path(rule: str) -> str:
    return rule.replace("<", "{").replace(">", "}")
