"""Look at model calls: what was asked of which model, why, and what it cost."""

from dataclasses import replace

from interlock.domain.errors import BadInput, Forbidden, UnknownRecord
from interlock.domain.identity import Principal, Role
from interlock.domain.ids import ModelCallId
from interlock.domain.models import ModelCallRecord
from interlock.gateway.run_desk import visible_run
from interlock.gateway.store import Store, Tx
from interlock.models.ports import ModelCallFilter, Spending

GROUPS = ("run", "agent", "user", "step", "model", "provider", "tenant", "day")
"""What spending can be added up by."""
_READERS = (Role.OPERATOR, Role.AUDITOR, Role.APPROVER)


class ModelDesk:
    """Use cases around the records of model calls."""

    def __init__(self, store: Store) -> None:
        """Work on `store`."""
        self._store = store

    async def calls(self, principal: Principal, query: ModelCallFilter) -> tuple[ModelCallRecord, ...]:
        """Return calls of the principal's tenant, newest first; an agent sees its own, a run token those of its run.

        Raises UnknownRun when `query` names a run that the principal may not see.
        """
        narrowed = replace(query, tenant=principal.tenant)
        if principal.scope is not None and query.run is None:
            narrowed = replace(narrowed, run=principal.scope.run)
        if not _reads_all(principal):
            if principal.agent is None:
                raise Forbidden("This key has no role that may read model calls")
            narrowed = replace(narrowed, agent=principal.agent)

        def work(tx: Tx) -> tuple[ModelCallRecord, ...]:
            if narrowed.run is not None:
                visible_run(tx, principal, narrowed.run)
            return tx.models.search(narrowed)

        return await self._store.read(work)

    async def call(self, principal: Principal, call: ModelCallId) -> ModelCallRecord:
        """Return one call. Raises UnknownRecord."""
        record = await self._store.read(lambda tx: tx.models.find(principal.tenant, call))
        seen = record is not None and (_reads_all(principal) or record.call.agent == principal.agent)
        if record is None or not seen or (principal.scope is not None and record.call.run != principal.scope.run):
            raise UnknownRecord(f"There is no model call {call} that you may see")
        return record

    async def spending(self, principal: Principal, *, by: str, since: int, until: int) -> tuple[Spending, ...]:
        """Return what model calls used and cost, added up by one of GROUPS, dearest first. Raises Forbidden, BadInput."""
        if not _reads_all(principal):
            raise Forbidden("Spending is for operators and auditors to see")
        if by not in GROUPS:
            raise BadInput(f"Spending is not added up by '{by[:40]}'", do=f"Use one of {', '.join(GROUPS)}")
        return await self._store.read(lambda tx: tx.models.spending(principal.tenant, by=by, since=since, until=until))


def _reads_all(principal: Principal) -> bool:
    return any(principal.may(role) for role in _READERS)
