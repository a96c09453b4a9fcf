"""One round: the same loads on one stack, while the others stand still."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from benchmarks.models import load
from benchmarks.models.deployment import wrong_in_books
from benchmarks.models.exchange import TEXT, USAGE, question, told
from benchmarks.models.figures import Round
from benchmarks.models.load import Ask, Load
from benchmarks.models.processes import PROXY_CORE, core_busy_us
from benchmarks.models.stacks import Stack
from benchmarks.models.wire import LoadFailed, connect, request

CLIENTS, STREAMS = 32, 16
SAMPLES = 20
_FIRST_S = 60.0


@dataclass(frozen=True, slots=True)
class Asks:
    """The three kinds of requests to one stack."""

    plain: Ask
    stream: Ask
    paced: Ask


def asks(stack: Stack) -> Asks:
    """Return the requests that `stack` is asked."""

    def ask(body: bytes, good: Callable[[bytes], bool]) -> Ask:
        port = stack.server.port
        return Ask(port, request(stack.path, body, port, stack.headers), good, stack.tally)

    last = TEXT.encode()[-20:]
    return Asks(
        ask(question(), lambda body: last in body),
        ask(question(stream=True), _ended),
        ask(question(stream=True, paced=True), _ended),
    )


def _ended(body: bytes) -> bool:
    return b"data: [DONE]" in body[-40:]


async def checked(asked: Asks) -> None:
    """See that a stack answers with the whole text and the right usage, or raise LoadFailed."""
    connection = await connect(asked.plain.port)
    try:
        async with asyncio.timeout(_FIRST_S):
            said = orjson.loads((await asked.plain.send(connection)).body)
            if (
                said["choices"][0]["message"]["content"] != TEXT
                or said["usage"]["total_tokens"] != USAGE["total_tokens"]
            ):
                raise LoadFailed(f"The answer is another: {said}")
            for streamed in (asked.stream, asked.paced):
                heard = told((await streamed.send(connection)).body)
                if heard != (TEXT, USAGE, True):
                    raise LoadFailed(f"The stream is another: {heard}")
    except TimeoutError:
        raise LoadFailed(f"It did not answer within {_FIRST_S:.0f} s.") from None
    finally:
        connection.close()


async def warmed_up(stack: Stack) -> None:
    """Let every kind of load pass until compilers have compiled and pools are filled; then hold the stack."""
    asked = asks(stack)
    with awake(stack):
        await load.so_many(asked.plain, CLIENTS, _WARM, within_s=_WARM_S)
        for streamed in (asked.stream, asked.paced):
            await load.so_many(streamed, STREAMS, _WARM // 10, within_s=_WARM_S / 2)


_WARM, _WARM_S = 8_000, 12.0
"""Portkey halves its cost within the first 5,000 requests; who is too slow for that has no compiler to wait for."""


async def one_round(stack: Stack, seconds: float, rate: int) -> Round:
    """Return what `stack` takes for each kind of load, each `seconds` long."""
    asked = asks(stack)
    with awake(stack):
        began, busy, own = time.perf_counter(), core_busy_us(PROXY_CORE), _own_us(stack)
        # Not measured: who has just stood still is slower for a while, above all where memory was given back.
        await load.at_once(asked.plain, CLIENTS, seconds)
        await load.at_once(asked.stream, STREAMS, seconds / 2)
        turn = await load.in_turn(asked.plain, seconds / 2)
        full, cpu_us = await _costed(stack, load.at_once(asked.plain, CLIENTS, seconds))
        steady, steady_us = None, None
        if full.count / full.seconds > rate * _HEADROOM:
            steady, steady_us = await _costed(stack, load.per_second(asked.plain, rate, seconds))
        _, stream_us = await _costed(stack, load.at_once(asked.stream, STREAMS, seconds))
        _, paced_us = await _costed(stack, load.at_once(asked.paced, STREAMS, seconds))
        taken = core_busy_us(PROXY_CORE) - busy - (_own_us(stack) - own)
        return Round(
            cpu_us=cpu_us,
            per_second=full.count / full.seconds,
            turn_min_ms=min(turn.milliseconds),
            turn_p50_ms=turn.quantile(0.5),
            rate_p50_ms=steady.quantile(0.5) if steady else None,
            rate_p99_ms=steady.quantile(0.99) if steady else None,
            rate_cpu_us=steady_us,
            stream_cpu_us=stream_us,
            paced_cpu_us=paced_us,
            rss_mb=stack.server.rss_mb(),
            others=max(0.0, taken / 1e6 / (time.perf_counter() - began)),
        )


def _own_us(stack: Stack) -> float:
    """CPU time of the server on the proxies' core; the upstream is not there."""
    return stack.server.cpu_us() if stack.held else 0.0


_HEADROOM = 1.5
"""A server that answers fewer than this many times the rate would only grow a queue."""


async def _costed(stack: Stack, loading: Awaitable[Load]) -> tuple[Load, float]:
    """Return the load and the server's CPU microseconds for each answer, with what it puts off until it has answered."""
    await asyncio.sleep(_MOMENT_S)
    before = stack.server.cpu_us()
    done = await loading
    await asyncio.sleep(_MOMENT_S)
    return done, (stack.server.cpu_us() - before) / done.count


async def soak(stack: Stack, count: int) -> list[float]:
    """Send `count` requests and return the resident memory in MB: before, on the way, and after."""
    asked = asks(stack)
    sizes = [stack.server.rss_mb()]
    with awake(stack):
        for _ in range(SAMPLES):
            await load.so_many(asked.plain, CLIENTS, count // SAMPLES)
            sizes.append(stack.server.rss_mb())
    return sizes


async def booked(stack: Stack, folder: Path) -> str:
    """Return what is wrong with Interlock's books about the calls that it answered, or nothing; it may take a moment."""
    wrong = ""
    with awake(stack):
        for _ in range(_LOOKS):
            if not (wrong := wrong_in_books(folder, stack.tally.answers)):
                return ""
            await asyncio.sleep(_MOMENT_S)
    return wrong


_LOOKS = 30


@contextmanager
def awake(stack: Stack) -> Iterator[None]:
    """Let a held stack run while the block lasts, with a moment for what it has missed."""
    if not stack.held:
        yield
        return
    with stack.server.awake():
        time.sleep(_MOMENT_S)
        yield


_MOMENT_S = 0.3
