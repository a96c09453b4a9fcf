"""Runs, and which gateway processes are alive."""

from collections.abc import Mapping

from interlock.adapters.sql.encoding import decode, encode
from interlock.adapters.sql.seals import place_of
from interlock.adapters.sql.session import Row, Session, Statement
from interlock.domain.errors import Conflict, Erased
from interlock.domain.ids import RunId, TenantId
from interlock.domain.runs import Run, RunOutcome, RunState
from interlock.runs.ports import Heartbeats, RunRecords

OPEN = Statement("""
    INSERT INTO runs (tenant, run, agent, principal, user_id, state, opened_at, deadline, labels, trace, parent_span, salt)
    VALUES (:tenant, :run, :agent, :principal, :user, :state, :opened_at, :deadline, :labels, :trace, :parent_span, :salt)
    ON CONFLICT (tenant, run) DO NOTHING
""")

FIND = Statement("""
    SELECT tenant, run, agent, principal, user_id, state, opened_at, deadline, labels, ended_at, outcome,
           trace, parent_span, salt, erased_at
    FROM runs WHERE tenant = :tenant AND run = :run
""")

END = Statement("""
    UPDATE runs SET state = :state, ended_at = :at, outcome = :outcome
    WHERE tenant = :tenant AND run = :run AND state = 'open'
""")

CONCLUDE = Statement("""
    UPDATE runs SET outcome = :outcome
    WHERE tenant = :tenant AND run = :run AND state = 'closed' AND outcome IS NULL
""")

# Its first condition is that of the index over the few runs that are open.
OVERDUE = Statement("""
    SELECT tenant, run, agent, principal, user_id, state, opened_at, deadline, labels, ended_at, outcome,
           trace, parent_span, salt, erased_at
    FROM runs WHERE state = 'open' AND deadline < :now ORDER BY deadline LIMIT :limit
""")

SUCCESSES = Statement(
    """
    SELECT CASE :by WHEN 'run' THEN run WHEN 'agent' THEN agent WHEN 'user' THEN COALESCE(user_id, '')
                    WHEN 'tenant' THEN tenant
                    WHEN 'day' THEN strftime('%Y-%m-%d', ended_at / 1000, 'unixepoch') END AS winner,
           COUNT(*)
    FROM runs
    WHERE tenant = :tenant AND outcome = 'succeeded' AND ended_at >= :since AND ended_at < :until
    GROUP BY 1
    """,
    postgresql="""
    SELECT CASE CAST(:by AS text)
                WHEN 'run' THEN run WHEN 'agent' THEN agent WHEN 'user' THEN COALESCE(user_id, '')
                WHEN 'tenant' THEN tenant
                WHEN 'day' THEN to_char(to_timestamp(ended_at / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD') END AS winner,
           COUNT(*)
    FROM runs
    WHERE tenant = :tenant AND outcome = 'succeeded' AND ended_at >= :since AND ended_at < :until
    GROUP BY 1
    """,
)

LATEST = Statement("""
    SELECT tenant, run, agent, principal, user_id, state, opened_at, deadline, labels, ended_at, outcome,
           trace, parent_span, salt, erased_at
    FROM runs WHERE tenant = :tenant ORDER BY seq DESC LIMIT :limit
""")

BEAT = Statement("""
    INSERT INTO heartbeats (owner, at) VALUES (:owner, :at) ON CONFLICT (owner) DO UPDATE SET at = excluded.at
""")

ALIVE = Statement("SELECT owner FROM heartbeats WHERE at >= :since")

_GROUPS = frozenset({"run", "agent", "user", "tenant", "day"})


class SqlRuns(RunRecords):
    """The table `runs`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def open(self, run: Run) -> None:
        values = {
            "tenant": run.tenant,
            "run": run.id,
            "agent": run.agent,
            "principal": run.principal,
            "user": run.user,
            "state": run.state.value,
            "opened_at": run.opened_at,
            "deadline": run.deadline,
            "labels": self._session.seals.seal(run.tenant, _place(run.tenant, run.id), encode(run.labels)),
            "trace": run.trace,
            "parent_span": run.parent_span,
            "salt": run.salt,
        }
        if self._session.run(OPEN, values) == 0:
            raise Conflict("There is a run of this id already", do="Open the run under another id")

    def find(self, tenant: TenantId, run: RunId) -> Run | None:
        row = self._session.one(FIND, {"tenant": tenant, "run": run})
        return None if row is None else run_of(row, self._session)

    def end(self, tenant: TenantId, run: RunId, state: RunState, at: int, outcome: RunOutcome | None) -> bool:
        values = {"tenant": tenant, "run": run, "state": state.value, "at": at, "outcome": outcome and outcome.value}
        return self._session.run(END, values) == 1

    def conclude(self, tenant: TenantId, run: RunId, outcome: RunOutcome) -> bool:
        return self._session.run(CONCLUDE, {"tenant": tenant, "run": run, "outcome": outcome.value}) == 1

    def overdue(self, now: int, limit: int) -> tuple[Run, ...]:
        rows = self._session.all(OVERDUE, {"now": now, "limit": limit})
        return tuple(run_of(row, self._session) for row in rows)

    def successes(self, tenant: TenantId, *, by: str, since: int, until: int) -> Mapping[str, int]:
        if by not in _GROUPS:
            raise ValueError(f"successes are not counted by {by}")
        rows = self._session.all(SUCCESSES, {"tenant": tenant, "by": by, "since": since, "until": until})
        return dict(rows)

    def latest(self, tenant: TenantId, limit: int) -> tuple[Run, ...]:
        return tuple(
            run_of(row, self._session) for row in self._session.all(LATEST, {"tenant": tenant, "limit": limit})
        )


class SqlHeartbeats(Heartbeats):
    """The table `heartbeats`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def beat(self, owner: str, at: int) -> None:
        self._session.run(BEAT, {"owner": owner, "at": at})

    def alive(self, since: int) -> frozenset[str]:
        return frozenset(owner for (owner,) in self._session.all(ALIVE, {"since": since}))


def run_of(row: Row, session: Session) -> Run:
    """Return the run that a row stands for; labels that were erased are none."""
    tenant, run, agent, principal, user, state, opened_at, deadline, labels, ended_at, outcome, *traced = row
    trace, parent_span, salt, erased_at = traced
    said = _labels(labels, tenant, run, session)
    return Run(
        id=run,
        tenant=tenant,
        agent=agent,
        principal=principal,
        opened_at=opened_at,
        deadline=deadline,
        user=user,
        state=RunState(state),
        labels=said or (),
        ended_at=ended_at,
        outcome=RunOutcome(outcome) if outcome is not None else None,
        trace=trace,
        parent_span=parent_span,
        # Without the words nothing can be shown to be what was committed to.
        salt=salt or b"" if said is not None else b"",
        erased_at=erased_at,
    )


def _labels(body: bytes, tenant: TenantId, run: RunId, session: Session) -> tuple[tuple[str, str], ...] | None:
    """Return the labels, or None where they were erased."""
    if not body:
        return None
    try:
        labels = decode(session.seals.open(tenant, _place(tenant, run), body))
    except Erased:
        return None
    return tuple((name, value) for name, value in labels)


def _place(tenant: TenantId, run: RunId) -> str:
    return place_of("runs", "labels", tenant, run)
