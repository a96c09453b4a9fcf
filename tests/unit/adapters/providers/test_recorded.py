"""The recorded provider plays what models once said, to the word and to the token, in every wire format."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from interlock.adapters.providers.recorded import HEADER, RecordedProvider
from interlock.domain.errors import ModelRefused
from interlock.domain.models import Dialect, Usage
from interlock.models.dialogue import Message, Reply, Request, Role, Text, ToolOutcome, ToolUse
from interlock.models.ports import Operation, Outbound
from interlock.models.recorded import Rates
from interlock.models.sse import Splitter
from interlock.models.streams import whole
from tests.unit.adapters.providers.wires import SPOKEN, WIRES

GPT = {"gpt-4.1": Rates(2_000, 500, 8_000)}
RECORD = {
    "source": "bench",
    "suite": "shop",
    "task_id": "1",
    "model": "gpt",
    "messages": [
        {"role": "user", "content": "Where is my mug?"},
        {"role": "assistant", "content": "On the table."},
    ],
}


def provider(*files: Path) -> RecordedProvider:
    return RecordedProvider("r", files, WIRES, lambda text: len(text.split()), GPT)


async def asked(
    source: RecordedProvider,
    dialect: Dialect,
    messages: tuple[Message, ...],
    model: str = "recorded",
    *,
    stream: bool = False,
    **more: Any,
) -> Reply | int:
    wire = WIRES[dialect]
    request = Request(model, messages, stream=stream, stream_usage=True, max_tokens=4096)
    body = wire.write_request(request).body | more
    headers = {HEADER: more["header"]} if "header" in more else {}
    answer = await source.open(Outbound(Operation.REPLY, model, orjson.dumps(body), stream, 1, 1, headers), dialect)
    if answer.status != 200:
        assert isinstance(wire.read_error(answer.status, await answer.read()), ModelRefused)
        return answer.status
    if not stream:
        return wire.read_reply(orjson.loads(await answer.read()))
    reader, splitter = wire.reader(), Splitter()
    raw = b"".join([chunk async for chunk in answer.chunks()])
    reply = whole(told for event in splitter.feed(raw) for told in reader.read(event))
    assert reader.finished
    return reply


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "runs.jsonl"
    path.write_bytes(orjson.dumps(RECORD) + b"\n")
    return path


QUESTION = (Message(Role.USER, (Text("Where is my mug?"),)),)
OTHER = (Message(Role.USER, (Text("Where is my hat?"),)),)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", SPOKEN)
async def test_the_recorded_reply_comes_in_every_format(file: Path, dialect: Dialect, stream: bool) -> None:
    reply = await asked(provider(file), dialect, QUESTION, stream=stream)
    assert isinstance(reply, Reply)
    assert (reply.text, reply.usage) == ("On the table.", Usage(input=4 + 4, output=3))


async def test_a_conversation_is_named_by_model_metadata_or_header(file: Path) -> None:
    source, chat = provider(file), Dialect.OPENAI_CHAT
    assert await source.models() == ("bench:shop:1",)
    assert await asked(source, chat, OTHER) == 404
    named = (
        await asked(source, chat, OTHER, "bench:shop:1"),
        await asked(source, chat, OTHER, metadata={"recording": "bench:shop:1"}),
        await asked(source, chat, OTHER, header="bench:shop:1"),
    )
    assert [reply.text for reply in named if isinstance(reply, Reply)] == ["On the table."] * 3


async def test_an_unknown_or_finished_conversation_is_not_found(file: Path) -> None:
    said = (*QUESTION, Message(Role.ASSISTANT, (Text("On the table."),)), Message(Role.USER, (Text("Thanks"),)))
    for dialect in SPOKEN:
        assert await asked(provider(file), dialect, said) == 404
        assert await asked(provider(file), dialect, OTHER) == 404


async def test_it_holds_no_embeddings(file: Path) -> None:
    sent = Outbound(Operation.EMBED, "m", b"{}", stream=False, connect_timeout_ms=1, idle_timeout_ms=1)
    assert (await provider(file).open(sent, Dialect.OPENAI_EMBEDDINGS)).status == 400


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.jsonl", b"{", "line 1"),
        ("a.jsonl", b"[]", "line 1"),
        ("a.jsonl", b"{}", "line 1"),
        ("a.jsonl.gz", b"{}", "not gzip"),
        ("a.jsonl.gz", gzip.compress(b"{}", mtime=0)[:-3], "not gzip"),
        ("absent", None, "No such file"),
    ],
)
async def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes | None, says: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelRefused, match=says):
        await provider(path).models()
    assert await asked(provider(path), Dialect.OPENAI_CHAT, QUESTION) == 400


async def test_every_recorded_conversation_is_played_to_its_end_and_to_the_token(data_folder: Path) -> None:
    files = sorted((data_folder / "runs").glob("*.jsonl.gz"))
    source = provider(*files)
    replies = 0
    for number, record in enumerate(_records(files)):
        dialect = SPOKEN[number % len(SPOKEN)]
        label = f"{record['source']}:{record['suite']}:{record['task_id']}"
        particular = record.get("trial", record.get("injection_task_id"))
        name = f"{label}{'' if particular is None else f':{particular}'}@{record['model']}"
        cost = 0
        for said, line in _turns(record):
            reply = await asked(source, dialect, said, name, stream=number % 2 == 1)
            assert isinstance(reply, Reply)
            assert reply.text == (line["content"] or "")
            calls = [
                (call["function"]["name"], _parsed(call["function"]["arguments"]))
                for call in line.get("tool_calls") or ()
            ]
            assert [(use.name, orjson.loads(use.arguments)) for use in reply.proposals] == calls
            replies += 1
            if "usage" in line:
                assert reply.usage is not None
                assert reply.usage.input == line["usage"]["prompt_tokens"]
                assert reply.usage.output == line["usage"]["completion_tokens"]
                fresh = reply.usage.input - reply.usage.cache_read
                cost += fresh * 2_000 + reply.usage.cache_read * 500 + reply.usage.output * 8_000
        if "agent_cost_usd" in record:
            assert cost == round(record["agent_cost_usd"] * 1e9)
    assert replies > 1_500


async def test_conversations_are_told_apart_by_what_was_said(data_folder: Path) -> None:
    files = sorted((data_folder / "runs").glob("tau2*.gz"))
    source = provider(*files)
    for record in _records(files):
        *_, (said, line) = _turns(record)
        reply = await asked(source, Dialect.ANTHROPIC, said)
        assert isinstance(reply, Reply)
        assert reply.text == (line["content"] or "")


def _records(files: Any) -> Iterator[dict[str, Any]]:
    for path in files:
        for line in gzip.decompress(path.read_bytes()).splitlines():
            yield orjson.loads(line)


def _turns(record: dict[str, Any]) -> Iterator[tuple[tuple[Message, ...], dict[str, Any]]]:
    """Yield each recorded reply that a client can ask for, and the messages before it. No client asks for a greeting."""
    said: list[Message] = []
    for line in record["messages"]:
        if line["role"] == "system":
            continue
        if line["role"] == "assistant":
            if said:
                yield tuple(said), line
            calls = [
                ToolUse(
                    call["id"], call["function"]["name"], orjson.dumps(_parsed(call["function"]["arguments"])).decode()
                )
                for call in line.get("tool_calls") or ()
            ]
            if said:  # a greeting is left out: some formats let the user speak first
                said.append(Message(Role.ASSISTANT, (*([Text(line["content"])] if line["content"] else []), *calls)))
        elif line["role"] == "tool":
            outcome = ToolOutcome(line["tool_call_id"], (Text(line["content"] or "-"),))
            if isinstance(said[-1].parts[0], ToolOutcome):
                said[-1] = Message(Role.USER, (*said[-1].parts, outcome))
            else:
                said.append(Message(Role.USER, (outcome,)))
        else:
            said.append(Message(Role.USER, (Text(line["content"]),)))


def _parsed(arguments: Any) -> Any:
    return orjson.loads(arguments) if isinstance(arguments, str) else arguments
