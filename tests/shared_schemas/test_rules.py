"""Rules V01–V20 (domain.md 4.9): each is broken once by a bundle that otherwise passes."""

from __future__ import annotations

import dataclasses

import pytest

from shared_schemas.bundle import Bundle, bundle_of
from shared_schemas.rules import Level, Surroundings, check_bundle, lane

TODAY = "2026-11-20"
HOME = "0000000000001"
HEAD, WIFE, CHILD = HOME + "000a", HOME + "000b", HOME + "000c"

MAN_ID, WOMAN_ID, MINOR_ID = "510899198807041156", "522399199303121129", "52239920120601118X"


def a_family() -> Bundle:
    """Return a family of three that breaks no rule: a farmer, his wife who wants work, a child."""
    adult = {
        "household_id": HOME,
        "lives_here": True,
        "ethnic": "09",
        "in_school": "0",
        "education": "70",
        "marital": "20",
        "speaks_mandarin": "1",
        "health": ["1"],
        "labour_ability": "1",
        "work_form": "4",
    }
    return Bundle(
        {
            "id": HOME,
            "village_code": "522326111201",
            "relocated": False,
            "category": "2",
            "registry_no": "5223261112010001",
            "jdlk_from": "2014-05-01",
            "dibao": False,
            "tekun": False,
            "phone": "13900000000",
            "survey_date": TODAY,
            "survey_mode": "1",
            "head_member_id": HEAD,
        },
        (
            adult | {"id": HEAD, "name": "岑大山", "relation": "02", "id_no": MAN_ID, "sex": "1",
                     "birth_date": "1988-07-04"},
            adult | {"id": WIFE, "name": "韦小梅", "relation": "10", "id_no": WOMAN_ID, "sex": "2",
                     "birth_date": "1993-03-12", "phone": "13911111111"},
            {"id": CHILD, "household_id": HOME, "name": "岑小山", "relation": "20", "sex": "1",
             "birth_date": "2012-06-01", "lives_here": True, "in_school": "1"},
        ),
        (
            {"id": HOME + "000d", "member_id": WIFE, "wants_job": "1", "available_from": TODAY,
             "reach": "4", "together_with": "0", "occupations": ["01"], "wage_floor": 4000,
             "training_wish": False, "startup_wish": False, "public_post_wish": False,
             "workshop_wish": False, "confirmed_on": TODAY},
        ),
        (
            {"id": HOME + "000e", "member_id": WIFE, "consent_kind": "survey", "given": True,
             "method": "1"},
            {"id": HOME + "000f", "member_id": WIFE, "consent_kind": "share_hr", "given": False},
            {"id": HOME + "000g", "member_id": HEAD, "consent_kind": "survey", "given": False},
        ),
    )  # fmt: skip


def changed(bundle: Bundle, kind: str, index: int, **values) -> Bundle:
    """Return the bundle with one record changed; a value of None leaves the field out."""
    if kind == "household":
        return dataclasses.replace(bundle, household=_with(bundle.household, values))
    records = list(getattr(bundle, f"{kind}s"))
    records[index] = _with(records[index], values)
    return dataclasses.replace(bundle, **{f"{kind}s": tuple(records)})


def _with(record, values):
    return {k: v for k, v in {**record, **values}.items() if v is not None}


def hits(bundle: Bundle, around: Surroundings | None = None) -> set[tuple[str, str, str]]:
    found = check_bundle(bundle, around or Surroundings(TODAY))
    assert all(hit.message("zh") and hit.message("en") for hit in found)
    return {(hit.rule, str(hit.level), hit.field) for hit in found}


def test_a_good_family_breaks_no_rule():
    assert hits(a_family()) == set()


E, W, R = "E", "W", "R"


@pytest.mark.parametrize(
    ("rule", "level", "field", "kind", "index", "values"),
    [
        ("V01", E, "id_no", "member", 0, {"id_no": "510899198807041157"}),
        ("V02", E, "birth_date", "member", 0, {"birth_date": "1988-07-05"}),
        ("V02", E, "sex", "member", 1, {"sex": "1"}),
        ("V03", E, "id_no", "member", 1, {"id_no": MAN_ID}),
        ("V04", E, "head_member_id", "member", 1, {"relation": "02"}),
        ("V04", W, "relation", "member", 2, {"relation": "10"}),
        ("V05", W, "birth_date", "member", 2, {"birth_date": "2000-01-01"}),
        ("V06", E, "wants_job", "intention", 0, {"member_id": CHILD}),
        ("V07", W, "wants_job", "member", 1, {"in_school": "5"}),
        ("V08", W, "wants_job", "member", 1, {"labour_ability": "4", "health": ["4"],
                                               "disability_level": "2"}),
        ("V08", W, "labour_ability", "member", 0, {"labour_ability": "5"}),
        ("V09", E, "work_months", "member", 0, {"work_form": "2", "work_place_code": "330200000000"}),
        ("V09", E, "work_place_code", "member", 0, {"work_form": "2", "work_months": 5}),
        ("V10", E, "education", "member", 1, {"education": None}),
        ("V11", E, "phone", "member", 1, {"phone": "123"}),
        ("V13", E, "regions", "intention", 0, {"reach": "3", "regions": ["330200000000"]}),
        ("V14", E, "survey_date", "household", 0, {"survey_date": "2026-12-24"}),
        ("V14", E, "consented_on", "consent", 0, {"consented_on": "2030-01-01"}),
        ("V15", E, "monitor_type", "household", 0, {"monitor_type": "1"}),
        ("V15", E, "jdlk_to", "household", 0, {"category": "3", "jdlk_to": "2010-01-01"}),
        ("V16", E, "consent", "consent", 1, {"consent_kind": "survey", "given": True,
                                              "method": "1"}),
        ("V16", E, "consent", "consent", 0, {"given": False}),
        ("V16", W, "consent", "consent", 2, {"member_id": WIFE}),
        ("V17", W, "registry_no", "household", 0, {"registry_no": None}),
        ("V18", W, "wage_floor", "intention", 0, {"wage_floor": 900}),
        ("V18", W, "work_wage", "member", 0, {"work_wage": 20_000}),
        ("REQUIRED", E, "wage_floor", "intention", 0, {"wage_floor": None}),
        ("FORMAT", E, "education", "member", 0, {"education": "07"}),
    ],
)  # fmt: skip
def test_a_rule_is_raised_where_it_is_broken(rule, level, field, kind, index, values):
    assert (rule, level, field) in hits(changed(a_family(), kind, index, **values))


def test_a_household_of_nobody_is_told_so():
    empty = dataclasses.replace(a_family(), members=(), intentions=(), consents=())
    told = [hit.message() for hit in check_bundle(empty, Surroundings(TODAY))]
    assert told == ["这户还没有登记家人，请加上户主和家人"]


def test_of_who_refused_only_who_he_is_is_missed():
    of_life = (
        "ethnic",
        "education",
        "marital",
        "speaks_mandarin",
        "health",
        "labour_ability",
        "work_form",
    )
    bundle = changed(a_family(), "member", 0, **dict.fromkeys(of_life))
    assert hits(bundle) == hits(a_family())
    assert ("REQUIRED", E, "relation") in hits(changed(bundle, "member", 0, relation=None))
    agreed = changed(bundle, "consent", 2, given=True, method="1")
    assert ("REQUIRED", E, "health") in hits(agreed)


def test_a_missing_answer_is_named_in_the_language_of_the_reader():
    lacking = changed(a_family(), "household", 0, category=None)
    hit = next(h for h in check_bundle(lacking, Surroundings(TODAY)) if h.rule == "REQUIRED")
    assert (hit.message(), hit.message("en")) == (
        "请填写“农户类别”",
        "Please answer “Household category”",
    )


def test_spouse_and_head_of_one_sex_are_doubtful():
    bundle = changed(a_family(), "member", 1, sex="1", id_no=None, no_id_reason="1")
    assert ("V04", W, "sex") in hits(bundle)


def test_an_id_number_in_another_household_warns_the_cadre_and_alerts_the_reviewer():
    def elsewhere(number, _household):
        return "者相镇" if number == WOMAN_ID else None

    phone = Surroundings(TODAY, id_elsewhere=elsewhere)
    server = Surroundings(TODAY, id_elsewhere=elsewhere, on_server=True)
    assert ("V03", W, "id_no") in hits(a_family(), phone)
    assert ("V03", R, "id_no") in hits(a_family(), server)
    assert "者相镇" in check_bundle(a_family(), phone)[0].message()


def test_a_phone_on_more_than_three_households_is_doubtful():
    def shared(phone, _household):
        return 3 if phone == "13900000000" else 2

    found = check_bundle(a_family(), Surroundings(TODAY, phone_households=shared))
    assert [(h.rule, h.kind) for h in found] == [("V11", "household")]


def test_a_worker_without_any_phone_cannot_be_called():
    bundle = changed(a_family(), "member", 1, phone=None)
    assert ("V11", E, "phone") not in hits(bundle)
    bundle = changed(bundle, "household", 0, phone=None, no_phone_reason="1")
    assert ("V11", E, "phone") in hits(bundle)


def test_a_village_must_be_known_and_outside_the_scope_needs_a_reason():
    unknown = Surroundings(TODAY, village_known=lambda _: False)
    assert ("V12", E, "village_code") in hits(a_family(), unknown)
    assert ("V12", W, "village_code") in hits(a_family(), Surroundings(TODAY, scope="522325"))
    assert hits(a_family(), Surroundings(TODAY, scope="522326111")) == set()


def test_somebody_on_the_job_who_says_not_employed_is_for_the_reviewer():
    bundle = changed(a_family(), "member", 0, work_form="7")
    placement = {
        "id": HOME + "000h", "member_id": HEAD, "placement_kind": "1", "employer_name": "甬江服装厂",
        "place_code": "330200000000", "started_on": "2026-01-01", "responsible": "岑干部",
        "state": "on_job",
    }  # fmt: skip
    assert ("V19", R, "work_form") in hits(dataclasses.replace(bundle, placements=(placement,)))


def test_open_conflicts_put_a_bundle_into_the_red_lane():
    found = check_bundle(a_family(), Surroundings(TODAY, open_conflicts=2, on_server=True))
    assert [hit.rule for hit in found] == ["V20"]
    assert lane(found) == "red"


def test_a_warning_carries_the_cadres_reason_and_stays_for_the_reviewer_to_see():
    bundle = changed(a_family(), "household", 0, registry_no=None,
                     rule_reasons={f"V17 {HOME}": "名册还没有发下来"})  # fmt: skip
    found = check_bundle(bundle, Surroundings(TODAY))
    assert [(hit.rule, hit.level, hit.reason) for hit in found] == [
        ("V17", Level.WARNING, "名册还没有发下来")
    ]
    assert lane(found) == "yellow"
    assert lane([]) == "green"


def test_void_records_are_no_part_of_a_bundle():
    pairs = [(kind, dict(record)) for kind, record in a_family().records()]
    for _, record in pairs:
        if record["id"] == CHILD:
            record["deleted"] = True
    assert [m["id"] for m in bundle_of(pairs).members] == [HEAD, WIFE]
