"""The model road over a store, with providers, routes and prices of a test's own."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import orjson

from interlock.adapters.memory import MemoryStore
from interlock.adapters.providers.http import ProviderHttp
from interlock.adapters.providers.openai import OpenAiCompatible
from interlock.adapters.providers.scripted import ScriptedProvider
from interlock.domain.agents import AgentPolicy
from interlock.domain.budgets import Limit
from interlock.domain.canonical import Json
from interlock.domain.ids import RunId
from interlock.domain.models import Dialect, ModelCallRecord, Usage
from interlock.domain.overlays import Overlay
from interlock.domain.route_settings import Settings
from interlock.domain.routes import DeclaredModel, RouteRule, Routes, Tier
from interlock.gateway.leases import LeaseBook
from interlock.gateway.model_call import ModelGate
from interlock.gateway.models.admission import ModelAdmitter
from interlock.gateway.models.attempts import Attempts, PriceTag
from interlock.gateway.models.cache import ReplyCache
from interlock.gateway.models.embedding import Embedder
from interlock.gateway.models.requests import Headers, ModelAsk, Outlet
from interlock.gateway.models.standing import Standings
from interlock.gateway.recorder import Recorder
from interlock.gateway.store import Store
from interlock.models.codecs.anthropic import Anthropic
from interlock.models.codecs.bedrock import Bedrock
from interlock.models.codecs.gemini import Gemini
from interlock.models.codecs.openai_chat import OpenAiChat
from interlock.models.codecs.openai_embeddings import OpenAiEmbeddings
from interlock.models.codecs.openai_responses import OpenAiResponses
from interlock.models.counting import Count
from interlock.models.ports import ModelCallFilter, Operation, Provider
from interlock.models.routing import Candidate, Health, Router
from interlock.models.wire import Wire
from tests.kits.gate import AGENT, Kit, StillClock, a_kit, a_policy

WIRES: Mapping[Dialect, Wire] = {
    wire.dialect: wire
    for wire in (OpenAiChat(), OpenAiResponses(), OpenAiEmbeddings(), Anthropic(), Gemini(), Bedrock())
}
IN_NANO, OUT_NANO = 2_000, 8_000
"""What the test's models cost: 2 and 8 USD per million tokens."""


def words(text: str) -> int:
    """Count tokens as the upstreams of the tests do: one per word."""
    return len(text.split())


class WallClock(StillClock):
    """Time goes on."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class FlatPrice:
    """The same for every token."""

    input: int = IN_NANO
    output: int = OUT_NANO

    def covers(self, *, service_tier: str = "") -> bool:
        return service_tier in ("", "flex")

    def cost(self, usage: Usage, *, service_tier: str = "") -> int:
        return usage.input * self.input + usage.output * self.output

    def worst(self, input_tokens: int, output_tokens: int, *, service_tier: str = "", media: bool = True) -> int:
        return input_tokens * self.input + output_tokens * self.output


@dataclass(slots=True)
class Heard(Outlet):
    """What a caller of a stream gets."""

    data: bytearray = field(default_factory=bytearray)
    headers: Headers = ()
    ended: str = ""
    """`finished` or `aborted`."""

    async def start(self, headers: Headers) -> None:
        self.headers = headers

    async def send(self, data: bytes) -> None:
        self.data += data

    async def finish(self, last: bytes = b"") -> None:
        self.data += last
        self.ended = "finished"

    async def abort(self) -> None:
        self.ended = "aborted"

    async def gone(self) -> None:
        raise AssertionError("nobody goes away in this test")

    @property
    def events(self) -> list[Json]:
        """The JSON of every event."""
        lines = bytes(self.data).decode().splitlines()
        return [orjson.loads(line[6:]) for line in lines if line.startswith("data: ") and line != "data: [DONE]"]


@dataclass(slots=True)
class Road:
    """The road, and what is around it."""

    kit: Kit
    gate: ModelGate
    leases: LeaseBook
    recorder: Recorder
    health: Health
    router: Router
    prices: dict[str, PriceTag | None]
    """By declared model, where it is not the flat price."""

    @property
    def store(self) -> Store:
        return self.kit.store

    def ask(self, content: str = "Hello", model: str = "m", run: RunId | None = None, **more: Json) -> ModelAsk:
        body: dict[str, Json] = {"model": model, "messages": [{"role": "user", "content": content}], **more}
        return self.ask_in(Dialect.OPENAI_CHAT, body, run=run)

    def ask_in(
        self,
        dialect: Dialect,
        body: dict[str, Json],
        *,
        run: RunId | None = None,
        step: str = "",
        operation: Operation = Operation.REPLY,
    ) -> ModelAsk:
        size = len(orjson.dumps(body))
        return ModelAsk(AGENT, dialect, body, size, operation, run or self.kit.run or None, step)

    async def chat(self, content: str = "Hello", model: str = "m", **more: Json) -> Json:
        reply = await self.gate.reply(self.ask(content, model, **more))
        return orjson.loads(reply.body)

    async def stream(self, content: str = "Hello", model: str = "m", **more: Json) -> Heard:
        heard = Heard()
        await self.gate.stream(self.ask(content, model, stream=True, **more), heard)
        return heard

    async def records(self) -> tuple[ModelCallRecord, ...]:
        """Everything that is recorded, newest first, once all of it is."""
        await self.settled()
        query = ModelCallFilter(AGENT.tenant, limit=1_000)
        return await self.store.read(lambda tx: tx.models.search(query))

    async def record(self) -> ModelCallRecord:
        return (await self.records())[0]

    async def settled(self) -> None:
        """Wait until everything noted is on disk."""
        while self.recorder._waiting or self.recorder._under_way:
            self.recorder._due.set()
            await asyncio.sleep(0.001)

    async def balances(self) -> dict[str, tuple[int, int]]:
        """Return (spent, held) by the id of the limit, after what is idle went back."""
        await self.settled()
        await self.leases.give_back(list(self.leases._portions))
        rows = await self.store.read(lambda tx: tx.budgets.balances(""))
        return {row.budget.split("|")[1].partition("/")[2]: (row.spent, row.held) for row in rows}


def model(id: str = "m", provider: str = "up", **changes: object) -> DeclaredModel:
    declared = DeclaredModel(id, provider, id, provider, frozenset(Dialect), outside=False)
    return replace(declared, **changes)  # type: ignore[arg-type]


def scripted(name: str, rules: Json) -> Provider:
    return ScriptedProvider(name, rules, WIRES, words)


@asynccontextmanager
async def over_http(name: str, url: str) -> AsyncIterator[Provider]:
    """Yield the provider of OpenAI's formats that answers at `url`."""
    http = ProviderHttp()
    try:
        yield OpenAiCompatible(name, f"{url}/v1", http)
    finally:
        await http.close()


@asynccontextmanager
async def a_road(
    *providers: Provider,
    models: tuple[DeclaredModel, ...] = (),
    tiers: Mapping[str, Tier] | None = None,
    rules: tuple[RouteRule, ...] = (),
    default: str = "",
    settings: Settings | None = None,
    steps: Mapping[str, Settings] | None = None,
    limits: tuple[Limit, ...] = (),
    agent: AgentPolicy | None = None,
    store: Store | None = None,
    owner: str = "gw-1",
    clock: StillClock | None = None,
    overlays: tuple[Overlay, ...] | None = None,
) -> AsyncIterator[Road]:
    """Yield a road over `providers`; by default one scripted provider `up` with one model `m` that says hello."""
    given = providers or (scripted("up", [{"id": "hello", "say": "Hello from the script."}]),)
    kept = store or MemoryStore()
    kit = await a_kit(agent or a_policy(limits=limits), store=kept, owner=owner, clock=clock, overlays=overlays)
    settings = settings or Settings()
    declared = {one.id: one for one in models or (model(provider=given[0].name),)}
    routes = Routes(declared, "v1", tiers or {}, rules, default, settings, steps or {})
    router, health = Router(routes), Health(settings.breaker)
    prices: dict[str, PriceTag | None] = {}

    def price_of(candidate: Candidate, now: int) -> PriceTag | None:
        return prices.get(candidate.model, FlatPrice())

    def counter_of(name: str) -> Count:
        return words

    leases = LeaseBook(kept, owner, kit.clock)
    recorder = Recorder(kept, leases, owner)
    by_name = {one.name: one for one in given}
    attempts = Attempts(
        by_name, lambda _name, dialect: WIRES[dialect], leases, health, price_of, counter_of, kit.clock.now
    )
    admitter = ModelAdmitter(
        kit.publisher.current, router, WIRES, health, price_of, counter_of, Standings(kept), kit.clock
    )
    embedder = Embedder(router, WIRES[Dialect.OPENAI_EMBEDDINGS], attempts, recorder, "test prices")
    gate = ModelGate(admitter, attempts, ReplyCache(kept, embedder), recorder, "test prices")
    try:
        yield Road(kit, gate, leases, recorder, health, router, prices)
    finally:
        await recorder.close()
        await leases.close()
        for one in given:
            await one.close()


def no_models(kit: Kit) -> ModelGate:
    """Return the road of a deployment that routes no models."""
    leases = LeaseBook(kit.store, kit.owner, kit.clock)
    recorder, health = Recorder(kit.store, leases, kit.owner), Health()

    def price_of(candidate: Candidate, now: int) -> PriceTag | None:
        return None

    def counter_of(name: str) -> Count:
        return words

    attempts = Attempts({}, lambda _name, dialect: WIRES[dialect], leases, health, price_of, counter_of, kit.clock.now)
    admitter = ModelAdmitter(
        kit.publisher.current, None, WIRES, health, price_of, counter_of, Standings(kit.store), kit.clock
    )
    return ModelGate(admitter, attempts, ReplyCache(kit.store), recorder, "none")
