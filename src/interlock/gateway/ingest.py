"""Spans from outside: read, redacted, mapped to our own schema, and acknowledged once they are on disk."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from interlock.domain.errors import InterlockError, TooLarge
from interlock.domain.ids import TenantId
from interlock.gateway.ports import Clock
from interlock.metrics.meter import Meter, Unmetered
from interlock.traces.mapping import Mapper, Outcome, Redact
from interlock.traces.ports import SpanStore
from interlock.traces.told import Decoder

MOST_SPANS = 10_000
"""In one request."""
MOST_WAITING = 32 << 20
"""Bytes of requests, read and not yet on disk, beyond which no more are taken."""
LARGE = 1 << 20
"""Bytes beyond which a request is read beside everything else: a hostile one takes a second for each."""
AHEAD_MS = 86_400_000
"""How far a sender's clock may be ahead."""
_NS_PER_MS = 1_000_000


class Behind(InterlockError):
    """Spans come faster than they can be stored; nothing of this request was kept, and it may be sent again."""

    code = "spans_behind"
    status = 429


@dataclass(frozen=True, slots=True)
class Taken:
    """What is told to the sender of spans."""

    stored: int
    repeated: int
    rejected: int
    message: str = ""
    """Why some were rejected, or what was left out of others; empty when all is well."""


class Ingest:
    """Takes the spans of every sender of one deployment."""

    def __init__(
        self,
        store: SpanStore,
        redact: Redact,
        clock: Clock,
        kept_ms: Callable[[TenantId], int],
        meter: Meter | None = None,
    ) -> None:
        """`kept_ms` returns how long a tenant's spans are kept: older ones are not taken in the first place."""
        self._meter = meter or Unmetered()
        self._store = store
        self._mapper = Mapper(redact)
        self._clock = clock
        self._kept_ms = kept_ms
        self._waiting = 0
        self._turn = asyncio.Lock()

    async def take(self, tenant: TenantId, body: bytes, decoder: Decoder) -> Taken:
        """Keep the spans of an export request; they are on disk when this returns.

        Raises BadInput when it cannot be read, TooLarge for too many spans, Behind and StoreUnavailable when it should be
        sent again later.
        """
        size = len(body)
        # A request alone is taken, however large: the door has bounded it.
        if self._waiting and self._waiting + size > MOST_WAITING:
            raise Behind(
                "Spans come faster than they can be stored",
                why=f"{self._waiting} bytes wait to be written",
                do="Send the same request again in a few seconds, as OTLP exporters do by themselves",
            )
        self._waiting += size
        try:
            # One after the other: requests that take turns with each other push each other out of the processor's caches.
            async with self._turn:
                outcome = await self._read(tenant, body, decoder)
            receipt = await self._store.add(tenant, outcome.rows)
        finally:
            self._waiting -= size
        rejected = sum(outcome.rejected.values())
        self._meter.spans(tenant, receipt.stored, rejected)
        return Taken(receipt.stored, receipt.repeated, rejected, _message(outcome))

    async def _read(self, tenant: TenantId, body: bytes, decoder: Decoder) -> Outcome:
        outcome = Outcome()
        batches = self._mapped(outcome, tenant, body, decoder)
        if len(body) > LARGE:
            await asyncio.to_thread(deque, batches, 0)
            return outcome
        for _ in batches:
            # Calls of tools and models must not wait for a long request.
            await asyncio.sleep(0)
        return outcome

    def _mapped(self, outcome: Outcome, tenant: TenantId, body: bytes, decoder: Decoder) -> Iterator[None]:
        """Add what becomes of the spans to `outcome`, with a pause before each further batch."""
        now = self._clock.now()
        oldest, newest = (now - self._kept_ms(tenant)) * _NS_PER_MS, (now + AHEAD_MS) * _NS_PER_MS
        told = 0
        for batch in decoder.batches(body):
            told += len(batch.spans)
            if told > MOST_SPANS:
                raise TooLarge(
                    "The request holds too many spans",
                    why=f"the limit is {MOST_SPANS}",
                    do="Let the exporter send smaller batches (OTEL_BSP_MAX_EXPORT_BATCH_SIZE)",
                )
            if told > len(batch.spans):
                yield
            self._mapper.take(batch, outcome, oldest, newest)


def _message(outcome: Outcome) -> str:
    parts = [f"{count} rejected: {reason}" for reason, count in sorted(outcome.rejected.items())]
    if outcome.dropped:
        parts.append(f"{outcome.dropped} attributes, events or links left out: there were too many")
    return "; ".join(parts)
