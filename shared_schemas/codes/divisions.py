"""The administrative divisions: provinces to counties of all China, and two counties down to the village.

GB/T 2260 gives six digits to a county; the statistics add three for the township and three for the village.
Twelve digits throughout, and always a string. The nation's table ends at the county (a server imports the
villages of its own counties); the demonstration's villages are apart, in divisions_demo.csv.
The sources know the year of a change, not the day: in that year both the old code and the new one are valid.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

__all__ = [
    "Division",
    "county_of",
    "demo_divisions",
    "division",
    "divisions_within",
    "id_area_name",
    "is_within",
    "level_of",
    "national_divisions",
    "pad12",
]

PROVINCE, PREFECTURE, COUNTY, TOWNSHIP, VILLAGE = 1, 2, 3, 4, 5

# How many leading digits of the twelve a level says something with.
_WIDTHS = {PROVINCE: 2, PREFECTURE: 4, COUNTY: 6, TOWNSHIP: 9, VILLAGE: 12}


@dataclass(frozen=True, slots=True)
class Division:
    """A place with its code. parent and successor are codes of twelve digits, or empty."""

    code12: str
    name: str
    level: int
    parent: str
    valid_from: str = ""
    valid_to: str = ""
    successor: str = ""
    urban_rural: str = ""

    def is_valid_on(self, day: str) -> bool:
        """Say whether the code was in use on a day (YYYY-MM-DD). An empty bound is open."""
        return self.valid_from <= day and (not self.valid_to or day <= self.valid_to)


def pad12(code: str) -> str:
    """Return the code at its full width: 522326 is 522326000000."""
    return code.ljust(12, "0")


def level_of(code: str) -> int:
    """Return 1 for a province to 5 for a village, read from the zeros at the end."""
    padded = pad12(code)
    return next(level for level, width in _WIDTHS.items() if not padded[width:].strip("0"))


def county_of(code: str) -> str:
    """Return the six digits of the county that a place lies in."""
    return pad12(code)[:6]


def is_within(code: str, prefix: str) -> bool:
    """Say whether a place lies in another, or is it. The other may be padded or not.

    Zeros at the end of a whole level are padding: 522326000000, 522326 and 5223260 all mean the county.
    """
    return pad12(code).startswith(pad12(prefix)[: _WIDTHS[level_of(prefix)]])


def division(code: str) -> Division | None:
    """Return the place by its code of 6, 9 or 12 digits, ended ones too, or None.

    A code that changed its name is returned with its newest name.
    """
    padded = pad12(code)
    spans = _demo().get(padded) if level_of(padded) > COUNTY else _in_nation(padded)
    return spans[-1] if spans else None


def divisions_within(prefix: str, level: int) -> tuple[Division, ...]:
    """Return the places of a level in another that are in use now: a picker's next page."""
    codes = _demo() if level > COUNTY else _nation()
    start = pad12(prefix)[: _WIDTHS[level_of(prefix)]]
    places = (
        division(code) for code in codes if code.startswith(start) and level_of(code) == level
    )
    return tuple(place for place in places if place and not place.valid_to)


def id_area_name(code6: str, birth_year: int) -> str | None:
    """Return what the first six digits of an ID number meant, or None when they never meant anything.

    The digits say where the number was first given out, so a code that has since ended is right and stays.
    Numbers were first given out in 1984; an older person has the code of that year. Where a code had several
    names, the one of that time is returned. xxxx01 is the urban area of the prefecture.
    """
    spans = _in_nation(pad12(code6))
    if spans:
        day = f"{max(birth_year, 1984)}-12-31"
        begun = [span for span in spans if span.valid_from <= day]
        return (begun or list(spans))[-1].name
    if len(code6) == 6 and code6.endswith("01"):
        prefecture = id_area_name(f"{code6[:4]}00", birth_year)
        return f"{prefecture}市辖区" if prefecture and prefecture.endswith("市") else None
    return None


def national_divisions() -> tuple[Division, ...]:
    """Return every code of GB/T 2260, ended ones too, each with its newest name."""
    return tuple(_in_nation(code)[-1] for code in _nation())


def demo_divisions() -> tuple[Division, ...]:
    """Return the townships and villages of 贞丰 (522325) and 望谟 (522326)."""
    return tuple(spans[-1] for spans in _demo().values())


@cache
def _nation() -> dict[str, list[list[str]]]:
    """Read the nation's table once: for each code the lines of its names, the present one last.

    Lines, because a form asks for the one place of an ID number, and there are over 6,000.
    """
    lines: dict[str, list[list[str]]] = {}
    for line in csv.reader(_text("divisions.csv")[1:]):
        lines.setdefault(pad12(line[0]), []).append(line)
    return lines


@cache
def _in_nation(code: str) -> tuple[Division, ...]:
    """Return the names of a code of twelve digits, the present one last; none for a code never used."""
    return tuple(
        Division(
            code12=code,
            name=name,
            level=level_of(code),
            parent=_parent_in_nation(code),
            valid_from=valid_from,
            valid_to=valid_to,
            successor=successor and pad12(successor),
        )
        for _, name, valid_from, valid_to, successor in _nation().get(code, ())
    )


def _parent_in_nation(code: str) -> str:
    if code.endswith("0000000000"):
        return ""
    prefecture, province = pad12(code[:4]), pad12(code[:2])
    return prefecture if prefecture != code and prefecture in _nation() else province


@cache
def _demo() -> dict[str, tuple[Division, ...]]:
    table: dict[str, tuple[Division, ...]] = {}
    for row in csv.DictReader(_text("divisions_demo.csv")):
        level = level_of(row["code"])
        table[row["code"]] = (
            Division(
                code12=row["code"],
                name=row["name"],
                level=level,
                parent=pad12(row["code"][: _WIDTHS[level - 1]]),
                urban_rural=row["urban_rural"],
            ),
        )
    return table


def _text(file_name: str) -> list[str]:
    path = files(__package__).joinpath("data", file_name)
    return path.read_text(encoding="utf-8").splitlines()
