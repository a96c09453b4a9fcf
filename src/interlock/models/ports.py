"""What the model road needs from outside: someone to ask, and a place for its records."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from interlock.domain.ids import ModelCallId, RunId, TenantId
from interlock.domain.models import Dialect, ModelCallRecord, ProposedCall


class Operation(StrEnum):
    """What is asked of a provider."""

    REPLY = "reply"
    EMBED = "embed"


@dataclass(frozen=True, slots=True)
class Outbound:
    """One request to one provider, ready to be sent."""

    operation: Operation
    model: str
    """The provider's own name of the model."""
    body: bytes
    """JSON in the provider's dialect."""
    stream: bool
    connect_timeout_ms: int
    idle_timeout_ms: int
    """The longest pause between bytes, once the first has come. First byte and total are timed by the road."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """What of the caller's headers is passed on (`anthropic-beta`), lower case. Never credentials."""


class Answer(Protocol):
    """A provider's answer whose head has come. Everything it raises is a ModelFailed."""

    @property
    def status(self) -> int:
        """HTTP status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Response headers, lower case."""

    async def read(self) -> bytes:
        """Return the whole body. Raises ReplyCut when the connection breaks, ModelTimeout when it pauses too long, TooLarge."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes; raises like `read`. Streams of every provider are server-sent events here."""

    async def close(self) -> None:
        """Let go of the connection; if the body was not read to its end, the provider sees a disconnect."""


class Provider(Protocol):
    """Asks models at one provider."""

    @property
    def name(self) -> str:
        """The provider's name in the router file."""

    def speaks(self, dialect: Dialect) -> Dialect:
        """Return the dialect in which a caller of `dialect` is best served: the same where the provider has it."""

    async def open(self, outbound: Outbound, dialect: Dialect) -> Answer:
        """Send the request and return once the head of the answer has come.

        Raises ModelUnavailable when nothing was sent or the connection broke before the head, ModelTimeout.
        """

    async def models(self) -> tuple[str, ...]:
        """Return the models that the provider says it has. Raises ModelFailed."""

    async def close(self) -> None:
        """Let go of connections."""


@dataclass(frozen=True, slots=True)
class ModelCallFilter:
    """Which model calls to list; None means any."""

    tenant: TenantId
    run: RunId | None = None
    agent: str | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Spending:
    """What model calls of one group used and cost."""

    group: str
    calls: int
    input: int
    output: int
    cost_nano_usd: int


@dataclass(frozen=True, slots=True)
class CachedReply:
    """A reply kept for the same question."""

    key: str
    """`models.cache` makes it; holds tenant, scope, model and request as a hash."""
    partition: str
    """For semantic search: tenant, scope, model, system prompt and tools, as a hash; empty when only exact."""
    body: bytes
    expires_at: int
    vector: bytes = b""
    """Embedding of the question, float32 little-endian, unit length; empty when only exact."""
    user: str = ""
    """For whom it was asked, so that it goes when the user's data is erased."""
    run: str = ""


class ModelRecords(Protocol):
    """What is kept of model calls. Every method runs inside one transaction of the store."""

    def add(self, *records: ModelCallRecord) -> None:
        """Record calls that have ended, with their proposals. Adding the same id again changes nothing."""

    def find(self, tenant: TenantId, call: ModelCallId) -> ModelCallRecord | None:
        """Return one record, or None."""

    def search(self, query: ModelCallFilter) -> tuple[ModelCallRecord, ...]:
        """Return matching records, newest first."""

    def spending(self, tenant: TenantId, *, by: str, since: int, until: int) -> tuple[Spending, ...]:
        """Return sums by `run`, `agent`, `user`, `step`, `model`, `provider`, `tenant` or `day`, dearest first.

        Raises ValueError for another word.
        """

    def spent(self, tenant: TenantId, run: RunId) -> Spending:
        """Return the sums of one run; all zero where it has no model calls."""

    def proposals(self, tenant: TenantId, run: RunId) -> tuple[ProposedCall, ...]:
        """Return every tool call that replies of the run proposed, oldest first."""

    def keep(self, tenant: TenantId, reply: CachedReply) -> None:
        """Put a reply into the cache, in place of one of the same key."""

    def cached(self, tenant: TenantId, key: str, now: int) -> CachedReply | None:
        """Return the reply kept under `key`, unless it has expired."""

    def neighbours(self, tenant: TenantId, partition: str, now: int, limit: int) -> tuple[CachedReply, ...]:
        """Return replies of one partition that have a vector, newest first."""

    def drop_expired(self, now: int, limit: int) -> int:
        """Delete up to `limit` expired replies; return how many."""
