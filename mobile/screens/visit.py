"""A visit at a glance: the household, its people, what is still missing, and the way on."""

from __future__ import annotations

from typing import Any

from kivy.properties import BooleanProperty, ObjectProperty, StringProperty

from mobile.forms.matters import matters
from mobile.screens.handed_in import HandedIn
from mobile.screens.screen import PhoneScreen
from mobile.screens.states import MATTER_LOOKS, STATE_LOOKS
from mobile.storage.records import APPROVED, RETURNED, SYNCED, TO_VISIT
from mobile.theme import theme, ui
from mobile.widgets import load_kv
from mobile.widgets.choice import Choice, PickSheet
from mobile.widgets.kit import Badge, Banner, Sheet, TapCard, Toast
from shared_schemas.fields import age_on
from shared_schemas.locale import text
from shared_schemas.records import record_kind
from shared_schemas.rules import Level


class RecordCard(TapCard):
    """The household or a person on the overview."""

    title = StringProperty("")
    below = StringProperty("")
    icon = StringProperty("person")
    can_renew = BooleanProperty(False)
    on_renew = ObjectProperty(None, allownone=True)

    def renew(self) -> None:
        """Nothing has changed with this person."""
        self.on_renew()

    def say(self, tone: str, icon: str, words: str) -> None:
        """Add a badge."""
        self.ids.badges.add_widget(Badge(tone=tone, icon=icon, words=words))


class VisitScreen(PhoneScreen):
    """The overview of the visit at hand (`phone.visit`)."""

    household_id = StringProperty("")
    title = StringProperty("")
    subtitle = StringProperty("")
    is_locked = BooleanProperty(False)
    can_confirm = BooleanProperty(False)
    is_complete = BooleanProperty(False)
    has_members = BooleanProperty(False)
    has_unseen_comments = BooleanProperty(False)
    way_on = StringProperty("")
    where_we_are = StringProperty("")

    def enter(self, **_: Any) -> None:
        """Show the visit as it stands."""
        visit = self.phone.visit
        visit.is_guessing = False
        visit.drop_blank_members()
        steps = visit.steps(theme.lang)
        self.is_locked = visit.locked
        missing = sum(not step.done for step in steps)
        self.has_members = bool(visit.members)
        self.is_complete = not missing and self.has_members
        self.has_unseen_comments = visit.state == RETURNED and any(s.comments for s in steps)
        self.where_we_are = ui("left_count", count=missing) if missing else ui("all_answered")
        self.way_on = ui("submit") if self.is_complete else ui("go_on")
        if not missing and not self.has_members:
            self.where_we_are, self.way_on = ui("left_nobody"), ui("add_member")
        if self.has_unseen_comments:
            self.where_we_are, self.way_on = ui("returned_see_fields"), ui("go_to_comments")
        # Known from the county's roster or from an earlier visit, whole, and untouched so far.
        is_untouched = bool(visit.members) and visit.state in (TO_VISIT, SYNCED, APPROVED)
        self.can_confirm = is_untouched and not any(
            hit.level is Level.ERROR for hit in visit.problems()
        )
        self.title = self.phone.visit_title()
        self.subtitle = self.phone.village_name(visit.village_code)
        self._show_news(visit, steps)
        self._show_records(visit, steps)
        if visit.household_id != self.household_id:
            self.household_id = visit.household_id
            self.ids.page.scroll_y = 1

    def _show_news(self, visit: Any, steps: list[Any]) -> None:
        news = self.ids.news
        news.clear_widgets()
        tone, icon = STATE_LOOKS[visit.state]
        state = text(f"visit.state.{visit.state}", theme.lang)
        if visit.comments or any(step.comments for step in steps):
            said = visit.comments or [ui("returned_see_fields")]
            news.add_widget(
                Banner(tone="warm", icon="returned", title=ui("returned_by"), words="\n".join(said))
            )
        elif visit.locked or visit.state in ("conflict", "approved"):
            news.add_widget(
                Banner(tone=tone, icon=icon, title=state, words=ui(f"about_{visit.state}"))
            )
        for matter in matters(visit, theme.lang):
            tone, icon = MATTER_LOOKS[matter.kind]
            news.add_widget(
                Banner(tone=tone, icon=icon, title=matter.title, words="\n".join(matter.lines))
            )

    def _show_records(self, visit: Any, steps: list[Any]) -> None:
        cards = self.ids.cards
        cards.clear_widgets()
        household = visit.household
        below = [
            self.phone.village_name(visit.village_code),
            household.values.get("group_no"),
            household.values.get("address"),
            self._shown(household, "category"),
        ]
        card = RecordCard(
            icon="house", title=ui("the_household"), below="·".join(str(b) for b in below if b)
        )
        self._say_progress(card, [s for s in steps if s.record_id == household.record_id])
        card.bind(on_release=lambda _: self.open_record({household.record_id}))
        cards.add_widget(card)
        for member in visit.members:
            cards.add_widget(self._member_card(visit, member, steps))

    def _member_card(self, visit: Any, member: Any, steps: list[Any]) -> RecordCard:
        ids = {member.record_id}
        intention = visit.intention_of(member)
        ids |= {intention.record_id} if intention else set()
        ids |= {form.record_id for form in visit.consents_of(member).values()}
        age = age_on(member.values.get("birth_date"), visit.today)
        below = [
            self._shown(member, "relation"),
            self._shown(member, "sex"),
            "" if age is None else ui("age", age=age),
        ]
        if below[0] == below[1]:
            del below[1]  # 女 is the daughter, and her sex
        card = RecordCard(
            title=member.title(theme.lang),
            below="·".join(b for b in below if b),
        )
        self._say_progress(card, [s for s in steps if s.record_id in ids])
        if intention and intention.values.get("wants_job"):
            card.say("soft", "", self._shown(intention, "wants_job"))
        if others := visit.registered_elsewhere.get(member.record_id):
            card.say("soft", "", ui("badge_one_person", count=others))
        if visit.is_renewed(member):
            card.say("green", "check", ui("badge_unchanged"))
        card.can_renew = visit.can_renew(member)
        card.on_renew = lambda: self.renew(member)
        card.bind(on_release=lambda _: self.open_record(ids))
        return card

    def _say_progress(self, card: RecordCard, steps: list[Any]) -> None:
        comments = sum(step.comments for step in steps)
        errors = sum(step.errors for step in steps)
        left = sum(not step.done for step in steps)
        if comments:
            card.say("warm", "returned", ui("badge_comments", count=comments))
        if errors:
            card.say("red", "error", ui("badge_errors", count=errors))
        if left:
            card.say("amber", "pen", ui("badge_left", count=left))
        elif not errors:
            card.say("green", "check", ui("badge_complete"))

    def _shown(self, form: Any, name: str) -> str:
        return record_kind(form.kind).fields[name].shown(form.values.get(name), theme.lang)

    def open_record(self, record_ids: set[str]) -> None:
        """Go to the first question that waits in these records: a comment, a gap, or the first."""
        steps = [s for s in self.phone.visit.steps(theme.lang) if s.record_id in record_ids]
        if not steps:
            return
        waiting = (
            next((s for s in steps if s.comments), None)
            or next((s for s in steps if s.errors or not s.done), None)
            or steps[0]
        )
        self.phone.go("questions", step=waiting)

    def go_on(self) -> None:
        """Go to the next thing to do: what came back, what is missing, or the submit."""
        steps = self.phone.visit.steps(theme.lang)
        waiting = next((s for s in steps if not s.done), None)
        if self.has_unseen_comments:
            waiting = next(s for s in steps if s.comments)
        if waiting:
            self.phone.go("questions", step=waiting)
        elif not self.has_members:
            self.add_member()
        else:
            self.submit()

    def submit(self) -> None:
        """Hand the visit in, or show what stands in the way."""
        visit = self.phone.visit
        result = visit.submit()
        if result.submitted:
            Toast.say(ui("submitted"))
            called = self.phone.visit_title()
            self.phone.handed_in = HandedIn(visit.household_id, visit.village_code, called)
            self.phone.end_visit()
        else:
            self.phone.go("problems")

    def confirm_unchanged(self) -> None:
        """“都没变”: renew the visit and hand it in."""
        visit = self.phone.visit
        visit.confirm_unchanged()
        outdated = {form.record_id for form in visit.to_ask_anew()}
        if outdated:
            Toast.say(ui("ask_anew"))
            self.open_record(outdated)
        else:
            self.submit()

    def renew(self, member: Any) -> None:
        """“没变” of one person."""
        self.phone.visit.renew(member)
        self.enter()

    def add_member(self) -> None:
        """Add somebody and start with the questions about him."""
        member = self.phone.visit.add_member()
        self.open_record({member.record_id})

    def show_benefits(self) -> None:
        """Show what this family could get."""
        self.phone.go("benefits")

    def show_problems(self) -> None:
        """Show what is missing or doubtful."""
        self.phone.visit.show_missing = True
        self.phone.go("problems")

    def choose_remove(self) -> None:
        """Ask who was registered by mistake."""
        members = {m.record_id: m for m in self.phone.visit.members}
        PickSheet(
            [
                Choice(key, m.title(theme.lang), self._shown(m, "relation"))
                for key, m in members.items()
            ],
            [],
            lambda keys: self.ask_remove(members[keys[0]]),
            title=ui("remove_whom"),
        ).open()

    def ask_remove(self, member: Any) -> None:
        """Ask before somebody is taken out."""
        AskSheet(
            title=ui("remove_title", name=member.title(theme.lang)),
            words=ui("remove_words"),
            yes=ui("remove"),
            when_agreed=lambda: self._remove(member),
        ).open()

    def _remove(self, member: Any) -> None:
        self.phone.visit.remove_member(member)
        self.enter()

    def recall(self) -> None:
        """Take the submit back, where it was not sent yet."""
        if not self.phone.visit.recall():
            Toast.say(ui("recall_too_late"))
        self.enter()

    def back(self) -> bool:
        """Back to the list; the drafts stay."""
        self.phone.end_visit()
        return True


class AskSheet(Sheet):
    """A question with two answers."""

    words = StringProperty("")
    yes = StringProperty("")
    when_agreed = ObjectProperty(None, allownone=True)

    def agree(self) -> None:
        """The answer is yes."""
        self.dismiss(animation=False)
        self.when_agreed()


load_kv(__file__)
