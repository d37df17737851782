"""A visit to one household: its records with drafts over them, its problems, its submit."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mobile.forms.guesses import Known, guesses
from mobile.forms.record_form import RecordForm, as_read
from mobile.storage import drafts, outbox, phone_index, records
from mobile.storage.database import PhoneBusy, Store, get, tick
from mobile.storage.drafts import Draft, Place
from mobile.storage.outbox import NewChange
from shared_schemas import ids
from shared_schemas.bundle import Bundle, bundle_of
from shared_schemas.codes import divisions
from shared_schemas.fields import Facts
from shared_schemas.locale import text
from shared_schemas.phone_index import keys_of
from shared_schemas.records import asked_fields, record_kind, record_kinds
from shared_schemas.records.consent import SHARE_HR, SURVEY, refuses
from shared_schemas.records.member import HEAD, WHO, WORKING_AGE
from shared_schemas.rules import Hit, Level, Surroundings, check_bundle

GONE = frozenset({"2", "5"})
"""Codes of `member_change` for the dead and those who moved away."""

VISIT_GROUP = "visit"
"""The household's group that is asked at the end of a visit."""

LOOK = "look"
"""In place of a group: the step in which the likely answers about one are looked at together."""


class VisitLockedError(Exception):
    """The visit was submitted; `Visit.recall` it before changing it."""


@dataclass(frozen=True, slots=True)
class Position:
    """Which question is open. A kill reopens there."""

    record_id: str
    group: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One group of one record on the way through a visit."""

    kind: str
    record_id: str
    group: str
    title: str
    record_title: str
    done: bool
    errors: int
    """How many errors and open warnings it holds that the cadre should see now."""
    comments: int
    about: str
    """Whom it is about: the id of the household or of the member."""
    likely: bool = False
    """Whether nothing is open, but only because an answer is likely (`Group.likely`)."""

    @property
    def position(self) -> Position:
        """Where the visit stands when this step is open."""
        return Position(self.record_id, self.group)


@dataclass(frozen=True, slots=True)
class Likely:
    """A likely answer that nobody has looked at yet."""

    position: Position
    """Where it is changed."""
    label: str
    shown: str
    """The answer as a person reads it."""
    of: str
    """What it belongs to, beside the household or the person himself: “采集登记” of a consent."""


@dataclass(frozen=True, slots=True)
class SubmitResult:
    """Whether the visit went into the outbox; if not, the hits that stand in the way."""

    submitted: bool
    problems: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class OpenVisit:
    """The visit that was open when the app ended."""

    household_id: str
    village_code: str


def open_visit(store: Store) -> OpenVisit | None:
    """Return the visit to reopen at start, None when the app was left in order."""
    place = drafts.open_place(store.connection)
    return OpenVisit(place.household_id, place.village_code) if place else None


class Visit:
    """A visit to a household. All of it is in the store; opening again gives the same.

    Records are read when the visit opens. What a sync brings meanwhile shows the next time; an
    edit remembers which version it was made over, so nothing is overwritten unseen.
    """

    def __init__(
        self, store: Store, household_id: str, village_code: str, *, today: str, cadre: str
    ) -> None:
        self.store = store
        self.household_id = household_id
        self.village_code = village_code
        self.today = today
        self.cadre = cadre
        self.show_missing = False
        """Whether every missing answer shows; a refused submit sets it."""
        self._is_guessing = False
        self._load()

    @staticmethod
    def open(
        store: Store, household_id: str | None, village_code: str, *, today: str, cadre: str
    ) -> Visit:
        """Open a household, or with None a new one in the village. `today` is an ISO date.

        A new household is not in any list before something was answered in it.
        """
        new_id = household_id or ids.household_id(secrets.randbits(64))
        return Visit(store, new_id, village_code, today=today, cadre=cadre)

    def _load(self) -> None:
        with self.store.reading() as connection:
            shown = records.shown_records(connection, self.household_id)
            kept = drafts.of_household(connection, self.household_id)
            place = drafts.place_of(connection, self.household_id)
            self.epoch = str(get(connection, "epoch", "") or "")
            self.scope = str(get(connection, "scope", "") or "")
            self._locked = not kept and outbox.is_waiting(connection, self.household_id)
        self._position = Position(place.record_id, place.group, place.field) if place else None
        self._comments = records.comments(self.store, self.household_id)
        self.registered_elsewhere = records.other_registrations(self.store, self.household_id)
        """Members whom the county has joined with other registrations, and with how many."""
        self._registered: dict[str, list[str]] = {}
        """What the county's index said: a look-up is slow on purpose, so it is asked once."""
        self._said_here: dict[tuple[str, str], list[tuple[Any, int]]] = {}
        """What people of the village say in a field, and how many: read once a visit."""
        self._unkept: list[Draft] = []
        self._has_unkept_position = False
        self._forms: dict[str, RecordForm] = {}
        for record in shown:
            self._forms[record.id] = RecordForm(self, record.kind, record.id, known=record)
        if self.household_id not in self._forms:
            self._forms = {
                self.household_id: RecordForm(self, "household", self.household_id),
                **self._forms,
            }
        household = self._forms[self.household_id]
        if not self._locked:
            household.preset["survey_date"] = self.today
        if household.known is None:
            household.preset["village_code"] = self.village_code
        else:
            self.village_code = household.values.get("village_code") or self.village_code
        for draft in kept:
            if draft.record_id not in self._forms:
                self._forms[draft.record_id] = RecordForm(self, draft.kind, draft.record_id)
            self._forms[draft.record_id].drafts[draft.field] = draft
        self._forget_hits()

    def _forget_hits(self) -> None:
        """Have the rules checked again when somebody asks: an answer may change any of them."""
        self._guesses: dict[str, dict[str, Any]] = {}
        self._hits: list[Hit] | None = None
        self._hits_by_record: dict[str, list[tuple[str, Hit]]] | None = None

    # What the visit is

    @property
    def locked(self) -> bool:
        """Whether it was submitted and is still on the phone: `recall` before changing it."""
        return self._locked

    @property
    def state(self) -> str:
        """One of `mobile.storage.records.STATES`."""
        row = records.household_row(self.store, self.household_id)
        return row.state if row else records.TO_VISIT

    @property
    def has_drafts(self) -> bool:
        """Whether something was answered since the last submit."""
        return any(form.drafts for form in self._forms.values())

    @property
    def comments(self) -> list[str]:
        """The reviewer's words that belong to no question of this visit."""
        return [
            comment["text"]
            for comment in self._comments
            if comment.get("record_id") not in self._forms or not comment.get("field")
        ]

    def comment(self, record_id: str, field: str) -> str | None:
        """Return the reviewer's words about one field."""
        words = [
            comment["text"]
            for comment in self._comments
            if comment.get("record_id") == record_id and comment.get("field") == field
        ]
        return "\n".join(words) or None

    def records(self) -> list[RecordForm]:
        """Return the household and every other record that exists, in the order of the bundle."""
        present = [
            form
            for form in self._forms.values()
            if (form.is_born or form is self.household) and not form.is_void
        ]
        order = [kind.name for kind in record_kinds()]
        return sorted(present, key=lambda form: order.index(form.kind))

    def record(self, record_id: str) -> RecordForm:
        """Return one record, also one that nothing was answered in yet; KeyError when it is not here."""
        if record_id not in self._forms:
            for member in self.members:
                self.intention_of(member)
                self.consents_of(member)
        return self._forms[record_id]

    @property
    def household(self) -> RecordForm:
        """The household itself."""
        return self._forms[self.household_id]

    @property
    def members(self) -> list[RecordForm]:
        """The members, head first, then in the order in which they came."""
        members = [form for form in self.records() if form.kind == "member"]
        return sorted(members, key=lambda form: form.answered.get("relation") != HEAD)

    def member(self, member_id: str | None) -> RecordForm | None:
        """Return the member with that id."""
        form = self._forms.get(member_id or "")
        return form if form is not None and form.kind == "member" else None

    def facts(self, form: RecordForm) -> Facts:
        """Return what the conditions of a record's fields may look at."""
        values = form.values
        if form.kind == "household":
            return Facts(values, {}, values, self.today)
        about = form if form.kind == "member" else self.member(values.get("member_id"))
        refused = form.kind == "member" and self._has_refused(form.record_id)
        known = about.values if about else {}
        return Facts(values, known, self.household.values, self.today, refused)

    def _has_refused(self, member_id: str) -> bool:
        """Whether a member refused the survey."""
        return any(
            form.kind == "consent" and not form.is_void and refuses(form.answered, member_id)
            for form in self._forms.values()
        )

    def place_name(self, code: str) -> str:
        """Return what a division is called, with the place above it; the code when unknown."""
        own = records.village_name(self.store, code)
        if own != code:
            return own
        place = divisions.division(code)
        if place is None:
            return code
        above = divisions.division(place.parent) if place.parent else None
        return f"{above.name}{place.name}" if above else place.name

    def other_households(self) -> list[tuple[str, str, str]]:
        """Return the other households of the village as options of a question."""
        rows = records.households(self.store, self.village_code)
        return [(row.id, _called(row), "") for row in rows if row.id != self.household_id]

    def household_name(self, household_id: str) -> str:
        """Return what a household is called: its head and address; its id when unknown."""
        row = records.household_row(self.store, household_id)
        return _called(row) if row else household_id

    # Changing it

    def save(self, form: RecordForm, answers: Mapping[str, Any], *, at: str = "") -> None:
        """Save answers of one record and the open question in one transaction.

        `at` is the field that was touched. Raises VisitLockedError after a submit.
        """
        self._save([(form, answers)], at=at)

    def _save(
        self, answered: Sequence[tuple[RecordForm, Mapping[str, Any]]], *, at: str = ""
    ) -> None:
        if self._locked:
            raise VisitLockedError
        wanted: dict[tuple[str, str], Any] = {}
        for form, answers in answered:
            for born in (self.household, form):
                if not born.drafts:
                    for name, value in born.preset.items():
                        wanted[born.record_id, name] = value
            for name, value in answers.items():
                wanted[form.record_id, name] = value
        position = None
        if at:
            form = answered[0][0]
            group = record_kind(form.kind).fields[at].info.group
            position = Position(form.record_id, group, at)
        fresh = [
            self._draft(self._forms[record_id], name, value)
            for (record_id, name), value in wanted.items()
        ]
        try:
            self._store_drafts([*self._unkept, *fresh], position)
        except PhoneBusy:
            self._hold(fresh, position)
        self._forget_hits()

    def _draft(self, form: RecordForm, name: str, value: Any) -> Draft:
        epoch, base = form.source(name)
        return Draft(form.kind, form.record_id, name, value, epoch, base, self.store.clock())

    def _store_drafts(self, fresh: Sequence[Draft], position: Position | None) -> None:
        """Store answers, and the open question; PhoneBusy and PhoneFull leave all as it was."""
        with self.store.writing() as connection:
            at_ms = tick(connection, self.store.clock)
            kept = [replace(draft, at_ms=at_ms) for draft in fresh]
            drafts.keep(connection, self.household_id, kept)
            if position is not None:
                self._keep_place(connection, position)
        self._show_drafts(kept)
        self._unkept, self._has_unkept_position = [], False
        self._position = position or self._position

    def _show_drafts(self, answers: Sequence[Draft]) -> None:
        for draft in answers:
            self._forms[draft.record_id].drafts[draft.field] = draft

    def _hold(self, fresh: Sequence[Draft], position: Position | None) -> None:
        """Hold answers that the database does not take now: they show, and `keep` stores them."""
        self._show_drafts(fresh)
        self._unkept += fresh
        if position is not None:
            self._position, self._has_unkept_position = position, True

    @property
    def has_unkept(self) -> bool:
        """Whether something is on the screen that the database did not take yet: `keep` it soon."""
        return bool(self._unkept) or self._has_unkept_position

    def keep(self) -> None:
        """Store what a sync kept out of the database; PhoneBusy while it still does."""
        if self.has_unkept:
            self._store_drafts(self._unkept, self._position if self._has_unkept_position else None)

    def add_member(self) -> RecordForm:
        """Add a member; it is saved at once."""
        member_id = ids.child_id(self.household_id, secrets.randbits(20))
        while member_id in self._forms:
            member_id = ids.child_id(self.household_id, secrets.randbits(20))
        form = RecordForm(self, "member", member_id, preset={"household_id": self.household_id})
        self._forms[member_id] = form
        try:
            self.save(form, {})
        except VisitLockedError:
            del self._forms[member_id]
            raise
        return form

    def intention_of(self, member: RecordForm) -> RecordForm | None:
        """Return a member's work intention, None for the under-16 and those who left.

        It comes to be with its first answer. A member has one; the county keeps its history.
        """
        age = self.facts(member).age
        if age is None or age < WORKING_AGE or member.values.get("member_change") in GONE:
            return None
        return self._of_member("intention", member, {})

    def consents_of(self, member: RecordForm) -> dict[str, RecordForm]:
        """Return a member's consents by kind ("survey", "share_hr"); empty where none is asked."""
        if self.intention_of(member) is None:
            return {}
        return {
            kind: self._of_member("consent", member, {"consent_kind": kind})
            for kind in (SURVEY, SHARE_HR)
        }

    def _of_member(self, kind: str, member: RecordForm, about: Mapping[str, str]) -> RecordForm:
        """Return the newest record of a kind about a member, or one that begins with its first answer.

        Its id follows from the member's: the open question is found again after a kill, and two
        phones that visit the same household make one record and not two.
        """
        preset = {"household_id": self.household_id, "member_id": member.record_id, **about}
        matching = [
            form
            for form in self._forms.values()
            if form.kind == kind
            and not form.is_void
            and all(form.answered.get(name) == value for name, value in preset.items())
        ]
        if matching:
            return matching[-1]
        for attempt in range(1000):
            name = "/".join((kind, member.record_id, *about.values(), str(attempt)))
            digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
            record_id = ids.child_id(self.household_id, int.from_bytes(digest))
            if record_id not in self._forms:
                break
        form = RecordForm(self, kind, record_id, preset=preset)
        self._forms[record_id] = form
        return form

    def record_consent(
        self,
        member: RecordForm,
        kind: str,
        given: bool,
        method: str | None = None,
        witness: str | None = None,
    ) -> None:
        """Save a member's answer to one of the two questions; KeyError when he is not to be asked."""
        form = self.consents_of(member)[kind]
        how = {"method": method, "witness": witness} if given else {}
        self.save(form, {"given": given, **how}, at="given")

    # What is only likely

    @property
    def is_guessing(self) -> bool:
        """Whether likely answers stand where nobody has answered: while the questions are on the screen.

        What was not looked at by then (`keep_guesses`) was never said; it is made again the next time.
        """
        return self._is_guessing

    @is_guessing.setter
    def is_guessing(self, wanted: bool) -> None:
        if wanted != self._is_guessing:
            self._is_guessing = wanted
            self._forget_hits()

    def guesses_of(self, form: RecordForm) -> dict[str, Any]:
        """Return likely answers to the questions of a record that nobody has answered."""
        if not self._is_guessing or self._locked:
            return {}
        if form.record_id not in self._guesses:
            fields = record_kind(form.kind).fields
            made = self._guesses[form.record_id] = {}
            # One may lead to the next: from who somebody is to whether he is married.
            for _ in range(2):
                likely = self._likely(form)
                asked = set(asked_fields(form.kind, self.facts(form)))
                made |= {
                    name: value
                    for name, value in likely.items()
                    if name in asked and fields[name].info.group
                    and name not in form.answered and name not in form.drafts
                }  # fmt: skip
        return self._guesses[form.record_id]

    def _likely(self, form: RecordForm) -> dict[str, Any]:
        """Return what is likely as far as this visit and village tell: only what was said counts."""
        standing = [one for one in self.records() if one is not form]
        return guesses(
            form.kind,
            {**self._guesses.get(form.record_id, {}), **form.answered},
            Known(
                today=self.today,
                others=[one.answered for one in standing if one.kind == "member"],
                member=(self.member(form.answered.get("member_id")) or form).answered,
                consents=[one.answered for one in standing if one.kind == "consent"],
                usual=self._usual_here,
            ),
        )

    def likely_answers(self, about: str, lang: str = "zh") -> list[Likely]:
        """Return what is only likely about the household or a member, by their ids, in the order of the walk."""
        found = []
        for form in self._part(about):
            fields = record_kind(form.kind).fields
            of = "" if form.record_id == about else form.title(lang).rpartition(" · ")[2]
            found += [
                Likely(
                    Position(form.record_id, fields[name].info.group, name),
                    fields[name].info.label(lang),
                    as_read(self, fields[name], form.guesses[name], lang),
                    of,
                )
                for name in fields
                if name in form.guesses
            ]
        return found

    def keep_guesses(self, step: Step) -> None:
        """Store the likely answers of a step: the cadre saw them and goes on."""
        is_look = step.group == LOOK
        forms = self._part(step.about) if is_look else [self.record(step.record_id)]
        kept = []
        for form in forms:
            fields = record_kind(form.kind).fields
            looked_at = {
                name: value
                for name, value in form.guesses.items()
                if is_look or fields[name].info.group == step.group
            }
            if looked_at:
                kept.append((form, looked_at))
        if kept:
            self._save(kept)

    def _usual_here(self, kind: str, field: str) -> Any:
        return records.usual(self.said_here(kind, field))

    def said_here(self, kind: str, field: str) -> list[tuple[Any, int]]:
        """Return what people of the village say in a field and how many, the most frequent first."""
        if (kind, field) not in self._said_here:
            self._said_here[kind, field] = records.said_in_village(
                self.store, self.village_code, kind, field
            )
        return self._said_here[kind, field]

    def remove_member(self, form: RecordForm) -> None:
        """Take a member and what belongs to him out: a new one is dropped, a known one made void."""
        if self._locked:
            raise VisitLockedError
        belonging = [
            other
            for other in self._forms.values()
            if other is form or other.values.get("member_id") == form.record_id
        ]
        known = [(other, {"deleted": True}) for other in belonging if other.known is not None]
        if known:
            self._save(known)
        new = [other for other in belonging if other.known is None]
        self.keep()
        with self.store.writing() as connection:
            for other in new:
                drafts.drop_record(connection, other.record_id)
        for other in new:
            del self._forms[other.record_id]
        self._forget_hits()

    def drop_blank_members(self) -> None:
        """Take out whom a touch added and of whom nothing was said: he would stand in the submit's way."""
        for member in self.members:
            if member.known is None and not self._locked and member.answered == member.preset:
                self.remove_member(member)

    def accept_warning(self, hit: Hit, reason: str) -> None:
        """Keep the cadre's reason for a warning."""
        reasons = dict(self.household.values.get("rule_reasons") or {})
        reasons[hit.reason_key] = reason.strip()[:80]
        self.save(self.household, {"rule_reasons": reasons})

    def confirm_unchanged(self) -> None:
        """“都没变”: renew the visit date and every intention's confirmation; then `submit`.

        Where `to_ask_anew` names somebody, he is asked first.
        """
        intentions = [form for form in self.records() if form.kind == "intention"]
        self._save(
            [
                (self.household, {"survey_date": self.today}),
                *((form, {"confirmed_on": self.today}) for form in intentions),
            ]
        )

    def can_renew(self, member: RecordForm) -> bool:
        """Tell whether a member's answers of last time may stand: known, older, and untouched today."""
        intention = self.intention_of(member)
        if self._locked or member.known is None or intention is None or intention.known is None:
            return False
        is_touched = member.drafts or intention.drafts
        return not is_touched and intention.values.get("confirmed_on") != self.today

    def is_renewed(self, member: RecordForm) -> bool:
        """Tell whether a member said in this visit that nothing has changed, and nothing was changed."""
        intention = self.intention_of(member)
        return bool(intention and set(intention.drafts) == {"confirmed_on"} and not member.drafts)

    def renew(self, member: RecordForm) -> None:
        """One person's “没变”: what he wants is confirmed as of today."""
        intention = self.intention_of(member)
        if intention is not None:
            self._save([(intention, {"confirmed_on": self.today})])

    def to_ask_anew(self) -> list[RecordForm]:
        """Return the consents that were given to other words than today's and not asked again since."""
        return [
            consent
            for member in self.members
            for consent in self.consents_of(member).values()
            if consent.is_outdated
        ]

    def discard(self) -> None:
        """Throw the drafts of this visit away."""
        with self.store.writing() as connection:
            drafts.drop_household(connection, self.household_id)
        self._load()

    # What is wrong

    def problems(self) -> list[Hit]:
        """Return every hit of the rules, errors first."""
        if self._hits is None:
            hits = check_bundle(self._bundle(self._submitted()), self._surroundings())
            self._hits = [hit for hit in hits if not self._is_news(hit)]
        return self._hits

    def _is_news(self, hit: Hit) -> bool:
        """Tell whether a value is only unknown to this app: the county has it and nobody touched it."""
        form = self._forms.get(hit.record_id)
        if hit.rule != "FORMAT" or form is None or form.known is None:
            return False
        return hit.field in form.known.values and hit.field not in form.drafts

    def hits_of(self, form: RecordForm) -> list[tuple[str, Hit]]:
        """Return the hits that stand beside the fields of one record, as (field, hit).

        A record in which nothing was answered is not checked, unless its “next” was refused.
        """
        if not form.is_born and form is not self.household and form.next_was_refused:
            alone = check_bundle(self._bundle([*self._submitted(), form]), self._surroundings())
            return self._placed(alone).get(form.record_id, [])
        if self._hits_by_record is None:
            self._hits_by_record = self._placed(self.problems())
        return self._hits_by_record.get(form.record_id, [])

    def _placed(self, hits: list[Hit]) -> dict[str, list[tuple[str, Hit]]]:
        placed: dict[str, list[tuple[str, Hit]]] = {}
        for hit in hits:
            place = self.place_of(hit)
            if place is not None:
                placed.setdefault(place.record_id, []).append((place.field, hit))
        return placed

    def blocking(self) -> list[Hit]:
        """Return the hits that stand in the way of a submit: errors, and warnings without a reason."""
        return [
            hit
            for hit in self.problems()
            if hit.level is Level.ERROR or (hit.level is Level.WARNING and not hit.reason)
        ]

    def place_of(self, hit: Hit) -> Position | None:
        """Return the question at which a hit is mended, None when there is none yet."""
        record_id, kind, field = hit.record_id, hit.kind, hit.field
        if field == "consent":
            member = self.member(record_id)
            consents = self.consents_of(member) if member else {}
            asked = consents.get(SHARE_HR if SHARE_HR in hit.key else SURVEY)
            if asked is None:
                return None
            record_id, kind, field = asked.record_id, "consent", "given"
        elif field == "head_member_id":
            if not self.members:
                return None
            record_id, kind, field = self.members[-1].record_id, "member", "relation"
        declared = record_kind(kind).fields.get(field)
        if declared is None or not declared.info.group:
            return None
        return Position(record_id, declared.info.group, field)

    def registered_in(self, form: RecordForm, kind: str) -> list[str]:
        """Return the townships of the county where somebody is registered whom this member may be.

        By ID number or by name and birth date (`phone_index.keys_of`); of one whom the county knows
        here under the same, nothing is said.
        """
        key = keys_of(form.values).get(kind)
        known = keys_of(form.known.values).get(kind) if form.known else None
        if key is None or key == known:
            return []
        if key not in self._registered:
            values = form.values
            self._registered[key] = phone_index.townships_of(
                self.store.connection, key,
                own=lambda: phone_index.own_townships(self.store.connection, kind, key, values),
            )  # fmt: skip
        return self._registered[key]

    def _surroundings(self) -> Surroundings:
        return Surroundings(
            today=self.today,
            scope=self.scope or None,
            village_known=lambda code: records.village_known(self.store, code),
            id_elsewhere=lambda number, home: records.id_elsewhere(self.store, number, home),
            phone_households=lambda phone, home: records.phone_households(self.store, phone, home),
        )

    def bundle(self) -> Bundle:
        """Return the household as a submit would leave it."""
        return self._bundle(self._submitted())

    def _bundle(self, forms: list[RecordForm]) -> Bundle:
        return bundle_of(
            [(form.kind, {**self._final(form), "id": form.record_id}) for form in forms]
        )

    def _submitted(self) -> list[RecordForm]:
        """The records that stand. The intention of who refused the survey does not."""
        return [
            form
            for form in self.records()
            if form.kind != "intention" or not self._has_refused(form.values["member_id"])
        ]

    def _final(self, form: RecordForm) -> dict[str, Any]:
        """Return the values as a submit would leave them.

        An answer to a question that is no longer asked is dropped; the county's value goes too when
        it was this visit that made the question fall away. Of the dead and those who left, and of
        how a consent was once given, what is known stays; of who refuses the survey as it was known
        before he was asked, by the register or an earlier visit.
        """
        values = form.values
        known = form.known.values if form.known else {}
        asked = set(asked_fields(form.kind, self.facts(form)))
        hidden = [
            name
            for name, field in record_kind(form.kind).fields.items()
            if field.info.group and name not in asked and name in values
        ]
        if not hidden:
            return values
        if form.kind == "member" and self._has_refused(form.record_id):
            kept = {name: known[name] for name in hidden if name in known}
            return {n: value for n, value in values.items() if n not in hidden} | kept
        is_gone = form.kind == "member" and values.get("member_change") in GONE
        stays = is_gone or form.kind == "consent"
        before = set() if stays else set(asked_fields(form.kind, self._facts_before(form)))
        for name in hidden:
            if name not in known or name in before:
                del values[name]
        return values

    def _facts_before(self, form: RecordForm) -> Facts:
        def known(other: RecordForm | None) -> Mapping[str, Any]:
            return other.known.values if other is not None and other.known is not None else {}

        own = known(form)
        about = form if form.kind == "member" else self.member(form.values.get("member_id"))
        if form.kind == "household":
            return Facts(own, {}, own, self.today)
        return Facts(own, known(about), known(self.household), self.today)

    # Handing it in

    def submit(self) -> SubmitResult:
        """Put the changes into the outbox, all or nothing; refused while a problem stands."""
        if self._locked:
            raise VisitLockedError
        self.is_guessing = False
        standing = self.blocking()
        if standing:
            self.show_missing = True
            return SubmitResult(False, tuple(standing))
        self.keep()
        with self.store.writing() as connection:
            at_ms = tick(connection, self.store.clock)
            outbox.add(connection, self.household_id, self._changes(at_ms))
            drafts.drop_household(connection, self.household_id)
        self._load()
        return SubmitResult(True, ())

    def _changes(self, at_ms: int) -> Iterator[NewChange]:
        """Yield what differs from what was shown, the household first.

        Fields of one record that were seen in different versions travel as changes of their own.
        """
        standing = {form.record_id for form in self._submitted()}
        order = [kind.name for kind in record_kinds()]
        born = sorted(
            (form for form in self._forms.values() if form.is_born or form is self.household),
            key=lambda form: order.index(form.kind),
        )
        for form in born:
            patch = self._patch(form, stands=form.record_id in standing)
            groups: dict[tuple[str, int], dict[str, Any]] = {}
            for name, value in patch.items():
                groups.setdefault(form.source(name), {})[name] = value
            for (epoch, base), values in groups.items():
                touched = [form.drafts[name].at_ms for name in values if name in form.drafts]
                yield NewChange(
                    form.kind, form.record_id, values, epoch, base, max(touched, default=at_ms)
                )

    def _patch(self, form: RecordForm, *, stands: bool) -> dict[str, Any]:
        known = form.known.values if form.known else {}
        if not stands and form is not self.household:
            return {} if form.known is None or known.get("deleted") else {"deleted": True}
        final = self._final(form)
        changed = {
            name: final.get(name)
            for name in record_kind(form.kind).fields
            if final.get(name) != known.get(name)
        }
        # Who was asked again and said the same has agreed to today's words.
        is_asked_again = form.kind == "consent" and "given" in form.drafts
        if changed or form is self.household or is_asked_again:
            final |= self._set_by_program(form, final)
        patch = {
            name: final.get(name)
            for name in record_kind(form.kind).fields
            if final.get(name) != known.get(name)
        }
        if form is self.household:
            # A visit that changed nothing is still a visit, and the county is told of it.
            patch["survey_date"] = final["survey_date"]
        return patch

    def _set_by_program(self, form: RecordForm, final: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields that nobody is asked for, for a record that changed."""
        visited_on = self.household.values.get("survey_date", self.today)
        if form.kind == "household":
            heads = [m.record_id for m in self.members if m.values.get("relation") == HEAD]
            values = {"head_member_id": heads[0] if len(heads) == 1 else None}
            if self.cadre:
                values["responsible_cadre"] = self.cadre
            if self.store.office_phone():
                values["office_phone"] = self.store.office_phone()
            return values
        if form.kind == "intention":
            return {"confirmed_on": visited_on}
        if form.kind == "consent":
            values = {"consented_on": visited_on, "text_version": text("consent.version")}
            was_given = bool(form.known and form.known.values.get("given"))
            if was_given and final.get("given") is False:
                # The day of the consent stays; the withdrawal has its own.
                return {"withdrawn_on": visited_on}
            if final.get("given") is True:
                values["withdrawn_on"] = None
            return values
        return {}

    def recall(self) -> bool:
        """Take a submit back that was not sent yet; False when it is too late."""
        with self.store.writing() as connection:
            done = outbox.recall(connection, self.household_id)
        self._load()
        return done

    # Walking through it

    @property
    def position(self) -> Position | None:
        """Which question is open; setting it saves it."""
        return self._position

    @position.setter
    def position(self, position: Position) -> None:
        try:
            self._store_drafts(self._unkept, position)
        except PhoneBusy:
            self._hold([], position)

    def _keep_place(self, connection: Any, position: Position) -> None:
        drafts.keep_place(
            connection,
            Place(
                self.household_id,
                self.village_code,
                position.record_id,
                position.group,
                position.field,
            ),
        )

    def leave(self) -> None:
        """Close the visit: the app no longer reopens in it. The drafts stay."""
        self.keep()
        with self.store.writing() as connection:
            drafts.leave(connection)

    def steps(self, lang: str = "zh") -> list[Step]:
        """Return the steps in the order in which a cadre walks them.

        The household, then each member with his consents and his wish, at last how the visit was.
        """
        about = [self.household, *self.members]
        steps = [step for form in about for step in self._steps_of(form, lang)]
        last = [s for s in steps if s.kind == "household" and s.group == VISIT_GROUP]
        return [s for s in steps if s not in last] + last

    def _part(self, about: str) -> list[RecordForm]:
        """Return the records that are asked about one: the household, or a member with what he says.

        Who refused to be recorded is asked for no wish, and for no firm's eyes unless he once opened them.
        """
        form = self.record(about)
        if form.kind == "household":
            return [form]
        consents = self.consents_of(form)
        intention = self.intention_of(form)
        if intention is None:
            return [form]
        if not self._has_refused(form.record_id):
            return [form, *consents.values(), intention]
        shares = consents[SHARE_HR].answered.get("given") is True
        return [form, *consents.values()] if shares else [form, consents[SURVEY]]

    def _steps_of(self, about: RecordForm, lang: str) -> list[Step]:
        """Return the steps of the household or of a member, at last the look at what is only likely.

        Of a member first who he is, then whether he agrees to the survey: all else is asked after it.
        """
        part = self._part(about.record_id)
        steps = [
            self._step(form, group, about.record_id, lang)
            for form in part
            for group in form.groups(lang)
        ]
        survey = self.consents_of(about).get(SURVEY) if about.kind == "member" else None
        if survey is not None:
            steps.sort(
                key=lambda step: (
                    step.kind != "member" or step.group not in WHO,
                    step.record_id != survey.record_id,
                )
            )
        if any(form.guesses for form in part):
            steps.append(
                Step(
                    kind=about.kind,
                    record_id=about.record_id,
                    group=LOOK,
                    title=text("visit.look", lang),
                    record_title=about.title(lang),
                    done=False,
                    errors=0,
                    comments=0,
                    about=about.record_id,
                )
            )
        return steps

    def _step(self, form: RecordForm, group: Any, about: str, lang: str) -> Step:
        fields = record_kind(form.kind).fields
        return Step(
            kind=form.kind,
            record_id=form.record_id,
            group=group.name,
            title=group.title,
            record_title=form.title(lang),
            done=group.done,
            errors=form.visible_problems(group.name),
            comments=sum(
                comment.get("record_id") == form.record_id
                and comment.get("field") in fields
                and fields[comment["field"]].info.group == group.name
                for comment in self._comments
            ),
            about=about,
            likely=group.likely,
        )

    def next_step(self, step: Step) -> Step | None:
        """Return the step after this one, None at the end; what is only likely is passed over.

        It is looked at together, in the look that ends the steps of each.
        """
        steps = self.steps()
        after = steps[_place_of(step, steps) + 1 :]
        return next((one for one in after if not one.likely or one.comments), None)

    def previous_step(self, step: Step) -> Step | None:
        """Return the step before this one, None at the start."""
        steps = self.steps()
        at = _place_of(step, steps)
        return steps[at - 1] if 0 < at < len(steps) else None


def _place_of(step: Step, steps: Sequence[Step]) -> int:
    """Return where a step stands; one that is asked no more stands after the last."""
    return next((i for i, one in enumerate(steps) if one.position == step.position), len(steps))


def _called(row: records.HouseholdRow) -> str:
    return " ".join(filter(None, (row.head_name, row.address))) or row.id
