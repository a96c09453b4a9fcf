"""What the gate remembers of a run. Every method runs inside one transaction of the store."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from interlock.domain.calls import CallKey, CallRecord, CallStatus
from interlock.domain.ids import AgentId, CallId, RunId, TenantId, ToolName
from interlock.domain.runs import Run, RunOutcome, RunState


class RunRecords(Protocol):
    """Runs by tenant and id."""

    def open(self, run: Run) -> None:
        """Record a new run. Raises Conflict if the id is taken."""

    def find(self, tenant: TenantId, run: RunId) -> Run | None:
        """Return the run, or None."""

    def end(self, tenant: TenantId, run: RunId, state: RunState, at: int, outcome: RunOutcome | None) -> bool:
        """End an open run at `at` (milliseconds since the epoch); return False if it was not open."""

    def conclude(self, tenant: TenantId, run: RunId, outcome: RunOutcome) -> bool:
        """Say what came of a closed run of which nobody has said it; return False if it is none."""

    def overdue(self, now: int, limit: int) -> tuple[Run, ...]:
        """Return up to `limit` open runs, of whatever tenant, whose deadline has passed."""

    def successes(self, tenant: TenantId, *, by: str, since: int, until: int) -> Mapping[str, int]:
        """Return how many runs that ended in [since, until) succeeded, by `run`, `agent`, `user`, `tenant` or `day`.

        Raises ValueError for another word.
        """

    def latest(self, tenant: TenantId, limit: int) -> tuple[Run, ...]:
        """Return the newest runs first."""


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls to list; None means any."""

    tenant: TenantId | None = None
    """None only for the gate's own sweeps; what a caller sees is always bound to its tenant."""
    run: RunId | None = None
    agent: AgentId | None = None
    tool: ToolName | None = None
    statuses: frozenset[CallStatus] | None = None
    owners_other_than: frozenset[str] | None = None
    """Only calls whose `owner` is none of these (the processes that are alive)."""
    limit: int = 100


class CallJournal(Protocol):
    """Calls by key. INVARIANT I3: a call id has one outcome."""

    def find(self, key: CallKey) -> CallRecord | None:
        """Return the record; on databases with row locks, lock it until the transaction ends."""

    def insert(self, record: CallRecord) -> bool:
        """Record a call that was never seen; return False if its key is taken."""

    def advance(self, record: CallRecord, *, since: CallStatus, attempt: int) -> bool:
        """Replace the record if it still stands at `since` and `attempt`; return whether it did.

        The call itself, its arguments' hash, its salt and `created_at` stay as they were inserted.
        """

    def search(self, query: CallFilter) -> tuple[CallRecord, ...]:
        """Return matching records, newest first."""


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """One text that the run saw, in order. Bodies of tool results stand in the journal and are not stored twice."""

    seq: int
    """Order within the run, from 1, without promise of no gaps."""
    kind: str
    """`system`, `user`, `identity`, `tool_result`, or `seen` for what a model was shown in its messages."""
    body: str = ""
    """The text, or JSON for `identity`; empty for tool results."""
    call: CallId | None = None
    """For `tool_result`: the call, whose record carries tool, arguments and result."""


class EvidenceLog(Protocol):
    """What a run saw, append-only."""

    def append(self, tenant: TenantId, run: RunId, kind: str, body: str, call: CallId | None) -> int:
        """Add a row at the end and return its `seq`."""

    def since(self, tenant: TenantId, run: RunId, seq: int) -> tuple[tuple[EvidenceRow, CallRecord | None], ...]:
        """Return the rows after `seq` in order, each tool result with its call's record."""


class Heartbeats(Protocol):
    """Which gateway processes are alive."""

    def beat(self, owner: str, at: int) -> None:
        """Note that `owner` is alive at `at` (milliseconds since the epoch)."""

    def alive(self, since: int) -> frozenset[str]:
        """Return the owners seen at or after `since`."""
