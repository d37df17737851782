"""One schedule: what cadres, reviewers, operators and links do, drawn from a seed, then checked."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from mobile.forms.record_form import RecordForm
from mobile.forms.visit import Visit
from mobile.storage import drafts, outbox, records
from mobile.storage.database import get, tick
from mobile.sync import attempt
from mobile.sync.attempt import SyncResult
from mobile.sync.client import AlreadyRunning, SyncError
from server.services.decide_conflict import decide_conflict
from server.services.enrol import reassign_device
from server.services.held import apply_held_change, close_held_change
from server.services.review import Comment, approve, return_bundle, void
from server.storage.devices import devices_within, set_device_state
from server.storage.engine import writing
from shared_schemas import SCHEMA_VERSION, codes, ids, resident_id
from shared_schemas.errors import ChushanError
from shared_schemas.fields import (
    Code,
    Codes,
    Day,
    Declared,
    DivisionCode,
    Divisions,
    Flag,
    PersonName,
    ResidentId,
    Skills,
    Text,
    WholeNumber,
)
from shared_schemas.fields import Phone as PhoneNumber
from shared_schemas.records.member import HEAD

from .oracle import KINDS, Broken, Decision, Oracle, declared_values, opened
from .world import COUNTY, HOME_VILLAGES, REVIEWER, TODAY, TOWNSHIP, VILLAGES, Killed, Phone, World

MOST_PHONES = 5
MOST_ROUNDS = 12
MOST_REQUESTS = 400
"""Requests in which everything must be settled once the link is good."""

BAD_LINK = (
    "none", "none", "no_signal", "drop_request", "drop_answer", "cut_request", "cut_answer", "drop_push",
    "duplicate", "delay_request", "portal", "server_dies_before_commit", "server_dies_after_commit",
)  # fmt: skip


@dataclass
class Schedule:
    """A run of one seed. `log` says what was done, for whoever has to find out why it failed."""

    world: World
    seed: int
    steps: int = 32
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.world.begin(self.seed)
        self.random = random.Random(f"schedule {self.seed}")
        self.oracle = Oracle(self.world)
        self.serial = 0
        self.phone_backups: list[tuple[str, Any, dict[tuple[str, str], Any]]] = []
        self.server_backups: list[Any] = []
        self.server_copies: list[Any] = []
        self.disasters = self.random.random() < 0.7
        self.shaken = False
        """Whether something has happened after which phone and county may differ until they compare."""

    # The run

    def run(self) -> None:
        """Act, come to rest, check; Broken tells which invariant does not hold."""
        actions, weights = zip(*self._actions(), strict=True)
        sizes = self.random.choice([(1, 1, 2), (2, 1, 4), (3, 2, 1000), (100, 8, 1000)])
        page = self.random.choice([3, 2000, 2000, 2000])
        with (
            mock.patch.object(attempt, "FIRST_SIZE", sizes[0]),
            mock.patch.object(attempt, "LEAST_SIZE", sizes[1]),
            mock.patch.object(attempt, "MOST_SIZE", sizes[2]),
            mock.patch.object(attempt, "PAGE_ROWS", page),
        ):
            for _ in range(self.steps):
                action = self.random.choices(actions, weights)[0]
                self.log.append(action.__name__)
                self.world.now_ms += self.random.choice([1, 50, 5_000, 600_000, 20_000_000])
                action()
            self.come_to_rest()
            self.oracle.check_end(self.world.phones.values())
            self._late_copies_change_nothing()

    def _actions(self) -> list[tuple[Callable[[], None], int]]:
        ordinary: list[tuple[Callable[[], None], int]] = [
            (self.visit, 26),
            (self.visit_across_a_sync, 8),
            (self.move_household, 3),
            (self.split_household, 2),
            (self.change_head, 2),
            (self.update_app, 1),
            (self.new_household, 4),
            (self.recall, 3),
            (self.sync, 12),
            (self.sync_badly, 22),
            (self.clock_jumps, 2),
            (self.deliver_late, 4),
            (self.review, 8),
            (self.edit_over_a_held_edit, 3),
            (self.hold_and_settle, 3),
        ]
        if not self.disasters:
            return ordinary
        return [
            *ordinary,
            (self.phone_dies, 6),
            (self.save_phone, 3),
            (self.restore_phone, 3),
            (self.clone_phone, 2),
            (self.save_server, 3),
            (self.restore_server, 2),
            (self.copy_server, 2),
            (self.put_server_back, 1),
            (self.revoke, 1),
            (self.reassign, 1),
            (self.reassign_at_work, 2),
            (self.restore_server_after_two_lives, 1),
            (self.copy_server_back_and_go_on, 1),
        ]

    def a_phone(self) -> Phone:
        return self.random.choice(list(self.world.phones.values()))

    # What cadres do

    def visit(self) -> None:
        """Open a household, change some of it, and mostly hand it in."""
        phone = self.a_phone()
        visit = self._open_visit(phone)
        if visit is not None:
            self._edit(phone, visit)
            self._after(phone)

    def visit_across_a_sync(self) -> None:
        """Open a household, sync while it is open, then go on with what was read before."""
        phone = self.a_phone()
        visit = self._open_visit(phone)
        if visit is None:
            return
        # As the screen does: an open household is not taken away under the cadre's hands.
        visit.position = visit.steps()[0].position
        if self.random.random() < 0.5:
            self._answer(phone, visit)
        with self.world.over(*self.random.choice([("none",), BAD_LINK])):
            self._sync(phone)
        self._edit(phone, visit)
        with phone.store.writing() as connection:
            drafts.leave(connection)
        self._after(phone)

    def new_household(self) -> None:
        """Record a household that nobody knew."""
        phone = self.a_phone()
        village = self.random.choice(VILLAGES if self.random.random() < 0.2 else HOME_VILLAGES)
        visit = Visit.open(phone.store, None, village, today=TODAY, cadre=phone.name)
        self._answer(phone, visit)
        for _ in range(self.random.randrange(3)):
            member = visit.add_member()
            member.answer("name", self._value(KINDS["member"].fields["name"]))
        self._hand_in(phone, visit)
        self._after(phone)

    def move_household(self) -> None:
        """Let a household move to another village, perhaps out of the scope of some phones."""
        phone = self.a_phone()
        visit = self._open_visit(phone)
        if visit is None:
            return
        visit.household.answer("village_code", self.random.choice(VILLAGES))
        self._note_saw(phone, visit)
        self._hand_in(phone, visit)
        self._after(phone)

    def split_household(self) -> None:
        """Let some of a family begin a household of its own, which others may be at work on."""
        phone = self.a_phone()
        visit = self._open_visit(phone)
        if visit is None or len(visit.members) < 2:
            return
        home, fresh = visit.household_id, ids.household_id(self.world.random.getrandbits(64))
        leaving = self.random.sample(visit.members, self.random.randrange(1, len(visit.members)))
        village = visit.household.values.get("village_code")
        if village is None or any(form.drafts for form in visit.records()):
            return  # what is shown of it is an own edit that is held, or is being edited
        address = self._value(KINDS["household"].fields["address"])
        edits = [("household", fresh, {"village_code": village, "address": address})]
        for form in visit.records():
            if form in leaving or form.values.get("member_id") in {m.record_id for m in leaving}:
                edits.append((form.kind, form.record_id, {"household_id": fresh}))
        saw = {(form.record_id, "household_id"): home for form in visit.records()}
        with phone.store.writing() as connection:
            known = {one.id: one for one in records.shown_records(connection, home)}
            at_ms = tick(connection, phone.store.clock)
            changes = [
                outbox.NewChange(
                    kind, record_id, values,
                    known[record_id].epoch if record_id in known else get(connection, "epoch"),
                    known[record_id].seq if record_id in known else 0, at_ms,
                )
                for kind, record_id, values in edits
            ]  # fmt: skip
            with phone.app():  # each household's own changes in a visit of its own
                outbox.add(connection, fresh, changes[:1])
                outbox.add(connection, home, changes[1:])
        self.oracle.note(phone, saw)
        self._after(phone)

    def change_head(self) -> None:
        """Let another member be the head of a household."""
        phone = self.a_phone()
        visit = self._open_visit(phone)
        if visit is None or len(visit.members) < 2:
            return
        one, other = self.random.sample(visit.members, 2)
        one.answer("relation", HEAD)
        other.answer("relation", "10")
        self._note_saw(phone, visit)
        self._hand_in(phone, visit)
        self._after(phone)

    def update_app(self) -> None:
        """Put today's app on a phone that has an older one."""
        older = [p for p in self.world.phones.values() if p.schema != SCHEMA_VERSION]
        if older:
            phone = self.random.choice(older)
            self.log[-1] += f" {phone.name} from {phone.schema}"
            self.world.update_app(phone)
            self._after(phone)

    def edit_over_a_held_edit(self) -> None:
        """Have an edit held, then let its author write over it what he never saw the county's of."""
        pair = self._one_inside()
        if pair is None:
            return
        phone, other = pair
        both = self._members_of_both(phone, other)
        moved = next((one for one in both if self._move(other, one[0], VILLAGES[-1])), None)
        if moved is None:
            return
        home, member = moved
        if self._add_skill(phone, home, member):
            self._sync(phone)
        if self._move(other, home, HOME_VILLAGES[0]) and self._add_skill(other, home, member):
            self._sync(other)
        self._sync(phone)
        self._add_skill(phone, home, member)
        self._after(phone)

    def _one_inside(self) -> tuple[Phone, Phone] | None:
        """Return a phone of the township and one of the whole county."""
        phones = list(self.world.phones.values())
        self.random.shuffle(phones)
        narrow = next((p for p in phones if _fact(p, "scope").startswith(TOWNSHIP)), None)
        wide = next((p for p in phones if _fact(p, "scope") == COUNTY), None)
        return (narrow, wide) if narrow and wide else None

    def _members_of_both(self, phone: Phone, other: Phone) -> list[tuple[str, str]]:
        found = []
        for one in (phone, other):
            with opened(one.path) as own:
                found.append({(row[0], row[1]) for row in own.execute(
                    "SELECT household_id, id FROM member WHERE coalesce(deleted, 0) = 0"
                )})  # fmt: skip
        both = sorted(found[0] & found[1])
        self.random.shuffle(both)
        return both

    def _move(self, phone: Phone, home: str, village: str) -> bool:
        """Move a household and send that; False where the phone has work in it that waits."""
        visit = Visit.open(phone.store, home, HOME_VILLAGES[0], today=TODAY, cadre=phone.name)
        if visit.locked:
            return False
        visit.household.answer("village_code", village)
        self._note_saw(phone, visit)
        self._hand_in(phone, visit)
        self._after(phone)
        self._sync(phone)
        return True

    def _add_skill(self, phone: Phone, home: str, member: str) -> bool:
        visit = Visit.open(phone.store, home, HOME_VILLAGES[0], today=TODAY, cadre=phone.name)
        form = next((form for form in visit.members if form.record_id == member), None)
        if visit.locked or form is None:
            return False
        skills = form.values.get("skills")
        added = self._value(KINDS["member"].fields["skills"])
        form.answer("skills", [*(skills if isinstance(skills, list) else []), *added][-10:])
        self._note_saw(phone, visit)
        self._hand_in(phone, visit)
        return True

    def recall(self) -> None:
        """Take a submit back that was not sent yet, perhaps change it, hand it in again."""
        phone = self.a_phone()
        visit = self._open_visit(phone, locked=True)
        if visit is None or not visit.locked:
            return
        self.oracle.note(phone)
        visit.recall()
        for entry in self.oracle.note_gone(phone):
            for name, value in entry.saw.items():
                phone.saw.setdefault((entry.key[1], name), value)
        self._edit(phone, visit)
        self._after(phone)

    def _open_visit(self, phone: Phone, *, locked: bool = False) -> Visit | None:
        with opened(phone.path) as own:
            homes = sorted(row[0] for row in own.execute(
                "SELECT id FROM household WHERE coalesce(deleted, 0) = 0"
            ))  # fmt: skip
        self.random.shuffle(homes)
        for home in homes:
            visit = Visit.open(phone.store, home, HOME_VILLAGES[0], today=TODAY, cadre=phone.name)
            if visit.locked == locked:
                return visit
        return None

    def _edit(self, phone: Phone, visit: Visit) -> None:
        for _ in range(self.random.randrange(1, 4)):
            self._answer(phone, visit)
        if self.random.random() < 0.05 and visit.members:
            visit.remove_member(self.random.choice(visit.members))
            self._note_saw(phone, visit)
        if self.random.random() < 0.8:
            self._hand_in(phone, visit)

    def _answer(self, phone: Phone, visit: Visit) -> None:
        forms = visit.records()
        form = self.random.choice(forms)
        name = self._field(form)
        declared = KINDS[form.kind].fields[name]
        chance = self.random.random()
        value = form.values.get(name)
        if chance < 0.08:
            form.clear(name)
        elif chance < 0.1:
            form.answer(name, "不合规" * 30)
        elif isinstance(declared, Skills) and isinstance(value, list) and chance < 0.6:
            form.answer(name, [*value, *self._value(declared)][-10:])
        else:
            form.answer(name, self._value(declared))
        self._note_saw(phone, visit)

    def _field(self, form: RecordForm) -> str:
        """Choose a field, the contested ones more often, so that cadres meet."""
        favourites = {
            "household": ["address", "group_no", "registry_no", "split_on"],
            "member": ["name", "skills", "work_employer", "work_wage", "public_post"],
            "intention": ["wage_floor", "occupations", "lodging"],
            "consent": ["given"],
        }
        if self.random.random() < 0.75 and form.kind in favourites:
            return self.random.choice(favourites[form.kind])
        if form.kind == "household" and self.random.random() < 0.1:
            return "village_code"
        return self.random.choice(
            [n for n, f in KINDS[form.kind].fields.items()
             if f.info.group and f.widget not in ("records", "record", "none")
             and n not in ("village_code", "survey_date")] or ["deleted"]
        )  # fmt: skip

    def _value(self, declared: Declared) -> Any:
        """Return a good value, a new one at each call wherever the type has room for that."""
        self.serial += 1
        pick = self.random
        match declared:
            case PersonName():
                digits = "零一二三四五六七八九"
                return "韦" + "".join(digits[int(d)] for d in str(self.serial))
            case Text():
                return f"第{self.serial}"
            case PhoneNumber():
                return f"139{self.serial:08}"
            case ResidentId():
                first = f"52239919{60 + self.serial % 40}0101{self.serial % 1000:03}"
                return first + resident_id.check_character(first)
            case DivisionCode():
                return pick.choice(HOME_VILLAGES)
            case Divisions():
                return [pick.choice(VILLAGES)]
            case Code():
                return pick.choice(codes.code_list(declared.codes).codes).code
            case Codes():
                return [pick.choice(codes.code_list(declared.codes).codes).code]
            case Flag():
                return pick.random() < 0.5
            case WholeNumber():
                room = declared.most - declared.least + 1
                return declared.least + self.serial % room
            case Day():
                return (dt.date(2000, 1, 1) + dt.timedelta(days=self.serial)).isoformat()
            case Skills():
                occupation = pick.choice(codes.code_list("occupation").codes).code
                return [{"occupation": occupation, "cert_no": f"证{self.serial}"}]
        return None

    def _note_saw(self, phone: Phone, visit: Visit) -> None:
        """Keep what the screen showed of each field before its first touch."""
        for form in visit._forms.values():
            known = form.known.values if form.known else {}
            for name in form.drafts:
                phone.saw.setdefault((form.record_id, name), known.get(name))

    def _hand_in(self, phone: Phone, visit: Visit) -> None:
        """Submit, whatever the rules say: they are not what is tried here."""
        if visit.locked:
            return
        self._note_saw(phone, visit)
        handed_in = set(visit._forms)
        saw = {
            (form.record_id, name): value
            for form in visit._forms.values()
            if form.known
            for name, value in form.known.values.items()
        } | phone.saw
        try:
            with phone.app(), mock.patch.object(visit, "blocking", list):
                assert visit.submit().submitted
        finally:
            # Killed after the commit, it is handed in all the same.
            self.oracle.note(phone, saw)
        for place in [p for p in phone.saw if p[0] in handed_in]:
            del phone.saw[place]

    def _after(self, phone: Phone) -> None:
        self.oracle.note(phone)
        self.oracle.check_screen(phone)

    # The link and the clock

    def sync(self) -> None:
        """Sync over a good link."""
        self._sync(self.a_phone())

    def sync_badly(self) -> None:
        """Sync over a link that does anything, sometimes with the cadre at work meanwhile."""
        phone = self.a_phone()
        if self.random.random() < 0.3:
            self.world.meanwhile = lambda: self._work_meanwhile(phone)
        kinds = self.random.sample(BAD_LINK, self.random.randrange(1, 4))
        with self.world.over(*kinds, "none"):
            self._sync(phone)
        self.world.meanwhile = None

    def _work_meanwhile(self, phone: Phone) -> None:
        visit = self._open_visit(phone)
        if visit is not None:
            self._edit(phone, visit)

    def _sync(self, phone: Phone) -> SyncResult:
        busy, shown = self.oracle.homes_with_work(phone)
        result = self.world.sync(phone)
        still_busy, still_shown = self.oracle.homes_with_work(phone)
        if gone := (busy & still_busy & shown) - still_shown:
            raise Broken(f"{phone.name} let go of households with work in them: {sorted(gone)}")
        self.log[-1] += f" {phone.name} {result.error!r}" if result.error else f" {phone.name}"
        if type(result.error) is SyncError:
            raise Broken("the sync itself failed") from result.error
        assert not isinstance(result.error, AlreadyRunning)
        if result.is_unequal:
            raise Broken(f"{phone.name} and the county differ, also after all was fetched anew")
        if result.is_repaired and not self.shaken:
            raise Broken(f"{phone.name} and the county differed, though nothing had happened")
        self._after(phone)
        return result

    def clock_jumps(self) -> None:
        """Set a phone's clock to anything within 900 days."""
        phone = self.a_phone()
        days = self.random.choice([0, 0, 1, -1, 30, -30, 365, -365, 900, -900])
        phone.clock_offset_ms = days * 86_400_000

    def deliver_late(self) -> None:
        """Let a request arrive that nobody waits for any more."""
        self.world.deliver_late()

    # Disasters of phones

    def phone_dies(self) -> None:
        """Kill the app at some statement of a visit or of a sync, and start it again."""
        phone = self.a_phone()
        work = self.random.choice([self._visit_of, self._sync])
        self.world.kill_phone_in = self.random.randrange(1, 120)
        died = False
        try:
            work(phone)
        except Killed:
            died = True
        finally:
            self.world.kill_phone_in = None
        self.log[-1] += f" {phone.name} {work.__name__} {died}"
        self.world.reopen(phone)
        self._after(phone)

    def _visit_of(self, phone: Phone) -> None:
        visit = self._open_visit(phone)
        if visit is not None:
            self._edit(phone, visit)

    def save_phone(self) -> None:
        """Back a phone up."""
        self.save_phone_of(self.a_phone())

    def save_phone_of(self, phone: Phone) -> None:
        """Back this phone up."""
        path = self.world.root / f"{phone.name}.{len(self.phone_backups)}.zip"
        self.world.save_phone(phone, path)
        self.phone_backups.append((phone.name, path, dict(phone.saw)))

    def restore_phone(self) -> None:
        """Put an old backup of a phone in place of what it has."""
        if not self.phone_backups:
            return
        backup = self.random.choice(self.phone_backups)
        self._put_back(*backup, same_phone=self.random.random() < 0.5)

    def _put_back(
        self, name: str, path: Any, saw: dict[tuple[str, str], Any], *, same_phone: bool
    ) -> None:
        self.shaken = True
        phone = self.world.phones[name]
        self.oracle.note(phone)
        self.world.put_back(phone, path, same_phone=same_phone)
        phone.saw = dict(saw)
        self.log[-1] += f" {name}"
        self.oracle.note_gone(phone)
        self.oracle.note(phone)

    def clone_phone(self) -> None:
        """Copy a phone; both go on working."""
        if len(self.world.phones) >= MOST_PHONES:
            return
        self.shaken = True
        phone = self.a_phone()
        name = f"clone{len(self.world.phones)}"
        made = self.world.clone(phone, name, whole=self.random.random() < 0.5)
        self.log[-1] += f" {phone.name} {name}"
        self.oracle.note(made)
        if self.random.random() < 0.7:
            # Both number a change of their own before either is heard: the same n, twice.
            for one in (phone, made):
                self._visit_of(one)
                self._after(one)
                with self.world.over("drop_push"):
                    self._sync(one)

    # Disasters and decisions of the county

    def save_server(self) -> None:
        """Back the server up with its own command."""
        path = self.world.root / f"server.{len(self.server_backups)}.zip"
        self.world.save_server(path)
        self.server_backups.append(path)

    def restore_server(self) -> None:
        """Restore an old backup of the server."""
        if self.server_backups:
            self.shaken = True
            self.world.restore_server(self.random.choice(self.server_backups))
            self.oracle.note_server_restored()

    def copy_server(self) -> None:
        """Copy the server's database file aside."""
        path = self.world.root / f"server.{len(self.server_copies)}.copy"
        self.world.copy_server(path)
        self.server_copies.append(path)

    def put_server_back(self) -> None:
        """Copy an old database file back over the server's."""
        if self.server_copies:
            self.shaken = True
            self.world.put_server_back(self.random.choice(self.server_copies))
            self.oracle.note_server_restored()

    def revoke(self) -> None:
        """Tell the server that a phone was lost; all who have its token are."""
        self.shaken = True
        phone = self.a_phone()
        token = _fact(phone, "device_id")
        with writing(self.world.engine) as conn:
            if not set_device_state(conn, COUNTY, token, "lost"):
                return
        self.log[-1] += f" {phone.name}"

    def reassign(self, phone: Phone | None = None) -> None:
        """Give a phone's cadre other villages."""
        self.shaken = True
        phone = phone or self.a_phone()
        scope = self.random.choice([COUNTY, HOME_VILLAGES[0][:9], *HOME_VILLAGES])
        with writing(self.world.engine) as conn:
            for device in devices_within(conn, COUNTY, ""):
                if device.id == _fact(phone, "device_id"):
                    reassign_device(conn, device, scope)
        self.log[-1] += f" {phone.name} {scope}"

    def reassign_at_work(self) -> None:
        """Give a cadre other villages while he has a household open, or handed in and not sent."""
        phone = self.a_phone()
        visit = self._open_visit(phone)
        if visit is None:
            return
        self._answer(phone, visit)
        self._after(phone)
        self.reassign(phone)
        self._sync(phone)

    def hold_and_settle(self) -> None:
        """Move a household away from a phone that works on it, and settle what is held of that."""
        phone, other = self.random.sample(list(self.world.phones.values()), 2)
        for home, member in self._members_of_both(phone, other)[:1]:
            if self._move(other, home, VILLAGES[-1]) and self._add_skill(phone, home, member):
                self._after(phone)
                self._sync(phone)
                self._hold()

    def restore_server_after_two_lives(self) -> None:
        """Restore the server to a day before a phone's last life, and before changes of its former."""
        phone = self.a_phone()
        self.save_server()
        self._visit_of(phone)
        self._sync(phone)
        self.save_phone_of(phone)
        self._put_back(*self.phone_backups[-1], same_phone=False)
        self._visit_of(phone)
        self._sync(phone)
        self.shaken = True
        self.world.restore_server(self.server_backups[-1])
        self.oracle.note_server_restored()

    def copy_server_back_and_go_on(self) -> None:
        """Copy the server's file back behind the phones, and let it number other work alike."""
        phones = list(self.world.phones.values())
        phone, other = self.random.sample(phones, 2)
        self.copy_server()
        self._visit_of(phone)
        self._sync(phone)
        self.shaken = True
        self.world.put_server_back(self.server_copies[-1])
        self.oracle.note_server_restored()
        self._visit_of(other)
        self._sync(other)
        self._sync(phone)

    def review(self) -> None:
        """Let the county decide something that waits for it."""
        self.random.choice(
            [self._approve, self._return, self._decide, self._decide, self._hold, self._void]
        )()

    def _reviews(self) -> list[Any]:
        with opened(self.oracle.server_path) as server:
            rows = server.execute("SELECT * FROM review ORDER BY household_id").fetchall()
        self.random.shuffle(rows)
        return rows

    def _decided(self, act: Callable[..., Any], *args: Any) -> bool:
        """Let the reviewer act; False when the server refuses, as a page would tell him."""
        try:
            with writing(self.world.engine) as conn:
                act(conn, COUNTY, *args, user=REVIEWER, now_ms=self.world.now_ms,
                    new_id=self.world.server.new_id)  # fmt: skip
        except ChushanError as refusal:
            self.log[-1] += f" {act.__name__} refused {refusal.error.code}"
            return False
        self.log[-1] += f" {act.__name__}"
        return True

    def _approve(self) -> None:
        for row in self._reviews():
            home = row["household_id"]
            if self._decided(approve, home, row["bundle_seq"]):
                now = next(r for r in self._reviews() if r["household_id"] == home)
                self.oracle.approvals[home] = (self.world.now_ms, now["approved_values"])
                self.oracle.returns.pop(home, None)
                return

    def _return(self) -> None:
        for row in self._reviews():
            home = row["household_id"]
            comment = Comment("household", home, "address", f"请核对{self.random.random()}")
            if self._decided(return_bundle, home, row["bundle_seq"], [comment]):
                now = next(r for r in self._reviews() if r["household_id"] == home)
                self.oracle.returns[home] = now["comments"]
                return

    def _decide(self) -> None:
        with opened(self.oracle.server_path) as server:
            rows = server.execute(
                "SELECT * FROM conflict WHERE state = 'open' ORDER BY id"
            ).fetchall()
            if not rows:
                return
            row = self.random.choice(rows)
            kind, record_id, name = row["kind"], row["record_id"], row["field"]
            query = f'SELECT * FROM "{kind}" WHERE id = ?'
            saw = declared_values(server.execute(query, (record_id,)).fetchone(), kind).get(name)
        ours, theirs = (json.loads(row[side] or "null") for side in ("ours", "theirs"))
        value = self.random.choice([ours, theirs, theirs, None])
        if self._decided(decide_conflict, row["id"], value):
            self.oracle.decisions.append(Decision(kind, record_id, name, value, saw))

    def _hold(self) -> None:
        with opened(self.oracle.server_path) as server:
            rows = server.execute(
                "SELECT incarnation, n FROM change WHERE outcome = 'held' AND resolution IS NULL"
                " ORDER BY incarnation, n"
            ).fetchall()
        if not rows:
            return
        row = self.random.choice(rows)
        if self.random.random() < 0.7:
            self._decided(apply_held_change, row["incarnation"], row["n"])
        else:
            self._decided(close_held_change, row["incarnation"], row["n"], "不采用")

    def _void(self) -> None:
        if self.random.random() < 0.3:
            for row in self._reviews()[:1]:
                if self._decided(void, row["household_id"], row["bundle_seq"], "重复登记"):
                    self.oracle.approvals.pop(row["household_id"], None)
                    self.oracle.returns.pop(row["household_id"], None)

    # The end

    def come_to_rest(self) -> None:
        """Repair the link, and let everybody sync until nothing moves, in a bounded time (I10)."""
        self.log.append("rest")
        if self.random.random() < 0.5:
            while self.world.delayed:
                self.world.deliver_late()
        self.world.requests = 0
        for _ in range(MOST_ROUNDS):
            before = self._county_seq()
            results = [self._sync_at_last(phone) for phone in list(self.world.phones.values())]
            if self._county_seq() == before and not any(r.sent or r.received for r in results):
                break
        else:
            raise Broken(f"it never comes to rest: {results}")
        if self.world.requests > MOST_REQUESTS:
            raise Broken(f"it took {self.world.requests} requests to come to rest")
        self._rest_costs_one_request()

    def _rest_costs_one_request(self) -> None:
        """Nothing is left to say: one small request each (I11)."""
        for phone in self.world.phones.values():
            if phone.revoked:
                continue
            before = self.world.requests
            result = self._sync(phone)
            if self.world.requests != before + 1 or result.sent or result.received:
                asked = self.world.requests - before
                raise Broken(f"{phone.name} asks {asked} times though nothing is new: {result}")

    def _sync_at_last(self, phone: Phone) -> SyncResult:
        result = self._sync(phone)
        if phone.excuse == "bad_token":
            # The server was restored to a day before this phone was enrolled.
            phone.excuse = ""
            self.world.enrol(phone, COUNTY, "cadre0")
            result = self._sync(phone)
        code = getattr(result.error, "code", None)
        phone.revoked = code == "device_revoked"
        if result.error is not None and not phone.revoked:
            raise Broken(f"{phone.name} cannot sync over a good link: {result.error!r} {code}")
        if outbox.count_unanswered(phone.store.connection):
            raise Broken(f"{phone.name} did not get everything out")
        return result

    def _county_seq(self) -> int:
        with opened(self.oracle.server_path) as server:
            return int(server.execute("SELECT sum(seq) FROM county_counter").fetchone()[0])

    def _late_copies_change_nothing(self) -> None:
        """Deliver what was held up on the way: it was sent again long ago (I8)."""
        before = self._county_seq()
        while self.world.delayed:
            self.world.deliver_late()
        with opened(self.oracle.server_path) as server:
            known = server.execute("SELECT count(*) FROM change").fetchone()[0]
        del known
        if self._county_seq() != before:
            self.come_to_rest()
            self.oracle.check_end(self.world.phones.values())


def _fact(phone: Phone, key: str) -> str:
    with opened(phone.path) as own:
        row = own.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return str(json.loads(row[0])) if row else ""


def run(world: World, seed: int, steps: int = 32) -> None:
    """Run the schedule of a seed; a failure says the seed and what was done."""
    schedule = Schedule(world, seed, steps)
    try:
        schedule.run()
    except Exception as error:
        with suppress(Exception):
            error.add_note(f"seed {seed}; CHUSHAN_SEED={seed} replays it")
            error.add_note("\n".join(f"{i:3} {line}" for i, line in enumerate(schedule.log)))
        raise
