"""Read what the gate keeps besides calls: how budgets stand, and the audit trail."""

from interlock.domain.audit import AuditEvent, AuditKind
from interlock.domain.budgets import Balance
from interlock.domain.errors import Forbidden
from interlock.domain.identity import Principal, Role
from interlock.gateway.audit_desk import subjects_of
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

    async def audit(
        self, principal: Principal, subject: str | None, limit: int, *, kind: AuditKind | None = None, since: int = 0
    ) -> tuple[AuditEvent, ...]:
        """Return the tenant's newest audit events of the instant `since` and after.

        `subject` matches from its start, with or without the tenant before it; a model call is found by its id. Raises Forbidden.
        """
        if not principal.may(Role.AUDITOR):
            raise Forbidden("The audit trail is for auditors to see", do="Use a key with the role `auditor` or `admin`")

        def look(tx: Tx) -> list[AuditEvent]:
            tenant = principal.tenant
            subjects = (None,) if subject is None else subjects_of(tx, tenant, subject)
            return [
                event
                for one in subjects
                for event in tx.audit.search(tenant, subject=one, limit=limit, kind=kind, since=since)
            ]

        found = await self._store.read(look)
        return tuple(sorted(found, key=lambda event: event.at, reverse=True)[:limit])

    async def answers(self) -> None:
        """Return if the store answers. Raises StoreUnavailable."""
        now = self._clock.now()
        await self._store.read(lambda tx: tx.heartbeats.alive(now))
