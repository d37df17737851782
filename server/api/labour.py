"""`/v1`: the available-labour list for HR firms' programs, with a firm's API key."""

from __future__ import annotations

from dataclasses import asdict
from io import BytesIO
from typing import Any

import marshmallow as ma
from flask import Response
from flask_smorest import Blueprint
from webargs.fields import DelimitedList

from server.access import audience, current_firm, server
from server.services import labour
from server.services.labour_export import write_list
from server.storage.engine import writing
from shared_schemas.codes import code_list
from shared_schemas.fields import Text

blueprint = Blueprint(
    "labour",
    __name__,
    url_prefix="/v1",
    description="People who are available for work and agreed that HR firms may know. "
    "Every call needs `Authorization: Bearer <firm key>`; every pull is logged with its purpose.",
)

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
KEY_NEEDED: list[dict[str, list[str]]] = [{"firm_key": []}]
_PULL_ID = r"^[0-9a-z]{13,17}$"


def _has_words(value: str) -> None:
    fault = Text("说明", "Words", max_length=200).verdict(value)
    if fault is not None or not value.strip():
        raise ma.ValidationError(fault.message() if fault else "不能为空")


_PLAIN_WORDS = [ma.validate.Length(min=1, max=200), _has_words]
_WORDS_PATTERN = r"^[^\u0000-\u001f\u007f]*[^\u0000-\u0020\u007f\s][^\u0000-\u001f\u007f]*$"
"""What `_has_words` takes, for the OpenAPI document: something to read, no control characters."""


def _one_of(name: str) -> ma.validate.OneOf:
    offered = code_list(name).offered()
    return ma.validate.OneOf([code.code for code in offered], [code.zh for code in offered])


class Filters(ma.Schema):
    """What a list asks for. A filter that is left out asks nothing."""

    section = ma.fields.String(
        validate=ma.validate.OneOf([labour.AVAILABLE, labour.MAY_CHANGE]),
        metadata={"description": "`available`: without a post. `change`: has one, would change."},
    )
    occupations = DelimitedList(
        ma.fields.String(validate=_one_of("occupation")),
        metadata={
            "description": "Wished occupations, any of these; codes with commas between. "
            "People to whom any occupation is welcome are listed too.",
            "example": "01,02",
        },
    )
    sex = ma.fields.String(validate=_one_of("sex"))
    age_min = ma.fields.Integer(validate=ma.validate.Range(16, 99))
    age_max = ma.fields.Integer(validate=ma.validate.Range(16, 120))
    reach = ma.fields.String(
        validate=_one_of("reach"), metadata={"description": "Would go at least this far."}
    )
    wage_max = ma.fields.Integer(
        validate=ma.validate.Range(0, 50_000),
        metadata={"description": "Asks for no more than this, yuan a month."},
    )
    available_by = ma.fields.Date(metadata={"description": "Can start on or before this day."})
    mandarin = ma.fields.String(
        validate=_one_of("mandarin"), metadata={"description": "At least this well."}
    )
    together = ma.fields.String(validate=_one_of("together_with"))
    township = ma.fields.String(
        validate=ma.validate.Regexp(r"^[1-9][0-9]{8}([0-9]{3})?$"),
        metadata={"description": "Division code of 9 or 12 digits.", "example": "522326111000"},
    )
    confirmed_within_days = ma.fields.Integer(validate=ma.validate.Range(1, 180))
    minors = ma.fields.Boolean(
        metadata={"description": "Also people of 16 and 17, for posts that the law allows them."}
    )


class ListQuery(Filters):
    """A pull, or with `cursor` its next page."""

    purpose = ma.fields.String(
        validate=_PLAIN_WORDS,
        metadata={
            "description": "What the list is for; logged and shown to the county. Needed without "
            "`cursor`.",
            "example": "余姚电子厂装配工招聘",
            "pattern": _WORDS_PATTERN,
        },
    )
    cursor = ma.fields.String(
        validate=ma.validate.Regexp(r"^[0-9a-z]{13,17}\.[0-9]{1,9}$"),
        metadata={
            "description": "`next_cursor` of the page before; filters are those of the pull."
        },
    )
    limit = ma.fields.Integer(
        load_default=200, validate=ma.validate.Range(1, labour.MOST_ROWS_OF_PAGE)
    )

    @ma.validates_schema
    def has_purpose_or_cursor(self, data: dict[str, Any], **_: Any) -> None:
        """A pull states its purpose; a page belongs to a pull that did."""
        if "purpose" not in data and "cursor" not in data:
            raise ma.ValidationError("必填:说明名单的用途", "purpose")
        if "cursor" in data and set(data) - {"cursor", "limit"}:
            raise ma.ValidationError("带 cursor 时只能再带 limit", "cursor")


class FileQuery(Filters):
    """A pull as a spreadsheet."""

    purpose = ma.fields.String(
        required=True, validate=_PLAIN_WORDS, metadata={"pattern": _WORDS_PATTERN}
    )
    lang = ma.fields.String(load_default="zh", validate=ma.validate.OneOf(["zh", "en"]))


def _row_schema() -> dict[str, Any]:
    own: dict[str, Any] = {
        "list_no": {"type": "integer"},
        "name": {"type": "string", "description": "First character and a star"},
        "age": {"type": ["integer", "null"]},
        "minor": {"type": "boolean", "description": "16 or 17 years old"},
        "county": {"type": "string"},
        "county_name": {"type": "string"},
        "township": {"type": "string"},
        "township_name": {"type": "string"},
        "pair_no": {
            "type": ["integer", "null"],
            "description": "Rows with the same number want to go together",
        },
        "days_since_confirmed": {"type": ["integer", "null"]},
        "held_until_ms": {"type": ["integer", "null"], "description": "Your hold on this person"},
    }
    declared = {
        column.key: {**column.declared.json_schema(), "title": column.zh, "description": column.en}
        for column in labour.columns()
        if column.declared is not None
    }
    return {"type": "object", "properties": own | declared}


class PulledList(ma.Schema):
    """A page of a pull."""

    pull = ma.fields.String(
        attribute="pull_id", metadata={"description": "Number of this pull: quote it to the county"}
    )
    purpose = ma.fields.String()
    pulled_at_ms = ma.fields.Integer(attribute="at_ms")
    total = ma.fields.Integer(metadata={"description": "All who answer the filters now"})
    rows = ma.fields.Function(
        lambda pulled: [row.values() for row in pulled.rows],
        metadata={"type": "array", "items": _row_schema()},
    )
    next_cursor = ma.fields.String(allow_none=True)


class RevealRequest(ma.Schema):
    """Whose contact details are asked for, and why."""

    pull = ma.fields.String(required=True, validate=ma.validate.Regexp(_PULL_ID))
    list_no = ma.fields.Integer(
        required=True, strict=True, validate=ma.validate.Range(1, 10_000_000)
    )
    reason = ma.fields.String(
        required=True, validate=_PLAIN_WORDS, metadata={"pattern": _WORDS_PATTERN}
    )


class RevealAnswer(ma.Schema):
    """The fields of the audience firm_reveal: name, phone, village office."""

    pull = ma.fields.String()
    list_no = ma.fields.Integer()
    person = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.Raw(allow_none=True))


class HoldRequest(ma.Schema):
    """Whom to hold."""

    pull = ma.fields.String(required=True, validate=ma.validate.Regexp(_PULL_ID))
    list_nos = ma.fields.List(
        ma.fields.Integer(strict=True, validate=ma.validate.Range(1, 10_000_000)),
        required=True,
        validate=ma.validate.Length(1, 500),
    )


class Hold(ma.Schema):
    """What became of one wish."""

    list_no = ma.fields.Integer()
    held = ma.fields.Boolean()
    until_ms = ma.fields.Integer(allow_none=True)
    code = ma.fields.String(
        allow_none=True,
        metadata={
            "description": "Why not: held_by_other, wrong_state (extended once already, or back on "
            "the list too recently, or withdrawn), not_found"
        },
    )


class HoldAnswer(ma.Schema):
    """What became of each wish."""

    holds = ma.fields.List(ma.fields.Nested(Hold))


_EXAMPLE_LIST = {
    "pull": "7q0x5k2m9c4tr",
    "purpose": "余姚电子厂装配工招聘",
    "pulled_at_ms": 1795312800000,
    "total": 143,
    "rows": [
        {
            "list_no": 1,
            "name": "韦*",
            "age": 33,
            "minor": False,
            "county": "522326000000",
            "county_name": "望谟县",
            "township": "522326111000",
            "township_name": "边饶镇",
            "pair_no": None,
            "days_since_confirmed": 12,
            "held_until_ms": None,
            "sex": "2",
            "education": "70",
            "wants_job": "1",
            "reach": "4",
            "occupations": ["02"],
            "wage_floor": 4500,
        }
    ],
    "next_cursor": "7q0x5k2m9c4tr.1",
}


@blueprint.get("/labour")
@audience("firm_key")
@blueprint.arguments(ListQuery(unknown=ma.RAISE), location="query", unknown=None)
@blueprint.response(200, PulledList, example=_EXAMPLE_LIST)
@blueprint.doc(security=KEY_NEEDED)
def list_labour(query: dict[str, Any]) -> Any:
    """Pull the list of available people, or its next page.

    A pair that wants to go together is never split over two pages, so a page may hold a few rows
    more than `limit`.
    """
    firm, now = current_firm(), server().now_ms()
    with writing(server().engine) as conn:
        if "cursor" in query:
            return labour.next_page(
                conn,
                firm,
                query["cursor"],
                limit=query["limit"],
                today=server().today(),
                now_ms=now,
            )
        return labour.pull_list(
            conn,
            firm,
            _filters(query),
            purpose=query["purpose"],
            channel="api",
            user_id=None,
            limit=query["limit"],
            today=server().today(),
            now_ms=now,
            new_id=server().new_id,
        )


def _filters(query: dict[str, Any]) -> labour.Filters:
    values = {key: value for key, value in query.items() if value is not None}
    if "available_by" in values:
        values["available_by"] = values["available_by"].isoformat()
    return labour.filters_from(values)


@blueprint.get("/labour.xlsx")
@audience("firm_key")
@blueprint.arguments(FileQuery(unknown=ma.RAISE), location="query", unknown=None)
@blueprint.response(200, {"type": "string", "format": "binary"}, content_type=XLSX)
@blueprint.doc(security=KEY_NEEDED)
def export_labour(query: dict[str, Any]) -> Response:
    """Pull the same list as a spreadsheet, with its pull number and row count on top."""
    firm = current_firm()
    with writing(server().engine) as conn:
        pulled = labour.pull_list(
            conn,
            firm,
            _filters(query),
            purpose=query["purpose"],
            channel="xlsx",
            user_id=None,
            limit=labour.MOST_ROWS_OF_FILE,
            today=server().today(),
            now_ms=server().now_ms(),
            new_id=server().new_id,
        )
    file = BytesIO()
    timezone = server().settings.timezone
    write_list(pulled, firm_name=firm.name, timezone=timezone, file=file, lang=query["lang"])
    disposition = f'attachment; filename="labour-{pulled.pull_id}.xlsx"'
    return Response(file.getvalue(), mimetype=XLSX, headers={"Content-Disposition": disposition})


@blueprint.post("/reveals")
@audience("firm_key")
@blueprint.arguments(
    RevealRequest, example={"pull": "7q0x5k2m9c4tr", "list_no": 1, "reason": "电话确认上岗时间"}
)
@blueprint.response(
    201,
    RevealAnswer,
    example={
        "pull": "7q0x5k2m9c4tr",
        "list_no": 1,
        "person": {"name": "韦小妹", "phone": "13900000000", "office_phone": "0859-4610000"},
    },
)
@blueprint.doc(security=KEY_NEEDED)
def reveal(wanted: dict[str, Any]) -> Any:
    """Ask for one person's name and phone. Logged; limited to a number of people a day."""
    settings = server().settings
    with writing(server().engine) as conn:
        person = labour.reveal_listed(
            conn,
            current_firm(),
            pull_id=wanted["pull"],
            list_no=wanted["list_no"],
            reason=wanted["reason"],
            user_id=None,
            per_day=settings.reveals_per_day,
            day_start_ms=labour.day_start_ms(server().today(), settings.timezone),
            now_ms=server().now_ms(),
            new_id=server().new_id,
        )
    return {"pull": wanted["pull"], "list_no": wanted["list_no"], "person": person}


@blueprint.post("/holds")
@audience("firm_key")
@blueprint.arguments(HoldRequest, example={"pull": "7q0x5k2m9c4tr", "list_nos": [1, 2]})
@blueprint.response(
    200,
    HoldAnswer,
    example={
        "holds": [
            {"list_no": 1, "held": True, "until_ms": 1795572000000, "code": None},
            {"list_no": 2, "held": False, "until_ms": None, "code": "held_by_other"},
        ]
    },
)
@blueprint.doc(security=KEY_NEEDED)
def hold(wanted: dict[str, Any]) -> Any:
    """Hold people of a pull for 72 hours; the same call while held extends once by 72 hours."""
    with writing(server().engine) as conn:
        answers = labour.hold_listed(
            conn,
            current_firm(),
            pull_id=wanted["pull"],
            list_nos=wanted["list_nos"],
            now_ms=server().now_ms(),
        )
    return {"holds": [asdict(answer) for answer in answers]}
