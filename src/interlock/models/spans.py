"""What a model call is in a trace: a span, and one below it per attempt, in the words of OpenTelemetry's GenAI conventions."""

from collections.abc import Iterator, Mapping

from interlock.domain.models import (
    Attempt,
    Dialect,
    ModelCall,
    ModelCallRecord,
    ModelCallStatus,
    Usage,
    UsageSource,
    trace_of,
)
from interlock.domain.runs import Run
from interlock.domain.spans import Category, Span, SpanKind, SpanStatus, Value
from interlock.domain.trace_context import span_of_attempt, span_of_call, span_of_run, trace_of_run
from interlock.models.dialogue import Stop

_SERVED = "served"
_NS_PER_MS = 1_000_000
_OURSELVES = "interlock"
"""Provider of a reply that no provider was asked for, or of none at all."""
_PROVIDERS = {
    "aws": "aws.bedrock",
    "azure": "azure.ai.openai",
    "google": "gcp.gemini",
    "mistral": "mistral_ai",
    "x-ai": "x_ai",
}
"""Vendors whose names in the conventions are not those in our price book."""
_FINISHES: Mapping[str, str] = {
    Stop.END: "stop",
    Stop.SEQUENCE: "stop",
    Stop.LENGTH: "length",
    Stop.TOOLS: "tool_call",
    Stop.FILTERED: "content_filter",
}
_BROKEN_OFF = frozenset({ModelCallStatus.FAILED, ModelCallStatus.CUT, ModelCallStatus.ABANDONED})

MEANINGS: Mapping[str, str] = {
    "gen_ai.operation.name": "`chat`, `embeddings`, `execute_tool` or `invoke_agent`.",
    "gen_ai.provider.name": "The vendor that was asked last, as the conventions name it where they do; a provider without "
    "a vendor goes by its name in the router file, and `interlock` means that none was asked.",
    "gen_ai.conversation.id": "The run, where there is one.",
    "gen_ai.request.model": "The model, tier or step as the caller named it.",
    "gen_ai.request.stream": "`true` when the caller asked for a stream; absent otherwise.",
    "gen_ai.response.model": "The model that served, as its provider was asked for it.",
    "gen_ai.response.finish_reasons": "Why the reply ended: `stop`, `length`, `tool_call`, `content_filter`, `error` when "
    "it broke off or never came, or the word of `interlock.stop`.",
    "gen_ai.response.time_to_first_chunk": "Seconds from the start to the first bytes that were delivered; of streams.",
    "gen_ai.usage.input_tokens": "All tokens of the prompt, of all attempts together, cached ones included.",
    "gen_ai.usage.output_tokens": "All tokens of the reply, of all attempts together, reasoning included.",
    "gen_ai.usage.cache_read.input_tokens": "Of the input: read from the provider's cache.",
    "gen_ai.usage.cache_write.input_tokens": "Of the input: written to the provider's cache, for whatever time.",
    "gen_ai.usage.reasoning.output_tokens": "Of the output: reasoning.",
    "gen_ai.usage.audio.input_tokens": "Of the input: audio.",
    "gen_ai.usage.audio.output_tokens": "Of the output: audio.",
    "error.type": "The error code; `abandoned` when the caller went away.",
    "interlock.call": "The id of the call: of a model call as `x-interlock-call` told it, of a tool call as its caller named it.",
    "interlock.tenant": "The tenant.",
    "interlock.agent": "The agent that asked.",
    "interlock.run": "The run, where there is one.",
    "interlock.step": "The step of the run, where the caller named one.",
    "interlock.dialect": "The wire format in which the caller asked.",
    "interlock.status": "How the call ended: of a model call `succeeded`, `refused`, `failed`, `cut` or `abandoned`; of a tool "
    "call where it stands in the journal.",
    "interlock.stop": "Why the reply ended, in Interlock's words.",
    "interlock.tier": "The tier that was chosen, where one was.",
    "interlock.route.by": "What chose the model: `rule`, `step`, `default`, `name`, `classifier` or `semantic cache`.",
    "interlock.route.rule": "The rule of the router file, where one decided.",
    "interlock.route.version": "The version of the router file.",
    "interlock.prices.version": "The version of the price book.",
    "interlock.cost_nano_usd": "What all attempts cost together, in 10^-9 USD.",
    "interlock.cache": "`exact` or `semantic` when the reply came from Interlock's cache.",
    "interlock.attempts": "How many attempts were made.",
    "interlock.events": "What was done to the request or the reply: kinds only, each once.",
    "interlock.proposals": "How many tool calls the reply proposes.",
    "interlock.attempt.number": "Of an attempt: its place, from 1.",
    "interlock.attempt.provider": "Of an attempt: the provider's name in the router file.",
    "interlock.attempt.vendor": "Of an attempt: as `gen_ai.provider.name`.",
    "interlock.attempt.model": "Of an attempt: the model, as the provider was asked for it.",
    "interlock.attempt.outcome": "Of an attempt: `served`, `not_needed`, or the code of the error.",
    "interlock.attempt.input_tokens": "Of an attempt: all tokens of the prompt.",
    "interlock.attempt.output_tokens": "Of an attempt: all tokens of the reply.",
    "interlock.attempt.usage_source": "Of an attempt: how its tokens are known: `provider`, `counted` or `none`.",
    "interlock.attempt.cost_nano_usd": "Of an attempt: what it cost, in 10^-9 USD.",
    "interlock.attempt.excess_nano_usd": "Of an attempt: what it cost beyond what could be held, where it did.",
}
"""Every attribute that a span may carry. None holds words of a message."""


def spans_of(record: ModelCallRecord, run: Run | None = None) -> tuple[Span, ...]:
    """Return the span of a call that has ended, then those of its attempts, in order.

    `run` is the call's own, where it is at hand: a call whose caller named no trace then stands below the span of its run.
    """
    call = record.call
    start = record.started_at * _NS_PER_MS
    trace, parent = _place(call, run)
    whole = Span(
        trace_id=trace,
        span_id=span_of_call(call.id),
        parent_id=parent or None,
        name=f"{_operation(call)} {call.model}",
        category=Category.EMBEDDING if call.dialect is Dialect.OPENAI_EMBEDDINGS else Category.MODEL,
        start_ns=start,
        end_ns=start + record.duration_ms * _NS_PER_MS,
        status=SpanStatus.UNSET if record.status is ModelCallStatus.SUCCEEDED else SpanStatus.ERROR,
        attributes={name: value for name, value in _attributes(record) if value is not None},
        kind=SpanKind.CLIENT,
    )
    attempts = enumerate(record.attempts, start=1)
    return (whole, *(_attempt_span(call, whole, number, one) for number, one in attempts))


def versions_of(record: ModelCallRecord) -> Iterator[str]:
    """Yield what the call was made under, as `name=version`: prices and router file."""
    if record.prices:
        yield f"prices={record.prices}"
    router = _text(record.route.get("router"))
    if router is not None:
        yield f"router={router}"


def _place(call: ModelCall, run: Run | None) -> tuple[str, str]:
    """Return the trace and the parent of the span of `call`."""
    if run is None:
        return trace_of(call), call.parent_span
    # Calls that Interlock makes for another one name the trace that the run has where nobody else began one.
    own = not call.trace or call.trace == trace_of_run(run.tenant, run.id)
    trace = (run.trace or trace_of(call)) if own else call.trace
    return trace, call.parent_span or ("" if call.trace else span_of_run(run.tenant, run.id))


def _attributes(record: ModelCallRecord) -> Iterator[tuple[str, Value | None]]:
    call, last = record.call, record.attempts[-1] if record.attempts else None
    yield "gen_ai.operation.name", _operation(call)
    yield "gen_ai.provider.name", _OURSELVES if last is None else _vendor(last)
    yield "gen_ai.conversation.id", call.run
    yield "gen_ai.request.model", call.model
    yield "gen_ai.request.stream", call.streamed or None
    yield "gen_ai.response.model", last.model if last is not None and last.outcome == _SERVED else None
    yield "gen_ai.response.finish_reasons", _finishes(record)
    if call.streamed and record.first_byte_ms is not None:
        yield "gen_ai.response.time_to_first_chunk", record.first_byte_ms / 1000
    # A reply from our own cache used nothing, and a count of 0 would say that a model was asked.
    if any(one.usage_source is not UsageSource.NONE for one in record.attempts):
        yield from _usage(record.usage)
    yield "error.type", _error(record)
    yield from _ours(record)


def _usage(usage: Usage) -> Iterator[tuple[str, Value | None]]:
    yield "gen_ai.usage.input_tokens", usage.input
    yield "gen_ai.usage.output_tokens", usage.output
    yield "gen_ai.usage.cache_read.input_tokens", usage.cache_read or None
    yield "gen_ai.usage.cache_write.input_tokens", usage.cache_write + usage.cache_write_1h or None
    yield "gen_ai.usage.reasoning.output_tokens", usage.reasoning or None
    yield "gen_ai.usage.audio.input_tokens", usage.audio_input or None
    yield "gen_ai.usage.audio.output_tokens", usage.audio_output or None


def _ours(record: ModelCallRecord) -> Iterator[tuple[str, Value | None]]:
    call, route = record.call, record.route
    kinds = tuple(dict.fromkeys(str(event["kind"]) for event in record.events))
    yield "interlock.call", call.id
    yield "interlock.tenant", call.tenant
    yield "interlock.agent", call.agent
    yield "interlock.run", call.run
    yield "interlock.step", call.step or None
    yield "interlock.dialect", call.dialect.value
    yield "interlock.status", record.status.value
    yield "interlock.stop", record.stop or None
    yield "interlock.tier", record.tier or None
    yield "interlock.route.by", _text(route.get("by"))
    yield "interlock.route.rule", _text(route.get("rule"))
    yield "interlock.route.version", _text(route.get("router"))
    yield "interlock.prices.version", record.prices or None
    yield "interlock.cost_nano_usd", record.cost_nano_usd
    yield "interlock.cache", record.cache or None
    yield "interlock.attempts", len(record.attempts)
    yield "interlock.events", kinds or None
    yield "interlock.proposals", len(record.proposals) or None


def _attempt_span(call: ModelCall, whole: Span, number: int, attempt: Attempt) -> Span:
    # Only the call's own span carries gen_ai.* attributes: what adds those up must not count its tokens twice.
    began = whole.start_ns + attempt.after_ms * _NS_PER_MS
    found = _of_attempt(number, attempt)
    return Span(
        trace_id=whole.trace_id,
        span_id=span_of_attempt(call.id, number),
        parent_id=whole.span_id,
        name=f"attempt {attempt.provider}",
        category=Category.ATTEMPT,
        start_ns=began,
        end_ns=began + attempt.duration_ms * _NS_PER_MS,
        status=SpanStatus.ERROR if _failed(attempt) else SpanStatus.UNSET,
        attributes={name: value for name, value in found if value is not None},
        kind=SpanKind.CLIENT,
    )


def _of_attempt(number: int, attempt: Attempt) -> Iterator[tuple[str, Value | None]]:
    yield "interlock.attempt.number", number
    yield "interlock.attempt.provider", attempt.provider
    yield "interlock.attempt.vendor", _vendor(attempt)
    yield "interlock.attempt.model", attempt.model
    yield "interlock.attempt.outcome", attempt.outcome
    yield "interlock.attempt.input_tokens", attempt.usage.input
    yield "interlock.attempt.output_tokens", attempt.usage.output
    yield "interlock.attempt.usage_source", attempt.usage_source.value
    yield "interlock.attempt.cost_nano_usd", attempt.cost_nano_usd
    yield "interlock.attempt.excess_nano_usd", attempt.excess_nano_usd or None
    yield "error.type", attempt.outcome if _failed(attempt) else None


def _failed(attempt: Attempt) -> bool:
    return attempt.outcome not in (_SERVED, "not_needed")


def _operation(call: ModelCall) -> str:
    return "embeddings" if call.dialect is Dialect.OPENAI_EMBEDDINGS else "chat"


def _vendor(attempt: Attempt) -> str:
    named = attempt.vendor or attempt.provider
    return _PROVIDERS.get(named, named)


def _finishes(record: ModelCallRecord) -> tuple[str, ...] | None:
    if record.call.dialect is Dialect.OPENAI_EMBEDDINGS:
        return None
    if record.status in _BROKEN_OFF:
        # The conventions' word for a generation of which no proper end came.
        return ("error",) if record.attempts else None
    if not record.stop:
        return None
    return (_FINISHES.get(record.stop, record.stop),)


def _error(record: ModelCallRecord) -> str | None:
    if record.failure is not None:
        return record.failure.code
    return None if record.status is ModelCallStatus.SUCCEEDED else record.status.value


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
