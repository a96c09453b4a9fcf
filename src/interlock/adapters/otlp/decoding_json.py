"""Export requests of spans in JSON, as OTLP maps protobuf to it: ids in hexadecimal, whole numbers as numbers or texts."""

import base64
import binascii
import math
from collections.abc import Iterator
from typing import Any

import orjson

from interlock.adapters.otlp.limits import DEEPEST, MOST_ATTRIBUTES, MOST_EVENTS, TOGETHER, check_groups
from interlock.domain.errors import BadInput
from interlock.traces.told import Attributes, Decoder, Told, ToldBatch, ToldEvent, ToldLink, ToldSpan

_KINDS = {
    f"SPAN_KIND_{name}": number
    for number, name in enumerate(("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"))
}
_STATES = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}
_NO_ID = b""
_SMALLEST, _LARGEST = -(1 << 63), (1 << 64) - 1
"""Whole numbers are told with a sign or without one."""
_MOST_DROPPED = (1 << 32) - 1


class Json(Decoder):
    """`application/json`."""

    def batches(self, body: bytes) -> Iterator[ToldBatch]:
        try:
            request = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise _unreadable(f"it is no JSON: {error.msg} at character {error.pos}") from None
        groups = _length(_object(request), "resourceSpans")
        check_groups(groups)
        for group in _objects(_object(request), "resourceSpans"):
            groups += _length(group, "scopeSpans")
            check_groups(groups)
            resource, _ = _attributes(_object(group.get("resource")))
            for part in _objects(group, "scopeSpans"):
                scope = _text(_object(part.get("scope")), "name")
                spans = _objects(part, "spans")
                for start in range(0, len(spans), TOGETHER):
                    yield ToldBatch(resource, scope, [_span(one) for one in spans[start : start + TOGETHER]])


def _span(one: dict[str, Any]) -> ToldSpan:
    attributes, dropped = _attributes(one)
    events: list[ToldEvent] = []
    links: list[ToldLink] = []
    all_events, all_links = _objects(one, "events"), _objects(one, "links")
    for event in all_events[:MOST_EVENTS]:
        more, less = _attributes(event)
        dropped += less
        events.append(ToldEvent(_text(event, "name"), _number(event, "timeUnixNano"), more))
    for link in all_links[:MOST_EVENTS]:
        more, less = _attributes(link)
        dropped += less
        links.append(ToldLink(_id(link, "traceId"), _id(link, "spanId"), more))
    dropped += len(all_events) - len(events) + len(all_links) - len(links)
    for what in ("Attributes", "Events", "Links"):
        dropped += min(max(_number(one, f"dropped{what}Count"), 0), _MOST_DROPPED)
    status = _object(one.get("status"))
    return ToldSpan(
        _id(one, "traceId"),
        _id(one, "spanId"),
        _id(one, "parentSpanId"),
        _text(one, "name"),
        _enum(one.get("kind"), _KINDS),
        _number(one, "startTimeUnixNano"),
        _number(one, "endTimeUnixNano"),
        _enum(status.get("code"), _STATES),
        _text(status, "message"),
        attributes,
        events,
        links,
        dropped,
    )


def _attributes(said: dict[str, Any]) -> tuple[Attributes, int]:
    """Return attributes by name, and how many were too many."""
    attributes: Attributes = {}
    dropped = 0
    for one in _objects(said, "attributes"):
        name, value = _text(one, "key"), _told(_object(one.get("value")))
        if value is None:
            continue
        if len(attributes) >= MOST_ATTRIBUTES:
            dropped += 1
        else:
            attributes[name] = value
    return attributes, dropped


def _told(value: dict[str, Any]) -> Told | None:
    plain = _plain(value, DEEPEST)
    if plain is None or isinstance(plain, str | int | float):
        return plain
    if isinstance(plain, list) and all(isinstance(one, str | int | float) for one in plain):
        return plain
    return orjson.dumps(plain).decode()


def _plain(value: dict[str, Any], deeper: int) -> Any:  # noqa: ANN401 - a value of JSON
    """Return what an AnyValue holds; None for nothing."""
    if not deeper or not value:
        return None
    which, held = next(iter(value.items()))
    match which:
        case "stringValue" if isinstance(held, str):
            return held
        case "boolValue" if isinstance(held, bool):
            return held
        case "intValue":
            return _whole(held)
        case "doubleValue":
            return _double(held)
        case "arrayValue":
            return [_plain(_object(one), deeper - 1) for one in _list(_object(held).get("values"))]
        case "kvlistValue":
            pairs = _objects(_object(held), "values")
            return {_text(one, "key"): _plain(_object(one.get("value")), deeper - 1) for one in pairs}
        case "bytesValue" if isinstance(held, str):
            return _bytes(held)
        case _:
            raise _unreadable(f"an attribute's value is no AnyValue: {which!s:.40}")


def _bytes(held: str) -> str:
    try:
        return base64.b64encode(base64.b64decode(held, validate=True)).decode()
    except (binascii.Error, ValueError):
        raise _unreadable("a bytesValue is not base64") from None


def _double(held: object) -> float | str:
    # Protobuf's JSON writes what is no number as one of these words.
    if held in ("NaN", "Infinity", "-Infinity"):
        return str(float(str(held)))
    if isinstance(held, str):
        try:
            held = float(held)
        except ValueError:
            held = None
    if isinstance(held, bool) or not isinstance(held, int | float):
        raise _unreadable("a doubleValue is not a number")
    return float(held) if math.isfinite(held) else str(held)


def _whole(held: object) -> int:
    if (
        isinstance(held, str)
        and len(held) <= 20
        and held.removeprefix("-").isascii()
        and held.removeprefix("-").isdigit()
    ):
        held = int(held)
    if isinstance(held, float) and held.is_integer():
        held = int(held)
    if isinstance(held, bool) or not isinstance(held, int) or not _SMALLEST <= held <= _LARGEST:
        raise _unreadable("a whole number is not one of 64 bits")
    return held


def _number(said: dict[str, Any], name: str) -> int:
    held = said.get(name)
    return 0 if held is None else _whole(held)


def _enum(held: object, names: dict[str, int]) -> int:
    if isinstance(held, str) and held in names:
        return names[held]
    if held is None:
        return 0
    if isinstance(held, int) and not isinstance(held, bool):
        return held
    raise _unreadable(f"{held!s:.40} is neither a name nor a number of what it should be")


def _id(said: dict[str, Any], name: str) -> bytes:
    held = said.get(name)
    if held is None:
        return _NO_ID
    try:
        return bytes.fromhex(held)
    except (TypeError, ValueError):
        # The span is refused with its reason, and not the whole request.
        return b"?"


def _text(said: dict[str, Any], name: str) -> str:
    held = said.get(name)
    if held is None:
        return ""
    if not isinstance(held, str):
        raise _unreadable(f"{name} is not a text")
    return held


def _object(held: object) -> dict[str, Any]:
    if held is None:
        return {}
    if not isinstance(held, dict):
        raise _unreadable("there is something else where an object should be")
    return held


def _list(held: object) -> list[Any]:
    if held is None:
        return []
    if not isinstance(held, list):
        raise _unreadable("there is something else where a list should be")
    return held


def _length(said: dict[str, Any], name: str) -> int:
    return len(_list(said.get(name)))


def _objects(said: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [_object(one) for one in _list(said.get(name))]


def _unreadable(why: str) -> BadInput:
    return BadInput(
        "The body is not an export request of spans in JSON",
        why=why,
        do="Send what an OTLP/HTTP exporter sends to /v1/traces",
    )
