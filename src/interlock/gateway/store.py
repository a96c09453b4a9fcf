"""The store as the roads see it: one transaction at a time, everything in it or nothing."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from interlock.approvals.ports import ApprovalRecords
from interlock.audit.ports import AuditLog, AuditTrail
from interlock.brakes.ports import BrakeRecords
from interlock.budgets.ports import BudgetLedger
from interlock.identity.ports import IdentityRecords
from interlock.models.ports import ModelRecords
from interlock.policy.releases import ReleaseRecords
from interlock.runs.keeping import KeepingRecords
from interlock.runs.ports import CallJournal, EvidenceLog, Heartbeats, RunRecords
from interlock.runs.replays import ReplayRecords
from interlock.tools.ports import PinRecords

T = TypeVar("T")


class Tx(Protocol):
    """The records of every capability, joined in one transaction."""

    @property
    def runs(self) -> RunRecords: ...
    @property
    def calls(self) -> CallJournal: ...
    @property
    def evidence(self) -> EvidenceLog: ...
    @property
    def heartbeats(self) -> Heartbeats: ...
    @property
    def budgets(self) -> BudgetLedger: ...
    @property
    def approvals(self) -> ApprovalRecords: ...
    @property
    def brakes(self) -> BrakeRecords: ...
    @property
    def audit(self) -> AuditTrail: ...
    @property
    def log(self) -> AuditLog: ...
    @property
    def keeping(self) -> KeepingRecords: ...
    @property
    def identities(self) -> IdentityRecords: ...
    @property
    def pins(self) -> PinRecords: ...
    @property
    def models(self) -> ModelRecords: ...
    @property
    def releases(self) -> ReleaseRecords: ...
    @property
    def replays(self) -> ReplayRecords: ...


class Store(Protocol):
    """A database, or memory. Raises StoreUnavailable when nothing can be recorded: locked, full, gone."""

    async def transact(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a transaction that commits durably before this returns; an exception rolls back and is raised.

        `work` may run on another thread and, after a serialisation conflict, more than once: it has no effects but those on `tx`.
        """

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work` on a consistent snapshot. To write is a mistake: databases refuse it, and nothing is kept."""

    async def close(self) -> None:
        """Finish what is under way and let go of connections."""
