"""A phone as it is after its first sync: enrolled, with two villages of invented households.

The rows go in by the same door as a pull's (`mobile.storage.inbox`), so the phone cannot tell.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mobile.storage.database import open_store, put
from mobile.storage.inbox import apply_lines, keep_hello
from server.demo.people import InventedHousehold, invent_households
from shared_schemas import wire
from shared_schemas.codes.divisions import demo_divisions, division

TODAY = "2026-11-20"
TOWNSHIP = "522326102000"
CADRE = "石大山"


def villages() -> list[str]:
    """Return the first two villages of the cadre's township."""
    found = [d.code12 for d in demo_divisions() if d.code12[:9] == TOWNSHIP[:9] and d.level == 5]
    return found[:2]


def seed(folder: Path | str, count: int = 18) -> list[InventedHousehold]:
    """Fill the phone's folder; return the households, in turns of one village and the other.

    Of every four one came from the roster and waits for a visit, one is in review, two are
    approved. The first is returned with comments on a phone number, on a skill and on the whole.
    """
    households = list(invent_households(7, count, villages(), doubtful=0))
    store = open_store(Path(folder) / "chushan.db")
    rows: dict[str, list[wire.Row]] = {}
    reviews: list[wire.Row] = []
    for number, invented in enumerate(households):
        to_visit = number % 4 == 1
        for kind, record in invented.records():
            if to_visit and kind in ("intention", "consent"):
                continue
            values = {k: v for k, v in record.items() if k != "id"}
            if to_visit:
                values.pop("survey_date", None)
                values.pop("survey_mode", None)
            rows.setdefault(kind, []).append((record["id"], 100 + number, values))
        if not to_visit:
            reviews.append((invented.household["id"], 500 + number, _review(number, invented)))
    groups = [wire.group_rows(kind, of_kind) for kind, of_kind in rows.items()]
    groups.append(wire.group_rows("review", reviews))
    with store.writing() as connection:
        keep_hello(connection, _hello())
        put(connection, "server", "http://127.0.0.1:9")
        put(connection, "token", "not-a-token")
        put(connection, "device_id", "9dev1ce000000")
        apply_lines(connection, [{"cursor": "seed", "more": False, "groups": groups}])
    store.close()
    return households


LONG_NAME = "买买提·阿卜杜热合曼·吐尔逊·库尔班江·艾则孜·玉"
TIBETAN_NAME = "བཀྲ་ཤིས་རྒྱ་མཚོ"
HARD_NAMES = (
    LONG_NAME,
    TIBETAN_NAME,
    "韦\U0002b741\U00030ede秀",
    "ཨོཾ་མ་ཎི་པདྨེ་ཧཱུྃ་བཀྲ་ཤིས་བདེ་ལེགས་རྒྱ་མཚོ",
)
"""Names that are hard to show: long ones, Tibetan, and characters that the font lacks."""
LONG_PLACE = "布依族苗族自治乡者相镇大湾村民委员会移民搬迁安置点第三小区12栋2单元1101号房"


def make_hard(folder: Path | str, households: list[InventedHousehold]) -> None:
    """Give the heads names that are hard to show, the last household a long address, and nobody to one more."""
    rows: list[tuple[str, dict[str, Any]]] = []
    for number, invented in enumerate(households):
        rows.append(("member", invented.members[0] | {"name": HARD_NAMES[number // 2 % 4]}))
    rows.append(("household", households[-1].household | {"address": LONG_PLACE}))
    empty = {k: v for k, v in households[0].household.items() if not k.startswith("survey_")}
    rows.append(("household", empty | {"id": f"{0:032d}"}))
    groups = [
        wire.group_rows(kind, [(row["id"], 9000 + at, {k: v for k, v in row.items() if k != "id"})])
        for at, (kind, row) in enumerate(rows)
    ]
    store = open_store(Path(folder) / "chushan.db")
    with store.writing() as connection:
        apply_lines(connection, [{"cursor": "hard", "more": False, "groups": groups}])
    store.close()


def index_somebody(folder: Path | str, number: str, township: str) -> None:
    """Let the phone's index of the county say that a number is registered in a township."""
    from mobile.storage import phone_index
    from shared_schemas.phone_index import PAGES, fingerprint, keys_of, pack_page, page_of

    key = bytes(16)
    mark = fingerprint(key, keys_of({"id_no": number})["id"])
    store = open_store(Path(folder) / "chushan.db")
    with store.writing() as connection:
        for page in range(PAGES):
            entries = [(mark, 1)] if page == page_of(mark) else []
            phone_index.keep_page(connection, page, 1, pack_page(entries))
        phone_index.keep_state(
            connection, key=key.hex(), is_whole=True, asked_at_ms=store.clock(),
            townships=[{"code": "522326111", "name": township}],
        )  # fmt: skip
    store.close()


def _review(number: int, invented: InventedHousehold) -> dict[str, Any]:
    if number != 0:
        return {"state": "in_review" if number % 4 == 2 else "approved", "comments": []}
    head = invented.members[0]
    return {
        "state": "returned",
        "decided_at_ms": 1_763_500_000_000,
        "comments": [
            {"kind": "household", "record_id": invented.household["id"], "field": "",
             "text": "身份证照片请重核"},
            {"kind": "member", "record_id": head["id"], "field": "phone",
             "text": "电话打不通,请问清楚新号码"},
        ],
    }  # fmt: skip


def _hello() -> dict[str, Any]:
    places = [division("522326000000"), division(TOWNSHIP), *map(division, villages())]
    return {
        "epoch": "seed",
        "county": "522326",
        "scope": TOWNSHIP[:9],
        "cadre": CADRE,
        "office_phone": "0859-1100201",
        "divisions": [{"code": d.code12, "name": d.name, "level": d.level} for d in places if d],
    }
