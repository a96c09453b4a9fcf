"""The traces of a deployment, built: who adds up what happens, and what is shown."""

from dataclasses import dataclass

from interlock.adapters.parquet import ParquetArchive, installed
from interlock.checks.redactor import Words
from interlock.config import Deployment
from interlock.domain.errors import ConfigurationError
from interlock.gateway.audit_log import Sequencer
from interlock.gateway.followers import Following, SumsFollower, catch_up
from interlock.gateway.ports import Clock
from interlock.gateway.span_archive import Archiver
from interlock.gateway.store import Store
from interlock.gateway.trace_desk import TraceDesk
from interlock.traces.ports import ClosedDays, SpanStore


@dataclass(frozen=True, slots=True)
class TraceWork:
    """What keeps traces, what adds up, and what looks at them."""

    spans: SpanStore
    desk: TraceDesk
    following: tuple[Following, ...]
    """What reads the trail for as long as the deployment serves."""
    archiver: Archiver | None
    """What writes closed days away; None where no archive is configured, or nothing is kept that could be."""


def build_traces(
    deployment: Deployment, store: Store, spans: SpanStore, owner: str, clock: Clock, redact: Words
) -> TraceWork:
    """Return what works on `spans`. Nothing is read or written yet. What is archived goes through `redact`.

    Raises ConfigurationError where an archive is configured, and the extra that writes it is not installed.
    """
    sums = SumsFollower(store, spans)

    async def refresh() -> None:
        await Sequencer(store).place()
        await catch_up(sums, spans)

    archiver = _archiver(deployment, store, spans, owner, clock, redact)
    desk = TraceDesk(store, spans, refresh, archiver, redact)
    return TraceWork(spans, desk, (Following(sums, spans, owner, clock),), archiver)


def _archiver(
    deployment: Deployment, store: Store, spans: SpanStore, owner: str, clock: Clock, redact: Words
) -> Archiver | None:
    folder = deployment.keeping.traces.archive
    if folder is None or not isinstance(spans, ClosedDays):
        return None
    if not installed():
        raise ConfigurationError(
            "The archive needs the extra 'analytics', which is not installed",
            why="traces.archive names a folder, and DuckDB writes it",
            do="pip install 'interlock[analytics]'; in a checkout: make setup EXTRAS=all",
        )
    files = ParquetArchive(deployment.folder / folder)
    return Archiver(store, spans, spans, files, owner, clock, redact)
