"""Conversations and replies as plain JSON, and golden files that hold them beside their wire formats."""

import dataclasses
import json
from enum import Enum
from pathlib import Path

import orjson

from interlock.domain.canonical import Json
from interlock.models.dialogue import Message, Request, Role, StreamEvent, Text
from interlock.models.sse import Splitter
from interlock.models.wire import SseEvent, StreamReader, Wire

GOLDEN = Path(__file__).resolve().parent.parent / "unit" / "models" / "codecs" / "golden"

ASK = Request("a-model", (Message(Role.USER, (Text("Hi"),)),), stream=True, stream_usage=True)


def plain(value: object) -> Json:
    """Return a value of the dialogue as JSON, fields with their default left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        said: dict[str, Json] = {"kind": type(value).__name__}
        for field in dataclasses.fields(value):
            found = getattr(value, field.name)
            missing = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
            if missing or found not in (field.default, {}):
                said[field.name] = plain(found)
        return said
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return {key: plain(item) for key, item in value.items()} if isinstance(value, dict) else value


def golden(name: str) -> list[dict[str, Json]]:
    """Return the cases of a golden file."""
    cases: list[dict[str, Json]] = json.loads((GOLDEN / f"{name}.json").read_text())
    return cases


def names(cases: list[dict[str, Json]]) -> list[str]:
    """Return the ids of tests over `cases`."""
    return [case["name"].replace(" ", "-") for case in cases]


def sse_events(recorded: list[list[Json]]) -> list[SseEvent]:
    """Return recorded events, each a name and its data, as they come out of the splitter."""
    lines = [(f"event: {name}\n" if name else "").encode() + b"data: " + orjson.dumps(data) for name, data in recorded]
    return Splitter().feed(b"".join(line + b"\n\n" for line in lines))


def read_all(reader: StreamReader, events: list[SseEvent]) -> list[StreamEvent]:
    """Return what `reader` makes of `events`."""
    return [said for event in events for said in reader.read(event)]


def through(wire: Wire, request: Request, events: list[StreamEvent]) -> list[StreamEvent]:
    """Return `events` written as a stream of `wire` and read back, cut into pieces at awkward places."""
    writer, reader, splitter = wire.writer(request), wire.reader(), Splitter()
    sent = b"".join(writer.write(event) for event in events)
    pieces = [sent[start : start + 37] for start in range(0, len(sent), 37)]
    found = [said for piece in pieces for event in splitter.feed(piece) for said in reader.read(event)]
    assert reader.finished
    assert not splitter.rest
    return found
