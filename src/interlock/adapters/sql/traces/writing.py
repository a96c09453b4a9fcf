"""Spans, their bodies and what they add to the sums of runs, each step for a whole batch at once."""

from collections.abc import Sequence
from typing import Any

import orjson

from interlock.adapters.sql.session import Rows, Session, Statement
from interlock.adapters.sql.traces.sealing import sealed_bodies, sealed_spans
from interlock.domain.ids import TenantId
from interlock.traces.batches import Addition, additions_of
from interlock.traces.ports import Receipt, Seal, SpanRow

TRACES = Rows("run_sums", ("tenant", "trace", "ordinal", "started_at"), ("text", "bytea", "bigint", "bigint"))

SPANS = Rows(
    "spans",
    (
        *("sums", "span", "parent", "name", "category", "kind", "status", "start_ns", "end_ns", "run", "workflow"),
        *("user_id", "model", "input_tokens", "output_tokens", "cost_nano_usd", "details"),
    ),
    (
        *("bigint", "bytea", "bytea", "text", "text", "text", "text", "bigint", "bigint", "text", "text"),
        *("text", "text", "bigint", "bigint", "bigint", "bytea"),
    ),
)

BODIES = Rows("bodies", ("sums", "hash", "body"), ("bigint", "bytea", "bytea"))

# The bytes of SQLite's lists stand end to end, 16 or 8 for each.
FIND = Statement(
    """
    SELECT s.trace, s.id, s.spans FROM json_each(:numbers) AS j CROSS JOIN run_sums AS s
    WHERE s.tenant = :tenant AND s.trace = substr(:traces, j.key * 16 + 1, 16) AND s.ordinal = 0
    """,
    postgresql="""
    SELECT s.trace, s.id, s.spans FROM run_sums AS s
    WHERE s.tenant = :tenant AND s.trace = ANY(:traces) AND s.ordinal = 0 AND :numbers IS NOT NULL
    ORDER BY s.id FOR UPDATE
    """,
)

REPEATED = Statement(
    """
    SELECT s.sums, s.span FROM json_each(:sums) AS j CROSS JOIN spans AS s
    WHERE s.sums = j.value AND s.span = substr(:spans, j.key * 8 + 1, 8)
    """,
    postgresql="""
    SELECT s.sums, s.span FROM unnest(CAST(:sums AS bigint[]), CAST(:spans AS bytea[])) AS j (sums, span)
    JOIN spans AS s ON s.sums = j.sums AND s.span = j.span
    """,
)

# What the gate knows of a run goes before what spans say of it.
ADD = Statement(
    """
    UPDATE run_sums SET
        started_at = CASE run WHEN '' THEN min(run_sums.started_at, a.started_at) ELSE run_sums.started_at END,
        ended_at = CASE run WHEN '' THEN max(coalesce(run_sums.ended_at, a.ended_at), a.ended_at) ELSE run_sums.ended_at END,
        session = CASE run_sums.session WHEN '' THEN a.session ELSE run_sums.session END,
        workflow = CASE WHEN run = '' AND a.workflow <> '' AND (run_sums.workflow = '' OR a.root) THEN a.workflow
            ELSE run_sums.workflow END,
        user_id = CASE run_sums.user_id WHEN '' THEN a.user_id ELSE run_sums.user_id END,
        spans = run_sums.spans + a.spans, errors = run_sums.errors + a.errors,
        reported_input_tokens = reported_input_tokens + a.input_tokens,
        reported_output_tokens = reported_output_tokens + a.output_tokens,
        reported_cost_nano_usd = reported_cost_nano_usd + a.cost, stale = 1
    FROM (
        SELECT json_extract(value, '$[0]') AS id, json_extract(value, '$[1]') AS started_at,
            json_extract(value, '$[2]') AS ended_at, json_extract(value, '$[3]') AS session,
            json_extract(value, '$[4]') AS workflow, json_extract(value, '$[5]') AS root,
            json_extract(value, '$[6]') AS user_id, json_extract(value, '$[7]') AS spans,
            json_extract(value, '$[8]') AS errors, json_extract(value, '$[9]') AS input_tokens,
            json_extract(value, '$[10]') AS output_tokens, json_extract(value, '$[11]') AS cost
        FROM json_each(:additions)
    ) AS a
    WHERE run_sums.id = a.id
    """,
    postgresql="""
    UPDATE run_sums SET
        started_at = CASE run WHEN '' THEN least(run_sums.started_at, a.started_at) ELSE run_sums.started_at END,
        ended_at = CASE run WHEN '' THEN greatest(run_sums.ended_at, a.ended_at) ELSE run_sums.ended_at END,
        session = CASE run_sums.session WHEN '' THEN a.session ELSE run_sums.session END,
        workflow = CASE WHEN run = '' AND a.workflow <> '' AND (run_sums.workflow = '' OR a.root) THEN a.workflow
            ELSE run_sums.workflow END,
        user_id = CASE run_sums.user_id WHEN '' THEN a.user_id ELSE run_sums.user_id END,
        spans = run_sums.spans + a.spans, errors = run_sums.errors + a.errors,
        reported_input_tokens = reported_input_tokens + a.input_tokens,
        reported_output_tokens = reported_output_tokens + a.output_tokens,
        reported_cost_nano_usd = reported_cost_nano_usd + a.cost, stale = 1
    FROM (
        SELECT CAST(value ->> 0 AS bigint) AS id, CAST(value ->> 1 AS bigint) AS started_at,
            CAST(value ->> 2 AS bigint) AS ended_at, value ->> 3 AS session,
            value ->> 4 AS workflow, CAST(value ->> 5 AS boolean) AS root,
            value ->> 6 AS user_id, CAST(value ->> 7 AS bigint) AS spans,
            CAST(value ->> 8 AS bigint) AS errors, CAST(value ->> 9 AS bigint) AS input_tokens,
            CAST(value ->> 10 AS bigint) AS output_tokens, CAST(value ->> 11 AS bigint) AS cost
        FROM jsonb_array_elements(CAST(:additions AS jsonb)) AS t (value)
    ) AS a
    WHERE run_sums.id = a.id
    """,
)


class SpanWriting:
    """The tables `spans`, `bodies` and, as far as spans count there, `run_sums`."""

    def __init__(self, session: Session, seal: Seal | None = None) -> None:
        """`seal` makes details and bodies unreadable at rest."""
        self._session = session
        self._seal = seal

    def add(self, tenant: TenantId, rows: Sequence[SpanRow]) -> Receipt:
        """Keep the spans that are not there yet, and count them."""
        if not rows:
            return Receipt(0, 0)
        by_trace: dict[bytes, dict[bytes, SpanRow]] = {}
        for row in rows:
            by_trace.setdefault(row[0], {}).setdefault(row[1], row)
        numbers = self._numbered(tenant, by_trace)
        spans: list[tuple[Any, ...]] = []
        bodies: dict[tuple[int, bytes], bytes] = {}
        additions: list[Addition] = []
        for trace, found in by_trace.items():
            kept = tuple(found.values())
            if not kept:
                continue
            number = numbers[trace]
            additions.append(additions_of(number, kept))
            if self._seal is None:
                spans += [(number, *row[1:-1]) for row in kept]
                texts = {(number, hash): text for row in kept for _, hash, text in row.bodies}
            else:
                spans += sealed_spans(self._seal, tenant, number, kept)
                texts = sealed_bodies(self._seal, tenant, number, kept)
            bodies |= texts
        self._session.fill(SPANS, spans)
        self._session.fill(BODIES, [(*key, text) for key, text in bodies.items()])
        if additions:
            self._session.run(ADD, {"additions": orjson.dumps([tuple(one) for one in additions]).decode()})
        return Receipt(len(spans), len(rows) - len(spans))

    def _numbered(self, tenant: TenantId, by_trace: dict[bytes, dict[bytes, SpanRow]]) -> dict[bytes, int]:
        """Return the number of each trace, new ones entered; take out of `by_trace` what is stored already."""
        # In one order everywhere, so that transactions wait for each other in a row and not in a ring.
        traces = sorted(by_trace)
        first = [min(row[7] for row in by_trace[trace].values()) // 1_000_000 for trace in traces]
        self._session.fill(TRACES, [(tenant, trace, 0, at) for trace, at in zip(traces, first, strict=True)])
        keys = {
            "tenant": tenant,
            "traces": self._session.blobs(traces),
            "numbers": self._session.numbers(range(len(traces))),
        }
        numbers: dict[bytes, int] = {}
        known: list[tuple[int, bytes]] = []
        for trace, number, stored in self._session.all(FIND, keys):
            numbers[trace] = number
            if stored:
                known += [(number, span) for span in by_trace[trace]]
        if known:
            self._drop_repeated(known, {number: by_trace[trace] for trace, number in numbers.items()})
        return numbers

    def _drop_repeated(self, known: Sequence[tuple[int, bytes]], found: dict[int, dict[bytes, SpanRow]]) -> None:
        asked = {
            "sums": self._session.numbers(number for number, _ in known),
            "spans": self._session.blobs(span for _, span in known),
        }
        for number, span in self._session.all(REPEATED, asked):
            del found[number][span]
