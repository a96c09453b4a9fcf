"""What of a span has no column of its own, as JSON: written once, read by whoever shows the span.

`attributes`, `events` as a list of `[name, at_ns, attributes]`, `links` as one of `[trace, span, attributes]`, `scope`,
`resource`, `message`, `dropped`; what is empty is left out. A long text stands apart, as a body: in its place is `{"body":
SHA-256}`, and in that of a long resource the SHA-256 alone.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from interlock.domain.spans import Category, Span, SpanEvent, SpanKind, SpanLink, SpanStatus, Value
from interlock.traces.ports import SpanRow
from interlock.traces.told import Attributes

LONG = 256
"""Longer texts than this, in bytes, are bodies."""
Bodies = list[tuple[str, bytes, bytes]]
"""(attribute, SHA-256, UTF-8 text)."""
ERASED = "[erased]"
"""Stands for a body that is no longer there."""


def short(attributes: Attributes, bodies: Bodies) -> dict[str, Any]:
    """Return `attributes` with what is long put into `bodies`."""
    short: dict[str, Any] = {}
    for name, value in attributes.items():
        # A text of a quarter of the length is never longer in bytes.
        if value.__class__ is str and len(value) > LONG // 4:
            text = value.encode()
            if len(text) > LONG:
                hash = hashlib.sha256(text)
                bodies.append((name, hash.digest(), text))
                short[name] = {"body": hash.hexdigest()}
                continue
        elif value.__class__ is list:
            text = orjson.dumps(value)
            if len(text) > LONG:
                hash = hashlib.sha256(text)
                bodies.append((name, hash.digest(), text))
                short[name] = {"body": hash.hexdigest()}
                continue
        short[name] = value
    return short


def span_of(row: SpanRow, bodies: Mapping[bytes, bytes]) -> Span:
    """Return the span of a stored row; `bodies` are those of its trace by hash, and `row.bodies` is not looked at."""
    said = orjson.loads(row.details)

    def text(hash: str) -> str:
        found = bodies.get(bytes.fromhex(hash))
        return ERASED if found is None else found.decode()

    return Span(
        trace_id=row.trace.hex(),
        span_id=row.span.hex(),
        parent_id=None if row.parent is None else row.parent.hex(),
        name=row.name,
        category=Category(row.category),
        start_ns=row.start_ns,
        end_ns=row.end_ns,
        status=SpanStatus(row.status),
        attributes=_values(said.get("attributes", {}), text),
        kind=SpanKind(row.kind),
        message=said.get("message", ""),
        events=tuple(SpanEvent(name, at, _values(more, text)) for name, at, more in said.get("events", ())),
        links=tuple(SpanLink(trace, span, _values(more, text)) for trace, span, more in said.get("links", ())),
        scope=said.get("scope", ""),
        resource=_resource(said.get("resource", {}), text),
    )


def _resource(said: Mapping[str, Any] | str, text: Callable[[str], str]) -> dict[str, Value]:
    if isinstance(said, str):
        whole = text(said)
        return {} if whole == ERASED else _values(orjson.loads(whole), text)
    return _values(said, text)


def _values(said: Mapping[str, Any], text: Callable[[str], str]) -> dict[str, Value]:
    return {name: _value(value, text) for name, value in said.items()}


def _value(value: Any, text: Callable[[str], str]) -> Value:  # noqa: ANN401 - what JSON holds
    if isinstance(value, dict):
        return text(value["body"])
    return tuple(_value(one, text) for one in value) if isinstance(value, list) else value
