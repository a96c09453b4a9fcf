"""The kinds of load: one request after the other, so many per second, and as many as go from so many clients."""

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from benchmarks.models.wire import Answer, Connection, LoadFailed, connect

_DRAIN_S = 20.0


@dataclass(slots=True)
class Tally:
    """How many good answers one server gave, to whatever was asked."""

    answers: int = 0


@dataclass(frozen=True, slots=True)
class Ask:
    """One kind of request to one server, and what a good answer to it holds."""

    port: int
    request: bytes
    good: Callable[[bytes], bool]
    tally: Tally

    async def send(self, connection: Connection) -> Answer:
        """Return a good answer, or raise LoadFailed."""
        answer = await connection.ask(self.request)
        if answer.status != _OK or not self.good(answer.body):
            raise LoadFailed(f"Answer {answer.status}: {answer.body[:400].decode(errors='replace')}")
        self.tally.answers += 1
        return answer


_OK = 200


@dataclass(slots=True)
class Load:
    """What was sent, and how long each answer took."""

    milliseconds: list[float] = field(default_factory=list)
    seconds: float = 0.0
    sent: int = 0

    @property
    def count(self) -> int:
        """How many requests were answered."""
        return len(self.milliseconds)

    def quantile(self, share: float) -> float:
        """Return the time, in milliseconds, within which that share of the answers came."""
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def in_turn(ask: Ask, seconds: float, at_least: int = 20) -> Load:
    """Send one request after the other on one connection."""
    return await _while(ask, 1, lambda load, now: now < seconds or load.count < at_least)


async def at_once(ask: Ask, clients: int, seconds: float) -> Load:
    """Let so many clients send one request after the other, each on a connection of its own."""
    return await _while(ask, clients, lambda _, now: now < seconds)


async def so_many(ask: Ask, clients: int, count: int, within_s: float = math.inf) -> Load:
    """Let so many clients send `count` requests together, or what they can within that time."""
    return await _while(ask, clients, lambda load, now: load.sent < count and now < within_s)


async def _while(ask: Ask, clients: int, more: Callable[[Load, float], bool]) -> Load:
    load = Load()
    async with AsyncExitStack() as stack:
        connections = [await connect(ask.port) for _ in range(clients)]
        for each in connections:
            stack.callback(each.close)
        start = time.perf_counter()

        async def client(connection: Connection) -> None:
            sent = time.perf_counter()
            while more(load, sent - start):
                load.sent += 1
                await ask.send(connection)
                now = time.perf_counter()
                load.milliseconds.append((now - sent) * 1e3)
                sent = now

        await asyncio.gather(*map(client, connections))
        load.seconds = time.perf_counter() - start
    return load


async def per_second(ask: Ask, rate: int, seconds: float) -> Load:
    """Send `rate` requests per second, whether or not earlier ones are answered.

    Raises LoadFailed when some are still unanswered long after the last was sent.
    """
    load, idle, everyone = Load(), list[Connection](), list[Connection]()

    async def one() -> None:
        connection = idle.pop() if idle else None
        if connection is None:
            everyone.append(connection := await connect(ask.port))
        sent = time.perf_counter()
        load.sent += 1
        await ask.send(connection)
        load.milliseconds.append((time.perf_counter() - sent) * 1e3)
        idle.append(connection)

    start, tasks = time.perf_counter(), set[asyncio.Task[None]]()
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, start + number / rate - time.perf_counter()))
        tasks.add(asyncio.create_task(one()))
    load.seconds = time.perf_counter() - start
    _, late = await asyncio.wait(tasks, timeout=_DRAIN_S)
    for task in late:
        task.cancel()
    for each in everyone:
        each.close()
    if late:
        raise LoadFailed(f"{len(late)} requests were unanswered {_DRAIN_S:.0f} s after the last was sent.")
    for task in tasks:
        task.result()
    return load
