"""Put closed days into the archive: spans from outside, the spans of our own work, the sums of runs."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from interlock.domain.errors import InterlockError
from interlock.domain.ids import RunId, TenantId
from interlock.domain.spans import Span
from interlock.gateway.own_spans import read_run, redacted
from interlock.gateway.ports import Clock
from interlock.gateway.store import Store
from interlock.traces.ports import Answer, ClosedDays, DueRow, DueSpans, PartWriter, SpanArchive, SpanStore

NAME = "archive"
"""The follower whose lease keeps two processes from archiving at once."""
DAY_MS = 86_400_000
GRACE_MS = 3_600_000
"""How long after midnight (UTC) a day counts as closed: spans come late."""
ROWS = 10_000
"""The most runs of one part."""
_NO_SPANS = -1
"""Mark of a row that was archived without spans from outside."""
_TOGETHER = 50
"""Runs whose spans are read at once."""
_LEASE_MS = 10 * 60_000
_EVERY_S = 15 * 60
_AT_FIRST_S = 30.0
"""A process that starts has other things to do."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a day that was written."""

    tenant: TenantId
    day: int
    """Since the epoch, in UTC."""
    number: int
    runs: int
    spans: int


@dataclass(frozen=True, slots=True)
class Archiver:
    """Writes what is due, and answers for what is written."""

    store: Store
    spans: SpanStore
    days: ClosedDays
    files: SpanArchive
    owner: str
    """This process."""
    clock: Clock
    redact: Callable[[str], str]
    """Takes out of names what others may have put into them."""

    async def run(self) -> None:
        """Archive what is due, for ever. A folder or store that is away for a while is not the end of it."""
        await asyncio.sleep(_AT_FIRST_S)
        while True:
            try:
                await self.write()
            except InterlockError as error:
                _LOG.warning("archive: %s", error)
            except OSError as error:
                _LOG.warning("archive: a part could not be written: %s", error)
            except Exception:  # noqa: BLE001 - see below
                # Whatever it is, it must not end the archive in silence.
                _LOG.exception("archive: a fault in Interlock")
            await asyncio.sleep(_EVERY_S)

    async def write(self) -> tuple[Part, ...]:
        """Write every part that is due; return them. None when another process is at it. Raises StoreUnavailable."""
        now = self.clock.now()
        if not await self.spans.lease(NAME, self.owner, now, now + _LEASE_MS):
            return ()
        written: list[Part] = []
        try:
            until = (now - GRACE_MS) // DAY_MS
            for tenant, day in await self.days.due(until, now):
                while (part := await self._write(tenant, day)) is not None:
                    written.append(part)
                    if part.runs < ROWS:
                        break
        finally:
            await self.spans.lease(NAME, self.owner, self.clock.now(), 0)
        return tuple(written)

    async def query(self, tenant: TenantId, sql: str, limit: int) -> Answer:
        """Return what one SELECT over the archive of `tenant` finds. Raises BadInput."""
        return await asyncio.to_thread(self.files.query, tenant, sql, limit)

    async def beside(self, tenant: TenantId, *, user: str = "", runs: Sequence[RunId] = ()) -> frozenset[RunId]:
        """Return the runs that share a trace with a user or with `runs` in the files."""
        return await asyncio.to_thread(self.files.beside, tenant, user, runs)

    async def erase(self, tenant: TenantId, *, user: str = "", runs: Sequence[RunId] = ()) -> int:
        """Take the traces of a user, or of `runs`, out of the files; return how many spans went."""
        return await asyncio.to_thread(self.files.erase, tenant, user, runs)

    async def expire(self, tenant: TenantId, before: int, keep_runs: frozenset[str] = frozenset()) -> int:
        """Delete days that ended before `before`, but for `keep_runs`; return how many files."""
        return await asyncio.to_thread(self.files.expire, tenant, before, keep_runs)

    async def _write(self, tenant: TenantId, day: int) -> Part | None:
        now = self.clock.now()
        await self.spans.lease(NAME, self.owner, now, now + _LEASE_MS)
        number, rows = await self.days.begin(tenant, day, now, ROWS)
        if not rows:
            return None
        part = await asyncio.to_thread(self.files.part, tenant, day, number)
        try:
            marks, spans = await self._fill(part, tenant, rows)
            # INVARIANT: the part stands before it is noted. A process that dies in between writes the same part again.
            await asyncio.to_thread(part.finish)
        except BaseException:
            part.drop()
            raise
        await self.days.finish(tenant, day, number, marks, spans=spans, at=self.clock.now())
        return Part(tenant, day, number, len(rows), spans)

    async def _fill(self, part: PartWriter, tenant: TenantId, rows: tuple[DueRow, ...]) -> tuple[dict[int, int], int]:
        marks: dict[int, int] = {}
        count = 0
        for start in range(0, len(rows), _TOGETHER):
            some = rows[start : start + _TOGETHER]
            own = await self._own(tenant, some)
            fresh = await self.days.fresh_spans(tenant, some)
            count += await asyncio.to_thread(_put, part, fresh, own)
            # Ids begin at 1. Never 0 again: it stands for a row that the archive does not have at all.
            marks.update((due.row.number, due.mark or _NO_SPANS) for due in fresh)
        return marks, count

    async def _own(self, tenant: TenantId, rows: tuple[DueRow, ...]) -> dict[int, tuple[Span, ...]]:
        """Return the spans of our own work in each row that is archived for the first time."""
        runs = {row.number: row.sums.run for row in rows if row.sums.run is not None and not row.mark}
        if not runs:
            return {}
        found = await self.store.read(lambda tx: {number: read_run(tx, tenant, run) for number, run in runs.items()})
        return {number: tuple(redacted(span, self.redact) for span in spans) for number, spans in found.items()}


def _put(part: PartWriter, fresh: Sequence[DueSpans], own: Mapping[int, tuple[Span, ...]]) -> int:
    """Write rows and their spans, our own work in them before what others sent; return how many spans."""
    count = 0
    for due in fresh:
        mine = own.get(due.row.number, ())
        part.spans(due.row.sums, mine)
        part.spans(due.row.sums, due.spans, due.users)
        part.sums(due.row.sums)
        count += len(mine) + len(due.spans)
    return count
