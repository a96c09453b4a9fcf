"""Which rows of closed days the archive does not have yet, and that it has them now."""

from collections.abc import Mapping, Sequence

from interlock.adapters.sql.session import Session, Statement
from interlock.adapters.sql.traces.reading import COLUMNS, summary_of
from interlock.adapters.sql.traces.spans import StoredSpans
from interlock.domain.ids import TenantId
from interlock.traces.ports import DueRow, DueSpans

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
"""How long a run that goes on is waited for."""

DUE = Statement("""
    SELECT DISTINCT tenant, started_at / 86400000 FROM run_sums
    WHERE stale <> 0 AND started_at < :until AND (state <> 'open' OR started_at < :long_ago)
    ORDER BY 1, 2
""")

PART = Statement("SELECT coalesce(max(part), 0) + 1 FROM archived WHERE tenant = :tenant AND day = :day")

ROWS = Statement(f"""
    SELECT id, archived, {COLUMNS} FROM run_sums
    WHERE stale <> 0 AND tenant = :tenant AND started_at >= :since AND started_at < :until
        AND (state <> 'open' OR started_at < :long_ago)
    ORDER BY started_at, id LIMIT :limit
""")  # noqa: S608 - our own names of columns

# Whatever changes the row from now on says 1 again.
BEGIN = Statement("UPDATE run_sums SET stale = 2 WHERE id = :id")

MARK = Statement("""
    UPDATE run_sums SET archived = :mark, stale = CASE WHEN stale = 2 THEN 0 ELSE stale END WHERE id = :id
""")

RECORD = Statement("""
    INSERT INTO archived (tenant, day, part, spans, runs, written_at) VALUES (:tenant, :day, :part, :spans, :runs, :at)
""")


class DayArchiving:
    """The table `archived`, and of `run_sums` what the archive has."""

    def __init__(self, session: Session, spans: StoredSpans) -> None:
        self._session = session
        self._spans = spans

    def due(self, until_day: int, now: int) -> tuple[tuple[TenantId, int], ...]:
        """Return tenant and day of what is due."""
        asked = {"until": until_day * DAY_MS, "long_ago": now - WEEK_MS}
        return tuple((TenantId(tenant), int(day)) for tenant, day in self._session.all(DUE, asked))

    def begin(self, tenant: TenantId, day: int, now: int, limit: int) -> tuple[int, tuple[DueRow, ...]]:
        """Return the number of the next part and its rows."""
        part = self._session.one(PART, {"tenant": tenant, "day": day})
        asked = {
            "tenant": tenant,
            "since": day * DAY_MS,
            "until": (day + 1) * DAY_MS,
            "long_ago": now - WEEK_MS,
            "limit": limit,
        }
        rows = tuple(
            DueRow(number, summary_of(tenant, row), mark) for number, mark, *row in self._session.all(ROWS, asked)
        )
        if rows:
            self._session.many(BEGIN, [{"id": one.number} for one in rows])
        return (int(part[0]) if part is not None else 1), rows

    def fresh_spans(self, tenant: TenantId, rows: Sequence[DueRow]) -> tuple[DueSpans, ...]:
        """Return what the archive does not have of each row."""
        return tuple(self._spans.after(tenant, row) for row in rows)

    def finish(self, tenant: TenantId, day: int, part: int, marks: Mapping[int, int], *, spans: int, at: int) -> None:
        """Note what the archive has now."""
        self._session.many(MARK, [{"id": number, "mark": mark} for number, mark in sorted(marks.items())])
        self._session.run(
            RECORD, {"tenant": tenant, "day": day, "part": part, "spans": spans, "runs": len(marks), "at": at}
        )
