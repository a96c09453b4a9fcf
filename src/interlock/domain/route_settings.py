"""How a model call is made, wherever it goes: times, retries, caps, context, cache, privacy, records."""

from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The longest waits of one attempt, in milliseconds."""

    connect_ms: int = 5_000
    first_byte_ms: int = 60_000
    """From sending to the first bytes of a stream. A reply that is not streamed comes whole: only the total holds for it."""
    between_bytes_ms: int = 60_000
    total_ms: int = 600_000


class RetryOn(StrEnum):
    """What another attempt may mend."""

    TIMEOUT = "timeout"
    UNAVAILABLE = "unavailable"
    OVERLOADED = "overloaded"
    BAD_REPLY = "bad_reply"
    """A reply that cannot be read, or that broke off before anything of it was delivered."""


@dataclass(frozen=True, slots=True)
class Retries:
    """How often one model is asked before the next one is."""

    attempts: int = 2
    """Of each candidate, the first included."""
    base_ms: int = 250
    """The longest pause before the second attempt; it doubles with each further one."""
    max_ms: int = 8_000
    jitter: bool = True
    """Whether a pause is drawn evenly from 0 to its length, so that callers do not come back together."""
    max_retry_after_ms: int = 20_000
    """What a provider asks to wait is waited up to this; beyond it the next candidate is asked."""
    on: tuple[RetryOn, ...] = tuple(RetryOn)


@dataclass(frozen=True, slots=True)
class Breaker:
    """When a model is left alone."""

    failures: int = 5
    """So many failures in a row, within the window, open the circuit."""
    window_ms: int = 30_000
    cool_down_ms: int = 15_000
    """After this one call is let through to see."""
    max_cool_down_ms: int = 300_000
    """The longest that a provider's own Retry-After keeps a circuit open."""


class Unpriced(StrEnum):
    """What happens to a call whose price is not known."""

    REFUSE = "refuse"
    ALLOW = "allow"


class ProviderSide(StrEnum):
    """What happens to a request that has the provider do or remember more than a reply: run tools, go on from what it keeps."""

    REFUSE = "refuse"
    """What it costs could not be held, and what it does passes no gate."""
    ALLOW = "allow"
    """The call's record says what was asked for; charges beside tokens stand in no budget."""


class RunNeed(StrEnum):
    """Whether a model call must belong to a run."""

    OPTIONAL = "optional"
    REQUIRED = "required"


class OnDisconnect(StrEnum):
    """What happens to the provider's stream when the caller goes away."""

    DRAIN = "drain"
    """It is read to its end, so that the provider's own usage settles the budget."""
    CANCEL = "cancel"
    """It is closed, and what came is counted here."""


class Overflow(StrEnum):
    """What happens to a request that is longer than its context budget."""

    REFUSE = "refuse"
    DROP_OLDEST = "drop_oldest"
    DROP_TOOL_RESULTS = "drop_tool_results"
    KEEP_ENDS = "keep_ends"


@dataclass(frozen=True, slots=True)
class ContextBudget:
    """How much a step may send."""

    max_input_tokens: int | None = None
    """None leaves only the model's own window."""
    over: Overflow = Overflow.REFUSE


@dataclass(frozen=True, slots=True)
class StructuredOutput:
    """What holds where a request asks for output of a JSON Schema."""

    enforce: bool = True
    repair: int = 1
    """How often the model is told what is wrong and asked again: 0 or 1."""


class CacheScope(StrEnum):
    """Who shares cached replies, always within one tenant."""

    TENANT = "tenant"
    AGENT = "agent"
    USER = "user"
    """The same agent for the same user."""
    RUN = "run"


@dataclass(frozen=True, slots=True)
class SemanticCache:
    """Replies to questions that mean the same."""

    threshold: int
    """The least cosine similarity, in 1/10,000."""
    ttl_ms: int
    embedder: str
    """The declared model that turns questions into vectors."""


@dataclass(frozen=True, slots=True)
class Cache:
    """Which replies are kept, and for whom."""

    exact_ttl_ms: int | None = None
    """None keeps none."""
    scope: CacheScope = CacheScope.USER
    semantic: SemanticCache | None = None


class PrivacyMode(StrEnum):
    """What happens to personal data before it leaves for an outside provider."""

    OFF = "off"
    REDACT = "redact"
    TOKENISE = "tokenise"
    """Replaced by tokens that only this run can turn back."""


class DataKind(StrEnum):
    """What the detectors know."""

    PRIVATE_KEY = "private_key"
    API_KEY = "api_key"
    JWT = "jwt"
    EMAIL = "email"
    CARD = "card"
    PHONE = "phone"
    IBAN = "iban"
    IP = "ip"
    NATIONAL_ID = "national_id"
    """Numbers that states give to people."""
    CREDENTIAL = "credential"
    """Passwords in URLs, headers and assignments."""


@dataclass(frozen=True, slots=True)
class Privacy:
    """What outside providers do not get to see."""

    mode: PrivacyMode = PrivacyMode.OFF
    kinds: frozenset[DataKind] = frozenset(DataKind)
    restore_in_tools: bool = False
    """Whether tokens in the arguments of proposed tool calls become the values again."""
    restore_in_replies: bool = False


class Durable(StrEnum):
    """Which records are on disk before the caller has the end of its reply; others follow within moments."""

    REPLIES = "replies"
    PROPOSALS = "proposals"
    """Only of replies that propose tool calls: the gate binds calls to them."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All of it, as it holds for one step."""

    timeouts: Timeouts = Timeouts()
    retries: Retries = Retries()
    hedge_ms: int | None = None
    """After this without a first byte the next candidate is asked as well; None never does."""
    breaker: Breaker = Breaker()
    """The same for every step: a circuit belongs to a model."""
    output_cap: int = 4_096
    """Tokens a reply may have when the caller says nothing."""
    unpriced: Unpriced = Unpriced.REFUSE
    provider_side: ProviderSide = ProviderSide.REFUSE
    runs: RunNeed = RunNeed.OPTIONAL
    on_disconnect: OnDisconnect = OnDisconnect.DRAIN
    context: ContextBudget = ContextBudget()
    structured: StructuredOutput = StructuredOutput()
    cache: Cache = Cache()
    privacy: Privacy = field(default_factory=Privacy)
    durable: Durable = Durable.PROPOSALS
