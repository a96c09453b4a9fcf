"""Runs, calls, evidence and heartbeats in memory."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice

from interlock.adapters.memory.shelf import Shelf, Undo
from interlock.domain.calls import CallKey, CallRecord, CallStatus
from interlock.domain.errors import Conflict
from interlock.domain.ids import CallId, RunId, TenantId
from interlock.domain.runs import Run, RunOutcome, RunState
from interlock.runs.ports import CallFilter, CallJournal, EvidenceLog, EvidenceRow, Heartbeats, RunRecords


class MemoryRuns(RunRecords):
    """Runs by tenant and id."""

    def __init__(self, undo: Undo) -> None:
        self._runs: Shelf[tuple[TenantId, RunId], Run] = Shelf(undo)

    def open(self, run: Run) -> None:
        if not self._runs.add((run.tenant, run.id), run):
            raise Conflict("There is a run of this id already", do="Open the run under another id")

    def find(self, tenant: TenantId, run: RunId) -> Run | None:
        return self._runs.find((tenant, run))

    def end(self, tenant: TenantId, run: RunId, state: RunState, at: int, outcome: RunOutcome | None) -> bool:
        found = self._runs.find((tenant, run))
        if found is None or found.state is not RunState.OPEN:
            return False
        self._runs.put((tenant, run), replace(found, state=state, ended_at=at, outcome=outcome))
        return True

    def conclude(self, tenant: TenantId, run: RunId, outcome: RunOutcome) -> bool:
        found = self._runs.find((tenant, run))
        if found is None or found.state is not RunState.CLOSED or found.outcome is not None:
            return False
        self._runs.put((tenant, run), replace(found, outcome=outcome))
        return True

    def overdue(self, now: int, limit: int) -> tuple[Run, ...]:
        late = (
            run
            for run in self._runs.oldest_first()
            if run.state is RunState.OPEN and run.deadline is not None and run.deadline < now
        )
        return tuple(islice(late, limit))

    def successes(self, tenant: TenantId, *, by: str, since: int, until: int) -> Mapping[str, int]:
        if by not in _GROUPS:
            raise ValueError(f"successes are not counted by {by}")
        return Counter(
            _group(run, run.ended_at, by)
            for run in self._runs.oldest_first()
            if run.tenant == tenant and run.outcome is RunOutcome.SUCCEEDED
            if run.ended_at is not None and since <= run.ended_at < until
        )

    def rewrite(self, run: Run) -> None:
        """Put `run` in the place of what is kept of it."""
        self._runs.put((run.tenant, run.id), run)

    def latest(self, tenant: TenantId, limit: int) -> tuple[Run, ...]:
        return tuple(islice((run for run in self._runs.newest_first() if run.tenant == tenant), limit))


_GROUPS = ("run", "agent", "user", "tenant", "day")


def _group(run: Run, ended_at: int, by: str) -> str:
    day = datetime.fromtimestamp(ended_at / 1000, tz=UTC).strftime("%Y-%m-%d")
    return {"run": run.id, "agent": run.agent, "user": run.user or "", "tenant": run.tenant, "day": day}[by]


class MemoryCalls(CallJournal):
    """Calls by key."""

    def __init__(self, undo: Undo) -> None:
        self._calls: Shelf[CallKey, CallRecord] = Shelf(undo)

    def find(self, key: CallKey) -> CallRecord | None:
        return self._calls.find(key)

    def insert(self, record: CallRecord) -> bool:
        return self._calls.add(record.call.key, record)

    def advance(self, record: CallRecord, *, since: CallStatus, attempt: int) -> bool:
        found = self._calls.find(record.call.key)
        if found is None or found.status is not since or found.attempt != attempt:
            return False
        fixed = replace(
            record,
            call=found.call,
            arguments_hash=found.arguments_hash,
            created_at=found.created_at,
            salt=found.salt,
        )
        self._calls.put(record.call.key, fixed)
        return True

    def rewrite(self, record: CallRecord) -> None:
        """Put `record` in the place of what is kept of the call."""
        self._calls.put(record.call.key, record)

    def search(self, query: CallFilter) -> tuple[CallRecord, ...]:
        return tuple(islice((row for row in self._calls.newest_first() if _matches(row, query)), query.limit))


def _matches(record: CallRecord, query: CallFilter) -> bool:
    call = record.call
    return (
        query.tenant in (None, call.key.tenant)
        and query.run in (None, call.key.run)
        and query.agent in (None, call.agent)
        and query.tool in (None, call.tool)
        and (query.statuses is None or record.status in query.statuses)
        and (query.owners_other_than is None or record.owner not in query.owners_other_than)
    )


class MemoryEvidence(EvidenceLog):
    """What each run saw."""

    def __init__(self, undo: Undo, calls: MemoryCalls) -> None:
        self._rows: Shelf[tuple[TenantId, RunId], tuple[EvidenceRow, ...]] = Shelf(undo)
        self._calls = calls

    def append(self, tenant: TenantId, run: RunId, kind: str, body: str, call: CallId | None) -> int:
        rows = self._rows.find((tenant, run)) or ()
        seq = len(rows) + 1
        self._rows.put((tenant, run), (*rows, EvidenceRow(seq, kind, body, call)))
        return seq

    def forget(self, tenant: TenantId, run: RunId) -> int:
        """Drop what the run saw; return how many rows."""
        rows = self._rows.find((tenant, run)) or ()
        self._rows.drop((tenant, run))
        return len(rows)

    def since(self, tenant: TenantId, run: RunId, seq: int) -> tuple[tuple[EvidenceRow, CallRecord | None], ...]:
        rows = self._rows.find((tenant, run)) or ()
        return tuple(
            (row, None if row.call is None else self._calls.find(CallKey(tenant, run, row.call)))
            for row in rows[max(seq, 0) :]
        )


class MemoryHeartbeats(Heartbeats):
    """When each owner was last heard of."""

    def __init__(self, undo: Undo) -> None:
        self._beats: Shelf[str, tuple[str, int]] = Shelf(undo)

    def beat(self, owner: str, at: int) -> None:
        self._beats.put(owner, (owner, at))

    def alive(self, since: int) -> frozenset[str]:
        return frozenset(owner for owner, at in self._beats.oldest_first() if at >= since)
