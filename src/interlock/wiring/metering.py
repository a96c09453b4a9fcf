"""Look now and then at what is counted in the store and not by the roads, for the gauges of /metrics."""

from dataclasses import dataclass

from interlock.approvals.ports import ApprovalFilter
from interlock.domain.approvals import ApprovalState
from interlock.domain.calls import CallStatus
from interlock.domain.ids import TenantId
from interlock.gateway.audit_log import Watchman
from interlock.gateway.ports import Clock
from interlock.gateway.recorder import Recorder
from interlock.gateway.release import Release
from interlock.gateway.store import Store, Tx
from interlock.metrics import definitions as d
from interlock.metrics.roads import RoadMeter
from interlock.runs.ports import CallFilter

SAMPLE_S = 10.0
_MOST = 10_000
"""Rows that are counted; more than that is more than anybody can work through anyway."""
_MOST_UNPLACED = 100_000


@dataclass(frozen=True, slots=True)
class Gauges:
    """Sets the gauges of one server."""

    meter: RoadMeter
    store: Store
    tenant: TenantId
    clock: Clock

    def watch(self, recorder: Recorder, watchman: Watchman) -> None:
        """Have what stands in memory looked at whenever it is asked for."""
        self.meter.watch(d.RECORDS_WAITING, lambda: recorder.waiting)
        self.meter.watch(d.RECORDER_HEALTHY, lambda: recorder.healthy)
        self.meter.watch(d.LOG_SIGNING, lambda: watchman.problem is None)

    def declare(self, release: Release) -> None:
        """Name the workflows of `release` and their owners."""
        self.meter.declare(self.tenant, [(one.agent.id, one.agent.owner) for one in release.agents.values()])

    async def sample(self) -> None:
        """Look once. Raises StoreUnavailable; the gauges then keep what they said."""
        now = self.clock.now()

        def look(tx: Tx) -> tuple[int, int, int, int]:
            waiting = ApprovalFilter(states=frozenset({ApprovalState.OPEN}), limit=_MOST)
            unknown = CallFilter(statuses=frozenset({CallStatus.UNKNOWN}), limit=_MOST)
            return (
                len(tx.approvals.search(waiting)),
                len(tx.calls.search(unknown)),
                len(tx.brakes.active(self.tenant, now)),
                tx.log.unplaced(_MOST_UNPLACED),
            )

        approvals, calls, brakes, unplaced = await self.store.read(look)
        self.meter.set(d.APPROVALS_WAITING, approvals)
        self.meter.set(d.OUTCOMES_UNKNOWN, calls)
        self.meter.set(d.BRAKES_ON, brakes)
        self.meter.set(d.LOG_UNPLACED, unplaced)
