"""Whatever JSON comes, OpenAI's formats answer or raise an error of ours."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.domain.errors import BadInput, BadModelReply, InterlockError, ModelFailed, ModelRefused, Uncarriable
from interlock.domain.models import Usage
from interlock.models.codecs.openai_chat import OpenAiChat
from interlock.models.codecs.openai_embeddings import OpenAiEmbeddings
from interlock.models.codecs.openai_responses import OpenAiResponses
from interlock.models.dialogue import Message, Request, Role, Stop, Text
from interlock.models.wire import Seen, SseEvent, Wire, Written

_WIRES: list[Wire] = [OpenAiChat(), OpenAiChat(legacy_cap=True), OpenAiResponses(), OpenAiEmbeddings()]


def _split(words: str) -> list[str]:
    return words.split()


_KEYS = st.sampled_from(
    _split(
        """annotations arguments audio background call_id caller choices code content conversation created created_at custom
    data delta description detail error extra_content file file_data file_id filename finish_reason format function
    function_call functions google id image_url include include_usage incomplete_details index input input_audio item
    json_schema logprobs max_completion_tokens max_output_tokens max_tokens message messages metadata modalities model n
    name object output output_index content_index parallel_tool_calls parameters part previous_response_id prompt_tokens
    input_tokens output_tokens completion_tokens total_tokens prompt_tokens_details input_tokens_details reason reasoning
    reasoning_content reasoning_details reasoning_effort refusal response response_format role schema signature status
    stop store stream stream_options strict summary temperature text thought_signature tool_call_id tool_calls
    tool_choice tools top_p type url usage user encrypted_content"""
    )
)
_WORDS = st.sampled_from(
    _split(
        """assistant user system developer tool function message text input_text output_text image_url input_image file
    input_file input_audio refusal function_call function_call_output reasoning custom custom_tool_call json_schema
    json_object auto none required stop tool_calls length content_filter completed incomplete failed in_progress error
    reasoning.text reasoning.encrypted summary_text direct list data:image/png;base64,AAAA data:,x https://a.example
    response.created response.completed response.incomplete response.failed response.output_item.added
    response.output_item.done response.content_part.added response.content_part.done response.output_text.delta
    response.function_call_arguments.delta response.reasoning_summary_text.delta
    response.output_text.annotation.added"""
    )
)
_LEAVES = (
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(max_size=5) | _WORDS
)
_JSON = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=5), max_leaves=25
)
_OBJECTS = st.dictionaries(_KEYS, _JSON, max_size=7)


def _shapes(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects that are nearly right, with anything in one of their fields."""
    part = st.fixed_dictionaries({"type": _WORDS}, optional={"text": inner, "image_url": inner, "file": inner})
    call = st.fixed_dictionaries({}, optional={"id": inner, "type": inner, "function": inner, "index": inner})
    message = st.fixed_dictionaries(
        {"role": _WORDS},
        optional={
            "content": inner | st.lists(part, max_size=2),
            "tool_calls": inner | st.lists(call, max_size=2),
            "tool_call_id": inner,
            "reasoning_details": st.lists(inner, max_size=2),
        },
    )
    item = st.fixed_dictionaries(
        {"type": _WORDS},
        optional={"role": _WORDS, "content": inner | st.lists(part, max_size=2), "call_id": inner, "name": inner}
        | {"arguments": inner, "output": inner, "summary": inner, "encrypted_content": inner, "id": inner},
    )
    choice = st.fixed_dictionaries(
        {}, optional={"index": inner, "message": message, "delta": message, "finish_reason": inner}
    )
    return st.fixed_dictionaries(
        {},
        optional={
            "model": st.just("m") | inner,
            "messages": st.lists(message, max_size=3),
            "tools": st.lists(inner, max_size=2),
        }
        | {"input": st.lists(item, max_size=3) | inner, "output": st.lists(item, max_size=3), "usage": inner}
        | {"choices": st.lists(choice, max_size=2), "item": item, "delta": inner, "type": _WORDS, "error": inner}
        | {"output_index": inner, "content_index": inner, "response": inner, "status": _WORDS, "text": inner},
    )


def _try(act: Callable[[Any], Any], said: Any, allowed: type[InterlockError]) -> None:
    with suppress(allowed):
        act(said)


def _written(write: Callable[[Any], Written]) -> Callable[[Any], bytes]:
    return lambda said: orjson.dumps(write(said).body)


@settings(max_examples=150, deadline=None)
@given(body=_OBJECTS | _shapes(_JSON))
def test_nothing_but_our_own_errors_comes_out_whatever_goes_in(body: dict[str, Any]) -> None:
    for wire in _WIRES:
        asks: list[Callable[[Any], Any]] = [wire.check, wire.cap_of, wire.has_tools, wire.read_request]
        answers: list[Callable[[Any], Any]] = [wire.see, wire.read_reply]
        for read in asks:
            _try(read, body, BadInput)
        for read in answers:
            _try(
                read,
                body,
                Uncarriable if isinstance(wire, OpenAiEmbeddings) and read == wire.read_reply else ModelFailed,
            )
        assert isinstance(wire.read_error(400, orjson.dumps(body)), ModelRefused)


@settings(max_examples=150, deadline=None)
@given(bodies=st.lists(_OBJECTS | _shapes(_JSON), min_size=1, max_size=3))
def test_streams_of_anything_are_read_or_break_with_our_own_errors(bodies: list[dict[str, Any]]) -> None:
    for wire in _WIRES[:3]:
        tap, reader = wire.tap(hide_usage=True), wire.reader()
        for body in bodies:
            event = SseEvent(b"", orjson.dumps(body))
            _try(tap.feed, event, ModelFailed)
            _try(reader.read, event, ModelFailed)
        assert tap.seen().usage == tap.seen().usage


@settings(max_examples=150, deadline=None)
@given(body=_shapes(_JSON))
def test_what_can_be_read_can_be_written_or_is_refused(body: dict[str, Any]) -> None:
    for wire in _WIRES[:3]:
        request = Request("m", (Message(Role.USER, (Text("x"),)),))
        with suppress(BadInput):
            request = wire.read_request({"model": "m", "messages": [], "input": "x", **body})
        for other in _WIRES[:3]:
            _try(_written(other.write_request), request, Uncarriable)
        with suppress(ModelFailed):
            reply = wire.read_reply(body)
            for other in _WIRES[:3]:
                _try(_written(other.write_reply), reply, ModelFailed)


# Embeddings, which are never translated

_EMBEDDINGS = OpenAiEmbeddings()


@pytest.mark.parametrize("said", ["words", ["a", "b"], [1, 2, 3], [[1, 2], [3]]])
def test_embeddings_of_texts_and_of_tokens_are_asked_for(said: Any) -> None:
    _EMBEDDINGS.check(
        {"model": "text-embedding-3-small", "input": said, "dimensions": 256, "encoding_format": "base64"}
    )


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": None}, "input"),
        ({"input": {"text": "x"}}, "input"),
        ({"input": [1, "a"]}, "input[1]"),
        ({"input": [True]}, "input[0]"),
        ({"input": [[1], ["a"]]}, "input[1]"),
        ({"model": ""}, "model"),
        ({"dimensions": 0}, "dimensions"),
        ({"stream": True}, "stream"),
    ],
)
def test_what_cannot_be_embedded_is_refused_by_the_name_of_the_field(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(BadInput) as caught:
        _EMBEDDINGS.check({"model": "m", "input": "x", **fields})
    assert f"`{named}`" in str(caught.value)


def test_embeddings_tell_their_usage_and_have_no_output_to_cap() -> None:
    body = {"object": "list", "data": [], "model": "m", "usage": {"prompt_tokens": 8, "total_tokens": 8}}
    assert _EMBEDDINGS.see(body) == Seen(Usage(8), (), Stop.END)
    asked: dict[str, Any] = {"model": "m", "input": "x"}
    _EMBEDDINGS.with_cap(asked, 9)
    assert asked == {"model": "m", "input": "x"}
    assert _EMBEDDINGS.cap_of(asked) is None


def test_embeddings_are_not_translated_and_their_errors_are_read() -> None:
    with pytest.raises(Uncarriable):
        _EMBEDDINGS.read_request({"model": "m", "input": "x"})
    with pytest.raises(BadModelReply):
        _EMBEDDINGS.see({"object": "list"})
    with pytest.raises(ModelRefused):
        _EMBEDDINGS.see({"error": {"message": "too long", "type": "invalid_request_error"}})
