"""Send the spans of Interlock's own work to receivers outside: a follower of the trail that derives and sends them."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from interlock.domain.audit import AuditKind
from interlock.domain.calls import CallKey, CallStatus
from interlock.domain.errors import InterlockError
from interlock.domain.ids import CallId, ModelCallId, RunId, TenantId
from interlock.domain.runs import Run
from interlock.domain.spans import Span, SpanLink
from interlock.gateway.followers import Follower
from interlock.gateway.own_spans import read_call, read_proposers, read_root, redacted, spans_of_model_call
from interlock.gateway.ports import Clock
from interlock.gateway.store import Store, Tx
from interlock.traces.ports import SpanStore

EVENTS = 256
"""Events that are read at once: at least one span for most of them, a dozen for some."""
SPANS = 512
"""Spans that are sent at once."""
_FIRST_S, _LONGEST_S = 1.0, 60.0
"""Between attempts at a receiver that is away; it doubles."""
_STEP_S = 2.0
"""How long a step waits at most, so that whoever keeps the follower going gets his turn."""
_PAST_MS = 3_600_000
"""A receiver that is new gets what has happened in the last hour, and not years of history."""
_FINAL = frozenset(status.value for status in CallStatus if status.is_final)
_LOG = logging.getLogger(__name__)


class ReceiverAway(InterlockError):
    """The receiver of spans does not take them now; they are kept and sent again."""

    code = "receiver_away"
    status = 503

    def __init__(self, what: str, *, after_s: float | None = None) -> None:
        """`after_s` is how long the receiver asks to be left alone."""
        super().__init__(what, do="Check that it runs, and traces.export in interlock.yaml")
        self.after_s = after_s


class Receiver(Protocol):
    """Takes spans, somewhere else. It may be sent some twice."""

    @property
    def name(self) -> str:
        """What tells it from other receivers, the same after a restart."""

    async def send(self, spans: Sequence[Span]) -> None:
        """Deliver `spans`; what is refused for good is told in the log and left out. Raises ReceiverAway to be asked again."""

    async def close(self) -> None:
        """Let go of connections."""


@dataclass(slots=True)
class ExportFollower(Follower):
    """Sends each span once its work has ended. A receiver that is away for hours loses nothing and holds up nothing."""

    store: Store
    spans: SpanStore
    receiver: Receiver
    redact: Callable[[str], str]
    clock: Clock
    _failures: int = field(default=0, init=False)
    _again_at: float = field(default=0.0, init=False)
    """By the monotonic clock."""

    @property
    def name(self) -> str:
        return f"export:{self.receiver.name}"

    @property
    def waits_s(self) -> float:
        """How long the receiver is left alone from now on; 0 when it is not."""
        return max(0.0, self._again_at - time.monotonic())

    async def step(self, position: int) -> int:
        if (pause := self.waits_s) > 0:
            await asyncio.sleep(min(pause, _STEP_S))
            return position
        since = self.clock.now() - _PAST_MS
        beyond, found = await self.store.read(lambda tx: _read(tx, position, since))
        if beyond == position:
            return position
        try:
            for start in range(0, len(found), SPANS):
                await self.receiver.send([redacted(span, self.redact) for span in found[start : start + SPANS]])
        except InterlockError as error:
            self._back_off(error)
            return position
        self._failures = 0
        # Only now: a process that dies before sends them again.
        if not await self.spans.follow(self.name, position, beyond):
            return await self.spans.position(self.name)
        return beyond

    def _back_off(self, error: InterlockError) -> None:
        asked = error.after_s if isinstance(error, ReceiverAway) else None
        usual = min(_FIRST_S * 2**self._failures, _LONGEST_S)
        pause = asked if asked is not None else usual * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
        if not self._failures:
            _LOG.warning("Spans wait to be sent: %s", error)
        self._failures += 1
        self._again_at = time.monotonic() + pause


def _read(tx: Tx, position: int, since: int) -> tuple[int, tuple[Span, ...]]:
    """Return how far the trail was read, and the spans of the work that ended there."""
    first = position or _begin(tx, since)
    leaves = [orjson.loads(entry.leaf) for entry in tx.log.entries(first, EVENTS)]
    return first + len(leaves), tuple(_ended(tx, leaves))


def _begin(tx: Tx, since: int) -> int:
    """Return the index of the first event at or after `since`: where a follower begins that has read nothing yet."""
    low, high = 0, tx.log.size()
    while low < high:
        middle = (low + high) // 2
        (entry,) = tx.log.entries(middle, 1)
        if orjson.loads(entry.leaf)["at"] < since:
            low = middle + 1
        else:
            high = middle
    return low


def _ended(tx: Tx, events: Iterable[dict[str, Any]]) -> Iterator[Span]:
    """Yield the spans of every piece of work that ended with one of `events`, of each once."""
    runs = _Runs(tx)
    ends = {(TenantId(one["tenant"]), str(one["subject"]), str(one["kind"])): None for one in events if _ends(one)}
    for tenant, subject, kind in ends:
        if kind == AuditKind.MODEL_CALLED:
            record = tx.models.find(tenant, ModelCallId(subject.rpartition("/")[2]))
            if record is not None:
                run = record.call.run
                yield from spans_of_model_call(record, runs.find(tenant, run) if run is not None else None)
        elif kind == AuditKind.RUN_CLOSED:
            closed = runs.find(tenant, RunId(subject))
            if closed is not None:
                yield read_root(tx, closed)
        else:
            _, name, call = subject.split("/", 2)
            owner = runs.find(tenant, RunId(name))
            if owner is not None:
                yield from read_call(tx, owner, CallKey(tenant, owner.id, CallId(call)), runs.proposers(owner))


class _Runs:
    """Runs that events speak of, each read once."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self._runs: dict[tuple[TenantId, RunId], Run | None] = {}
        self._proposers: dict[tuple[TenantId, RunId], dict[str, SpanLink]] = {}

    def find(self, tenant: TenantId, run: RunId) -> Run | None:
        key = (tenant, run)
        if key not in self._runs:
            self._runs[key] = self._tx.runs.find(tenant, run)
        return self._runs[key]

    def proposers(self, run: Run) -> dict[str, SpanLink]:
        key = (run.tenant, run.id)
        if key not in self._proposers:
            self._proposers[key] = read_proposers(self._tx, run)
        return self._proposers[key]


def _ends(event: dict[str, Any]) -> bool:
    """Return whether work has ended with `event`: a call that is final, a model call, a run."""
    kind = event["kind"]
    if kind in (AuditKind.CALL_DECIDED, AuditKind.CALL_SETTLED):
        return event["body"].get("status") in _FINAL
    return kind in (AuditKind.MODEL_CALLED, AuditKind.RUN_CLOSED)
