"""The scripted provider answers in every wire format, and misbehaves as told."""

import asyncio
import base64
import struct
import time
from typing import Any

import orjson
import pytest

from interlock.adapters.providers.embedding import vector_of
from interlock.adapters.providers.scripted import ScriptedProvider
from interlock.domain.errors import ConfigurationError, ModelFailed, ModelOverloaded, ModelTimeout, ReplyCut
from interlock.domain.models import Dialect
from interlock.models.dialogue import Message, Reply, Request, Role, Stop, Text, ToolSpec
from interlock.models.ports import Answer, Operation, Outbound
from interlock.models.sse import Splitter
from interlock.models.streams import whole
from tests.unit.adapters.providers.wires import SPOKEN, WIRES

RULES: list[dict[str, Any]] = [
    {"id": "busy", "user": "busy", "error": {"status": 429, "retry_after": 3, "code": "slow_down"}},
    {"id": "raw", "user": "raw", "error": {"status": 500, "body": "<html>"}},
    {"id": "inside", "user": "inside", "say": "One two three", "error": {"status": 503, "after": 2}},
    {"id": "cut", "user": "cut", "say": "One two three", "cut_after": 3},
    {"id": "slow", "user": "slow", "say": "One two three", "delay": {"first_byte": 30, "between": 1}},
    {"id": "stall", "user": "stall", "say": "One two three", "delay": {"between": 10_000}},
    {"id": "dear", "user": "dear", "say": "x", "usage": {"input": 1000, "cache_read": 900}},
    {"id": "tools", "user": "look (?P<what>.+)", "calls": [{"tool": "find", "arguments": {"what": "{what}"}}] * 2},
    {"id": "words", "user": "hello", "say": "Good day to you"},
]


def provider() -> ScriptedProvider:
    return ScriptedProvider("s", {"models": ["a", "b"], "rules": RULES}, WIRES, lambda text: len(text.split()))


def outbound(dialect: Dialect, words: str, *, stream: bool = False, idle_ms: int = 1000) -> Outbound:
    tool = ToolSpec("find", {"type": "object", "properties": {"what": {"type": "string"}}})
    request = Request(
        "a", (Message(Role.USER, (Text(words),)),), (tool,), max_tokens=100, stream=stream, stream_usage=True
    )
    body = orjson.dumps(WIRES[dialect].write_request(request).body)
    return Outbound(Operation.REPLY, "a", body, stream, 1, idle_ms)


async def taken(answer: Answer) -> bytes:
    return b"".join([chunk async for chunk in answer.chunks()])


async def asked(dialect: Dialect, words: str, *, stream: bool) -> Reply:
    answer = await provider().open(outbound(dialect, words, stream=stream), dialect)
    assert answer.status == 200
    wire = WIRES[dialect]
    if not stream:
        assert answer.headers["content-type"] == "application/json"
        return wire.read_reply(orjson.loads(await answer.read()))
    assert answer.headers["content-type"].startswith("text/event-stream")
    reader, splitter = wire.reader(), Splitter()
    events = [told for event in splitter.feed(await taken(answer)) for told in reader.read(event)]
    assert reader.finished
    assert not splitter.rest
    return whole(events)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", SPOKEN)
async def test_words_and_calls_come_in_every_format(dialect: Dialect, stream: bool) -> None:
    words = await asked(dialect, "hello", stream=stream)
    assert (words.text, words.stop) == ("Good day to you", Stop.END)
    assert words.usage is not None
    assert words.usage.output == 4
    calls = await asked(dialect, "look up", stream=stream)
    assert [(use.name, orjson.loads(use.arguments)) for use in calls.proposals] == [("find", {"what": "up"})] * 2
    assert len({use.id for use in calls.proposals}) == 2
    assert calls.stop is Stop.TOOLS
    dear = await asked(dialect, "dear", stream=stream)
    assert dear.usage is not None
    assert (dear.usage.input, dear.usage.cache_read) == (1000, 900)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", SPOKEN)
async def test_the_same_request_gets_the_same_bytes(dialect: Dialect, stream: bool) -> None:
    sent = outbound(dialect, "look there", stream=stream)
    first = await taken(await provider().open(sent, dialect))
    assert first == await taken(await provider().open(sent, dialect))
    assert first != await taken(await provider().open(outbound(dialect, "look here", stream=stream), dialect))


@pytest.mark.parametrize("dialect", SPOKEN)
async def test_an_error_is_one_of_its_format(dialect: Dialect) -> None:
    answer = await provider().open(outbound(dialect, "busy"), dialect)
    assert (answer.status, answer.headers["retry-after"]) == (429, "3")
    assert isinstance(WIRES[dialect].read_error(429, await answer.read()), ModelOverloaded)
    raw = await provider().open(outbound(dialect, "raw"), dialect)
    assert (raw.status, await raw.read()) == (500, b"<html>")


@pytest.mark.parametrize("dialect", SPOKEN)
async def test_an_error_inside_a_reply_is_one_of_its_format(dialect: Dialect) -> None:
    wire, reader = WIRES[dialect], WIRES[dialect].reader()
    streamed = await provider().open(outbound(dialect, "inside", stream=True), dialect)
    events = Splitter().feed(await taken(streamed))
    assert streamed.status == 200
    assert len(events) >= 3
    with pytest.raises(ModelFailed):
        _ = [told for event in events for told in reader.read(event)]
    plain = await provider().open(outbound(dialect, "inside"), dialect)
    assert plain.status == 200
    with pytest.raises(ModelFailed):
        wire.read_reply(orjson.loads(await plain.read()))


@pytest.mark.parametrize("stream", [False, True])
async def test_a_reply_can_be_cut(stream: bool) -> None:
    answer = await provider().open(outbound(Dialect.OPENAI_CHAT, "cut", stream=stream), Dialect.OPENAI_CHAT)
    chunks = answer.chunks()
    for _ in range(3 if stream else 0):
        assert await anext(chunks)
    with pytest.raises(ReplyCut):
        await anext(chunks)
    with pytest.raises(ReplyCut):
        await answer.read()


async def test_a_reply_can_be_slow_and_stall() -> None:
    began = time.monotonic()
    slow = await provider().open(outbound(Dialect.OPENAI_CHAT, "slow", stream=True), Dialect.OPENAI_CHAT)
    assert (await taken(slow)).endswith(b"[DONE]\n\n")
    assert time.monotonic() - began >= 0.03
    stalled = await provider().open(
        outbound(Dialect.OPENAI_CHAT, "stall", stream=True, idle_ms=20), Dialect.OPENAI_CHAT
    )
    async with asyncio.timeout(2):
        with pytest.raises(ModelTimeout):
            await taken(stalled)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"model": "a", "messages": 3}', b"\xff"])
@pytest.mark.parametrize("dialect", SPOKEN)
async def test_what_is_no_request_is_answered_with_an_error(dialect: Dialect, body: bytes) -> None:
    sent = Outbound(Operation.REPLY, "a", body, stream=False, connect_timeout_ms=1, idle_timeout_ms=1)
    answer = await provider().open(sent, dialect)
    assert answer.status == 400
    assert orjson.loads(await answer.read())


async def test_it_speaks_whatever_it_is_asked_in_and_says_its_models() -> None:
    assert {provider().speaks(dialect) for dialect in Dialect} == set(Dialect)
    assert await provider().models() == ("a", "b")
    assert await ScriptedProvider("s", RULES, WIRES, len).models() == ("scripted",)


@pytest.mark.parametrize("source", [None, "rules", {"rule": []}, {"rules": {}}, {"rules": [], "models": [1]}, [{}]])
def test_a_script_that_is_none_is_refused(source: Any) -> None:
    with pytest.raises(ConfigurationError):
        ScriptedProvider("s", source, WIRES, len)


async def embed(**body: Any) -> Any:
    sent = Outbound(Operation.EMBED, "e", orjson.dumps({"model": "e", **body}), False, 1, 1)  # noqa: FBT003
    answer = await provider().open(sent, Dialect.OPENAI_EMBEDDINGS)
    return answer.status, orjson.loads(await answer.read())


async def test_embeddings_are_the_same_every_time_and_alike_for_texts_alike() -> None:
    status, one = await embed(input=["a blue mug on the table", "the blue mug on a table", "quarterly revenue fell"])
    assert (status, one["usage"]["prompt_tokens"]) == (200, 15)
    vectors = [row["embedding"] for row in one["data"]]
    near, far = (sum(x * y for x, y in zip(vectors[0], other, strict=True)) for other in vectors[1:])
    assert near > 0.99 > 0.3 > far
    _, packed = await embed(input="a blue mug on the table", encoding_format="base64", dimensions=256)
    raw = base64.b64decode(packed["data"][0]["embedding"])
    assert struct.unpack("<256f", raw) == pytest.approx(vectors[0])
    assert vector_of("", 3) == vector_of("", 3)


@pytest.mark.parametrize("body", [{}, {"input": 3}, {"input": []}, {"input": "x", "dimensions": 0.5}, {"input": [{}]}])
async def test_embeddings_of_nothing_are_refused(body: dict[str, Any]) -> None:
    assert (await embed(**body))[0] == 400
