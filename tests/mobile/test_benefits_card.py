"""The card in words: of a filled visit, with what is still open, and with the sums of a place of work."""

from phones import a_filled_visit, a_visit

from mobile.forms.benefits import shares
from mobile.storage.database import Store


def test_card_names_who_what_and_which_papers(store: Store) -> None:
    visit = a_filled_visit(store)
    assert shares(visit) == []
    visit.household.answer("category", "3")
    (head, *others) = shares(visit)
    assert head.who == "韦正明"
    (line,) = head.lines
    assert (line.title, line.sum) == ("宁波市:稳岗补贴", "20,000元/年,发给用工单位")
    assert line.papers.startswith("带上:身份证、")
    assert line.open == ""
    assert head.sums == ()  # nothing for the worker himself
    assert {line.open for share in others for line in share.lines} <= {
        "还要问清:就业意愿", "还要问清:想要公益性岗位", "还要问清:想参加培训",
    }  # fmt: skip


def test_sums_of_a_place_are_told_with_and_without_rent(store: Store) -> None:
    visit = a_filled_visit(store)
    visit.household.answer("category", "2")
    visit.household.answer("village_code", "510822101001")
    (head, *_) = shares(visit)
    assert head.sums == ("去湖州市吴兴区务工,头一年最高可享受21,500元;住厂里宿舍的15,500元",)
    english = shares(visit, "en")[0]
    assert "Up to 6,000 yuan a year, if renting" in {line.sum for line in english.lines}


def test_nothing_is_said_of_an_empty_household(store: Store) -> None:
    assert shares(a_visit(store)) == []
