"""Invented registers of people in which it is known who is who, with the noise of the field.

    python -m benchmarks.registers --rows 100000 --seed 1 --output persons.parquet --truth truth.parquet

Writes what `chushan link` reads, and beside it who each row is. The shares of doubles and of slips
are those of docs/design/matching.md, "The noise of the field". Nobody here exists: counties are
unassigned (52 23 99, 51 08 98 …) and mobile numbers begin with 154, which no operator was given.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from shared_schemas.names import split_name, syllables

Array = np.ndarray[Any, Any]


def _words(text: str) -> list[str]:
    return text.split()


COLUMNS = (
    "record_id", "name", "sex", "birth_date", "id_no", "phone",
    "village_code", "household_id", "relation", "head_name",
)  # fmt: skip
"""What `chushan link` reads."""

COUNTY_ROWS, TOWNS, VILLAGE_ROWS = 40_000, 8, 830
TODAY = np.datetime64("2026-11-20")

DOUBLED = 0.14
"""Share of persons with an extra row; a fifth of those doubled alone have a third one."""
THIRD = 0.20
DOUBLES = {
    "same_village": 0.30,  # by another cadre
    "other_town": 0.15,
    "other_county": 0.20,  # registered where he rents
    "marriage": 0.10,  # with her parents and with her husband's
    "resettlement": 0.10,  # the whole household again, in another town
    "household_twice": 0.15,  # the whole household again, under the wife
}
SAME_LIST = 0.01
"""Of the doubles in the same village, those that stand twice on one household's list."""

ID_SLIPS = {
    "missing": 0.05,
    "digit": 0.015,
    "swapped": 0.01,
    "two_digits": 0.004,
    "dropped": 0.003,
    "fifteen": 0.003,  # the old form; nobody born since 2000 has one
    "relative": 0.004,
}
NAME_SLIPS = {
    "homophone": 0.04,
    "lookalike": 0.015,
    "dialect": 0.025,
    "characters": 0.008,  # two swapped, or one dropped
    "milk_name": 0.01,
}
BIRTH_SLIPS = {"lunar": 0.03, "month_day": 0.01, "year": 0.015, "year_only": 0.008}
LUNAR_WITHOUT_ID = 0.15
WRONG_SEX, PHONE_TYPO, CHANGED_PHONE, OWN_PHONE, TWINS = 0.004, 0.02, 0.25, 0.60, 0.015

_PREFECTURES = ("5223", "5108", "6229", "5226", "5227", "6205")
_SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高郑梁谢宋唐许邓韩冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢"
    "姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫雷龙黎史陶贺毛段郝顾龚邵万覃武钱戴莫孔汤岑蒙"
    "班禄陇查单仇解盖区翟朴缪谌冼章傅阎萧尤褚游柳凌柏莘庞樊兰殷施洪翁芦左季康俞牛倪严牟安常温莘颜符欧阮聂"
)
_DOUBLE_SURNAMES = ("欧阳", "上官", "司徒", "东方", "令狐", "诸葛", "皇甫", "尉迟", "慕容", "司马")
_MEN = (
    "明国文华建志军平强林成忠德春永海云峰光伟生斌荣辉波东勇龙杰元涛新金学祥福飞清正良红安家江山庆长贵兴胜义"
    "富世顺昌才有刚超俊宏鹏亮健利发民根松洪南锋全振友贤仁川宝立旺武克富权天开泽万玉亚仕维绍应启中子大传继"
    "树先朝廷达景洋阳浩宇轩博瑞晨凯磊鑫毅恒康宁坤彬帆翔岩彪标炳灿昆廉铭乾钦勤群升胜石实书思泰田铁廷通同威"
    "西希显孝效信星雄秀旭宣学雪延彦业宜益银英盈颖勋禹源远运岳再增占章召哲珍之智治忠洲柱卓宗祖佐作荫壮臣诚承"
)
_WOMEN = (
    "英秀玉华珍梅兰芳丽红霞艳燕敏静莉春凤琴云美花香菊莲芬萍桂翠娟娥娜娇妹月仙金银芝慧雪晴欣怡婷洁琼珠素淑"
    "玲雅倩颖露瑶璐思佳琪梦彤雨诗涵琳蓉薇菲蕾茜冰冬秋夏晓小巧俊惠爱荣平清明连群存贤善义仁先会彩水竹桃杏柳"
    "叶青紫粉碧环瑞庆祥文学远志新宁安康乐喜欢悦心意情念忆盼想望真诚实正顺利双亚昌代元开友德厚定星辰阳光辉"
    "林森枝根苗禾果实鸾莺鹃雁蝉蝶萤丹朱绿虹霓岚峦瑾瑜璇珊瑚玛瑙琳琅珂娅妮妍姗姣婉婵媛嫦嫣姝娴妙好如媚黛眉"
)
_GENERATIONS = "国家永世正文明德光荣天开应启绍维传继先仕朝廷兴昌有万大子学志春仁义礼智信孝忠良宗祖立本安顺成树元洪再昭"
_TIBETAN = {
    "1": _words(
        "扎西 次仁 尼玛 达瓦 巴桑 拉巴 普布 边巴 索朗 平措 格桑 丹增 洛桑 顿珠 多吉 旺堆 次旦 班觉 贡嘎 嘎玛 仁青 罗布 强巴 晋美 坚赞"
    ),
    "2": _words(
        "卓玛 央金 拉姆 德吉 白玛 曲珍 措姆 梅朵 央宗 卓嘎 拉珍 玉珍 仓决 白珍 德央 曲措 次仁 尼玛 达瓦 边巴 索朗 格桑 次旦 仁青"
    ),
}
_LOOKALIKES = _words(
    "晓小 燕艳 付傅 闫阎 肖萧 余佘 戴代 邱丘 兰蓝 谭覃 曾增 查杳 芬芳 玲琳 娟涓 莉丽 英瑛 珍贞 华桦 辉晖 云芸 红虹 静净 梅枚 "
    "志智 建健 明朋 国固 永水 成诚 林琳 军君 强彊 伟玮 杰傑 峰锋 海每 平苹 春舂 德得 文玟 金全 玉王 秀琇 香杳 菊掬 莲连 凤风 "
    "霞瑕 敏繁 琴芩 美羑 花化 桂柱 翠萃 娥蛾 娜哪 妹姝 月用 仙汕 银很 芝之 慧惠 雪霄 佳住 东冬 龙尤 生升 光先 荣莱 飞气 新薪 "
    "庆床 长张 贵责 义乂 富福 世也 顺须 昌冒 才寸 有友 刚岗 超越 俊峻 宏鸿 鹏朋 亮高 利刘 发友 民氏 根跟 松柏 洪宏"
)
_MILK_NAMES = _words(
    "狗娃 幺妹 二娃 三娃 大妹 小妹 毛毛 石头 丫头 铁蛋 老幺 满妹 幺儿 牛娃 春娃 二妹 三妹 冬娃"
)
_DIALECT = (
    ("n", "l"), ("l", "n"), ("zh", "z"), ("z", "zh"), ("ch", "c"), ("c", "ch"), ("sh", "s"),
    ("s", "sh"), ("r", "l"), ("l", "r"), ("hu", "f"), ("h", "f"), ("f", "hu"), ("f", "h"),
)  # fmt: skip

HEAD, SPOUSE, SON, DAUGHTER, FATHER, MOTHER = "02", "10", "20", "30", "51", "52"
_UNDER_THE_WIFE = {HEAD: SPOUSE, SPOUSE: HEAD, FATHER: "53", MOTHER: "54"}
_IN_LAW, _RELATIVE = "38", "97"


@dataclass(frozen=True, slots=True)
class Register:
    """A register and who is who in it, row for row by `record_id`."""

    persons: pa.Table
    """With `COLUMNS`."""
    truth: pa.Table
    """`record_id, person_id, scenario` (how the row came to be), `family_id, twin_id` (of whom it
    is), and the slips `id_slip, name_slip, birth_slip`; empty texts where there are none."""


def write(rows: int, persons: Path, truth: Path, *, seed: int) -> None:
    """Invent a register and write it and its truth, as .parquet or .csv."""
    register = invent_register(rows, seed)
    for table, path in ((register.persons, persons), (register.truth, truth)):
        if path.suffix == ".csv":
            pyarrow.csv.write_csv(table, path)
        else:
            pyarrow.parquet.write_table(table, path)


def invent_register(rows: int, seed: int) -> Register:
    """Return a register of so many rows, the same for the same seed."""
    rng = np.random.default_rng(seed)
    country = _country(rows)
    people = _people(rng, country, rows)
    listed = _listed(rng, country, people)
    order = rng.permutation(len(listed.person))[:rows]
    return _written(rng, country, people, listed.taken(order))


# Places


@dataclass(frozen=True, slots=True)
class _Country:
    """The villages, sorted, each with the number of its town and county."""

    codes: Array
    town: Array
    county: Array

    def other_village(self, rng: np.random.Generator, of: Array, *, far: Array) -> Array:
        """Draw for each village one in another town of its county, or where `far` in another county."""
        counties = int(self.county[-1]) + 1
        target = self.county[of].copy()
        step = rng.integers(1, counties, len(of))
        # Half of those who leave stay in the prefecture, whose counties are numbered side by side.
        near = rng.random(len(of)) < 0.5
        beside = target ^ 1
        beside[beside >= counties] = 0
        leaves = np.where(near & (beside != target), beside, (target + step) % counties)
        target[far] = leaves[far]
        starts = np.searchsorted(self.county, np.arange(counties + 1))
        found = _between(rng, starts[target], starts[target + 1])
        for _ in range(60):
            same = self.town[found] == self.town[of]
            if not same.any():
                break
            found[same] = _between(rng, starts[target[same]], starts[target[same] + 1])
        return found


def _country(rows: int) -> _Country:
    counties = max(3, round(rows / COUNTY_ROWS))
    if counties > 10 * len(_PREFECTURES):
        raise ValueError(f"there are unassigned county codes for {10 * len(_PREFECTURES)} counties")
    villages = max(2 * counties, round(rows / VILLAGE_ROWS))
    county = np.arange(villages) * counties // villages
    first = np.searchsorted(county, np.arange(counties))
    number = np.arange(villages) - first[county]
    size = np.bincount(county)[county]
    towns = np.minimum(TOWNS, size)
    in_county = number * towns // size
    codes = [
        # Neighbours of even and odd number share a prefecture.
        f"{_PREFECTURES[c // 2 % len(_PREFECTURES)]}{99 - c % 2 - 2 * (c // 2 // len(_PREFECTURES)):02}{100 + t:03}{200 + v:03}"
        for c, t, v in zip(county, in_county, number, strict=True)
    ]
    return _Country(np.array(codes), county * TOWNS + in_county, county)


# People


@dataclass(slots=True)
class _People:
    """Every person once, household by household; columns of one length."""

    household: Array
    relation: Array
    is_man: Array
    birth: Array
    twin: Array
    """The number of the twins' birth, -1 for all others."""
    name: Array
    id_no: Array
    """ASCII digits, 18 columns."""
    phone: Array
    village_of: Array
    """The village of each household."""
    start: Array
    """Where each household begins; it ends where the next begins."""


def _people(rng: np.random.Generator, country: _Country, rows: int) -> _People:
    wanted = rows / (1 + DOUBLED * (1 + THIRD * 0.75)) * 1.012
    households = max(8, int(wanted / 3.2))
    parts = _families(rng, households)
    household, relation, is_man, age_days, twin = parts
    # The mean size of a family is a chance matter, so keep as many whole families as are wanted.
    kept = int(household[min(len(household) - 1, int(wanted))]) + 1
    keep = household < kept
    household, relation, is_man, age_days, twin = (part[keep] for part in parts)
    village_of = np.sort(rng.integers(0, len(country.codes), kept))
    birth = TODAY - age_days.astype("timedelta64[D]")
    name = _names(rng, country, village_of, household, relation, is_man, twin)
    start = np.searchsorted(household, np.arange(kept + 1))
    area = country.county[village_of[household]].copy()
    moved = rng.random(len(area)) < np.where(np.isin(relation, (SPOUSE, MOTHER)), 0.2, 0.02)
    moved &= twin < 0
    counties = int(country.county[-1]) + 1
    area[moved] = rng.integers(0, counties, int(moved.sum()))
    first = np.searchsorted(country.county, np.arange(counties))
    areas = np.array([code[:6] for code in country.codes[first]])
    id_no = _id_numbers(rng, area, areas, birth, is_man, twin)
    phone = _phones(rng, household, start, age_days)
    return _People(household, relation, is_man, birth, twin, name, id_no, phone, village_of, start)


def _families(rng: np.random.Generator, households: int) -> tuple[Array, ...]:
    """Draw head, spouse, children and parents of each household, in this order."""
    every = np.arange(households)
    year = 365.25
    head_age = rng.integers(26 * 365, 72 * 365, households)
    head_man = rng.random(households) < 0.85
    married = rng.random(households) < 0.78
    spouse_age = np.clip(head_age + rng.normal(-2 * year, 3 * year, households), 21 * year, None)
    mother_age = np.where(head_man, spouse_age, head_age).astype(np.int64)
    columns: list[tuple[Array, Array, Array, Array, Array, int]] = []

    def add(who: Array, relation: Array, man: Array, age: Array, twin: Array, place: int) -> None:
        columns.append((who, relation, man, age.astype(np.int64), twin, place))

    none = np.full(households, -1)
    add(every, np.full(households, HEAD), head_man, head_age, none, 0)
    who = every[married]
    add(who, np.full(len(who), SPOUSE), ~head_man[who], spouse_age[who], none[who], 1)
    first_child = rng.integers(19 * 365, 31 * 365, households)
    births = rng.choice(5, households, p=(0.12, 0.25, 0.36, 0.20, 0.07))
    born = mother_age - first_child
    twins = 0
    for birth in range(4):
        who = every[(births > birth) & (born > 0) & (born < 46 * 365)]
        doubled = rng.random(len(who)) < TWINS
        number = np.where(doubled, twins + np.cumsum(doubled), -1)
        twins += int(doubled.sum())
        for second in range(2):
            those, twin = (who[doubled], number[doubled]) if second else (who, number)
            man = rng.random(len(those)) < 0.53
            relation = np.where(man, SON, DAUGHTER)
            add(those, relation, man, born[those], twin, 2 + 2 * birth + second)
        born = born - rng.integers(400, 1_900, households)
    for place, (relation, man) in enumerate(((FATHER, True), (MOTHER, False))):
        age = head_age + rng.integers(19 * 365, 33 * 365, households)
        who = every[(rng.random(households) < 0.30) & (age < 95 * 365)]
        add(
            who,
            np.full(len(who), relation),
            np.full(len(who), man),
            age[who],
            none[who],
            10 + place,
        )
    joined = [np.concatenate([column[i] for column in columns]) for i in range(5)]
    place = np.concatenate([np.full(len(column[0]), column[5]) for column in columns])
    order = np.lexsort((place, joined[0]))
    return tuple(part[order] for part in joined)


def _names(
    rng: np.random.Generator,
    country: _Country,
    village_of: Array,
    household: Array,
    relation: Array,
    is_man: Array,
    twin: Array,
) -> Array:
    households = len(village_of)
    villages = len(country.codes)
    common = np.array(list(_SURNAMES))
    own = _zipf(rng, common, len(household))
    dominant = rng.permuted(np.tile(np.arange(len(common)), (villages, 1)), axis=1)[:, :3]
    of_village = rng.random(households) < 0.60
    heads = _zipf(rng, common, households)
    drawn = common[dominant[village_of, rng.choice(3, households, p=(0.5, 0.3, 0.2))]]
    heads = np.where(of_village, drawn, heads).astype("U2")
    rare = rng.random(households) < 0.004
    heads[rare] = rng.choice(_DOUBLE_SURNAMES, int(rare.sum()))
    has_spouse = np.zeros(households, bool)
    has_spouse[household[relation == SPOUSE]] = True
    spouses = np.empty(households, "U2")
    spouses[household[relation == SPOUSE]] = own[relation == SPOUSE]
    head_man = is_man[relation == HEAD]
    fathers = np.where(head_man | ~has_spouse, heads, spouses)
    surname = own.astype("U2")
    for relations, of in (
        ((HEAD, FATHER), heads),
        ((SON, DAUGHTER), fathers),
        ((SPOUSE,), spouses),
    ):
        those = np.isin(relation, relations)
        surname[those] = of[household[those]]
    child = np.isin(relation, (SON, DAUGHTER))
    generation = _zipf(rng, np.array(list(_GENERATIONS)), households)
    shares = (rng.random(households) < 0.50)[household] & child
    tibetan = (rng.random(villages) < 0.03)[village_of[household]]
    shared_twin = _zipf(rng, np.array(list(_GENERATIONS)), max(1, int(twin.max(initial=0)) + 1))
    name = np.empty(len(household), "U8")
    todo = np.ones(len(household), bool)
    for _ in range(8):  # until no two of a household have one name
        n = len(household)
        first = np.where(
            is_man, _zipf(rng, np.array(list(_MEN)), n), _zipf(rng, np.array(list(_WOMEN)), n)
        )
        second = np.where(
            is_man, _zipf(rng, np.array(list(_MEN)), n), _zipf(rng, np.array(list(_WOMEN)), n)
        )
        first = np.where(shares, generation[household], first)
        is_twin = twin >= 0
        first = np.where(is_twin & ~shares, shared_twin[np.maximum(twin, 0)], first)
        short = (rng.random(n) < 0.12) & ~shares & ~is_twin
        second = np.where(short, "", second)
        made = np.char.add(np.char.add(surname, first), second)
        for sex in "12":
            parts = np.array(_TIBETAN[sex])
            those = tibetan & (is_man == (sex == "1"))
            k = int(those.sum())
            last = np.where(rng.random(k) < 0.8, rng.choice(parts, k), "")
            made[those] = np.char.add(rng.choice(parts, k), last)
        name[todo] = made[todo]
        order = np.lexsort((name, household))
        same = (household[order][1:] == household[order][:-1]) & (
            name[order][1:] == name[order][:-1]
        )
        todo = np.zeros(n, bool)
        todo[order[1:][same]] = True
        if not todo.any():
            break
    return name


def _id_numbers(
    rng: np.random.Generator, area: Array, areas: Array, birth: Array, is_man: Array, twin: Array
) -> Array:
    """Return ID numbers as ASCII digits, each given once; twins have neighbouring serials."""
    # A birth has a slot of four serials of its own among those of its area and day.
    order = np.lexsort((twin, birth, area))
    same = np.zeros(len(order), bool)
    same[1:] = (twin[order][1:] >= 0) & (twin[order][1:] == twin[order][:-1])
    follows = np.zeros(len(order), bool)
    follows[1:] = (area[order][1:] == area[order][:-1]) & (birth[order][1:] == birth[order][:-1])
    births = np.cumsum(~same)
    first_birth = np.maximum.accumulate(np.where(~follows, births, 0))
    rank = births - first_birth
    if int(rank.max(initial=0)) >= 250:
        raise ValueError("too many births on one day in one county for their serial numbers")
    offset = rng.integers(0, 250, int((~follows).sum()))[np.cumsum(~follows) - 1]
    slot = (offset + rank * 97) % 250
    half = rng.integers(0, 2, len(order)) * 2
    is_first = np.zeros(len(order), bool)
    is_first[:-1] = same[1:]
    half = np.where(same, 2, np.where(is_first, 0, half))
    serial = np.empty(len(order), np.int64)
    serial[order] = slot * 4 + half
    serial += is_man
    day = birth.astype("datetime64[D]").astype(str)
    texts = np.char.add(
        np.char.add(areas[area], np.char.replace(day, "-", "")),
        np.char.zfill(serial.astype("U3"), 3),
    )
    digits = _ascii(texts, 17)
    weights = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
    checks = np.frombuffer(b"10X98765432", np.uint8)[(digits.astype(np.int64) - 48) @ weights % 11]
    return np.hstack([digits, checks[:, None]])


def _phones(rng: np.random.Generator, household: Array, start: Array, age_days: Array) -> Array:
    """Return phone numbers; who has none of his own is reached through the head's."""
    n = len(household)
    numbers = rng.permutation(4 * n)[:n]
    is_head = np.zeros(n, bool)
    is_head[start[:-1]] = True
    may = ~is_head & (age_days > 14 * 365)
    share = (OWN_PHONE * n - int(is_head.sum())) / max(1, int(may.sum()))
    own = is_head | (may & (rng.random(n) < share))
    number = np.where(own, numbers, numbers[start[household]])
    return _phone_texts(number)


def _phone_texts(number: Array) -> Array:
    # A step without a common factor with 10**8 gives every number once, in no visible order.
    return np.char.add("154", _padded(number * 15_485_863 % 10**8))


# Who is listed where


@dataclass(slots=True)
class _Listed:
    """The rows before anybody's pen slips."""

    person: Array
    scenario: Array
    village: Array
    sheet: Array
    """The number of the household's list on which the row stands."""
    relation: Array
    head: Array
    """The person who is the head on that list."""

    def taken(self, order: Array) -> _Listed:
        return _Listed(
            self.person[order], self.scenario[order], self.village[order],
            self.sheet[order], self.relation[order], self.head[order],
        )  # fmt: skip


def _listed(rng: np.random.Generator, country: _Country, people: _People) -> _Listed:
    n, households = len(people.household), len(people.village_of)
    everyone = np.arange(n)
    home = people.village_of[people.household]
    head = people.start[people.household]
    rows = [_Listed(everyone, np.full(n, "first"), home, people.household, people.relation, head)]
    sheets = households

    def add(
        person: Array, scenario: str, village: Array, sheet: Array, relation: Array, of: Array
    ) -> None:
        named = np.full(len(person), scenario)
        rows.append(_Listed(person, named, village, sheet, relation, of))

    whole = [_hit(rng, DOUBLED * DOUBLES["resettlement"], np.ones(households, bool))]
    spouse = np.full(households, -1)
    spouse[people.household[people.relation == SPOUSE]] = everyone[people.relation == SPOUSE]
    by_size = np.diff(people.start)
    can_twice = (spouse >= 0) & ~whole[0]
    rate = DOUBLED * DOUBLES["household_twice"] * by_size.sum() / max(1, by_size[can_twice].sum())
    whole.append(can_twice & (rng.random(households) < rate))
    for number, again in enumerate(whole):
        person = everyone[again[people.household]]
        of = people.household[person]
        if number == 0:
            places = country.other_village(rng, people.village_of, far=np.zeros(households, bool))
            add(
                person,
                "resettlement",
                places[of],
                sheets + of,
                people.relation[person],
                head[person],
            )
        else:
            relation = people.relation[person].copy()
            for before, after in _UNDER_THE_WIFE.items():
                relation[people.relation[person] == before] = after
            add(person, "household_twice", home[person], sheets + of, relation, spouse[of])
        sheets += households
    adult = people.birth < TODAY - np.timedelta64(16 * 365, "D")
    age = (TODAY - people.birth).astype(np.int64) // 365
    bride = (people.relation == DAUGHTER) & (age >= 18)
    doubled = np.zeros(n, bool)
    for again in whole:
        doubled |= again[people.household]
    by_himself = np.zeros(n, bool)
    for scenario, able in (
        ("marriage", bride),
        ("other_county", adult),
        ("other_town", np.ones(n, bool)),
        ("same_village", np.ones(n, bool)),
    ):
        hit = _hit(rng, DOUBLED * DOUBLES[scenario], able & ~doubled)
        doubled |= hit
        by_himself |= hit
        sheets = _add_alone(rng, country, people, add, scenario, everyone[hit], sheets)
    again = everyone[by_himself & (rng.random(n) < THIRD)]
    third = rng.choice(
        ("same_village", "other_town", "other_county"), len(again), p=(0.5, 0.2, 0.3)
    )
    for scenario in ("same_village", "other_town", "other_county"):
        sheets = _add_alone(rng, country, people, add, scenario, again[third == scenario], sheets)
    return _Listed(*(np.concatenate([getattr(r, f) for r in rows]) for f in _Listed.__slots__))


def _add_alone(
    rng: np.random.Generator,
    country: _Country,
    people: _People,
    add: Any,
    scenario: str,
    person: Array,
    sheets: int,
) -> int:
    """Add a row of single persons on another list; return the next free number of a list."""
    k = len(person)
    of = people.household[person]
    at = people.village_of[of]
    if scenario == "same_village":
        on_same = rng.random(k) < SAME_LIST
        # Another cadre's list of the family, on which only those stand whom he met.
        for named, those, sheet in (("same_list", on_same, of), (scenario, ~on_same, sheets + of)):
            whom = person[those]
            head = people.start[of[those]]
            add(whom, named, at[those], sheet[those], people.relation[whom], head)
        return sheets + len(people.village_of)
    far = np.full(k, scenario == "other_county")
    guest = np.full(k, scenario == "marriage")
    if scenario == "marriage":
        far = rng.random(k) < 0.6
    if scenario == "other_town":  # with relatives, or a household of his own
        guest = rng.random(k) < 0.5
    village = country.other_village(rng, at, far=far)
    first = np.searchsorted(people.village_of, village)
    after = np.searchsorted(people.village_of, village, side="right")
    guest &= after > first
    host = np.where(guest, _between(rng, first, after), 0)
    relation = np.where(guest, _IN_LAW if scenario == "marriage" else _RELATIVE, HEAD)
    sheet = np.where(guest, host, sheets + np.arange(k))
    add(person, scenario, village, sheet, relation, np.where(guest, people.start[host], person))
    return sheets + k


# How it is written down


def _written(
    rng: np.random.Generator, country: _Country, people: _People, listed: _Listed
) -> Register:
    n = len(listed.person)
    person = listed.person
    birth = people.birth[person]
    id_slip = _slips(rng, n, ID_SLIPS)
    id_slip[(id_slip == "fifteen") & (birth >= np.datetime64("2000-01-01"))] = ""
    id_no = _id_texts(rng, people, person, id_slip)
    birth_slip, birth_text = _birth_texts(rng, birth, id_slip == "missing")
    name_slip = _slips(rng, n, NAME_SLIPS)
    name = people.name[person].astype(object)
    for i in np.flatnonzero(name_slip != ""):
        name[i] = _slipped_name(rng, str(name[i]), str(name_slip[i]))
    name_slip[name == people.name[person]] = ""  # some names offer nothing to slip on
    man = people.is_man[person] ^ (rng.random(n) < WRONG_SEX)
    phone = people.phone[person].copy()
    changed = (listed.scenario != "first") & (rng.random(n) < CHANGED_PHONE)
    phone[changed] = _phone_texts(4 * len(people.name) + np.arange(int(changed.sum())))
    for i in np.flatnonzero(rng.random(n) < PHONE_TYPO):
        phone[i] = _other_digit(rng, str(phone[i]), 3)
    on_sheet = {int(s): name[i] for i, s in enumerate(listed.sheet) if listed.relation[i] == HEAD}
    true_names = people.name[listed.head]
    head_name = [
        on_sheet.get(int(s), str(t)) for s, t in zip(listed.sheet, true_names, strict=True)
    ]
    record_id = np.char.add("r", _padded(np.arange(1, n + 1)))
    sheet = _shuffled_numbers(rng, listed.sheet)
    persons = pa.table(
        {
            "record_id": _text(record_id),
            "name": _text(name),
            "sex": _text(np.where(man, "1", "2")),
            "birth_date": _text(birth_text),
            "id_no": _text(id_no),
            "phone": _text(phone),
            "village_code": _text(country.codes[listed.village]),
            "household_id": _text(np.char.add("h", _padded(sheet))),
            "relation": _text(listed.relation),
            "head_name": _text(head_name),
        }
    )
    person_id = _shuffled_numbers(rng, person)
    family = people.household[person]
    truth = pa.table(
        {
            "record_id": _text(record_id),
            "person_id": _text(np.char.add("p", _padded(person_id))),
            "scenario": _text(listed.scenario),
            "family_id": pa.array(family),
            "twin_id": pa.array(people.twin[person], mask=people.twin[person] < 0),
            "id_slip": _text(id_slip),
            "name_slip": _text(name_slip),
            "birth_slip": _text(birth_slip),
        }
    )
    return Register(persons, truth)


def _id_texts(rng: np.random.Generator, people: _People, person: Array, slip: Array) -> Array:
    digits = people.id_no[person]
    relative = _relative(rng, people, person)
    taken = slip == "relative"
    digits[taken] = people.id_no[relative[taken]]
    texts = digits.view("S18").ravel().astype("U18").astype(object)
    texts[slip == "missing"] = ""
    for i in np.flatnonzero(~np.isin(slip, ("", "missing", "relative"))):
        texts[i] = _slipped_number(rng, str(texts[i]), str(slip[i]))
    return np.asarray(texts)


def _relative(rng: np.random.Generator, people: _People, person: Array) -> Array:
    """Draw for each person another one of his family; himself where there is none."""
    begin = people.start[people.household[person]]
    size = people.start[people.household[person] + 1] - begin
    step = 1 + rng.integers(0, 1 << 30, len(person)) % np.maximum(size - 1, 1)
    return np.asarray(begin + (person - begin + step) % size)


def _slipped_number(rng: np.random.Generator, number: str, slip: str) -> str:
    if slip == "digit":
        return _other_digit(rng, number, 0)
    if slip == "two_digits":
        return _other_digit(rng, _other_digit(rng, number, 0), 0)
    if slip == "fifteen":
        return number[:6] + number[8:17]
    if slip == "dropped":
        i = int(rng.integers(len(number)))
        return number[:i] + number[i + 1 :]
    places = [i for i in range(17) if number[i] != number[i + 1]]
    i = places[int(rng.integers(len(places)))]
    return number[:i] + number[i + 1] + number[i] + number[i + 2 :]


def _other_digit(rng: np.random.Generator, number: str, first: int) -> str:
    i = int(rng.integers(first, len(number)))
    digit = str((int(number[i]) + int(rng.integers(1, 10))) % 10) if number[i] != "X" else "0"
    return number[:i] + digit + number[i + 1 :]


def _birth_texts(rng: np.random.Generator, birth: Array, without_id: Array) -> tuple[Array, Array]:
    n = len(birth)
    text = birth.astype("datetime64[D]").astype(str).astype(object)
    year = birth.astype("datetime64[Y]").astype(np.int64) + 1970
    month = birth.astype("datetime64[M]").astype(np.int64) % 12 + 1
    day = (birth - birth.astype("datetime64[M]")).astype(np.int64) + 1
    slip = np.full(n, "", "U9")
    elsewhere = (BIRTH_SLIPS["lunar"] - LUNAR_WITHOUT_ID * without_id.mean()) / (
        1 - without_id.mean()
    )
    slip[rng.random(n) < np.where(without_id, LUNAR_WITHOUT_ID, elsewhere)] = "lunar"
    able = {
        "month_day": (day <= 12) & (day != month),
        "year": np.ones(n, bool),
        "year_only": np.ones(n, bool),
    }
    for kind, possible in able.items():
        slip[_hit(rng, BIRTH_SLIPS[kind], possible & (slip == ""))] = kind
    # The lunar new year comes 20 to 50 days after ours, 11 days earlier each year (2000: 35 days).
    behind = 20 + (15 - 11 * (year - 2000)) % 30
    lunar = (birth - behind.astype("timedelta64[D]")).astype(str)
    later = year + np.where(rng.random(n) < 0.5, 1, -1)
    for i in np.flatnonzero(slip != ""):
        if slip[i] == "lunar":
            text[i] = str(lunar[i])
        elif slip[i] == "month_day":
            text[i] = f"{year[i]}-{day[i]:02}-{month[i]:02}"
        elif slip[i] == "year":
            text[i] = f"{later[i]}{'-02-28' if text[i][4:] == '-02-29' else text[i][4:]}"
        else:
            text[i] = str(year[i])
    return slip, text


def _slipped_name(rng: np.random.Generator, name: str, slip: str) -> str:
    surname, given = split_name(name)
    own = len(surname)
    if slip == "milk_name":
        if own and rng.random() < 0.6:
            return surname + str(rng.choice(_MILK_NAMES))
        return surname + str(rng.choice(("小", "阿"))) + given[-1]
    if slip == "characters":
        if len(given) < 2:
            return name
        i = own + int(rng.integers(len(given) - 1))
        if rng.random() < 0.5:
            return name[:i] + name[i + 1] + name[i] + name[i + 2 :]
        j = own + int(rng.integers(len(given)))
        return name[:j] + name[j + 1 :]
    read = syllables(surname, given)
    # A surname is seldom misheard: everybody in the village has it.
    places = list(rng.permutation(np.arange(own, len(name))))
    if own == 1 and rng.random() < 0.12:
        places.insert(0, 0)
    for i in places:
        others = _others(slip, name[i], read[i])
        if others:
            return name[:i] + others[int(rng.integers(len(others)))] + name[i + 1 :]
    return _slipped_name(rng, name, "homophone") if slip == "lookalike" else name


def _others(slip: str, character: str, syllable: str) -> str:
    if slip == "lookalike":
        return _lookalikes().get(character, "")
    if slip == "homophone":
        return _written_as().get(syllable, "").replace(character, "")
    return _misheard(syllable)


@cache
def _misheard(syllable: str) -> str:
    """Return the characters of the syllables that a dialect does not tell from this one."""
    heard = {to + syllable[len(part) :] for part, to in _DIALECT if syllable.startswith(part)}
    heard |= {re.sub(r"(?<=[aei])ng$", "n", syllable), re.sub(r"(?<=[aei])n$", "ng", syllable)}
    heard = {h for h in heard if h != syllable}
    return "".join(_written_as().get(h, "") for h in sorted(heard))


@cache
def _lookalikes() -> dict[str, str]:
    found: dict[str, str] = {}
    for one, other in _LOOKALIKES:
        found[one] = found.get(one, "") + other
        found[other] = found.get(other, "") + one
    return found


@cache
def _written_as() -> dict[str, str]:
    """Return the common characters of each syllable; those used in names, where there are any."""
    in_names = set(_MEN + _WOMEN + _GENERATIONS + _SURNAMES)
    # GB 2312, level 1: the 3,755 characters that a keyboard offers first.
    common = b"".join(bytes((row, cell)) for row in range(0xB0, 0xD8) for cell in range(0xA1, 0xFF))
    found: dict[str, list[str]] = {}
    for character in common.decode("gb2312", "ignore"):
        found.setdefault(syllables("", character)[0], []).append(character)
    for character in sorted(in_names):
        of = found.setdefault(syllables("", character)[0], [])
        # A name's character is taken three times as often as another.
        of.extend([character] * (3 if character not in of else 2))
    return {syllable: "".join(of) for syllable, of in found.items()}


# Chance


def _hit(rng: np.random.Generator, rate: float, able: Array) -> Array:
    """Return who is hit, when a share `rate` of all is and only those `able` can be."""
    share = able.mean() if len(able) else 0.0
    return np.asarray(able & (rng.random(len(able)) < (rate / share if share else 0.0)))


def _slips(rng: np.random.Generator, n: int, rates: dict[str, float]) -> Array:
    kinds = np.array(["", *rates])
    edges = np.cumsum(list(rates.values()))
    index = np.searchsorted(edges, rng.random(n), side="right")
    return kinds[np.where(index < len(rates), index + 1, 0)]


def _zipf(rng: np.random.Generator, values: Array, n: int) -> Array:
    weights = 1 / (np.arange(len(values)) + 12)
    edges = np.cumsum(weights / weights.sum())
    return values[np.minimum(np.searchsorted(edges, rng.random(n)), len(values) - 1)]


def _between(rng: np.random.Generator, first: Array, after: Array) -> Array:
    return np.asarray(first + (rng.random(len(first)) * (after - first)).astype(np.int64))


def _shuffled_numbers(rng: np.random.Generator, values: Array) -> Array:
    """Return numbers from 1 in no order that tells anything, one for each different value."""
    different, index = np.unique(values, return_inverse=True)
    return (rng.permutation(len(different)) + 1)[index]


def _padded(numbers: Array) -> Array:
    """Return numbers as eight digits."""
    texts = numbers.astype("U8")
    return np.char.zfill(texts, 8) if len(texts) else texts


def _ascii(texts: Array, width: int) -> Array:
    return texts.astype(f"S{width}").view(np.uint8).reshape(len(texts), width).copy()


def _text(values: Array | Sequence[str]) -> pa.Array:
    return pa.array(list(map(str, values)), pa.string())


def main() -> None:
    """Write a register and its truth."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True, help=".parquet or .csv")
    parser.add_argument("--truth", type=Path, required=True, help=".parquet or .csv")
    given = parser.parse_args()
    write(given.rows, given.output, given.truth, seed=given.seed)


if __name__ == "__main__":
    main()
