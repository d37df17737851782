"""A placement (就业去向), short form: where a member works now or worked, and who answers for it."""

from __future__ import annotations

from typing import ClassVar

import marshmallow as ma

from shared_schemas.fields import (
    Code,
    Day,
    DivisionCode,
    Facts,
    Flag,
    Merge,
    RecordId,
    Sensitivity,
    Text,
    WholeNumber,
    always,
)


def _ended(facts: Facts) -> bool:
    return bool(facts.values.get("ended_on"))


class Placement(ma.Schema):
    """Fields of a placement (domain.md 4.2)."""

    groups: ClassVar = {
        "job": ("岗位", "Job"),
        "terms": ("待遇", "Terms"),
        "course": ("经过", "Course"),
    }

    household_id = RecordId("所属农户", "Household", merge=Merge.HOLD)
    member_id = RecordId("成员", "Member", merge=Merge.HOLD)
    placement_kind = Code("去向类别", "Kind", codes="placement_kind", group="job", required=always)
    employer_name = Text("用人单位", "Employer", group="job", required=always)
    place_code = DivisionCode("工作地点", "Place of work", group="job", required=always)
    occupation = Code("工种", "Occupation", codes="occupation", group="job")
    started_on = Day("开始日期", "Started on", group="job", required=always)
    monthly_wage = WholeNumber(
        "月工资(元)",
        "Monthly wage (yuan)",
        least=0,
        most=50_000,
        group="terms",
        sensitivity=Sensitivity.SENSITIVE,
    )
    contract = Flag("签订合同", "Contract", group="terms")
    social_insurance = Flag("缴纳社保", "Social insurance", group="terms")
    channel = Code("就业渠道", "Channel", codes="channel", group="course")
    agency = Text("人力资源公司", "Agency", group="course")
    broker = Text("劳务经纪人", "Broker", group="course")
    referred_by = Text("介绍人", "Referred by", group="course")
    responsible = Text("责任人", "Responsible", group="course", required=always)
    state = Code("状态", "State", codes="placement_state", group="course", required=always)
    ended_on = Day("结束日期", "Ended on", group="course")
    end_reason = Code(
        "结束原因",
        "Why it ended",
        codes="end_reason",
        group="course",
        required=_ended,
        asked=_ended,
    )
    jdlk_at_start = Flag(
        "开始时为建档立卡",
        "Registered poor at start",
        merge=Merge.HOLD,
        sensitivity=Sensitivity.SENSITIVE,
    )
    verified_by = Text("核实人", "Verified by")
    deleted = Flag("已作废", "Void", merge=Merge.HOLD, sensitivity=Sensitivity.PLAIN)
