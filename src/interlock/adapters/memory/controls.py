"""Approvals, brakes and pins in memory."""

from dataclasses import replace
from itertools import islice

from interlock.adapters.memory.shelf import Shelf, Undo
from interlock.approvals.ports import ApprovalFilter, ApprovalRecords
from interlock.brakes.ports import BrakeRecords
from interlock.domain.approvals import Approval, ApprovalState
from interlock.domain.brakes import Brake
from interlock.domain.errors import Erased
from interlock.domain.ids import ApprovalId, PrincipalId, RunId, TenantId, ToolName
from interlock.tools.ports import Pin, PinRecords


class MemoryApprovals(ApprovalRecords):
    """Approvals by id."""

    def __init__(self, undo: Undo) -> None:
        self._approvals: Shelf[ApprovalId, Approval] = Shelf(undo)
        self._erased: Shelf[ApprovalId, RunId] = Shelf(undo)

    def add(self, approval: Approval) -> None:
        self._approvals.put(approval.id, approval)

    def find(self, approval: ApprovalId) -> Approval | None:
        if self._erased.find(approval) is not None:
            raise Erased("What this record said was erased")
        return self._approvals.find(approval)

    def replace(self, approval: Approval, *, since: ApprovalState) -> bool:
        found = self._approvals.find(approval.id)
        if found is None or found.state is not since:
            return False
        self._approvals.put(approval.id, approval)
        return True

    def forget(self, tenant: TenantId, run: RunId) -> int:
        """Drop the questions of the run; return how many."""
        found = [
            one
            for one in self._approvals.oldest_first()
            if (one.binding.key.tenant, one.binding.key.run) == (tenant, run)
        ]
        for one in found:
            self._approvals.drop(one.id)
            self._erased.put(one.id, run)
        return len(found)

    def search(self, query: ApprovalFilter) -> tuple[Approval, ...]:
        found = (approval for approval in self._approvals.oldest_first() if _matches(approval, query))
        return tuple(islice(sorted(found, key=lambda approval: approval.due_at), query.limit))


def _matches(approval: Approval, query: ApprovalFilter) -> bool:
    overdue = query.due_before is None or (approval.due_at < query.due_before and approval.escalated_at is None)
    return (
        overdue
        and query.tenant in (None, approval.binding.key.tenant)
        and query.run in (None, approval.binding.key.run)
        and (query.states is None or approval.state in query.states)
        and (query.expires_before is None or approval.expires_at < query.expires_before)
    )


class MemoryBrakes(BrakeRecords):
    """Brakes by tenant and id."""

    def __init__(self, undo: Undo) -> None:
        self._brakes: Shelf[tuple[TenantId, str], Brake] = Shelf(undo)

    def set(self, brake: Brake) -> None:
        self._brakes.put((brake.tenant, brake.id), brake)

    def lift(self, tenant: TenantId, id: str, *, by: PrincipalId, at: int) -> bool:
        found = self._brakes.find((tenant, id))
        if found is None or not _is_on(found, at):
            return False
        self._brakes.put((tenant, id), replace(found, lifted_at=at, lifted_by=by))
        return True

    def active(self, tenant: TenantId, now: int) -> tuple[Brake, ...]:
        return tuple(brake for brake in self._brakes.oldest_first() if brake.tenant == tenant and _is_on(brake, now))

    def history(self, tenant: TenantId, limit: int) -> tuple[Brake, ...]:
        return tuple(islice((brake for brake in self._brakes.newest_first() if brake.tenant == tenant), limit))


def _is_on(brake: Brake, now: int) -> bool:
    return brake.lifted_at is None and now < brake.expires_at


class MemoryPins(PinRecords):
    """Pins by tool."""

    def __init__(self, undo: Undo) -> None:
        self._pins: Shelf[ToolName, Pin] = Shelf(undo)

    def find(self, tool: ToolName) -> Pin | None:
        return self._pins.find(tool)

    def put(self, pin: Pin) -> None:
        self._pins.put(pin.tool, pin)

    def all(self) -> tuple[Pin, ...]:
        return tuple(sorted(self._pins.oldest_first(), key=lambda pin: pin.tool))
