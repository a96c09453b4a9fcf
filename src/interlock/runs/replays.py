"""The past in bulk, for whoever decides it anew. Every method runs inside one transaction of the store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from interlock.domain.calls import CallRecord
from interlock.domain.ids import AgentId, ModelCallId, PrincipalId, RunId, TenantId, UserId
from interlock.domain.runs import Run


@dataclass(frozen=True, slots=True)
class ModelCost:
    """When a model was asked in a run, by whom, and what it took."""

    run: RunId
    call: ModelCallId
    agent: AgentId
    principal: PrincipalId
    user: UserId | None
    step: str
    refused: bool
    """By Interlock, before any provider was asked."""
    started_at: int
    """Milliseconds since the epoch."""
    tokens: int
    cost_nano_usd: int


class ReplayRecords(Protocol):
    """Runs, calls and costs of many runs at once."""

    def runs(self, tenant: TenantId, *, since: int, until: int, agent: AgentId | None) -> tuple[RunId, ...]:
        """Return the runs that were opened in [since, until), the oldest first; ids only, for there may be many."""

    def headers(self, tenant: TenantId, runs: Sequence[RunId]) -> Mapping[RunId, Run]:
        """Return those of `runs` that there are."""

    def calls(self, tenant: TenantId, runs: Sequence[RunId]) -> tuple[CallRecord, ...]:
        """Return every call of `runs` in the order in which they were first proposed, without what the tools answered."""

    def costs(self, tenant: TenantId, runs: Sequence[RunId]) -> tuple[ModelCost, ...]:
        """Return every model call of `runs`, the oldest first."""
