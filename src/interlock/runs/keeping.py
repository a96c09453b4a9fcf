"""What may be deleted of the record, and what a legal hold keeps. Every method runs inside one transaction of the store."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import NamedTuple, Protocol, Self

from interlock.domain.ids import PrincipalId, RunId, TenantId


class HoldScope(StrEnum):
    """What a legal hold keeps."""

    RUN = "run"
    USER = "user"
    AGENT = "agent"
    TENANT = "tenant"
    """Everything."""


@dataclass(frozen=True, slots=True)
class LegalHold:
    """While it stands, nothing of what it covers is erased, and nothing expires."""

    id: str
    tenant: TenantId
    scope: HoldScope
    name: str
    """Of the run, the user or the agent; empty for everything."""
    reason: str
    placed_at: int
    """Milliseconds since the epoch."""
    placed_by: PrincipalId
    salt: bytes = b""
    """32 random bytes; the audit trail holds HMACs of name and reason under it."""
    lifted_at: int | None = None
    lifted_by: PrincipalId | None = None


@dataclass(frozen=True, slots=True)
class Erasure:
    """How much was erased."""

    runs: int = 0
    calls: int = 0
    model_calls: int = 0
    texts: int = 0
    """What runs were told and saw."""
    approvals: int = 0
    replies: int = 0
    """Kept to be used again."""
    budgets: int = 0
    """That bore the user's name."""
    spans: int = 0
    archived: int = 0
    """Rows of Parquet files."""

    def __add__(self, other: Self) -> Self:
        """Return both together."""
        return type(self)(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))


class KeptRun(NamedTuple):
    """As much of a run as says whether it may be erased."""

    run: RunId
    ended: bool
    """Whether no call is admitted any more."""
    unsettled: int
    """Calls that wait for a person, are under way, or whose outcome nobody knows."""
    hold: str
    """Id of a legal hold that covers it, or empty."""
    erased: bool


class TenantKey(NamedTuple):
    """A tenant's encryption key, as far as it is told."""

    tenant: TenantId
    id: int
    created_at: int
    destroyed_at: int | None


class Resealed(NamedTuple):
    """How far a walk over all rows has come."""

    table: str = "runs"
    """Empty when the walk is over."""
    seq: int = 0
    sealed: int = 0
    """Rows that were not sealed before."""


class KeepingRecords(Protocol):
    """Holds, and the deletion of words. Rows, sums, ids and commitments are never deleted."""

    def place_hold(self, hold: LegalHold) -> None:
        """Record a hold."""

    def lift_hold(self, tenant: TenantId, id: str, by: PrincipalId, at: int) -> LegalHold | None:
        """Lift a hold that stands and return it, or None."""

    def holds(self, tenant: TenantId, *, lifted: bool = False) -> tuple[LegalHold, ...]:
        """Return the holds that stand, the oldest first; with `lifted` those of before too."""

    def kept(self, tenant: TenantId, runs: Sequence[RunId], now: int) -> tuple[KeptRun, ...]:
        """Return how these runs stand; a run that is not there is left out."""

    def runs_of(self, tenant: TenantId, user: str) -> tuple[RunId, ...]:
        """Return the runs of a user, erased ones too, the oldest first."""

    def expired(self, tenant: TenantId, before: int, now: int, limit: int) -> tuple[RunId, ...]:
        """Return up to `limit` runs that ended before `before`, that nothing holds and whose calls are all settled."""

    def held_runs(self, tenant: TenantId) -> tuple[RunId, ...]:
        """Return the runs that a hold on the run itself keeps."""

    def late(self, tenant: TenantId, since: int, limit: int) -> tuple[RunId, ...]:
        """Return up to `limit` runs that were erased after `since` and have got something since: calls that were under way."""

    def erase_run(self, tenant: TenantId, run: RunId, at: int, *, identity: bool) -> Erasure:
        """Erase what was said in one run; with `identity` also whose run it was."""

    def held_calls(self, tenant: TenantId, user: str) -> str:
        """Return the id of a hold that covers a model call of the user, or empty."""

    def erase_user(self, tenant: TenantId, user: str, at: int, limit: int) -> Erasure:
        """Erase what is kept of a user outside runs, up to `limit` model calls at a time; all zero when nothing is left.

        Raises Conflict while budgets that bear the user's name are in use, OnHold for calls that a hold covers.
        """

    def expire_alone(self, tenant: TenantId, before: int, at: int, limit: int) -> int:
        """Erase the words of up to `limit` model calls outside any run that began before `before`; return how many."""

    def keys(self, tenant: TenantId) -> tuple[TenantKey, ...]:
        """Return the tenant's encryption keys, the oldest first; none where nothing is encrypted."""

    def rotate_key(self, tenant: TenantId, now: int) -> None:
        """Give the tenant a new key: what is written from now on is sealed under it. Raises Conflict without encryption."""

    def destroy_keys(self, tenant: TenantId, now: int) -> int:
        """Destroy the tenant's keys, and so everything that is sealed under them; return how many.

        Raises Conflict without encryption, or while calls or questions of the tenant are not settled.
        """

    def rewrap_keys(self, key: bytes) -> int:
        """Wrap every tenant's keys under another key of 32 bytes; return how many. Raises Conflict without encryption."""

    def be_strict(self) -> None:
        """Note that every body is sealed: one that is not is damage from now on."""

    def reseal(self, after: Resealed, limit: int) -> Resealed:
        """Seal what earlier versions wrote in the clear, in up to `limit` further rows, and return how far that came."""
