"""Phones of older schemas, for tests and for the simulation.

`Frozen` is what a version really sent, kept in `payloads/`. `OldPhone` speaks the protocol and knows
nothing but the frozen list of fields of its version. `of_schema` makes the real app of today behave
like one of an older schema towards the server.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest import mock

from builders import Phone

from mobile.storage import database, outbox
from mobile.sync import client
from mobile.sync.client import Client
from shared_schemas import wire
from shared_schemas.changes import Change
from shared_schemas.upgrade import down

PAYLOADS = Path(__file__).parent / "payloads"
SCHEMAS = tuple(sorted(int(folder.name[1:]) for folder in PAYLOADS.glob("v*")))
"""The versions that are frozen."""

NEVER_LEFT = ("protocol", "epoch", "scope", "cadre", "acked", "divisions")
"""What the app of schemas 1 and 2 insists on in the answer to its hello."""


@dataclass(frozen=True)
class Frozen:
    """The frozen files of one schema."""

    schema: int

    @property
    def folder(self) -> Path:
        return PAYLOADS / f"v{self.schema}"

    def read(self, name: str) -> Any:
        """Return the value of one of the JSON files."""
        return json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))

    @cached_property
    def about(self) -> dict[str, Any]:
        return self.read("about")

    @cached_property
    def fields(self) -> dict[str, dict[str, Any]]:
        """The declared fields of that version: kind → name → {widget, codes}."""
        return self.read("fields")

    def pushes(self) -> list[tuple[bytes, bytes, dict[str, Any]]]:
        """Return (packed body, plain body, answer of that version's server) in order."""
        count = len(list(self.folder.glob("push_*.packed")))
        return [
            (
                (self.folder / f"push_{i}.packed").read_bytes(),
                (self.folder / f"push_{i}.json").read_bytes(),
                self.read(f"push_{i}_answer"),
            )
            for i in range(1, count + 1)
        ]

    def changes(self) -> list[Change]:
        """Return every pushed change, in order."""
        return [
            change
            for _, plain, _ in self.pushes()
            for change in wire.ungroup_changes(json.loads(plain)["changes"])
        ]


class OldPhone:
    """A phone of a schema that knows the frozen fields and codes of its version and no others.

    It keeps what it pulled, and refuses to be told what its version could not show.
    """

    def __init__(self, phone: Phone, schema: int) -> None:
        self.phone = phone
        self.schema = schema
        self.known = Frozen(schema).fields
        self.records: dict[tuple[str, str], dict[str, Any]] = {}

    def pull(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Pull what is new and return every row as the phone has it now."""
        for key, row in self.phone.pull(schema=self.schema).items():
            if key[0] in self.known:
                self._check(key[0], row)
            self.records[key] = row
        return self.records

    def _check(self, kind: str, row: Mapping[str, Any]) -> None:
        for name, value in row.items():
            if name == "seq":
                continue
            field = self.known[kind].get(name)
            assert field is not None, f"{kind}.{name} is unknown to schema {self.schema}"
            assert field["widget"] != "flag" or isinstance(value, bool), (name, value)
            for code in (value if isinstance(value, list) else [value]) if "codes" in field else ():
                assert code in field["codes"], (name, code)

    def edit(self, kind: str, record_id: str, **values: Any) -> dict[str, Any]:
        """Edit what the phone last pulled; only what differs travels. Returns the outcome."""
        shown = self.records.get((kind, record_id), {})
        unknown = set(values) - set(self.known[kind])
        assert not unknown, f"schema {self.schema} has no form for {unknown}"
        patch = {name: v for name, v in values.items() if v != shown.get(name)}
        return self.push([(kind, record_id, patch)], base=shown.get("seq", 0))[0]

    def push(
        self, edits: Iterable[tuple[str, str, Mapping[str, Any]]], *, base: int = 0
    ) -> list[dict[str, Any]]:
        """Push edits under the phone's schema and return their outcomes."""
        batch = [
            Change(self.phone.n + i, kind, record_id, base, self.phone.now_ms + i, values)
            for i, (kind, record_id, values) in enumerate(edits, start=1)
        ]
        self.phone.n += len(batch)
        return list(self.phone.push(batch, schema=self.schema)["outcomes"])


@contextmanager
def of_schema(schema: int) -> Iterator[None]:
    """Have the real app write, send and fetch as one of this schema, for as long as this is open.

    What it submits is lowered before it goes into the outbox; its pulls ask for the schema, and what
    they bring is lifted where the app stores it. Afterwards it shows `up(down(values))` of what the
    county has, not all of it: an oracle has to compare that.
    """
    add, hello = outbox.add, Client.hello

    def add_lowered(connection: Any, household_id: str, changes: Iterable[Any]) -> None:
        lowered = [_lowered(change, schema) for change in changes]
        add(connection, household_id, [change for change in lowered if change.values])

    def hello_of_then(self: Client, *args: Any, **kwargs: Any) -> dict[str, Any]:
        answer = hello(self, *args, **kwargs)
        return {**answer, "schema": min(schema, answer["schema"])}

    with (
        mock.patch.object(database, "SCHEMA_VERSION", schema),
        mock.patch.object(outbox, "SCHEMA_VERSION", schema),
        mock.patch.object(outbox, "add", add_lowered),
        mock.patch.object(client, "SCHEMA_VERSION", schema),
        mock.patch.object(Client, "hello", hello_of_then),
    ):
        yield


def _lowered(change: outbox.NewChange, schema: int) -> outbox.NewChange:
    return outbox.NewChange(
        change.kind,
        change.record_id,
        down(change.kind, change.values, schema),
        change.epoch,
        change.base,
        change.at_ms,
    )
