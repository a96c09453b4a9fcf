"""One tree of the spans of a trace, whoever sent them. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from interlock.domain.spans import Span


@dataclass(frozen=True, slots=True)
class PlacedSpan:
    """A span and where it stands in the tree of its trace."""

    span: Span
    depth: int
    """0 for what stands at the top."""
    own: bool
    """Whether it is a span of Interlock's own work; the others were sent to it."""
    orphan: bool = False
    """Whether the span that it names as its parent never came."""


def tree_of(own: Iterable[Span], outside: Iterable[Span]) -> tuple[PlacedSpan, ...]:
    """Return the spans of one trace from the top down, what stands below another right after it, siblings by their start.

    A span that came twice stands once, as Interlock itself knows it if it is its own. Those whose parent never came stand
    below the first span at the top; if all are such, the earliest is the top. None is left out, whatever they claim.
    """
    mine = {span.span_id: span for span in own}
    spans = {**{span.span_id: span for span in outside}, **mine}
    below: dict[str, list[Span]] = {}
    tops: list[Span] = []
    lost: list[Span] = []
    for span in sorted(spans.values(), key=_order):
        if span.parent_id is None:
            tops.append(span)
        elif span.parent_id in spans and span.parent_id != span.span_id:
            below.setdefault(span.parent_id, []).append(span)
        else:
            lost.append(span)
    orphans = {span.span_id for span in lost}
    if not tops:
        tops, lost = lost[:1], lost[1:]
    placed: list[PlacedSpan] = []
    seen: set[str] = set()
    for number, top in enumerate(tops):
        _walk(top, below, mine, orphans, placed, seen)
        if number == 0:
            for span in lost:
                _walk(span, below, mine, orphans, placed, seen, depth=1)
    # Spans that name each other as parents in a ring are reached from nowhere.
    for span in sorted(spans.values(), key=_order):
        if span.span_id not in seen:
            orphans.add(span.span_id)
            _walk(span, below, mine, orphans, placed, seen, depth=min(1, len(placed)))
    return tuple(placed)


def _order(span: Span) -> tuple[int, int, str]:
    # Of two that start together, the longer one is the one around the other.
    return span.start_ns, -span.end_ns, span.span_id


def _walk(
    top: Span,
    below: dict[str, list[Span]],
    mine: dict[str, Span],
    orphans: set[str],
    placed: list[PlacedSpan],
    seen: set[str],
    depth: int = 0,
) -> None:
    # No recursion: what others send may be nested as deeply as they like.
    waiting: list[tuple[Span, int]] = [(top, depth)]
    while waiting:
        span, level = waiting.pop()
        if span.span_id in seen:
            continue
        seen.add(span.span_id)
        placed.append(PlacedSpan(span, level, span.span_id in mine, span.span_id in orphans))
        children: Sequence[Span] = below.get(span.span_id, ())
        waiting += [(child, level + 1) for child in reversed(children)]
