"""The simulation with hand-over files among everything else. `CHUSHAN_SEED=…` replays one schedule.

Files and receipts are written at any time, cut, delivered late, twice, in any order, to phones and
servers that died or were put back from backups meanwhile. The invariants are the simulation's.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from unittest import mock

import pytest

from mobile.sync import handover
from mobile.sync.client import SyncError
from server.services.take_handover import Carrier, make_receipt, take_handover
from server.storage.engine import reading
from shared_schemas.errors import ChushanError

from .simulation import Schedule
from .world import Killed, World

SEEDS = range(1, 17)
"""The same in every run, as long as fresh ones meet faults that are known: see test_simulation."""


@dataclass
class WithFiles(Schedule):
    """A schedule in which phones also hand over without internet."""

    files: list[bytes] = field(default_factory=list)
    receipts: list[bytes] = field(default_factory=list)

    def _actions(self) -> list[tuple[Callable[[], None], int]]:
        return [
            *super()._actions(),
            (self.hand_over, 14),
            (self.carry_in, 6),
            (self.take_in, 12),
            (self.read_receipt, 12),
        ]

    def hand_over(self) -> None:
        """Write a file; sometimes the app dies over it."""
        phone = self.a_phone()
        if self.random.random() < 0.2:
            self.world.kill_phone_in = self.random.randrange(1, 30)
        try:
            bundle = handover.write_bundle(phone.store)
        except Killed:
            bundle = None
            self.world.kill_phone_in = None
            self.world.reopen(phone)
        self.world.kill_phone_in = None
        if bundle is not None:
            with open(bundle.path, "rb") as file:
                self.files.append(file.read())
        self._after(phone)

    def _file(self) -> bytes | None:
        if not self.files:
            return None
        data = self.random.choice(self.files[-4:] if self.random.random() < 0.7 else self.files)
        return data[: self.random.randrange(len(data))] if self.random.random() < 0.15 else data

    def carry_in(self) -> None:
        """Let a phone take a file along; it goes in with one of its next syncs, or never."""
        phone, data = self.a_phone(), self._file()
        if data is None:
            return
        path = self.world.root / phone.name / "picked.hand"
        path.write_bytes(data)
        try:
            handover.take(phone.store, path)
        except SyncError:
            return
        self._after(phone)

    def take_in(self) -> None:
        """Bring a file to the server's PC, and take its receipt along."""
        data = self._file()
        if data is None:
            return
        engine, now_ms = self.world.engine, self.world.now_ms
        try:
            taken = take_handover(engine, data, carrier=Carrier(), now_ms=now_ms)
        except ChushanError as error:
            self.log[-1] += f" {error.error.code}"
            return
        self.log[-1] += f" {taken.device_id} {taken.first_n}-{taken.last_n} {taken.fault}"
        with reading(engine) as conn:
            salt = secrets.token_bytes(16)
            self.receipts.append(make_receipt(conn, taken, salt=salt, now_ms=now_ms))

    def read_receipt(self) -> None:
        """Give a receipt to whatever phone can read it; of a phone and its copies, to one."""
        if not self.receipts:
            return
        path = self.world.root / "receipt.hand"
        path.write_bytes(self.random.choice(self.receipts))
        phones = list(self.world.phones.values())
        self.random.shuffle(phones)
        for phone in phones:
            try:
                receipt = handover.take(phone.store, path)
            except SyncError:
                continue
            self.log[-1] += f" {phone.name} {receipt.answered} {receipt.fault}"
            self._after(phone)
            return


def run(world: World, seed: int) -> None:
    """Run the schedule of a seed; a failure says the seed and what was done."""
    with mock.patch.object(secrets, "token_bytes", lambda n=16: world.random.randbytes(n)):
        schedule = WithFiles(world, seed, steps=44)
        try:
            schedule.run()
        except Exception as error:
            error.add_note(f"seed {seed}; CHUSHAN_SEED={seed} replays it")
            error.add_note("\n".join(f"{i:3} {line}" for i, line in enumerate(schedule.log)))
            raise
    world_counts["files"] += len(schedule.files)
    world_counts["receipts"] += len(schedule.receipts)


world_counts = {"files": 0, "receipts": 0}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


def test_with_files_on_the_way_nothing_is_lost_doubled_or_overwritten(world: World) -> None:
    given = os.environ.get("CHUSHAN_SEED")
    for seed in [int(given)] if given else SEEDS:
        run(world, seed)
    assert given or min(world_counts.values()) > 0
