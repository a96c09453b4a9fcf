"""Traces and figures as people read them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from interlock.domain.money import usd
from interlock.domain.spans import Category, Span, SpanStatus, Value
from interlock.traces.rates import Compared, Figures
from interlock.traces.tree import PlacedSpan

_DEEPEST = 40
"""Levels that are drawn; what lies deeper is drawn there."""
_LONGEST = 200
_COST = ("interlock.cost_nano_usd",)
_TOKENS = (
    ("gen_ai.usage.input_tokens", "llm.token_count.prompt", "gen_ai.usage.prompt_tokens"),
    ("gen_ai.usage.output_tokens", "llm.token_count.completion", "gen_ai.usage.completion_tokens"),
)


def tree_lines(spans: Sequence[PlacedSpan], *, attributes: bool) -> Iterator[str]:
    """Yield a line for each span: when it began, how long it took, what it is, what came of it."""
    began = min((one.span.start_ns for one in spans), default=0)
    for one in spans:
        span = one.span
        indent = "  " * min(one.depth, _DEEPEST)
        times = f"{_seconds(span.start_ns - began):>10}  {_seconds(span.end_ns - span.start_ns):>9}"
        notes = "  ".join(note for note in _notes(one) if note)
        yield f"{times}  {indent}{span.category:<10} {span.name}{'  ' + notes if notes else ''}"
        if attributes:
            for name, value in _said(span):
                yield f"{'':>23}{indent}    {name} = {_brief(value)}"


def _notes(one: PlacedSpan) -> Iterator[str]:
    span = one.span
    if span.category is Category.DECISION and "interlock.decision.effect" in span.attributes:
        yield f"{span.attributes['interlock.decision.effect']}"
        yield _brief(span.attributes.get("interlock.decision.rules", ""))
    if span.category is Category.APPROVAL and "interlock.approval.state" in span.attributes:
        yield f"{span.attributes['interlock.approval.state']}"
    read, written = (_first(span.attributes, names) for names in _TOKENS)
    if read or written:
        yield f"{read or 0}+{written or 0} tokens"
    cost = _first(span.attributes, _COST)
    if isinstance(cost, int) and cost:
        yield f"{usd(cost)} USD"
    if span.status is SpanStatus.ERROR:
        yield f"error {_brief(span.message or span.attributes.get('error.type', ''))}".rstrip()
    if not one.own:
        yield "(outside)"
    if one.orphan:
        yield "(its parent never came)"


def _said(span: Span) -> Iterator[tuple[str, Value]]:
    yield from sorted(span.attributes.items())
    for event in span.events:
        yield f"event {event.name}", ", ".join(f"{name}={_brief(value)}" for name, value in event.attributes.items())


def _first(attributes: Mapping[str, Value], names: Iterable[str]) -> Value | None:
    return next((attributes[name] for name in names if name in attributes), None)


def _seconds(nanoseconds: int) -> str:
    return f"{nanoseconds / 1_000_000_000:,.3f} s"


def _brief(value: Value) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONGEST else flat[: _LONGEST - 1] + "…"


def figures_text(compared: Compared) -> list[tuple[str, str, str]]:
    """Return the rows of one workflow's figures: what, now, before."""
    now = _texts(compared.now)
    before = _texts(compared.before) if compared.before is not None else dict.fromkeys(now, "-")
    return [(name, value, before[name]) for name, value in now.items()]


def _texts(one: Figures) -> dict[str, str]:
    return {
        "runs": f"{one.runs:,} ({one.ended:,} ended)",
        "success rate": _share(one.success_rate),
        "cost per successful run": "-"
        if one.cost_per_success_nano_usd is None
        else _usd(one.cost_per_success_nano_usd),
        "cost, all runs": _usd(one.cost_nano_usd),
        "cost p50 / p95": f"{_usd(one.p50_cost_nano_usd)} / {_usd(one.p95_cost_nano_usd)}",
        "latency p50 / p95 / p99": " / ".join(f"{ms / 1_000:,.1f} s" for ms in (one.p50_ms, one.p95_ms, one.p99_ms)),
        "escalation rate": _share(one.escalation_rate),
        "violations per 1,000 runs": "-"
        if one.violations_per_1000_runs is None
        else f"{one.violations_per_1000_runs:,.1f} ({one.violations:,})",
        "blocked calls": f"{one.blocked:,}",
        "calls held for people": f"{one.held:,}",
        "near misses": f"{one.near_misses:,}",
        "tool failures": f"{one.tool_failures:,} of {one.tool_calls:,} ({_share(one.tool_failure_rate)})",
        "model calls": f"{one.model_calls:,}",
        "with spans from outside": _share(one.coverage),
        "whole traces": _share(one.whole),
    }


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _usd(nano_usd: int) -> str:
    return f"{usd(nano_usd)} USD"
