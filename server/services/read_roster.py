"""Reads a county's spreadsheet of the poverty register: any form of file, columns found by heading.

Pure: bytes in, rows out. `open_roster` finds the sheet and its heading row, `preview` says what was
understood, `parse_row` turns one row into declared values with a fault for every cell that cannot
be read. Nothing here rounds, guesses a digit or drops a row silently.
"""

from __future__ import annotations

import csv
import datetime as dt
import difflib
import io
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import python_calamine

from shared_schemas import resident_id
from shared_schemas.codes import code_list
from shared_schemas.codes.divisions import division, divisions_within
from shared_schemas.errors import ChushanError
from shared_schemas.fields import Declared, Merge
from shared_schemas.records import record_kind, record_kinds

Cell = str | int | float | bool | dt.date | dt.datetime | dt.time | dt.timedelta | None
Target = tuple[str, str]
"""What a column means: (kind, field), or ("place", "township" | "county")."""

KINDS = ("household", "member")
TOWNSHIP, COUNTY = ("place", "township"), ("place", "county")
REGISTRY_NO, VILLAGE = ("household", "registry_no"), ("household", "village_code")
NAME, ID_NO, RELATION = ("member", "name"), ("member", "id_no"), ("member", "relation")
HEAD_OF_HOUSEHOLD = "02"
HEADING_ROWS_SEARCHED = 30
SAMPLE_ROWS = 5
MOST_ROWS_MERGED = 100
MOST_UNPACKED_BYTES = 1024 * 1024 * 1024

PLACE_HEADINGS: Mapping[Target, tuple[str, ...]] = {
    TOWNSHIP: ("乡镇", "镇", "乡", "乡(镇)", "镇(乡)", "乡镇(街道)", "乡(镇、街道)", "所在乡镇"),
    COUNTY: ("县", "县(市)", "县(区)", "县(市、区)", "区县", "所在县"),
}
EXTRA_HEADINGS: Mapping[Target, tuple[str, ...]] = {
    VILLAGE: ("村编码", "村代码", "行政村编码", "行政村代码", "村(社区)", "行政村(社区)"),
    ("member", "phone"): ("联系电话", "电话", "手机", "本人手机"),
    ("household", "phone"): ("电话",),
}
"""Headings that registers also use and that the declarations leave open."""
HEAD_ONLY_HEADINGS = ("户主姓名", "户主")
"""The name, where a sheet has one row a household and names its head only."""


# --- opening ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Roster:
    """An opened file: its first filled sheet, with the heading row found."""

    form: str
    """xlsx, xls or csv."""
    sheet_name: str
    heading_row_no: int
    headings: Mapping[int, str]
    """Column number (from 1) → heading as written."""
    rows_total: int
    _source: _Sheet = field(repr=False)

    def rows(self) -> Iterator[tuple[int, Mapping[int, Cell]]]:
        """Yield (row number as the spreadsheet shows it, cells by column number); no empty rows."""
        for row_no, cells in self._source.rows():
            if row_no > self.heading_row_no:
                filled = {n: cell for n, cell in cells.items() if not _is_blank(cell)}
                if filled:
                    yield row_no, filled


class _Sheet:
    """Rows of a sheet, read again as often as asked."""

    name = ""
    height = 0

    def rows(self) -> Iterator[tuple[int, Mapping[int, Cell]]]:
        raise NotImplementedError


class _Calamine(_Sheet):
    def __init__(self, sheet: python_calamine.CalamineSheet) -> None:
        self._sheet = sheet
        self.name = sheet.name
        self.height = sheet.end[0] + 1 if sheet.end else 0

    def rows(self) -> Iterator[tuple[int, Mapping[int, Cell]]]:
        left = (self._sheet.start or (0, 0))[1]
        merged = self._merged_downwards()
        above: dict[int, Cell] = {}
        for row_no, cells in enumerate(self._sheet.iter_rows(), start=1):
            found: dict[int, Cell] = {left + n: cell for n, cell in enumerate(cells, start=1)}
            for column, is_first in merged.get(row_no, ()):
                if is_first:
                    above[column] = found.get(column)
                else:
                    found[column] = above.get(column)
            yield row_no, found

    def _merged_downwards(self) -> Mapping[int, Sequence[tuple[int, bool]]]:
        """Return (column, whether the value stands here) by row: a household's cells are often
        merged over the rows of its members, and a file keeps the value in the first one only."""
        merged: dict[int, list[tuple[int, bool]]] = {}
        for (top, left), (bottom, right) in self._sheet.merged_cell_ranges or ():
            if left == right and top < bottom <= top + MOST_ROWS_MERGED:
                for row in range(top, bottom + 1):
                    merged.setdefault(row + 1, []).append((left + 1, row == top))
        return merged


class _Csv(_Sheet):
    def __init__(self, data: bytes, encoding: str, delimiter: str) -> None:
        self._data = data
        self._encoding = encoding
        self._delimiter = delimiter
        self.height = data.count(b"\n") + 1

    def rows(self) -> Iterator[tuple[int, Mapping[int, Cell]]]:
        lines = io.TextIOWrapper(io.BytesIO(self._data), encoding=self._encoding, newline="")
        reader = csv.reader(lines, delimiter=self._delimiter)
        try:
            for row_no, cells in enumerate(reader, start=1):
                yield row_no, {n: _unquoted(cell) for n, cell in enumerate(cells, start=1)}
        except csv.Error as error:
            raise ChushanError("malformed", "CSV 文件有无法读取的行") from error


def _unquoted(cell: str) -> str:
    """Return a CSV cell without the tricks that keep numbers text: ="123", '123, a trailing tab."""
    cell = cell.strip()
    wrapped = re.fullmatch(r'="(.*)"', cell)
    return wrapped[1] if wrapped else cell.removeprefix("'")


def open_roster(data: bytes) -> Roster:
    """Open a roster of any form; the content decides, not the file's name.

    ChushanError: wrong_media_type for what is no spreadsheet, malformed for a broken or empty one,
    too_large for one that unpacks to more than a gigabyte.
    """
    if data[:4] == b"PK\x03\x04":
        _refuse_bomb(data)
        return _workbook(data, "xlsx")
    if data[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        return _workbook(data, "xls")
    return _text_file(data)


def _refuse_bomb(data: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except zipfile.BadZipFile as error:
        raise ChushanError("malformed", "文件已损坏,请重新导出") from error
    if unpacked > MOST_UNPACKED_BYTES:
        raise ChushanError("too_large", "表格展开后过大,请按乡镇分开导出")


def _workbook(data: bytes, form: str) -> Roster:
    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        # One after the other: a sheet is read whole into memory.
        sheets = (book.get_sheet_by_name(name) for name in book.sheet_names)
        filled = next((sheet for sheet in sheets if sheet.end is not None), None)
    except python_calamine.CalamineError as error:
        message = "文件打不开:可能有密码保护或已损坏。请去掉密码,另存为 .xlsx 再上传"
        raise ChushanError("malformed", message) from error
    if filled is None:
        raise ChushanError("malformed", "表格里没有内容")
    return _with_headings(form, _Calamine(filled))


def _text_file(data: bytes) -> Roster:
    start = data[:2000].lstrip().lower()
    if start.startswith((b"<html", b"<!doctype", b"<?xml", b"<table")):
        message = "这是网页格式的表格。请用 Excel 或 WPS 打开,另存为 .xlsx 再上传"
        raise ChushanError("wrong_media_type", message)
    encoding = encoding_of(data)
    candidates = []
    for delimiter in (",", "\t", ";", "|"):
        sheet = _Csv(data, encoding, delimiter)
        found = _find_headings(sheet)
        candidates.append((found[2] if found else 0, sheet))
    _, best = max(candidates, key=lambda pair: pair[0])
    if not data.strip():
        raise ChushanError("malformed", "表格里没有内容")
    return _with_headings("csv", best)


def encoding_of(data: bytes) -> str:
    """Return the encoding of a text file: a byte order mark decides, then UTF-8, then GB18030."""
    if data.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    for encoding in ("utf-8", "gb18030"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return encoding
    raise ChushanError("wrong_media_type", "只收 .xlsx、.xls 和 .csv 表格")


def _with_headings(form: str, sheet: _Sheet) -> Roster:
    found = _find_headings(sheet)
    if found is None:
        message = "前 30 行里找不到标题行(应有 户编号、姓名、身份证号 等列名)"
        raise ChushanError("malformed", message)
    row_no, headings, _ = found
    total = max(0, sheet.height - row_no)
    return Roster(form, sheet.name, row_no, headings, total, sheet)


def _find_headings(sheet: _Sheet) -> tuple[int, dict[int, str], int] | None:
    """Return (row number, headings, how many are known) of the row that looks most like headings."""
    best: tuple[int, dict[int, str], int] | None = None
    for row_no, cells in sheet.rows():
        if row_no > HEADING_ROWS_SEARCHED:
            break
        headings = {n: str(cell).strip() for n, cell in cells.items() if not _is_blank(cell)}
        known = sum(1 for heading in headings.values() if _candidates(heading))
        if known >= 2 and (best is None or known > best[2]):
            best = (row_no, headings, known)
    return best


# --- headings → fields ------------------------------------------------------------------------


def plain(words: str) -> str:
    """Return words in half width, without spaces and with ordinary brackets, for comparing."""
    folded = unicodedata.normalize("NFKC", words)
    folded = folded.translate(str.maketrans("【】〔〕[]〈〉<>{}", "()()()()()()"))
    return re.sub(r"[\s*:、,。/\\_-]+", "", folded)


def _candidates(heading: str) -> list[Target]:
    """Return what a heading may mean, the likeliest first; an exact heading before a shortened one."""
    known = _known_headings(record_kinds())
    exact = known.get(plain(heading))
    if exact is not None:
        return list(exact)
    shortened = re.sub(r"\(.*?\)", "", plain(heading))
    return list(known.get(shortened, ()))


@cache
def _known_headings(_kinds: Any) -> Mapping[str, tuple[Target, ...]]:
    known: dict[str, dict[Target, None]] = {}

    def add(heading: str, target: Target) -> None:
        known.setdefault(plain(heading), {}).setdefault(target)

    fields = [(kind, name, f) for kind in KINDS for name, f in record_kind(kind).fields.items()]
    for kind, name, declared in fields:
        for heading in declared.info.roster:
            add(heading, (kind, name))
    for target, headings in (*PLACE_HEADINGS.items(), *EXTRA_HEADINGS.items()):
        for heading in headings:
            add(heading, target)
    for kind, name, declared in fields:
        # A label names its field too, unless a register uses that heading for another one.
        if declared.info.roster and plain(declared.info.zh) not in known:
            add(declared.info.zh, (kind, name))
    for heading in HEAD_ONLY_HEADINGS:
        add(heading, NAME)
    return {heading: tuple(targets) for heading, targets in known.items()}


def mapping_of(headings: Mapping[int, str]) -> dict[int, Target]:
    """Return what each column means, columns that are not understood left out.

    A field is taken once, by the heading that means nothing else; "联系电话" beside "户电话" is the
    person's own, alone it is the household's. "户主姓名" counts only where nobody else is named.
    """
    wanted = {n: _candidates(heading) for n, heading in headings.items()}
    head_only = {n for n, heading in headings.items() if plain(heading) in HEAD_ONLY_HEADINGS}
    taken: dict[Target, int] = {}
    for n in sorted(wanted, key=lambda n: (n in head_only, len(wanted[n]), n)):
        target = next((t for t in wanted[n] if t not in taken), None)
        if target is not None:
            taken[target] = n
    return dict(sorted((n, target) for target, n in taken.items()))


def mappable() -> list[tuple[Target, str]]:
    """Return everything that a column can be mapped to, with its Chinese label, in form order."""
    fields = [
        ((kind, name), f"{record_kind(kind).zh}·{f.info.zh}")
        for kind in KINDS
        for name, f in record_kind(kind).fields.items()
        if f.info.roster
    ]
    return [*fields, (TOWNSHIP, "乡镇"), (COUNTY, "县")]


def mapping_to_json(mapping: Mapping[int, Target]) -> dict[str, str]:
    """Return a mapping as JSON: {"3": "member.name"}."""
    return {str(n): f"{kind}.{name}" for n, (kind, name) in mapping.items()}


def mapping_from_json(values: Mapping[str, str]) -> dict[int, Target]:
    """Return the mapping that `mapping_to_json` wrote; ChushanError bad_query for any other."""
    known = {target for target, _ in mappable()}
    mapping: dict[int, Target] = {}
    for n, meant in values.items():
        kind, _, name = str(meant).partition(".")
        if not (n.isascii() and n.isdigit()) or (kind, name) not in known:
            raise ChushanError("bad_query", f"列 {n} 不能对应到 {meant}")
        if (kind, name) in mapping.values():
            raise ChushanError("bad_query", f"两列都对应到 {meant}")
        mapping[int(n)] = (kind, name)
    return mapping


@dataclass(frozen=True, slots=True)
class Preview:
    """What was understood of a file, to be confirmed before the import."""

    file_name: str
    form: str
    sheet_name: str
    heading_row_no: int
    headings: Mapping[int, str]
    mapping: Mapping[int, Target]
    rows_total: int
    sample: tuple[tuple[int, Mapping[int, str]], ...]
    """First rows: (row number, cells as text)."""
    missing: tuple[str, ...]
    """Labels of needed columns that were not found; with any of them nothing can be imported."""
    unmapped: tuple[str, ...]
    problems: tuple[str, ...]


def preview(
    data: bytes, file_name: str, mapping: Mapping[int, Target] | None = None, *, scope: str = ""
) -> Preview:
    """Return what a file holds and what its columns mean; `mapping` overrides what was found."""
    roster = open_roster(data)
    meant = dict(mapping) if mapping is not None else mapping_of(roster.headings)
    sample: list[tuple[int, Mapping[int, str]]] = []
    problems: list[str] = []
    id_column = next((n for n, target in meant.items() if target == ID_NO), 0)
    for row_no, cells in roster.rows():
        if len(sample) == SAMPLE_ROWS:
            break
        sample.append((row_no, {n: cell_text(cell) for n, cell in cells.items()}))
        if not problems and is_rounded_number(cells.get(id_column)):
            problems.append(
                f"“{roster.headings.get(id_column, '')}”列被表格软件变成了数字,末几位已丢失,"
                "这样的行不会导入。请把该列设为“文本”格式后重新粘贴"
            )
    if not sample:
        problems.append("标题行下面没有数据")
    return Preview(
        file_name=file_name,
        form=roster.form,
        sheet_name=roster.sheet_name,
        heading_row_no=roster.heading_row_no,
        headings=roster.headings,
        mapping=meant,
        rows_total=roster.rows_total,
        sample=tuple(sample),
        missing=missing_columns(meant, scope=scope),
        unmapped=tuple(h for n, h in roster.headings.items() if n not in meant),
        problems=tuple(problems),
    )


def missing_columns(mapping: Mapping[int, Target], *, scope: str = "") -> tuple[str, ...]:
    """Return the labels of the columns without which no row can be placed."""
    present = set(mapping.values())
    needed = [REGISTRY_NO, NAME] + ([] if len(scope) == 12 else [VILLAGE])
    return tuple(
        record_kind(kind).fields[name].info.zh
        for kind, name in needed
        if (kind, name) not in present
    )


# --- cells → values ---------------------------------------------------------------------------


_BLANKS = frozenset({"", "-", "--", "—", "——", "/", "\\", "无数据", "NULL", "null", "None", "#N/A"})
_NONE_WORDS = frozenset({"无", "没有", "暂无", "未办", "未办理", "不详"})
_HAVE_NO_WORD_FOR_NONE = frozenset({"resident_id", "phone", "division", "skills", "number"})
_SCIENTIFIC = re.compile(r"[+-]?\d(\.\d+)?[Ee]\+?\d{2}")
_WRITTEN_AS_NUMBER_MOST = 10**15
"""A spreadsheet keeps 15 digits of a number; what is longer has lost its end."""


def _is_blank(cell: Cell) -> bool:
    return cell is None or (isinstance(cell, str) and cell.strip(" \t\r\n\u3000\xa0") in _BLANKS)


def cell_text(cell: Cell) -> str:
    """Return a cell as the text that it most likely was; whole numbers without a decimal point."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "是" if cell else "否"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < _WRITTEN_AS_NUMBER_MOST:
        return str(int(cell))
    if isinstance(cell, dt.datetime):
        return cell.date().isoformat()
    return str(cell).strip(" \t\r\n\u3000\xa0")


def is_rounded_number(cell: Cell) -> bool:
    """Tell whether a long number lost its last digits to a spreadsheet."""
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        return abs(cell) >= _WRITTEN_AS_NUMBER_MOST
    if not isinstance(cell, str):
        return False
    typed = re.sub(r"\s", "", unicodedata.normalize("NFKC", cell))
    rounded_id = re.fullmatch(r"\d{15}000", typed) and resident_id.slip(typed) is not None
    return bool(_SCIENTIFIC.fullmatch(typed) or rounded_id)


ROUNDED = "号码被表格软件变成了数字,末几位已丢失。请把该列设为“文本”格式,重新填写后再导入"


class Unreadable(Exception):  # noqa: N818 - not an error of the program: a cell that needs a person
    """A cell that cannot be read; the message is the reason in Chinese."""


def parse_cell(declared: Declared, cell: Cell, heading: str = "") -> Any:
    """Return the declared value that a cell means, None for none; Unreadable with the reason."""
    value = _meant(declared, cell, heading)
    if value is None:
        return None
    fault = declared.verdict(value)
    if fault is not None:
        raise Unreadable(_explained(declared, cell, fault.message()))
    return value


def _meant(declared: Declared, cell: Cell, heading: str) -> Any:
    if declared.widget == "day":
        return _day(cell, heading)
    if declared.widget in ("text", "name", "resident_id") and is_rounded_number(cell):
        raise Unreadable(ROUNDED)
    typed = unicodedata.normalize("NFKC", cell_text(cell)).strip()
    if typed in _BLANKS or (typed in _NONE_WORDS and declared.widget in _HAVE_NO_WORD_FOR_NONE):
        return None
    if declared.widget == "name":
        # Offices pad names of two characters to the width of three.
        typed = re.sub(r"(?<=[\u3400-\u9fff])\s+(?=[\u3400-\u9fff])", "", typed)
    reader = _READERS.get(declared.widget)
    return reader(declared, typed) if reader else declared.parsed(typed)


def _explained(declared: Declared, cell: Cell, reason: str) -> str:
    name = getattr(declared, "codes", None)
    if not isinstance(name, str):
        return reason
    offered = "、".join(code.zh for code in code_list(name).offered()[:8])
    return f"不认识“{cell_text(cell)[:20]}”。可填:{offered} 等"


@cache
def _synonyms() -> Mapping[tuple[str, str], tuple[str, str]]:
    path = files("shared_schemas.codes").joinpath("data", "roster_synonyms.csv")
    rows = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
    return {(row["list"], plain(row["word"])): (row["code"], row["also"]) for row in rows}


_OWN_NUMBERING = frozenset({"ethnic", "education"})
"""Lists that poverty programs numbered in an order of their own: a bare number says nothing."""


def _code(list_name: str, typed: str) -> str:
    known = code_list(list_name)
    word = plain(typed)
    if typed.isdigit() and list_name in _OWN_NUMBERING:
        raise Unreadable(f"“{typed}”是编号,各系统编号不同,请填文字(如“{known.codes[0].zh}”)")
    for code in known.codes:
        if word in (code.code, plain(code.zh), code.en):
            return code.code
    synonym = _synonyms().get((list_name, word))
    if synonym:
        return synonym[0]
    if list_name == "ethnic":
        for code in known.codes:
            if code.zh == f"{word}族":
                return code.code
    if typed.isdigit() and typed.zfill(2) in known:
        return typed.zfill(2)
    return typed


def also_meant(kind: str, name: str, cell: Cell) -> dict[str, Any]:
    """Return what a register's word says about other fields: 文盲 is also `illiterate`."""
    list_name = getattr(record_kind(kind).fields[name], "codes", None)
    synonym = _synonyms().get((str(list_name), plain(cell_text(cell))))
    if not synonym or not synonym[1]:
        return {}
    other, _, word = synonym[1].partition("=")
    declared = record_kind(kind).fields.get(other)
    return {} if declared is None else {other: parse_cell(declared, word)}


def _read_code(declared: Declared, typed: str) -> Any:
    return _code(declared.codes, typed)  # type: ignore[attr-defined]


def _read_codes(declared: Declared, typed: str) -> Any:
    parts = [part for part in re.split(r"[、,;|/\s]+", typed) if part]
    return list(dict.fromkeys(_code(declared.codes, part) for part in parts))  # type: ignore[attr-defined]


def _read_flag(_declared: Declared, typed: str) -> Any:
    synonym = _synonyms().get(("flag", plain(typed)))
    if synonym:
        return synonym[0] == "1"
    if typed in ("1", "Y", "y", "true", "True", "TRUE"):
        return True
    if typed in ("0", "N", "n", "false", "False", "FALSE"):
        return False
    raise Unreadable(f"“{typed[:20]}”看不出是还是否,请填 是 或 否")


def _read_number(_declared: Declared, typed: str) -> Any:
    match = re.fullmatch(r"(-?\d{1,9})(\.0+)?(个?月|元|元/月|人|天)?", typed.replace(",", ""))
    if not match:
        raise Unreadable(f"“{typed[:20]}”不是整数")
    return int(match[1])


def _read_phone(_declared: Declared, typed: str) -> Any:
    first = re.split(r"[、,;/|]|\s{1,}(?=1[3-9]\d{9})", typed)[0]
    digits = re.sub(r"[\s-]", "", first)
    return digits if re.fullmatch(r"1\d{10}", digits) else re.sub(r"\s", "", first)


def _read_skills(_declared: Declared, typed: str) -> Any:
    parts = _listed_trades().findall(typed)
    return [{"occupation": _code("occupation", part)} for part in dict.fromkeys(parts)]


@cache
def _listed_trades() -> re.Pattern[str]:
    """Return what finds the trades of a cell. Some are called with the sign that separates them."""
    own = [code.zh for code in code_list("occupation").codes if re.search(r"[、,;|/\s]", code.zh)]
    return re.compile("|".join([*map(re.escape, own), r"[^、,;|/\s]+"]))


def _read_division(_declared: Declared, typed: str) -> Any:
    if re.fullmatch(r"\d{6}|\d{9}|\d{12}", typed):
        return typed.ljust(12, "0")
    code = place_in_china(typed)
    if code is None:
        raise Unreadable(f"“{typed[:20]}”找不到对应的行政区划,请填到县(如“浙江省余姚市”)")
    return code


_READERS = {
    "code": _read_code,
    "codes": _read_codes,
    "flag": _read_flag,
    "number": _read_number,
    "phone": _read_phone,
    "skills": _read_skills,
    "division": _read_division,
}


@cache
def _places_of_china() -> Mapping[int, Sequence[tuple[str, str]]]:
    codes = [f"{province}0000" for province in range(11, 83)]
    provinces = [place for code in codes if (place := division(code)) is not None]
    below = {
        level: [d for p in provinces for d in divisions_within(p.code12, level)] for level in (2, 3)
    }
    return {
        level: [(place.name, place.code12) for place in places]
        for level, places in ({1: provinces} | below).items()
    }


_PLACE_ENDING = re.compile(
    r"(壮族|回族|维吾尔|藏族|土家族|苗族|布依族|侗族|彝族|朝鲜族)*"
    r"(特别行政区|自治区|自治州|地区|自治县|省|市|州|盟|县|区)$"
)


def place_in_china(words: str) -> str | None:
    """Return the code of a place written as people write it ("浙江宁波余姚市"), None when unsure."""
    rest, prefix = words, ""
    for level in (1, 2, 3):
        within = [(n, c) for n, c in _places_of_china()[level] if c.startswith(prefix)]
        hits = [
            (len(spelt), spelt, code)
            for name, code in within
            for spelt in {name, _PLACE_ENDING.sub("", name)}
            if len(spelt) >= 2 and rest.startswith(spelt) and _goes_on(rest, spelt, name)
        ]
        if not hits:
            continue
        longest = max(hits)[0]
        codes = {code for length, _, code in hits if length == longest}
        if len(codes) > 1:
            return None
        _, spelt, code = max(hits)
        rest = re.sub(r"^(省|市|自治区|自治州|州|地区|县|区)", "", rest[len(spelt) :])
        prefix = code[: {1: 2, 2: 4, 3: 6}[level]]
    return prefix.ljust(12, "0") if prefix else None


def _goes_on(words: str, spelt: str, name: str) -> bool:
    """Tell whether what follows a name cut short fits it: 朝阳区 is not 朝阳市."""
    following = words[len(spelt) : len(spelt) + 1]
    return spelt == name or following not in tuple("省市州县区盟旗") or following == name[-1]


_EXCEL_EPOCH = dt.date(1899, 12, 30)


def _day(cell: Cell, heading: str) -> str | None:
    if isinstance(cell, dt.datetime):
        return cell.date().isoformat()
    if isinstance(cell, dt.date):
        return cell.isoformat()
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        if not float(cell).is_integer() and not 20_000 < cell < 80_000:
            raise Unreadable(f"“{cell}”不是日期")
        whole = int(cell)
        if 3_000 < whole < 80_000:
            return (_EXCEL_EPOCH + dt.timedelta(days=whole)).isoformat()
        return _written_day(str(whole), heading)
    typed = unicodedata.normalize("NFKC", cell_text(cell)).strip()
    if typed in _BLANKS | _NONE_WORDS:
        return None
    if re.fullmatch(r"[3-7]\d{4}(\.\d+)?", typed):
        return (_EXCEL_EPOCH + dt.timedelta(days=int(float(typed)))).isoformat()
    return _written_day(typed, heading)


def _written_day(typed: str, heading: str) -> str:
    day_only = re.sub(r"[T ]+\d{1,2}:\d{2}(:\d{2})?(\.\d+)?$", "", typed)
    compact = re.fullmatch(r"(\d{4})(\d{2})(\d{2})?", day_only, re.ASCII)
    parted = re.fullmatch(
        r"(\d{4})(?:[-./年](\d{1,2})?)?(?:[-./月](\d{1,2})?)?日?",
        day_only.replace(" ", ""),
        re.ASCII,
    )
    match = compact or parted
    if match is None:
        raise Unreadable(f"“{typed[:20]}”不是日期,请写成 2015-01-31")
    # A year of leaving poverty is settled at its end; any other bare year or month begins it.
    last = "年度" in heading and match[2] is None
    month, day = match[2] or ("12" if last else "1"), match[3] or ("31" if last else "1")
    try:
        found = dt.date(int(match[1]), int(month), int(day))
    except ValueError:
        raise Unreadable(f"“{typed[:20]}”没有这一天") from None
    if not 1900 <= found.year <= 2100:
        raise Unreadable(f"“{typed[:20]}”不是日期,请写成 2015-01-31")
    return found.isoformat()


# --- villages ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """A division of the county: its twelve digits, name and level (4 township, 5 village)."""

    code: str
    name: str
    level: int


class Places:
    """The townships and villages that an importing user may write to, found by code or name."""

    def __init__(self, places: Iterable[Any], *, scope: str) -> None:
        listed = [Place(p.code, p.name, p.level) for p in places if p.level in (4, 5)]
        self.scope = scope
        self.townships = [p for p in listed if p.level == 4]
        self.villages = [
            p for p in listed if p.level == 5 and p.code.startswith(scope.rstrip("0") or scope)
        ]
        self._by_code = {p.code: p for p in self.villages}
        self._by_name = _named(self.villages, _VILLAGE_ENDING)
        self._townships_by_name = _named(self.townships, _TOWNSHIP_ENDING)
        self._found: dict[tuple[str, str], str | Unreadable] = {}

    def village(self, village: Cell, township: Cell = None) -> str:
        """Return the code of a village; Unreadable says what is unknown or ambiguous, with a hint."""
        key = (cell_text(village), cell_text(township))
        if key not in self._found:
            try:
                self._found[key] = self._village(*key)
            except Unreadable as reason:
                self._found[key] = reason
        found = self._found[key]
        if isinstance(found, Unreadable):
            raise found
        return found

    def _village(self, village: str, township: str) -> str:
        typed = plain(village)
        if not typed and len(self.scope) == 12:
            return self.scope
        if not typed:
            raise Unreadable("村为空")
        if re.fullmatch(r"\d{12}", typed):
            if typed in self._by_code:
                return typed
            raise Unreadable(f"村代码 {typed} 不在您负责的范围内,或不在区划表中")
        within = self._township(township) if township else None
        places = _lookup(self._by_name, typed, _VILLAGE_ENDING)
        if within is not None:
            places = [p for p in places if p.code.startswith(within.code[:9])]
        if len(places) == 1:
            return places[0].code
        where = f"{within.name}" if within else "您负责的范围"
        if places:
            parents = {p.code[:9]: p.name for p in self.townships}
            names = "、".join(parents.get(p.code[:9], p.code[:9]) for p in places)
            raise Unreadable(f"{where}有 {len(places)} 个“{village}”({names}),请加乡镇列或填村代码")
        known = self.villages if within is None else [
            p for p in self.villages if p.code.startswith(within.code[:9])
        ]  # fmt: skip
        raise Unreadable(f"{where}没有“{village}”{_closest(village, known, _VILLAGE_ENDING)}")

    def _township(self, township: str) -> Place:
        typed = plain(township)
        found = [p for p in self.townships if re.fullmatch(r"\d{9,12}", typed)
                 and p.code.startswith(typed[:9])]  # fmt: skip
        found = found or _lookup(self._townships_by_name, typed, _TOWNSHIP_ENDING)
        if len(found) == 1:
            return found[0]
        if found:
            raise Unreadable(f"有 {len(found)} 个“{township}”,请写全称")
        raise Unreadable(
            f"乡镇列表里没有“{township}”{_closest(township, self.townships, _TOWNSHIP_ENDING)}"
        )


_VILLAGE_ENDING = re.compile(r"(村民委员会|居民委员会|社区居委会|村委会|居委会|社区|行政村|村)$")
_TOWNSHIP_ENDING = re.compile(
    r"((布依族|苗族|彝族|侗族|藏族|回族|东乡族|水族)*(民族)?乡|镇|街道办事处|街道)$"
)


def _named(places: Iterable[Place], ending: re.Pattern[str]) -> dict[str, list[Place]]:
    named: dict[str, list[Place]] = {}
    for place in places:
        for spelt in {plain(place.name), ending.sub("", plain(place.name))}:
            named.setdefault(spelt, []).append(place)
    return named


def _lookup(named: Mapping[str, list[Place]], typed: str, ending: re.Pattern[str]) -> list[Place]:
    """Return the places of that full name; failing that, those that only differ in the ending."""
    exact = [p for p in named.get(typed, []) if plain(p.name) == typed]
    return exact or list(named.get(typed, [])) or list(named.get(ending.sub("", typed), []))


def _closest(typed: str, places: Iterable[Place], ending: re.Pattern[str]) -> str:
    # Compared without 镇, 街道, 村 …, which would make every town like every other.
    names = {ending.sub("", p.name) or p.name: p.name for p in places}
    near = difflib.get_close_matches(ending.sub("", typed) or typed, list(names), n=2, cutoff=0.4)
    told = "或".join(f"“{names[name]}”" for name in near)
    return f",是否为{told}?" if near else ",请按区划表填写"


# --- rows -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CellFault:
    """A cell that could not be taken. `refuses_row`: without it the whole row is not imported."""

    row_no: int
    column_no: int
    heading: str
    value: str
    reason: str
    refuses_row: bool

    @property
    def told(self) -> str:
        """Return the reason with what follows from it."""
        return f"{'整行未导入' if self.refuses_row else '此项留空'}:{self.reason}"


@dataclass(frozen=True, slots=True)
class RosterRow:
    """One row: what it says of its household and of one member, and what could not be read."""

    row_no: int
    household: Mapping[str, Any]
    member: Mapping[str, Any]
    faults: tuple[CellFault, ...]

    @property
    def registry_no(self) -> str:
        """Number of the household, empty when it has none."""
        return str(self.household.get("registry_no") or "")

    @property
    def is_refused(self) -> bool:
        """True when nothing of the row may be imported."""
        return any(fault.refuses_row for fault in self.faults)


class RowParser:
    """Parses the rows of one file. Codes and places repeat, so what was parsed once is kept."""

    def __init__(
        self, mapping: Mapping[int, Target], headings: Mapping[int, str], places: Places
    ) -> None:
        self._places = places
        self._headings = headings
        self._column_of = {target: n for n, target in mapping.items()}
        self._declared = {
            n: (kind, name, record_kind(kind).fields[name])
            for n, (kind, name) in mapping.items()
            if kind in KINDS and (kind, name) != VILLAGE
        }
        self._kept: dict[tuple[int, Any], tuple[Any, str, Mapping[str, Any]]] = {}
        self._head_only = any(
            target == NAME and plain(headings.get(n, "")) in HEAD_ONLY_HEADINGS
            for n, target in mapping.items()
        )

    def parse(self, row_no: int, cells: Mapping[int, Cell]) -> RosterRow:
        """Return what a row says; every cell that cannot be read is a fault with its reason."""
        values: dict[str, dict[str, Any]] = {"household": {}, "member": {}}
        faults: list[CellFault] = []

        def fault(column_no: int, reason: str, *, refuses_row: bool) -> None:
            cell = cells.get(column_no)
            heading = self._headings.get(column_no, "")
            shown = (
                repr(cell)
                if isinstance(cell, float) and is_rounded_number(cell)
                else cell_text(cell)
            )
            faults.append(CellFault(row_no, column_no, heading, shown[:200], reason, refuses_row))

        for n, (kind, name, declared) in self._declared.items():
            cell = cells.get(n)
            if cell is None:
                continue
            value, reason, also = self._parsed(n, kind, name, declared, cell)
            if reason:
                fault(n, reason, refuses_row=declared.info.merge is Merge.HOLD)
            elif value is not None:
                values[kind][name] = value
            for other, implied in also.items():
                values[kind].setdefault(other, implied)
        village_column = self._column_of.get(VILLAGE, self._column_of.get(TOWNSHIP, 0))
        try:
            values["household"]["village_code"] = self._places.village(
                cells.get(self._column_of.get(VILLAGE, 0)),
                cells.get(self._column_of.get(TOWNSHIP, 0)),
            )
        except Unreadable as reason:
            fault(village_column, str(reason), refuses_row=True)
        for kind, name in (REGISTRY_NO, NAME):
            column_no = self._column_of.get((kind, name), 0)
            if not values[kind].get(name) and column_no not in {f.column_no for f in faults}:
                fault(column_no, f"{record_kind(kind).fields[name].info.zh}为空", refuses_row=True)
        self._complete(values["member"])
        return RosterRow(row_no, values["household"], values["member"], tuple(faults))

    def _parsed(
        self, n: int, kind: str, name: str, declared: Declared, cell: Cell
    ) -> tuple[Any, str, Mapping[str, Any]]:
        """Return (value, reason it is unreadable or "", what else the word means)."""
        repeats = declared.widget not in ("text", "name", "resident_id", "phone")
        key = (n, cell if not isinstance(cell, bool) else str(cell))
        if repeats and key in self._kept:
            return self._kept[key]
        try:
            value = parse_cell(declared, cell, self._headings.get(n, ""))
            found = (value, "", also_meant(kind, name, cell) if declared.widget == "code" else {})
        except Unreadable as reason:
            found = (None, str(reason), {})
        if repeats and len(self._kept) < 100_000:
            self._kept[key] = found
        return found

    def _complete(self, member: dict[str, Any]) -> None:
        """Fill in what the ID number says and the sheet leaves out or gives only by the month."""
        number = member.get("id_no")
        if number:
            inside = resident_id.birth_date(number)
            given = member.get("birth_date")
            by_month = (
                given is not None and given.endswith("-01") and given[:7] == (inside or "")[:7]
            )
            if given is None or by_month:
                member["birth_date"] = inside
            member.setdefault("sex", resident_id.sex(number))
        if self._head_only:
            member.setdefault("relation", HEAD_OF_HOUSEHOLD)
