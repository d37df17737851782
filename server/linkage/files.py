"""Registers as files: persons in, pairs and clusters out, as .parquet or .csv.

A row that cannot be used is told with its number and left out; the rest goes on.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from server.linkage.batch import Linked

INPUT = ("record_id", "name", "sex", "birth_date", "id_no", "phone", "village_code", "household_id",
         "relation", "head_name")  # fmt: skip
"""Columns that are read; others are ignored, and any but the first may be missing or empty."""

PAIRS = ("record_id_l", "record_id_r", "match_weight", "probability", "verdict")
CLUSTERS = ("record_id", "person_id")

_SEXES = {"男": "1", "M": "1", "MALE": "1", "女": "2", "F": "2", "FEMALE": "2"}
_ENCODINGS = ("utf-8-sig", "gb18030")


class BadFile(Exception):  # noqa: N818 - named after what its reader meets
    """The file as a whole cannot be used; the message says why, Chinese and English."""


def read_persons(path: Path, bad_rows: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the persons of a file as `features_of` takes them; tell of bad rows in `bad_rows`.

    Row numbers count from 1, the heading of a .csv being row 1. BadFile for a file that is neither
    .csv nor .parquet, is not readable, or has no record_id.
    """
    rows = _csv_rows(path, bad_rows) if path.suffix.lower() == ".csv" else _parquet_rows(path)
    seen: set[str] = set()
    for number, row in rows:
        record_id = str(row.get("record_id") or "").strip()
        if not record_id:
            bad_rows.append(
                f"第 {number} 行没有 record_id,已跳过 · row {number}: no record_id, left out"
            )
        elif record_id in seen:
            bad_rows.append(
                f"第 {number} 行的 record_id 与前面的重复,已跳过"
                f" · row {number}: its record_id came before, left out"
            )
        else:
            seen.add(record_id)
            yield _person(record_id, row)


def _person(record_id: str, row: Mapping[str, Any]) -> dict[str, Any]:
    values = {name: _text(row.get(name)) for name in INPUT}
    values["record_id"] = record_id
    values["birth_date"] = birth_date(values["birth_date"])
    sex = (values["sex"] or "").upper()
    values["sex"] = _SEXES.get(sex, sex) or None
    return values


def _text(value: Any) -> str | None:
    if value is None:
        return None
    said = unicodedata.normalize("NFKC", str(value)).strip()
    # What spreadsheets make of a number that is none, and of an empty cell.
    said = re.sub(r"^(\d+)\.0$", r"\1", said)
    return None if said.casefold() in ("", "nan", "none", "null", "na", "n/a", "-", "无") else said


def birth_date(value: str | None) -> str | None:
    """Return a birth date in any common form as YYYY-MM-DD, or the year alone where no more is told."""
    if value is None:
        return None
    parts = re.fullmatch(r"(\d{4})\D+(\d{1,2})\D+(\d{1,2})(?:\D.*)?", value)
    if parts is None:
        parts = re.fullmatch(r"(\d{4})(\d{2})(\d{2})", value)
    if parts is None:
        back = re.fullmatch(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4})", value)
        if back is not None:
            day, month, year = back.groups()
            if int(month) > 12:
                day, month = month, day
            return f"{year}-{int(month):02}-{int(day):02}"
        year_only = re.match(r"(\d{4})", value)
        return year_only[1] if year_only else None
    year, month, day = parts.groups()
    return f"{year}-{int(month):02}-{int(day):02}"


def _csv_rows(path: Path, bad_rows: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    data = _read(path)
    for encoding in _ENCODINGS:
        try:
            decoded = data.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise BadFile(f"{path.name} 不是 UTF-8 或 GB18030 文本 · is neither UTF-8 nor GB18030 text")
    reader = csv.reader(io.StringIO(decoded, newline=""))
    try:
        heading = [name.strip() for name in next(reader, [])]
        _check_heading(path, heading)
        for cells in reader:
            if not any(cells):
                continue
            if len(cells) != len(heading):
                bad_rows.append(
                    f"第 {reader.line_num} 行有 {len(cells)} 格,表头有 {len(heading)} 格,已跳过"
                    f" · row {reader.line_num}: {len(cells)} cells under {len(heading)} headings,"
                    " left out"
                )
                continue
            yield reader.line_num, dict(zip(heading, cells, strict=True))
    except csv.Error as error:
        raise BadFile(
            f"{path.name} 第 {reader.line_num} 行读不了 · row {reader.line_num}: {error}"
        ) from error


def _parquet_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    if path.suffix.lower() not in (".parquet", ".pq"):
        raise BadFile(f"{path.name}:只认 .parquet 和 .csv · only .parquet and .csv are read")
    _read(path, 4)
    try:
        file = parquet.ParquetFile(path)
        names = file.schema_arrow.names
        _check_heading(path, names)
        number = 0
        for batch in file.iter_batches(columns=[name for name in names if name in INPUT]):
            for row in batch.to_pylist():
                number += 1
                yield number, row
    except pa.ArrowInvalid as error:
        raise BadFile(f"{path.name} 不是 parquet 文件 · is no parquet file") from error


def _check_heading(path: Path, heading: Sequence[str]) -> None:
    if "record_id" not in heading:
        raise BadFile(f"{path.name} 没有 record_id 这一列 · has no column record_id")


def _read(path: Path, count: int = -1) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(count)
    except OSError as error:
        raise BadFile(f"{path} 打不开 · cannot be opened: {error.strerror}") from error


def write_pairs(path: Path, linked: Linked) -> None:
    """Write the pairs, strongest first."""
    pairs = linked.pairs
    _write(
        path,
        {
            "record_id_l": [pair.left for pair in pairs],
            "record_id_r": [pair.right for pair in pairs],
            "match_weight": [pair.weight for pair in pairs],
            "probability": [pair.probability for pair in pairs],
            "verdict": [pair.verdict for pair in pairs],
        },
        (pa.string(), pa.string(), pa.float64(), pa.float64(), pa.string()),
    )


def write_clusters(path: Path, linked: Linked) -> None:
    """Write every record with its person."""
    _write(
        path,
        {
            "record_id": list(linked.person_of.keys()),
            "person_id": list(linked.person_of.values()),
        },
        (pa.string(), pa.string()),
    )


def check_output(path: Path) -> None:
    """BadFile where a result could not be written there."""
    if path.suffix.lower() not in (".parquet", ".pq", ".csv"):
        raise BadFile(f"{path.name}:只写 .parquet 和 .csv · only .parquet and .csv are written")
    if not path.absolute().parent.is_dir():
        raise BadFile(f"没有文件夹 {path.parent} · there is no folder {path.parent}")


def _write(path: Path, columns: Mapping[str, Iterable[Any]], types: Sequence[pa.DataType]) -> None:
    arrays = [
        pa.array(list(cells), kind) for cells, kind in zip(columns.values(), types, strict=True)
    ]
    table = pa.Table.from_arrays(arrays, names=list(columns))
    if path.suffix.lower() == ".csv":
        arrow_csv.write_csv(table, path, arrow_csv.WriteOptions(quoting_style="needed"))
    else:
        parquet.write_table(table, path)
