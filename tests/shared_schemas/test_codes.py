"""The code lists and the divisions say what the national standards say."""

import re

import pytest

from shared_schemas.codes import Code, code_list, code_list_names

STANDARDS = {
    "sex": "GB/T 2261.1-2003",
    "marital": "GB/T 2261.2-2003",
    "relation": "GB/T 4761-2008",
    "ethnic": "GB/T 3304-1991",
    "education": "GB/T 4658-2006",
    "political": "GB/T 4762-1984",
    "disability_level": "GB/T 26341-2010",
    "industry": "GB/T 4754-2017",
}


def codes_of(name: str) -> list[str]:
    return [code.code for code in code_list(name).codes]


@pytest.mark.parametrize("name", code_list_names())
def test_a_list_loads_with_unique_codes_and_both_labels(name: str) -> None:
    codes = code_list(name)
    assert codes.codes and codes.offered()
    assert len(set(codes_of(name))) == len(codes.codes)
    assert codes.zh and codes.en
    for code in codes.codes:
        assert code.code and code.zh and code.en
        assert re.fullmatch(r"[0-9A-Za-z_]+", code.code)
        assert not code.successor or code.successor in codes


@pytest.mark.parametrize("name", code_list_names())
def test_a_list_names_its_standard_or_the_document_it_came_from(name: str) -> None:
    codes = code_list(name)
    assert codes.standard == STANDARDS.get(name, "Chushan")
    if codes.standard == "Chushan":
        assert "domain.md" in codes.note


@pytest.mark.parametrize("name", code_list_names())
def test_numeric_codes_of_a_list_are_of_one_width(name: str) -> None:
    assert len({len(code) for code in codes_of(name) if code.isdigit()}) <= 1


def test_sex_offers_man_and_woman_only_but_knows_all_four() -> None:
    assert codes_of("sex") == ["0", "1", "2", "9"]
    assert [code.zh for code in code_list("sex").offered()] == ["男", "女"]


def test_relation_has_the_codes_of_the_standard_and_sixteen_buttons() -> None:
    relation = code_list("relation")
    known = {"02": "户主", "10": "配偶", "28": "女婿", "38": "儿媳", "51": "父亲", "56": "岳母"}
    assert {code: relation.label(code) for code in known} == known
    assert relation.label("97") == "其他亲属" and relation.label("99") == "非亲属"
    assert "98" not in relation and "03" not in relation
    assert len(relation.groups()) == 16
    assert relation.groups()[:4] == ("户主", "配偶", "子", "女")
    for group in relation.groups():
        assert any(code.offered for code in relation.codes if code.group == group)
    assert all(code.group for code in relation.offered())


def test_ethnic_numbers_are_those_of_the_standard_and_not_of_a_poverty_program() -> None:
    ethnic = code_list("ethnic")
    assert codes_of("ethnic") == [f"{number:02d}" for number in range(1, 57)] + ["97", "98"]
    assert ethnic.label("02") == "蒙古族" and ethnic.label("08") == "壮族"
    known = {"01": "汉", "03": "回", "04": "藏", "06": "苗", "09": "布依", "10": "朝鲜", "12": "侗"}
    known |= {"15": "土家", "26": "东乡", "35": "撒拉", "47": "保安", "48": "裕固", "56": "基诺"}
    assert all(ethnic.label(code) == f"{name}族" for code, name in known.items())


def test_education_is_numbered_10_to_90_and_not_01_to_08() -> None:
    education = code_list("education")
    offered = [code.code for code in education.offered()]
    assert offered == ["10", "20", "30", "40", "60", "70", "80", "90"]
    assert {"41", "44", "47"} <= set(codes_of("education"))
    assert education.label("70") == "初中" and "07" not in education


def test_industry_sections_run_from_a_to_t() -> None:
    assert "".join(codes_of("industry")) == "ABCDEFGHIJKLMNOPQRST"


def test_an_unknown_code_is_shown_as_it_is() -> None:
    sex = code_list("sex")
    assert sex.get("7") is None and sex.label("7") == "7"
    assert sex.label("2", lang="en") == "Female"
    assert sex.get("1") == Code(code="1", zh="男", en="Male")


def test_an_unknown_list_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        code_list("star_sign")
