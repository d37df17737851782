"""What must hold of the simulated world, in plain code that shares nothing with the merge.

The oracle keeps every change that a cadre handed in: its values, and for each field what stood on
his screen when he changed it. Who saw a value may replace it; nobody else may make it vanish. All
else is read from the database files, past the code that wrote them.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from shared_schemas import SCHEMA_VERSION, wire
from shared_schemas.fields import Merge
from shared_schemas.records import record_kinds
from shared_schemas.upgrade import LENSES, down, up

from .world import Answer, Phone, Request, World

KINDS = {kind.name: kind for kind in record_kinds()}
ALL_SCHEMAS = range(1, SCHEMA_VERSION + 1)
AGAIN = "again"
"""Resolution of a change that came once more under another incarnation: logged, without effect."""

Key = tuple[str, str, int, str]
"""What makes a change itself wherever it is numbered: kind, record, time of the edit, values."""


class Broken(AssertionError):  # noqa: N818 - named after what the invariant is
    """An invariant does not hold."""


def canonical(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


@dataclass(slots=True)
class Entry:
    """A change that a cadre handed in, and on which phones it is or was until they were wiped."""

    key: Key
    values: Mapping[str, Any]
    saw: Mapping[str, Any]
    knew: frozenset[Key]
    """The changes that were on the phone when this one was made: its cadre's own, so he knew them."""
    epoch: str
    base: int
    holders: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Decision:
    """The county's word on a contested field, and what stood there when it was given."""

    kind: str
    record_id: str
    name: str
    value: Any
    saw: Any


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database file for reading, without the code of the project."""
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    try:
        yield connection
    finally:
        connection.close()


def declared_values(row: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return the declared values of a record's row, of a phone or of the server."""
    values = {}
    for name, declared in KINDS[kind].fields.items():
        value = row[name]
        if value is not None and declared.column == "JSON":
            value = json.loads(value)
        if value is not None:
            values[name] = value
    return values


class Oracle:
    def __init__(self, world: World) -> None:
        self.world = world
        self.server_path = world.root / "server.db"
        self.entries: dict[Key, Entry] = {}
        self.decisions: list[Decision] = []
        self.approvals: dict[str, tuple[int, str]] = {}
        self.returns: dict[str, str] = {}
        self._acked: dict[tuple[str, str], int] = {}
        self._outcomes: dict[tuple[str, str, int], tuple[str, int]] = {}
        self._cursors: dict[str, tuple[str, str, int]] = {}
        world.observers.append(self.observe)

    # Keeping what was handed in

    def note(self, phone: Phone, saw: Mapping[tuple[str, str], Any] | None = None) -> None:
        """Keep what is new in a phone's outbox."""
        found = self._outbox(phone)
        known = frozenset(key for key in found if key in self.entries)
        for key, row in found.items():
            entry = self.entries.get(key)
            if entry is None:
                values = json.loads(row["values"])
                entry = self.entries[key] = Entry(
                    key,
                    values,
                    {name: (saw or {}).get((key[1], name)) for name in values},
                    known,
                    row["epoch"] or "",
                    row["base"],
                )
            entry.holders.add(phone.name)

    def note_gone(self, phone: Phone) -> list[Entry]:
        """Let a phone forget on purpose: a recall, or its files were put back from a backup."""
        present = self._outbox(phone)
        gone = [
            entry
            for key, entry in self.entries.items()
            if phone.name in entry.holders and key not in present
        ]
        for entry in gone:
            entry.holders.discard(phone.name)
        self._cursors.pop(phone.name, None)
        return gone

    def note_server_restored(self) -> None:
        """Let go of what the county did after the backup: it is not on any phone."""
        # Until a cursor shows it, a database that was copied back goes by the old epoch.
        self._acked.clear()
        self._outcomes.clear()
        self._cursors.clear()
        for entry in self.entries.values():
            entry.epoch = ""  # its base may be a number that is given out again
        with opened(self.server_path) as server:
            known = {
                (row["kind"], row["record_id"], row["field"], row["decided_value"])
                for row in server.execute("SELECT * FROM conflict WHERE state = 'decided'")
            }
            reviews = {r["household_id"]: r for r in server.execute("SELECT * FROM review")}
        self.decisions = [
            d
            for d in self.decisions
            if any(k[:3] == (d.kind, d.record_id, d.name) and json.loads(k[3] or "null") == d.value
                   for k in known)
        ]  # fmt: skip
        self.approvals = {
            home: (row["approved_at_ms"], row["approved_values"])
            for home, row in reviews.items()
            if row["approved_at_ms"]
        }
        self.returns = {
            home: row["comments"] for home, row in reviews.items() if json.loads(row["comments"])
        }

    def _outbox(self, phone: Phone) -> dict[Key, sqlite3.Row]:
        with opened(phone.path) as connection:
            rows = connection.execute("SELECT * FROM outbox ORDER BY id").fetchall()
        return {_key(row): row for row in rows}

    # Watching the wire

    def observe(self, request: Request, answer: Answer) -> None:
        """Look at a request that reached the server, and at its answer."""
        if answer.status != 200:
            return
        if request.path.endswith("/push"):
            self._observe_push(request, wire.unpack(answer.body))
        elif request.path.endswith("/pull") and not self.world.is_late:
            self._observe_pull(request, answer)

    def _observe_push(self, request: Request, answer: dict[str, Any]) -> None:
        try:
            sent = wire.unpack(request.body)
        except wire.NotAMessageError as error:
            raise Broken("the server took a damaged batch for a whole one") from error
        life = (answer["epoch"], sent["incarnation"])
        if answer["acked"] < self._acked.get(life, 0):
            raise Broken(f"acked went back to {answer['acked']}")  # I9
        self._acked[life] = answer["acked"]
        for row in answer["outcomes"]:
            key = (*life, row["n"])
            told = (row["outcome"], row["seq"])
            before = self._outcomes.setdefault(key, told)
            if before != told and before[0] != "held":
                raise Broken(f"sent again, a change was answered {told} after {before}")  # I8

    def _observe_pull(self, request: Request, answer: Answer) -> None:
        given = parse_qs(urlsplit(request.target).query).get("cursor", [None])[0]
        after = 0
        if given is None:
            self._cursors.pop(request.phone, None)
        else:
            epoch, scope, seq, tag = given.split(".")
            self._check_history(int(seq), tag)
            before = self._cursors.get(request.phone)
            after = int(seq)
            if before is not None and before[:2] == (epoch, scope) and after < before[2]:
                raise Broken(f"a cursor went back from {before[2]} to {after}")  # I9
            self._cursors[request.phone] = (epoch, scope, after)
        scope = self._scope_of(request)
        plain = zlib.decompressobj(15, wire.dictionary()).decompress(answer.body)
        for line in map(json.loads, plain.splitlines()):
            for group in line["groups"]:
                for _, seq, values in wire.ungroup_rows(group):
                    if seq <= after:
                        raise Broken("a row came that the cursor had passed")
                    village = values.get("village_code")
                    if group["kind"] == "household" and not str(village).startswith(scope):
                        raise Broken("a household outside of the scope reached a phone")  # I14

    def _check_history(self, seq: int, tag: str) -> None:
        """A database that was copied back must not go on with whoever saw what it has forgotten."""
        with opened(self.server_path) as server:
            query = "SELECT tag FROM feed_commit WHERE seq >= ? ORDER BY seq LIMIT 1"
            committed = server.execute(query, (seq,)).fetchone()
        if seq and (committed is None or committed[0] != tag):
            raise Broken("the server went on from a cursor of another history")

    def _scope_of(self, request: Request) -> str:
        token = request.headers["Authorization"].partition(" ")[2]
        token_hash = hashlib.sha256(token.encode()).hexdigest()
        with opened(self.server_path) as server:
            query = "SELECT scope FROM device WHERE token_hash = ?"
            return str(server.execute(query, (token_hash,)).fetchone()[0])

    # At any moment

    def check_screen(self, phone: Phone) -> None:
        """A cadre sees his own change from the moment of handing in until the county's row has it."""
        with opened(self.server_path) as server, opened(phone.path) as own:
            epoch = server.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()[0]
            known = json.loads(_fact(own, "epoch") or '""')
            if known != epoch or _fact(own, "full_pull") == "true":
                return  # between two lives of the server; settled by the next complete pull
            latest: dict[tuple[str, str, str], tuple[Any, sqlite3.Row]] = {}
            for row in own.execute("SELECT * FROM outbox ORDER BY id"):
                for name, value in json.loads(row["values"]).items():
                    latest[row["kind"], row["record_id"], name] = (value, row)
            for (kind, record_id, name), (value, row) in latest.items():
                if name not in KINDS[kind].fields or row["outcome"] == "held":
                    continue
                query = f'SELECT * FROM "{kind}" WHERE id = ?'
                shown = own.execute(query, (record_id,)).fetchone()
                if row["covered"] and _fact(own, "generation"):
                    continue  # its number is of an earlier life of the server
                if row["state"] == "acked" and shown and (shown["seq"] or 0) >= (row["seq"] or 0):
                    continue
                if shown is None and row["state"] == "acked":
                    continue  # it lies outside of the phone's scope now
                if shown is None:
                    raise Broken(f"{kind} {record_id} is not shown, though handed in")
                if declared_values(shown, kind).get(name) != value:
                    raise Broken(
                        f"{kind}.{name} of {record_id} shows something else than what was handed in"
                    )

    def homes_with_work(self, phone: Phone) -> tuple[set[str], set[str]]:
        """Return the households in which a cadre has work that the county has not, and those shown."""
        with opened(phone.path) as own:
            busy = own.execute(
                "SELECT household_id FROM draft UNION SELECT household_id FROM outbox"
                " WHERE outcome = 'held' AND covered = 0 OR state <> 'acked'"
            )
            # One that the county has not is shown by the drafts that begin it.
            shown = own.execute(
                "SELECT id FROM household UNION SELECT household_id FROM draft"
                " WHERE kind = 'household' AND field = 'village_code'"
            )
            return {row[0] for row in busy}, {row[0] for row in shown}

    # At the end

    def check_end(self, phones: Iterable[Phone]) -> None:
        """Check every invariant, now that nothing moves any more."""
        with opened(self.server_path) as server:
            rows = server.execute("SELECT * FROM change").fetchall()
            logged = [row for row in rows if row["incarnation"] not in ("county", "import")]
            self._once(logged)
            self._times(server, logged)
            self._in_place(server)
            self._nothing_lost(server, logged)
            self._decisions_stand(server, logged)
            for phone in phones:
                if not phone.revoked:
                    self._same(server, phone)
                    self._books(server, phone)

    def _once(self, logged: list[sqlite3.Row]) -> None:
        counts = Counter(_key(row) for row in logged if row["resolution"] is None)
        # One that came again shares the fate of the first, once that is settled: one effect, told twice.
        settled = {
            (_key(row), row["outcome"], row["seq"], row["resolution"])
            for row in logged
            if row["resolution"] not in (None, AGAIN)
        }
        counts.update(key for key, *_ in settled)
        for key, entry in self.entries.items():  # I2
            if entry.holders and not counts[key]:
                raise Broken(f"a change is not on the server: {key} of {sorted(entry.holders)}")
        for key, count in counts.items():  # I3
            if count > 1:
                raise Broken(f"a change has effect {count} times: {key}")
            if key not in self.entries:
                raise Broken(f"nobody made the change {key}")

    def _times(self, server: sqlite3.Connection, logged: list[sqlite3.Row]) -> None:
        """I5: an edit lies between the version that it was based on and its receipt."""
        epoch = server.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()[0]
        for row in logged:
            entry = self.entries[_key(row)]
            if row["outcome"] == "held" or row["resolution"] is not None:
                continue
            if row["eff_ms"] > row["received_at_ms"]:
                raise Broken("an edit lies in the future of its receipt")
            if entry.epoch != epoch or not entry.base:
                continue
            query = "SELECT at_ms FROM feed_commit WHERE seq >= ? ORDER BY seq LIMIT 1"
            committed = server.execute(query, (entry.base,)).fetchone()
            if committed and row["eff_ms"] < min(committed[0], row["received_at_ms"]):
                raise Broken("an edit lies before the version that it was based on")

    def _in_place(self, server: sqlite3.Connection) -> None:
        """I14: what belongs to a household is in its village, and is told to the same phones."""
        for kind in KINDS.keys() - {"household"}:
            strays = server.execute(
                f'SELECT one.id FROM "{kind}" one JOIN household home ON home.id = one.household_id'
                " WHERE one.village_code <> home.village_code"
            ).fetchall()
            if strays:
                raise Broken(f"a {kind} is in another village than its household: {strays[0][0]}")

    def _nothing_lost(self, server: sqlite3.Connection, logged: list[sqlite3.Row]) -> None:
        """I4: a value is gone only where a later author had seen it, or a conflict holds it."""
        present = {
            (kind, row["id"]): declared_values(row, kind)
            for kind in KINDS
            for row in server.execute(f'SELECT * FROM "{kind}"')
        }
        kept: dict[tuple[str, str, str], list[Any]] = defaultdict(list)
        for row in server.execute("SELECT * FROM conflict"):
            place = (row["kind"], row["record_id"], row["field"])
            kept[place] += [json.loads(row[side] or "null") for side in ("ours", "theirs")]
        replaced: dict[tuple[str, str, str], list[tuple[Any, Any]]] = defaultdict(list)
        outdone: dict[tuple[str, str, str], set[Key]] = defaultdict(set)
        stored = [
            self.entries[_key(row)]
            for row in logged
            if row["outcome"] != "held" and row["resolution"] != AGAIN
        ]
        held = [self.entries[_key(row)] for row in logged if row["outcome"] == "held"]
        for entry in stored:
            for name, value in entry.values.items():
                place = (entry.key[0], entry.key[1], name)
                replaced[place].append((entry.saw.get(name), value))
                # Whoever writes over his own held value has seen what he had written that over.
                replaced[place] += [
                    (before.saw.get(name), value)
                    for before in held
                    if before.key in entry.knew and before.key[:2] == place[:2]
                ]
                declared = KINDS[place[0]].fields.get(name)
                if declared is None or declared.info.merge is not Merge.UNION:
                    outdone[place] |= entry.knew
        for decision in self.decisions:
            place = (decision.kind, decision.record_id, decision.name)
            replaced[place].append((decision.saw, decision.value))
        # An older app tells such a field less finely: tests/sync/test_old_phones.py has its rules.
        blurred = {
            (lens.kind, entry.key[1], lens.new)
            for entry in stored
            for lens in LENSES
            if lens.kind == entry.key[0] and lens.old in entry.values
        }
        for entry in stored:
            kind, record_id = entry.key[:2]
            for name, value in entry.values.items():
                declared = KINDS[kind].fields.get(name)
                if declared is None or declared.info.merge is Merge.WITHDRAW:
                    continue
                place = (kind, record_id, name)
                if entry.key in outdone[place] or place in blurred:
                    continue
                here = [present.get((kind, record_id), {}).get(name), *kept[place]]
                # An older app showed it less finely; who read that has seen it.
                told = [_as_told(kind, {name: value}, schema).get(name) for schema in ALL_SCHEMAS]
                coarse = [one for one in told if one not in (None, value)]
                if any(seen in coarse and now != value for seen, now in replaced[place]):
                    continue
                for part in _parts(value):
                    if any(part in _parts(one) for one in here):
                        continue
                    if any(part in _parts(b) and part not in _parts(a) for b, a in replaced[place]):
                        continue
                    raise Broken(f"{kind}.{name} of {record_id} lost {part} unseen; now {here}")
        self._withdrawn(present, stored, held)

    def _withdrawn(
        self,
        present: Mapping[tuple[str, str], dict[str, Any]],
        stored: list[Entry],
        held: list[Entry],
    ) -> None:
        """Whoever withdrew a consent is heard, unless it was given again by one who knew of that."""

        def saw_it(later: Entry) -> bool:
            # Also where he writes over his own held answer, under which he saw it.
            own = [one for one in held if one.key in later.knew and one.key[:2] == later.key[:2]]
            return any(one.saw.get("given") in (False, 0) for one in (later, *own))

        for entry in stored:
            if entry.key[0] != "consent" or entry.values.get("given") is not False:
                continue
            again = any(
                other.key[:2] == entry.key[:2]
                and other.values.get("given", False) is not False
                and (saw_it(other) or entry.key in other.knew)
                for other in stored
            ) or any(d.record_id == entry.key[1] and d.name == "given" for d in self.decisions)
            given = present.get(("consent", entry.key[1]), {}).get("given")
            cleared = any(
                other.key[1] == entry.key[1] and other.values.get("given", 0) is None
                for other in stored
            )
            if given and not again and not cleared:
                raise Broken(f"a withdrawn consent counts as given: {entry.key[1]}")

    def _decisions_stand(self, server: sqlite3.Connection, logged: list[sqlite3.Row]) -> None:
        """I12: what the county decided stays until somebody who has seen it changes it."""
        stored = [self.entries[_key(row)] for row in logged if row["outcome"] != "held"]
        for i, decision in enumerate(self.decisions):
            kind, record_id, name = decision.kind, decision.record_id, decision.name
            if KINDS[kind].fields[name].info.merge is Merge.WITHDRAW:
                continue
            row = server.execute(f'SELECT * FROM "{kind}" WHERE id = ?', (record_id,)).fetchone()
            now = declared_values(row, kind).get(name) if row else None
            knew = any(
                entry.key[:2] == (kind, record_id)
                and name in entry.values
                and entry.saw.get(name) == decision.value
                for entry in stored
            ) or any(
                (d.kind, d.record_id, d.name) == (kind, record_id, name)
                for d in self.decisions[i + 1 :]
            )
            if now != decision.value and not knew:
                raise Broken(f"the decision {decision} became {now}")
        reviews = {row["household_id"]: row for row in server.execute("SELECT * FROM review")}
        for home, (at_ms, values) in self.approvals.items():
            row = reviews[home]
            if row["approved_at_ms"] != at_ms or row["approved_values"] != values:
                raise Broken(f"the approved version of {home} has changed")
        for home, comments in self.returns.items():
            if reviews[home]["comments"] != comments:
                raise Broken(f"the reviewer's words about {home} are gone")

    def _books(self, server: sqlite3.Connection, phone: Phone) -> None:
        """Captured = applied + merged + in conflict + held, one by one, as phone and county say."""
        with opened(phone.path) as own:
            life = json.loads(_fact(own, "incarnation") or '""')
            first_free = json.loads(_fact(own, "next_n") or "1")
            let_go = sum(json.loads(_fact(own, "let_go") or "{}").values())
            kept = own.execute("SELECT * FROM outbox WHERE n IS NOT NULL").fetchall()
        logged = {
            (row["incarnation"], row["n"]): row for row in server.execute("SELECT * FROM change")
        }
        present = [row for row in kept if row["incarnation"] == life]
        stored = [n for incarnation, n in logged if incarnation == life]
        if not len(present) + let_go == len(stored) == first_free - 1:
            raise Broken(
                f"{phone.name} captured {first_free - 1}, keeps {len(present)} and let go of"
                f" {let_go}; the county has {len(stored)}"
            )
        for row in kept:
            theirs = logged.get((row["incarnation"], row["n"]))
            if theirs is None or _key(theirs) != _key(row):
                continue  # of an earlier life, offered again since under other numbers
            told = (row["outcome"], row["resolution"] if row["outcome"] == "held" else None)
            true = (
                theirs["outcome"], theirs["resolution"] if theirs["outcome"] == "held" else None
            )  # fmt: skip
            if told != true and true[1] != AGAIN:
                raise Broken(f"{phone.name} believes {told} of a change that is {true}")

    def _same(self, server: sqlite3.Connection, phone: Phone) -> None:
        """I1: a phone shows what the server has, row by row, and nothing besides."""
        with opened(phone.path) as own:
            scope = json.loads(_fact(own, "scope") or '""')
            held = {
                row["record_id"]
                for row in own.execute(
                    "SELECT * FROM outbox WHERE outcome = 'held' AND covered = 0"
                )
            }
            for kind, declared in KINDS.items():
                theirs = {
                    row["id"]: row
                    for row in server.execute(f'SELECT * FROM "{kind}"')
                    if (row["village_code"] or "").startswith(scope)
                }
                ours = {row["id"]: row for row in own.execute(f'SELECT * FROM "{kind}"')}
                for record_id, row in theirs.items():
                    if record_id not in ours:
                        raise Broken(f"{phone.name} has not got {kind} {record_id}")
                    mine = ours[record_id]
                    expected = _as_told(kind, declared_values(row, kind), phone.schema)
                    shadow = json.loads(mine["server"] or "{}")
                    shadow = {n: v for n, v in shadow.items() if n in declared.fields}
                    if shadow != expected:
                        raise Broken(f"{phone.name} was told otherwise of {kind} {record_id}:"
                                     f" {_difference(shadow, expected)}")  # fmt: skip
                    shown = declared_values(mine, kind)
                    if shown != expected and record_id not in held:
                        raise Broken(f"{phone.name} shows {kind} {record_id} otherwise:"
                                     f" {_difference(shown, expected)}")  # fmt: skip
                self._no_stranger(own, phone, kind, set(ours) - set(theirs))
            self._same_words(server, own, phone, scope)

    def _no_stranger(
        self, own: sqlite3.Connection, phone: Phone, kind: str, strangers: set[str]
    ) -> None:
        # A household with an edit that is held or not handed in stays, also outside of the scope; so
        # does a record itself, which such an edit may show in another household.
        busy = {row[0] for row in own.execute(
            "SELECT household_id FROM draft UNION SELECT household_id FROM outbox"
            " WHERE outcome = 'held' AND covered = 0"
        )}  # fmt: skip
        edited = {row[0] for row in own.execute(
            "SELECT record_id FROM outbox WHERE outcome = 'held' AND covered = 0"
        )}  # fmt: skip
        # A record whose first edit was closed does not say its household; its id begins with that.
        column = "id" if kind == "household" else "coalesce(household_id, substr(id, 1, 13))"
        for record_id in strangers:
            row = own.execute(
                f'SELECT {column} FROM "{kind}" WHERE id = ?', (record_id,)
            ).fetchone()
            if row[0] not in busy and record_id not in edited:
                raise Broken(f"{phone.name} has a {kind} that the server has not: {record_id}")

    def _same_words(
        self, server: sqlite3.Connection, own: sqlite3.Connection, phone: Phone, scope: str
    ) -> None:
        for table, key, columns in (
            ("review", "household_id", ("state", "decided_at_ms")),
            ("conflict", "id", ("state",)),
        ):
            theirs = {
                row[key]: [row[column] for column in columns]
                for row in server.execute(f"SELECT * FROM {table}")
                if (row["village_code"] or "").startswith(scope)
            }
            ours = {
                row[key]: [row[column] for column in columns]
                for row in own.execute(f"SELECT * FROM {table}")
            }
            for one, told in theirs.items():
                if ours.get(one) != told:
                    raise Broken(f"{phone.name} knows {ours.get(one)} of {table} {one}, not {told}")


def _as_told(kind: str, values: Mapping[str, Any], schema: int) -> dict[str, Any]:
    """Return what an app of a schema can know of a record's values, in today's words."""
    return up(kind, down(kind, values, schema), schema)


def _key(row: sqlite3.Row) -> Key:
    return row["kind"], row["record_id"], row["at_ms"], canonical(json.loads(row["values"]))


def _parts(value: Any) -> list[Any]:
    """Return a value as the parts that must not vanish: the entries of a list, or itself."""
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def _fact(own: sqlite3.Connection, key: str) -> str | None:
    row = own.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if row is None else str(row[0])


def _difference(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {n: (a.get(n), b.get(n)) for n in {*a, *b} if a.get(n) != b.get(n)}
