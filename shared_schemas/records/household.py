"""A household (户): where it lives, its standing in the poverty register, how it was visited."""

from __future__ import annotations

from typing import ClassVar

import marshmallow as ma

from shared_schemas.fields import (
    INTERNAL,
    LISTED,
    REVEALED,
    Code,
    Day,
    DivisionCode,
    Facts,
    Flag,
    HouseholdId,
    Merge,
    PersonName,
    Phone,
    Reasons,
    RecordId,
    Sensitivity,
    Text,
    always,
)

REGISTERED_POOR, OUT_OF_POVERTY, MONITORED = "2", "3", "4"


def _registered(facts: Facts) -> bool:
    return facts.values.get("category") in (REGISTERED_POOR, OUT_OF_POVERTY)


def _monitored(facts: Facts) -> bool:
    return facts.values.get("category") == MONITORED


def _relocated(facts: Facts) -> bool:
    return facts.values.get("relocated") is True


def _newly_split(facts: Facts) -> bool:
    return facts.values.get("is_split") is True


def _has_no_phone(facts: Facts) -> bool:
    return not facts.values.get("phone")


def _by_proxy(facts: Facts) -> bool:
    return facts.values.get("survey_mode") == "3"


class Household(ma.Schema):
    """Fields of a household, in form order (domain.md 4.2)."""

    groups: ClassVar = {
        "place": ("住在哪里", "Where they live"),
        "register": ("户籍与帮扶类别", "Register and category"),
        "contact": ("联系方式", "Contact"),
        "income": ("收入", "Income"),
        "visit": ("本次走访", "This visit"),
    }

    village_code = DivisionCode(
        "所在村",
        "Village",
        level=5,
        group="place",
        required=always,
        merge=Merge.HOLD,
        sensitivity=Sensitivity.PLAIN,
        roster=("村", "行政村", "所在村", "村(居)委会", "村居", "村名"),
    )
    group_no = Text(
        "村民组",
        "Village group",
        max_length=20,
        group="place",
        repeats=True,
        roster=("组", "村民组", "自然村(组)", "村民小组"),
    )
    address = Text(
        "详细住址",
        "Address",
        group="place",
        roster=("住址", "详址", "家庭住址", "详细地址", "地址"),
    )
    relocated = Flag(
        "易地搬迁户",
        "Relocated household",
        group="place",
        required=always,
        sensitivity=Sensitivity.SENSITIVE,
        roster=("易地搬迁", "是否易地搬迁", "是否易地扶贫搬迁户", "易地搬迁户", "易迁户属性"),
    )
    relocation_site = Text(
        "安置点",
        "Resettlement site",
        group="place",
        repeats=True,
        required=_relocated,
        asked=_relocated,
        roster=("安置点", "搬迁地点", "安置地"),
    )
    former_village = Text(
        "原住村",
        "Former village",
        group="place",
        repeats=True,
        asked=_relocated,
        roster=("搬迁前住址", "原住址", "原住村"),
    )
    registry_no = Text(
        "户编号",
        "Register number",
        max_length=20,
        group="register",
        aside=True,
        merge=Merge.HOLD,
        roster=("户编号", "户编码", "家庭编号"),
    )
    category = Code(
        "农户类别",
        "Household category",
        codes="household_category",
        group="register",
        required=always,
        merge=Merge.HOLD,
        sensitivity=Sensitivity.SENSITIVE,
        roster=("户类型", "农户类别", "户属性", "脱贫属性", "贫困户属性"),
    )
    jdlk_from = Day(
        "建档立卡日期",
        "Registered as poor on",
        group="register",
        required=_registered,
        asked=_registered,
        merge=Merge.HOLD,
        sensitivity=Sensitivity.SENSITIVE,
        roster=("建档立卡时间", "识别时间", "建档日期", "建档立卡日期"),
    )
    jdlk_to = Day(
        "脱贫日期",
        "Out of poverty on",
        group="register",
        required=lambda facts: facts.values.get("category") == OUT_OF_POVERTY,
        asked=lambda facts: facts.values.get("category") == OUT_OF_POVERTY,
        merge=Merge.HOLD,
        sensitivity=Sensitivity.SENSITIVE,
        roster=("脱贫时间", "脱贫年度", "脱贫日期"),
    )
    monitor_type = Code(
        "监测对象类型",
        "Monitored because",
        codes="monitor_type",
        group="register",
        required=_monitored,
        asked=_monitored,
        merge=Merge.HOLD,
        sensitivity=Sensitivity.SENSITIVE,
        roster=("监测对象类别", "监测对象类型"),
    )
    risk_cleared = Flag(
        "风险已消除",
        "Risk cleared",
        group="register",
        required=_monitored,
        asked=_monitored,
        sensitivity=Sensitivity.SENSITIVE,
        roster=("风险是否已消除", "风险消除"),
    )
    dibao = Flag(
        "低保户",
        "Minimum living allowance",
        group="register",
        required=always,
        sensitivity=Sensitivity.SENSITIVE,
        roster=("低保", "是否低保", "是否低保户"),
    )
    tekun = Flag(
        "特困供养户",
        "Extreme hardship support",
        group="register",
        required=always,
        sensitivity=Sensitivity.SENSITIVE,
        roster=("特困", "是否特困", "特困供养", "是否特困供养"),
    )
    is_split = Flag(
        "新分户",
        "Split from another household",
        group="register",
        aside=True,
        roster=("是否分户", "新分户"),
        hint_zh="从别的户分出来单立户口的,选“是”",
        hint_en="Yes for a household that was set up apart from another one",
        since=2,
    )
    split_from = HouseholdId(
        "从哪一户分出",
        "Split from",
        group="register",
        asked=_newly_split,
        merge=Merge.HOLD,
        hint_zh="原来的户在本村名册里的,选出来;不在的可不选",
        hint_en="Choose it where it is on the village's list",
        since=2,
    )
    split_on = Day(
        "分户日期",
        "Split on",
        group="register",
        required=_newly_split,
        asked=_newly_split,
        roster=("分户时间", "分户日期"),
        since=2,
    )
    split_reason = Code(
        "分户原因",
        "Why it was split",
        codes="split_reason",
        group="register",
        required=_newly_split,
        asked=_newly_split,
        roster=("分户原因",),
        since=2,
    )
    phone = Phone(
        "家庭电话",
        "Household phone",
        group="contact",
        roster=("户电话", "家庭电话", "户主电话", "联系电话"),
    )
    no_phone_reason = Code(
        "没有电话的原因",
        "Why no phone",
        codes="no_phone_reason",
        group="contact",
        required=_has_no_phone,
        asked=_has_no_phone,
    )
    helper_name = PersonName(
        "帮扶干部",
        "Assigned helper",
        group="contact",
        repeats=True,
        aside=True,
        roster=("帮扶责任人", "帮扶干部", "包户干部", "结对帮扶干部"),
    )
    helper_phone = Phone(
        "帮扶干部电话",
        "Helper's phone",
        group="contact",
        aside=True,
        roster=("帮扶责任人电话", "帮扶干部电话", "帮扶人电话"),
    )
    responsible_cadre = Text(
        "责任人",
        "Responsible cadre",
        max_length=50,
        audiences=INTERNAL,
        hint_zh="由登录的干部自动填写",
        hint_en="Filled in from the cadre who is signed in",
    )
    office_phone = Phone(
        "责任人办公电话",
        "Cadre's office phone",
        audiences=LISTED | REVEALED,
        sensitivity=Sensitivity.PLAIN,
    )
    yearly_income_band = Code(
        "家庭年收入",
        "Yearly income",
        codes="income_band",
        group="income",
        sensitivity=Sensitivity.SENSITIVE,
        hint_zh="只选区间,不问具体数额",
        hint_en="A band only; do not ask for the amount",
    )
    labour_income_share = Code(
        "务工收入占比",
        "Share of wages in income",
        codes="labour_income_share",
        group="income",
        sensitivity=Sensitivity.SENSITIVE,
    )
    survey_date = Day(
        "走访日期",
        "Visited on",
        group="visit",
        required=always,
        sensitivity=Sensitivity.PLAIN,
    )
    survey_mode = Code(
        "走访方式",
        "Kind of visit",
        codes="survey_mode",
        group="visit",
        required=always,
        sensitivity=Sensitivity.PLAIN,
    )
    respondent_relation = Code(
        "代答人与户主关系",
        "Respondent's relation to the head",
        codes="relation",
        group="visit",
        required=_by_proxy,
        asked=_by_proxy,
    )
    head_member_id = RecordId("户主", "Head", merge=Merge.HOLD)
    rule_reasons = Reasons("提示说明", "Reasons given for warnings")
    deleted = Flag("已作废", "Void", merge=Merge.HOLD, sensitivity=Sensitivity.PLAIN)
