"""What the roads tell as they go, to be counted. Called after the commit: what was undone is never counted."""

from typing import Protocol

from interlock.domain.approvals import Approval
from interlock.domain.calls import CallRecord
from interlock.domain.ids import TenantId
from interlock.domain.models import ModelCallRecord
from interlock.domain.runs import Run


class Meter(Protocol):
    """Counts. Never raises and never waits: no call depends on it."""

    def run_opened(self, run: Run) -> None:
        """A run began."""

    def run_ended(self, run: Run) -> None:
        """A run ended now (`ended_at` is set), or what came of it was said after its end (`ended_at` is None)."""

    def decided(self, record: CallRecord, seconds: float) -> None:
        """A tool call was decided, for the first time or anew; it took `seconds` with its commit."""

    def settled(self, record: CallRecord) -> None:
        """A tool call was carried out and its outcome recorded."""

    def approval_ended(self, approval: Approval, now: int) -> None:
        """People answered, or time ran out, at `now`."""

    def approval_overdue(self, approval: Approval) -> None:
        """An SLA clock ran out."""

    def model_called(self, record: ModelCallRecord) -> None:
        """A model call ended and is recorded."""

    def spans(self, tenant: TenantId, taken: int, refused: int) -> None:
        """Spans came in."""


class Unmetered(Meter):
    """Counts nothing: for commands and tests."""

    def run_opened(self, run: Run) -> None:
        """Nothing to do."""

    def run_ended(self, run: Run) -> None:
        """Nothing to do."""

    def decided(self, record: CallRecord, seconds: float) -> None:
        """Nothing to do."""

    def settled(self, record: CallRecord) -> None:
        """Nothing to do."""

    def approval_ended(self, approval: Approval, now: int) -> None:
        """Nothing to do."""

    def approval_overdue(self, approval: Approval) -> None:
        """Nothing to do."""

    def model_called(self, record: ModelCallRecord) -> None:
        """Nothing to do."""

    def spans(self, tenant: TenantId, taken: int, refused: int) -> None:
        """Nothing to do."""
