"""When two household lists are asked about: a family on both, not a bride and not a branch."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import an_id_number
from click.testing import CliRunner

from server.cli import main
from server.linkage.households import (
    HEAD,
    SPOUSE,
    Facts,
    Match,
    Shared,
    household_pairs,
    is_sure,
    one_to_one,
    reasons,
)

HE, SHE, SON = Shared("a1", "b2", True, HEAD, SPOUSE), Shared("a2", "b1", True, SPOUSE, HEAD), Shared("a3", "b3", True)  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "expected", "sure"),
    [
        (Facts(), (), False),
        (Facts((SON,)), (), False),
        (Facts((HE,)), (), False),  # she headed her own, and married
        (Facts((HE, SHE, SON)), ("members", "couple"), True),
        (Facts((SON, Shared("a4", "b4", True))), ("members",), False),  # children of parents apart
        (Facts((SON, Shared("a4", "b4", False))), ("members",), False),
        (Facts((Shared("a1", "b1", True, HEAD, HEAD),)), ("head",), False),
        (Facts((Shared("a1", "b1", True, HEAD, HEAD),), is_lodger=True), (), False),
        (Facts((Shared("a1", "b1", False, HEAD, HEAD),)), (), False),
        (Facts((Shared("a1", "b1", True, HEAD, HEAD), SON)), ("head", "members"), True),
        (Facts(same_registry_no=True), (), False),
        (Facts(same_registry_no=True, have_heads=False), ("registry_no",), False),
        (Facts((SON,), same_registry_no=True), ("registry_no",), False),
        (Facts((SHE, SON), is_branch=True), (), False),
    ],
)
def test_reasons(facts: Facts, expected: tuple[str, ...], *, sure: bool) -> None:
    assert reasons(facts) == expected
    assert is_sure(facts) == sure


def test_nobody_is_two_people_of_the_other_list() -> None:
    matches = [
        Match("a1", "b1", False, 9.0),
        Match("a1", "b2", False, 12.0),
        Match("a2", "b1", True),
    ]
    assert {(m.left, m.right) for m in one_to_one(matches)} == {("a2", "b1"), ("a1", "b2")}


def test_pairs_of_lists_come_from_the_pairs_of_their_members() -> None:
    homes = {"p1": "y", "p2": "y", "q1": "x", "q2": "x", "r1": "z", "lone": None}
    relations = {"p1": "02", "p2": "配偶", "q1": "妻", "q2": "户主", "r1": "02"}
    matches = [Match("p1", "q1", True), Match("p2", "q2", True), Match("p1", "lone", True),
               Match("p2", "r1", True)]  # fmt: skip
    [pair] = household_pairs(matches, homes, relations, dict.fromkeys(homes, "522326111201"))
    assert (pair.left, pair.right, pair.shared) == ("x", "y", 2)
    assert (pair.reasons, pair.verdict) == (("members", "couple"), "same")


def test_a_file_of_persons_gives_a_file_of_households(tmp_path: Path) -> None:
    people = (("岑大山", "男", "1980-03-02"), ("黄阿妹", "女", "1982-07-09"))
    numbers = [
        an_id_number(birth_date=day, sex="1" if sex == "男" else "2") for _, sex, day in people
    ]
    rows = ["record_id,name,sex,birth_date,id_no,village_code,household_id,relation"]
    for sheet, relations in (("h1", ("户主", "配偶")), ("h2", ("配偶", "户主")), ("h3", ("子",))):
        for i, relation in enumerate(relations):
            name, sex, day = people[i]
            village = "522326111201" if sheet == "h1" else "522326112201"
            rows.append(f"{sheet}-{i},{name},{sex},{day},{numbers[i]},{village},{sheet},{relation}")
    given, pairs, homes = (tmp_path / name for name in ("in.csv", "pairs.csv", "homes.csv"))
    given.write_text("\n".join(rows), "utf-8")
    done = CliRunner().invoke(
        main, ["link", "--input", str(given), "--output", str(pairs), "--households", str(homes)]
    )
    assert done.exit_code == 0, done.output
    heading, *found = homes.read_text("utf-8").replace(chr(34), "").split()
    assert heading == "household_id_l,household_id_r,shared,reason,verdict"
    assert found == ["h1,h2,2,members+couple,same"]
