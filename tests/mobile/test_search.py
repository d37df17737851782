"""People are found while they are typed, and the index never lags behind the records."""

import random
from pathlib import Path

import pytest
from phones import HEAD, VILLAGE, a_number, a_submitted_household, a_visit, fill_member
from test_visit import pulled

from mobile.storage import inbox, search
from mobile.storage.database import Store, open_store
from mobile.storage.search import find_people, keys_of


def add(store: Store, name: str, id_no: str = "", phone: str = "", serial: int = 1) -> str:
    home = f"{serial:013}"
    pulled(store, "household", home, 2 * serial, {"village_code": VILLAGE, "address": "寨脚"})
    values = {"household_id": home, "name": name, "relation": HEAD}
    values |= {k: v for k, v in (("id_no", id_no), ("phone", phone)) if v}
    pulled(store, "member", home + "0001", 2 * serial + 1, values)
    return home


def names(store: Store, typed: str) -> list[str]:
    return [found.name for found in find_people(store.connection, typed)]


@pytest.mark.parametrize(
    ("name", "queries"),
    [
        ("韦秀兰", ["wxl", "xl", "WXL", "weixiulan", "wei xiu lan", "xiulan", "wei", "weixiul",
                    "weixl", "wxlan", "韦", "秀兰", "韦 秀兰", "兰"]),
        ("单小云", ["shanxiaoyun", "sxy", "danxiaoyun", "单"]),
        ("仇阿福", ["qiuafu", "qaf"]),
        ("解玉", ["xieyu", "xy"]),
        ("区大伟", ["oudawei", "odw"]),
        ("查英", ["zhaying"]),
        ("曾强", ["zengqiang"]),
        ("尉迟河", ["yuchihe", "ych", "weichi"]),
        ("欧阳春", ["ouyangchun", "oyc"]),
        ("王乐", ["wangle", "wangyue", "wy", "wl"]),
        ("达哇·卓玛", ["dawazhuoma", "zhuoma", "dwzm", "达哇卓玛", "达哇·卓"]),
        ("吕绿", ["lvlv", "ll"]),
    ],
)  # fmt: skip
def test_a_name_is_found_as_it_is_written_and_as_it_is_read(
    store: Store, name: str, queries: list[str]
) -> None:
    add(store, name)
    add(store, "岑志军", serial=2)
    assert {query: names(store, query) for query in queries} == {q: [name] for q in queries}
    assert names(store, "zzz") == names(store, "石") == []


def test_a_person_is_found_by_the_end_of_a_number_and_told_why(store: Store) -> None:
    home = add(store, "罗阿妹", id_no=a_number("1960-01-09", 104), phone="13800138001")
    number = a_number("1960-01-09", 104)
    (by_id,) = find_people(store.connection, number[-4:].lower())
    assert (by_id.why, by_id.said, by_id.household_id) == (search.ID_NO, number[-4:], home)
    (by_phone,) = find_people(store.connection, "8001")
    assert (by_phone.why, by_phone.said, by_phone.address) == (search.PHONE, "8001", "寨脚")
    assert names(store, number) == names(store, "138 0013 8001") == ["罗阿妹"]
    (by_letters,) = find_people(store.connection, "lam")
    assert (by_letters.why, by_letters.said) == (search.INITIALS, "luo a mei")
    assert names(store, "") == names(store, "1") == names(store, "13800") == []


def test_who_begins_so_stands_before_who_has_it_inside(store: Store) -> None:
    for serial, name in enumerate(("张兰", "兰小妹", "王兰英"), start=1):
        add(store, name, serial=serial)
    assert names(store, "兰")[0] == names(store, "lan")[0] == "兰小妹"
    assert set(names(store, "l")) == {"张兰", "兰小妹", "王兰英"}


def test_a_new_name_is_found_and_the_old_one_no_more(store: Store) -> None:
    home = add(store, "韦秀兰")
    pulled(store, "member", home + "0001", 9, {"household_id": home, "name": "岑秀英"})
    assert (names(store, "wxl"), names(store, "cxy")) == ([], ["岑秀英"])
    pulled(
        store,
        "member",
        home + "0001",
        10,
        {"household_id": home, "name": "岑秀英", "deleted": True},
    )
    assert names(store, "cxy") == []
    with store.writing() as connection:
        search.index_waiting(connection)
    assert store.connection.execute("SELECT count(*) FROM search_key").fetchone()[0] == 0


def test_somebody_who_is_only_drafted_is_found_under_what_was_typed_last(store: Store) -> None:
    visit = a_visit(store)
    visit.household.answer("address", "河边")
    member = visit.add_member()
    fill_member(member, "王大山", HEAD, a_number("1970-01-01", 401))
    (found,) = find_people(store.connection, "wds")
    assert (found.household_id, found.address) == (visit.household_id, "河边")
    member.answer("name", "王小山")
    assert (names(store, "wds"), names(store, "wxs")) == ([], ["王小山"])


def test_nothing_of_a_transaction_that_was_rolled_back_is_in_the_index(store: Store) -> None:
    a_submitted_household(store)
    before = store.connection.execute("SELECT count(*) FROM search_key").fetchone()[0]
    with pytest.raises(ZeroDivisionError), store.writing() as connection:  # noqa: PT012
        connection.execute("INSERT INTO member (id, name) VALUES ('x', '石大山')")
        search.index_waiting(connection)
        raise ZeroDivisionError
    assert store.connection.execute("SELECT count(*) FROM search_key").fetchone()[0] == before
    assert names(store, "sds") == []


@pytest.mark.parametrize("key", [None, bytes(range(32))], ids=["plain", "encrypted"])
def test_a_phone_from_before_the_index_gets_it_when_it_is_opened(
    tmp_path: Path, key: bytes | None
) -> None:
    store = open_store(tmp_path / "p.db", key=key)
    add(store, "韦秀兰")
    for trigger in ("search_born", "search_changed", "search_gone"):
        store.connection.execute(f"DROP TRIGGER {trigger}")
    for table in ("searched", "search_key", "search_waiting"):
        store.connection.execute(f"DROP TABLE {table}")
    store.connection.execute("DELETE FROM meta WHERE key = 'search_version'")
    store.close()
    store = open_store(tmp_path / "p.db", key=key)
    assert names(store, "weixiulan") == ["韦秀兰"]
    store.close()


def test_a_phone_that_is_encrypted_later_finds_the_same_people(tmp_path: Path) -> None:
    store = open_store(tmp_path / "p.db")
    add(store, "仇阿福", phone="13800138001")
    store.close()
    store = open_store(tmp_path / "p.db", key=bytes(range(32)))
    assert names(store, "qiuaf") == names(store, "8001") == ["仇阿福"]
    add(store, "解玉", serial=2)
    assert names(store, "xieyu") == ["解玉"]
    store.close()


def test_few_who_changed_wait_and_are_found_all_the_same(store: Store) -> None:
    for serial in range(search.MOST_WAITING):
        add(store, "韦秀兰" if serial else "岑志军", serial=serial + 1)
    indexed = "SELECT count(*) FROM searched"
    assert store.connection.execute(indexed).fetchone()[0] == 0
    assert names(store, "czj") == ["岑志军"]
    add(store, "罗阿妹", serial=search.MOST_WAITING + 1)
    assert store.connection.execute(indexed).fetchone()[0] == search.MOST_WAITING + 1
    assert names(store, "czj") == ["岑志军"]


def test_nothing_of_who_left_stays_in_the_index_after_a_sync(store: Store) -> None:
    add(store, "岑志军")
    with store.writing() as connection:
        search.index_waiting(connection)
        inbox.begin_full_pull(connection)
    with store.writing() as connection:
        inbox.let_go(connection)
    for table in ("search_waiting", "searched", "search_key"):
        assert store.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0


def test_the_index_holds_what_the_members_have_whatever_was_done_to_them(store: Store) -> None:
    seed = random.randrange(1 << 30)
    print("seed", seed)
    source = random.Random(seed)
    for _ in range(150):
        if not source.randrange(9):
            with store.writing() as connection:
                search.index_waiting(connection)
        with store.writing() as connection:
            for _ in range(source.randrange(1, 4)):
                member = f"m{source.randrange(12)}"
                value = source.choice(["韦秀兰", "单小云", "王乐", None])
                phone = source.choice(["13800138001", None])
                deed = source.randrange(4)
                if deed == 0:
                    connection.execute("DELETE FROM member WHERE id = ?", (member,))
                elif deed == 1:
                    connection.execute(
                        "UPDATE member SET name = ?, phone = ? WHERE id = ?", (value, phone, member)
                    )
                else:
                    connection.execute(
                        "INSERT INTO member (id, name, deleted) VALUES (?, ?, ?) ON CONFLICT (id)"
                        " DO UPDATE SET name = excluded.name, deleted = excluded.deleted",
                        (member, value, source.choice([None, 0, 1])),
                    )
        rows = store.connection.execute("SELECT name FROM member WHERE deleted IS NOT 1").fetchall()
        for name, query in (("韦秀兰", "wxl"), ("单小云", "sxy"), ("王乐", "王")):
            assert names(store, query) == [name] * [row["name"] for row in rows].count(name)
    with store.writing() as connection:
        search.index_waiting(connection)
    rows = store.connection.execute("SELECT id, name, id_no, phone, deleted FROM member").fetchall()
    wanted = {(row["id"], key) for row in rows for key in keys_of(dict(row))}
    held = store.connection.execute(
        "SELECT s.member_id, k.key FROM search_key k LEFT JOIN searched s ON s.n = k.n"
    )
    assert {tuple(row) for row in held} == wanted
