"""A model call: what was asked of which model, what it used and cost, and which tool calls its reply proposes."""

import re
from dataclasses import dataclass, field
from enum import StrEnum

from interlock.domain.calls import Failure
from interlock.domain.canonical import JsonObject
from interlock.domain.ids import AgentId, ModelCallId, PrincipalId, RunId, TenantId, UserId
from interlock.domain.trace_context import trace_of_call, trace_of_run


class Dialect(StrEnum):
    """A wire format in which models are asked and answer."""

    OPENAI_CHAT = "openai_chat"
    OPENAI_RESPONSES = "openai_responses"
    ANTHROPIC = "anthropic"
    GEMINI = "gemini"
    BEDROCK = "bedrock"
    """AWS Bedrock Converse."""
    OPENAI_EMBEDDINGS = "openai_embeddings"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one reply, whatever words its provider has for them."""

    input: int = 0
    """All tokens of the prompt, those read from and written to the provider's cache included."""
    output: int = 0
    """All tokens of the reply, reasoning included."""
    cache_read: int = 0
    cache_write: int = 0
    """Written to the provider's cache for its usual time (five minutes at Anthropic)."""
    cache_write_1h: int = 0
    """Written to the provider's cache for an hour. Not part of `cache_write`."""
    reasoning: int = 0
    audio_input: int = 0
    audio_output: int = 0

    @property
    def total(self) -> int:
        """Input and output together: what token budgets count."""
        return self.input + self.output

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.input + other.input,
            self.output + other.output,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
            self.cache_write_1h + other.cache_write_1h,
            self.reasoning + other.reasoning,
            self.audio_input + other.audio_input,
            self.audio_output + other.audio_output,
        )


class UsageSource(StrEnum):
    """How a usage is known."""

    PROVIDER = "provider"
    COUNTED = "counted"
    """The provider or the client broke off before the provider said; counted here from what was sent and received."""
    NONE = "none"
    """No model was reached, or the reply came from the cache."""


class ModelCallStatus(StrEnum):
    """How a model call ended."""

    SUCCEEDED = "succeeded"
    REFUSED = "refused"
    """By Interlock: nothing was sent to a provider."""
    FAILED = "failed"
    """No provider of the route gave a usable reply; nothing of one was delivered."""
    CUT = "cut"
    """A reply broke off after part of it was delivered, and the caller was told so."""
    ABANDONED = "abandoned"
    """The caller went away before the end."""


@dataclass(frozen=True, slots=True)
class ProposedCall:
    """A tool call in a model's reply."""

    id: str
    """As the model's reply names it."""
    tool: str
    arguments_hash: str
    """SHA-256 of the canonical arguments; empty when they are not a JSON object."""


class Proposed(StrEnum):
    """Whether a tool call is one that a model of its run proposed."""

    NOT_ASKED = "not_asked"
    """The agent does not demand it, and the call names no proposal."""
    BOUND = "bound"
    """A reply of the run proposes this tool with these very arguments."""
    PERSON = "person"
    """A person who was asked for approval wrote it in place of what a model proposed."""
    OTHER = "other"
    """The proposal that the call names is of another tool, or has other arguments."""
    NONE = "none"
    """No reply of the run proposes it."""


def bound_to(named: str | None, tool: str, arguments_hash: str, proposals: tuple[ProposedCall, ...]) -> Proposed:
    """Return how a call of `tool` stands to what the models of its run proposed; `named` is the proposal that it names.

    Models write names of tools without the dots and slashes that theirs may not have.
    """
    found = [one for one in proposals if named is None or one.id == named]
    if any(one.arguments_hash == arguments_hash and _same_name(one.tool, tool) for one in found):
        return Proposed.BOUND
    return Proposed.OTHER if named is not None and found else Proposed.NONE


def _same_name(proposed: str, tool: str) -> bool:
    return proposed == tool or _PLAIN_NAME.sub("_", proposed) == _PLAIN_NAME.sub("_", tool)


_PLAIN_NAME = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One provider that was asked."""

    provider: str
    model: str
    outcome: str
    """`served`, or the code of the error."""
    duration_ms: int
    usage: Usage = Usage()
    usage_source: UsageSource = UsageSource.NONE
    cost_nano_usd: int = 0
    excess_nano_usd: int = 0
    """What the provider charges beyond what could be held; noted, because a budget is never passed."""
    after_ms: int = 0
    """From the start of the call to the start of the attempt."""
    vendor: str = ""
    """Whose prices hold: the vendor, or the provider's own name where nobody said; empty for attempts noted long ago."""


@dataclass(frozen=True, slots=True)
class ModelCall:
    """Who asked for what."""

    id: ModelCallId
    tenant: TenantId
    agent: AgentId
    principal: PrincipalId
    model: str
    """The model, tier or step as the caller named it."""
    dialect: Dialect
    run: RunId | None = None
    """None for a call outside any run; limits per run then hold for it alone."""
    user: UserId | None = None
    step: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    streamed: bool = False
    trace: str = ""
    """The trace that it belongs to, as 32 hexadecimal digits; empty when nobody named one."""
    parent_span: str = ""
    """The span of that trace which asked, as 16 hexadecimal digits."""


def trace_of(call: ModelCall) -> str:
    """Return the trace of `call`: the one that its caller named, else the one of its run, else one of its own."""
    if call.trace:
        return call.trace
    return trace_of_run(call.tenant, call.run) if call.run is not None else trace_of_call(call.id)


@dataclass(frozen=True, slots=True)
class ModelCallRecord:
    """What became of a model call. Written once, when it has ended."""

    call: ModelCall
    status: ModelCallStatus
    started_at: int
    """Milliseconds since the epoch."""
    duration_ms: int
    first_byte_ms: int | None
    """From the start to the first bytes of the reply that was delivered."""
    attempts: tuple[Attempt, ...]
    """In order; the last one served the reply, if any did."""
    tier: str = ""
    stop: str = ""
    """Why the reply ended, in the neutral words of `models.dialogue.Stop`."""
    cache: str = ""
    """`exact` or `semantic` when the reply came from the cache."""
    prices: str = ""
    """Version of the price book."""
    route: JsonObject = field(default_factory=dict)
    """Why this model: rule, share, candidates and what spoke against them; version of the router."""
    events: tuple[JsonObject, ...] = ()
    """What was done to the request or the reply: trimmed, redacted, repaired, lost in translation."""
    proposals: tuple[ProposedCall, ...] = ()
    failure: Failure | None = None
    salt: bytes = b""
    """Random; the audit trail holds HMACs of request and reply under it."""
    erased: bool = False
    """Whether its words are gone for good: labels, events, sentences and what it proposed."""

    @property
    def usage(self) -> Usage:
        """Tokens of all attempts together."""
        if len(self.attempts) == 1:
            return self.attempts[0].usage
        return sum((attempt.usage for attempt in self.attempts), Usage())

    @property
    def cost_nano_usd(self) -> int:
        """What all attempts cost together."""
        return sum(attempt.cost_nano_usd for attempt in self.attempts)
