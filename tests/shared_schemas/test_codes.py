"""The code lists and the divisions say what the national standards say."""

import re
import subprocess
import sys

import pytest

from shared_schemas.codes import Code, code_list, code_list_names, divisions

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
    assert codes.codes
    assert codes.offered()
    assert len(set(codes_of(name))) == len(codes.codes)
    assert codes.zh
    assert codes.en
    for code in codes.codes:
        assert code.code
        assert code.zh
        assert code.en
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
    assert relation.label("97") == "其他亲属"
    assert relation.label("99") == "非亲属"
    assert "98" not in relation
    assert "03" not in relation
    assert len(relation.groups()) == 16
    assert relation.groups()[:4] == ("户主", "配偶", "子", "女")
    for group in relation.groups():
        assert any(code.offered for code in relation.codes if code.group == group)
    assert all(code.group for code in relation.offered())


def test_ethnic_numbers_are_those_of_the_standard_and_not_of_a_poverty_program() -> None:
    ethnic = code_list("ethnic")
    assert codes_of("ethnic") == [f"{number:02d}" for number in range(1, 57)] + ["97", "98"]
    assert ethnic.label("02") == "蒙古族"
    assert ethnic.label("08") == "壮族"
    known = {"01": "汉", "03": "回", "04": "藏", "06": "苗", "09": "布依", "10": "朝鲜", "12": "侗"}
    known |= {"15": "土家", "26": "东乡", "35": "撒拉", "47": "保安", "48": "裕固", "56": "基诺"}
    assert all(ethnic.label(code) == f"{name}族" for code, name in known.items())


def test_education_is_numbered_10_to_90_and_not_01_to_08() -> None:
    education = code_list("education")
    offered = [code.code for code in education.offered()]
    assert offered == ["10", "20", "30", "40", "60", "70", "80", "90"]
    assert {"41", "44", "47"} <= set(codes_of("education"))
    assert education.label("70") == "初中"
    assert "07" not in education


def test_industry_sections_run_from_a_to_t() -> None:
    assert "".join(codes_of("industry")) == "ABCDEFGHIJKLMNOPQRST"


def test_an_unknown_code_is_shown_as_it_is() -> None:
    sex = code_list("sex")
    assert sex.get("7") is None
    assert sex.label("7") == "7"
    assert sex.label("2", lang="en") == "Female"
    assert sex.get("1") == Code(code="1", zh="男", en="Male")


def test_an_unknown_list_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        code_list("star_sign")


def test_every_division_has_its_parent_and_every_successor_exists() -> None:
    every = [place for code in divisions._nation() for place in divisions._in_nation(code)]
    assert len(every) > 6000
    for place in every:
        assert len(place.code12) == 12
        assert place.level == 1 or divisions.division(place.parent) is not None, place
        assert not place.successor or divisions.division(place.successor) is not None, place
        assert not place.valid_to or place.valid_from <= place.valid_to
    for place in divisions.demo_divisions():
        assert divisions.division(place.parent) is not None, place


def test_following_successors_never_goes_in_a_circle() -> None:
    for place in divisions.national_divisions():
        passed = set()
        while place.successor:
            assert place.code12 not in passed
            passed.add(place.code12)
            heir = divisions.division(place.successor)
            assert heir is not None
            place = heir


def test_every_code_of_the_reports_has_its_name() -> None:
    known = {"330200": "宁波市", "330281": "余姚市", "330502": "吴兴区", "350211": "集美区"}
    known |= {"522300": "黔西南布依族苗族自治州", "522301": "兴义市", "522302": "兴仁市"}
    known |= {"522323": "普安县", "522324": "晴隆县", "522325": "贞丰县", "522326": "望谟县"}
    known |= {"522327": "册亨县", "522328": "安龙县", "222400": "延边朝鲜族自治州"}
    known |= {"222403": "敦化市", "222426": "安图县", "510822": "青川县", "622925": "和政县"}
    known |= {"622926": "东乡族自治县", "622927": "积石山保安族东乡族撒拉族自治县"}
    known |= {"623001": "合作市", "620623": "天祝藏族自治县"}
    for code, name in known.items():
        place = divisions.division(code)
        assert place is not None
        assert place.name == name
        assert not place.valid_to


def test_a_county_that_became_a_city_keeps_its_old_code_and_names_the_new_one() -> None:
    old = divisions.division("522322")
    assert old is not None
    assert old.name == "兴仁县"
    assert old.successor == "522302000000"
    assert old.is_valid_on("2017-06-01")
    assert not old.is_valid_on("2019-01-01")
    new = divisions.division("522302")
    assert new is not None
    assert new.name == "兴仁市"
    assert new.is_valid_on("2019-01-01")
    assert divisions.id_area_name("522322", 1990) == "兴仁县"


def test_an_id_prefix_means_what_it_meant_then() -> None:
    assert divisions.id_area_name("350211", 1960) == "郊区"
    assert divisions.id_area_name("350211", 1995) == "集美区"
    assert divisions.id_area_name("330227", 1980) == "鄞县"
    assert divisions.id_area_name("330201", 1970) == "宁波市市辖区"
    assert divisions.id_area_name("522399", 1993) is None
    assert divisions.id_area_name("990101", 1993) is None


def test_the_demonstration_counties_are_complete_to_the_village() -> None:
    towns = divisions.divisions_within("522326", divisions.TOWNSHIP)
    assert len(towns) == 16
    assert len(divisions.divisions_within("522325", divisions.TOWNSHIP)) == 17
    for county in ("522325", "522326"):
        for town in divisions.divisions_within(county, divisions.TOWNSHIP):
            assert divisions.divisions_within(town.code12, divisions.VILLAGE), town


def test_wangmo_has_bianrao_town_and_no_biancheng_street() -> None:
    town = divisions.division("522326111")
    assert town is not None
    assert town.name == "边饶镇"
    assert town.level == 4
    assert town.parent == "522326000000"
    assert not any("边城" in place.name for place in divisions.demo_divisions())
    other = divisions.division("522325102")
    assert other is not None
    assert other.name == "者相镇"


def test_demonstration_codes_keep_the_ranges_of_the_statistics() -> None:
    for place in divisions.demo_divisions():
        if place.level == divisions.TOWNSHIP:
            ends = {"道": range(1, 100), "镇": range(100, 200), "乡": range(200, 400)}
            assert int(place.code12[6:9]) in ends[place.name[-1]], place
        else:
            assert int(place.code12[9:]) in range(1, 400), place
            assert place.name.endswith(("村", "社区")), place


@pytest.mark.parametrize(
    ("code", "prefix", "inside"),
    [
        ("522326111201", "522326", True),
        ("522326111201", "522326000000", True),
        ("522326111201", "522326111", True),
        ("522326111201", "5223", True),
        ("522326111201", "52", True),
        ("522326111201", "522300000000", True),
        ("522326", "522326111", False),
        ("522325102000", "522326", False),
        ("522301", "522300", True),
    ],
)
def test_within_reads_padded_and_short_codes_alike(code: str, prefix: str, inside: bool) -> None:
    assert divisions.is_within(code, prefix) is inside


def test_codes_are_padded_and_cut_as_strings() -> None:
    assert divisions.pad12("522326") == "522326000000"
    assert divisions.county_of("522326111201") == "522326"
    assert [divisions.level_of(code) for code in ("52", "5223", "522326", "522326111")] == [
        1,
        2,
        3,
        4,
    ]
    assert divisions.level_of("522326111201") == 5


def test_nothing_is_read_before_it_is_asked_for() -> None:
    script = (
        "import shared_schemas.codes as c, shared_schemas.codes.divisions as d;"
        "assert c.code_list.cache_info().currsize == 0;"
        "assert d._nation.cache_info().currsize == d._demo.cache_info().currsize == 0;"
        "c.code_list('sex'); assert d._nation.cache_info().currsize == 0"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
