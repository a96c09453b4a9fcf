"""What callers send and are answered about what is kept."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated

from interlock.config.keeping import DAY_MS
from interlock.gateway.erasure import ErasureReport
from interlock.gateway.retention import Due
from interlock.runs.keeping import HoldScope, LegalHold
from interlock.server.api.documents import Instant


@dataclass(frozen=True, slots=True)
class EraseBody:
    """Whose data is to be erased: of one user, or of one run."""

    user: Annotated[str, "The user's id; empty for a run."] = ""
    run: Annotated[str, "The run's id; empty for a user."] = ""
    because: Annotated[str, "Why; the audit trail keeps a commitment to it."] = ""


@dataclass(frozen=True, slots=True)
class ErasureDocument:
    """What was erased."""

    erasure: Annotated[str, "Its id in the audit trail."]
    runs: Annotated[tuple[str, ...], "The runs whose words are gone."]
    erased: Annotated[Mapping[str, int], "How much, by kind."]
    receipt: Annotated[str, "With it one can prove whom the audit entries are about. It is kept nowhere."]


@dataclass(frozen=True, slots=True)
class PlaceHoldBody:
    """A hold."""

    scope: HoldScope
    reason: str
    name: Annotated[str, "Of the run, the user or the agent; left out for the whole tenant."] = ""


@dataclass(frozen=True, slots=True)
class HoldQuery:
    """Which holds."""

    lifted: Annotated[bool, "Whether those are listed too that were lifted."] = False


@dataclass(frozen=True, slots=True)
class HoldDocument:
    """A legal hold."""

    id: str
    scope: HoldScope
    name: str
    reason: str
    placed_at: Instant
    placed_by: str
    lifted_at: int | None
    lifted_by: str | None


@dataclass(frozen=True, slots=True)
class HoldsDocument:
    """Holds, the oldest first."""

    holds: tuple[HoldDocument, ...]


@dataclass(frozen=True, slots=True)
class RetentionDocument:
    """For how long what is kept, and what is over."""

    tenant: str
    days: Annotated[Mapping[str, int], "By kind: bodies, spans, archive. The audit trail is kept for ever."]
    runs_due: Annotated[int, "Runs that have been kept long enough, counted up to 10000."]
    holds: Annotated[int, "Legal holds that stand: what they cover stays."]


def erasure_document(report: ErasureReport) -> ErasureDocument:
    """Return what was erased."""
    return ErasureDocument(report.id, report.runs, asdict(report.erased), report.receipt)


def hold_document(hold: LegalHold) -> HoldDocument:
    """Return a hold."""
    return HoldDocument(
        hold.id, hold.scope, hold.name, hold.reason, hold.placed_at, hold.placed_by, hold.lifted_at, hold.lifted_by
    )


def retention_document(due: Due) -> RetentionDocument:
    """Return for how long what is kept."""
    days = {name: length // DAY_MS for name, length in asdict(due.times).items()}
    return RetentionDocument(due.tenant, days, due.runs, due.holds)
