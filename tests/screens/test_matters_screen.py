"""What the county has to settle about a household, on the visit's screen."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mobile.storage.database import open_store
from mobile.storage.inbox import apply_lines
from shared_schemas import wire
from shared_schemas.codes.divisions import division
from tests.screens.driver import Driver
from tests.screens.flows import open_village
from tests.screens.seed import TODAY, seed

pytestmark = pytest.mark.window


def a_contested_household(folder: Path) -> str:
    """Seed a phone with one household that has a conflict, a held and a closed change.

    Returns the name of its village, in whose list it stands first.
    """
    invented = seed(folder)[3]
    home, head = invented.household["id"], invented.members[0]
    store = open_store(folder / "chushan.db")
    conflict = {
        "record_kind": "member", "record_id": head["id"], "household_id": home, "field": "phone",
        "ours": "15400000017", "theirs": "15400000018", "ours_name": "石大山",
        "theirs_name": "岑村干", "ours_device": "红米一号", "theirs_device": "荣耀二号",
        "ours_at_ms": 1_795_000_000_000, "theirs_at_ms": 1_795_090_000_000, "shown": "theirs",
        "state": "open",
    }  # fmt: skip
    group = wire.group_rows("conflict", [("000000000c0nf", 900, conflict)])
    with store.writing() as connection:
        apply_lines(connection, [{"cursor": "later", "more": False, "groups": [group]}])
        for n, (values, reason, resolution, note) in enumerate(
            [
                ({"education": "60", "marital": "20"}, "out_of_scope", None, None),
                ({"work_wage": 4800}, "out_of_scope", "dismissed", "工资请年底统一报"),
            ],
            start=1,
        ):
            connection.execute(
                "INSERT INTO outbox (incarnation, n, kind, record_id, household_id, epoch, base,"
                ' at_ms, "values", state, outcome, reason, resolution, note, seq, covered)'
                " VALUES ('seed', ?, 'member', ?, ?, 'seed', 0, 0, ?, 'acked', 'held', ?, ?, ?, 0, ?)",
                (n, head["id"], home, json.dumps(values), reason, resolution, note,
                 int(resolution is not None)),
            )  # fmt: skip
    store.close()
    place = division(invented.household["village_code"])
    return place.name if place else ""


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[Driver]:
    made = Driver(tmp_path, today=TODAY)
    yield made
    made.stop()


def test_visit_says_what_the_county_has_to_settle(tmp_path: Path, driver: Driver) -> None:
    village = a_contested_household(tmp_path)
    driver.start()
    driver.tap_text("等县里处理的1户")
    assert driver.sees("等县里处理的", exact=True)
    assert len([w for w in driver.widgets() if type(w).__name__ == "HouseholdRow"]) == 1
    driver.back()
    open_village(driver, village)
    driver.tap(driver.find(kind="HouseholdRow"))
    driver.until(lambda: driver.screen == "visit")
    if folder := os.environ.get("CHUSHAN_PICTURES"):
        driver.shot(Path(folder) / "visit-matters.png")
    for said in (
        "本人手机:两边改得不一样,等县里裁定",
        "“15400000018”(暂时用这个)— 岑村干,荣耀二号",
        "县里已收到,待处理",
        "这户不在您现在负责的地方",
        "县里看过,没有采用",
        "县里说:工资请年底统一报",
    ):
        assert driver.sees(said), said
