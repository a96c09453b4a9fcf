"""Model calls: one row each, written once; what is summed or searched in columns, all else as one body."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from interlock.adapters.sql.cache import SqlCache
from interlock.adapters.sql.encoding import decode, encode
from interlock.adapters.sql.seals import Seals, place_of
from interlock.adapters.sql.session import Row, Rows, Session, Statement
from interlock.domain.calls import Failure
from interlock.domain.canonical import Json
from interlock.domain.errors import Erased
from interlock.domain.ids import ModelCallId, RunId, TenantId
from interlock.domain.models import (
    Attempt,
    Dialect,
    ModelCall,
    ModelCallRecord,
    ModelCallStatus,
    ProposedCall,
    Usage,
    UsageSource,
)
from interlock.models.ports import ModelCallFilter, ModelRecords, Spending

# A record that is there already stays as it is.
CALLS = Rows(
    "model_calls",
    (
        *("tenant", "call", "run", "agent", "principal", "user_id", "step", "model", "provider", "served", "tier"),
        *("status", "started_at", "duration_ms", "first_byte_ms", "input", "output", "cache_read", "reasoning"),
        *("cost_nano_usd", "cached", "body"),
    ),
    (*("text",) * 12, *("bigint",) * 8, "text", "bytea"),
)

# Runs before its call is there: one that is there already has its proposals.
PROPOSE = Statement("""
    INSERT INTO proposals (tenant, run, model_call, place, proposal, tool, arguments_hash)
    SELECT CAST(:tenant AS text), CAST(:run AS text), CAST(:model_call AS text), CAST(:place AS integer),
           CAST(:proposal AS text), CAST(:tool AS text), CAST(:arguments_hash AS text)
    WHERE NOT EXISTS (SELECT 1 FROM model_calls WHERE tenant = :tenant AND call = :model_call)
    ON CONFLICT (tenant, run, model_call, place) DO NOTHING
""")

FIND = Statement("""
    SELECT tenant, call, run, agent, principal, user_id, step, model, tier, status, started_at, duration_ms,
           first_byte_ms, cached, body, provider, served, input, output, cache_read, reasoning, cost_nano_usd
    FROM model_calls WHERE tenant = :tenant AND call = :call
""")

LATEST = Statement(
    """
    SELECT tenant, call, run, agent, principal, user_id, step, model, tier, status, started_at, duration_ms,
           first_byte_ms, cached, body, provider, served, input, output, cache_read, reasoning, cost_nano_usd
    FROM model_calls WHERE tenant = :tenant AND (:agent IS NULL OR agent = :agent)
    ORDER BY seq DESC LIMIT :limit
    """,
    postgresql="""
    SELECT tenant, call, run, agent, principal, user_id, step, model, tier, status, started_at, duration_ms,
           first_byte_ms, cached, body, provider, served, input, output, cache_read, reasoning, cost_nano_usd
    FROM model_calls WHERE tenant = :tenant AND (CAST(:agent AS text) IS NULL OR agent = :agent)
    ORDER BY seq DESC LIMIT :limit
    """,
)

# The plus keeps planners from walking the whole table from its end in search of one run.
LATEST_OF_RUN = Statement(
    """
    SELECT tenant, call, run, agent, principal, user_id, step, model, tier, status, started_at, duration_ms,
           first_byte_ms, cached, body, provider, served, input, output, cache_read, reasoning, cost_nano_usd
    FROM model_calls WHERE tenant = :tenant AND run = :run AND (:agent IS NULL OR agent = :agent)
    ORDER BY +seq DESC LIMIT :limit
    """,
    postgresql="""
    SELECT tenant, call, run, agent, principal, user_id, step, model, tier, status, started_at, duration_ms,
           first_byte_ms, cached, body, provider, served, input, output, cache_read, reasoning, cost_nano_usd
    FROM model_calls WHERE tenant = :tenant AND run = :run AND (CAST(:agent AS text) IS NULL OR agent = :agent)
    ORDER BY +seq DESC LIMIT :limit
    """,
)

SPENDING = Statement(
    """
    SELECT CASE :by WHEN 'run' THEN COALESCE(run, '') WHEN 'agent' THEN agent WHEN 'user' THEN COALESCE(user_id, '')
                    WHEN 'step' THEN step WHEN 'model' THEN COALESCE(NULLIF(served, ''), model)
                    WHEN 'provider' THEN provider WHEN 'tenant' THEN tenant
                    WHEN 'day' THEN strftime('%Y-%m-%d', started_at / 1000, 'unixepoch') END AS spender,
           COUNT(*), SUM(input), SUM(output), SUM(cost_nano_usd)
    FROM model_calls WHERE tenant = :tenant AND started_at >= :since AND started_at < :until
    GROUP BY 1 ORDER BY 5 DESC, 1
    """,
    postgresql="""
    SELECT CASE CAST(:by AS text)
                WHEN 'run' THEN COALESCE(run, '') WHEN 'agent' THEN agent WHEN 'user' THEN COALESCE(user_id, '')
                WHEN 'step' THEN step WHEN 'model' THEN COALESCE(NULLIF(served, ''), model)
                WHEN 'provider' THEN provider WHEN 'tenant' THEN tenant
                WHEN 'day' THEN to_char(to_timestamp(started_at / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD')
           END COLLATE "C" AS spender,
           COUNT(*), CAST(SUM(input) AS bigint), CAST(SUM(output) AS bigint), CAST(SUM(cost_nano_usd) AS bigint)
    FROM model_calls WHERE tenant = :tenant AND started_at >= :since AND started_at < :until
    GROUP BY 1 ORDER BY 5 DESC, 1
    """,
)

SPENT = Statement(
    """
    SELECT COUNT(*), COALESCE(SUM(input), 0), COALESCE(SUM(output), 0), COALESCE(SUM(cost_nano_usd), 0)
    FROM model_calls WHERE tenant = :tenant AND run = :run
    """,
    postgresql="""
    SELECT COUNT(*), CAST(COALESCE(SUM(input), 0) AS bigint), CAST(COALESCE(SUM(output), 0) AS bigint),
           CAST(COALESCE(SUM(cost_nano_usd), 0) AS bigint)
    FROM model_calls WHERE tenant = :tenant AND run = :run
    """,
)

PROPOSALS = Statement("""
    SELECT proposal, tool, arguments_hash FROM proposals WHERE tenant = :tenant AND run = :run ORDER BY seq
""")

GROUPS = frozenset({"run", "agent", "user", "step", "model", "provider", "tenant", "day"})
_SERVED = "served"


class SqlModels(SqlCache, ModelRecords):
    """The tables `model_calls`, `proposals` and `cached_replies`."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session

    def add(self, *records: ModelCallRecord) -> None:
        proposed = [
            _proposal(record, place)
            for record in records
            if record.proposals and record.call.run is not None
            for place in range(len(record.proposals))
        ]
        if proposed:
            self._session.many(PROPOSE, proposed)
        self._session.fill(CALLS, [_values(record, self._session.seals) for record in records])

    def find(self, tenant: TenantId, call: ModelCallId) -> ModelCallRecord | None:
        row = self._session.one(FIND, {"tenant": tenant, "call": call})
        return None if row is None else record_of(row, self._session.seals)

    def search(self, query: ModelCallFilter) -> tuple[ModelCallRecord, ...]:
        values = {"tenant": query.tenant, "agent": query.agent, "limit": query.limit}
        if query.run is None:
            rows = self._session.all(LATEST, values)
        else:
            rows = self._session.all(LATEST_OF_RUN, {**values, "run": query.run})
        return tuple(record_of(row, self._session.seals) for row in rows)

    def spending(self, tenant: TenantId, *, by: str, since: int, until: int) -> tuple[Spending, ...]:
        if by not in GROUPS:
            raise ValueError(f"nothing is added up by {by}")
        rows = self._session.all(SPENDING, {"tenant": tenant, "by": by, "since": since, "until": until})
        return tuple(Spending(*row) for row in rows)

    def spent(self, tenant: TenantId, run: RunId) -> Spending:
        row = self._session.one(SPENT, {"tenant": tenant, "run": run})
        return Spending(run, *(row or (0, 0, 0, 0)))

    def proposals(self, tenant: TenantId, run: RunId) -> tuple[ProposedCall, ...]:
        rows = self._session.all(PROPOSALS, {"tenant": tenant, "run": run})
        return tuple(ProposedCall(*row) for row in rows)


class _Sums(NamedTuple):
    input: int
    output: int
    cache_read: int
    reasoning: int
    cost_nano_usd: int


def _sums(attempts: tuple[Attempt, ...]) -> _Sums:
    # Nearly every call has one attempt, and adding usages up makes a new one each time.
    if len(attempts) == 1:
        usage = attempts[0].usage
        return _Sums(usage.input, usage.output, usage.cache_read, usage.reasoning, attempts[0].cost_nano_usd)
    usages = [attempt.usage for attempt in attempts]
    return _Sums(
        sum(usage.input for usage in usages),
        sum(usage.output for usage in usages),
        sum(usage.cache_read for usage in usages),
        sum(usage.reasoning for usage in usages),
        sum(attempt.cost_nano_usd for attempt in attempts),
    )


def _values(record: ModelCallRecord, seals: Seals) -> tuple[Any, ...]:
    """Return the row, in the order of the columns of CALLS."""
    call, attempts = record.call, record.attempts
    sums = _sums(attempts)
    last = attempts[-1] if attempts and attempts[-1].outcome == _SERVED else None
    return (
        call.tenant,
        call.id,
        call.run,
        call.agent,
        call.principal,
        call.user,
        call.step,
        call.model,
        "" if last is None else last.provider,
        "" if last is None else last.model,
        record.tier,
        record.status.value,
        record.started_at,
        record.duration_ms,
        record.first_byte_ms,
        *sums,
        record.cache,
        seals.seal(call.tenant, place(call.tenant, call.id), encode(_body(record))),
    )


def _proposal(record: ModelCallRecord, place: int) -> Mapping[str, Any]:
    proposal = record.proposals[place]
    return {
        "tenant": record.call.tenant,
        "run": record.call.run,
        "model_call": record.call.id,
        "place": place,
        "proposal": proposal.id,
        "tool": proposal.tool,
        "arguments_hash": proposal.arguments_hash,
    }


def _body(record: ModelCallRecord) -> list[Json]:
    call, failure = record.call, record.failure
    return [
        call.dialect,
        call.labels,
        call.streamed,
        [_attempt_fields(attempt) for attempt in record.attempts],
        record.stop,
        record.prices,
        record.route,
        record.events,
        [[one.id, one.tool, one.arguments_hash] for one in record.proposals],
        None if failure is None else [failure.code, failure.what, failure.why, failure.do],
        record.salt.hex(),
        # Most calls name no trace, and a row is small without.
        *((call.trace, call.parent_span) if call.trace else ()),
    ]


def _attempt_fields(attempt: Attempt) -> list[Json]:
    usage = attempt.usage
    return [
        attempt.provider,
        attempt.model,
        attempt.outcome,
        attempt.duration_ms,
        [
            usage.input,
            usage.output,
            usage.cache_read,
            usage.cache_write,
            usage.cache_write_1h,
            usage.reasoning,
            usage.audio_input,
            usage.audio_output,
        ],
        attempt.usage_source,
        attempt.cost_nano_usd,
        attempt.excess_nano_usd,
        attempt.after_ms,
        attempt.vendor,
    ]


def _attempt(fields: list[Any]) -> Attempt:
    # Rows of before hold neither when it began nor whose model it was.
    provider, model, outcome, duration_ms, usage, source, *more = fields
    return Attempt(provider, model, outcome, duration_ms, Usage(*usage), UsageSource(source), *more)


def place(tenant: TenantId, call: ModelCallId) -> str:
    """Return the place of a model call's body."""
    return place_of("model_calls", "body", tenant, call)


def without_words(body: bytes) -> bytes:
    """Return the body of a model call without what was said: no labels, no events, no sentences, no salt."""
    dialect, _, streamed, attempts, stop, prices, route, _, proposals, failure, _, *trace = decode(body)
    proposals = [[id_, tool, ""] for id_, tool, _ in proposals]
    reasons = failure and [failure[0], "", "", ""]
    return encode([dialect, None, streamed, attempts, stop, prices, route, [], proposals, reasons, "", *trace])


_GONE: tuple[Any, ...] = (Dialect.OPENAI_CHAT, None, False, (), "", "", {}, (), (), None, "")
"""Stands for a body whose key was destroyed."""


def _summed(columns: Row, duration_ms: int) -> list[Any]:
    """Return what the columns know of the attempts of a call whose body is gone, as one attempt."""
    provider, served, used_input, output, cache_read, reasoning, cost = columns
    usage = [used_input, output, cache_read, 0, 0, reasoning, 0, 0]
    return [[provider, served, _SERVED if served else "", duration_ms, usage, UsageSource.PROVIDER, cost]]


def _opened(body: bytes, tenant: TenantId, call: ModelCallId, seals: Seals) -> Any:  # noqa: ANN401 - as it was encoded
    """Return the body, or None when its key was destroyed."""
    try:
        return decode(seals.open(tenant, place(tenant, call), body))
    except Erased:
        return None


def record_of(row: Row, seals: Seals) -> ModelCallRecord:
    """Return the record that a row of `model_calls` stands for. Raises RecordDamaged."""
    tenant, call, run, agent, principal, user, step, model, tier, status, started_at, duration, first, cached = row[:14]
    body = _opened(row[14], tenant, call, seals)
    dialect, labels, streamed, attempts, stop, prices, route, events, proposals, failure, salt, *trace = body or _GONE
    if body is None:
        attempts = _summed(row[15:], duration)
    return ModelCallRecord(
        call=ModelCall(
            id=call,
            tenant=tenant,
            agent=agent,
            principal=principal,
            model=model,
            dialect=Dialect(dialect),
            run=run,
            user=user,
            step=step,
            labels=tuple((key, value) for key, value in labels or ()),
            streamed=streamed,
            trace=trace[0] if trace else "",
            parent_span=trace[1] if trace else "",
        ),
        status=ModelCallStatus(status),
        started_at=started_at,
        duration_ms=duration,
        first_byte_ms=first,
        attempts=tuple(_attempt(fields) for fields in attempts),
        tier=tier,
        stop=stop,
        cache=cached,
        prices=prices,
        route=route,
        events=tuple(events),
        proposals=tuple(ProposedCall(*fields) for fields in proposals),
        failure=None if failure is None else Failure(*failure),
        salt=bytes.fromhex(salt),
        erased=labels is None,
    )
