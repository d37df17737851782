"""The command `chushan`, run as a person would."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from mobile.sync.enrol import read_qr
from server.cli import main
from server.storage import tables
from server.storage.divisions import count_divisions
from server.storage.engine import open_engine, reading


@pytest.fixture
def run(database_url, tmp_path, monkeypatch):
    """Run `chushan` on each database."""
    monkeypatch.setenv("CHUSHAN_DATABASE_URL", database_url)
    monkeypatch.setenv("CHUSHAN_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("CHUSHAN_PUBLIC_URL", "https://county.example")

    def invoke(*words, **given):
        return CliRunner().invoke(main, [str(word) for word in words], **given)

    return invoke


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_command_explains_itself(run):
    def walk(command, *path):
        answer = run(*path, "--help")
        assert answer.exit_code == 0, path
        assert len(answer.output) > 100, path
        for name, inner in getattr(command, "commands", {}).items():
            walk(inner, *path, name)

    walk(main)


def test_from_nothing_to_an_enrolled_phone(run, app, engine):
    assert run("db", "upgrade").output == "upgraded; 0 columns added\n"
    added = run("user", "add", "zhang", "--name", "张三", "--role", "cadre", "--scope", "522326111")
    assert added.exit_code == 0, added.output
    shown = run("device", "enrol", "zhang")
    assert shown.exit_code == 0, shown.output
    assert "█" in shown.output or "▀" in shown.output
    assert "chushan:enrol?server=https%3A%2F%2Fcounty.example&code=" in shown.output
    code = re.search(r"code=([0-9A-Z]{4}-[0-9A-Z]{4})", shown.output)[1]
    with reading(engine) as conn:
        [row] = conn.execute(select(tables.enrolment)).mappings()
    assert (row["scope"], row["county"]) == ("522326111", "522326")
    assert code.replace("-", "") not in str(dict(row))


@pytest.mark.parametrize("name", ["code.png", "code.svg"])
def test_an_enrolment_code_is_written_as_a_picture_that_a_phone_reads(
    run, app, engine, tmp_path, name
):
    run("user", "add", "zhang", "--name", "张三", "--role", "cadre", "--scope", "522326111")
    shown = run("device", "enrol", "zhang", "--image", str(tmp_path / name))
    assert shown.exit_code == 0, shown.output
    text = re.search(r"chushan:enrol\?\S+", shown.output)[0]
    if name.endswith(".png"):
        assert read_qr(tmp_path / name) == text
    else:
        assert (tmp_path / name).read_text().startswith("<?xml")
    with reading(engine) as conn:
        [made] = conn.execute(select(tables.audit)).mappings()
    assert (made["action"], made["actor"], made["county"]) == ("enrolment_made", "cli", "522326")


def test_a_picture_of_a_kind_that_cannot_be_written_is_refused_before_a_code_is_made(
    run, engine, tmp_path
):
    run("user", "add", "zhang", "--name", "张三", "--role", "cadre", "--scope", "522326111")
    refused = run("device", "enrol", "zhang", "--image", str(tmp_path / "code.jpeg2000"))
    assert refused.exit_code == 1
    with reading(engine) as conn:
        assert conn.execute(select(tables.enrolment)).first() is None


def test_a_reviewer_is_added_with_a_password_from_standard_input(run, engine):
    words = ("user", "add", "li", "--name", "李四", "--role", "county", "--scope", "522326000000")
    added = run(*words, "--password-stdin", input="a long password\n")
    assert added.exit_code == 0, added.output
    again = run(*words, "--password-stdin", input="a long password\n")
    assert again.exit_code == 1
    assert "exists" in again.output
    with reading(engine) as conn:
        [row] = conn.execute(select(tables.user_account)).mappings()
    assert row["scope"] == "522326"
    assert row["password_hash"].startswith("$argon2id$")


@pytest.mark.parametrize(
    ("words", "given", "told"),
    [
        (("--role", "county"), "", "--scope"),
        (("--role", "hr_firm"), "", "--org"),
        (("--role", "hr_firm", "--org", "none"), "a long password\n", "no such organisation"),
        (("--role", "king", "--scope", "522326"), "", "king"),
        (("--role", "county", "--scope", "522326"), "short\n", "at least 10"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_person_who_cannot_be_is_refused_in_words(run, words, given, told):
    answer = run("user", "add", "x", "--name", "王五", *words, "--password-stdin", input=given)
    assert answer.exit_code != 0
    assert told in answer.output
    assert "Traceback" not in answer.output


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_code_for_a_stranger(run):
    answer = run("device", "enrol", "nobody")
    assert (answer.exit_code, "there is no nobody" in answer.output) == (1, True)


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_villages_are_imported_from_a_file(run, engine, tmp_path, charset):
    file = tmp_path / "villages.csv"
    file.write_bytes("code,name\n522327100,者楼镇\n522327100201,坡坪村\n".encode(charset))
    answer = run("divisions", "import", file)
    assert answer.exit_code == 0, answer.output
    with reading(engine) as conn:
        assert count_divisions(conn, 5) == 1
        [row] = conn.execute(
            select(tables.division).where(tables.division.c.code == "522327100201")
        ).mappings()
    assert (row["name"], row["level"], row["parent"]) == ("坡坪村", 5, "522327100000")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_bad_line_of_a_division_file_is_named(run, engine, tmp_path):
    file = tmp_path / "villages.csv"
    file.write_text("code,name\n522327100,者楼镇\n52232,坡坪村\n522327100201,\n")
    answer = run("divisions", "import", file)
    assert answer.exit_code == 1
    assert "line 3" in answer.output
    assert "line 4" in answer.output
    with reading(engine) as conn:
        assert count_divisions(conn, 4) == 0


def test_backup_and_restore(run, tmp_path):
    run("user", "add", "zhang", "--name", "张三", "--role", "cadre", "--scope", "522326")
    file = tmp_path / "backup.zip"
    assert run("backup", file).exit_code == 0
    refused = run("restore", file)
    assert (refused.exit_code, "--replace" in refused.output) == (1, True)
    done = run("restore", file, "--replace")
    assert done.exit_code == 0, done.output
    assert "a new epoch began" in done.output


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_openapi_document_is_printed(run):
    answer = run("openapi")
    document = json.loads(answer.output)
    assert document["openapi"] == "3.1.0"
    assert {"/sync/v1/push", "/v1/labour"} <= set(document["paths"])


def test_a_wrong_setting_is_named_without_a_traceback(monkeypatch, tmp_path):
    monkeypatch.setenv("CHUSHAN_DATABASE_URL", "nonsense")
    answer = CliRunner().invoke(main, ["backup", str(tmp_path / "b.zip")])
    assert answer.exit_code == 1
    assert "CHUSHAN_DATABASE_URL" in answer.output
    monkeypatch.setenv("CHUSHAN_SECURE_COOKIES", "perhaps")
    answer = CliRunner().invoke(main, ["backup", str(tmp_path / "b.zip")])
    assert "CHUSHAN_SECURE_COOKIES" in answer.output


def a_free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("by", [[], ["--waitress"]], ids=["gunicorn", "waitress"])
def test_the_server_starts_answers_and_stops(database_url, tmp_path, by, stop):
    port = a_free_port()
    command = Path(sys.executable).with_name("chushan")
    environ = os.environ | {
        "CHUSHAN_DATABASE_URL": database_url,
        "CHUSHAN_DATA_DIR": str(tmp_path / "data"),
    }
    server = subprocess.Popen(
        [command, "serve", "--port", str(port), *by],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_IGN),  # as in the background
    )
    try:
        health = ""
        for _ in range(150):
            assert server.poll() is None, server.stdout.read()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as got:
                    health = json.load(got)["status"]
                break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
        assert health == "ok"
    finally:
        server.send_signal(stop)
        out, _ = server.communicate(timeout=40)
    assert b"server_started" in out
    assert server.returncode == 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_sqlite_is_served_by_one_process(run):
    answer = run("serve", "--workers", "4")
    assert (answer.exit_code, "one writer" in answer.output) == (1, True)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_empty_database_is_not_healthy(tmp_path, database_url):
    from server.app import create_app
    from server.settings import Settings

    app = create_app(Settings(database_url=f"sqlite:///{tmp_path}/new.db", secret_key="x"))
    engine = open_engine(f"sqlite:///{tmp_path}/new.db")
    assert app.test_client().get("/health").status_code in (500, 503)
    engine.dispose()
