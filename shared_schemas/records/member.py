"""A member of a household (家庭成员): identity, ability, skills and present work.

People under 16 are recorded with name, birth date, sex and relation only (domain.md 3.8).
"""

from __future__ import annotations

from typing import ClassVar

import marshmallow as ma

from shared_schemas.fields import (
    INTERNAL,
    LISTED,
    REVEALED,
    Code,
    Codes,
    Day,
    DivisionCode,
    Facts,
    Flag,
    Merge,
    PersonName,
    Phone,
    RecordId,
    ResidentId,
    Sensitivity,
    Skills,
    Text,
    WholeNumber,
    always,
)

WORKING_AGE = 16
HEAD = "02"
WHO = ("identity", "family")
"""The groups that say who belongs to the household; the others are asked of who agrees to the survey."""
IN_EMPLOYMENT, PUBLIC_POST, NOT_EMPLOYED = "1", "6", "7"


def adult(facts: Facts) -> bool:
    """Sixteen or older on the survey date; an unknown age counts as adult so that nothing is skipped."""
    return facts.age is None or facts.age >= WORKING_AGE


def _here(facts: Facts) -> bool:
    """Alive and still of this household; of the dead and the departed nothing more is asked."""
    return facts.values.get("member_change") not in ("2", "5")


def _adult_here(facts: Facts) -> bool:
    return adult(facts) and _here(facts)


def _agreed(facts: Facts) -> bool:
    return _adult_here(facts) and not facts.refused


def _no_id(facts: Facts) -> bool:
    return adult(facts) and not facts.values.get("id_no")


def _student(facts: Facts) -> bool:
    return facts.values.get("in_school") not in (None, "0")


def _disabled(facts: Facts) -> bool:
    return _agreed(facts) and "4" in (facts.values.get("health") or [])


def _working(facts: Facts) -> bool:
    return _agreed(facts) and facts.values.get("work_form") not in (None, NOT_EMPLOYED, "4")


def _employed(facts: Facts) -> bool:
    return _agreed(facts) and facts.values.get("work_form") == IN_EMPLOYMENT


def _on_public_post(facts: Facts) -> bool:
    return _agreed(facts) and facts.values.get("work_form") == PUBLIC_POST


class Member(ma.Schema):
    """Fields of a member, in form order (domain.md 4.2)."""

    groups: ClassVar = {
        "identity": ("身份与电话", "Identity and phone"),
        "family": ("家庭关系", "Family"),
        "background": ("基本情况", "Background"),
        "health": ("健康与劳动能力", "Health and ability"),
        "work": ("技能与目前就业", "Skills and present work"),
    }

    household_id = RecordId("所属农户", "Household", merge=Merge.HOLD)
    id_no = ResidentId(
        "身份证号",
        "Resident ID number",
        group="identity",
        required=lambda facts: (
            facts.age is not None
            and facts.age >= WORKING_AGE
            and not facts.values.get("no_id_reason")
        ),
        merge=Merge.HOLD,
        sensitivity=Sensitivity.SENSITIVE,
        roster=(
            "证件号码",
            "身份证号",
            "身份证号码",
            "公民身份号码",
            "身份证",
            "证件",
            "户主证件号码",
        ),
        hint_zh="先录身份证号,出生日期和性别自动填好;未满16岁可不录",
        hint_en="Type this first: birth date and sex fill in. Not needed under 16",
    )
    no_id_reason = Code(
        "无身份证原因",
        "Why no ID number",
        codes="no_id_reason",
        group="identity",
        asked=_no_id,
    )
    name = PersonName(
        "姓名",
        "Name",
        group="identity",
        required=always,
        merge=Merge.HOLD,
        audiences=REVEALED,
        roster=("姓名", "成员姓名", "家庭成员姓名"),
    )
    sex = Code(
        "性别",
        "Sex",
        codes="sex",
        group="identity",
        required=always,
        merge=Merge.HOLD,
        audiences=LISTED,
        roster=("性别",),
    )
    birth_date = Day(
        "出生日期",
        "Birth date",
        group="identity",
        required=always,
        merge=Merge.HOLD,
        roster=("出生日期", "出生年月", "出生年月日"),
    )
    phone = Phone(
        "本人手机",
        "Own phone",
        group="identity",
        asked=_adult_here,
        audiences=REVEALED,
        roster=("成员电话", "本人电话", "手机号", "手机号码", "联系方式"),
        hint_zh="最好是本人号码",
        hint_en="Preferably the person's own number",
    )
    relation = Code(
        "与户主关系",
        "Relation to head",
        codes="relation",
        group="family",
        required=always,
        merge=Merge.HOLD,
        roster=("与户主关系", "关系", "家庭关系"),
    )
    member_change = Code(
        "家庭成员变化",
        "Change since last visit",
        codes="member_change",
        group="family",
        tells_change=True,
        merge=Merge.HOLD,
    )
    lives_here = Flag("常住本户", "Lives here", group="family", required=_here, asked=_here)
    hukou_village = DivisionCode(
        "户籍所在地",
        "Registered residence",
        group="family",
        aside=True,
        asked=_here,
        merge=Merge.HOLD,
    )
    ethnic = Code(
        "民族",
        "Ethnic group",
        codes="ethnic",
        group="background",
        merge=Merge.HOLD,
        required=_agreed,
        asked=_agreed,
        sensitivity=Sensitivity.SENSITIVE,
        roster=("民族",),
    )
    in_school = Code(
        "在校状况",
        "In school",
        codes="in_school",
        group="family",
        required=_here,
        asked=_here,
        roster=("在校生状况", "在校状况", "在校"),
    )
    graduates_on = Day(
        "预计毕业日期",
        "Graduates on",
        group="background",
        asked=lambda facts: _agreed(facts) and _student(facts),
    )
    education = Code(
        "文化程度",
        "Education",
        codes="education",
        group="background",
        required=lambda facts: _agreed(facts) and not _student(facts),
        asked=_agreed,
        audiences=LISTED,
        roster=("文化程度", "学历"),
    )
    illiterate = Flag(
        "文盲或半文盲",
        "Cannot read",
        group="background",
        asked=lambda facts: _agreed(facts) and facts.values.get("education") == "90",
    )
    marital = Code(
        "婚姻状况",
        "Marital status",
        codes="marital",
        group="background",
        required=_agreed,
        asked=_agreed,
        roster=("婚姻状况", "婚姻"),
    )
    political = Code(
        "政治面貌",
        "Political affiliation",
        codes="political",
        group="background",
        aside=True,
        asked=_agreed,
        sensitivity=Sensitivity.SENSITIVE,
        roster=("政治面貌",),
    )
    speaks_mandarin = Code(
        "普通话",
        "Mandarin",
        codes="mandarin",
        group="background",
        required=_agreed,
        asked=_agreed,
        audiences=LISTED,
        roster=("是否会讲普通话", "普通话", "会讲普通话"),
    )
    health = Codes(
        "健康状况",
        "Health",
        codes="health",
        most=3,
        excludes_others="1",
        group="health",
        required=_agreed,
        asked=_agreed,
        sensitivity=Sensitivity.SENSITIVE,
        roster=("健康状况", "健康"),
    )
    disability_level = Code(
        "残疾等级",
        "Disability level",
        codes="disability_level",
        group="health",
        required=_disabled,
        asked=_disabled,
        sensitivity=Sensitivity.SENSITIVE,
    )
    labour_ability = Code(
        "劳动能力",
        "Ability to work",
        codes="labour_ability",
        group="health",
        required=_agreed,
        asked=_agreed,
        roster=("劳动技能", "劳动能力", "是否劳动力"),
    )
    skills = Skills(
        "技能",
        "Skills",
        group="work",
        asked=_agreed,
        merge=Merge.UNION,
        audiences=LISTED,
        roster=("技能特长", "工种"),
    )
    work_form = Code(
        "就业形式",
        "Form of work",
        codes="work_form",
        group="work",
        required=_agreed,
        asked=_agreed,
    )
    public_post = Code(
        "公益性岗位类型",
        "Kind of public post",
        codes="public_post",
        group="work",
        asked=_on_public_post,
        roster=("公益性岗位类型", "公益性岗位"),
        since=2,
    )
    work_region = Code(
        "务工区域",
        "Work region",
        codes="work_region",
        group="work",
        required=_employed,
        asked=_working,
        roster=("务工区域",),
    )
    work_place_code = DivisionCode(
        "务工所在地",
        "Place of work",
        group="work",
        required=_employed,
        asked=_working,
        roster=("务工所在地", "务工地点", "就业地"),
    )
    work_employer = Text(
        "单位名称",
        "Employer",
        group="work",
        repeats=True,
        asked=_working,
        roster=("务工企业", "单位名称", "企业", "务工企业名称"),
    )
    work_occupation = Code(
        "工种", "Occupation", codes="occupation", group="work", asked=_working, roster=("岗位",)
    )
    work_wage = WholeNumber(
        "月工资(元)",
        "Monthly wage (yuan)",
        least=0,
        most=50_000,
        group="work",
        asked=_working,
        sensitivity=Sensitivity.SENSITIVE,
        roster=("月收入", "月工资"),
    )
    work_since = Day("开始日期", "Since", group="work", asked=_working, roster=("就业日期",))
    work_months = WholeNumber(
        "今年务工月数",
        "Months worked this year",
        least=0,
        most=12,
        group="work",
        required=_employed,
        asked=_working,
        roster=("务工时间(月)", "务工时间", "务工月数"),
    )
    work_channel = Code(
        "就业渠道",
        "Channel",
        codes="channel",
        group="work",
        asked=_working,
        roster=("就业渠道", "输出渠道"),
    )
    person_no = Text(
        "人口编号",
        "Register person number",
        max_length=24,
        audiences=INTERNAL,
        roster=("人口编号", "人编号", "人口编码"),
    )
    deleted = Flag("已作废", "Void", merge=Merge.HOLD, sensitivity=Sensitivity.PLAIN)
