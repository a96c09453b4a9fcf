"""From traces and figures to the documents that the API answers and the command line prints."""

from dataclasses import asdict

from interlock.gateway.trace_desk import TraceView
from interlock.server.api.traces_documents import (
    ComparedDocument,
    FiguresDocument,
    FiguresReportDocument,
    ReasonDocument,
    RunSumsDocument,
    SpanEventDocument,
    SpanLinkDocument,
    TraceDocument,
    TraceSpanDocument,
)
from interlock.traces.ports import RunSummary
from interlock.traces.rates import Compared, Figures
from interlock.traces.tree import PlacedSpan


def sums(value: RunSummary) -> RunSumsDocument:
    """Return the sums of a run or trace."""
    said = asdict(value)
    del said["tenant"]
    return RunSumsDocument(**said, duration_ms=value.duration_ms)


def trace(value: TraceView) -> TraceDocument:
    """Return a whole trace."""
    return TraceDocument(value.trace_id, tuple(map(sums, value.sums)), tuple(map(_span, value.spans)))


def figures(since: int, until: int, by: str, found: tuple[Compared, ...]) -> FiguresReportDocument:
    """Return the figures of each workflow."""
    return FiguresReportDocument(since, until, by, tuple(map(_compared, found)))


def _span(value: PlacedSpan) -> TraceSpanDocument:
    span = value.span
    return TraceSpanDocument(
        span_id=span.span_id,
        parent_id=span.parent_id,
        depth=value.depth,
        source="interlock" if value.own else "outside",
        orphan=value.orphan,
        name=span.name,
        category=span.category,
        kind=span.kind,
        status=span.status,
        message=span.message,
        start_ns=span.start_ns,
        end_ns=span.end_ns,
        attributes=span.attributes,
        events=tuple(SpanEventDocument(one.name, one.at_ns, one.attributes) for one in span.events),
        links=tuple(SpanLinkDocument(one.trace_id, one.span_id, one.attributes) for one in span.links),
    )


def _compared(value: Compared) -> ComparedDocument:
    return ComparedDocument(_figures(value.now), None if value.before is None else _figures(value.before))


def _figures(value: Figures) -> FiguresDocument:
    said = asdict(value)
    return FiguresDocument(**{**said, "reasons": tuple(ReasonDocument(**one) for one in said["reasons"])})
