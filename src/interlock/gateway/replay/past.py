"""Recorded runs, with everything that their decisions rest on, read in bulk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from interlock.approvals.ports import ApprovalFilter
from interlock.domain.approvals import Approval
from interlock.domain.brakes import Brake
from interlock.domain.calls import CallRecord
from interlock.domain.ids import RunId, TenantId
from interlock.domain.runs import Run
from interlock.gateway.store import Tx
from interlock.runs.replays import ModelCost

_ALL = 1 << 31
"""More brakes than there ever were, and more questions than a run has."""


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """One run of the past."""

    run: Run
    calls: tuple[CallRecord, ...]
    """In the order in which they were first proposed, without what the tools answered."""
    costs: tuple[ModelCost, ...]
    approvals: Mapping[str, Approval]
    """Every question about its calls, by id."""
    brakes: Mapping[str, Brake]
    """Every brake of the tenant that any of its decisions saw, by id."""
    identity: str = ""
    """What was known of its user, as JSON, where that was asked for."""


def recorded(tx: Tx, tenant: TenantId, runs: Sequence[RunId], *, identities: bool = False) -> tuple[RecordedRun, ...]:
    """Return `runs` in their order; those that are not there are left out."""
    headers = tx.replays.headers(tenant, runs)
    calls: dict[RunId, list[CallRecord]] = {}
    for record in tx.replays.calls(tenant, runs):
        calls.setdefault(record.call.key.run, []).append(record)
    costs: dict[RunId, list[ModelCost]] = {}
    for cost in tx.replays.costs(tenant, runs):
        costs.setdefault(cost.run, []).append(cost)
    braked = any(_saw_brakes(record) for records in calls.values() for record in records)
    brakes = {brake.id: brake for brake in tx.brakes.history(tenant, _ALL)} if braked else {}
    return tuple(
        RecordedRun(
            headers[run],
            tuple(calls.get(run, ())),
            tuple(costs.get(run, ())),
            _approvals(tx, tenant, run, calls.get(run, ())),
            brakes,
            _identity(tx, tenant, run) if identities else "",
        )
        for run in runs
        if run in headers
    )


def _identity(tx: Tx, tenant: TenantId, run: RunId) -> str:
    rows = (row for row, _ in tx.evidence.since(tenant, run, 0))
    return next((row.body for row in rows if row.kind == "identity"), "")


def _saw_brakes(record: CallRecord) -> bool:
    steps = (record.extras, *record.extras.get("earlier", ()))
    return any(step.get("facts", {}).get("brakes") for step in steps)


def _approvals(tx: Tx, tenant: TenantId, run: RunId, calls: Sequence[CallRecord]) -> Mapping[str, Approval]:
    if not any(record.approval for record in calls):
        return {}
    found = tx.approvals.search(ApprovalFilter(tenant=tenant, run=run, limit=_ALL))
    return {approval.id: approval for approval in found}
