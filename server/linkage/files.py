"""Registers as files: persons in, pairs and clusters out, as .parquet or .csv.

A row that cannot be used is told with its number and left out; the rest goes on.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from server.linkage.batch import Linked
from server.linkage.households import HouseholdPair
from server.linkage.rows import INPUT

PAIRS = ("record_id_l", "record_id_r", "match_weight", "probability", "verdict")
CLUSTERS = ("record_id", "person_id")
HOUSEHOLDS = ("household_id_l", "household_id_r", "shared", "reason", "verdict")

_ENCODINGS = ("utf-8-sig", "gb18030")


class BadFile(Exception):  # noqa: N818 - named after what its reader meets
    """The file as a whole cannot be used; the message says why, Chinese and English."""


def read_persons(path: Path, bad_rows: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file that can be used, as they are written; tell of the others in `bad_rows`.

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
            yield {**row, "record_id": record_id}


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


def write_households(path: Path, pairs: Sequence[HouseholdPair]) -> None:
    """Write the pairs of lists, the surest first; several reasons stand with a + between them."""
    columns = zip(
        HOUSEHOLDS,
        (
            [pair.left for pair in pairs],
            [pair.right for pair in pairs],
            [pair.shared for pair in pairs],
            ["+".join(pair.reasons) for pair in pairs],
            [pair.verdict for pair in pairs],
        ),
        strict=True,
    )
    types = (pa.string(), pa.string(), pa.int64(), pa.string(), pa.string())
    _write(path, dict(columns), types)


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
