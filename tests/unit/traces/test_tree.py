"""The spans of a trace stand in one tree, whoever sent them, in whatever order, whatever they claim."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from interlock.domain.spans import Category, Span, SpanStatus
from interlock.traces.tree import PlacedSpan, tree_of

TRACE = "ab" * 16


def a_span(id: str, parent: str | None = None, start: int = 0, end: int = 10) -> Span:
    return Span(TRACE, id, parent, id, Category.OTHER, start, end, SpanStatus.UNSET, {})


def shape(placed: tuple[PlacedSpan, ...]) -> list[tuple[str, int]]:
    return [(one.span.span_id, one.depth) for one in placed]


def test_what_stands_below_a_span_follows_it_in_order_of_start() -> None:
    own = [a_span("run", "client", 1), a_span("call", "run", 5), a_span("model", "run", 2)]
    outside = [a_span("client"), a_span("retrieval", "run", 3), a_span("upstream", "call", 6)]

    placed = tree_of(own, outside)

    assert shape(placed) == [("client", 0), ("run", 1), ("model", 2), ("retrieval", 2), ("call", 2), ("upstream", 3)]
    assert [one.span.span_id for one in placed if one.own] == ["run", "model", "call"]


def test_a_span_whose_parent_never_came_stands_below_the_top() -> None:
    placed = tree_of([a_span("run")], [a_span("lost", "gone", 1), a_span("child", "lost", 2)])
    assert shape(placed) == [("run", 0), ("lost", 1), ("child", 2)]
    assert [one.orphan for one in placed] == [False, True, False]


def test_where_every_parent_is_missing_the_earliest_is_the_top() -> None:
    placed = tree_of([a_span("run", "elsewhere", 1)], [a_span("late", "gone", 2)])
    assert shape(placed) == [("run", 0), ("late", 1)]


def test_a_span_that_comes_back_to_us_stands_once_and_as_our_own() -> None:
    (placed,) = tree_of([a_span("run")], [a_span("run", "x")])
    assert placed.own
    assert placed.span.parent_id is None


def test_spans_that_are_each_others_parents_are_shown_all_the_same() -> None:
    placed = tree_of([], [a_span("a", "b", 1), a_span("b", "a", 2), a_span("self", "self", 3)])
    assert sorted(one.span.span_id for one in placed) == ["a", "b", "self"]


@given(st.dictionaries(st.integers(0, 30), st.none() | st.integers(0, 35), max_size=31))
def test_every_span_is_shown_once_right_below_something(parents: dict[int, int | None]) -> None:
    spans = [a_span(str(id), None if above is None else str(above), id) for id, above in parents.items()]
    placed = tree_of(spans[::2], spans[1::2])
    assert sorted(one.span.span_id for one in placed) == sorted(span.span_id for span in spans)
    assert all(one.depth <= before.depth + 1 for before, one in pairwise(placed))
    assert not placed or placed[0].depth == 0


def test_a_trace_may_be_nested_deeply() -> None:
    spans = [a_span(str(number), str(number - 1) if number else None, number) for number in range(5_000)]
    assert tree_of([], spans)[-1].depth == 4_999
