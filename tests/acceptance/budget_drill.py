"""Many clients stream through several gateways from one provider that fails now and then, while somebody reads the books."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import orjson

from interlock.adapters.keys import EncryptionKeyFile
from interlock.adapters.sql import open_store
from interlock.domain.budgets import Balance
from interlock.domain.canonical import Json
from interlock.domain.identity import Principal, Role
from interlock.domain.ids import AgentId, PrincipalId, RunId, TenantId
from interlock.domain.models import Dialect, ModelCallRecord, Usage
from interlock.gateway.access_desk import operator_at_the_machine
from interlock.gateway.run_desk import Opening
from interlock.models.counting import request_tokens
from interlock.models.ports import ModelCallFilter
from interlock.models.tokens.counting import counter
from interlock.wiring import open_interlock
from tests.kits.console import Console
from tests.kits.models import IN_NANO, OUT_NANO, WIRES
from tests.kits.upstreams import Act, Fault, Received, Upstream, an_upstream

TENANT = TenantId("acme")
DRILLED = AgentId("drilled")
MODELS = ("m-0", "m-1", "m-2", "m-3")
RUNS = tuple(RunId(f"run-{number}") for number in range(8))
FAULTS = tuple(fault for fault in Fault if fault is not Fault.NONE)
ONE_IN = 20
"""So many requests that reach the provider, one of them meets a fault: 5 %."""
GONE = 0.2
"""The share of clients' calls that are left before their end."""
_COUNT = counter()


def tokens(text: str) -> int:
    """Count as Interlock does where no provider says."""
    return _COUNT.count(text, MODELS[0])


def input_tokens(raw: bytes) -> int:
    """Count the prompt of a request as Interlock does."""
    return request_tokens(WIRES[Dialect.OPENAI_CHAT].read_request(orjson.loads(raw)), tokens)


def act(request: Received) -> Act:
    """Say twenty words or so, and fail at every twentieth request, in each way in turn."""
    draw = random.Random(request.number)
    said = " ".join(draw.choices(("paid", "refund", "order", "customer", "yes", "no", "ship"), k=draw.randint(3, 40)))
    turn, rest = divmod(request.number, ONE_IN)
    fault = Fault.NONE if rest != ONE_IN - 1 else FAULTS[turn % len(FAULTS)]
    return Act(fault, words=said, pause_s=draw.choice((0.0, 0.001, 0.003)), retry_after="1")


def write_deployment(folder: Path, store: str, upstream: str, most: int) -> None:
    """Write a deployment whose agent may use `most` tokens."""
    models = {name: {"provider": "up", "fallbacks": [MODELS[(at + 1) % len(MODELS)]]} for at, name in enumerate(MODELS)}
    waits = {"connect": "4s", "first_byte": "3s", "between_bytes": "2s", "total": "6s"}
    files: dict[str, Json] = {
        "interlock.yaml": {
            "tenant": TENANT,
            "store": store,
            "agents": ["agent.yaml"],
            "router": "router.yaml",
            "limits": [
                {"at_most": most, "of": "tokens", "per": "agent", "every": "ever", "id": "tokens"},
                {"at_most": "5000 USD", "of": "cost", "per": "tenant", "every": "ever", "id": "cost"},
                {"at_most": 10**6, "of": "model_calls", "per": "tenant", "every": "ever", "id": "calls"},
                {"at_most": most // 6, "of": "tokens", "per": "run", "every": "ever", "id": "run"},
            ],
        },
        "agent.yaml": {"agent": {"name": DRILLED, "owner": "test"}, "tools": {"allowlist": []}},
        "router.yaml": {
            "version": 1,
            "providers": {"up": {"type": "openai_compatible", "base_url": f"{upstream}/v1"}},
            "models": models,
            "tiers": {"all": {"models": list(MODELS)}},
            "defaults": {"use": "all", "timeouts": waits, "retries": {"attempts": 2, "base": "1ms", "max": "1s"}},
            "steps": {"cancel": {"on_disconnect": "cancel"}},
            "prices": "prices.yaml",
        },
        "prices.yaml": {
            "prices": [{"provider": "up", "model": "*", "input": IN_NANO / 1000, "output": OUT_NANO / 1000}]
        },
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))


async def a_key(folder: Path) -> str:
    """Open the runs of the drill; return a key of its agent."""
    async with open_interlock(folder) as interlock:
        admin = operator_at_the_machine(TENANT, "test")
        key, _ = await interlock.desks.access.create_key(admin, "bot", frozenset({Role.AGENT}), DRILLED)
        agent = Principal(PrincipalId("bot"), TENANT, frozenset({Role.AGENT}), DRILLED)
        for run in RUNS:
            await interlock.desks.runs.open(agent, Opening(run=run, instruction="Drill."))
    return key


@asynccontextmanager
async def gateways(folder: Path, number: int) -> AsyncIterator[tuple[str, ...]]:
    """Serve the deployment from so many processes; they have ended, and ended well, afterwards."""
    console, urls = Console(folder), []
    processes = [await console.start("serve", "--port", "0", "--json") for _ in range(number)]
    try:
        for process in processes:
            assert process.stdout is not None
            urls.append(json.loads(await asyncio.wait_for(process.stdout.readline(), 60))["url"])
        yield tuple(urls)
        for process in processes:
            process.terminate()
        told = [await asyncio.wait_for(process.communicate(), 60) for process in processes]
        assert [process.returncode for process in processes] == [0] * number, told
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
                await process.communicate()


@dataclass(slots=True)
class Books:
    """What the sampler saw: the most that was ever spent and held together, by budget."""

    samples: int = 0
    most: dict[str, int] = field(default_factory=dict)
    passed: list[Balance] = field(default_factory=list)
    """Balances beyond their limit. There must be none."""

    def look(self, balances: tuple[Balance, ...]) -> None:
        self.samples += 1
        for one in balances:
            self.most[one.budget] = max(self.most.get(one.budget, 0), one.spent + one.held)
            if one.spent + one.held > one.limit:
                self.passed.append(one)


@asynccontextmanager
async def sampled(store_url: str) -> AsyncIterator[Books]:
    """Read the balances all the time."""
    store, books = await open_store(store_url), Books()

    async def go_on() -> None:
        while True:
            books.look(await store.read(lambda tx: tx.budgets.balances("")))
            await asyncio.sleep(0.005)

    task = asyncio.create_task(go_on())
    try:
        yield books
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await store.close()


@dataclass(slots=True)
class Client:
    """One of those who ask. Keeps how its calls ended."""

    urls: tuple[str, ...]
    key: str
    number: int
    http: aiohttp.ClientSession
    ends: Counter[str] = field(default_factory=Counter)

    async def ask(self, first: int, calls: int) -> None:
        """Make the calls numbered from `first`, one after the other, by either gateway."""
        for call in range(first, first + calls):
            draw = random.Random(f"call {call}")
            leaves = draw.random() < GONE
            try:
                async with asyncio.timeout(draw.random() * 0.15 if leaves else 60):
                    self.ends[await self._one(call, draw, leaves=leaves)] += 1
            except TimeoutError:
                assert leaves, f"call {call} hangs"
                self.ends["left"] += 1

    async def _one(self, call: int, draw: random.Random, *, leaves: bool) -> str:
        streamed = draw.random() < 0.875
        words = "What is the state of my order, please? " * draw.randint(10, 120)
        body: dict[str, Json] = {
            "model": draw.choice(MODELS),
            "messages": [{"role": "user", "content": f"call {call}: {words}"}],
            "max_tokens": 400,
            "stream": streamed,
        }
        headers = {"Authorization": f"Bearer {self.key}", "x-interlock-label-n": str(call)}
        headers["x-interlock-run"] = RUNS[call % len(RUNS)]
        if leaves and draw.random() < 0.25:
            headers["x-interlock-step"] = "cancel"
        url = f"{draw.choice(self.urls)}/v1/chat/completions"
        async with self.http.post(url, json=body, headers=headers) as answer:
            try:
                said = await answer.read()
            except aiohttp.ClientPayloadError:
                return "cut"
            if answer.status != 200:
                return str(orjson.loads(said)["error"]["code"])
            assert not streamed or said.endswith(b"data: [DONE]\n\n"), "a clean end without the terminator"
            return "served"


@dataclass(slots=True)
class Drill:
    """What happened."""

    books: Books
    ends: Counter[str]
    upstream: Upstream
    records: tuple[ModelCallRecord, ...]
    balances: tuple[Balance, ...]
    """After everything has ended."""

    def balance(self, limit: str) -> Balance:
        return next(one for one in self.balances if one.budget.split("|")[1].endswith(f"/{limit}"))

    def by_call(self) -> dict[str, tuple[list[ModelCallRecord], list[tuple[Received, Usage, Fault]]]]:
        """Return what was recorded and what the provider put on its bill, by the client's number of the call."""
        found: dict[str, tuple[list[ModelCallRecord], list[tuple[Received, Usage, Fault]]]] = defaultdict(
            lambda: ([], [])
        )
        for record in self.records:
            found[dict(record.call.labels)["n"]][0].append(record)
        for received, charge in zip(self.upstream.received, self.upstream.charges, strict=True):
            said = str(received.body["messages"][0]["content"])
            number = said.partition(":")[0].removeprefix("call ")
            found[number][1].append((received, charge.usage, charge.fault))
        return found


async def drill(folder: Path, store: str, *, clients: int, calls: int, most: int) -> Drill:
    """Have `clients` make `calls` each through two gateways, and return what happened once both have ended."""
    ends: Counter[str] = Counter()
    async with an_upstream(Dialect.OPENAI_CHAT, act, count_input=input_tokens, count_output=tokens) as upstream:
        write_deployment(folder, store, upstream.url, most)
        key = await a_key(folder)
        async with sampled(store) as books:
            async with (
                gateways(folder, 2) as urls,
                aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
            ):
                asking = [Client(urls, key, number, http, ends) for number in range(clients)]
                await asyncio.gather(*(one.ask(one.number * calls, calls) for one in asking))
            books.look(await _balances(store))
        kept = await open_store(store, EncryptionKeyFile(folder / ".interlock"))
        every = ModelCallFilter(TENANT, limit=10**6)
        records = await kept.read(lambda tx: tx.models.search(every))
        await kept.close()
        return Drill(books, ends, upstream, records, await _balances(store))


async def _balances(store_url: str) -> tuple[Balance, ...]:
    store = await open_store(store_url)
    found = await store.read(lambda tx: tx.budgets.balances(""))
    await store.close()
    return found
