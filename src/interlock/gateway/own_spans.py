"""The spans of Interlock's own work. They follow from its records and are stored nowhere: made whenever they are asked for."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from interlock.approvals.ports import ApprovalFilter
from interlock.domain.approvals import Approval
from interlock.domain.calls import CallKey, CallRecord
from interlock.domain.ids import RunId, TenantId
from interlock.domain.models import ModelCallRecord
from interlock.domain.runs import Run
from interlock.domain.spans import Span, SpanEvent, SpanLink, Value
from interlock.gateway.store import Tx
from interlock.models import spans as of_models
from interlock.models.ports import ModelCallFilter
from interlock.runs import call_spans, spans
from interlock.runs.ports import CallFilter

_MOST = 10_000
"""Calls of one run that are shown; budgets stop runs long before."""
MEANINGS: Mapping[str, str] = {**of_models.MEANINGS, **spans.MEANINGS}
"""Every attribute that a span of Interlock's own may carry."""


def spans_of_run(
    run: Run,
    calls: Iterable[CallRecord],
    approvals: Iterable[Approval],
    model_calls: Iterable[ModelCallRecord],
) -> tuple[Span, ...]:
    """Return every span of a run, its own first, the others by their start.

    They form one tree below the run's span, but for calls whose caller named another span as their parent.
    """
    calls, model_calls = tuple(calls), tuple(model_calls)
    asked: dict[str, list[Approval]] = {}
    for one in approvals:
        asked.setdefault(str(one.binding.key), []).append(one)
    found: list[Span] = []
    for model_call in model_calls:
        found += of_models.spans_of(model_call, run)
    proposers = _proposers(run, model_calls)
    for record in calls:
        named = proposers.get(record.call.proposal or "")
        found += call_spans.spans_of_call(run, record, tuple(asked.get(str(record.call.key), ())), named)
    last = max((span.end_ns for span in found), default=0)
    # A sort keeps the order of equals: what stands below another comes after it.
    found.sort(key=lambda span: span.start_ns)
    return (spans.span_of(run, _versions(calls, model_calls), last), *found)


def spans_of_model_call(record: ModelCallRecord, run: Run | None) -> tuple[Span, ...]:
    """Return the spans of one model call; `run` is None where it belongs to none."""
    return of_models.spans_of(record, run)


def read_run(tx: Tx, tenant: TenantId, run_id: RunId) -> tuple[Span, ...]:
    """Return every span of the run of this id as its records stand; none when there is no such run."""
    run = tx.runs.find(tenant, run_id)
    if run is None:
        return ()
    return spans_of_run(
        run,
        tx.calls.search(CallFilter(tenant=tenant, run=run_id, limit=_MOST)),
        tx.approvals.search(ApprovalFilter(tenant=tenant, run=run_id, limit=_MOST)),
        tx.models.search(ModelCallFilter(tenant=tenant, run=run_id, limit=_MOST)),
    )


def read_call(tx: Tx, run: Run, key: CallKey, proposers: Mapping[str, SpanLink]) -> tuple[Span, ...]:
    """Return the spans of one call of `run`, as its records stand; none when there is no such call.

    `proposers` are the model calls that proposed calls of the run, as `read_proposers` returns them.
    """
    record = tx.calls.find(key)
    if record is None:
        return ()
    asked: tuple[Approval, ...] = ()
    if record.approval is not None:
        found = tx.approvals.search(ApprovalFilter(tenant=key.tenant, run=key.run, limit=_MOST))
        asked = tuple(one for one in found if one.binding.key == key)
    return call_spans.spans_of_call(run, record, asked, proposers.get(record.call.proposal or ""))


def read_proposers(tx: Tx, run: Run) -> dict[str, SpanLink]:
    """Return the model calls of `run` by the tool calls that they proposed."""
    return _proposers(run, tx.models.search(ModelCallFilter(tenant=run.tenant, run=run.id, limit=_MOST)))


def read_root(tx: Tx, run: Run) -> Span:
    """Return the span of `run` itself, as its records stand."""
    return read_run(tx, run.tenant, run.id)[0]


def redacted(span: Span, redact: Callable[[str], str]) -> Span:
    """Return `span` with every text that somebody else may have chosen passed through `redact`.

    Names of models, ids of runs and calls, and tools are written by callers: a secret may be among them.
    """
    return replace(
        span,
        name=redact(span.name),
        message=redact(span.message) if span.message else "",
        attributes=_redacted(span.attributes, redact),
        events=tuple(SpanEvent(one.name, one.at_ns, _redacted(one.attributes, redact)) for one in span.events),
    )


def _redacted(attributes: Mapping[str, Value], redact: Callable[[str], str]) -> dict[str, Value]:
    return {name: _value(value, redact) for name, value in attributes.items()}


def _value(value: Value, redact: Callable[[str], str]) -> Value:
    if isinstance(value, str):
        return redact(value)
    return tuple(_value(one, redact) for one in value) if isinstance(value, tuple) else value


def _proposers(run: Run, model_calls: Iterable[ModelCallRecord]) -> dict[str, SpanLink]:
    proposers: dict[str, SpanLink] = {}
    for model_call in model_calls:
        if model_call.proposals:
            span = of_models.spans_of(model_call, run)[0]
            link = SpanLink(span.trace_id, span.span_id)
            proposers.update((proposal.id, link) for proposal in model_call.proposals)
    return proposers


def _versions(calls: tuple[CallRecord, ...], model_calls: tuple[ModelCallRecord, ...]) -> tuple[str, ...]:
    named = {version for record in calls for version in call_spans.versions_of(record)}
    named.update(version for record in model_calls for version in of_models.versions_of(record))
    return tuple(sorted(named))
