"""What followers of the trail add to the sums of runs, and how far they have read."""

from collections.abc import Sequence
from typing import Any

from interlock.adapters.sql.session import Session, Statement
from interlock.domain.ids import RunId, TenantId
from interlock.domain.trace_context import trace_of_run
from interlock.traces.ports import RunChange

POSITION = Statement("SELECT position FROM followers WHERE name = :name")

ENROL = Statement("INSERT INTO followers (name) VALUES (:name) ON CONFLICT (name) DO NOTHING")

MOVE = Statement("UPDATE followers SET position = :position WHERE name = :name AND position = :since")

LEASE = Statement("""
    UPDATE followers SET holder = :holder, held_until = :until
    WHERE name = :name AND (holder = :holder OR held_until <= :now)
""")

# SQLite finds runs by their index only where the statement says that the name is not empty, as the index does.
CHANGE = Statement("""
    UPDATE run_sums SET
        workflow = CASE WHEN :workflow = '' THEN workflow ELSE :workflow END,
        user_id = CASE WHEN :user = '' THEN user_id ELSE :user END,
        state = CASE WHEN :state = '' OR state IN ('closed', 'stopped') THEN state ELSE :state END,
        outcome = CASE WHEN :outcome = '' THEN outcome ELSE :outcome END,
        ended_at = CASE
            WHEN CAST(:ended_at AS bigint) IS NULL OR state IN ('closed', 'stopped') THEN ended_at
            WHEN ended_at > CAST(:ended_at AS bigint) THEN ended_at
            ELSE CAST(:ended_at AS bigint) END,
        model_calls = model_calls + :model_calls, tool_calls = tool_calls + :tool_calls,
        failed_calls = failed_calls + :failed_calls, denied = denied + :denied, held = held + :held,
        escalated = escalated + :escalated, near_misses = near_misses + :near_misses,
        input_tokens = input_tokens + :input_tokens, output_tokens = output_tokens + :output_tokens,
        cost_nano_usd = cost_nano_usd + :cost_nano_usd, stale = 1
    WHERE tenant = :tenant AND run = :run AND run <> ''
    RETURNING id
""")

# Spans of the run's trace may have come before the trail told of the run.
ADOPT = Statement("""
    UPDATE run_sums SET run = :run, started_at = :at, ended_at = NULL
    WHERE tenant = :tenant AND trace = :trace AND ordinal = 0 AND run = ''
""")

ENTER = Statement("""
    INSERT INTO run_sums (tenant, trace, ordinal, run, started_at)
    SELECT :tenant, :trace, coalesce(max(ordinal) + 1, 0), :run, :at
    FROM run_sums WHERE tenant = :tenant AND trace = :trace
    ON CONFLICT DO NOTHING
""")

NOTE = Statement("""
    INSERT INTO notable (sums, kind, reason, times) VALUES (:sums, :kind, :reason, :times)
    ON CONFLICT (sums, kind, reason) DO UPDATE SET times = notable.times + excluded.times
""")

_TRIES = 3
"""How often a new run is entered: spans of its trace may come at the same instant and take the place."""


class RunSumming:
    """The tables `followers` and `notable`, and `run_sums` as far as the trail counts there."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def position(self, name: str) -> int:
        """Return how far the follower has read."""
        row = self._session.one(POSITION, {"name": name})
        return 0 if row is None else int(row[0])

    def lease(self, name: str, holder: str, now: int, until: int) -> bool:
        """Return whether `holder` is the follower now."""
        self._session.run(ENROL, {"name": name})
        return self._session.run(LEASE, {"name": name, "holder": holder, "now": now, "until": until}) == 1

    def follow(self, name: str, since: int, position: int, changes: Sequence[RunChange]) -> bool:
        """Add `changes` if the follower stands at `since`, and move it."""
        self._session.run(ENROL, {"name": name})
        if not self._session.run(MOVE, {"name": name, "since": since, "position": position}):
            return False
        values = [_values(change) for change in changes]
        notes: list[dict[str, Any]] = []
        for change, named, found in zip(changes, values, self._session.each(CHANGE, values), strict=True):
            sums = found[0] if found is not None else self._entered(change, named)
            notes += [
                {"sums": sums, "kind": kind, "reason": why, "times": times} for kind, why, times in change.notable
            ]
        if notes:
            self._session.many(NOTE, notes)
        return True

    def _entered(self, change: RunChange, values: dict[str, Any]) -> int:
        trace = change.trace or bytes.fromhex(trace_of_run(TenantId(change.tenant), RunId(change.run)))
        place = {"tenant": change.tenant, "run": change.run, "trace": trace, "at": change.at}
        for _ in range(_TRIES):
            if not self._session.run(ADOPT, place):
                self._session.run(ENTER, place)
            found = self._session.one(CHANGE, values)
            if found is not None:
                return int(found[0])
        raise RuntimeError(f"run {change.run} has no place among the sums")  # pragma: no cover - two at once at most


def _values(change: RunChange) -> dict[str, Any]:
    values = change._asdict()
    del values["trace"], values["at"], values["notable"]
    return values
