"""A kept reply costs nothing, says that it is one, and never crosses a line; what the cache cannot do, a model does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import orjson
import pytest

from interlock.adapters.memory import MemoryStore
from interlock.adapters.memory.models import MemoryModels
from interlock.adapters.providers.local import LocalAnswer
from interlock.domain.brakes import BrakeTarget
from interlock.domain.budgets import Limit, Measure, Scope, Window
from interlock.domain.canonical import Json
from interlock.domain.errors import ModelUnavailable, SchemaUnmet, StoreUnavailable
from interlock.domain.ids import TenantId
from interlock.domain.models import Dialect, ModelCallRecord, ModelCallStatus, UsageSource
from interlock.domain.route_settings import (
    Cache,
    CacheScope,
    Privacy,
    PrivacyMode,
    Retries,
    SemanticCache,
    Settings,
    StructuredOutput,
)
from interlock.domain.routes import Tier
from interlock.gateway.models import embedding
from interlock.gateway.models.cache import ReplyCache
from interlock.gateway.models.requests import Caching, ModelReply
from interlock.models.codecs.openai_chat import OpenAiChat
from interlock.models.ports import Answer, Operation, Outbound
from tests.kits.gate import AGENT
from tests.kits.models import IN_NANO, OUT_NANO, Heard, Road, a_road, model, scripted

MINUTE = 60_000
EXACT = Cache(exact_ttl_ms=MINUTE, scope=CacheScope.TENANT)
# The scripted provider's vectors know words, not meaning: these two questions share five words of six.
ASKED, ALIKE, OTHER = (
    "How do I reset my password",
    "How can I reset my password",
    "Which plan suits my small family best",
)
SEMANTIC = Cache(semantic=SemanticCache(8_000, MINUTE, "emb"))
TOKENS = Limit("tokens", Measure.TOKENS, Scope.AGENT, 10_000, Window.DAY)
TOOLS: Json = [{"type": "function", "function": {"name": "notes_add", "parameters": {"type": "object"}}}]
RULES: Json = [
    {"id": "long", "last": "at length", "say": "It goes on and", "stop": "length"},
    {"id": "filtered", "last": "unspeakable", "say": "", "stop": "filtered"},
    {"id": "refused", "last": "harmful", "say": "No.", "stop": "refusal"},
    {"id": "note", "last": "Note", "calls": [{"tool": "notes_add", "arguments": {"text": "x"}}]},
    {"id": "no-json", "last": "in JSON", "say": "not JSON"},
    {"id": "cut", "last": "break off", "say": "These words break off.", "cut_after": 3},
    {"id": "any", "last": "(?P<words>.*)", "say": "You asked: {words}", "usage": {"input": 10, "output": 5}},
]
EMBED_COST = 6 * IN_NANO
"""Of a question of six words."""


@asynccontextmanager
async def a_cache(cache: Cache, *, store: MemoryStore | None = None, **more: object) -> AsyncIterator[Road]:
    """Yield a road with one talking model and one that embeds."""
    settings = Settings(cache=cache, retries=Retries(attempts=1))
    settings = replace(settings, **more)  # type: ignore[arg-type]
    models = (model("m"), model("n"), model("emb", embeddings=True))
    async with a_road(scripted("up", RULES), models=models, settings=settings, limits=(TOKENS,), store=store) as road:
        yield road


async def hits(road: Road) -> list[str]:
    """Return what the cache did for each call that was not an embedding, oldest first."""
    return [one.cache for one in await talks(road)]


async def talks(road: Road) -> list[ModelCallRecord]:
    found = [one for one in await road.records() if one.call.dialect is not Dialect.OPENAI_EMBEDDINGS]
    return found[::-1]


async def embeddings(road: Road) -> list[ModelCallRecord]:
    return [one for one in await road.records() if one.call.dialect is Dialect.OPENAI_EMBEDDINGS]


async def ask(road: Road, content: str, caching: Caching = Caching.USUAL, **more: Json) -> ModelReply:
    return await road.gate.reply(replace(road.ask(content, **more), caching=caching))


def header(reply: ModelReply | Heard) -> str:
    return dict(reply.headers).get(b"x-interlock-cache", b"").decode()


async def test_the_same_request_is_served_from_memory_for_nothing() -> None:
    async with a_cache(EXACT) as road:
        first, second = await ask(road, ASKED), await ask(road, ASKED)

        assert first.body == second.body
        assert (header(first), header(second)) == ("", "exact")
        asked, hit = await talks(road)
        assert (hit.cache, hit.status, hit.attempts, hit.cost_nano_usd) == (
            "exact",
            ModelCallStatus.SUCCEEDED,
            (),
            0,
        )
        assert asked.cost_nano_usd == 10 * IN_NANO + 5 * OUT_NANO
        assert await road.balances() == {"tokens": (15, 0)}


async def test_without_settings_nothing_is_kept() -> None:
    async with a_cache(Cache()) as road:
        await road.chat(ASKED)
        await road.chat(ASKED)
        assert await hits(road) == ["", ""]


async def test_a_stream_and_a_whole_reply_serve_each_other() -> None:
    async with a_cache(EXACT) as road:
        streamed = await road.stream(ASKED)
        whole = await ask(road, ASKED)
        again = await road.stream(ASKED)

        assert orjson.loads(whole.body)["choices"][0]["message"]["content"] == said(streamed) == said(again)
        assert (again.ended, header(again)) == ("finished", "exact")
        assert bytes(again.data).endswith(b"data: [DONE]\n\n")
        assert await hits(road) == ["", "exact", "exact"]


def said(heard: Heard) -> str:
    events = [event for event in heard.events if isinstance(event, dict) and event["choices"]]
    return "".join(event["choices"][0]["delta"].get("content") or "" for event in events)


async def test_a_kept_reply_expires_and_is_swept() -> None:
    async with a_cache(EXACT) as road:
        await road.chat(ASKED)
        road.kit.clock.time += MINUTE + 1
        await road.chat(ASKED)
        assert await hits(road) == ["", ""]
        sweeper = ReplyCache(road.store)
        assert await sweeper.sweep(road.kit.clock.time) == 0
        assert await sweeper.sweep(road.kit.clock.time + MINUTE + 1) == 1


@pytest.mark.parametrize("words", ["Tell me at length", "Say the unspeakable", "Something harmful"])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_reply_that_did_not_end_well_is_asked_for_again(words: str, stream: bool) -> None:
    async with a_cache(EXACT) as road:
        for _ in range(2):
            await (road.stream(words) if stream else road.chat(words))
        assert await hits(road) == ["", ""]


async def test_a_stream_that_broke_off_is_not_kept() -> None:
    async with a_cache(EXACT) as road:
        for _ in range(2):
            assert (await road.stream("Please break off")).ended == "aborted"
        assert await hits(road) == ["", ""]


async def test_a_reply_that_has_not_the_shape_that_was_asked_for_is_not_kept() -> None:
    shape: Json = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    async with a_cache(EXACT, structured=StructuredOutput(repair=0)) as road:
        for _ in range(2):
            with pytest.raises(SchemaUnmet):
                await road.chat("Say it in JSON", response_format=shape)
        assert await hits(road) == ["", ""]


@pytest.mark.parametrize(
    ("scope", "kept"), [(CacheScope.RUN, True), (CacheScope.AGENT, False), (CacheScope.TENANT, False)]
)
async def test_what_a_reply_proposes_is_proposed_again_in_its_own_run_only(scope: CacheScope, kept: bool) -> None:
    async with a_cache(replace(EXACT, scope=scope)) as road:
        await road.kit.open()
        for _ in range(2):
            await road.chat("Note this", tools=TOOLS)
        _, second = await talks(road)
        assert second.cache == ("exact" if kept else "")
        # The gate binds calls to the proposals of a run, so those of a kept reply count as well.
        assert [one.tool for one in second.proposals] == ["notes_add"]


async def test_runs_do_not_share_what_belongs_to_a_run() -> None:
    async with a_cache(replace(EXACT, scope=CacheScope.RUN)) as road:
        for _ in range(2):
            await road.kit.open()
            await road.chat(ASKED)
        assert await hits(road) == ["", ""]


async def test_the_reply_of_a_fallback_does_not_pass_for_one_of_the_first() -> None:
    broken = scripted("down", [{"id": "x", "last": "", "error": {"status": 503}}])
    settings = Settings(cache=EXACT, retries=Retries(attempts=1))
    tiers = {"t": Tier("t", ("a", "b"))}
    models = (model("a", "down"), model("b", "up"))
    async with a_road(broken, scripted("up", RULES), models=models, tiers=tiers, settings=settings) as road:
        for _ in range(2):
            await road.chat(ASKED, model="t")
        assert await hits(road) == ["", ""]


async def test_embeddings_are_kept_too() -> None:
    async with a_cache(EXACT) as road:
        body: dict[str, Json] = {"model": "emb", "input": ASKED}
        asked = road.ask_in(Dialect.OPENAI_EMBEDDINGS, body, operation=Operation.EMBED)
        first, second = await road.gate.reply(asked), await road.gate.reply(asked)
        assert first.body == second.body
        assert header(second) == "exact"


async def test_whoever_wants_nothing_kept_gets_that() -> None:
    async with a_cache(EXACT) as road:
        await ask(road, ASKED, Caching.NONE)
        await ask(road, ASKED)
        await ask(road, ASKED, Caching.NONE)
        assert await hits(road) == ["", "", ""]


async def test_whoever_wants_a_fresh_reply_gets_one_and_it_is_kept() -> None:
    async with a_cache(EXACT) as road:
        await ask(road, ASKED, Caching.REFRESH)
        await ask(road, ASKED, Caching.REFRESH)
        await ask(road, ASKED)
        assert await hits(road) == ["", "", "exact"]


async def test_a_reply_to_hidden_personal_data_is_not_kept() -> None:
    privacy = Privacy(PrivacyMode.TOKENISE, restore_in_replies=True)
    settings = Settings(cache=EXACT, privacy=privacy)
    async with a_road(scripted("up", RULES), models=(model(outside=True),), settings=settings) as road:
        for _ in range(2):
            await road.chat("Write to ann@example.com")
        assert await hits(road) == ["", ""]


async def test_when_nothing_can_be_looked_up_a_model_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise StoreUnavailable("gone")

    async with a_cache(EXACT) as road:
        await road.chat(ASKED)
        monkeypatch.setattr(MemoryModels, "cached", gone)
        await road.chat(ASKED)
        assert await hits(road) == ["", ""]
        assert [event["kind"] for event in (await road.record()).events] == ["not_looked_up"]


async def test_a_kept_reply_that_cannot_be_read_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_cache(EXACT) as road:
        await road.chat(ASKED)
        sound = MemoryModels.cached
        monkeypatch.setattr(
            MemoryModels,
            "cached",
            lambda *said: None if (found := sound(*said)) is None else replace(found, body=b"{torn"),
        )
        await road.chat(ASKED)
        assert await hits(road) == ["", ""]


TENANT_WIDE = replace(SEMANTIC, scope=CacheScope.TENANT)


async def test_a_question_that_means_the_same_gets_the_kept_reply_and_both_records_say_so() -> None:
    async with a_cache(TENANT_WIDE) as road:
        first, second = await ask(road, ASKED), await ask(road, ALIKE)

        assert first.body == second.body
        assert header(second) == "semantic; similarity=0.8333"
        hit = (await talks(road))[1]
        assert (hit.cache, hit.attempts, hit.cost_nano_usd) == ("semantic", (), 0)
        assert {"kind": "semantic_hit", "similarity": 0.8333, "embedder": "emb"} in hit.events
        asked = await embeddings(road)
        assert [dict(one.call.labels)["embeds"] for one in asked] == [one.call.id for one in (await talks(road))[::-1]]
        assert {one.cost_nano_usd for one in asked} == {EMBED_COST}
        assert await road.balances() == {"tokens": (15 + 2 * 6, 0)}


async def test_a_semantic_hit_is_told_in_the_format_and_manner_of_the_caller() -> None:
    async with a_cache(TENANT_WIDE) as road:
        await road.chat(ASKED)
        heard = await road.stream(ALIKE)
        assert said(heard) == f"You asked: {ASKED}"
        assert (heard.ended, header(heard)) == ("finished", "semantic; similarity=0.8333")

        def anthropic(text: str) -> dict[str, Json]:
            return {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": text}]}

        replies = [await road.gate.reply(road.ask_in(Dialect.ANTHROPIC, anthropic(text))) for text in (ASKED, ALIKE)]
        assert orjson.loads(replies[1].body)["content"] == [{"type": "text", "text": f"You asked: {ASKED}"}]
        assert await hits(road) == ["", "semantic", "", "semantic"]


async def test_off_by_default_and_never_below_the_threshold() -> None:
    async with a_cache(EXACT) as road:
        await road.chat(ASKED)
        await road.chat(ALIKE)
        assert await hits(road) == ["", ""]
        assert await embeddings(road) == []
    strict = replace(TENANT_WIDE, semantic=SemanticCache(8_400, MINUTE, "emb"))
    async with a_cache(strict) as road:
        await road.chat(ASKED)
        await road.chat(ALIKE)
        assert await hits(road) == ["", ""]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Please cancel my blue order 12", "Please cancel my blue order 13"),
        ("My order is here is it", "My order is not here is it"),
        ("I will fly from oslo to bergen", "I will fly from bergen to oslo"),
        ("Does plan alpha include plan beta", "Does plan beta include plan alpha"),
        ("Please now enable my account again", "Please now disable my account again"),
    ],
)
async def test_a_near_miss_that_matters_is_no_hit(one: str, other: str) -> None:
    async with a_cache(replace(TENANT_WIDE, semantic=SemanticCache(5_000, MINUTE, "emb"))) as road:
        await road.chat(one)
        await road.chat(other)
        assert await hits(road) == ["", ""]


CALLED: Json = [
    {"role": "user", "content": "Hi"},
    {
        "role": "assistant",
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "notes_add", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "c", "content": "done"},
]
PICTURE: Json = [
    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}]},
    {"role": "assistant", "content": "Nice."},
]


@pytest.mark.parametrize(("before", "more"), [([], {"tools": TOOLS}), (CALLED, {}), (PICTURE, {})])
async def test_never_with_tools_or_pictures_in_play(before: list[Json], more: dict[str, Json]) -> None:
    async with a_cache(replace(TENANT_WIDE, exact_ttl_ms=MINUTE)) as road:
        for text in (ASKED, ALIKE, ASKED):
            messages = [*before, {"role": "user", "content": text}]
            await road.gate.reply(road.ask_in(Dialect.OPENAI_CHAT, {"model": "m", "messages": messages, **more}))
        assert await hits(road) == ["", "", "exact"]
        assert await embeddings(road) == []


async def test_a_cache_that_does_not_look_for_tools_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OpenAiChat, "has_tools", lambda *_: False)

    for before, more in (([], {"tools": TOOLS}), (CALLED, {})):
        with pytest.raises(AssertionError, match="semantic"):
            await test_never_with_tools_or_pictures_in_play(before, more)


async def test_a_question_with_personal_data_reaches_no_embedder_and_serves_nobody() -> None:
    async with a_cache(TENANT_WIDE) as road:
        for name in ("Ann", "Ann"):
            await road.chat(f"Please write to ann@example.com that {name} has reset my password")
        assert await embeddings(road) == []
        assert await hits(road) == ["", ""]


@pytest.mark.parametrize("change", [{"model": "n"}, {"temperature": 0.5}, {"max_tokens": 50}])
async def test_another_model_or_parameter_is_another_partition(change: dict[str, Json]) -> None:
    async with a_cache(TENANT_WIDE) as road:
        await road.chat(ASKED)
        await road.gate.reply(road.ask(ALIKE, **change))
        assert await hits(road) == ["", ""]


async def test_what_was_said_before_is_part_of_the_question() -> None:
    async with a_cache(TENANT_WIDE) as road:
        for system in ("Be brief.", "Be rude."):
            messages: Json = [{"role": "system", "content": system}, {"role": "user", "content": ALIKE}]
            await road.gate.reply(road.ask_in(Dialect.OPENAI_CHAT, {"model": "m", "messages": messages}))
        assert await hits(road) == ["", ""]


async def test_runs_do_not_share_by_meaning_either() -> None:
    async with a_cache(replace(SEMANTIC, scope=CacheScope.RUN)) as road:
        await road.kit.open()
        await road.chat(ASKED)
        await road.kit.open()
        await road.chat(ALIKE)
        await road.chat(ASKED)
        assert await hits(road) == ["", "", "semantic"]


async def test_an_embedder_that_fails_costs_the_hit_and_not_the_reply() -> None:
    down = scripted("down", [])
    settings = Settings(cache=TENANT_WIDE)
    models = (model("m"), model("emb", "down", embeddings=True))

    async def refuse(*_: object) -> None:
        raise ModelUnavailable("The embedder is away")

    down.open = refuse  # type: ignore[method-assign,assignment]
    async with a_road(scripted("up", RULES), down, models=models, settings=settings) as road:
        for _ in range(2):
            await road.chat(ASKED)
        assert await hits(road) == ["", ""]
        assert {"kind": "embedder_failed", "code": "model_unavailable"} in (await talks(road))[0].events
        assert {one.status for one in await embeddings(road)} == {ModelCallStatus.FAILED}


async def test_an_embedder_that_an_operator_has_stopped_is_not_asked() -> None:
    async with a_cache(TENANT_WIDE) as road:
        await road.kit.brake(BrakeTarget.MODEL, "emb")
        await road.chat(ASKED)
        assert [one.status for one in await embeddings(road)] == [ModelCallStatus.REFUSED]
        assert {"kind": "embedder_failed", "code": "braked"} in (await talks(road))[0].events


async def test_a_fresh_reply_takes_the_place_of_a_kept_one_for_others_too() -> None:
    async with a_cache(TENANT_WIDE) as road:
        await ask(road, ASKED)
        await ask(road, ALIKE, Caching.REFRESH)
        third = await ask(road, ALIKE)
        assert await hits(road) == ["", "", "semantic"]
        assert f"You asked: {ALIKE}" in third.body.decode()


async def test_each_tenant_has_a_cache_of_its_own() -> None:
    both = replace(TENANT_WIDE, exact_ttl_ms=MINUTE)
    async with a_cache(both) as road:
        for tenant in (AGENT.tenant, TenantId("globex"), TenantId("initech")):
            ours = replace(AGENT, tenant=tenant)
            replies = [await road.gate.reply(replace(road.ask(text), principal=ours)) for text in (ASKED, ASKED, ALIKE)]
            assert [header(reply).partition(";")[0] for reply in replies] == ["", "exact", "semantic"]


async def test_an_embedder_that_tells_no_usage_is_charged_by_estimate_and_serves() -> None:
    silent = scripted("silent", [])
    sound = silent.open

    async def untold(outbound: Outbound, dialect: Dialect) -> Answer:
        body = orjson.loads(await (await sound(outbound, dialect)).read())
        del body["usage"]
        return LocalAnswer(200, {}, (orjson.dumps(body),))

    silent.open = untold  # type: ignore[method-assign]
    models = (model("m"), model("emb", "silent", embeddings=True))
    async with a_road(scripted("up", RULES), silent, models=models, settings=Settings(cache=TENANT_WIDE)) as road:
        await road.chat(ASKED)
        await road.chat(ALIKE)
        assert await hits(road) == ["", "semantic"]
        asked = (await embeddings(road))[0]
        assert asked.attempts[0].usage_source is UsageSource.COUNTED
        assert asked.usage.input > 0


async def test_an_embedder_that_is_slow_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "_PATIENCE_MS", 20)
    slow = scripted("slow", [])

    async def never(outbound: Outbound, dialect: Dialect) -> Answer:
        await asyncio.sleep(60)
        raise AssertionError("waited")

    slow.open = never  # type: ignore[method-assign]
    models = (model("m"), model("emb", "slow", embeddings=True))
    settings = Settings(cache=TENANT_WIDE)
    async with a_road(scripted("up", RULES), slow, models=models, settings=settings, limits=(TOKENS,)) as road:
        await road.chat(ASKED)
        assert await hits(road) == [""]
        assert {"kind": "embedder_failed", "code": "model_timeout"} in (await talks(road))[0].events
        assert (await road.balances())["tokens"][1] == 0
