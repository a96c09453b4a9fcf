"""What the API answers about model calls and what they cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from interlock.domain.canonical import Json
from interlock.domain.models import Dialect, ModelCallStatus, UsageSource
from interlock.domain.spans import SpanStatus
from interlock.gateway.models.desk import Grouping
from interlock.server.api.documents import FailureDocument, Instant

NanoUsd = Annotated[int, "In nano-dollars: 10^-9 USD."]
Usd = Annotated[str, "The same in dollars, as a decimal number, exactly."]


@dataclass(frozen=True, slots=True)
class UsageDocument:
    """Tokens."""

    input: Annotated[int, "All of the prompt, what the provider had cached included."]
    output: Annotated[int, "All of the reply, reasoning included."]
    total: int
    cache_read: Annotated[int, "Of the input: read from the provider's cache."]
    cache_write: int
    cache_write_1h: Annotated[int, "Written to the provider's cache for an hour; not part of `cache_write`."]
    reasoning: Annotated[int, "Of the output."]
    audio_input: int
    audio_output: int


@dataclass(frozen=True, slots=True)
class AttemptDocument:
    """One provider that was asked."""

    provider: str
    model: Annotated[str, "As the provider calls it."]
    outcome: Annotated[str, "`served`, or the code of the error."]
    duration_ms: int
    usage: UsageDocument
    usage_source: Annotated[UsageSource, "How the usage is known."]
    cost_nano_usd: NanoUsd
    cost_usd: Usd
    excess_nano_usd: Annotated[int, "What the provider charges beyond what could be held: no budget was passed for it."]


@dataclass(frozen=True, slots=True)
class ProposalDocument:
    """A tool call that the reply proposes."""

    id: str
    tool: str
    arguments_hash: Annotated[str, "SHA-256 of the canonical arguments; empty when they are not a JSON object."]


@dataclass(frozen=True, slots=True)
class AttemptSpanDocument:
    """One attempt in the trace."""

    span_id: str
    parent_id: str
    name: str
    start_ns: Annotated[str, "Nanoseconds since the epoch, as decimal digits: more than JSON's numbers keep exactly."]
    end_ns: str
    status: SpanStatus
    attributes: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class SpanDocument:
    """The call in its trace: an OpenTelemetry span of kind CLIENT, in the GenAI conventions."""

    trace_id: Annotated[str, "The caller's, when it sent `traceparent`; else one of the run, or of the call."]
    span_id: str
    parent_id: Annotated[str | None, "The caller's span; null when it named none."]
    name: str
    start_ns: Annotated[str, "Nanoseconds since the epoch, as decimal digits: more than JSON's numbers keep exactly."]
    end_ns: str
    status: SpanStatus
    attributes: Annotated[Mapping[str, Json], "The page on spans lists them; words of messages are not among them."]
    children: Annotated[tuple[AttemptSpanDocument, ...], "The attempts."]


@dataclass(frozen=True, slots=True)
class ModelCallDocument:
    """A model call: why this model, what was tried, what it used and cost. Its words are not kept."""

    id: str
    run: Annotated[str | None, "null for a call outside any run."]
    agent: str
    user: str | None
    requested_by: str
    step: str
    model: Annotated[str, "The model, tier or step as the caller named it."]
    dialect: Dialect
    streamed: bool
    labels: Mapping[str, str]
    status: ModelCallStatus
    tier: str
    stop: Annotated[str, "Why the reply ended."]
    cache: Annotated[str, "`exact` or `semantic` when the reply came from the cache."]
    started_at: Instant
    duration_ms: int
    first_byte_ms: Annotated[int | None, "From the start to the first bytes that were delivered."]
    usage: Annotated[UsageDocument, "Of all attempts together."]
    cost_nano_usd: Annotated[int, "Of all attempts together, in nano-dollars: 10^-9 USD."]
    cost_usd: Usd
    prices: Annotated[str, "Version of the price book."]
    attempts: Annotated[tuple[AttemptDocument, ...], "In order; the last one served the reply, if any did."]
    route: Annotated[Mapping[str, Json], "Why this model: rule, share, candidates and what spoke against them."]
    events: Annotated[
        tuple[Mapping[str, Json], ...], "What was done to the request or the reply: trimmed, redacted, repaired, ..."
    ]
    proposals: tuple[ProposalDocument, ...]
    failure: FailureDocument | None
    erased: Annotated[bool, "Whether its words are gone for good: labels, events and sentences are empty."]
    span: Annotated[SpanDocument | None, "The call in its trace; null in lists."] = None


@dataclass(frozen=True, slots=True)
class ModelCallsDocument:
    """Model calls, the newest first."""

    model_calls: tuple[ModelCallDocument, ...]


@dataclass(frozen=True, slots=True)
class SumsDocument:
    """What some model calls used and cost together."""

    calls: int
    input_tokens: int
    output_tokens: int
    cost_nano_usd: NanoUsd
    cost_usd: Usd


@dataclass(frozen=True, slots=True)
class SpendingGroupDocument:
    """What the model calls of one group used and cost."""

    group: Annotated[str, "Empty for calls that belong to none: outside any run, of no user, served by no model."]
    calls: int
    input_tokens: int
    output_tokens: int
    cost_nano_usd: NanoUsd
    cost_usd: Usd
    successes: Annotated[
        int | None, "Runs that ended as `succeeded` in that time; null by step, model and provider, which share runs."
    ]
    cost_per_success_nano_usd: Annotated[int | None, "All cost of the group by its successes, rounded down."]
    cost_per_success_usd: str | None


@dataclass(frozen=True, slots=True)
class SpendingDocument:
    """What model calls used and cost, the dearest group first."""

    by: Grouping
    since: Instant
    until: Instant
    groups: tuple[SpendingGroupDocument, ...]
    total: Annotated[SpendingGroupDocument, "Of all groups, those beyond the limit included."]
