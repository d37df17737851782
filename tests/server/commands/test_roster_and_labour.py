"""`chushan roster import` and `chushan labour export` as a clerk runs them."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, make_url

from server.cli import main
from server.services.divisions import store_places
from server.services.labourers import store_labourers
from server.storage.accounts import User, add_organisation, add_user
from server.storage.engine import writing
from shared_schemas.bundle import Bundle
from shared_schemas.codes.divisions import demo_divisions
from shared_schemas.ids import child_id, household_id

ROSTER = """户编号,村,名字,证件号码,与户主关系
5223260001,坎边村,韦小山,522399199303121129,户主
5223260001,坎边村,韦小水,5.22399E+17,之子
"""


@pytest.fixture
def run(engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("CHUSHAN_DATABASE_URL", make_url(database_url).render_as_string())
    monkeypatch.setenv("CHUSHAN_DATA_DIR", str(tmp_path))
    with writing(engine) as conn:
        store_places(conn, demo_divisions())
        clerk = User("clerk00000001", "wangmo", "县里的人", "county", "522326")
        add_user(conn, clerk, phone=None, password_hash=None, now_ms=1)
        add_organisation(conn, {"id": "firm000000001", "name": "余姚人力", "type": "agency",
                                "counties": ["522326"], "active": True})  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "roster.csv").write_bytes(ROSTER.encode("gb18030"))

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(main, list(arguments))

    return invoke


def test_a_clerk_imports_a_roster_and_gets_the_bad_rows(run) -> None:
    seen = run("roster", "import", "roster.csv", "--user", "wangmo", "--preview")
    assert "缺少必需的列:姓名" in seen.output
    refused = run("roster", "import", "roster.csv", "--user", "wangmo")
    assert (refused.exit_code, "缺少必需的列" in refused.output) == (1, True)
    done = run("roster", "import", "roster.csv", "--user", "wangmo", "--county", "522326",
               "--mapping", "名字=member.name", "--faults", "faults.xlsx")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "读入 2 行:新增 1 户、1 人" in done.output
    lines = [[cell.value for cell in row] for row in openpyxl.load_workbook("faults.xlsx").active]
    assert lines[1][:3] == [3, "证件号码", "5.22399E+17"]
    again = run(
        "roster", "import", "roster.csv", "--user", "wangmo", "--mapping", "名字=member.name"
    )
    assert "新增 0 户、0 人,更新 0 条" in again.output


def test_an_unknown_user_column_or_field_is_said(run) -> None:
    for arguments, told in (
        (["--user", "nobody"], "nobody"),
        (["--user", "wangmo", "--mapping", "没有=member.name"], "没有“没有”这一列"),
        (["--user", "wangmo", "--mapping", "名字=member.deleted"], "member.deleted"),
    ):
        result = run("roster", "import", "roster.csv", *arguments)
        assert result.exit_code == 1
        assert told in result.output
        assert "Traceback" not in result.output


def test_a_clerk_exports_a_firms_list(run, engine: Engine) -> None:
    home = household_id(1)
    own = child_id(home, 1)
    worker = Bundle(
        {"id": home, "village_code": "522326111201"},
        ({"id": own, "name": "韦小山", "id_no": "522399199303121129", "sex": "2", "in_school": "0",
          "birth_date": "1993-03-12", "labour_ability": "1"},),
        ({"id": child_id(home, 2), "member_id": own, "wants_job": "1", "occupations": ["01"],
          "confirmed_on": "2099-01-01"},),
        ({"id": child_id(home, 3), "member_id": own, "consent_kind": "share_hr", "given": True},),
    )  # fmt: skip
    with writing(engine) as conn:
        store_labourers(conn, "522326", worker, approved_at_ms=1)
    done = run("labour", "export", "list.xlsx", "--firm", "余姚人力", "--purpose", "招缝纫工",
               "--occupation", "01", "--sex", "2")  # fmt: skip
    assert done.exit_code == 0, done.output
    cells = [cell.value for row in openpyxl.load_workbook("list.xlsx").active for cell in row]
    assert {"韦*", "招缝纫工", "边饶镇"} <= set(cells)
    assert "韦小山" not in cells
    unknown = run("labour", "export", "list.xlsx", "--firm", "没有", "--purpose", "x")
    assert unknown.exit_code == 1
