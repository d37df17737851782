"""The OpenAPI document: sound, browsable, and no request made from it breaks the server."""

from __future__ import annotations

import hashlib
from pathlib import Path
from unittest import SkipTest

import pytest
import schemathesis
from builders import WANGMO, a_family, a_firm, a_phone
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.openapi import from_wsgi

import server.web
from server.app import create_app
from server.services.upgrade import upgrade_database
from server.settings import Settings
from server.storage.engine import open_engine, writing
from shared_schemas.handover import MEDIA_TYPE

schemathesis.serializer.alias(MEDIA_TYPE, "application/octet-stream")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Return the document's schema against a server with some data, and the headers of a phone."""
    folder = tmp_path_factory.mktemp("openapi")
    url = f"sqlite:///{folder}/chushan.db"
    engine = open_engine(url)
    upgrade_database(engine)
    app = create_app(
        Settings(database_url=url, secret_key="x", data_dir=str(folder), log_level="ERROR",
                 requests_per_minute=10**9)
    )  # fmt: skip
    phone = a_phone(app, engine)
    phone.submit(a_family())
    with writing(engine) as conn:
        _, key = a_firm(conn, WANGMO)
    yield from_wsgi("/openapi.json", app), {"/sync/": phone.token, "/v1/": key}
    app.extensions["chushan"].engine.dispose()
    engine.dispose()


def test_no_request_breaks_the_server(served):
    """Schemathesis makes requests from the document, good ones and bad ones."""
    schema, tokens = served

    def ask(case):
        token = next((t for prefix, t in tokens.items() if case.path.startswith(prefix)), "")
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {token}"}
        answer = case.call()
        assert answer.status_code < 500, (case.path, answer.text)
        if answer.status_code >= 400:
            assert answer.headers["content-type"][0] == "application/problem+json"
            assert answer.json()["code"]
        statuses.setdefault(case.path, set()).add(answer.status_code)

    statuses: dict[str, set[int]] = {}
    for found in schema.get_all_operations():
        operation = found.ok()
        for mode in GenerationMode:
            cases = operation.as_strategy(generation_mode=mode)
            try:
                bounded(given(case=cases)(ask))()
            except (Unsatisfiable, SkipTest):
                continue  # nothing can be wrong with a request without parameters
    assert set(statuses) == set(schema.raw_schema["paths"])
    assert 200 in statuses["/sync/v1/pull"]
    assert statuses["/sync/v1/push"] & {200, 422}


bounded = settings(
    max_examples=15,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_json_route_says_what_it_answers_and_who_may_ask(client):
    document = client.get("/openapi.json").json
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method == "parameters":  # what stands in the path, for all its methods
                continue
            assert operation["summary"], (path, method)
            assert "200" in operation["responses"] or "201" in operation["responses"], path
            assert operation["responses"]["default"]["$ref"].endswith("DEFAULT_ERROR")
            if path.startswith(("/sync/", "/v1/")) and path != "/sync/v1/enrol":
                assert operation["security"], path


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_page_loads_nothing_from_elsewhere(client):
    page = client.get("/api-docs")
    assert page.status_code == 200
    assert "http" not in page.text.replace("http-equiv", "")
    for asset in ("vendor/swagger-ui.css", "vendor/swagger-ui-bundle.js", "api-docs.js"):
        assert f"/static/{asset}" in page.text
        assert client.get(f"/static/{asset}").status_code == 200


def test_vendored_files_are_what_was_pinned():
    vendor = Path(server.web.__file__).parent / "static" / "vendor"
    lines = (vendor / "VERSIONS").read_text().splitlines()
    pinned = dict(reversed(line.split("  ")) for line in lines if not line.startswith("#"))
    assert set(pinned) == {file.name for file in vendor.iterdir()} - {"VERSIONS"}
    for name, digest in pinned.items():
        assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == digest, name
