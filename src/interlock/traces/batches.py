"""What a batch of spans adds to the sums of its traces."""

from collections.abc import Sequence
from typing import NamedTuple

from interlock.domain.spans import Category, SpanStatus
from interlock.traces.ports import SpanRow

_NS_PER_MS = 1_000_000
_ASKED = frozenset({Category.MODEL.value, Category.EMBEDDING.value})
"""Only these say what a model used: what stands above them often repeats it as a total."""
_ERROR = SpanStatus.ERROR.value


class Addition(NamedTuple):
    """What is added to one row of sums. A bare tuple, since it goes to the database as one."""

    number: int
    """Of the row."""
    started_at: int
    """Milliseconds since the epoch."""
    ended_at: int
    session: str
    workflow: str
    root: bool
    """Whether the workflow is named by a span above which nothing stands, and so is the trace's."""
    user: str
    spans: int
    errors: int
    input_tokens: int
    output_tokens: int
    cost_nano_usd: int


def additions_of(number: int, rows: Sequence[SpanRow]) -> Addition:
    """Return what `rows`, all of one trace and none of them counted yet, add to the row of sums `number`."""
    started, ended = rows[0].start_ns, rows[0].end_ns
    session = workflow = user = top = ""
    errors = read = written = cost = 0
    for row in rows:
        (_, _, parent, _, category, _, status, start, end, run, named, person, _, *used, _, _) = row
        started, ended = min(started, start), max(ended, end)
        errors += status == _ERROR
        session, workflow, user = session or run, workflow or named, user or person
        if parent is None:
            top = top or named
        if category in _ASKED:
            read, written, cost = read + used[0], written + used[1], cost + used[2]
    return Addition(
        number,
        started // _NS_PER_MS,
        -(-ended // _NS_PER_MS),
        session,
        top or workflow,
        bool(top),
        user,
        len(rows),
        errors,
        read,
        written,
        cost,
    )
