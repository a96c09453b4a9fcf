"""What dead processes held of budgets."""

from interlock.budgets.slices import Slice
from interlock.domain.audit import AuditKind
from interlock.domain.ids import TenantId
from interlock.gateway.store import Tx
from interlock.gateway.trail import event


def reclaim(tx: Tx, alive: frozenset[str], now: int) -> tuple[Slice, ...]:
    """Count as spent what dead processes held of budgets ahead, and record it; return the slices.

    It may have been spent, and a budget is never passed. `alive` are the owners that are not dead.
    """
    written = tx.budgets.write_off(tx.budgets.slices(alive))
    for one in written:
        if one.amount:
            tenant = TenantId(one.budget.split("|", 1)[0])
            budget = _without_user(one.budget)
            body = {"amount": one.amount, "budget": budget, "owner": one.owner}
            tx.audit.append(event(tenant, AuditKind.BUDGET_WRITTEN_OFF, now, "gateway", budget, body))
    return written


def _without_user(budget: str) -> str:
    """Return the name of a budget without the user's: the trail keeps for ever what it is told."""
    return "|".join("user=*" if part.startswith("user=") else part for part in budget.split("|"))
