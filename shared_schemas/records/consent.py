"""A worker's consent (同意书). Asked twice: for the survey, and for sharing with HR firms (PIPL 23).

Without a `share_hr` consent that was given and not withdrawn, a person is never on a firm's list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import marshmallow as ma

from shared_schemas.fields import (
    Code,
    Day,
    Facts,
    Flag,
    Merge,
    PersonName,
    RecordId,
    Sensitivity,
    Text,
    always,
)

SURVEY, SHARE_HR = "survey", "share_hr"
ORAL_WITH_WITNESS = "2"


def refuses(consent: Mapping[str, Any], member_id: str | None) -> bool:
    """Whether a consent is a member's refusal to be surveyed."""
    is_his = consent.get("member_id") == member_id and consent.get("consent_kind") == SURVEY
    return is_his and consent.get("given") is False


def _given(facts: Facts) -> bool:
    return facts.values.get("given") is True


def _witnessed(facts: Facts) -> bool:
    return _given(facts) and facts.values.get("method") == ORAL_WITH_WITNESS


class Consent(ma.Schema):
    """Fields of a consent (domain.md 4.2 and 3.8).

    The survey's is asked once it is known who somebody is, before his health, his work and his wishes.
    """

    groups: ClassVar = {"answer": ("本人答复", "The worker's answer")}

    household_id = RecordId("所属农户", "Household", merge=Merge.HOLD)
    member_id = RecordId("成员", "Member", merge=Merge.HOLD)
    consent_kind = Code("同意事项", "Consent to", codes="consent_kind", merge=Merge.HOLD)
    text_version = Text("告知书版本", "Text version", max_length=20, merge=Merge.HOLD)
    given = Flag("同意", "Given", group="answer", required=always, merge=Merge.WITHDRAW)
    method = Code(
        "方式", "Method", codes="consent_method", group="answer", required=_given, asked=_given
    )
    witness = PersonName("见证人", "Witness", group="answer", required=_witnessed, asked=_witnessed)
    consented_on = Day("日期", "On", sensitivity=Sensitivity.PLAIN)
    withdrawn_on = Day("撤回日期", "Withdrawn on", merge=Merge.WITHDRAW)
    deleted = Flag("已作废", "Void", merge=Merge.HOLD, sensitivity=Sensitivity.PLAIN)
