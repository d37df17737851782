"""Whoever works for county A reads nothing of county B, through any route."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

import pytest
from builders import (
    OTHER_COUNTY_VILLAGE,
    PASSWORD,
    VILLAGE,
    WANGMO,
    ZHENFENG,
    a_child_id,
    a_family,
    a_firm,
    a_household_id,
    a_phone,
    a_user,
    sign_in,
)
from sqlalchemy import select

from server.access import audience_of
from server.services.other_counties import follow_all, say
from server.services.review import Comment, approve, return_bundle
from server.storage import tables
from server.storage.accounts import user_by_login
from server.storage.engine import reading, writing
from server.storage.other_counties import doubles

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
MARK = "罗记号"
MARKS = (MARK, "13777770001", "13777770002", "记号坡", "记号厂", "522399197707070")


@dataclass
class OtherCounty:
    """What county B holds, and the ids by which it could be asked for."""

    ids: list[str]


@pytest.fixture
def other_county(app, engine, clock) -> OtherCounty:
    """Fill 贞丰 with marked values: records, reviews, a conflict, a held change, a returned bundle."""
    first = a_phone(app, engine, scope=ZHENFENG)
    second = a_phone(app, engine, scope="522325102")
    families = [
        a_family(OTHER_COUNTY_VILLAGE, name=MARK, phone="13777770001", work_employer="记号厂",
                 id_no="522399197707070010", birth_date="1977-07-07", sex="1")
        for _ in range(3)
    ]  # fmt: skip
    for i, family in enumerate(families):
        family.edits[0][2].update(address="记号坡", phone="13777770002")
        family.edits[1][2]["id_no"] = marked_id(i)
        first.submit(family)
    seen = first.pull()
    clock.now_ms += 3_600_000
    base = seen["member", families[0].member]["seq"]
    first.edit("member", families[0].member, base=base, name=MARK + "一")
    second.edit("member", families[0].member, base=base, name=MARK + "二")
    first.edit("member", families[0].member, base=base, phone="13777770001x")
    first.edit("member", a_child_id(a_household_id()), name=MARK, household_id=a_household_id())
    with writing(engine) as conn:
        reviewer = a_user(conn, "zhenfeng", role="county", scope=ZHENFENG, password=PASSWORD)
        reviews = {
            row["household_id"]: row["bundle_seq"]
            for row in conn.execute(select(tables.review)).mappings()
        }
        given = {"user": reviewer, "now_ms": clock.now_ms, "new_id": a_household_id}
        words = [Comment("member", families[1].member, "name", MARK)]
        back, good = families[1].household, families[2].household
        return_bundle(conn, ZHENFENG, back, reviews[back], words, **given)
        approve(conn, ZHENFENG, good, reviews[good], **given)
    with reading(engine) as conn:
        conflicts = list(conn.execute(select(tables.conflict.c.id)).scalars())
        assert len(conflicts) == 1
        assert list(conn.execute(select(tables.labourer.c.name)).scalars()) == [MARK]
    ids = [record_id for family in families for _, record_id, _ in family.edits]
    return OtherCounty([*ids, *conflicts, first.incarnation, first.device.id, first.device.user_id])


def marked_id(i: int) -> str:
    from shared_schemas.resident_id import check_character

    first = f"522399197707070{i}1"
    return first + check_character(first)


def get_paths(app, ids):
    """Return every GET path that is not public, each with every id of county B in its places."""
    for rule in app.url_map.iter_rules():
        if "GET" not in rule.methods or audience_of(app.view_functions[rule.endpoint]) <= {
            "public", "loopback",
        }:  # fmt: skip
            continue
        if not rule.arguments:
            yield rule.rule
            continue
        for given in ids:
            values = {
                name: 1 if type(rule._converters[name]).__name__ == "IntegerConverter" else given
                for name in rule.arguments
            }
            built = rule.build(values)
            assert built is not None
            yield built[1]


def queries(path):
    """Return the ways to ask for a path that a prying reader would try."""
    yield path
    if any(part.isalnum() and len(part) in (13, 17) for part in path.split("/")):
        return  # an id of county B is already in it
    separator = "&" if "?" in path else "?"
    for query in (
        f"county={ZHENFENG}&scope={ZHENFENG}&place={ZHENFENG}&village={OTHER_COUNTY_VILLAGE}",
        f"scope=&q={MARK}&state=all&lane=all&purpose=test",
    ):
        yield f"{path}{separator}{query}"


def assert_nothing_of_the_other_county(answer, path):
    assert answer.status_code < 500, (path, answer.status)
    body = answer.get_data()
    if answer.mimetype.endswith("sheet"):
        import io
        import zipfile

        with zipfile.ZipFile(io.BytesIO(body)) as sheet:
            body = b"".join(sheet.read(name) for name in sheet.namelist())
    for mark in MARKS:
        assert mark.encode() not in body, (path, mark)


@pytest.mark.parametrize("role", ["county", "township", "station"])
def test_an_office_of_one_county_reads_nothing_of_another(app, engine, other_county, role):
    own = a_phone(app, engine)
    own.submit(a_family(VILLAGE))
    with writing(engine) as conn:
        a_user(conn, "wangmo", role=role, scope=WANGMO, password=PASSWORD)
    browser = sign_in(app, "wangmo")
    asked = 0
    for path in get_paths(app, other_county.ids):
        for asked_path in queries(path):
            assert_nothing_of_the_other_county(browser.get(asked_path), asked_path)
            asked += 1
    assert asked > 50


def test_a_phone_of_one_county_reads_nothing_of_another(app, engine, other_county):
    phone = a_phone(app, engine)
    phone.submit(a_family(VILLAGE))
    for path in ("/sync/v1/pull", f"/sync/v1/hello?incarnation={phone.incarnation}"):
        for asked_path in queries(path):
            answer = phone.client.get(asked_path, headers=phone.headers)
            assert_nothing_of_the_other_county(answer, asked_path)
    assert {kind for kind, _ in phone.pull()} == {
        "household", "member", "intention", "consent", "review",
    }  # fmt: skip


def test_a_firm_without_an_agreement_reads_nothing_of_a_county(app, engine, other_county):
    with writing(engine) as conn:
        org_id, key = a_firm(conn, WANGMO)
        a_user(conn, "firm", role="hr_firm", scope="", org_id=org_id, password=PASSWORD)
    browser = sign_in(app, "firm")
    asked = 0
    for path in get_paths(app, other_county.ids):
        for asked_path in queries(path):
            assert_nothing_of_the_other_county(browser.get(asked_path), asked_path)
            if path.startswith("/v1/"):
                answer = app.test_client().get(
                    f"{asked_path}{'&' if '?' in asked_path else '?'}purpose=test",
                    headers={"Authorization": f"Bearer {key}"},
                )
                assert_nothing_of_the_other_county(answer, asked_path)
                asked += 1
    assert asked > 3


def test_a_phone_of_one_county_cannot_write_into_another(app, engine, other_county):
    phone = a_phone(app, engine)
    household = other_county.ids[0]
    done = phone.edit("household", household, base=0, village_code=VILLAGE, address="x")
    # The same id in another county is another record; nothing of the first is touched or told.
    assert done["outcome"] in ("applied", "held")
    table = tables.record_tables()["household"]
    with reading(engine) as conn:
        rows = conn.execute(
            select(table.c.address).where(table.c.county == ZHENFENG, table.c.id == household)
        ).scalars()
        assert list(rows) == ["记号坡"]


def test_the_marks_are_there_for_the_county_itself(app, engine, other_county):
    browser = sign_in(app, "zhenfeng")
    pages = [browser.get(path) for path in ("/review", "/conflicts", "/held")]
    seen = "".join(page.text for page in pages if page.status_code == 200)
    for path in get_paths(app, other_county.ids[:6]):
        seen += browser.get(path).get_data(as_text=True) if "xlsx" not in path else ""
    assert MARK in seen


def test_pairs_and_persons_of_another_county_are_not_found(app, engine, other_county):
    with reading(engine) as conn:
        found = conn.execute(
            select(tables.candidate_pair.c.left_id, tables.candidate_pair.c.right_id)
        ).all()
    assert found
    with writing(engine) as conn:
        a_user(conn, "wangmo", role="county", scope=WANGMO, password=PASSWORD)
    own, theirs = sign_in(app, "wangmo"), sign_in(app, "zhenfeng")
    for left, right in found:
        for path in (f"/duplicates/{left}/{right}", f"/persons/{left}"):
            assert own.get(path).status_code == 404
            assert MARK in theirs.get(path).text


@pytest.mark.parametrize("agreed_by", [(), (WANGMO,), (ZHENFENG,)])
def test_of_a_person_in_both_counties_no_field_is_read_before_both_have_agreed(
    app, engine, other_county, clock, agreed_by, caplog, capsys
):
    own = a_phone(app, engine)
    own.submit(a_family(VILLAGE, id_no=marked_id(0), name="本县人", phone="13700000009"))
    assert follow_all(engine, "for tests only", now_ms=clock.now_ms, for_s=60)
    with writing(engine) as conn:
        offices = {
            WANGMO: a_user(conn, "wangmo", role="county", scope=WANGMO, password=PASSWORD),
            ZHENFENG: user_by_login(conn, "zhenfeng")[0],
        }
        [double] = doubles(conn, WANGMO, WANGMO, 10)
        for county in agreed_by:
            say(conn, county, double.id, "agree", user=offices[county], now_ms=clock.now_ms,
                new_id=a_household_id)  # fmt: skip
    browser = sign_in(app, "wangmo")
    hidden = [mark.encode() for mark in (*MARKS[:-1], *other_county.ids)]
    for path in get_paths(app, [double.id]):
        for asked_path in queries(path):
            answer = browser.get(asked_path)
            assert answer.status_code < 500, asked_path
            said = answer.get_data()
            if MARK not in unquote(asked_path):  # a page repeats what was searched for
                assert not [mark for mark in hidden if mark in said], asked_path
    page = browser.get(f"/elsewhere/{double.id}").text
    assert "本县人" in page
    assert "贞丰县" in page
    assert MARK not in page
    logged = caplog.text + "".join(capsys.readouterr())
    assert not [mark for mark in MARKS if mark in logged]


def test_once_both_have_agreed_names_are_seen_and_numbers_are_not(app, engine, other_county, clock):
    own = a_phone(app, engine)
    own.submit(a_family(VILLAGE, id_no=marked_id(0), name="本县人", phone="13700000009"))
    assert follow_all(engine, "for tests only", now_ms=clock.now_ms, for_s=60)
    with writing(engine) as conn:
        offices = {
            WANGMO: a_user(conn, "wangmo", role="county", scope=WANGMO, password=PASSWORD),
            ZHENFENG: user_by_login(conn, "zhenfeng")[0],
        }
        [double] = doubles(conn, WANGMO, WANGMO, 10)
        for county, user in offices.items():
            say(conn, county, double.id, "agree", user=user, now_ms=clock.now_ms,
                new_id=a_household_id)  # fmt: skip
    page = sign_in(app, "wangmo").get(f"/elsewhere/{double.id}").text
    assert MARK in page
    assert not [number for number in (marked_id(0), "13777770001", "13777770002") if number in page]
