"""Read what the gate keeps besides calls: how budgets stand, and the audit trail."""

from interlock.domain.audit import AuditEvent
from interlock.domain.budgets import Balance
from interlock.domain.errors import Forbidden
from interlock.domain.identity import Principal, Role
from interlock.gateway.ports import Clock
from interlock.gateway.store import Store, Tx


class RecordDesk:
    """Use cases that read and change nothing."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Work on `store`."""
        self._store = store
        self._clock = clock

    async def budgets(self, principal: Principal, prefix: str = "") -> tuple[Balance, ...]:
        """Return the tenant's budgets whose key begins with `prefix` after the tenant. Raises Forbidden."""
        if not (principal.may(Role.OPERATOR) or principal.may(Role.AUDITOR)):
            raise Forbidden("Budgets are for operators and auditors to see")
        # INVARIANT: the tenant comes from the principal, so no prefix reaches another tenant's budgets.
        whole = f"{principal.tenant}|{prefix}"
        return await self._store.read(lambda tx: tx.budgets.balances(whole))

    async def audit(self, principal: Principal, subject: str | None, limit: int) -> tuple[AuditEvent, ...]:
        """Return the tenant's newest audit events; `subject` matches from its start, with or without the tenant before it.

        Raises Forbidden.
        """
        if not principal.may(Role.AUDITOR):
            raise Forbidden("The audit trail is for auditors to see", do="Use a key with the role `auditor` or `admin`")
        # Calls stand there as tenant/run/call: who asks for a run means its calls too.
        subjects = (subject,) if subject is None else (f"{principal.tenant}/{subject}", subject)

        def look(tx: Tx) -> list[AuditEvent]:
            return [event for one in subjects for event in tx.audit.search(principal.tenant, subject=one, limit=limit)]

        found = await self._store.read(look)
        return tuple(sorted(found, key=lambda event: event.at, reverse=True)[:limit])

    async def answers(self) -> None:
        """Return if the store answers. Raises StoreUnavailable."""
        now = self._clock.now()
        await self._store.read(lambda tx: tx.heartbeats.alive(now))
