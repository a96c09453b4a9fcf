"""Holds and erasure in memory. Nothing is encrypted there: there is nothing at rest."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from interlock.adapters.memory.budgets import MemoryBudgets
from interlock.adapters.memory.controls import MemoryApprovals
from interlock.adapters.memory.models import MemoryModels
from interlock.adapters.memory.runs import MemoryCalls, MemoryEvidence, MemoryRuns
from interlock.adapters.memory.shelf import Shelf, Undo
from interlock.domain.calls import CallRecord, CallStatus, ToolCall
from interlock.domain.errors import Conflict, OnHold
from interlock.domain.ids import AgentId, PrincipalId, RunId, TenantId, random_bytes
from interlock.domain.models import ModelCallRecord, ProposedCall
from interlock.domain.runs import Run, RunState
from interlock.models.ports import ModelCallFilter
from interlock.runs.keeping import Erasure, HoldScope, KeepingRecords, KeptRun, LegalHold, Resealed, TenantKey
from interlock.runs.ports import CallFilter

_ALL = 1 << 40
_UNSETTLED = frozenset({CallStatus.PENDING, CallStatus.EXECUTING, CallStatus.UNKNOWN})


class Records(Protocol):
    """What is erased from."""

    runs: MemoryRuns
    calls: MemoryCalls
    evidence: MemoryEvidence
    budgets: MemoryBudgets
    approvals: MemoryApprovals
    models: MemoryModels


class MemoryKeeping(KeepingRecords):
    """Holds by id; what is erased is rewritten in the other records."""

    def __init__(self, undo: Undo, records: Records) -> None:
        self._holds: Shelf[str, LegalHold] = Shelf(undo)
        self._records = records

    def place_hold(self, hold: LegalHold) -> None:
        self._holds.put(hold.id, hold)

    def lift_hold(self, tenant: TenantId, id: str, by: PrincipalId, at: int) -> LegalHold | None:
        found = self._holds.find(id)
        if found is None or found.tenant != tenant or found.lifted_at is not None:
            return None
        lifted = replace(found, lifted_at=at, lifted_by=by)
        self._holds.put(id, lifted)
        return lifted

    def holds(self, tenant: TenantId, *, lifted: bool = False) -> tuple[LegalHold, ...]:
        found = (one for one in self._holds.oldest_first() if one.tenant == tenant)
        return tuple(one for one in found if lifted or one.lifted_at is None)

    def kept(self, tenant: TenantId, runs: Sequence[RunId], now: int) -> tuple[KeptRun, ...]:
        found = [self._records.runs.find(tenant, run) for run in runs]
        return tuple(self._kept(run, now) for run in found if run is not None)

    def _kept(self, run: Run, now: int) -> KeptRun:
        ended = run.state is not RunState.OPEN or (run.deadline is not None and run.deadline < now)
        unsettled = self._records.calls.search(
            CallFilter(tenant=run.tenant, run=run.id, statuses=_UNSETTLED, limit=_ALL)
        )
        hold = self._covering(run.tenant, run.agent, run.user, run.id)
        return KeptRun(run.id, ended, len(unsettled), hold, run.erased_at is not None)

    def _covering(self, tenant: TenantId, agent: AgentId, user: str | None, run: RunId | None) -> str:
        names = {HoldScope.TENANT: "", HoldScope.AGENT: agent, HoldScope.USER: user, HoldScope.RUN: run}
        return next((one.id for one in self.holds(tenant) if one.name == names[one.scope]), "")

    def runs_of(self, tenant: TenantId, user: str) -> tuple[RunId, ...]:
        return tuple(run.id for run in self._oldest_first(tenant) if run.user == user)

    def expired(self, tenant: TenantId, before: int, now: int, limit: int) -> tuple[RunId, ...]:
        found = []
        for run in self._oldest_first(tenant):
            over = run.ended_at or run.deadline or run.opened_at
            kept = self._kept(run, now)
            if run.opened_at < before and over < before and kept.ended and not (kept.unsettled or kept.hold):
                found += [] if kept.erased else [run.id]
        return tuple(found[:limit])

    def held_runs(self, tenant: TenantId) -> tuple[RunId, ...]:
        return tuple(RunId(one.name) for one in self.holds(tenant) if one.scope is HoldScope.RUN)

    def late(self, tenant: TenantId, since: int, limit: int) -> tuple[RunId, ...]:
        erased = (one for one in self._oldest_first(tenant) if one.erased_at is not None and one.erased_at > since)
        return tuple([run.id for run in erased if self._has_words(run)][:limit])

    def _has_words(self, run: Run) -> bool:
        calls = self._records.models.search(ModelCallFilter(run.tenant, run=run.id, limit=_ALL))
        return bool(self._records.evidence.since(run.tenant, run.id, 0)) or any(not call.erased for call in calls)

    def _oldest_first(self, tenant: TenantId) -> Iterator[Run]:
        return reversed(self._records.runs.latest(tenant, _ALL))

    def erase_run(self, tenant: TenantId, run: RunId, at: int, *, identity: bool) -> Erasure:
        records, found = self._records, self._records.runs.find(tenant, run)
        if found is None:
            return Erasure()
        user = None if identity else found.user
        records.runs.rewrite(replace(found, labels=(), salt=b"", user=user, erased_at=found.erased_at or at))
        calls = [one for one in records.calls.search(CallFilter(tenant=tenant, run=run, limit=_ALL)) if not one.erased]
        for call in calls:
            records.calls.rewrite(_without_words(call))
        asked = records.models.search(ModelCallFilter(tenant, run=run, limit=_ALL))
        model_calls = [one for one in asked if not one.erased]
        for one in asked:
            records.models.rewrite(_silent(one, identity=identity))
        return Erasure(
            runs=1,
            calls=len(calls),
            model_calls=len(model_calls),
            texts=records.evidence.forget(tenant, run),
            approvals=records.approvals.forget(tenant, run),
            replies=records.models.forget_replies(tenant, run=run),
        )

    def held_calls(self, tenant: TenantId, user: str) -> str:
        asked = self._records.models.search(ModelCallFilter(tenant, limit=_ALL))
        holds = (self._covering(tenant, one.call.agent, user, one.call.run) for one in asked if one.call.user == user)
        return next(filter(None, holds), "")

    def erase_user(self, tenant: TenantId, user: str, at: int, limit: int) -> Erasure:  # noqa: ARG002
        asked = self._records.models.search(ModelCallFilter(tenant, limit=_ALL))
        found = [one for one in asked if one.call.user == user]
        held = self.held_calls(tenant, user)
        if held:
            raise OnHold(f"The legal hold {held} covers model calls of this user", do="See interlock holds list")
        for one in found[:limit]:
            self._records.models.rewrite(_silent(one, identity=True))
        for hold in self.holds(tenant, lifted=True):
            if hold.scope is HoldScope.USER and hold.name == user and hold.lifted_at is not None:
                self._holds.drop(hold.id)
        return Erasure(
            model_calls=len(found[:limit]),
            replies=self._records.models.forget_replies(tenant, user=user),
            budgets=self._rename_budgets(tenant, user),
        )

    def _rename_budgets(self, tenant: TenantId, user: str) -> int:
        part, new = f"|user={user}|", f"|user=erased-{random_bytes(16).hex()}|"
        found = [one.budget for one in self._records.budgets.balances(f"{tenant}|") if part in one.budget]
        for budget in found:
            if not self._records.budgets.rename(budget, budget.replace(part, new)):
                raise Conflict("A budget of this user is in use", do="Wait a minute and repeat")
        return len(found)

    def expire_alone(self, tenant: TenantId, before: int, at: int, limit: int) -> int:  # noqa: ARG002
        asked = reversed(self._records.models.search(ModelCallFilter(tenant, limit=_ALL)))
        found = [
            one
            for one in asked
            if one.call.run is None and not one.erased and one.started_at < before
            if not self._covering(tenant, one.call.agent, one.call.user, None)
        ][:limit]
        for one in found:
            self._records.models.rewrite(_silent(one, identity=False))
        return len(found)

    def keys(self, tenant: TenantId) -> tuple[TenantKey, ...]:  # noqa: ARG002
        return ()

    def rotate_key(self, tenant: TenantId, now: int) -> None:  # noqa: ARG002
        raise _unencrypted()

    def destroy_keys(self, tenant: TenantId, now: int) -> int:  # noqa: ARG002
        raise _unencrypted()

    def rewrap_keys(self, key: bytes) -> int:  # noqa: ARG002
        raise _unencrypted()

    def be_strict(self) -> None:
        """Nothing is sealed in memory."""

    def reseal(self, after: Resealed, limit: int) -> Resealed:  # noqa: ARG002
        return Resealed("", 0, 0)


def _without_words(record: CallRecord) -> CallRecord:
    call = record.call
    silent = ToolCall(call.key, call.agent, PrincipalId(""), call.tool, {})
    return replace(
        record,
        call=silent,
        arguments_hash="",
        decision={},
        salt=b"",
        approval=None,
        idempotency_key="",
        result=None,
        failure=None,
        extras={},
        erased=True,
    )


def _silent(record: ModelCallRecord, *, identity: bool) -> ModelCallRecord:
    call = replace(record.call, labels=(), user=None if identity else record.call.user)
    return replace(
        record,
        call=call,
        events=(),
        proposals=tuple(ProposedCall(one.id, one.tool, "") for one in record.proposals),
        failure=record.failure and replace(record.failure, what="", why="", do=""),
        salt=b"",
        erased=True,
    )


def _unencrypted() -> Conflict:
    return Conflict("This store keeps nothing encrypted", why="it is in memory", do="Use SQLite or PostgreSQL")
