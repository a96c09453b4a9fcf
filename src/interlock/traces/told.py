"""Spans as others tell them: read from the wire, neither checked nor redacted nor understood yet."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

Told = str | int | float | bool | list["Told"]
"""A value of an attribute. What is nested deeper than lists came as JSON text."""
Attributes = dict[str, Told]


class ToldEvent(NamedTuple):
    """Something that happened at one instant of a span."""

    name: str
    at_ns: int
    attributes: Attributes


class ToldLink(NamedTuple):
    """Another span that this one has to do with."""

    trace: bytes
    span: bytes
    attributes: Attributes


class ToldSpan(NamedTuple):
    """A span as it came. Thousands are made in a second, so this is a bare tuple."""

    trace: bytes
    span: bytes
    parent: bytes
    """Empty for a span above which nothing stands."""
    name: str
    kind: int
    """As OTLP numbers them: 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer."""
    start_ns: int
    end_ns: int
    status: int
    """0 unset, 1 ok, 2 error."""
    message: str
    attributes: Attributes
    events: list[ToldEvent]
    links: list[ToldLink]
    dropped: int
    """Attributes, events and links that were left out: by the sender, or here because there were too many."""


class ToldBatch(NamedTuple):
    """Some spans of one resource and one instrumentation."""

    resource: Attributes
    scope: str
    spans: list[ToldSpan]


class Decoder(Protocol):
    """One encoding of an export request."""

    def batches(self, body: bytes) -> Iterator[ToldBatch]:
        """Yield the spans of `body`, a few at a time. Raises BadInput when it cannot be read."""
