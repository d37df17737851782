"""Empty databases to measure on: a SQLite file, and a PostgreSQL cluster of its own that ends with us."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import free_port

KINDS = ("SQLite", "PostgreSQL")


@contextlib.contextmanager
def fresh_database(kind: str) -> Iterator[str]:
    """Yield the URL of an empty database."""
    if kind == "SQLite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/bench.db"
    else:
        with postgresql_cluster() as url:
            yield url


@contextlib.contextmanager
def postgresql_cluster(*settings: str) -> Iterator[str]:
    """Yield the URL of a new PostgreSQL server of our own; `settings` are like "fsync=off"."""
    binaries = _postgresql_binaries()
    # PostgreSQL refuses to run as root; Debian's package brings the user postgres.
    account = pwd.getpwnam("postgres") if os.getuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="chushan-pg-"))
    options = {"user": account.pw_uid, "group": account.pw_gid} if account else {}
    if account:
        os.chown(folder, account.pw_uid, account.pw_gid)
    data, port = folder / "data", free_port()
    quiet = {"stdout": subprocess.DEVNULL, "cwd": "/", **options}
    subprocess.run(
        [binaries / "initdb", "-D", data, "-U", "chushan", "-A", "trust", "-E", "UTF8", "--no-sync"],
        check=True, **quiet,
    )  # fmt: skip
    server = subprocess.Popen(
        [binaries / "postgres", "-D", data, "-p", str(port), "-k", folder, "-h", "127.0.0.1",
         *(word for setting in settings for word in ("-c", setting))],
        stderr=subprocess.DEVNULL, **quiet,
    )  # fmt: skip
    try:
        ready = [binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port), "-t", "30"]
        for _ in range(100):
            if subprocess.run(ready, check=False).returncode == 0:
                break
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(0.1)
        yield f"postgresql+psycopg://chushan@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        server.wait(timeout=30)
        shutil.rmtree(folder, ignore_errors=True)


def _postgresql_binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if found:
        return found[-1].parent
    on_path = shutil.which("postgres")
    if on_path is None:
        raise RuntimeError("PostgreSQL is not installed: scripts/setup.sh bench")
    return Path(on_path).parent
