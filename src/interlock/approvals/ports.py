"""Where approvals are kept. Every method runs inside one transaction of the store."""

from dataclasses import dataclass
from typing import Protocol

from interlock.domain.approvals import Approval, ApprovalState
from interlock.domain.ids import ApprovalId, RunId, TenantId


@dataclass(frozen=True, slots=True)
class ApprovalFilter:
    """Which approvals to list; None means any."""

    tenant: TenantId | None = None
    run: RunId | None = None
    states: frozenset[ApprovalState] | None = None
    due_before: int | None = None
    """Only those not yet escalated whose SLA clock ran out before this instant."""
    expires_before: int | None = None
    limit: int = 100


class ApprovalRecords(Protocol):
    """Approvals by id."""

    def add(self, approval: Approval) -> None:
        """Record a new question."""

    def find(self, approval: ApprovalId) -> Approval | None:
        """Return the approval; on databases with row locks, lock it until the transaction ends."""

    def replace(self, approval: Approval, *, since: ApprovalState) -> bool:
        """Store the new state if it still stands at `since`; return whether it did."""

    def search(self, query: ApprovalFilter) -> tuple[Approval, ...]:
        """Return matching approvals, the one due first at the top."""
