"""Many runs read at once, from memory."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from interlock.adapters.memory.models import MemoryModels
from interlock.adapters.memory.runs import MemoryCalls, MemoryRuns
from interlock.domain.calls import CallRecord
from interlock.domain.ids import AgentId, RunId, TenantId
from interlock.domain.models import ModelCallRecord, ModelCallStatus
from interlock.domain.runs import Run
from interlock.models.ports import ModelCallFilter
from interlock.runs.ports import CallFilter
from interlock.runs.replays import ModelCost, ReplayRecords

_ALL = 1 << 40


class MemoryReplays(ReplayRecords):
    """Reads what the other records hold."""

    def __init__(self, runs: MemoryRuns, calls: MemoryCalls, models: MemoryModels) -> None:
        self._runs = runs
        self._calls = calls
        self._models = models

    def runs(self, tenant: TenantId, *, since: int, until: int, agent: AgentId | None) -> tuple[RunId, ...]:
        found = reversed(self._runs.latest(tenant, _ALL))
        return tuple(run.id for run in found if since <= run.opened_at < until and agent in (None, run.agent))

    def headers(self, tenant: TenantId, runs: Sequence[RunId]) -> Mapping[RunId, Run]:
        found = (self._runs.find(tenant, run) for run in runs)
        return {run.id: run for run in found if run is not None}

    def calls(self, tenant: TenantId, runs: Sequence[RunId]) -> tuple[CallRecord, ...]:
        wanted = frozenset(runs)
        found = reversed(self._calls.search(CallFilter(tenant=tenant, limit=_ALL)))
        return tuple(replace(record, result=None) for record in found if record.call.key.run in wanted)

    def costs(self, tenant: TenantId, runs: Sequence[RunId]) -> tuple[ModelCost, ...]:
        wanted = frozenset(runs)
        found = reversed(self._models.search(ModelCallFilter(tenant, limit=_ALL)))
        return tuple(_cost(one, one.call.run) for one in found if one.call.run is not None and one.call.run in wanted)


def _cost(record: ModelCallRecord, run: RunId) -> ModelCost:
    call = record.call
    return ModelCost(
        run,
        call.id,
        call.agent,
        call.principal,
        call.user,
        call.step,
        refused=record.status is ModelCallStatus.REFUSED,
        started_at=record.started_at,
        tokens=record.usage.total,
        cost_nano_usd=record.cost_nano_usd,
    )
