"""Look at model calls: what was asked of which model, why, and what it cost."""

from dataclasses import dataclass, replace
from enum import StrEnum

from interlock.domain.errors import Forbidden, UnknownRecord
from interlock.domain.identity import Principal, Role
from interlock.domain.ids import ModelCallId, RunId
from interlock.domain.models import ModelCallRecord
from interlock.gateway.run_desk import visible_run
from interlock.gateway.store import Store, Tx
from interlock.models.ports import ModelCallFilter, Spending


class Grouping(StrEnum):
    """What spending is added up by."""

    RUN = "run"
    AGENT = "agent"
    USER = "user"
    STEP = "step"
    MODEL = "model"
    PROVIDER = "provider"
    TENANT = "tenant"
    DAY = "day"
    """In UTC."""


@dataclass(frozen=True, slots=True)
class GroupSpending:
    """What model calls of one group used and cost, and what they were good for."""

    spending: Spending
    successes: int | None
    """Runs of the group that ended as succeeded in that time; None where a run belongs to no one group (step, model)."""

    @property
    def cost_per_success(self) -> int | None:
        """Nano-dollars, all runs and calls of the group included, rounded down; None without a success."""
        return self.spending.cost_nano_usd // self.successes if self.successes else None


_OF_RUNS = frozenset({Grouping.RUN, Grouping.AGENT, Grouping.USER, Grouping.TENANT, Grouping.DAY})
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

    async def spent(self, principal: Principal, run: RunId) -> Spending:
        """Return what the model calls of one run used and cost. Raises UnknownRun."""

        def work(tx: Tx) -> Spending:
            return tx.models.spent(principal.tenant, visible_run(tx, principal, run).id)

        return await self._store.read(work)

    async def spending(
        self, principal: Principal, *, by: Grouping, since: int, until: int
    ) -> tuple[GroupSpending, ...]:
        """Return what calls that started in [since, until) used and cost, dearest group first. Raises Forbidden.

        A group whose runs succeeded without asking any model is among them.
        """
        if not (principal.may(Role.OPERATOR) or principal.may(Role.AUDITOR)):
            raise Forbidden("Spending is for operators and auditors to see")
        tenant, word = principal.tenant, by.value

        def work(tx: Tx) -> tuple[GroupSpending, ...]:
            spent = {one.group: one for one in tx.models.spending(tenant, by=word, since=since, until=until)}
            if by not in _OF_RUNS:
                return tuple(GroupSpending(one, None) for one in spent.values())
            won = tx.runs.successes(tenant, by=word, since=since, until=until)
            groups = {name: Spending(name, 0, 0, 0, 0) for name in won} | spent
            found = (GroupSpending(one, won.get(name, 0)) for name, one in groups.items())
            return tuple(sorted(found, key=lambda one: (-one.spending.cost_nano_usd, one.spending.group)))

        return await self._store.read(work)


def _reads_all(principal: Principal) -> bool:
    return any(principal.may(role) for role in _READERS)
