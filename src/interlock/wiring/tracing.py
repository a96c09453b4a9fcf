"""The traces of a deployment, built: who adds up what happens, and what is shown."""

from dataclasses import dataclass

from interlock.gateway.audit_log import Sequencer
from interlock.gateway.followers import Following, SumsFollower, catch_up
from interlock.gateway.ports import Clock
from interlock.gateway.store import Store
from interlock.gateway.trace_desk import TraceDesk
from interlock.traces.ports import SpanStore


@dataclass(frozen=True, slots=True)
class TraceWork:
    """What keeps traces, what adds up, and what looks at them."""

    spans: SpanStore
    desk: TraceDesk
    following: tuple[Following, ...]
    """What reads the trail for as long as the deployment serves."""


def build_traces(store: Store, spans: SpanStore, owner: str, clock: Clock) -> TraceWork:
    """Return what works on `spans`. Nothing is read or written yet."""
    sums = SumsFollower(store, spans)

    async def refresh() -> None:
        await Sequencer(store).place()
        await catch_up(sums, spans)

    return TraceWork(spans, TraceDesk(store, spans, refresh), (Following(sums, spans, owner, clock),))
