"""Runs, and which gateway processes are alive."""

from interlock.adapters.sql.encoding import decode, encode
from interlock.adapters.sql.session import Row, Session, Statement
from interlock.domain.errors import Conflict
from interlock.domain.ids import RunId, TenantId
from interlock.domain.runs import Run, RunState
from interlock.runs.ports import Heartbeats, RunRecords

OPEN = Statement("""
    INSERT INTO runs (tenant, run, agent, principal, user_id, state, opened_at, deadline, labels)
    VALUES (:tenant, :run, :agent, :principal, :user, :state, :opened_at, :deadline, :labels)
    ON CONFLICT (tenant, run) DO NOTHING
""")

FIND = Statement("""
    SELECT tenant, run, agent, principal, user_id, state, opened_at, deadline, labels
    FROM runs WHERE tenant = :tenant AND run = :run
""")

MOVE = Statement("""
    UPDATE runs SET state = :state WHERE tenant = :tenant AND run = :run AND state = 'open'
""")

LATEST = Statement("""
    SELECT tenant, run, agent, principal, user_id, state, opened_at, deadline, labels
    FROM runs WHERE tenant = :tenant ORDER BY seq DESC LIMIT :limit
""")

BEAT = Statement("""
    INSERT INTO heartbeats (owner, at) VALUES (:owner, :at) ON CONFLICT (owner) DO UPDATE SET at = excluded.at
""")

ALIVE = Statement("SELECT owner FROM heartbeats WHERE at >= :since")


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
            "labels": encode(run.labels),
        }
        if self._session.run(OPEN, values) == 0:
            raise Conflict("There is a run of this id already", do="Open the run under another id")

    def find(self, tenant: TenantId, run: RunId) -> Run | None:
        row = self._session.one(FIND, {"tenant": tenant, "run": run})
        return None if row is None else _run(row)

    def move(self, tenant: TenantId, run: RunId, state: RunState) -> bool:
        return self._session.run(MOVE, {"tenant": tenant, "run": run, "state": state.value}) == 1

    def latest(self, tenant: TenantId, limit: int) -> tuple[Run, ...]:
        return tuple(_run(row) for row in self._session.all(LATEST, {"tenant": tenant, "limit": limit}))


class SqlHeartbeats(Heartbeats):
    """The table `heartbeats`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def beat(self, owner: str, at: int) -> None:
        self._session.run(BEAT, {"owner": owner, "at": at})

    def alive(self, since: int) -> frozenset[str]:
        return frozenset(owner for (owner,) in self._session.all(ALIVE, {"since": since}))


def _run(row: Row) -> Run:
    tenant, run, agent, principal, user, state, opened_at, deadline, labels = row
    return Run(
        id=run,
        tenant=tenant,
        agent=agent,
        principal=principal,
        opened_at=opened_at,
        deadline=deadline,
        user=user,
        state=RunState(state),
        labels=tuple((name, value) for name, value in decode(labels)),
    )
