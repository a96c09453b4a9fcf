"""Whatever JSON comes: Anthropic, Gemini and Bedrock formats answer with a value or with an error of ours, never another."""

import contextlib
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.domain.errors import BadInput, BadModelReply, InterlockError, ModelFailed
from interlock.models.codecs.anthropic import Anthropic
from interlock.models.codecs.bedrock import Bedrock
from interlock.models.codecs.gemini import Gemini
from interlock.models.wire import SseEvent, Wire
from tests.kits.dialogues import ASK, golden

WIRES: tuple[Wire, ...] = (Anthropic(), Gemini(), Bedrock())
LEAVES = (
    st.none() | st.booleans() | st.integers(-3, 2**53) | st.floats(allow_nan=False) | st.sampled_from(["", "a", "user"])
)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)


def _words(value: Any, found: set[str]) -> set[str]:
    """Return every key and short text of the golden files: what mutations are made of."""
    if isinstance(value, dict):
        found.update(value)
        for item in value.values():
            _words(item, found)
    elif isinstance(value, list):
        for item in value:
            _words(item, found)
    elif isinstance(value, str) and len(value) < 30:
        found.add(value)
    return found


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of everything inside `value`."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [place for key, item in inner for place in _places(item, (*path, key))]


def _mutated(value: Any, place: tuple[Any, ...], news: Any) -> Any:
    """Return `value` with `news` at `place`."""
    if not place:
        return news
    changed = dict(value) if isinstance(value, dict) else list(value)
    changed[place[0]] = _mutated(value[place[0]], place[1:], news)
    return changed


VENDORS = ("anthropic", "gemini", "bedrock")
REQUESTS = {name: [case["wire"] for case in golden(f"{name}_requests")] for name in VENDORS}
REPLIES = {name: [case["wire"] for case in golden(f"{name}_replies")] for name in VENDORS}
STREAMS = {name: [case["events"] for case in golden(f"{name}_streams")] for name in VENDORS}
WORDS = sorted(_words([REQUESTS, REPLIES, STREAMS], set()))
NEWS = (
    JSON | st.sampled_from(WORDS) | st.dictionaries(st.sampled_from(WORDS), JSON | st.sampled_from(WORDS), max_size=3)
)


def _try(act: Callable[..., object], *arguments: object, error: type[InterlockError] = InterlockError) -> None:
    with contextlib.suppress(error):
        act(*arguments)


@pytest.mark.parametrize("wire", WIRES, ids=VENDORS)
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_any_request_is_taken_or_refused_in_our_words(wire: Wire, data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from(REQUESTS[wire.dialect.value]))
    body = _mutated(whole, data.draw(st.sampled_from(_places(whole))), data.draw(NEWS))
    if data.draw(st.integers(0, 4)) == 0:
        body = data.draw(st.dictionaries(st.sampled_from(WORDS), NEWS, max_size=4))
    for look in (wire.check, wire.cap_of):
        _try(look, body, error=BadInput)
    wire.has_tools(body)
    with contextlib.suppress(BadInput):
        request = wire.read_request(body)
        for other in WIRES:
            _try(other.write_request, request, error=BadInput)


@pytest.mark.parametrize("wire", WIRES, ids=VENDORS)
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_any_reply_is_read_or_fails_in_our_words(wire: Wire, data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from(REPLIES[wire.dialect.value]))
    body = _mutated(whole, data.draw(st.sampled_from(_places(whole))), data.draw(NEWS))
    if data.draw(st.integers(0, 4)) == 0:
        body = data.draw(st.dictionaries(st.sampled_from(WORDS), NEWS, max_size=4))
    _try(wire.see, body, error=ModelFailed)
    wire.read_error(500, orjson.dumps(data.draw(JSON)))
    wire.read_error(400, orjson.dumps({"error": data.draw(NEWS)}))
    wire.read_error(400, data.draw(st.binary(max_size=9)))
    with contextlib.suppress(ModelFailed):
        reply = wire.read_reply(body)
        for other in WIRES:
            _try(other.write_reply, reply, error=ModelFailed)


@pytest.mark.parametrize("wire", WIRES, ids=VENDORS)
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_any_event_of_a_stream_is_read_or_fails_in_our_words(wire: Wire, data: st.DataObject) -> None:
    recorded = data.draw(st.sampled_from(STREAMS[wire.dialect.value]))
    at = data.draw(st.integers(0, len(recorded) - 1))
    name, said = recorded[at]
    changed = _mutated(said, data.draw(st.sampled_from(_places(said))), data.draw(NEWS))
    tap, reader, writers = wire.tap(hide_usage=False), wire.reader(), [other.writer(ASK) for other in WIRES]
    with contextlib.suppress(ModelFailed):
        for event_name, value in [*recorded[:at], (name, changed), *recorded[at + 1 :]]:
            event = SseEvent(b"", orjson.dumps(value), event_name)
            tap.feed(event)
            for told in reader.read(event):
                for writer in writers:
                    writer.write(told)
    tap.seen()


@pytest.mark.parametrize("wire", WIRES, ids=VENDORS)
@pytest.mark.parametrize(
    "data", [b"{", b'{"type": "content_block_delta", "delta": {"type": "text_delta", "text": "\xc3"}}', b"[]", b"7"]
)
def test_an_event_that_is_not_json_or_half_a_character_breaks_the_stream(wire: Wire, data: bytes) -> None:
    for feed in (wire.tap(hide_usage=False).feed, wire.reader().read):
        with pytest.raises(BadModelReply):
            feed(SseEvent(b"", data, "contentBlockDelta"))
