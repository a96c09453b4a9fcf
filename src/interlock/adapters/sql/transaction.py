"""All tables, joined in one transaction."""

from collections.abc import Callable
from typing import TypeVar

from interlock.adapters.sql.approvals import SqlApprovals
from interlock.adapters.sql.audit import SqlAudit
from interlock.adapters.sql.brakes import SqlBrakes
from interlock.adapters.sql.budgets import SqlBudgets
from interlock.adapters.sql.calls import SqlCalls
from interlock.adapters.sql.evidence import SqlEvidence
from interlock.adapters.sql.identities import SqlIdentities
from interlock.adapters.sql.keeping import SqlKeeping
from interlock.adapters.sql.log import SqlLog
from interlock.adapters.sql.models import SqlModels
from interlock.adapters.sql.pins import SqlPins
from interlock.adapters.sql.releases import SqlReleases
from interlock.adapters.sql.replays import SqlReplays
from interlock.adapters.sql.runs import SqlHeartbeats, SqlRuns
from interlock.adapters.sql.session import Session
from interlock.gateway.store import Tx

T = TypeVar("T")


class SqlTx:
    """The records of every capability over one session (see `interlock.gateway.store.Tx`)."""

    def __init__(self, session: Session) -> None:
        self.runs = SqlRuns(session)
        self.calls = SqlCalls(session)
        self.evidence = SqlEvidence(session)
        self.heartbeats = SqlHeartbeats(session)
        self.budgets = SqlBudgets(session)
        self.approvals = SqlApprovals(session)
        self.brakes = SqlBrakes(session)
        self.audit = SqlAudit(session)
        self.log = SqlLog(session)
        self.keeping = SqlKeeping(session)
        self.identities = SqlIdentities(session)
        self.pins = SqlPins(session)
        self.models = SqlModels(session)
        self.releases = SqlReleases(session)
        self.replays = SqlReplays(session)


def perform(work: Callable[[Tx], T], tx: Tx) -> T:
    """Return what `work` returns and raise what it raises, with one exception: no future can carry a StopIteration."""
    try:
        return work(tx)
    except StopIteration:
        raise RuntimeError("the work of a transaction raised StopIteration") from None
