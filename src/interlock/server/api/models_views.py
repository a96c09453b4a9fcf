"""From model calls and sums of them to the documents that the API answers and the command line prints."""

from collections.abc import Sequence
from dataclasses import replace

from interlock.domain.models import Attempt, ModelCallRecord, Usage
from interlock.domain.money import usd
from interlock.domain.spans import Span
from interlock.gateway.models.desk import Grouping, GroupSpending
from interlock.models.ports import Spending
from interlock.models.spans import spans_of
from interlock.server.api import views
from interlock.server.api.models_documents import (
    AttemptDocument,
    AttemptSpanDocument,
    ModelCallDocument,
    ProposalDocument,
    SpanDocument,
    SpendingDocument,
    SpendingGroupDocument,
    SumsDocument,
    UsageDocument,
)


def model_call(record: ModelCallRecord) -> ModelCallDocument:
    """Return a model call."""
    asked = record.call
    return ModelCallDocument(
        id=asked.id,
        run=asked.run,
        agent=asked.agent,
        user=asked.user,
        requested_by=asked.principal,
        step=asked.step,
        model=asked.model,
        dialect=asked.dialect,
        streamed=asked.streamed,
        labels=dict(asked.labels),
        status=record.status,
        tier=record.tier,
        stop=record.stop,
        cache=record.cache,
        started_at=record.started_at,
        duration_ms=record.duration_ms,
        first_byte_ms=record.first_byte_ms,
        usage=usage(record.usage),
        cost_nano_usd=record.cost_nano_usd,
        cost_usd=usd(record.cost_nano_usd),
        prices=record.prices,
        attempts=tuple(_attempt(one) for one in record.attempts),
        route=record.route,
        events=record.events,
        proposals=tuple(ProposalDocument(one.id, one.tool, one.arguments_hash) for one in record.proposals),
        failure=views.why(record.failure),
        erased=record.erased,
    )


def shown_model_call(record: ModelCallRecord) -> ModelCallDocument:
    """Return a model call with its span."""
    return replace(model_call(record), span=span(spans_of(record)))


def span(spans: tuple[Span, ...]) -> SpanDocument:
    """Return the span of a call with its attempts."""
    value, *attempts = spans
    return SpanDocument(
        trace_id=value.trace_id,
        span_id=value.span_id,
        parent_id=value.parent_id,
        name=value.name,
        start_ns=str(value.start_ns),
        end_ns=str(value.end_ns),
        status=value.status,
        attributes=value.attributes,
        children=tuple(
            AttemptSpanDocument(
                span_id=one.span_id,
                parent_id=value.span_id,
                name=one.name,
                start_ns=str(one.start_ns),
                end_ns=str(one.end_ns),
                status=one.status,
                attributes=one.attributes,
            )
            for one in attempts
        ),
    )


def usage(value: Usage) -> UsageDocument:
    """Return tokens."""
    return UsageDocument(
        input=value.input,
        output=value.output,
        total=value.total,
        cache_read=value.cache_read,
        cache_write=value.cache_write,
        cache_write_1h=value.cache_write_1h,
        reasoning=value.reasoning,
        audio_input=value.audio_input,
        audio_output=value.audio_output,
    )


def spending(
    by: Grouping, since: int, until: int, groups: Sequence[GroupSpending], most: int | None = None
) -> SpendingDocument:
    """Return the first `most` groups, and the sums of all of them."""
    shown = tuple(_group(one) for one in groups[:most])
    return SpendingDocument(by, since, until, shown, _group(_total(groups)))


def sums(spent: Spending) -> SumsDocument:
    """Return what some calls used and cost together."""
    return SumsDocument(spent.calls, spent.input, spent.output, spent.cost_nano_usd, usd(spent.cost_nano_usd))


def _total(groups: Sequence[GroupSpending]) -> GroupSpending:
    spent = [one.spending for one in groups]
    sums = Spending(
        "",
        sum(one.calls for one in spent),
        sum(one.input for one in spent),
        sum(one.output for one in spent),
        sum(one.cost_nano_usd for one in spent),
    )
    counted = [one.successes for one in groups if one.successes is not None]
    return GroupSpending(sums, sum(counted) if len(counted) == len(groups) else None)


def _attempt(value: Attempt) -> AttemptDocument:
    return AttemptDocument(
        provider=value.provider,
        model=value.model,
        outcome=value.outcome,
        duration_ms=value.duration_ms,
        usage=usage(value.usage),
        usage_source=value.usage_source,
        cost_nano_usd=value.cost_nano_usd,
        cost_usd=usd(value.cost_nano_usd),
        excess_nano_usd=value.excess_nano_usd,
    )


def _group(value: GroupSpending) -> SpendingGroupDocument:
    spent, each = value.spending, value.cost_per_success
    return SpendingGroupDocument(
        group=spent.group,
        calls=spent.calls,
        input_tokens=spent.input,
        output_tokens=spent.output,
        cost_nano_usd=spent.cost_nano_usd,
        cost_usd=usd(spent.cost_nano_usd),
        successes=value.successes,
        cost_per_success_nano_usd=each,
        cost_per_success_usd=usd(each) if each is not None else None,
    )
