"""A bad link: a relay on loopback, a process of its own, that delays, slows down, cuts and counts.

`Link()` is a good link that only counts. What a link does comes from its seed alone, so every peer
meets the same one.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection

from benchmarks.measure import LOOPBACK

CHUNK = 256
"""Bytes that travel at a time on a slow link: 40 ms of 50 kbit/s."""

SENT_AHEAD = 4096
"""What a slow link lets an end send ahead: more would sit in buffers and seem to have been sent."""


@dataclass(frozen=True, slots=True)
class Link:
    """What lies between a phone and the server."""

    mean_bytes: float = 0
    """A connection is reset after so many bytes both ways, drawn exponentially; 0: never."""
    cut_every_s: float = 0
    """All connections are reset this often, drawn exponentially around it; 0: never."""
    bits_per_s: float = 0
    """Of each way, shared by all connections; 0: as fast as the machine."""
    round_trip_s: float = 0
    """Half of it each way, and once more when a connection is made."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Passed:
    """What went over a link since the last count."""

    up: int
    down: int
    connections: int
    cuts: int
    requests: int
    """HTTP requests, by the end of their first lines."""


class Relay:
    """The near end of a link."""

    def __init__(self, port: int, control: Connection) -> None:
        self.port = port
        self._control = control

    @property
    def url(self) -> str:
        """Address of the server over this link."""
        return f"http://{LOOPBACK}:{self.port}"

    def taken(self) -> Passed:
        """Return what passed since the last call."""
        self._control.send("count")
        passed: Passed = self._control.recv()
        return passed


@contextlib.contextmanager
def link_to(target_port: int, link: Link) -> Iterator[Relay]:
    """Put a link before a port of loopback."""
    ours, theirs = multiprocessing.Pipe()
    # Started anew: a fork would copy the threads' locks of whoever measures.
    process = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(target_port, link, theirs), daemon=True
    )
    process.start()
    try:
        yield Relay(ours.recv(), ours)
    finally:
        process.terminate()
        process.join()


def _serve(target_port: int, link: Link, control: Connection) -> None:
    listener = socket.create_server((LOOPBACK, 0))
    if link.bits_per_s:
        # Accepted sockets inherit it.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SENT_AHEAD)
    relay = _Relaying(target_port, link)
    control.send(listener.getsockname()[1])
    threading.Thread(target=relay.answer, args=(control,), daemon=True).start()
    asyncio.run(relay.run(listener))


class _Lane:
    """One way of the link: bytes leave it one after the other."""

    def __init__(self, bits_per_s: float) -> None:
        self.seconds_per_byte = 8 / bits_per_s if bits_per_s else 0.0
        self.free_at = 0.0

    async def carry(self, size: int) -> None:
        if self.seconds_per_byte:
            self.free_at = max(self.free_at, time.monotonic()) + size * self.seconds_per_byte
            await asyncio.sleep(self.free_at - time.monotonic())


class _Relaying:
    def __init__(self, target_port: int, link: Link) -> None:
        self.target_port = target_port
        self.link = link
        self.source = random.Random(link.seed)
        self.lanes = (_Lane(link.bits_per_s), _Lane(link.bits_per_s))
        self.passed = [0, 0]
        self.connections = self.cuts = self.requests = 0
        self.alive: set[_Joined] = set()

    def answer(self, control: Connection) -> None:
        """Tell what passed, as often as asked; runs on a thread of its own."""
        with contextlib.suppress(EOFError, OSError):
            while control.recv() == "count":
                control.send(Passed(*self.passed, self.connections, self.cuts, self.requests))
                self.passed[:] = [0, 0]
                self.connections = self.cuts = self.requests = 0

    async def run(self, listener: socket.socket) -> None:
        server = await asyncio.start_server(self.join, sock=listener, limit=2 * CHUNK)
        if self.link.cut_every_s:
            while True:
                await asyncio.sleep(self.source.expovariate(1 / self.link.cut_every_s))
                for joined in list(self.alive):
                    joined.cut()
        async with server:
            await server.serve_forever()

    async def join(self, near_in: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        self.connections += 1
        most = (
            self.source.expovariate(1 / self.link.mean_bytes)
            if self.link.mean_bytes
            else float("inf")
        )
        far_in, far_out = await asyncio.open_connection(LOOPBACK, self.target_port, limit=1 << 16)
        joined = _Joined(self, (near_out, far_out), most)
        self.alive.add(joined)
        begun = time.monotonic()
        await asyncio.gather(
            # The first bytes wait for the handshake.
            joined.pump(near_in, far_out, 0, not_before=begun + self.link.round_trip_s),
            joined.pump(far_in, near_out, 1, not_before=begun),
        )
        self.alive.discard(joined)
        for end in (near_out, far_out):
            end.close()


class _Joined:
    """One connection over the link."""

    def __init__(
        self, relaying: _Relaying, ends: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
        most: float,
    ) -> None:  # fmt: skip
        self.relaying = relaying
        self.ends = ends
        self.left = most
        for end in ends:
            end.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def cut(self) -> None:
        """Reset the connection at both ends."""
        if self in self.relaying.alive:
            self.relaying.alive.discard(self)
            self.relaying.cuts += 1
            for end in self.ends:
                # Lingering for no time: the ends see a reset, not an ordinary end.
                end.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
                end.transport.abort()

    async def pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, way: int, not_before: float
    ) -> None:
        """Carry what comes from one end to the other, at the pace of the lane."""
        link, lane = self.relaying.link, self.relaying.lanes[way]
        under_way: asyncio.Queue[tuple[float, bytes | None]] = asyncio.Queue()
        delivering = asyncio.create_task(self.deliver(under_way, sink))
        data: bytes | None = b"begun"
        while data:
            try:
                data = await source.read(CHUNK if link.bits_per_s else 1 << 16)
            except OSError:
                data = None
            if data:
                await asyncio.sleep(not_before - time.monotonic())
                await lane.carry(len(data))
                data = data[: int(min(self.left, len(data)))]
                self.left -= len(data)
                self.relaying.passed[way] += len(data)
                self.relaying.requests += data.count(b" HTTP/1.1\r\n") if way == 0 else 0
            arrives = time.monotonic() + link.round_trip_s / 2
            under_way.put_nowait((arrives, data))
            if data and self.left < 1:
                under_way.put_nowait((arrives, None))
                break
        await delivering

    async def deliver(
        self, under_way: asyncio.Queue[tuple[float, bytes | None]], sink: asyncio.StreamWriter
    ) -> None:
        """Hand on what has arrived; b"" is an ordinary end, None a cut."""
        with contextlib.suppress(OSError):
            data: bytes | None = b"begun"
            while data:
                at, data = await under_way.get()
                await asyncio.sleep(at - time.monotonic())
                if data:
                    sink.write(data)
                    await sink.drain()
                elif data is None:
                    self.cut()
                elif sink.can_write_eof():
                    sink.write_eof()
