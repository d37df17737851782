"""How long a reviewer waits for the pages of doubles while 3,000 pairs are open.

`python -m benchmarks.review_queue [PAIRS] [DATABASE_URL]`. Invented people in a database of its own
(SQLite; or an empty PostgreSQL), the pages through the whole server without a socket; median and
slowest of 30 requests each. The seed is printed.
"""

from __future__ import annotations

import random
import re
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from flask.testing import FlaskClient
from sqlalchemy import Engine, insert, text

from benchmarks.measure import Section
from server.app import create_app
from server.services.sign_in import hash_password
from server.services.upgrade import upgrade_database
from server.settings import Settings
from server.storage import persons
from server.storage.accounts import User, add_user
from server.storage.engine import open_engine, writing
from server.storage.tables import candidate_pair, record_tables, review
from shared_schemas import ids

PAIRS, REPEATS, SEED = 3_000, 30, 5223
COMMAND = "python -m benchmarks.review_queue"
COUNTY = "522326"
PASSWORD = "queue of pairs"
VILLAGES = [f"{COUNTY}{110 + n % 16}{200 + n % 13}" for n in range(200)]


def fill(engine: Engine, pairs: int, source: random.Random) -> None:
    """Store a reviewer and pairs of people, each with a household of one."""
    line = {"comparison": "name", "level": "equal", "weight": 9.0}
    people, homes, found = [], [], []
    for n in range(pairs):
        own = sorted(ids.household_id(source.getrandbits(60)) for _ in range(2))
        for one in own:
            village = source.choice(VILLAGES)
            people.append({"county": COUNTY, "id": one, "seq": n, "stamps": {}, "household_id": one,
                           "village_code": village, "name": "岑小山", "sex": "1", "relation": "01",
                           "birth_date": "1980-05-06", "deleted": None})  # fmt: skip
            homes.append({"county": COUNTY, "household_id": one, "seq": n, "village_code": village,
                          "state": "in_review", "hits": [], "comments": [], "bundle_seq": n,
                          "approved_at_ms": source.choice((1, None))})  # fmt: skip
        found.append({"county": COUNTY, "left_id": own[0], "right_id": own[1],
                      "score": round(source.uniform(1, 30), 2), "breakdown": [line] * 7,
                      "reasons": [source.choice(("name", "phone", "name_and_birth"))],
                      "state": persons.OPEN, "proposed_at_ms": 0})  # fmt: skip
    with writing(engine) as conn:
        conn.execute(insert(record_tables()["member"]), people)
        conn.execute(insert(review), homes)
        conn.execute(insert(candidate_pair), found)
        add_user(conn, User(ids.household_id(1), "reviewer", "审核员", "county", COUNTY),
                 password_hash=hash_password(PASSWORD), now_ms=0, phone=None)  # fmt: skip
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("ANALYZE"))  # PostgreSQL does so by itself within a minute


def walk(browser: FlaskClient) -> dict[str, list[float]]:
    """Ask for the list, open pair after pair, and decide; return the milliseconds of each."""
    took: dict[str, list[float]] = {}

    def ask(what: str, path: str, **form: str) -> str:
        started = time.perf_counter()
        answer = browser.post(path, data=form) if form else browser.get(path)
        took.setdefault(what, []).append(1000 * (time.perf_counter() - started))
        assert answer.status_code in (200, 303), (path, answer.status_code)
        return answer.headers.get("Location") or answer.text

    def address(page: str) -> str:
        return next(iter(re.findall(r'href="(/duplicates/[^"]+/[^"]+)"', page))).replace(
            "&amp;", "&"
        )

    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', browser.get("/sign-in").text)
    assert token
    browser.post(
        "/sign-in", data={"login": "reviewer", "password": PASSWORD, "csrf_token": token[1]}
    )
    for _ in range(REPEATS):
        here = address(ask("list", "/duplicates"))
        ask("list, one reason", "/duplicates?reason=phone")
        page = ask("pair", here)
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
        assert token
        ask("decide", here, decision="not_same", csrf_token=token[1])
    return took


def run(pairs: int, database_url: str | None = None) -> tuple[str, dict[str, list[float]]]:
    """Fill a database, walk the queue; return which database it was and the milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        url = database_url or f"sqlite:///{Path(folder) / 'queue.db'}"
        engine = open_engine(url)
        upgrade_database(engine)
        fill(engine, pairs, random.Random(SEED))
        app = create_app(Settings(database_url=url, secret_key="bench", data_dir=folder))
        took = walk(app.test_client())
        app.extensions["chushan"].engine.dispose()
        engine.dispose()
        return engine.dialect.name, took


def measure() -> Section:
    """Measure for docs/benchmarks.md."""
    _, took = run(PAIRS)
    return Section(
        "Review of doubles",
        COMMAND,
        f"What a reviewer waits for a page while {PAIRS:,} pairs are open, through the whole server"
        f" without a socket, on SQLite; {REPEATS} of each, seed {SEED}.",
        ("page", "median, ms", "slowest, ms"),
        [(what, f"{median(each):.0f}", f"{max(each):.0f}") for what, each in took.items()],
    )


def main(arguments: list[str]) -> None:
    """Measure and print."""
    pairs = int(arguments[0]) if arguments else PAIRS
    dialect, took = run(pairs, *arguments[1:2])
    print(f"{pairs} open pairs, {dialect}, seed {SEED}, {REPEATS} of each")
    for what, each in took.items():
        print(f"{what:18} median {median(each):6.1f} ms   slowest {max(each):6.1f} ms")


if __name__ == "__main__":
    main(sys.argv[1:])
