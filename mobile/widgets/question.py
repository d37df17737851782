"""One question of the form as a card: its label, its hint, the control of its kind, what is wrong.

A question comes from `mobile.forms` and a control is chosen by its `widget`, which the field's
declaration names: a field declared tomorrow appears here without a line of code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from kivy.factory import Factory
from kivy.properties import BooleanProperty, ObjectProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout

from mobile.theme import theme, ui
from mobile.widgets import load_kv
from mobile.widgets.choice import (
    CHIPS_AT_MOST,
    Chips,
    Choice,
    PickField,
    PickSheet,
    Place,
    PlaceSheet,
)
from mobile.widgets.entry import Entry
from mobile.widgets.keypad import PADS, Keypad
from mobile.widgets.kit import Badge, Card, Flow, IconButton, Stack, Toast  # noqa: F401 - for the kv
from mobile.widgets.words import lacking
from shared_schemas.locale import korean

MULTIPLE_AS_CHIPS = 10


class Answers(Protocol):
    """What a control needs of the form and its surroundings."""

    today: str

    def answer(self, name: str, value: Any) -> None:
        """Store an answer at once."""

    def typed(self, name: str, text: str) -> None:
        """Store typed text."""

    def clear(self, name: str) -> None:
        """Take an answer back."""

    def verdict(self, name: str, text: str) -> str:
        """Return what is wrong with typed text, in words."""

    def places(self, name: str, within: str | None) -> Sequence[Place]:
        """Return the places that a picker offers within one."""

    def place_name(self, code: str) -> str:
        """Return what people call a place."""

    def finds(self, choice: Choice, typed: str) -> bool:
        """Tell whether a choice is meant by typed words or initials."""

    def keypad(self, kind: str) -> Keypad:
        """Return the keys for a kind of number."""

    def lead_on(self, name: str) -> None:
        """Go on from a question whose keys or list were closed."""


class QuestionCard(Card):
    """A question with everything that belongs beside it.

    Most questions have no hint, no comment and nothing wrong: what says it is made when it is first needed.
    """

    name = StringProperty("")
    label = StringProperty("")
    hint = StringProperty("")
    comment = StringProperty("")
    before = StringProperty("")
    message = StringProperty("")
    notice = StringProperty("")
    severity = StringProperty("")
    is_required = BooleanProperty(False)
    question = ObjectProperty(None, allownone=True)
    explain = ObjectProperty(None, allownone=True)
    """Asks why a warning is right all the same; None where nothing is doubtful."""

    def __init__(self, widget: str, answers: Answers, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.control = CONTROLS.get(widget, TextControl)(answers)
        self.parts: dict[str, Any] = {"control": self.control}
        self.add_widget(self.control)

    def show(self, question: Any, *, before: str = "", explain: Any = None) -> None:
        """Show the question as the form now has it."""
        self.question = question
        self.name = question.name
        self.label = label_of(question)
        self.hint = question.hint or ""
        self.is_required = bool(question.required)
        self.comment = question.comment or ""
        self.before = before
        self.severity = "error" if question.error else "warning" if question.warning else ""
        self.message = question.error or question.warning or ""
        self.notice = question.notice
        self.explain = explain
        is_wrong = self.severity == "error"
        self._show_part("hint", words=self.hint)
        self._show_part("comment", words=self.comment, before=self.before)
        self._show_part(
            "verdict",
            words=self.message,
            icon="error" if is_wrong else "warning",
            tone="red" if is_wrong else "amber",
        )
        self._show_part("notice", words=self.notice)
        self._show_part("reason", shown=explain is not None)
        self.control.disabled = bool(question.locked)
        self.control.show(question)

    def _show_part(self, name: str, **facts: Any) -> None:
        """Show a part as the facts say; the first of them tells whether it is needed at all."""
        part = self.parts.get(name)
        if part is None:
            if not next(iter(facts.values())):
                return
            part = self.parts[name] = self._made_part(name)
        for fact, value in facts.items():
            setattr(part, fact, value)

    def _made_part(self, name: str) -> Any:
        part = Factory.get(PARTS[name])()
        if name == "reason":
            part.bind(on_release=lambda _: self.explain())
        if name == "hint":
            self.ids.head.add_widget(part)
        else:
            order = list(PARTS)
            self.add_widget(part, sum(order.index(n) > order.index(name) for n in self.parts))
        return part

    def flush(self) -> None:
        """Hand on typed text that waits."""
        self.control.flush()

    def leave(self) -> None:
        """Hand on what waits and let the keyboard go: the card may come back with another's answer."""
        self.control.flush()
        self.control.leave()


PARTS = {
    "hint": "Hint",
    "comment": "CommentBox",
    "control": "Control",
    "verdict": "Said",
    "notice": "Said",
    "reason": "ReasonButton",
}
"""What stands below the label, from the top: the widget of the kv. All but the control come when needed."""


class Control(Stack):
    """What is touched to answer. Subclasses show a question and hand answers to `answers`."""

    def __init__(self, answers: Answers, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.answers = answers
        self.question: Any = None
        self.build()

    def build(self) -> None:
        """Make the widgets, once."""

    def show(self, question: Any) -> None:
        """Show the present answer."""
        self.question = question

    def flush(self) -> None:
        """Hand on typed text that waits."""

    def leave(self) -> None:
        """Let the keyboard go."""


class TextControl(Control):
    """Typed words."""

    def build(self) -> None:
        self.entry = Entry(hint=ui("type_here"))
        self.entry.on_typed = lambda text: self.answers.typed(self.question.name, text)
        self.entry.fbind("text", self._name_lacking)
        self.lacking: Flow | None = None
        self.said_here: Chips | None = None
        self.add_widget(self.entry)

    def _name_lacking(self, _: Any, text: str) -> None:
        """Name what cannot be drawn: it is stored all the same."""
        codes = lacking(text)
        if self.lacking is None:
            if not codes:
                return
            self.lacking = Flow()
            self.add_widget(self.lacking)
        self.lacking.shown = bool(codes)
        self.lacking.clear_widgets()
        for code in codes:
            self.lacking.add_widget(Badge(tone="amber", words=ui("glyph_missing", code=code)))

    def show(self, question: Any) -> None:
        super().show(question)
        self.entry.wrong = bool(question.error)
        self.entry.disabled = bool(question.locked)
        self.entry.show("" if question.value is None else str(question.value))
        self._offer([] if question.value else [Choice(said, said) for said in question.often])

    def _offer(self, said: Sequence[Choice]) -> None:
        """Offer what was typed in this village, to touch instead of type."""
        if self.said_here is None:
            if not said:
                return
            self.said_here = Chips()
            self.said_here.on_choose = self._take
            self.add_widget(self.said_here)
        self.said_here.offer(said)
        self.said_here.shown = bool(said)

    def _take(self, said: str) -> None:
        self.answers.answer(self.question.name, said)

    def begin(self) -> None:
        """Take the keyboard."""
        self.entry.ids.text_input.focus = True

    def flush(self) -> None:
        self.entry.flush()

    def leave(self) -> None:
        self.entry.leave()


class PadControl(Control):
    """A number or a day, typed on our own keys."""

    def build(self) -> None:
        self.field = PickField(icon="pen")
        self.field.bind(on_release=lambda _: self.open())
        self.add_widget(self.field)
        self.sheet: Keypad | None = None

    def show(self, question: Any) -> None:
        super().show(question)
        self.field.wrong = bool(question.error)
        self.field.disabled = bool(question.locked)
        typed = "" if question.value is None else str(question.value)
        grouped = PADS[question.widget].grouped
        self.field.words = grouped(typed) if typed and question.widget != "day" else _day(typed)
        self.field.hint = ui(f"type_{question.widget}")

    def begin(self) -> None:
        """Show the keys, unless they are gone from the screen or open already."""
        if self.sheet is None and self.get_root_window():
            self.open()

    def open(self) -> None:
        """Show the keys."""
        name = self.question.name
        self.sheet = self.answers.keypad(self.question.widget)
        self.sheet.begin(
            self._stored(),
            title=self.question.label,
            today=self.answers.today if self.question.widget == "day" else "",
            verdict=lambda text: self.answers.verdict(name, text),
            on_typed=lambda text: self.answers.typed(name, text),
            on_done=lambda text: self._done(name, text),
        )

    def _stored(self) -> str:
        return "" if self.question.value is None else str(self.question.value)

    def _done(self, name: str, text: str) -> None:
        """Store what was typed and is not stored yet; looking at a number is no edit."""
        self.sheet = None
        if text != self._stored():
            if text:
                self.answers.typed(name, text)
            else:
                self.answers.clear(name)
        self.answers.lead_on(name)

    def flush(self) -> None:
        if self.sheet:
            self.sheet.flush()


def _day(value: str) -> str:
    parts = value.split("-")
    if len(parts) != 3:
        return value
    year, month, day = parts
    return f"{year} 年 {month} 月 {day} 日" if theme.lang == "zh" else value


class FlagControl(Control):
    """Yes or no."""

    def build(self) -> None:
        self.chips = Chips()
        self.chips.on_choose = self._choose
        self.add_widget(self.chips)

    def show(self, question: Any) -> None:
        super().show(question)
        self.chips.offer(choices_of(question) or [Choice("yes", ui("yes")), Choice("no", ui("no"))])
        self.chips.chosen = [] if question.value is None else ["yes" if question.value else "no"]

    def _choose(self, chosen: str) -> None:
        if self.chips.chosen == [chosen]:
            self.answers.clear(self.question.name)
        else:
            self.answers.answer(self.question.name, chosen == "yes")


class ChoiceControl(Control):
    """Codes: chips when there are few, a sheet with a search when there are many."""

    few: int
    invitation: str

    def build(self) -> None:
        self.chips: Chips | None = None
        self.field: PickField | None = None

    def show(self, question: Any) -> None:
        super().show(question)
        self.choices = choices_of(question)
        if len(self.choices) <= self.few:
            self._show_chips(question)
        else:
            self._show_field(question)

    def _show_chips(self, question: Any) -> None:
        self._show_only(self._offered(question, self.choices))

    def _offered(self, question: Any, choices: Sequence[Choice]) -> Chips:
        if self.chips is None:
            self.chips = Chips()
            self.chips.on_choose = self._choose
        self.chips.offer(choices)
        value = [] if question.value is None else question.value
        self.chips.chosen = [value] if isinstance(value, str) else list(value)
        return self.chips

    def _show_field(self, question: Any) -> None:
        """Show the closed list, and before it what is chosen here most."""
        if self.field is None:
            self.field = PickField(hint=ui(self.invitation))
            self.field.bind(on_release=lambda _: self.open())
        often = [choice for choice in self.choices if choice.value in question.often]
        if often:
            self._show_only(self._offered(question, often), self.field)
        else:
            self._show_only(self.field)
        chosen = question.value if isinstance(question.value, list) else [question.value]
        is_chip = set(chosen) <= set(question.often)
        self.field.hint = ui("choose_other" if often else self.invitation)
        self.field.words = "" if is_chip else question.shown or ""
        self.field.wrong = bool(question.error)
        self.field.disabled = bool(question.locked)

    def _show_only(self, *wanted: Chips | PickField) -> None:
        if list(reversed(self.children)) != list(wanted):
            self.clear_widgets()
            for widget in wanted:
                self.add_widget(widget)

    def open(self) -> None:
        """Show the list."""

    def _choose(self, chosen: str) -> None:
        """Take the touched choice."""


class CodeControl(ChoiceControl):
    """One code."""

    few = CHIPS_AT_MOST
    invitation = "choose"

    def open(self) -> None:
        """Show the list."""
        chosen = [] if self.question.value is None else [self.question.value]
        PickSheet(
            self.choices,
            chosen,
            lambda values: self.answers.answer(self.question.name, values[0]),
            title=self.question.label,
            matches=self.answers.finds,
        ).open()

    def _choose(self, chosen: str) -> None:
        if self.question.value == chosen:
            self.answers.clear(self.question.name)
        else:
            self.answers.answer(self.question.name, chosen)


class CodesControl(ChoiceControl):
    """Several codes."""

    few = MULTIPLE_AS_CHIPS
    invitation = "choose_several"

    def open(self) -> None:
        """Show the list."""
        sheet = PickSheet(
            self.choices,
            list(self.question.value or []),
            self._store,
            title=self.question.label,
            most=self.question.most or 3,
            matches=self.answers.finds,
        )
        sheet.bind(on_dismiss=lambda _: self.answers.lead_on(self.question.name))
        sheet.open()

    def _choose(self, chosen: str) -> None:
        now = list(self.question.value or [])
        alone = self.question.excludes_others
        if chosen in now:
            now.remove(chosen)
        elif chosen == alone:
            now = [chosen]
        else:
            now = [*(code for code in now if code != alone), chosen]
        if len(now) > (self.question.most or len(now)):
            Toast.say(ui("at_most", most=self.question.most))
        else:
            self._store(now)

    def _store(self, values: list[str]) -> None:
        if values:
            self.answers.answer(self.question.name, values)
        else:
            self.answers.clear(self.question.name)


class PlaceControl(Control):
    """A place out of the divisions."""

    def build(self) -> None:
        self.field = PickField(hint=ui("choose_place"))
        self.field.bind(on_release=lambda _: self.open())
        self.add_widget(self.field)

    def show(self, question: Any) -> None:
        super().show(question)
        self.field.words = self.answers.place_name(question.value) if question.value else ""
        self.field.wrong = bool(question.error)
        self.field.disabled = bool(question.locked)

    def open(self) -> None:
        """Show the places."""
        name = self.question.name
        PlaceSheet(
            lambda within: self.answers.places(name, within),
            lambda code: self.answers.answer(name, code),
            title=self.question.label,
        ).open()


class PlacesControl(Control):
    """A few places, each with its ✕."""

    def build(self) -> None:
        self.rows = Stack(spacing=0)
        self.more = PickField(hint=ui("add_place"), icon="plus")
        self.more.bind(on_release=lambda _: self.open())
        self.add_widget(self.rows)
        self.add_widget(self.more)

    def show(self, question: Any) -> None:
        super().show(question)
        self.rows.clear_widgets()
        for code in question.value or []:
            row = RemovableRow(words=self.answers.place_name(code))
            row.on_remove = lambda code=code: self._remove(code)
            self.rows.add_widget(row)
        self.more.disabled = bool(question.locked)

    def open(self) -> None:
        """Show the places."""
        name = self.question.name
        PlaceSheet(
            lambda within: self.answers.places(name, within), self._add, title=self.question.label
        ).open()

    def _add(self, code: str) -> None:
        now = list(self.question.value or [])
        if code not in now:
            self.answers.answer(self.question.name, [*now, code])

    def _remove(self, code: str) -> None:
        left = [c for c in self.question.value or [] if c != code]
        if left:
            self.answers.answer(self.question.name, left)
        else:
            self.answers.clear(self.question.name)


class PeopleControl(CodesControl):
    """Other members of the household, as chips."""


class SkillsControl(Control):
    """Skills: occupation, level and, above "no certificate", its number and date."""

    def build(self) -> None:
        self.rows = Stack()
        self.more = PickField(hint=ui("add_skill"), icon="plus")
        self.more.bind(on_release=lambda _: self._add())
        self.add_widget(self.rows)
        self.add_widget(self.more)

    def show(self, question: Any) -> None:
        super().show(question)
        skills = question.value or []
        if len(self.rows.children) != len(skills):
            self.rows.clear_widgets()
            for place in range(len(skills)):
                self.rows.add_widget(SkillCard(self, place))
        for card in self.rows.children:
            card.show(skills[card.place])
        self.more.disabled = bool(question.locked)

    def change(self, place: int, **parts: Any) -> None:
        """Change parts of one skill."""
        skills = [dict(skill) for skill in self.question.value or []]
        skills[place].update(parts)
        self.answers.answer(self.question.name, skills)

    def remove(self, place: int) -> None:
        """Take a skill out."""
        skills = [s for i, s in enumerate(self.question.value or []) if i != place]
        if skills:
            self.answers.answer(self.question.name, skills)
        else:
            self.answers.clear(self.question.name)

    def part(self, name: str) -> Any:
        """Return the declaration of a part of a skill."""
        return self.answers.declared(self.question.name).parts[name]  # type: ignore[attr-defined]

    def _add(self) -> None:
        PickSheet(
            choices_of_list(self.part("occupation").codes),
            [],
            lambda values: self._store_new(values[0]),
            title=self.part("occupation").info.label(theme.lang),
            matches=self.answers.finds,
        ).open()

    def _store_new(self, occupation: str) -> None:
        skills = [*(self.question.value or []), {"occupation": occupation, "level": "0"}]
        self.answers.answer(self.question.name, skills)

    def flush(self) -> None:
        for card in self.rows.children:
            card.ids.number.flush()

    def leave(self) -> None:
        for card in self.rows.children:
            card.ids.number.leave()


class SkillCard(Card):
    """One skill."""

    words = StringProperty("")
    has_certificate = BooleanProperty(False)
    day = StringProperty("")

    def __init__(self, control: SkillsControl, place: int, **kwargs: Any) -> None:
        self.control = control
        self.place = place
        super().__init__(**kwargs)
        self.ids.levels.on_choose = lambda level: control.change(place, level=level)
        self.ids.number.on_typed = lambda text: control.change(place, cert_no=text.strip() or None)

    def show(self, skill: dict[str, Any]) -> None:
        """Show the skill's parts."""
        self.words = self.control.part("occupation").shown(skill.get("occupation"), theme.lang)
        level = skill.get("level") or "0"
        self.ids.levels.offer(choices_of_list(self.control.part("level").codes))
        self.ids.levels.chosen = [level]
        self.has_certificate = level != "0"
        self.ids.number.show(skill.get("cert_no") or "")
        self.day = _day(skill.get("cert_date") or "")
        self._value = skill.get("cert_date") or ""

    def remove(self) -> None:
        """Take this skill out."""
        self.control.remove(self.place)

    def pick_day(self) -> None:
        """Type the day of the certificate."""
        part = self.control.part("cert_date")

        def verdict(text: str) -> str:
            fault = part.verdict(text) if text else None
            return fault.message(theme.lang) if fault else ""

        def store(text: str) -> None:
            self.control.change(self.place, cert_date=text or None)

        self.control.answers.keypad("day").begin(
            self._value, title=part.info.label(theme.lang), verdict=verdict,
            on_typed=lambda _: None, on_done=store, today=self.control.answers.today,
        )  # fmt: skip


class RemovableRow(BoxLayout):
    """A chosen thing with its ✕."""

    words = StringProperty("")
    on_remove: Callable[[], None] | None = None

    def remove(self) -> None:
        """Take it out."""
        if self.on_remove:
            self.on_remove()


CONTROLS: dict[str, type[Control]] = {
    "text": TextControl,
    "name": TextControl,
    "resident_id": PadControl,
    "phone": PadControl,
    "number": PadControl,
    "day": PadControl,
    "flag": FlagControl,
    "code": CodeControl,
    "codes": CodesControl,
    "division": PlaceControl,
    "divisions": PlacesControl,
    "records": PeopleControl,
    "household": CodeControl,
    "skills": SkillsControl,
}
"""By the `widget` of a field type in shared_schemas.fields."""


def label_of(question: Any) -> str:
    """Return what a question is called in the language of the app."""
    said = korean(f"label.{question.name}") if theme.has_korean else ""
    return said or str(question.label)


def choices_of(question: Any) -> list[Choice]:
    """Return the question's options as choices."""
    return [as_choice(option) for option in question.options or ()]


def as_choice(option: Any) -> Choice:
    """Return an option of the form as a choice."""
    if isinstance(option, tuple):
        return Choice(option[0], option[1])
    return Choice(option.code, option.label, group=getattr(option, "group", ""))


def choices_of_list(name: str) -> list[Choice]:
    """Return the codes that a list offers."""
    from shared_schemas.codes import code_list

    known = code_list(name)
    return [
        Choice(code.code, code.en if theme.lang == "en" else code.zh, group=code.group)
        for code in known.offered()
    ]


load_kv(__file__)
