"""A gateway that is killed in the middle of streams costs at most what it held; nothing of the rest is torn or lost."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from interlock.adapters.keys import EncryptionKeyFile
from interlock.adapters.sql import open_store
from interlock.domain.audit import AuditKind
from interlock.domain.canonical import Json
from interlock.domain.models import Dialect, ModelCallRecord, ModelCallStatus
from interlock.gateway.store import Store, Tx
from interlock.models.ports import ModelCallFilter
from tests.acceptance.budget_drill import RUNS, TENANT, a_key, input_tokens, sampled, tokens, write_deployment
from tests.kits.upstreams import Act, Received, Upstream, an_upstream

WORKER = Path(__file__).with_name("model_worker.py")
MOST = 3_000_000
WORDS = "your refund for the order is on its way and will arrive within three days or so " * 2


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    return str(request.getfixturevalue("postgres_dsn"))


def act(request: Received) -> Act:
    """Speak slowly; every other reply proposes a call."""
    number = request.number
    calls = (("call_1", "look", f'{{"order": {number}}}'),) if number % 2 else ()
    return Act(words=WORDS if number % 3 else "Done", calls=calls, pause_s=0.004)


@dataclass(frozen=True, slots=True)
class Gateway:
    """One process that serves."""

    pid: int
    url: str
    owner: str


@dataclass(slots=True)
class Gateways:
    """The worker, and what its children say."""

    folder: Path
    process: asyncio.subprocess.Process

    async def start(self) -> Gateway:
        assert self.process.stdin is not None
        self.process.stdin.write(f"go {self.folder}\n".encode())
        await self.process.stdin.drain()
        word, pid, url, owner = await self._line()
        assert word == "serves"
        return Gateway(int(pid), url, owner)

    async def end(self, one: Gateway) -> None:
        os.kill(one.pid, signal.SIGTERM)
        assert await self._line() == ["ended", str(one.pid)]

    async def _line(self) -> list[str]:
        assert self.process.stdout is not None
        return (await asyncio.wait_for(self.process.stdout.readline(), 60)).decode().split()


@asynccontextmanager
async def gateways(folder: Path) -> AsyncIterator[Gateways]:
    pipe = asyncio.subprocess.PIPE
    paths = os.pathsep.join(path for path in sys.path if path)
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(WORKER), stdin=pipe, stdout=pipe, env={**os.environ, "PYTHONPATH": paths}
    )
    try:
        yield Gateways(folder, process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await asyncio.wait_for(process.wait(), 20)


@dataclass(slots=True)
class Clients:
    """Those who ask the gateways, until each has gone away or is told to stop."""

    http: aiohttp.ClientSession
    key: str
    asked: int = 0
    complete: set[str] = field(default_factory=set)
    """Calls whose stream came whole."""
    proposing: set[str] = field(default_factory=set)
    """Those of them that proposed a call of a tool."""
    broken: int = 0

    async def ask(self, url: str) -> None:
        """Ask one call after the other until the gateway is gone or we are cancelled."""
        while True:
            self.asked += 1
            number = str(self.asked)
            try:
                await self._one(url, number)
            except aiohttp.ClientError:
                self.broken += 1
                return

    async def _one(self, url: str, number: str) -> None:
        words = f"call {number}: Where is my order? " + "Please tell me. " * random.randint(1, 60)
        body: dict[str, Json] = {
            "model": "m-0",
            "messages": [{"role": "user", "content": words}],
            "max_tokens": 200,
            "stream": True,
        }
        headers = {"Authorization": f"Bearer {self.key}", "x-interlock-label-n": number}
        headers["x-interlock-run"] = RUNS[int(number) % len(RUNS)]
        async with self.http.post(f"{url}/v1/chat/completions", json=body, headers=headers) as answer:
            said = await answer.read()
        assert answer.status == 200, said
        assert said.endswith(b"data: [DONE]\n\n"), "a clean end without the terminator"
        self.complete.add(number)
        if b"tool_calls" in said:
            self.proposing.add(number)


async def kill_one(processes: Gateways, clients: Clients, living: Gateway, store: Store) -> str:
    """Kill a gateway within its streams, beside one that lives; return its owner once the other has reclaimed."""
    victim = await processes.start()
    asking = [asyncio.create_task(clients.ask(victim.url)) for _ in range(12)]
    others = [asyncio.create_task(clients.ask(living.url)) for _ in range(4)]
    await asyncio.sleep(random.uniform(0.3, 0.8))
    os.kill(victim.pid, signal.SIGKILL)
    await asyncio.wait_for(asyncio.gather(*asking), 10)
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    for _ in range(1_000):
        held = await store.read(lambda tx: tx.budgets.slices(frozenset({living.owner})))
        if not held:
            return victim.owner
        await asyncio.sleep(0.01)
    raise AssertionError(f"nobody reclaims what {victim.owner} held")


async def bury(url: str, folder: Path, kills: int) -> None:
    """Kill gateways one after the other, and look at the books."""
    async with an_upstream(Dialect.OPENAI_CHAT, act, count_input=input_tokens, count_output=tokens) as upstream:
        write_deployment(folder, url, upstream.url, MOST)
        key = await a_key(folder)
        store = await open_store(url, EncryptionKeyFile(folder / ".interlock"))
        async with sampled(url) as books, gateways(folder) as processes, aiohttp.ClientSession() as http:
            clients, living = Clients(http, key), await processes.start()
            dead = [await kill_one(processes, clients, living, store) for _ in range(kills)]
            await processes.end(living)
        assert books.passed == []
        assert clients.broken >= kills * 12, "every stream of the dead broke, and none looked complete"
        await check(store, upstream, clients, set(dead))
        await store.close()


async def check(store: Store, upstream: Upstream, clients: Clients, dead: set[str]) -> None:
    """Compare budgets, records, audit trail and the provider's bill."""

    def look(tx: Tx) -> tuple[ModelCallRecord, ...]:
        return tx.models.search(ModelCallFilter(TENANT, limit=10**6))

    records = await store.read(look)
    balances = await store.read(lambda tx: tx.budgets.balances(""))
    events = await store.read(lambda tx: tx.audit.search(TENANT, subject=None, limit=10**6))
    written = [event for event in events if event.kind is AuditKind.BUDGET_WRITTEN_OFF]
    assert {event.body["owner"] for event in written} == dead
    assert [one for one in balances if one.held] == []
    (spent,) = [one for one in balances if one.budget.split("|")[1].endswith("/tokens")]
    lost = sum(int(event.body["amount"]) for event in written if event.subject == spent.budget)
    recorded = sum(record.usage.total for record in records)
    assert spent.spent == recorded + lost, "record and spending commit together, and what was held counts as spent"
    assert recorded < upstream.charged.total <= spent.spent, "what the dead had under way is paid"

    assert {record.status for record in records} <= {ModelCallStatus.SUCCEEDED, ModelCallStatus.ABANDONED}
    assert all(record.attempts and record.usage.total for record in records)
    called = {event.subject.rsplit("/", 1)[-1] for event in events if event.kind is AuditKind.MODEL_CALLED}
    assert called == {record.call.id for record in records}, "a record and its audit event commit together"
    known = {dict(record.call.labels)["n"] for record in records if record.proposals}
    assert clients.proposing, "replies proposed calls"
    assert clients.proposing <= known, "what a client may act on is on disk before it is told"


async def test_a_gateway_killed_within_its_streams_is_paid_for_and_nothing_is_torn(
    url: str, tmp_path: Path, faults: int
) -> None:
    await bury(url, tmp_path, max(2, faults // 10))
