"""A small world for routing tests: three providers, four models, three tiers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interlock.domain.ids import AgentId
from interlock.domain.models import Dialect
from interlock.domain.route_settings import Settings
from interlock.domain.routes import Choose, DeclaredModel, RouteRule, Routes, Tier
from interlock.models.routing import Candidate, Health, Plan, RouteAsk, Router

CHAT = frozenset(Dialect) - {Dialect.OPENAI_EMBEDDINGS}
NOW = 1_000_000


def model(id: str, provider: str = "openai", **changes: Any) -> DeclaredModel:
    settled: dict[str, Any] = {"name": f"{id}-2025", "prices": provider, "dialects": CHAT, **changes}
    return DeclaredModel(id=id, provider=provider, **settled)


MODELS = (
    model("mini"),
    model("qwen", "house", images=False, tools=False, context_window=32_768, max_output=8_192),
    model("sonnet", "claude", context_window=200_000, fallbacks=("mini",)),
    model("opus", "claude"),
    model("vectors", "house", embeddings=True, dialects=frozenset({Dialect.OPENAI_EMBEDDINGS})),
)
TIERS = (
    Tier("small", ("qwen", "mini"), fallback=("mid",)),
    Tier("mid", ("sonnet",)),
    Tier("frontier", ("opus", "sonnet")),
    Tier("embed", ("vectors", "mini")),
)


def routes(
    *rules: RouteRule,
    models: tuple[DeclaredModel, ...] = MODELS,
    tiers: tuple[Tier, ...] = TIERS,
    default: str = "mid",
    steps: Mapping[str, Settings] | None = None,
    allow: Mapping[str, frozenset[str]] | None = None,
) -> Routes:
    return Routes(
        models={each.id: each for each in models},
        version="v1",
        tiers={each.name: each for each in tiers},
        rules=rules,
        default=default,
        steps=steps or {},
        allow={AgentId(agent): names for agent, names in (allow or {}).items()},
    )


def router(*rules: RouteRule, **changes: Any) -> Router:
    return Router(routes(*rules, **changes))


def chosen_by(choose: Choose, **changes: Any) -> Router:
    """A router whose tier `small` holds three models."""
    return router(tiers=(Tier("small", ("mini", "sonnet", "opus"), choose, **changes),), default="small")


def ask(model: str = "auto", **changes: Any) -> RouteAsk:
    return RouteAsk(tenant="acme", agent=changes.pop("agent", "support"), principal="key", model=model, **changes)


def free(candidate: Candidate, given: int, capped: int) -> int | None:
    return 0


def plan(of: Router, asked: RouteAsk, health: Health | None = None, now: int = NOW, answer: str | None = None) -> Plan:
    return of.plan(asked, health or Health(), free, now, answer=answer)


def order(made: Plan) -> list[str]:
    return [each.model for each in made.candidates]


def against(made: Plan) -> dict[str, str]:
    return {each["model"]: each["against"] for each in made.explanation["candidates"] if "against" in each}
