"""A model call is a span in the words of OpenTelemetry's GenAI conventions, and nobody's words are in it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from interlock.domain.calls import Failure
from interlock.domain.models import Dialect, ModelCallRecord, ModelCallStatus, Usage, UsageSource
from interlock.domain.spans import Category, Span, SpanStatus
from interlock.domain.trace_context import trace_of_call, trace_of_run
from interlock.models.dialogue import Stop
from interlock.models.spans import MEANINGS, spans_of
from tests.contracts.model_samples import a_model_record, an_attempt
from tests.contracts.samples import ACME, NOW

ROUTE = {"router": "v3", "asked": "mid", "by": "rule", "rule": "tickets", "use": "mid", "candidates": []}
NOTHING_USED: dict[str, Any] = {"usage": Usage(), "usage_source": UsageSource.NONE, "cost_nano_usd": 0}
SERVED = an_attempt(after_ms=2, excess_nano_usd=0)
OURS = {
    "interlock.call": "mc-1",
    "interlock.tenant": "acme",
    "interlock.agent": "refunds",
    "interlock.run": "run-1",
    "interlock.step": "plan",
    "interlock.dialect": "anthropic",
    "interlock.tier": "mid",
    "interlock.route.by": "rule",
    "interlock.route.rule": "tickets",
    "interlock.route.version": "v3",
    "interlock.prices.version": "2026-11-01",
}
ASKED = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.conversation.id": "run-1",
    "gen_ai.request.model": "mid",
}
USED = {
    "gen_ai.usage.input_tokens": 1200,
    "gen_ai.usage.output_tokens": 80,
    "gen_ai.usage.cache_read.input_tokens": 900,
    "gen_ai.usage.cache_write.input_tokens": 27,
    "gen_ai.usage.reasoning.output_tokens": 30,
    "gen_ai.usage.audio.input_tokens": 2,
    "gen_ai.usage.audio.output_tokens": 1,
}
OF_SERVED = {
    "interlock.attempt.provider": "openai",
    "interlock.attempt.vendor": "openai",
    "interlock.attempt.model": "gpt-5.6",
    "interlock.attempt.outcome": "served",
    "interlock.attempt.input_tokens": 1200,
    "interlock.attempt.output_tokens": 80,
    "interlock.attempt.usage_source": "provider",
    "interlock.attempt.cost_nano_usd": 4_200_000,
}


def a_record(*, streamed: bool = False, **changes: Any) -> ModelCallRecord:
    fields: dict[str, Any] = {"attempts": (SERVED,), "route": ROUTE, "events": (), "proposals": (), "stop": "end"}
    return a_model_record(call={"streamed": streamed}, **(fields | changes))


def span_of(record: ModelCallRecord) -> Span:
    return spans_of(record)[0]


def test_a_whole_reply() -> None:
    span, attempt = spans_of(a_record())

    assert (span.category, attempt.category) == (Category.MODEL, Category.ATTEMPT)
    assert (span.name, span.status) == ("chat mid", SpanStatus.UNSET)
    assert (span.trace_id, span.parent_id) == ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
    assert (span.start_ns, span.end_ns) == (NOW * 1_000_000, (NOW + 900) * 1_000_000)
    assert span.attributes == {
        **ASKED,
        **USED,
        **OURS,
        "gen_ai.response.model": "gpt-5.6",
        "gen_ai.response.finish_reasons": ("stop",),
        "interlock.status": "succeeded",
        "interlock.stop": "end",
        "interlock.cost_nano_usd": 4_200_000,
        "interlock.attempts": 1,
    }
    assert (attempt.name, attempt.status) == ("attempt openai", SpanStatus.UNSET)
    assert (attempt.trace_id, attempt.parent_id) == (span.trace_id, span.span_id)
    assert (attempt.start_ns, attempt.end_ns) == ((NOW + 2) * 1_000_000, (NOW + 814) * 1_000_000)
    assert attempt.attributes == {**OF_SERVED, "interlock.attempt.number": 1}


def test_a_stream_that_proposes_calls() -> None:
    proposals = a_model_record().proposals
    events = ({"kind": "trimmed", "dropped": 4}, {"kind": "hedged", "model": "m"}, {"kind": "trimmed", "dropped": 1})
    span = span_of(a_record(streamed=True, stop="tools", proposals=proposals, events=events))

    assert span.attributes == {
        **ASKED,
        **USED,
        **OURS,
        "gen_ai.request.stream": True,
        "gen_ai.response.model": "gpt-5.6",
        "gen_ai.response.finish_reasons": ("tool_call",),
        "gen_ai.response.time_to_first_chunk": 0.21,
        "interlock.status": "succeeded",
        "interlock.stop": "tools",
        "interlock.cost_nano_usd": 4_200_000,
        "interlock.attempts": 1,
        "interlock.events": ("trimmed", "hedged"),
        "interlock.proposals": 2,
    }


def test_a_call_that_no_provider_served() -> None:
    attempts = (an_attempt(outcome="model_timeout", excess_nano_usd=5),)
    failure = Failure("model_timeout", "gpt-5.6 did not answer in time", "", "Try again")
    failed = a_record(
        status=ModelCallStatus.FAILED, attempts=attempts, failure=failure, stop="", first_byte_ms=None, streamed=True
    )
    span, attempt = spans_of(failed)

    assert span.status is SpanStatus.ERROR
    assert span.attributes == {
        **ASKED,
        **USED,
        **OURS,
        "gen_ai.request.stream": True,
        "gen_ai.response.finish_reasons": ("error",),
        "error.type": "model_timeout",
        "interlock.status": "failed",
        "interlock.cost_nano_usd": 4_200_000,
        "interlock.attempts": 1,
    }
    assert attempt.status is SpanStatus.ERROR
    assert attempt.attributes == {
        **OF_SERVED,
        "interlock.attempt.number": 1,
        "interlock.attempt.outcome": "model_timeout",
        "interlock.attempt.excess_nano_usd": 5,
        "error.type": "model_timeout",
    }


def test_a_reply_from_the_cache() -> None:
    (span,) = spans_of(a_record(attempts=(), cache="exact", stop=""))

    assert span.status is SpanStatus.UNSET
    assert span.attributes == {
        **ASKED,
        **OURS,
        "gen_ai.provider.name": "interlock",
        "interlock.status": "succeeded",
        "interlock.cost_nano_usd": 0,
        "interlock.cache": "exact",
        "interlock.attempts": 0,
    }


def test_a_fallback() -> None:
    first = an_attempt(
        provider="eu",
        vendor="aws",
        model="haiku",
        outcome="model_overloaded",
        duration_ms=30,
        after_ms=1,
        **NOTHING_USED,
    )
    span, failed, served = spans_of(
        a_record(attempts=(replace(first, excess_nano_usd=0), replace(SERVED, after_ms=40)))
    )

    assert span.status is SpanStatus.UNSET
    assert span.attributes == {
        **ASKED,
        **USED,
        **OURS,
        "gen_ai.response.model": "gpt-5.6",
        "gen_ai.response.finish_reasons": ("stop",),
        "interlock.status": "succeeded",
        "interlock.stop": "end",
        "interlock.cost_nano_usd": 4_200_000,
        "interlock.attempts": 2,
    }
    assert failed.attributes == {
        "interlock.attempt.number": 1,
        "interlock.attempt.provider": "eu",
        "interlock.attempt.vendor": "aws.bedrock",
        "interlock.attempt.model": "haiku",
        "interlock.attempt.outcome": "model_overloaded",
        "interlock.attempt.input_tokens": 0,
        "interlock.attempt.output_tokens": 0,
        "interlock.attempt.usage_source": "none",
        "interlock.attempt.cost_nano_usd": 0,
        "error.type": "model_overloaded",
    }
    assert served.attributes == {**OF_SERVED, "interlock.attempt.number": 2}
    assert len({span.span_id, failed.span_id, served.span_id}) == 3


def test_embeddings_end_for_no_reason() -> None:
    record = a_record()
    span = span_of(replace(record, call=replace(record.call, dialect=Dialect.OPENAI_EMBEDDINGS, model="vectors")))

    assert (span.name, span.attributes["gen_ai.operation.name"]) == ("embeddings vectors", "embeddings")
    assert "gen_ai.response.finish_reasons" not in span.attributes


def test_a_call_that_was_refused_or_left_is_an_error_with_a_type() -> None:
    refused = a_record(
        status=ModelCallStatus.REFUSED, attempts=(), stop="", failure=Failure("braked", "It is stopped", "", "")
    )
    left = a_record(status=ModelCallStatus.ABANDONED, attempts=(an_attempt(outcome="abandoned"),))

    assert [span_of(one).attributes["error.type"] for one in (refused, left)] == ["braked", "abandoned"]
    assert {span_of(one).status for one in (refused, left)} == {SpanStatus.ERROR}
    assert "gen_ai.response.finish_reasons" not in span_of(refused).attributes


def test_calls_of_a_run_are_one_trace_and_a_call_outside_any_is_its_own() -> None:
    inside = a_model_record("mc-1", call={"trace": "", "parent_span": ""})
    other = a_model_record("mc-2", call={"trace": "", "parent_span": ""})
    alone = a_model_record("mc-3", call={"trace": "", "parent_span": "", "run": None})

    assert inside.call.run is not None
    assert span_of(inside).trace_id == span_of(other).trace_id == trace_of_run(ACME, inside.call.run)
    assert span_of(alone).trace_id == trace_of_call(alone.call.id)
    assert span_of(inside).parent_id is None


@pytest.mark.parametrize("stop", Stop)
def test_every_end_of_a_reply_has_its_word(stop: Stop) -> None:
    words = span_of(a_record(stop=stop.value)).attributes["gen_ai.response.finish_reasons"]

    conventional = {
        "end": "stop",
        "sequence": "stop",
        "length": "length",
        "tools": "tool_call",
        "filtered": "content_filter",
    }
    assert words == (conventional.get(stop.value, stop.value),)


def test_attempts_of_before_have_no_vendor_and_go_by_their_provider() -> None:
    span = span_of(a_record(attempts=(replace(SERVED, vendor="", provider="house"),)))

    assert span.attributes["gen_ai.provider.name"] == "house"


def test_every_attribute_has_its_meaning_and_every_meaning_an_attribute() -> None:
    failed = an_attempt(outcome="model_timeout")
    records = [
        a_record(streamed=True, events=({"kind": "trimmed"},), proposals=a_model_record().proposals),
        a_record(status=ModelCallStatus.FAILED, attempts=(failed,)),
        a_record(attempts=(), cache="exact"),
    ]
    spans = [one for record in records for one in spans_of(record)]

    assert {name for one in spans for name in one.attributes} == set(MEANINGS)


def test_nothing_that_was_said_is_in_a_span() -> None:
    secret = "the purple elephant"
    record = a_record(
        status=ModelCallStatus.FAILED,
        failure=Failure("model_refused", secret, secret, secret),
        events=({"kind": "lost_in_translation", "what": secret},),
        route={**ROUTE, "classifier": {"model": "small", "chose": secret}, "candidates": [{"against": secret}]},
    )
    span, *attempts = spans_of(record)

    written = json.dumps([span.name, dict(span.attributes), [dict(one.attributes) for one in attempts]])
    assert secret not in written
