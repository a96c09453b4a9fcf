"""The model surface behind the real door, over a short road: a scripted provider, and nothing between but the wire."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson

from interlock.adapters.providers.scripted import ScriptedProvider
from interlock.domain.canonical import Json
from interlock.domain.errors import BudgetExceeded, InterlockError, ReplyCut, Unauthenticated, UnknownModel
from interlock.domain.identity import Principal, Role, Scope
from interlock.domain.ids import AgentId, PrincipalId, RunId, TenantId
from interlock.domain.models import Dialect
from interlock.gateway.models.requests import ModelAsk, ModelReply, OpenModel, Outlet
from interlock.models.codecs.anthropic import Anthropic
from interlock.models.codecs.openai_chat import OpenAiChat
from interlock.models.codecs.openai_embeddings import OpenAiEmbeddings
from interlock.models.codecs.openai_responses import OpenAiResponses
from interlock.models.counting import request_tokens
from interlock.models.ports import Answer, Outbound
from interlock.models.sse import Splitter
from interlock.models.wire import Wire
from interlock.server.guard import DoorRules, Guard
from interlock.server.models.ports import Gate
from interlock.server.models.routes import model_routes, model_surfaces
from interlock.server.routing import Routes
from tests.kits.mcp import serving

KEY = "ilk_" + "k" * 43
TOKEN = "ilt_" + "t" * 43
OPERATOR = "ilk_" + "o" * 43
RUN = RunId("run-of-the-token")
MODELS = ("scripted", "broke", "claude-sonnet-4-5", "tier-small")
WEATHER: Json = {"tool": "get_weather", "arguments": {"city": "Oslo"}}
BERGEN: Json = {"tool": "get_weather", "arguments": {"city": "Bergen"}}
REPORT: Json = {"city": "Oslo", "celsius": 7}
SCRIPT: Json = [
    {"id": "told", "after": ["get_weather"], "say": "It is 7 degrees there."},
    {"id": "weather", "last": "weather in Oslo", "calls": [WEATHER]},
    {"id": "both", "last": "Compare", "calls": [WEATHER, BERGEN]},
    {"id": "report", "last": "Report on", "json": REPORT},
    {"id": "form", "last": "Fill in the form", "calls": [{"tool": "final_result", "arguments": REPORT}]},
    {"id": "look", "last": "Look at this", "say": "I see a picture."},
    {"id": "cut", "last": "Break off", "say": "These words break off before their end.", "cut_after": 4},
    {
        "id": "fail",
        "last": "Fail in the middle",
        "say": "These words end in an error.",
        "error": {"status": 529, "after": 4, "message": "The provider is overloaded"},
    },
    {"id": "hello", "last": "", "say": "Hello from the script."},
]


def wires() -> Mapping[Dialect, Wire]:
    """The formats of the surface."""
    made: tuple[Wire, ...] = (OpenAiChat(), OpenAiResponses(), OpenAiEmbeddings(), Anthropic())
    return {wire.dialect: wire for wire in made}


def count(text: str) -> int:
    """Four characters are a token."""
    return -(-len(text) // 4)


@dataclass(slots=True)
class ShortRoad(Gate):
    """Checks, asks, answers. Remembers what it was asked, and fails as a test tells it to."""

    wires: Mapping[Dialect, Wire] = field(default_factory=wires)
    asks: list[ModelAsk] = field(default_factory=list)
    failure: Exception | None = None

    async def reply(self, ask: ModelAsk) -> ModelReply:
        answer = await self._open(ask, stream=False)
        body = await answer.read()
        return ModelReply(body, ((b"x-interlock-call", b"mc_1"),))

    async def stream(self, ask: ModelAsk, outlet: Outlet) -> None:
        answer = await self._open(ask, stream=True)
        wire = self.wires[ask.dialect]
        splitter, tap = Splitter(), wire.tap(hide_usage=wire.with_usage(dict(ask.body)))
        await outlet.start(((b"x-interlock-call", b"mc_1"),))
        try:
            async for chunk in answer.chunks():
                for event in splitter.feed(chunk):
                    if tap.feed(event):
                        await outlet.send(event.raw)
            if not tap.finished:
                raise ReplyCut("The reply broke off")
        except InterlockError as error:
            if not isinstance(error, ReplyCut):
                # A mere cut is left bare, to see what clients make of the broken connection alone.
                await outlet.send(wire.stream_error(error))
            await outlet.abort()
            return
        await outlet.finish()

    def models_for(self, principal: Principal) -> tuple[OpenModel, ...]:
        small = OpenModel("tier-small", "")
        return (*(OpenModel(name, "script", 200_000, 8_000) for name in MODELS[:3]), small)

    async def count(self, ask: ModelAsk) -> int:
        self._admit(ask)
        return request_tokens(self.wires[ask.dialect].read_request(ask.body), count)

    async def _open(self, ask: ModelAsk, *, stream: bool) -> Answer:
        self._admit(ask)
        provider = ScriptedProvider("script", SCRIPT, self.wires, count)
        body = dict(ask.body)
        if stream:
            self.wires[ask.dialect].with_usage(body)
        outbound = Outbound(ask.operation, "scripted", orjson.dumps(body), stream, 1_000, 1_000)
        answer = await provider.open(outbound, ask.dialect)
        if answer.status >= 400:
            raise self.wires[ask.dialect].read_error(answer.status, await answer.read())
        return answer

    def _admit(self, ask: ModelAsk) -> None:
        self.asks.append(ask)
        if self.failure is not None:
            raise self.failure
        self.wires[ask.dialect].check(ask.body)
        if ask.body["model"] not in MODELS:
            raise UnknownModel("No model of this name is open to this agent", do="GET /v1/models lists them")
        if ask.body["model"] == "broke":
            raise BudgetExceeded(
                "The budget of the run is spent", why="0.00 of 5.00 USD are left", do="Raise the limit"
            )


async def authenticate(token: str) -> Principal:
    """Know one agent by its key, the token of one of its runs, and an operator."""
    agent = Principal(PrincipalId("bot"), TenantId("acme"), frozenset({Role.AGENT}), AgentId("refunds"))
    known = {
        KEY: agent,
        TOKEN: Principal(agent.id, agent.tenant, agent.roles, agent.agent, Scope(RUN, None, 0)),
        OPERATOR: Principal(PrincipalId("olga"), agent.tenant, frozenset({Role.OPERATOR})),
    }
    if token not in known:
        raise Unauthenticated("This bearer token is not known", do="Use a key that was given out")
    return known[token]


@asynccontextmanager
async def a_model_surface(road: ShortRoad | None = None, *, http: str = "auto") -> AsyncIterator[tuple[str, ShortRoad]]:
    """Serve the surface on a free port; yields its base URL and its road. `http` names uvicorn's parser."""
    road = road or ShortRoad()
    app = Guard(Routes(model_routes(road)), DoorRules(), authenticate, model_surfaces())
    async with serving(app, http=http) as url:
        yield url, road
