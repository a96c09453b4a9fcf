"""Model calls that the suites store and expect back."""

from __future__ import annotations

from typing import Any

from interlock.domain.ids import ModelCallId, RunId, UserId
from interlock.domain.models import (
    Attempt,
    Dialect,
    ModelCall,
    ModelCallRecord,
    ModelCallStatus,
    ProposedCall,
    Usage,
    UsageSource,
)
from tests.contracts.samples import ACME, AGENT, ANNA, NOW

USAGE = Usage(1200, 80, cache_read=900, cache_write=20, cache_write_1h=7, reasoning=30, audio_input=2, audio_output=1)


def an_attempt(**changes: Any) -> Attempt:
    fields: dict[str, Any] = {
        "provider": "openai",
        "model": "gpt-5.6",
        "outcome": "served",
        "duration_ms": 812,
        "usage": USAGE,
        "usage_source": UsageSource.PROVIDER,
        "cost_nano_usd": 4_200_000,
        "excess_nano_usd": 3,
        "after_ms": 41,
        "vendor": "openai",
    }
    return Attempt(**(fields | changes))


def a_model_call(id_: str = "mc-1", **changes: Any) -> ModelCall:
    fields: dict[str, Any] = {
        "id": ModelCallId(id_),
        "tenant": ACME,
        "agent": AGENT,
        "principal": ANNA,
        "model": "mid",
        "dialect": Dialect.ANTHROPIC,
        "run": RunId("run-1"),
        "user": UserId("u-7"),
        "step": "plan",
        "labels": (("team", "support"), ("size", "naïve \U0001f600")),
        "streamed": True,
        "trace": "4bf92f3577b34da6a3ce929d0e0e4736",
        "parent_span": "00f067aa0ba902b7",
    }
    return ModelCall(**(fields | changes))


def a_model_record(id_: str = "mc-1", *, call: dict[str, Any] | None = None, **changes: Any) -> ModelCallRecord:
    fields: dict[str, Any] = {
        "call": a_model_call(id_, **(call or {})),
        "status": ModelCallStatus.SUCCEEDED,
        "started_at": NOW,
        "duration_ms": 900,
        "first_byte_ms": 210,
        "attempts": (an_attempt(provider="local", outcome="model_timeout", usage=Usage()), an_attempt()),
        "tier": "mid",
        "stop": "tool_use",
        "prices": "2026-11-01",
        "route": {"rule": "tickets", "share": 0.7},
        "events": ({"kind": "trimmed", "dropped": 4},),
        "proposals": (ProposedCall("toolu_1", "refund", "a" * 64), ProposedCall("toolu_2", "look", "")),
        "salt": bytes(range(32)),
    }
    return ModelCallRecord(**(fields | changes))
