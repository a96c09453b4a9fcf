"""From spans as they were told to rows as they are stored: checked, redacted, understood, their long texts apart."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from interlock.domain.spans import Category, SpanKind, SpanStatus
from interlock.traces.details import LONG, Bodies, short
from interlock.traces.evaluations import evaluations_of
from interlock.traces.ports import SpanRow
from interlock.traces.told import Attributes, Told, ToldBatch, ToldEvent, ToldLink, ToldSpan
from interlock.traces.understanding import column, understood

LARGEST = 1 << 20
"""What a span may say in all, in bytes."""
_KINDS = (SpanKind.INTERNAL.value, *(kind.value for kind in SpanKind))
_STATES = (SpanStatus.UNSET.value, SpanStatus.OK.value, SpanStatus.ERROR.value)
_NO_TRACE, _NO_SPAN = bytes(16), bytes(8)
_FAR = 1 << 62
_TELLING = 10**7
"""Smaller numbers are nobody's; a larger one can be that of a card, a telephone, a person."""


class Redact(Protocol):
    """What takes personal data and secrets out of words."""

    def gate(self, data: bytes) -> bool:
        """Return whether something may be in `data`; False is certain, and told quickly."""

    def words(self, text: str) -> str:
        """Return `text` without what must not be stored."""


@dataclass(slots=True)
class Outcome:
    """What became of the spans of one request."""

    rows: list[SpanRow] = field(default_factory=list)
    rejected: dict[str, int] = field(default_factory=dict)
    """How many, by reason."""
    dropped: int = 0
    """Attributes, events and links that were left out of spans that were taken."""

    def reject(self, reason: str) -> None:
        """Note a span that is not taken."""
        self.rejected[reason] = self.rejected.get(reason, 0) + 1


class Mapper:
    """Maps the spans of one deployment."""

    def __init__(self, redact: Redact) -> None:
        self._redact = redact
        self._known: set[str] = set()
        """Names of attributes in which there is nothing to take out; the same few come again and again."""

    def take(self, batch: ToldBatch, outcome: Outcome, oldest_ns: int, newest_ns: int) -> None:
        """Add the rows of `batch` to `outcome`, except of spans that began before `oldest_ns` or end after `newest_ns`."""
        spans = []
        for span in batch.spans:
            reason = _fault(span, oldest_ns, newest_ns)
            if reason:
                outcome.reject(reason)
            else:
                spans.append(span)
        if not spans:
            return
        batch = ToldBatch(batch.resource, batch.scope, spans)
        if self._redact.gate("\n".join(self._words(batch)).encode()):
            batch = self._redacted(batch)
        resource, shared = _resource(batch.resource)
        service = column(batch.resource.get("service.name", ""))
        for span in batch.spans:
            row = _row(span, batch.scope, resource, shared, service)
            if row is None:
                outcome.reject("it says more than 1 MiB")
                continue
            outcome.rows.append(row)
            outcome.dropped += span.dropped
            if span.events:
                outcome.rows += evaluations_of(span, row)

    def _words(self, batch: ToldBatch) -> list[str]:
        """Return every text of `batch` in which there may be something."""
        words = [batch.scope, *_texts(batch.resource)]
        known = self._known
        for span in batch.spans:
            words.append(span.name)
            attributes = span.attributes
            if not known.issuperset(attributes):
                words += self._new_names(attributes)
            for value in attributes.values():
                if isinstance(value, str):
                    words.append(value)
                elif isinstance(value, list) or value >= _TELLING or value <= -_TELLING:
                    words.append(str(value))
            if span.message:
                words.append(span.message)
            for _, _, more in (*span.events, *span.links):
                words += _texts(more)
            words += [event.name for event in span.events]
        return words

    def _new_names(self, attributes: Attributes) -> Iterator[str]:
        for name in attributes:
            if name not in self._known:
                # Bounded, since whoever sends spans chooses the names.
                if len(self._known) < 4096 and len(name) <= LONG and not self._redact.gate(name.encode()):
                    self._known.add(name)
                yield name

    def _redacted(self, batch: ToldBatch) -> ToldBatch:
        return ToldBatch(
            self._all(batch.resource), self._redact.words(batch.scope), [self._one(span) for span in batch.spans]
        )

    def _one(self, span: ToldSpan) -> ToldSpan:
        alone = ToldBatch({}, "", [span])
        if not self._redact.gate("\n".join(self._words(alone)).encode()):
            return span
        text = self._redact.words
        return span._replace(
            name=text(span.name),
            message=text(span.message),
            attributes=self._all(span.attributes),
            events=[ToldEvent(text(name), at, self._all(more)) for name, at, more in span.events],
            links=[ToldLink(trace, of, self._all(more)) for trace, of, more in span.links],
        )

    def _all(self, attributes: Attributes) -> Attributes:
        return {self._redact.words(name): self._value(value) for name, value in attributes.items()}

    def _value(self, value: Told) -> Told:
        if isinstance(value, str):
            return self._redact.words(value)
        if isinstance(value, list):
            return [self._value(one) for one in value]
        if -_TELLING < value < _TELLING:
            return value
        told = str(value)
        redacted = self._redact.words(told)
        return value if redacted == told else redacted


def _texts(attributes: Attributes) -> Iterator[str]:
    for name, value in attributes.items():
        yield name
        yield value if isinstance(value, str) else str(value)


def _fault(span: ToldSpan, oldest_ns: int, newest_ns: int) -> str:
    """Return why `span` cannot be taken; empty when it can."""
    if len(span.trace) != 16 or span.trace == _NO_TRACE:
        return "its trace id is not 16 bytes that are not all zero"
    if len(span.span) != 8 or span.span == _NO_SPAN:
        return "its span id is not 8 bytes that are not all zero"
    if span.parent and len(span.parent) != 8:
        return "its parent span id is not 8 bytes"
    if span.end_ns < span.start_ns or span.start_ns <= 0:
        return "it ends before it starts, or one of these times is missing"
    if span.start_ns < oldest_ns:
        return "it began longer ago than spans are kept"
    if span.end_ns > min(newest_ns, _FAR):
        return "it ends in the future"
    return ""


def _resource(resource: Attributes) -> tuple[orjson.Fragment | None, Bodies]:
    """Return what of `resource` stands in the details of its spans, and the body that it is when it is long."""
    if not resource:
        return None, []
    whole = orjson.dumps(resource)
    if len(whole) <= LONG:
        return orjson.Fragment(whole), []
    hash = hashlib.sha256(whole)
    return orjson.Fragment(b'"' + hash.hexdigest().encode() + b'"'), [("resource", hash.digest(), whole)]


def _row(span: ToldSpan, scope: str, resource: orjson.Fragment | None, shared: Bodies, service: str) -> SpanRow | None:
    """Return the row of `span`, or None if it says too much."""
    bodies = list(shared)
    details: dict[str, Any] = {}
    if span.attributes:
        details["attributes"] = short(span.attributes, bodies)
    if span.events:
        details["events"] = [(name, at, short(more, bodies)) for name, at, more in span.events]
    if span.links:
        details["links"] = [(trace.hex(), of.hex(), short(more, bodies)) for trace, of, more in span.links]
    if scope:
        details["scope"] = scope
    if resource is not None:
        details["resource"] = resource
    if span.message:
        details["message"] = span.message
    if span.dropped:
        details["dropped"] = span.dropped
    written = orjson.dumps(details)
    if len(written) + sum(len(text) for _, _, text in bodies) > LARGEST:
        return None
    category, run, workflow, user, model, read, produced, cost = understood(span.attributes)
    if not workflow and (category is Category.AGENT or not span.parent):
        workflow = column(span.name) if category is Category.AGENT else service
    kind = span.kind
    return SpanRow(
        span.trace,
        span.span,
        span.parent or None,
        column(span.name),
        category.value,
        _KINDS[kind] if 0 <= kind < len(_KINDS) else _KINDS[0],
        _STATES[span.status] if 0 <= span.status < len(_STATES) else _STATES[0],
        span.start_ns,
        span.end_ns,
        run,
        workflow,
        user,
        model,
        read,
        produced,
        cost,
        written,
        tuple(bodies),
    )
