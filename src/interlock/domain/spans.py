"""A piece of work in a trace, in the words of OpenTelemetry: what is shown, kept, exported and taken in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

Value = str | int | float | bool | tuple["Value", ...]
"""What an attribute may hold."""


class SpanKind(StrEnum):
    """Who does the work, as OpenTelemetry's span kinds say it."""

    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"


class SpanStatus(StrEnum):
    """How OpenTelemetry says that an operation ended."""

    UNSET = "unset"
    """It went well; the conventions leave it to people to call something `ok`."""
    OK = "ok"
    ERROR = "error"


class Category(StrEnum):
    """What kind of work a span is, whatever vocabulary it came in: the one schema that views and sums rest on."""

    AGENT = "agent"
    """A whole run, or an agent at work within one."""
    MODEL = "model"
    ATTEMPT = "attempt"
    """One provider that a model call asked, or one attempt at a tool."""
    TOOL = "tool"
    RETRIEVAL = "retrieval"
    EMBEDDING = "embedding"
    DECISION = "decision"
    """The policy's answer to a proposed call; a guardrail of somebody else's."""
    APPROVAL = "approval"
    EVALUATION = "evaluation"
    """A check of an output, a score, a judge."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """Something that happened at one instant of a span."""

    name: str
    at_ns: int
    attributes: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SpanLink:
    """Another span that this one has to do with, in whatever trace."""

    trace_id: str
    span_id: str
    attributes: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of work in a trace."""

    trace_id: str
    """32 lower-case hexadecimal digits."""
    span_id: str
    """16 such digits."""
    parent_id: str | None
    """None for a span under which nobody's span stands."""
    name: str
    category: Category
    start_ns: int
    """Nanoseconds since the epoch."""
    end_ns: int
    status: SpanStatus
    attributes: Mapping[str, Value]
    """What is not known or does not apply is left out."""
    kind: SpanKind = SpanKind.INTERNAL
    message: str = ""
    """Of an error: what it says, redacted."""
    events: tuple[SpanEvent, ...] = ()
    links: tuple[SpanLink, ...] = ()
    scope: str = "interlock"
    """The instrumentation that made it."""
    resource: Mapping[str, Value] = field(default_factory=dict)
    """What it was made on: `service.name` and the like; empty for our own."""
