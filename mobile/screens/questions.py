"""One group of questions, made from the field declarations: title, step, fields, back and next."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from kivy.clock import Clock
from kivy.metrics import dp
from kivy.properties import BooleanProperty, ListProperty, NumericProperty, StringProperty

from mobile.forms.visit import LOOK, Likely, Position, Step
from mobile.screens.notice import NoticeCard
from mobile.screens.screen import PhoneScreen
from mobile.storage.pinyin import matches
from mobile.theme import theme, ui
from mobile.widgets import load_kv
from mobile.widgets.choice import Choice, Place
from mobile.widgets.keypad import Keypad
from mobile.widgets.kit import TapCard
from mobile.widgets.question import PadControl, QuestionCard, TextControl, label_of
from shared_schemas.locale import korean, text
from shared_schemas.records import record_kind

MOVES_ON_AFTER_S = 0.4
"""The last answer of a step stays before the eyes so long; then the next step opens."""

BEGINS_AFTER_S = 0.1

ONE_TOUCH = frozenset({"flag", "code"})
"""Questions of which one touch is the whole answer."""


class LikelyRow(TapCard):
    """A likely answer, to be looked at; a touch opens its question."""

    label = StringProperty("")
    answer = StringProperty("")


class QuestionsScreen(PhoneScreen):
    """The questions of one step of the visit at hand.

    What is only likely is chosen already. Who goes on by hand has seen it; what a step that led on by
    itself had, and the steps that had nothing else, are looked at together at the end of each person.
    """

    title = StringProperty("")
    subtitle = StringProperty("")
    step_words = StringProperty("")
    share = NumericProperty(0.0)
    is_first = BooleanProperty(False)
    may_skip = BooleanProperty(False)
    unsaid = ListProperty()
    """Yes-or-no questions without an answer, where there are several."""
    more = StringProperty("")
    """The questions that need no answer and stand behind “more”, by their labels."""
    is_look = BooleanProperty(False)
    """Whether likely answers are looked at, in place of questions."""
    way_on = StringProperty("")
    may_add = BooleanProperty(False)
    """Whether somebody else comes next: a new household is registered, and all that was asked is answered."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.step: Step | None = None
        self.cards: dict[str, QuestionCard] = {}
        """The questions on the screen."""
        self._made: dict[tuple[str, str, str], QuestionCard] = {}
        """Every card made so far, by kind of record, field and widget: the next person is asked on the same."""
        self._keypads: dict[str, Keypad] = {}
        self._open_first: set[str] = set()
        """Questions that had no answer when this step was entered."""
        self._is_unfolded = False
        self._right = ""
        """What “all right” leads to in this look, in words."""
        self._looked_from: Step | None = None
        """The look in which this question was touched: the way on leads back to it."""
        self._moving_on = Clock.create_trigger(lambda _: self._go_on(), MOVES_ON_AFTER_S)

    # What the controls need (mobile.widgets.question.Answers).

    @property
    def today(self) -> str:
        """The ISO date of the visit."""
        return self.phone.visit.today

    def answer(self, name: str, value: Any) -> None:
        """Store an answer at once, and show what follows from it.

        The answer that was the last one open on this step leads on by itself.
        """
        is_first_answer = self.form.values.get(name) is None
        self.form.answer(name, value)
        self._stored(name)
        question = self.cards[name].question
        is_whole = question.widget in ONE_TOUCH or value == [question.excludes_others]
        if is_first_answer and is_whole:
            self.lead_on(name)
        elif is_first_answer:
            self.type_next(name)

    def typed(self, name: str, typed: str) -> None:
        """Store typed text."""
        self.form.typed(name, typed)
        self._stored(name)

    def clear(self, name: str) -> None:
        """Take an answer back; who touches what was chosen for him says that it is right."""
        if name in self.form.guesses:
            self.form.answer(name, self.form.guesses[name])
        else:
            self.form.clear(name)
        self._stored(name)

    def lead_on(self, name: str) -> None:
        """Go on from a question that was answered here: to the next step, or to what is typed next."""
        if name in self._open_first and self._is_settled(name):
            self._moving_on()
        else:
            self.type_next(name)

    def type_next(self, name: str) -> None:
        """Give the keys to the next question that is needed and open, where it is typed.

        Nothing moves while something is said about the number: it is to be read first.
        """
        names = list(self.cards)
        if name not in names or self.cards[name].message or self.cards[name].notice:
            return
        open_cards = (
            card
            for card in map(self.cards.__getitem__, names[names.index(name) + 1 :])
            if card.is_required and card.question.value is None
        )
        card = next(open_cards, None)
        if card is None:
            return
        if isinstance(card.control, TextControl | PadControl) and not card.question.locked:
            # The touch that brought us here ends first: its end takes the keyboard away.
            Clock.schedule_once(lambda _: card.control.begin(), BEGINS_AFTER_S)

    def verdict(self, name: str, typed: str) -> str:
        """Return what is wrong with typed text, in words."""
        declared = self.declared(name)
        value = declared.parsed(typed)
        fault = declared.verdict(value) if value is not None else None
        return fault.message(theme.lang) if fault else ""

    def declared(self, name: str) -> Any:
        """Return the declaration of a field of this step's record."""
        return record_kind(self.form.kind).fields[name]

    def places(self, name: str, within: str | None) -> Sequence[Place]:
        """Return the places that a picker offers within one."""
        level = getattr(self.declared(name), "level", None)
        return self.phone.places(
            within, villages_only=level == 5, near=self.phone.visit.village_code
        )

    def place_name(self, code: str) -> str:
        """Return what people call a place."""
        return self.phone.place_name(code)

    def finds(self, choice: Choice, typed: str) -> bool:
        """Tell whether a choice is meant by typed words or pinyin initials."""
        return typed in choice.label or matches(choice.label, typed)

    def make_ready(self) -> bool:
        """Make one of the cards and keys to which a new household or person opens; False when all are there."""
        for kind in map(record_kind, ("household", "member")):
            first = next(iter(kind.groups))
            for name, field in kind.fields.items():
                key = (kind.name, name, field.widget)
                if field.info.group == first and key not in self._made:
                    self._made[key] = QuestionCard(field.widget, self)
                    return True
        is_missing = "resident_id" not in self._keypads
        self.keypad("resident_id")
        return is_missing

    def keypad(self, kind: str) -> Keypad:
        """Return the keys for a kind of number, which are made once."""
        if kind not in self._keypads:
            self._keypads[kind] = Keypad(kind)
        return self._keypads[kind]

    # What happens here.

    @property
    def form(self) -> Any:
        """The record that is asked about."""
        return self.phone.visit.record(self.step.record_id)

    def enter(
        self,
        step: Step | None = None,
        field: str = "",
        show_missing: bool = False,
        looked_from: Step | None = None,
        **_: Any,
    ) -> None:
        """Show a step; `field` is where to look first. Gaps show once “next” was refused here."""
        self._moving_on.cancel()
        self.phone.visit.is_guessing = True
        if step is not None:
            self.step = step
        self._looked_from = looked_from
        steps = self.phone.visit.steps(theme.lang)
        here = self._place_in(steps)
        self.step = steps[here]
        self.form.show_missing = show_missing
        self.title = self.step.title
        self.subtitle = self.step.record_title
        self.step_words = ui("step", at=here + 1, of=len(steps))
        self.share = (here + 1) / len(steps)
        self.is_first = here == 0
        self.may_skip = False
        self.is_look = self.step.group == LOOK
        if not field:
            self.phone.visit.position = Position(self.step.record_id, self.step.group)
        for card in list(self.cards.values()):
            card.leave()
        self.cards = {}
        self._is_unfolded = bool(field)
        self._open_first = set()
        self.ids.cards.clear_widgets()
        self._show_notice()
        self._show_likely()
        self.refresh()
        self.ids.page.scroll_y = 1
        commented = next((name for name, card in self.cards.items() if card.comment), "")
        if field or commented:
            self.look_at(field or commented)
        elif not self.step.done:
            Clock.schedule_once(lambda _: self._open_keys(), 0)

    def _open_keys(self) -> None:
        """Open the keys of a step that begins with an open number."""
        card = next(iter(self.cards.values()), None)
        if card is None or card.question.locked or card.question.value is not None:
            return
        if isinstance(card.control, PadControl):
            card.control.begin()

    def _show_likely(self) -> None:
        """Show the likely answers of a look, and what comes after it."""
        visit, rows = self.phone.visit, self.ids.likely
        rows.clear_widgets()
        self.may_add = False
        self.way_on = ui("next")
        if not self.is_look:
            return
        for likely in visit.likely_answers(self.step.about, theme.lang):
            said = korean(f"label.{likely.position.field}") if theme.has_korean else ""
            label = said or likely.label
            row = LikelyRow(
                label=f"{likely.of} · {label}" if likely.of else label, answer=likely.shown
            )
            row.bind(on_release=lambda _, at=likely: self.change(at))
            rows.add_widget(row)
        is_last = self._is_overview_next(visit.next_step(self.step))
        self.may_add = is_last and bool(visit.members) and visit.household.known is None
        right = "all_right_add" if self.may_add else "all_right"
        self._right = ui(right if visit.members else "all_right_begin")
        self.see()

    def see(self) -> None:
        """Say on the way on whether the look has more below: “all right” is said to what was seen."""
        if self.is_look:
            self.way_on = ui("look_further") if self._hidden_below() else self._right

    def _hidden_below(self) -> bool:
        """Whether a likely answer is still to be scrolled to."""
        page, rows = self.ids.page, self.ids.likely
        below = (page.children[0].height - page.height) * page.scroll_y
        return bool(rows.y - page.children[0].y < below - dp(4))

    def _scroll_on(self) -> None:
        page = self.ids.page
        longer = page.children[0].height - page.height
        page.scroll_y = max(0.0, page.scroll_y - 0.85 * page.height / longer)

    def change(self, likely: Likely) -> None:
        """Open the question of a likely answer; from there the way leads back."""
        at = likely.position
        steps = self.phone.visit.steps(theme.lang)
        step = next(s for s in steps if (s.record_id, s.group) == (at.record_id, at.group))
        self.enter(step, field=at.field, looked_from=self.step)

    @property
    def moves_on(self) -> bool:
        """Whether the next step opens by itself in a moment."""
        return bool(self._moving_on.is_triggered)

    def _is_settled(self, name: str) -> bool:
        """Whether nothing is open here once a question is answered, and nothing is said about any.

        A question above that needs no answer was passed over; what is only likely is looked at later.
        """
        names = list(self.cards)
        below = names[names.index(name) + 1 :] if name in names else names
        likely = self.form.guesses
        return not any(
            card.message or card.comment or (card.notice and card.name not in likely)
            or (card.question.value is None and (card.is_required or card.name in below))
            for card in self.cards.values()
        )  # fmt: skip

    def _place_in(self, steps: list[Step]) -> int:
        """Return where our step stands among the steps; the first when it is asked no more."""
        ours = (self.step.record_id, self.step.group) if self.step else None
        places = [i for i, step in enumerate(steps) if (step.record_id, step.group) == ours]
        return places[0] if places else 0

    def _show_notice(self) -> None:
        notice = self.ids.notice
        notice.clear_widgets()
        if self.form.kind == "consent":
            notice.add_widget(NoticeCard(self.form.values["consent_kind"]))

    def refresh(self) -> None:
        """Show the questions as they now are; those that stay keep their widgets and the focus."""
        asked = [self._worded(q) for q in self.form.questions(self.step.group, theme.lang)]
        folded = [] if self._is_unfolded else self._to_fold(asked)
        self.more = ("、" if theme.lang == "zh" else ", ").join(map(label_of, folded))
        questions = [question for question in asked if question not in folded]
        names = [question.name for question in questions]
        self._open_first |= {
            q.name for q in questions if q.name not in self.cards and q.value is None
        }
        unsaid = [
            q.name for q in questions if q.widget == "flag" and q.required and q.value is None
        ]
        self.unsaid = unsaid if len(unsaid) > 1 and not self.phone.visit.locked else []
        for question in questions:
            if question.name not in self.cards:
                self.cards[question.name] = self._card(question)
            self.cards[question.name].show(
                question, before=self._before(question), explain=self._explain(question)
            )
        place = self.ids.cards
        if [card.name for card in reversed(place.children)] != names:
            place.clear_widgets()
            self.cards = {name: self.cards[name] for name in names}
            for card in self.cards.values():
                place.add_widget(card)

    def _to_fold(self, asked: Sequence[Any]) -> list[Any]:
        """Return the questions that stay behind “more”; one that was on the screen does not go."""
        aside = [q for q in asked if q.aside and q.name not in self.cards]
        return aside if len(aside) < len(asked) else []

    def unfold(self) -> None:
        """Show the questions behind “more” as well."""
        self._moving_on.cancel()
        self._is_unfolded = True
        self.refresh()

    def _card(self, question: Any) -> QuestionCard:
        key = (self.form.kind, question.name, question.widget)
        if key not in self._made:
            self._made[key] = QuestionCard(question.widget, self)
        return self._made[key]

    def _worded(self, question: Any) -> Any:
        if question.name in self.form.guesses and not question.notice:
            question = dataclasses.replace(question, notice=ui("guessed"))
        if self.form.kind == "consent" and question.name == "given":
            kind = self.form.values.get("consent_kind")
            return dataclasses.replace(
                question,
                label=text(f"consent.{kind}.question", theme.lang),
                options=[("yes", ui("agree"), ""), ("no", ui("refuse"), "")],
            )
        return question

    def _before(self, question: Any) -> str:
        """Return the value that the reviewer spoke about, once it was changed."""
        if not (question.comment and question.changed and self.form.known):
            return ""
        value = self.form.known.values.get(question.name)
        return str(self.declared(question.name).shown(value, theme.lang))

    def _explain(self, question: Any) -> Any:
        hit = question.warning_hit
        if not (question.warning and hit) or question.error:
            return None
        return lambda: self.phone.explain(hit, self.refresh)

    def _stored(self, name: str) -> None:
        self.phone.visit.position = Position(self.step.record_id, self.step.group, name)
        self.may_skip = False
        self._moving_on.cancel()
        self.refresh()

    def refuse_rest(self) -> None:
        """Answer no to each yes-or-no question that is still open."""
        names = list(self.unsaid)
        self.form.refuse_all(names)
        self._stored(names[-1])
        self.lead_on(names[-1])

    def look_at(self, field: str) -> None:
        """Scroll to a field once it has its place."""

        def scroll(_: float) -> None:
            card = self.cards.get(field)
            if card is not None:
                self.ids.page.scroll_to(card, animate=False)

        Clock.schedule_once(scroll, 0.05)

    def flush(self) -> None:
        """Store typed text that waits, and stop reading aloud; what was to move on by itself stays."""
        self._moving_on.cancel()
        for notice in self.ids.notice.children:
            notice.hush()
        for card in list(self.cards.values()):
            card.flush()

    def next(self) -> None:
        """Go on by hand: what is likely was before the cadre's eyes, and is kept."""
        is_first_of_family = self.is_look and not self.phone.visit.members
        if self.is_look and self._hidden_below():
            self._scroll_on()
        elif self.may_add or is_first_of_family:
            self.add_member()
        else:
            self._go_on(keeps=True)

    def all_here(self) -> None:
        """Nobody else belongs to the household: the likely answers are right, and the overview follows."""
        if self._hidden_below():
            self._scroll_on()
        else:
            self._go_on(keeps=True)

    def _go_on(self, *, keeps: bool = False) -> None:
        """Go on. The first touch with something missing shows what; the second goes on all the same."""
        self.flush()
        visit = self.phone.visit
        is_looked_at = keeps and not visit.locked and self._looked_from is None
        if is_looked_at and not self.is_look:
            visit.keep_guesses(self.step)
        following = visit.next_step(self.step)
        is_overview_next = self._is_overview_next(following)
        if is_looked_at and self.is_look:
            visit.keep_guesses(self.step)  # after which there is no such step
        self.form.show_missing = True
        self.refresh()
        wrong = next((name for name, card in self.cards.items() if card.severity == "error"), None)
        if wrong is not None and not self.may_skip:
            self.may_skip = True
            self.look_at(wrong)
            return
        if self._looked_from is not None:
            self._go_back_to_the_look(self._looked_from)
        elif is_overview_next:
            self.phone.go_back()
        else:
            self.enter(following)

    def _go_back_to_the_look(self, look: Step) -> None:
        """Go back to where this question was touched; first to what the new answer asks for."""
        visit = self.phone.visit
        waiting = [s for s in visit.steps(theme.lang) if s.about == look.about and not s.done]
        if waiting:
            self.enter(waiting[0])
        else:
            self.phone.go_back()

    def _is_overview_next(self, following: Step | None) -> bool:
        """Whether nothing follows, or somebody else's questions and nothing more waits in them."""
        if following is None:
            return True
        if following.record_id == self.step.record_id:
            return False
        steps = self.phone.visit.steps()
        return all(step.done for step in steps[steps.index(following) :])

    def add_member(self) -> None:
        """Keep what was looked at, and go on with somebody else of the household."""
        visit = self.phone.visit
        visit.keep_guesses(self.step)
        member = visit.add_member()
        steps = visit.steps(theme.lang)
        self.enter(next(step for step in steps if step.about == member.record_id))

    def previous(self) -> None:
        """Go one step back; from a question of the look, to the look."""
        self.flush()
        if self._looked_from is not None:
            self._go_back_to_the_look(self._looked_from)
            return
        before = self.phone.visit.previous_step(self.step)
        if before is None:
            self.phone.go_back()
        else:
            self.enter(before)

    def overview(self) -> None:
        """Back to the overview of the visit; what was only likely is not kept."""
        self.flush()
        self.phone.go_back()

    def back(self) -> bool:
        """The back key goes to the overview."""
        self.overview()
        return True


load_kv(__file__)
