"""A work intention (就业意愿): what one member wants, on one day. The newest approved one is current."""

from __future__ import annotations

from typing import ClassVar

import marshmallow as ma

from shared_schemas.fields import (
    LISTED,
    Code,
    Codes,
    Condition,
    Day,
    Divisions,
    Facts,
    Flag,
    Merge,
    RecordId,
    RecordIds,
    Sensitivity,
    Text,
    WholeNumber,
    always,
)

AWAY, NEARBY, EITHER, NO, CHANGE, BACK = "1", "2", "3", "4", "5", "6"


def _wants(*answers: str) -> Condition:
    def holds(facts: Facts) -> bool:
        return facts.values.get("wants_job") in answers

    return holds


_goes = _wants(AWAY, EITHER, CHANGE)
_works = _wants(AWAY, NEARBY, EITHER, CHANGE)
_stays = _wants(NEARBY, NO)


def _together(facts: Facts) -> bool:
    return _works(facts) and facts.values.get("together_with") not in (None, "0")


def _needs_occupation(facts: Facts) -> bool:
    return _works(facts) and facts.values.get("any_occupation") is not True


def _trains(facts: Facts) -> bool:
    return facts.values.get("training_wish") is True


class Intention(ma.Schema):
    """Fields of a work intention, in form order (domain.md 4.2)."""

    groups: ClassVar = {
        "wish": ("想不想工作", "Wish"),
        "where": ("去哪里", "Where"),
        "what": ("做什么", "What work"),
        "terms": ("条件", "Terms"),
        "training": ("培训与创业", "Training and start-up"),
    }

    household_id = RecordId("所属农户", "Household", merge=Merge.HOLD)
    member_id = RecordId("成员", "Member", merge=Merge.HOLD)
    wants_job = Code(
        "就业意愿",
        "Wants a job",
        codes="wants_job",
        group="wish",
        required=always,
        audiences=LISTED,
    )
    not_leaving_reason = Code(
        "不外出原因",
        "Why not leaving",
        codes="not_leaving_reason",
        group="wish",
        required=_stays,
        asked=_stays,
    )
    available_from = Day(
        "可上岗日期",
        "Available from",
        group="wish",
        required=_works,
        asked=_works,
        audiences=LISTED,
        sensitivity=Sensitivity.PLAIN,
    )
    reach = Code(
        "最远愿去",
        "Furthest reach",
        codes="reach",
        group="where",
        required=_goes,
        asked=_works,
        audiences=LISTED,
    )
    regions = Divisions(
        "意向地区", "Preferred regions", most=3, group="where", asked=_works, audiences=LISTED
    )
    together_with = Code(
        "和谁一起去",
        "Together with",
        codes="together_with",
        group="where",
        required=_works,
        asked=_works,
        audiences=LISTED,
    )
    together_members = RecordIds(
        "同去的家人", "Goes with", group="where", asked=_together, merge=Merge.UNION
    )
    any_occupation = Flag(
        "工种不限", "Any occupation", group="what", asked=_works, audiences=LISTED
    )
    occupations = Codes(
        "意向工种",
        "Occupations",
        codes="occupation",
        most=3,
        group="what",
        required=_needs_occupation,
        asked=_needs_occupation,
        audiences=LISTED,
    )
    industries = Codes(
        "意向行业",
        "Industries",
        codes="industry",
        most=3,
        group="what",
        aside=True,
        asked=_works,
        audiences=LISTED,
    )
    wage_floor = WholeNumber(
        "最低月薪(元)",
        "Wage floor (yuan a month)",
        least=0,
        most=50_000,
        group="terms",
        required=_works,
        asked=_works,
        audiences=LISTED,
    )
    lodging = Code(
        "住宿要求",
        "Lodging",
        codes="lodging",
        group="terms",
        asked=_works,
        audiences=LISTED,
        since=3,
    )
    needs_meals = Flag("需要包吃", "Needs meals", group="terms", asked=_works, audiences=LISTED)
    night_shift_ok = Flag(
        "可上夜班", "Night shift is fine", group="terms", asked=_works, audiences=LISTED
    )
    share_ethnic = Flag(
        "愿意告知企业民族",
        "Ethnic group may be told",
        group="terms",
        asked=_works,
        hint_zh="只有本人愿意才打勾(如需要民族餐)",
        hint_en="Only where the worker wishes it, for meals for example",
    )
    training_wish = Flag("想参加培训", "Wants training", group="training", required=always)
    courses = Codes(
        "想学什么",
        "Courses",
        codes="course",
        most=3,
        group="training",
        required=_trains,
        asked=_trains,
    )
    course_attend = Code(
        "能参加的方式",
        "Can attend",
        codes="course_attend",
        group="training",
        required=_trains,
        asked=_trains,
    )
    startup_wish = Flag("想创业", "Wants to start a business", group="training", required=always)
    startup_item = Text(
        "创业项目",
        "Business idea",
        group="training",
        asked=lambda facts: facts.values.get("startup_wish") is True,
    )
    public_post_wish = Flag(
        "想要公益性岗位", "Wants a public post", group="training", required=always
    )
    workshop_wish = Flag("想进扶贫车间", "Wants workshop work", group="training", required=always)
    referred_by_broker = Text(
        "介绍的劳务经纪人", "Referring broker", group="training", aside=True, repeats=True
    )
    confirmed_on = Day("确认日期", "Confirmed on", audiences=LISTED, sensitivity=Sensitivity.PLAIN)
    deleted = Flag("已作废", "Void", merge=Merge.HOLD, sensitivity=Sensitivity.PLAIN)
