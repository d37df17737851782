"""One record as a form: what is asked, what an answer does, what is said beside a field."""

import dataclasses

import pytest
from phones import HEAD, a_filled_visit, a_number, a_visit, fill_member

from mobile.forms.record_form import Question, RecordForm
from mobile.storage.database import Store, open_store
from shared_schemas import codes, records
from shared_schemas.fields import Code, Merge
from shared_schemas.records.household import Household


def question(form: RecordForm, name: str, lang: str = "zh") -> Question:
    group = records.record_kind(form.kind).fields[name].info.group
    return next(q for q in form.questions(group, lang) if q.name == name)


def asked(form: RecordForm) -> set[str]:
    return {q.name for group in form.groups() for q in form.questions(group.name)}


def test_good_id_number_fills_birth_date_and_sex(store: Store) -> None:
    member = a_visit(store).add_member()
    member.typed("id_no", " 5223 9919930312112 9 ")
    assert question(member, "birth_date").value == "1993-03-12"
    assert question(member, "sex").shown == "女"


def test_id_number_tells_where_it_was_first_issued(store: Store) -> None:
    member = a_visit(store).add_member()
    member.typed("id_no", "11010519491231002x")
    assert "朝阳区" in question(member, "id_no").hint


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("522399930312112", "15位"),
        ("52239919930312112", "18位"),
        ("522399199303121126", "校验位"),
        ("522399199303211129", "录反"),
    ],
)
def test_slip_in_an_id_number_is_named_and_what_was_typed_is_kept(
    store: Store, typed: str, said: str
) -> None:
    member = a_visit(store).add_member()
    member.typed("id_no", typed)
    shown = question(member, "id_no")
    assert shown.value == typed
    assert said in (shown.error or "")
    assert "birth_date" not in member.values


def test_missing_answer_is_not_complained_of_before_it_is_asked_for(store: Store) -> None:
    form = a_visit(store).household
    assert question(form, "category").error is None
    form.show_missing = True
    assert "农户类别" in (question(form, "category").error or "")


def test_refused_submit_shows_what_is_missing_everywhere(store: Store) -> None:
    visit = a_visit(store)
    result = visit.submit()
    assert not result.submitted
    assert result.problems
    assert question(visit.household, "category").error
    step = next(s for s in visit.steps() if s.group == "register")
    assert step.errors == 3  # category, dibao, tekun


def test_a_split_household_is_chosen_among_those_of_the_village(store: Store) -> None:
    first = a_filled_visit(store)
    assert first.submit().submitted
    form = a_visit(store).household
    assert "split_from" not in asked(form)
    form.answer("is_split", True)
    assert {"split_from", "split_on", "split_reason"} <= asked(form)
    [option] = question(form, "split_from").options
    assert option == (first.household_id, "韦正明 二组", "")
    form.answer("split_from", option[0])
    assert question(form, "split_from").shown == "韦正明 二组"
    # One that the phone does not know is shown by its id, and kept.
    form.answer("split_from", "0000000000000")
    assert question(form, "split_from").shown == "0000000000000"
    form.answer("split_on", None)
    form.show_missing = True
    assert question(form, "split_on").error


def test_resettlement_site_is_asked_of_a_relocated_household_only(store: Store) -> None:
    form = a_visit(store).household
    assert "relocation_site" not in asked(form)
    form.answer("relocated", True)
    assert "relocation_site" in asked(form)
    assert question(form, "relocation_site").required


def test_of_a_child_only_what_the_law_allows_is_asked(store: Store) -> None:
    child = a_visit(store).add_member()
    child.answer("birth_date", "2015-05-05")
    assert {"education", "phone", "ethnic", "health", "work_form"} & asked(child) == set()
    assert {"name", "sex", "relation"} <= asked(child)


def test_relation_is_offered_as_sixteen_buttons_of_offered_codes(store: Store) -> None:
    options = question(a_visit(store).add_member(), "relation").options
    groups = list(dict.fromkeys(group for _, _, group in options))
    assert len(groups) == 16
    relation = codes.code_list("relation")
    assert {code for code, _, _ in options} == {code.code for code in relation.offered()}


def test_code_that_is_not_offered_is_shown_where_an_import_brought_it(store: Store) -> None:
    member = a_visit(store).add_member()
    member.answer("relation", "22")
    shown = question(member, "relation")
    assert shown.shown == "长子"
    assert "22" in {code for code, _, _ in shown.options}


def test_unusual_wage_needs_a_reason_and_then_no_more(store: Store) -> None:
    visit = a_filled_visit(store)
    wish = visit.intention_of(visit.members[0])
    assert wish is not None
    wish.answer("wage_floor", 800)
    shown = question(wish, "wage_floor")
    assert shown.error is None
    assert "800" in (shown.warning or "")
    assert not visit.submit().submitted

    assert shown.warning_hit is not None
    visit.accept_warning(shown.warning_hit, "包吃住,本人愿意")
    assert question(wish, "wage_floor").warning is None
    assert visit.submit().submitted


def test_who_goes_with_whom_is_chosen_from_the_household(store: Store) -> None:
    visit = a_filled_visit(store)
    wish = visit.intention_of(visit.members[0])
    assert wish is not None
    wish.answer("together_with", "1")
    shown = question(wish, "together_members")
    assert [label for _, label, _ in shown.options] == ["岑秀兰", "罗阿妹", "韦小军"]
    wish.answer("together_members", [shown.options[0][0]])
    assert question(wish, "together_members").shown == "岑秀兰"


def test_cleared_answer_is_gone_and_missing_again(store: Store) -> None:
    member = a_visit(store).add_member()
    fill_member(member, "韦正明", HEAD, a_number("1985-03-12", 101))
    member.clear("education")
    member.show_missing = True
    shown = question(member, "education")
    assert shown.value is None
    assert shown.error is not None


def test_labels_and_options_come_in_english_too(store: Store) -> None:
    shown = question(a_visit(store).add_member(), "marital", "en")
    assert shown.label == "Marital status"
    assert "Married" in {label for _, label, _ in shown.options}


def test_newly_declared_field_is_asked_stored_and_handed_in(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The field is declared once, here; form, column and change follow, also in an old database."""
    old = a_filled_visit(store, serial=300)

    class HouseholdWithWater(Household):
        water = Code("饮水", "Water", codes="mandarin", group="place", merge=Merge.LATER)

    kind = dataclasses.replace(records._KINDS["household"], schema=HouseholdWithWater)
    monkeypatch.setitem(records._KINDS, "household", kind)
    newer = open_store(store.path)
    visit = a_visit(newer, old.household_id)
    assert question(visit.household, "water").label == "饮水"
    visit.household.answer("water", "1")
    assert visit.submit().submitted
    row = newer.connection.execute("SELECT water FROM household").fetchone()
    assert row["water"] == "1"
    sent = newer.connection.execute('SELECT "values" FROM outbox ORDER BY id').fetchone()
    assert '"water":"1"' in sent["values"]
    newer.close()
