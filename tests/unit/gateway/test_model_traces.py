"""A call stands in its caller's trace, what it asks of others stands below it, and no call fails for its trace."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from interlock.domain.models import Dialect, ModelCallRecord, trace_of
from interlock.domain.route_settings import Cache, CacheScope, Retries, SemanticCache, Settings
from interlock.domain.routes import Classifier, RouteRule, When
from interlock.domain.spans import Span
from interlock.domain.trace_context import TraceContext, span_of_call
from interlock.models.spans import spans_of
from tests.kits.models import Road, a_road, model, over_http
from tests.kits.upstreams import Act, Fault, Received, Upstream, an_upstream

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CALLER = TraceContext(TRACE, SPAN, 1, "congo=1")


def fails_at_first(request: Received) -> Act:
    return Act(fault=Fault.BROKEN) if request.number == 0 else Act(words="easy")


@asynccontextmanager
async def asked(
    *, outside: bool = False, rules: tuple[RouteRule, ...] = (), attempts: int = 1, cache: Cache | None = None
) -> AsyncIterator[tuple[Road, Upstream]]:
    settings = Settings(retries=Retries(attempts=attempts, base_ms=1), cache=cache or Cache())
    async with (
        an_upstream(Dialect.OPENAI_CHAT, fails_at_first if attempts > 1 else lambda _: Act(words="easy")) as upstream,
        over_http("up", upstream.url) as provider,
        a_road(
            provider,
            models=(model("m", outside=outside), model("small")),
            rules=rules,
            settings=settings,
        ) as road,
    ):
        yield road, upstream


def span_of(record: ModelCallRecord) -> Span:
    return spans_of(record)[0]


async def ask(road: Road, trace: TraceContext | None, name: str = "m") -> ModelCallRecord:
    await road.gate.reply(replace(road.ask(model=name), trace=trace))
    return await road.record()


async def test_a_provider_hears_of_the_callers_trace_with_our_span_as_parent() -> None:
    async with asked() as (road, upstream):
        record = await ask(road, CALLER)
        assert (record.call.trace, record.call.parent_span) == (TRACE, SPAN)
        headers = upstream.received[0].headers
        assert headers["traceparent"] == f"00-{TRACE}-{span_of_call(record.call.id)}-01"
        assert headers["tracestate"] == "congo=1"
        span = span_of(record)
        assert (span.trace_id, span.parent_id, span.span_id) == (TRACE, SPAN, span_of_call(record.call.id))


async def test_what_others_noted_of_the_caller_stays_in_the_house() -> None:
    async with asked(outside=True) as (road, upstream):
        await ask(road, CALLER)
        assert "traceparent" in upstream.received[0].headers
        assert "tracestate" not in upstream.received[0].headers


async def test_without_a_trace_of_the_caller_none_is_sent_and_a_run_is_one() -> None:
    async with asked() as (road, upstream):
        await road.kit.open()
        first, second = await ask(road, None), await ask(road, None)
        assert not {"traceparent", "tracestate"} & {name for one in upstream.received for name in one.headers}
        spans = span_of(first), span_of(second)
        assert spans[0].trace_id == spans[1].trace_id
        assert spans[0].span_id != spans[1].span_id
        assert spans[0].parent_id is None


@pytest.mark.parametrize("trace", [None, CALLER])
async def test_a_call_that_classifies_stands_below_the_one_that_it_is_for(trace: TraceContext | None) -> None:
    asked_first = Classifier("small", "Say easy or hard.", (("easy", "m"),), "m")
    async with asked(rules=(RouteRule("by-words", When(), asked_first),)) as (road, upstream):
        await ask(road, trace, "auto")
        first, second = sorted(await road.records(), key=lambda one: "classifies" not in dict(one.call.labels))
        assert span_of(first).parent_id == span_of(second).span_id
        assert span_of(first).trace_id == span_of(second).trace_id == trace_of(second.call)
        sent = [one.headers.get("traceparent", "") for one in upstream.received]
        assert sent == (
            [f"00-{TRACE}-{span_of_call(one.call.id)}-01" for one in (first, second)] if trace else ["", ""]
        )


async def test_an_attempt_stands_where_it_was_made() -> None:
    async with asked(attempts=2) as (road, _):
        span, *attempts = spans_of(await ask(road, CALLER))
        failed, served = attempts
        assert [one.attributes["interlock.attempt.number"] for one in attempts] == [1, 2]
        assert [one.parent_id for one in attempts] == [span.span_id, span.span_id]
        assert failed.attributes["error.type"] == failed.attributes["interlock.attempt.outcome"]
        assert span.start_ns <= failed.start_ns <= failed.end_ns <= served.start_ns <= served.end_ns
        # Milliseconds are cut off here and there, so the ends may be off by one of them.
        assert served.end_ns <= span.end_ns + 2_000_000


async def test_a_reply_is_kept_for_callers_of_every_trace() -> None:
    async with asked(cache=Cache(exact_ttl_ms=60_000, scope=CacheScope.AGENT)) as (road, upstream):
        await ask(road, CALLER)
        record = await ask(road, replace(CALLER, span="1" * 16))
        assert (record.cache, len(upstream.received)) == ("exact", 1)


async def test_a_call_that_embeds_stands_below_the_one_that_it_is_for() -> None:
    settings = Settings(cache=Cache(scope=CacheScope.TENANT, semantic=SemanticCache(8_000, 60_000, "emb")))
    models = (model("m"), model("emb", embeddings=True))
    async with a_road(models=models, settings=settings) as road:
        await ask(road, CALLER)
        first, second = sorted(await road.records(), key=lambda one: "embeds" not in dict(one.call.labels))
        assert (span_of(first).name, span_of(first).trace_id) == ("embeddings emb", TRACE)
        assert span_of(first).parent_id == span_of(second).span_id
        assert (span_of(second).parent_id, span_of(second).name) == (SPAN, "chat m")
