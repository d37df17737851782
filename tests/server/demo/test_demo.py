"""The command `chushan demo`, as a person starts it: from an empty folder to a page, and again."""

import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from benchmarks.measure import free_port

START_S = 120


@contextmanager
def running_demo(folder, port):
    """Start the demo without a screen and yield it with what it printed, once it serves."""
    printed = folder / "printed.txt"
    folder.mkdir(exist_ok=True)
    with printed.open("wb") as out:
        process = subprocess.Popen(
            [chushan(), "demo", "--no-phone", "--port", str(port), "--folder", folder / "demo"],
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + START_S
        while "Ctrl-C" not in printed.read_text("utf-8") and time.monotonic() < deadline:
            assert process.poll() is None, printed.read_text("utf-8")
            time.sleep(0.1)
        yield process, printed
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def chushan() -> str:
    return str(Path(sys.executable).parent / "chushan")


@pytest.mark.slow
def test_demo_starts_from_nothing_serves_everybody_and_goes_on_where_it_was(tmp_path):
    port = free_port()
    with running_demo(tmp_path, port) as (_, printed):
        words = printed.read_text("utf-8")
        address = f"http://127.0.0.1:{port}"
        assert f"{address}/" in words
        for login in ("wangmo", "zhenfeng", "firm", "admin"):
            assert sign_in(address, login).ok
        home = sign_in(address, "wangmo").get(f"{address}/review?state=in_review", timeout=30)
        assert "边饶镇" in home.text or "昂武镇" in home.text

        key = re.search(r"Bearer (\S+)\"", words)[1]
        listed = requests.get(
            f"{address}/v1/labour",
            params={"purpose": "test"},
            headers={"Authorization": f"Bearer {key}"},
            timeout=30,
        ).json()
        assert listed["total"] > 100

        code = re.search(r"code=(\S{9})", words)[1]
        enrolled = requests.post(
            f"{address}/sync/v1/enrol",
            json={"code": code, "incarnation": "0000000000abc"},
            timeout=30,
        ).json()
        rows = requests.get(
            f"{address}/sync/v1/pull",
            headers={"Authorization": f"Bearer {enrolled['token']}"},
            timeout=30,
        ).text
        assert '"to_confirm"' in rows
        assert '"returned"' in rows

        taken = subprocess.run(
            [chushan(), "demo", "--port", str(port), "--folder", tmp_path / "other"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert taken.returncode == 1
        assert f"Port {port} is taken" in taken.stderr
        assert "--port" in taken.stderr
    assert_nobody_listens(port)

    with running_demo(tmp_path, port) as (_, printed):
        assert "Preparing" not in printed.read_text("utf-8")
        again = requests.get(
            f"http://127.0.0.1:{port}/sync/v1/pull",
            headers={"Authorization": f"Bearer {enrolled['token']}"},
            timeout=30,
        )
        assert again.text == rows


def sign_in(address, login):
    session = requests.Session()
    page = session.get(f"{address}/sign-in", timeout=30).text
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)[1]
    answer = session.post(
        f"{address}/sign-in",
        data={"csrf_token": token, "login": login, "password": "chushan-demo"},
        timeout=30,
    )
    assert "/sign-in" not in answer.url, f"{login} could not sign in"
    session.ok = answer.ok
    return session


def assert_nobody_listens(port):
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_fresh_deletes_no_folder_that_is_not_a_demo(tmp_path):
    (tmp_path / "letters.txt").write_text("dear")
    refused = subprocess.run(
        [chushan(), "demo", "--fresh", "--port", str(free_port()), "--folder", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1
    assert "nothing was deleted" in refused.stderr
    assert (tmp_path / "letters.txt").exists()
