"""Spans with their bodies as they are shown, and how they go: by name, or by age."""

from collections.abc import Collection, Sequence

from interlock.adapters.sql.session import Row, Session, Statement
from interlock.adapters.sql.traces.sealing import body_place, details_place
from interlock.domain.errors import Erased
from interlock.domain.ids import RunId, TenantId
from interlock.domain.spans import Span
from interlock.traces.details import span_of
from interlock.traces.ports import DueRow, DueSpans, Seal, SpanRow

SPANS = Statement("""
    SELECT s.span, s.parent, s.name, s.category, s.kind, s.status, s.start_ns, s.end_ns, s.run, s.workflow, s.user_id,
        s.model, s.input_tokens, s.output_tokens, s.cost_nano_usd, s.details
    FROM run_sums AS r JOIN spans AS s ON s.sums = r.id
    WHERE r.tenant = :tenant AND r.trace = :trace AND r.ordinal = 0
    ORDER BY s.start_ns, s.id
""")

BODIES = Statement("""
    SELECT b.hash, b.body FROM run_sums AS r JOIN bodies AS b ON b.sums = r.id
    WHERE r.tenant = :tenant AND r.trace = :trace AND r.ordinal = 0
""")

AFTER = Statement("""
    SELECT id, span, parent, name, category, kind, status, start_ns, end_ns, run, workflow, user_id, model, input_tokens,
        output_tokens, cost_nano_usd, details
    FROM spans WHERE sums = :sums AND id > :mark ORDER BY id
""")

_USER = 11
"""Which column of `AFTER` is the user."""

BODIES_OF = Statement("SELECT hash, body FROM bodies WHERE sums = :sums")

# A trace in which a user or a run is named goes as a whole: its bodies do not say of which span they are.
NAMED = Statement(
    """
    SELECT id FROM run_sums WHERE tenant = :tenant AND user_id = :user AND user_id <> ''
    UNION
    SELECT s.sums FROM spans AS s JOIN run_sums AS r ON r.id = s.sums
    WHERE r.tenant = :tenant AND ((s.user_id = :user AND s.user_id <> '')
                                  OR (s.run <> '' AND s.run IN (SELECT value FROM json_each(:runs))))
    """,
    postgresql="""
    SELECT id FROM run_sums WHERE tenant = :tenant AND user_id = :user AND user_id <> ''
    UNION
    SELECT s.sums FROM spans AS s JOIN run_sums AS r ON r.id = s.sums
    WHERE r.tenant = :tenant AND ((s.user_id = :user AND s.user_id <> '') OR (s.run <> '' AND s.run = ANY(:runs)))
    """,
)

# The spans of a trace stand with its first run.
OF_RUN = Statement("""
    SELECT f.id FROM run_sums AS r JOIN run_sums AS f ON f.tenant = r.tenant AND f.trace = r.trace
    WHERE r.tenant = :tenant AND r.run = :run AND r.run <> ''
""")

BESIDE = Statement("""
    SELECT DISTINCT b.run FROM run_sums AS a JOIN run_sums AS b ON b.tenant = a.tenant AND b.trace = a.trace
    WHERE a.id = :sums AND b.run <> ''
""")

ERASE_SPANS = Statement("DELETE FROM spans WHERE sums = :sums")

ERASE_BODIES = Statement("DELETE FROM bodies WHERE sums = :sums")

FORGET_NAMES = Statement("UPDATE run_sums SET user_id = '', session = '' WHERE id = :sums")

OLD = Statement(
    """
    SELECT s.id, s.sums FROM run_sums AS r JOIN spans AS s ON s.sums = r.id
    WHERE r.tenant = :tenant AND r.started_at < :before
      AND NOT EXISTS (SELECT 1 FROM run_sums AS k WHERE k.tenant = r.tenant AND k.trace = r.trace AND k.run <> ''
                                                    AND k.run IN (SELECT value FROM json_each(:keep)))
    LIMIT :limit
    """,
    postgresql="""
    SELECT s.id, s.sums FROM run_sums AS r JOIN spans AS s ON s.sums = r.id
    WHERE r.tenant = :tenant AND r.started_at < :before
      AND NOT EXISTS (SELECT 1 FROM run_sums AS k WHERE k.tenant = r.tenant AND k.trace = r.trace AND k.run <> ''
                                                    AND k.run = ANY(:keep))
    LIMIT :limit
    """,
)

EXPIRE_SPAN = Statement("DELETE FROM spans WHERE id = :id")

EXPIRE_BODIES = Statement("""
    DELETE FROM bodies WHERE sums = :sums AND NOT EXISTS (SELECT 1 FROM spans WHERE spans.sums = :sums)
""")


class StoredSpans:
    """Reads and deletes rows of `spans` and `bodies`."""

    def __init__(self, session: Session, seal: Seal | None) -> None:
        """`seal` opens what was sealed."""
        self._session = session
        self._seal = seal

    def trace(self, tenant: TenantId, trace_id: str) -> tuple[Span, ...]:
        """Return the spans of one trace in order of start."""
        trace = bytes.fromhex(trace_id)
        asked = {"tenant": tenant, "trace": trace}
        rows = self._session.all(SPANS, asked)
        return self._spans(tenant, trace, rows, self._session.all(BODIES, asked)) if rows else ()

    def after(self, tenant: TenantId, row: DueRow) -> DueSpans:
        """Return the spans of a row of sums that came after its mark."""
        rows = self._session.all(AFTER, {"sums": row.number, "mark": row.mark})
        if not rows:
            return DueSpans(row, (), (), row.mark)
        bodies = self._session.all(BODIES_OF, {"sums": row.number})
        found = self._spans(tenant, bytes.fromhex(row.sums.trace_id), [one[1:] for one in rows], bodies)
        return DueSpans(row, found, tuple(one[_USER] for one in rows), rows[-1][0])

    def _spans(self, tenant: TenantId, trace: bytes, rows: Sequence[Row], bodies: Sequence[Row]) -> tuple[Span, ...]:
        texts = {
            bytes(hash): self._opened(tenant, body_place(trace, bytes(hash)), bytes(body)) for hash, body in bodies
        }
        known = {hash: body for hash, body in texts.items() if body is not None}
        return tuple(span_of(self._row(tenant, trace, row), known) for row in rows)

    def named(self, tenant: TenantId, user: str, runs: Sequence[RunId]) -> frozenset[int]:
        """Return the numbers of the traces that name `user` or one of `runs`, and of those of `runs`. Looks at every span."""
        asked = {"tenant": tenant, "user": user, "runs": self._session.texts(runs)}
        found = {int(row[0]) for row in self._session.all(NAMED, asked)}
        for run in runs:
            found.update(row[0] for row in self._session.all(OF_RUN, {"tenant": tenant, "run": run}))
        return frozenset(found)

    def beside(self, traces: Collection[int]) -> frozenset[RunId]:
        """Return the runs that stand in traces by number."""
        return frozenset(RunId(run) for sums in traces for (run,) in self._session.all(BESIDE, {"sums": sums}))

    def erase(self, traces: Collection[int]) -> int:
        """Delete the spans and bodies of traces by number; their sums stay, without names. Return how many spans."""
        erased = 0
        for sums in sorted(traces):
            erased += self._session.run(ERASE_SPANS, {"sums": sums})
            self._session.run(ERASE_BODIES, {"sums": sums})
            self._session.run(FORGET_NAMES, {"sums": sums})
        return erased

    def old(self, tenant: TenantId, before: int, keep_runs: frozenset[str], limit: int) -> tuple[tuple[int, int], ...]:
        """Return up to `limit` spans, with their traces' numbers, of traces that began before `before`, but for `keep_runs`."""
        keep = self._session.texts(sorted(keep_runs))
        rows = self._session.all(OLD, {"tenant": tenant, "before": before, "keep": keep, "limit": limit})
        return tuple((int(id), int(sums)) for id, sums in rows)

    def drop(self, spans: Sequence[tuple[int, int]]) -> int:
        """Delete spans, each with its trace's number, and the bodies of traces that have none left. Return how many spans."""
        self._session.many(EXPIRE_SPAN, [{"id": id} for id, _ in spans])
        self._session.many(EXPIRE_BODIES, [{"sums": sums} for sums in sorted({sums for _, sums in spans})])
        return len(spans)

    def _row(self, tenant: TenantId, trace: bytes, row: Row) -> SpanRow:
        span, parent, *said, details = row
        id = bytes(span)
        opened = self._opened(tenant, details_place(trace, id), bytes(details))
        above = None if parent is None else bytes(parent)
        return SpanRow._make((trace, id, above, *said, opened if opened is not None else b"{}", ()))

    def _opened(self, tenant: TenantId, place: str, words: bytes) -> bytes | None:
        try:
            return words if self._seal is None else self._seal.open(tenant, place, words)
        except Erased:
            return None
