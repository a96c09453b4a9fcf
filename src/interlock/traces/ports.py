"""Where spans and the sums of runs are kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol, runtime_checkable

from interlock.domain.ids import RunId, TenantId
from interlock.domain.spans import Span


class SpanRow(NamedTuple):
    """A span as it is stored. Thousands are made in a second, so this is a bare tuple."""

    trace: bytes
    """16 bytes."""
    span: bytes
    """8 bytes."""
    parent: bytes | None
    name: str
    category: str
    """A `Category`."""
    kind: str
    """A `SpanKind`."""
    status: str
    """A `SpanStatus`."""
    start_ns: int
    end_ns: int
    run: str
    """The run that it names (`interlock.run`, a session or conversation id); empty when none."""
    workflow: str
    """The agent or workflow that it names; empty when none."""
    user: str
    model: str
    input_tokens: int
    output_tokens: int
    cost_nano_usd: int
    details: bytes
    """JSON: attributes that are short, events, links, scope, resource, message; what is long stands in `bodies`."""
    bodies: tuple[tuple[str, bytes, bytes], ...]
    """(attribute, SHA-256, UTF-8 text), redacted. Stored once per trace and hash, apart from the rows."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a batch of spans."""

    stored: int
    repeated: int
    """Spans that were there already: receivers are sent some twice."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """The one row of sums that each run, or trace without a run, has."""

    tenant: TenantId
    trace_id: str
    run: RunId | None
    """None for a trace that came from outside and names no run."""
    session: str
    """What spans from outside name: a session, a conversation."""
    workflow: str
    """The agent, or the name of the root span's agent or service."""
    user: str
    state: str
    """`open`, `closed`, `stopped`; empty for traces from outside."""
    outcome: str
    started_at: int
    """Milliseconds since the epoch."""
    ended_at: int | None
    model_calls: int = 0
    tool_calls: int = 0
    failed_calls: int = 0
    denied: int = 0
    held: int = 0
    """Calls that waited, or wait, for a person."""
    escalated: int = 0
    near_misses: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_nano_usd: int = 0
    spans: int = 0
    """Spans that came from outside."""
    errors: int = 0
    """Of those, the ones that say error."""
    reported_input_tokens: int = 0
    """What the spans from outside say. Never added to our own sums: the same calls may stand in both."""
    reported_output_tokens: int = 0
    reported_cost_nano_usd: int = 0

    @property
    def duration_ms(self) -> int | None:
        """From the first to the last that is known of it."""
        return None if self.ended_at is None else self.ended_at - self.started_at

    @property
    def known_cost_nano_usd(self) -> int:
        """What Interlock counted; where it counted nothing, what spans from outside say."""
        return self.cost_nano_usd or self.reported_cost_nano_usd


class Notable(StrEnum):
    """What is counted by its reason, besides the sums."""

    DENIED = "denied"
    """A proposal that a rule denies; the reason is the rule."""
    REFUSED = "refused"
    """A call that people did not let pass, in time or at all; the reason is the failure's code."""
    ESCALATED = "escalated"
    """A call handed to a person; the reason is the rule."""
    OVERDUE = "overdue"
    """A question that nobody answered in time; the reason is to whom it went next."""
    FAILED = "failed"
    """A tool that failed; the reason is the failure's code."""
    NEAR_MISS = "near_miss"
    """The reason is the rule that nearly applied."""


class RunChange(NamedTuple):
    """What events of the trail add to the sums of their run."""

    tenant: str
    run: str
    trace: bytes
    """16 bytes, or none while no event has told it."""
    at: int
    """Milliseconds since the epoch, of the first of them."""
    workflow: str = ""
    user: str = ""
    state: str = ""
    outcome: str = ""
    ended_at: int | None = None
    model_calls: int = 0
    tool_calls: int = 0
    failed_calls: int = 0
    denied: int = 0
    held: int = 0
    escalated: int = 0
    near_misses: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_nano_usd: int = 0
    notable: tuple[tuple[str, str, int], ...] = ()
    """(`Notable`, reason, how often)."""


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Which runs to list; empty means any."""

    tenant: TenantId
    runs: tuple[RunId, ...] = ()
    since: int = 0
    """Milliseconds since the epoch."""
    until: int = 1 << 62
    workflow: str = ""
    user: str = ""
    state: str = ""
    outcome: str = ""
    limit: int = 100


class Order(StrEnum):
    """By what runs are listed."""

    NEWEST = "newest"
    DEAREST = "dearest"
    LONGEST = "longest"


@dataclass(frozen=True, slots=True)
class WorkflowFigures:
    """How the runs of one workflow did in a span of time. Percentiles are exact: the value of a run that there was."""

    workflow: str
    runs: int
    ended: int
    succeeded: int
    judged: int
    """Runs of which somebody said what came of them."""
    escalated: int
    """Runs that ended with a person, or had a call that did."""
    cost_nano_usd: int
    """Of each run what Interlock counted; where it counted nothing, what spans from outside say."""
    p50_cost_nano_usd: int
    p95_cost_nano_usd: int
    p50_ms: int
    """Of runs that have ended, as are the next two."""
    p95_ms: int
    p99_ms: int


@dataclass(frozen=True, slots=True)
class WorkflowCounts:
    """What happened in the runs of one workflow in a span of time."""

    workflow: str
    model_calls: int
    tool_calls: int
    failed_calls: int
    denied: int
    held: int
    escalated: int
    near_misses: int
    seen: int
    """Runs of which spans came from outside."""
    whole: int
    """Runs that have ended and whose models were asked through Interlock, or told of by spans from outside."""
    notable: tuple[tuple[str, str, int], ...]
    """(`Notable`, reason, how often), the most frequent first."""


class Seal(Protocol):
    """Makes words unreadable at rest under a key of their tenant, bound to the place where they stand."""

    def seal(self, tenant: TenantId, place: str, body: bytes) -> bytes:
        """Return `body` as it is stored at `place`."""

    def open(self, tenant: TenantId, place: str, body: bytes) -> bytes:
        """Return the body that stands at `place`. Raises Erased when its key was destroyed."""


class SpanStore(Protocol):
    """Spans, bodies and sums of runs. Raises StoreUnavailable when nothing can be kept: nothing was then acknowledged."""

    async def add(self, tenant: TenantId, rows: Sequence[SpanRow]) -> Receipt:
        """Keep spans; they are on disk when this returns. The sums of their traces change in the same transaction."""

    async def follow(self, name: str, since: int, position: int, changes: Sequence[RunChange] = ()) -> bool:
        """Add `changes` to the sums of runs, and note that the follower `name` has read the trail from `since` to `position`.

        INVARIANT: each part of the trail is added once. Return False, with nothing changed, if the follower stands elsewhere.
        """

    async def position(self, name: str) -> int:
        """Return how far the follower `name` has read; 0 when it never did."""

    async def lease(self, name: str, holder: str, now: int, until: int) -> bool:
        """Let `holder` alone be the follower `name` until `until` (milliseconds since the epoch); False if another one is."""

    async def trace(self, tenant: TenantId, trace_id: str) -> tuple[Span, ...]:
        """Return the spans of one trace that came from outside, in order of start, with their bodies."""

    async def summary(self, tenant: TenantId, run: RunId) -> RunSummary | None:
        """Return the sums of one run, or None."""

    async def sums_of_trace(self, tenant: TenantId, trace_id: str) -> tuple[RunSummary, ...]:
        """Return the sums of one trace: of every run in it, or of none; empty when there is no such trace."""

    async def runs(self, query: RunQuery, order: Order = Order.NEWEST) -> tuple[RunSummary, ...]:
        """Return the sums of matching runs."""

    async def workflows(
        self, tenant: TenantId, since: int, until: int, *, whole: bool = False
    ) -> tuple[WorkflowFigures, ...]:
        """Return the figures of each workflow, by name, over runs and traces that began in [since, until).

        `whole` returns those of all workflows together, under an empty name.
        """

    async def counts(
        self, tenant: TenantId, since: int, until: int, *, whole: bool = False
    ) -> tuple[WorkflowCounts, ...]:
        """Return what happened in each workflow, by name, in runs and traces that began in [since, until)."""

    async def beside(self, tenant: TenantId, *, user: str = "", runs: Sequence[RunId] = ()) -> frozenset[RunId]:
        """Return the runs that share a trace with a user or with `runs`: whose spans `erase` would delete, too."""

    async def erase(self, tenant: TenantId, *, user: str = "", runs: Sequence[RunId] = ()) -> int:
        """Delete every trace in which `user` is named, and those of `runs`: spans and bodies. Return how many spans.

        The sums stay, without the user and without what the spans named as their session.
        """

    async def expire(self, tenant: TenantId, before: int, keep_runs: frozenset[str], limit: int) -> int:
        """Delete up to `limit` spans of traces that began before `before` (milliseconds since the epoch), but for `keep_runs`.

        Return how many: fewer than `limit` when no more are left.
        """

    async def close(self) -> None:
        """Finish what is under way and let go of connections."""


@dataclass(frozen=True, slots=True)
class DueRow:
    """A row of sums that the archive does not have as it stands, or not all of its spans."""

    number: int
    sums: RunSummary
    mark: int
    """The last of its spans that the archive has; 0 when it has none of this row."""


@dataclass(frozen=True, slots=True)
class DueSpans:
    """Spans of one row that the archive does not have."""

    row: DueRow
    spans: tuple[Span, ...]
    users: tuple[str, ...]
    """Of each of `spans`, the user that it names itself; empty where it names none."""
    mark: int
    """The last of them."""


@runtime_checkable
class ClosedDays(Protocol):
    """What of closed days the archive does not have yet. A day is one of those since the epoch, in UTC."""

    async def due(self, until_day: int, now: int) -> tuple[tuple[TenantId, int], ...]:
        """Return tenant and day of what is due, of days before `until_day`. Runs that go on wait, for a week at most."""

    async def begin(self, tenant: TenantId, day: int, now: int, limit: int) -> tuple[int, tuple[DueRow, ...]]:
        """Return the number of the day's next part, from 1, and up to `limit` rows for it."""

    async def fresh_spans(self, tenant: TenantId, rows: Sequence[DueRow]) -> tuple[DueSpans, ...]:
        """Return the spans of each of `rows` that the archive does not have, with their bodies."""

    async def finish(
        self, tenant: TenantId, day: int, part: int, marks: Mapping[int, int], *, spans: int, at: int
    ) -> None:
        """Note that a part with these rows is in the archive, each up to its mark. What has changed meanwhile is due again."""


class PartWriter(Protocol):
    """Writes one part of a day. Nothing of it is seen before `finish`."""

    def spans(self, row: RunSummary, spans: Sequence[Span], users: Sequence[str] = ()) -> None:
        """Add spans of one row. `users` are those whom they name themselves; without, they are of Interlock's own work."""

    def sums(self, row: RunSummary) -> None:
        """Add a row of sums."""

    def finish(self) -> None:
        """Put the part in its place, in one step and durably."""

    def drop(self) -> None:
        """Leave nothing behind of a part that was not finished."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query over the archive found."""

    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    cut: bool
    """Whether there are more rows than were asked for."""


class SpanArchive(Protocol):
    """Closed days as files, by tenant. Every method may take long: none is called on an event loop's own thread."""

    def part(self, tenant: TenantId, day: int, number: int) -> PartWriter:
        """Return what writes a part; one of the same number that is there is replaced."""

    def query(self, tenant: TenantId, sql: str, limit: int) -> Answer:
        """Return what one SELECT over the views `spans` and `runs` of the tenant finds. Raises BadInput with what is wrong."""

    def beside(self, tenant: TenantId, user: str, runs: Sequence[RunId]) -> frozenset[RunId]:
        """Return the runs that share a trace with a user or with `runs`: whose words `erase` would take, too."""

    def erase(self, tenant: TenantId, user: str, runs: Sequence[RunId]) -> int:
        """Rewrite the files in which a user or `runs` are named, without their traces; return how many spans went.

        Their sums stay, without the user.
        """

    def expire(self, tenant: TenantId, before: int, keep_runs: frozenset[str]) -> int:
        """Delete days that ended before `before` (milliseconds since the epoch), but for `keep_runs`; return how many files."""
