"""How messages travel: JSON by columns, deflated with a preset dictionary (sync.md 3.5).

By columns: rows of one kind with the same fields share one header. Both directions use the same
group, `{"kind": k, "fields": [...], "rows": [[head..., values...], ...]}`; the head of a pushed row
is `n, id, base, at_ms`, of a pulled row `id, seq`.
"""

from __future__ import annotations

import hashlib
import json
import math
import zlib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Any

from shared_schemas.changes import Change
from shared_schemas.fields import Value
from shared_schemas.protocol import MAX_MESSAGE_BYTES, PROTOCOL


class NotAMessageError(ValueError):
    """Bytes that are not a packed message: cut, not deflated, too large, or not JSON."""


@cache
def dictionary(protocol: str = PROTOCOL) -> bytes:
    """Return the preset dictionary of a protocol version: what typical messages repeat.

    Each is a frozen file, made by `scripts/build_dictionary.py`. Its Adler-32 stands in the deflate
    header, so a peer with another dictionary is noticed, not misread.
    """
    return resources.files("shared_schemas").joinpath(f"dictionaries/{protocol}.txt").read_bytes()


def pack(message: Mapping[str, Any]) -> bytes:
    """Return a message in its packed form."""
    # Level 9 takes more than twice the time of 7 and saves 3 %.
    packer = zlib.compressobj(7, zlib.DEFLATED, 15, 9, zlib.Z_DEFAULT_STRATEGY, dictionary())
    return packer.compress(to_json(message)) + packer.flush()


def to_json(message: Mapping[str, Any]) -> bytes:
    """Return a message as compact UTF-8 JSON."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def unpack(data: bytes, *, limit: int = MAX_MESSAGE_BYTES) -> Any:
    """Return the JSON value of a packed message; NotAMessageError when there is none.

    `limit` bounds the unpacked size in bytes, so that a small bomb cannot fill the memory.
    """
    unpacker = zlib.decompressobj(15, dictionary())
    try:
        plain = unpacker.decompress(data, limit)
    except zlib.error as error:
        raise NotAMessageError(str(error)) from error
    if unpacker.unconsumed_tail or not unpacker.eof or unpacker.unused_data:
        raise NotAMessageError("cut short, too large, or followed by other bytes")
    return parse_json(plain)


def parse_json(plain: bytes) -> Any:
    """Return the value of UTF-8 JSON; NotAMessageError for anything else.

    NaN, infinity and half of a surrogate pair are refused: they could be neither stored nor sent on.
    """
    try:
        value = json.loads(plain.decode("utf-8"), parse_constant=_refuse, parse_float=_finite)
        if b"\\u" in plain:
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:  # UnicodeError is a ValueError
        raise NotAMessageError(type(error).__name__) from error
    return value


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number too large")
    return value


def group_changes(changes: Iterable[Change]) -> list[dict[str, Any]]:
    """Return changes as groups by kind and fields; `n` in each row keeps their order."""
    groups: dict[tuple[str, tuple[str, ...]], list[list[Any]]] = {}
    for change in changes:
        names = tuple(change.values)
        head = [change.n, change.record_id, change.base, change.at_ms]
        rows = groups.setdefault((change.kind, names), [])
        rows.append(head + [change.values[name] for name in names])
    return [
        {"kind": kind, "fields": list(names), "rows": rows}
        for (kind, names), rows in groups.items()
    ]


def ungroup_changes(groups: Iterable[Mapping[str, Any]]) -> list[Change]:
    """Return the changes of groups, in the order of `n`. The groups are checked by `messages`."""
    changes = [
        Change(row[0], group["kind"], row[1], row[2], row[3],
               dict(zip(group["fields"], row[4:], strict=True)))
        for group in groups
        for row in group["rows"]
    ]  # fmt: skip
    changes.sort(key=lambda change: change.n)
    return changes


Row = tuple[str, int, Mapping[str, Value]]
"""A pulled row: record id, seq, values."""


def rows_digest(rows: Iterable[tuple[str, str, int, Mapping[str, Value]]]) -> str:
    """Return 32 hex digits that name rows of the feed: kind, id, seq and values, in the order of seq.

    Equal rows, equal digest; a null is as good as no value.
    """
    digest = hashlib.blake2b(digest_size=16)
    for kind, row_id, seq, values in sorted(rows, key=lambda row: row[2]):
        held = {name: value for name, value in values.items() if value is not None}
        digest.update(_canonical([kind, row_id, seq, held]).encode() + b"\n")
    return digest.hexdigest()


_canonical = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


def group_rows(kind: str, rows: list[Row]) -> dict[str, Any]:
    """Return pulled rows of one kind as a group; a field that a row lacks is null."""
    names = sorted({name for _, _, values in rows for name in values})
    return {
        "kind": kind,
        "fields": names,
        "rows": [
            [row_id, seq, *(values.get(name) for name in names)] for row_id, seq, values in rows
        ],
    }


def ungroup_rows(group: Mapping[str, Any]) -> list[Row]:
    """Return the rows of a pulled group; nulls are left out."""
    names = group["fields"]
    return [
        (row[0], row[1],
         {name: v for name, v in zip(names, row[2:], strict=True) if v is not None})
        for row in group["rows"]
    ]  # fmt: skip
