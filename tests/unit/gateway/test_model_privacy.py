"""Personal data does not reach outside providers, comes back only where policy says so, and stays whole inside the house."""

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import orjson
import pytest

from interlock.domain.canonical import Json
from interlock.domain.errors import Uncarriable
from interlock.domain.models import Dialect
from interlock.domain.route_settings import DataKind, Privacy, PrivacyMode, Retries, Settings
from interlock.models.ports import Operation
from tests.kits.models import Road, a_road, model, over_http
from tests.kits.raw_provider import DONE, HEAD, a_raw_provider, chunk, ended
from tests.kits.upstreams import Act, Received, Upstream, an_upstream

EVE = "eve.adams@example.com"
TOKEN = re.compile(r"\[email#[a-z2-7]{16}\]")
REDACT = Privacy(PrivacyMode.REDACT)
TOKENISE = Privacy(PrivacyMode.TOKENISE)
REPLIES = Privacy(PrivacyMode.TOKENISE, restore_in_replies=True)
TOOLS = Privacy(PrivacyMode.TOKENISE, restore_in_tools=True)
EVERYWHERE: dict[str, Json] = {
    "messages": [
        {"role": "system", "content": f"Escalate to {EVE}."},
        {"role": "user", "content": [{"type": "text", "text": f"I am {EVE}"}], "name": EVE},
        {
            "role": "assistant",
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "mail", "arguments": '{"to": "eve.adams\\u0040example.com"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": f"sent to {EVE}"},
    ],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "mail",
                "description": f"Such as {EVE}",
                "parameters": {
                    "type": "object",
                    "properties": {"to": {"type": "string", "description": f"as {EVE}", "default": EVE}},
                },
            },
        }
    ],
    "user": EVE,
    "metadata": {"for": EVE},
}


def echo(request: Received) -> Act:
    """Say the token that came, and propose a call with it."""
    found = TOKEN.search(request.raw.decode())
    word = found.group() if found else "[email]"
    return Act(words=f"Write to {word} now", calls=(("c2", "mail", f'{{"to": "{word}"}}'),))


@asynccontextmanager
async def outside(privacy: Privacy, *, inside: bool = False) -> AsyncIterator[tuple[Road, Upstream]]:
    """Yield a road to a provider outside the house."""
    settings = Settings(privacy=privacy, retries=Retries(attempts=1))
    models = (model("m", outside=not inside), model("emb", outside=not inside, embeddings=True))
    async with (
        an_upstream(Dialect.OPENAI_CHAT, echo) as upstream,
        over_http("up", upstream.url) as provider,
        a_road(provider, models=models, settings=settings) as road,
    ):
        yield road, upstream


def told(reply: Json) -> tuple[str, str]:
    message = reply["choices"][0]["message"]
    return message["content"], orjson.loads(message["tool_calls"][0]["function"]["arguments"])["to"]


def streamed(events: Iterable[Json]) -> tuple[str, str]:
    """Return the words and the arguments of a stream."""
    words = arguments = ""
    for event in events:
        for choice in event.get("choices", ()):
            words += choice["delta"].get("content") or ""
            for call in choice["delta"].get("tool_calls") or ():
                arguments += call["function"].get("arguments") or ""
    return words, arguments


@pytest.mark.parametrize("privacy", [REDACT, TOKENISE, REPLIES, TOOLS])
async def test_nothing_of_the_value_is_in_what_leaves_the_house(privacy: Privacy) -> None:
    async with outside(privacy) as (road, upstream):
        for stream in (False, True):
            ask = road.ask_in(Dialect.OPENAI_CHAT, {"model": "m", "stream": stream, **EVERYWHERE})
            await (road.stream(**EVERYWHERE) if stream else road.gate.reply(ask))
        for received in upstream.received:
            raw = received.raw.decode()
            for trace in (EVE, "eve.adams", "example.com", "u0040"):
                assert trace not in raw, trace
        for record in await road.records():
            (event,) = record.events
            assert (event["kind"], event["mode"]) == ("personal_data_hidden", privacy.mode.value)
            assert event["places"]["email"] >= 8
            assert EVE not in str(record)


async def test_a_provider_in_the_house_gets_everything_as_it_is() -> None:
    async with outside(REDACT, inside=True) as (road, upstream):
        await road.chat(f"I am {EVE}")
        assert upstream.received[0].body["messages"][0]["content"] == f"I am {EVE}"
        assert (await road.record()).events == ()


async def test_only_the_kinds_that_are_named_are_hidden() -> None:
    privacy = Privacy(PrivacyMode.REDACT, kinds=frozenset({DataKind.CARD}))
    async with outside(privacy) as (road, upstream):
        await road.chat(f"I am {EVE}, and my card is 4111 1111 1111 1111")
        assert upstream.received[0].body["messages"][0]["content"] == f"I am {EVE}, and my card is [card]"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("privacy", "in_reply", "in_tools"),
    [(REDACT, False, False), (TOKENISE, False, False), (REPLIES, True, False), (TOOLS, False, True)],
)
async def test_values_come_back_only_where_policy_allows(
    privacy: Privacy, in_reply: bool, in_tools: bool, stream: bool
) -> None:
    async with outside(privacy) as (road, _):
        if stream:
            words, arguments = streamed((await road.stream(f"I am {EVE}")).events)
            to = orjson.loads(arguments)["to"]
        else:
            words, to = told(await road.chat(f"I am {EVE}"))
        assert (EVE in words, to == EVE) == (in_reply, in_tools)
        hidden = "[email]" if privacy.mode is PrivacyMode.REDACT else "[email#"
        assert (hidden in words, to.startswith(hidden)) == (not in_reply, not in_tools)


async def test_the_same_value_has_one_token_in_a_run_and_another_in_the_next() -> None:
    async with outside(TOKENISE) as (road, upstream):
        for _ in range(2):
            await road.kit.open()
            for _ in range(2):
                await road.chat(f"I am {EVE}")
        tokens = [TOKEN.findall(one.raw.decode())[0] for one in upstream.received]
        assert tokens[0] == tokens[1] != tokens[2] == tokens[3]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13])
async def test_a_token_that_comes_torn_is_restored_whole(size: int) -> None:
    def torn(request: dict[str, object]) -> list[bytes]:
        token = TOKEN.findall(str(request))[0]
        said = f"[a] Write to {token}, [{token}] or [email#nobody]! ["
        to = f'{{"to": "{token}"}}'
        call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "mail", "arguments": ""}}
        pieces = [chunk(said[at : at + size]) for at in range(0, len(said), size)]
        begun = [chunk(tool_calls=[call])]
        more = [
            chunk(tool_calls=[{"index": 0, "function": {"arguments": to[at : at + size]}}])
            for at in range(0, len(to), size)
        ]
        return [HEAD, *pieces, *begun, *more, ended("tool_calls"), DONE]

    privacy = Privacy(PrivacyMode.TOKENISE, restore_in_replies=True, restore_in_tools=True)
    settings = Settings(privacy=privacy, retries=Retries(attempts=1))
    received: list[bytes] = []
    async with (
        a_raw_provider(torn, received) as url,
        over_http("up", url) as provider,
        a_road(provider, models=(model("m", outside=True),), settings=settings) as road,
    ):
        heard = await road.stream(f"I am {EVE}")
        assert heard.ended == "finished"
        words, arguments = streamed(heard.events)
        assert words == f"[a] Write to {EVE}, [{EVE}] or [email#nobody]! ["
        assert orjson.loads(arguments) == {"to": EVE}
        assert EVE.encode() not in received[0]


async def test_a_token_of_another_run_stays_what_it_is() -> None:
    stranger = "[email#aaaabbbbccccdddd]"

    async with (
        an_upstream(Dialect.OPENAI_CHAT, Act(words=f"Write to {stranger}")) as upstream,
        over_http("up", upstream.url) as provider,
        a_road(provider, models=(model("m", outside=True),), settings=Settings(privacy=REPLIES)) as road,
    ):
        reply = await road.chat(f"I am {EVE}")
        assert reply["choices"][0]["message"]["content"] == f"Write to {stranger}"


@pytest.mark.parametrize("said", [f"I am {EVE}", ["nobody", f"I am {EVE}"]])
async def test_texts_to_embed_are_hidden_too(said: Json) -> None:
    async with outside(TOKENISE) as (road, upstream):
        body: dict[str, Json] = {"model": "emb", "input": said, "user": EVE}
        await road.gate.reply(road.ask_in(Dialect.OPENAI_EMBEDDINGS, body, operation=Operation.EMBED))
        assert b"eve" not in upstream.received[0].raw
        assert TOKEN.search(upstream.received[0].raw.decode())


async def test_tokens_to_embed_which_nobody_can_read_stay_in_the_house() -> None:
    async with outside(REDACT) as (road, upstream):
        body: dict[str, Json] = {"model": "emb", "input": [1, 2, 3]}
        with pytest.raises(Uncarriable, match="Tokens"):
            await road.gate.reply(road.ask_in(Dialect.OPENAI_EMBEDDINGS, body, operation=Operation.EMBED))
        assert upstream.received == []
