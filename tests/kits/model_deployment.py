"""A whole deployment whose models are a script, served: the model surface over the real road."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from interlock.domain.canonical import Json
from interlock.domain.identity import Principal, Role
from interlock.domain.ids import AgentId
from interlock.gateway.access_desk import operator_at_the_machine
from interlock.gateway.model_call import ModelGate
from interlock.gateway.models.requests import ModelAsk, ModelReply, OpenModel, Outlet
from interlock.server.app import build_app
from interlock.server.guard import DoorRules
from interlock.server.models.ports import Gate
from interlock.wiring import Interlock, open_interlock
from tests.kits.mcp import serving
from tests.kits.model_surface import SCRIPT

MODELS = ("scripted", "broke", "claude-sonnet-4-5")

FILES: dict[str, Json] = {
    "interlock.yaml": {
        "tenant": "acme",
        "store": "sqlite:///gate.db",
        "agents": ["agent.yaml"],
        "router": "router.yaml",
        "limits": [{"at_most": "1 USD", "of": "cost", "per": "agent", "every": "day", "id": "a-dollar-a-day"}],
    },
    "agent.yaml": {"agent": {"name": "refunds", "owner": "support-leads"}, "tools": {"allowlist": []}},
    "router.yaml": {
        "version": 1,
        "providers": {"script": {"type": "scripted", "script": "script.yaml"}},
        "models": {name: {"provider": "script", "context_window": 200_000, "images": True} for name in MODELS}
        | {"vectors": {"provider": "script", "embeddings": True}},
        "tiers": {"tier-small": {"models": ["scripted"]}},
        "defaults": {"use": "tier-small", "retries": {"attempts": 1}},
        "prices": "prices.yaml",
    },
    "prices.yaml": {
        "prices": [
            {"provider": "script", "model": "*", "input": 0.01, "output": 0.01},
            {"provider": "script", "model": "broke", "input": 900_000, "output": 900_000},
        ]
    },
    "script.yaml": {"rules": SCRIPT},
}


@dataclass(slots=True)
class Noting(Gate):
    """Writes down what the road is asked."""

    road: ModelGate
    asks: list[ModelAsk] = field(default_factory=list)

    async def reply(self, ask: ModelAsk) -> ModelReply:
        self.asks.append(replace(ask, body=dict(ask.body)))
        return await self.road.reply(ask)

    async def stream(self, ask: ModelAsk, outlet: Outlet) -> None:
        self.asks.append(replace(ask, body=dict(ask.body)))
        await self.road.stream(ask, outlet)

    def models_for(self, principal: Principal) -> tuple[OpenModel, ...]:
        return self.road.models_for(principal)

    async def count(self, ask: ModelAsk) -> int:
        return await self.road.count(ask)


@dataclass(slots=True)
class ServedModels:
    """A served deployment."""

    interlock: Interlock
    url: str
    key: str
    """An agent's key."""
    noted: Noting

    @property
    def asks(self) -> list[ModelAsk]:
        """What the road was asked, in order."""
        return self.noted.asks


@asynccontextmanager
async def served_models(folder: Path) -> AsyncIterator[ServedModels]:
    """Write the deployment into `folder` and serve it on a free port."""
    for name, content in FILES.items():
        # JSON is YAML.
        (folder / name).write_text(json.dumps(content))
    async with open_interlock(folder) as interlock, interlock.alive():
        admin = operator_at_the_machine(interlock.deployment.tenant, "test")
        key, _ = await interlock.desks.access.create_key(admin, "bot", frozenset({Role.AGENT}), AgentId("refunds"))
        noting = Noting(interlock.desks.models)
        desks = replace(interlock.desks, models=cast(ModelGate, noting))
        async with serving(build_app(desks, DoorRules())) as url:
            yield ServedModels(interlock, url, key, noting)
