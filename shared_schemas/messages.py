"""The messages of the sync protocol: hello, push, pull, enrolment. The packed form is `wire`."""

from __future__ import annotations

import re
from typing import Any

import marshmallow as ma
from marshmallow import validate

from shared_schemas.fields import RECORD_ID
from shared_schemas.protocol import MAX_CHANGES, SUPPORTED_PROTOCOLS

SAFE_INTEGER = 2**53 - 1
"""Largest integer that every JSON reader keeps exact."""

_id = validate.Regexp(RECORD_ID)
_count = validate.Range(0, SAFE_INTEGER)
_NAME = re.compile(r"^[a-z][a-z0-9_]{0,40}$")
_name = validate.Regexp(_NAME)


class Rows(ma.fields.Field[list[list[Any]]]):
    """Rows of a group. Only their shape is checked here; a loop, since it is the hot path."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> list[list[Any]]:
        if not isinstance(value, list) or not all(isinstance(row, list) for row in value):
            raise ma.ValidationError("rows is a list of lists")
        if len(value) > MAX_CHANGES:
            raise ma.ValidationError(f"at most {MAX_CHANGES} changes in one push")
        return value


class Names(ma.fields.Field[list[str]]):
    """Names of fields, at most 200; a loop as well."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> list[str]:
        if not isinstance(value, list) or len(value) > 200:
            raise ma.ValidationError("fields is a list of at most 200 names")
        if not all(isinstance(name, str) and _NAME.match(name) for name in value):
            raise ma.ValidationError("a field's name is lower-case letters, digits and _")
        return value


class ChangeGroup(ma.Schema):
    """Changes of one kind with the same fields. A row is `[n, id, base, at_ms, value, …]`."""

    kind = ma.fields.String(
        required=True, validate=_name, metadata={"description": "kind of record"}
    )
    fields_ = Names(
        required=True,
        data_key="fields",
        metadata={
            "description": "names of the values in each row, in their order",
            "type": "array",
            "items": {"type": "string", "pattern": _NAME.pattern},
            "maxItems": 200,
        },
    )
    rows = Rows(
        required=True,
        metadata={
            "description": "`[n, id, base, at_ms, value, …]`",
            "type": "array",
            "items": {
                "type": "array",
                "minItems": 4,
                "prefixItems": [
                    {"type": "integer", "minimum": 1, "description": "n"},
                    {"type": "string", "pattern": RECORD_ID.pattern, "description": "record id"},
                    {"type": "integer", "minimum": 0, "description": "base"},
                    {"type": "integer", "description": "at_ms"},
                ],
            },
        },
    )

    @ma.validates_schema
    def rows_have_their_heads(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse rows whose head or length is wrong; the values are judged one by one later."""
        names = data["fields_"]
        if len(set(names)) != len(names):
            raise ma.ValidationError("a field is named twice", "fields")
        for row in data["rows"]:
            fault = _row_fault(row, len(names))
            if fault:
                raise ma.ValidationError(fault, "rows")


def _row_fault(row: list[Any], width: int) -> str | None:
    if len(row) != 4 + width:
        return "a row is [n, id, base, at_ms] and one value for each field"
    n, record_id, base, at_ms = row[:4]
    if not _is_int(n) or not 1 <= n <= SAFE_INTEGER:
        return "n counts from 1"
    if not isinstance(record_id, str) or not RECORD_ID.match(record_id):
        return "id is 13 or 17 characters of base32"
    if not _is_int(base) or not 0 <= base <= SAFE_INTEGER:
        return "base is the seq that the edit started from, 0 for a new record"
    if not _is_int(at_ms) or abs(at_ms) > SAFE_INTEGER:
        return "at_ms is UTC epoch milliseconds"
    return None


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


class PushRequest(ma.Schema):
    """A batch of changes of one incarnation, `n` without gaps, at most 1,000."""

    protocol = ma.fields.String(
        required=True,
        validate=validate.OneOf(sorted(SUPPORTED_PROTOCOLS)),
        metadata={"description": "dated version of the messages"},
    )
    schema = ma.fields.Integer(
        required=True,
        strict=True,
        validate=_count,
        metadata={
            "description": "version of the declared fields under which the changes were written"
        },
    )
    incarnation = ma.fields.String(
        required=True,
        validate=validate.Regexp(r"^[0-9a-hjkmnp-tv-z]{13}$"),
        metadata={"description": "which life of which installation numbers them"},
    )
    epoch = ma.fields.String(
        required=True,
        validate=validate.Length(max=32),
        metadata={"description": "life of the server's database in which `base` counts"},
    )
    sent_at_ms = ma.fields.Integer(
        required=True,
        strict=True,
        validate=validate.Range(-SAFE_INTEGER, SAFE_INTEGER),
        metadata={"description": "the phone's clock at this sending; its error is seen by it"},
    )
    brief = ma.fields.Boolean(
        load_default=False,
        metadata={"description": "to be answered in runs, and to be told what a pull would `show`"},
    )
    changes = ma.fields.List(
        ma.fields.Nested(ChangeGroup),
        required=True,
        validate=validate.Length(max=MAX_CHANGES),
        metadata={"description": "the changes in groups; `n` keeps their order"},
    )


class Tally(ma.Schema):
    """How many changes of an incarnation are stored, by what became of them; their sum is `acked`."""

    applied = ma.fields.Integer(metadata={"description": "stood alone"})
    merged = ma.fields.Integer(
        metadata={"description": "others had changed other fields meanwhile"}
    )
    conflict = ma.fields.Integer(
        metadata={"description": "others had changed the same field; both values are kept"}
    )
    held = ma.fields.Integer(
        metadata={"description": "not applied; kept for a person of the county"}
    )


class OutcomeRow(ma.Schema):
    """What became of one change."""

    n = ma.fields.Integer(required=True, metadata={"description": "number of the change"})
    outcome = ma.fields.String(
        required=True,
        validate=validate.OneOf(["applied", "merged", "conflict", "held"]),
        metadata={"description": "applied, merged, conflict or held"},
    )
    seq = ma.fields.Integer(required=True, metadata={"description": "0 for a held change"})
    reason = ma.fields.String(allow_none=True, metadata={"description": "why it is held"})


class StoredOutcomeRow(OutcomeRow):
    """What has become of a change by now."""

    hash = ma.fields.String(
        required=True, metadata={"description": "content hash, by which a phone knows its own"}
    )
    resolution = ma.fields.String(
        allow_none=True,
        metadata={"description": "of a change that was held: released, applied or dismissed"},
    )
    note = ma.fields.String(
        allow_none=True, metadata={"description": "the county's words on a dismissed change"}
    )


class OutcomesAnswer(ma.Schema):
    """What has become of an incarnation's changes, in the order of n; unknown ones are left out."""

    outcomes = ma.fields.List(
        ma.fields.Nested(StoredOutcomeRow), required=True, metadata={"description": "at most 1,000"}
    )


class OutcomeRun(OutcomeRow):
    """What became of one change, or of several whose `n` and `seq` follow each other by one."""

    count = ma.fields.Integer(
        metadata={
            "description": "how many changes, 1 where it is left out; others only in a `brief` answer"
        }
    )


class Shown(ma.Schema):
    """The records that a push has written, as a pull would bring them to this phone.

    A phone whose own reckoning gives the same digest holds them already, and says so when it pulls.
    """

    first = ma.fields.Integer(required=True, metadata={"description": "lowest seq of the push"})
    last = ma.fields.Integer(required=True, metadata={"description": "highest seq of the push"})
    tag = ma.fields.String(
        required=True, metadata={"description": "proves that this life of the database wrote them"}
    )
    digest = ma.fields.String(
        required=True,
        metadata={
            "description": "blake2b, 16 bytes in hex, of a line `[kind,id,seq,{values}]` for each"
            " record with these numbers that the phone may see, in the order of seq: JSON without"
            " blanks and nulls, names sorted, UTF-8, each line with its end"
        },
    )


class PushAnswer(ma.Schema):
    """`acked` is the highest n stored; every change of the batch has its outcome, old ones too."""

    epoch = ma.fields.String(
        required=True, metadata={"description": "present life of the server's database"}
    )
    acked = ma.fields.Integer(
        required=True, metadata={"description": "highest n that is stored of this incarnation"}
    )
    received_at_ms = ma.fields.Integer(
        required=True, metadata={"description": "the server's clock"}
    )
    outcomes = ma.fields.List(
        ma.fields.Nested(OutcomeRun),
        required=True,
        metadata={"description": "what became of each change of the batch, in the order of n"},
    )
    shown = ma.fields.Nested(
        Shown, metadata={"description": "in a `brief` answer, where the push wrote records"}
    )


class HandoverState(ma.Schema):
    """How far a hand-over file has come, and, once it was taken, how many changes it brought."""

    have = ma.fields.Integer(required=True, metadata={"description": "bytes that have come"})
    taken = ma.fields.Boolean(
        required=True, metadata={"description": "whether all of it has come and was taken in"}
    )
    changes = ma.fields.Integer(metadata={"description": "that were read from it"})
    new = ma.fields.Integer(metadata={"description": "of these, how many had not come before"})
    fault = ma.fields.String(
        allow_none=True,
        metadata={"description": "error code at which the rest of the file was left"},
    )


class ReceiptPart(ma.Schema):
    """One chunk of a receipt: what has become of an author's changes by now."""

    incarnation = ma.fields.String(
        required=True, metadata={"description": "whose changes are answered"}
    )
    epoch = ma.fields.String(
        required=True, metadata={"description": "life of the server's database"}
    )
    at_ms = ma.fields.Integer(required=True, metadata={"description": "when the receipt was made"})
    acked = ma.fields.Integer(
        required=True, metadata={"description": "highest n stored of this incarnation"}
    )
    fault = ma.fields.String(
        allow_none=True,
        metadata={"description": "error code at which the rest of the file was left"},
    )
    outcomes = ma.fields.List(
        ma.fields.Nested(StoredOutcomeRow),
        required=True,
        metadata={"description": "one for each change of the file"},
    )


class RowGroup(ma.Schema):
    """Pulled rows of one kind. A row is `[id, seq, value, …]`."""

    kind = ma.fields.String(required=True, metadata={"description": "kind of the rows"})
    fields_ = ma.fields.List(
        ma.fields.String(),
        required=True,
        data_key="fields",
        metadata={"description": "names of the values in each row, in their order"},
    )
    rows = ma.fields.List(
        ma.fields.List(ma.fields.Raw(allow_none=True)),
        required=True,
        metadata={"description": "`[id, seq, value, …]`; null where a row lacks the field"},
    )


def Check(**args: Any) -> ma.fields.Dict:  # noqa: N802 - stands where a field class would
    """Return the field of what a phone should hold, by kind: [rows, sum of seq, mixed sum]."""
    return ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.List(ma.fields.Integer(), validate=validate.Length(equal=3)),
        **args,
    )


class PullLine(ma.Schema):
    """One line of a pull: rows in the order of seq, and the cursor that continues after them."""

    cursor = ma.fields.String(required=True, metadata={"description": "continues after this line"})
    more = ma.fields.Boolean(
        required=True, metadata={"description": "whether rows remain after this answer's last line"}
    )
    groups = ma.fields.List(
        ma.fields.Nested(RowGroup),
        required=True,
        metadata={"description": "the rows, those of one kind together"},
    )
    check = Check(metadata={"description": "on the last line of all: what the phone should hold"})
    tally = ma.fields.Nested(
        Tally, metadata={"description": "on the last line of all: of the incarnation that asked"}
    )


class EnrolRequest(ma.Schema):
    """A phone asks for its token with the one-time code that the county gave out."""

    code = ma.fields.String(
        required=True,
        validate=validate.Length(min=4, max=64),
        metadata={"description": "as the county gave it out, once"},
    )
    incarnation = ma.fields.String(
        required=True,
        validate=validate.Regexp(r"^[0-9a-hjkmnp-tv-z]{13}$"),
        metadata={"description": "of this installation"},
    )
    label = ma.fields.String(
        load_default="",
        validate=validate.Length(max=80),
        metadata={"description": "how the county shall call the phone"},
    )
    app_version = ma.fields.String(
        load_default="", validate=validate.Length(max=20), metadata={"description": "of the app"}
    )


class VillageRow(ma.Schema):
    """A division within the device's scope, from county to village."""

    code = ma.fields.String(required=True, metadata={"description": "12 digits"})
    name = ma.fields.String(required=True, metadata={"description": "as it is called"})
    level = ma.fields.Integer(
        required=True, metadata={"description": "3 county, 4 township, 5 village"}
    )


class EnrolAnswer(ma.Schema):
    """The device's token (shown once) and whom it belongs to."""

    token = ma.fields.String(
        required=True, metadata={"description": "told this once; stored as a hash"}
    )
    device_id = ma.fields.String(required=True, metadata={"description": "of the phone"})


class HelloAnswer(ma.Schema):
    """What a phone needs to know before it syncs."""

    protocol = ma.fields.String(
        required=True,
        metadata={"description": "newest version of the messages that the server speaks"},
    )
    schema = ma.fields.Integer(required=True, metadata={"description": "of the server"})
    epoch = ma.fields.String(
        required=True, metadata={"description": "present life of the server's database"}
    )
    now_ms = ma.fields.Integer(required=True, metadata={"description": "the server's clock"})
    county = ma.fields.String(required=True, metadata={"description": "six digits"})
    scope = ma.fields.String(required=True, metadata={"description": "division prefix"})
    cadre = ma.fields.String(required=True, metadata={"description": "whose phone it is"})
    office_phone = ma.fields.String(
        allow_none=True, metadata={"description": "at which firms reach the cadre's office"}
    )
    acked = ma.fields.Integer(
        required=True, metadata={"description": "highest n stored of this incarnation"}
    )
    acked_hash = ma.fields.String(
        allow_none=True,
        metadata={"description": "content hash of that change, null when there is none"},
    )
    tally = ma.fields.Nested(Tally, required=True, metadata={"description": "of this incarnation"})
    settled = ma.fields.Integer(
        required=True,
        metadata={"description": "how many held changes of this phone were applied or closed"},
    )
    backed_up_at_ms = ma.fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "changes answered before that are in a backup that was read back"},
    )
    places = ma.fields.String(
        required=True, metadata={"description": "names the list of divisions"}
    )
    divisions = ma.fields.List(
        ma.fields.Nested(VillageRow),
        metadata={"description": "left out where the phone named this very list"},
    )
    news = ma.fields.Boolean(
        required=True, metadata={"description": "whether a pull would bring anything"}
    )
    check = Check(metadata={"description": "where there is no news: what the phone should hold"})


class IndexTownship(ma.Schema):
    """A township of the index: entries name it by its place in the list, from 1."""

    code = ma.fields.String(required=True, metadata={"description": "first 9 digits of its code"})
    name = ma.fields.String(required=True, metadata={"description": "what it is called"})


class IndexAnswer(ma.Schema):
    """What a phone needs to hold the index of who is registered in its county."""

    ready = ma.fields.Boolean(
        required=True, metadata={"description": "false while the server has not made one yet"}
    )
    generation = ma.fields.String(
        metadata={"description": "names the index; under another name all pages are others"}
    )
    key = ma.fields.String(metadata={"description": "of the fingerprints, in hex"})
    number = ma.fields.Integer(metadata={"description": "of the last change"})
    entries = ma.fields.Integer(metadata={"description": "how many there should then be"})
    total = ma.fields.Integer(metadata={"description": "what they should then add up to"})
    townships = ma.fields.List(
        ma.fields.Nested(IndexTownship), metadata={"description": "in the order of their numbers"}
    )
    changes = ma.fields.String(
        allow_none=True,
        metadata={
            "description": "those after `after`, 6 bytes each, in base64: fingerprint, township, "
            "1 for added; null where the pages are to be fetched"
        },
    )
    more = ma.fields.Boolean(metadata={"description": "whether further changes follow these"})


class IndexPage(ma.Schema):
    """The entries whose fingerprints begin with one byte."""

    page = ma.fields.Integer(required=True, metadata={"description": "that byte"})
    number = ma.fields.Integer(
        required=True, metadata={"description": "of the last change that is in it"}
    )
    data = ma.fields.String(
        required=True,
        metadata={
            "description": "in base64, deflated: the second bytes of all fingerprints, then the "
            "third, then the fourth, then the townships"
        },
    )


class IndexPages(ma.Schema):
    """Pages of the index; none where it is another one by now."""

    pages = ma.fields.List(
        ma.fields.Nested(IndexPage), required=True, metadata={"description": "one after another"}
    )
