"""Hostile callers and hostile providers get no money, no record and no proposal past the model road."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

import orjson
import pytest

from interlock.adapters.providers.scripted import ScriptedProvider
from interlock.budgets.charges import budget_key, model_spender
from interlock.domain.budgets import Limit, Measure, Scope, Window
from interlock.domain.canonical import Json
from interlock.domain.errors import (
    BadInput,
    BadModelReply,
    BudgetExceeded,
    ModelOverloaded,
    ModelTimeout,
    ProviderSide,
    SchemaUnmet,
    Unpriced,
)
from interlock.domain.ids import AgentId, ModelCallId, RunId
from interlock.domain.models import Dialect, ModelCall, ModelCallStatus, Usage, UsageSource
from interlock.domain.route_settings import ProviderSide as OnProviderSide
from interlock.domain.route_settings import Retries, Settings, Timeouts
from interlock.gateway.evidence import SEEN
from interlock.models.ports import Answer, Operation, Outbound, Provider
from tests.kits.gate import AGENT
from tests.kits.models import IN_NANO, WIRES, FlatPrice, Heard, Road, a_road, model, scripted, words

TOKENS = Limit("tokens", Measure.TOKENS, Scope.AGENT, 100_000, Window.DAY)
MONEY = Limit("money", Measure.COST, Scope.AGENT, 10**12, Window.DAY)
ONCE = Settings(retries=Retries(attempts=1))
CALL: Json = {"id": "c1", "type": "function", "function": {"name": "refund", "arguments": "{}"}}


class Said(Answer):
    """An answer of known pieces; an exception among them is raised in its place."""

    def __init__(self, status: int, headers: Mapping[str, str], pieces: tuple[bytes | Exception, ...]) -> None:
        self._status, self._headers, self._pieces = status, headers, pieces

    @property
    def status(self) -> int:
        return self._status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._headers

    async def read(self) -> bytes:
        return b"".join([piece async for piece in self.chunks()])

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    async def close(self) -> None:
        """Nothing to let go of."""


class Hostile(Provider):
    """Answers every request with the same bytes, whatever the format."""

    def __init__(
        self, *pieces: bytes | Exception, kind: str = "application/json", status: int = 200, **headers: str
    ) -> None:
        self._answer = Said(
            status, {"content-type": kind} | {k.replace("_", "-"): v for k, v in headers.items()}, pieces
        )
        self.sent: list[Outbound] = []

    @property
    def name(self) -> str:
        return "up"

    def speaks(self, dialect: Dialect) -> Dialect:
        return dialect

    async def open(self, outbound: Outbound, dialect: Dialect) -> Answer:
        self.sent.append(outbound)
        return self._answer

    async def models(self) -> tuple[str, ...]:
        return ()

    async def close(self) -> None:
        """Nothing to let go of."""


def completion(usage: Json = None, *calls: Json) -> bytes:
    message = {"role": "assistant", "content": "two words", "tool_calls": list(calls)}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}
    return orjson.dumps({"id": "x", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage})


async def held(road: Road) -> int:
    return sum(held for _, held in (await road.balances()).values())


async def test_what_only_the_callers_format_can_say_is_settled_when_nobody_says_what_it_used() -> None:
    async with a_road(Hostile(completion()), limits=(TOKENS, MONEY), settings=ONCE) as road:
        await road.chat(n=2, max_tokens=10)
        record = await road.record()
        assert record.attempts[0].usage_source is UsageSource.COUNTED
        assert record.usage.input > 0
        assert await held(road) == 0


async def test_what_only_the_callers_format_can_say_is_settled_when_the_provider_fails() -> None:
    async with a_road(Hostile(ModelTimeout("Too late")), limits=(TOKENS, MONEY), settings=ONCE) as road:
        with pytest.raises(ModelTimeout):
            await road.chat(n=2, max_tokens=10)
        assert await held(road) == 0
        assert (await road.balances())["tokens"][0] > 0


@pytest.mark.parametrize("odd", [{"n": 2}, {"functions": [{"name": "refund"}]}])
async def test_proposals_in_requests_that_cannot_be_translated_are_recorded_with_what_the_model_saw(odd: Json) -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 5}
    async with a_road(Hostile(completion(usage, CALL)), settings=ONCE) as road:
        run = await road.kit.open()
        await road.chat("Refund order 4711 now", **odd)
        record = await road.record()
        assert [one.id for one in record.proposals] == ["c1"]
        shown = await road.store.read(lambda tx: tx.evidence.since(AGENT.tenant, run, 0))
        assert "Refund order 4711 now" in [row.body for row, _ in shown if row.kind == SEEN]


@pytest.mark.parametrize("tokens", [2**50, 2**62, -1, 1.5, "7", None, True])
async def test_numbers_of_tokens_that_cannot_be_are_not_believed(tokens: Json) -> None:
    usage = {"prompt_tokens": tokens, "completion_tokens": 5}
    async with a_road(Hostile(completion(usage)), limits=(TOKENS, MONEY), settings=ONCE) as road:
        await road.chat(max_tokens=10)
        record = await road.record()
        assert record.attempts[0].usage_source is UsageSource.COUNTED
        assert (await road.balances())["tokens"] == (record.usage.total, 0)


async def test_a_retry_after_that_is_no_number_is_not_heeded() -> None:
    body = b'{"error": {"message": "slow down"}}'
    async with a_road(Hostile(body, status=429, retry_after="\u00b2"), settings=ONCE) as road:
        with pytest.raises(ModelOverloaded):
            await road.chat()


async def test_a_failure_that_nobody_foresaw_is_paid_for_and_recorded() -> None:
    async with a_road(Hostile(RecursionError("deep")), limits=(TOKENS, MONEY), settings=ONCE) as road:
        with pytest.raises(RecursionError):
            await road.chat(max_tokens=10)
        record = await road.record()
        assert record.failure is not None
        assert record.failure.code == "internal_error"
        assert record.usage.input > 0
        assert await held(road) == 0


USER: Json = [{"role": "user", "content": "Hi"}]
BY_ID: Json = [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}]
MORE = [
    (Dialect.OPENAI_RESPONSES, {"input": "Hi", "previous_response_id": "resp_1"}),
    (Dialect.OPENAI_RESPONSES, {"input": "Hi", "conversation": "conv_1"}),
    (Dialect.OPENAI_RESPONSES, {"prompt": {"id": "pmpt_1"}}),
    (Dialect.OPENAI_RESPONSES, {"input": "Hi", "tools": [{"type": "web_search"}]}),
    (Dialect.OPENAI_RESPONSES, {"input": "Hi", "tools": [{"type": "mcp", "server_url": "https://a.example"}]}),
    (Dialect.OPENAI_RESPONSES, {"input": "Hi", "tools": [{"type": ["mcp"]}]}),
    (Dialect.OPENAI_RESPONSES, {"input": [{"type": "item_reference", "id": "msg_1"}]}),
    (Dialect.OPENAI_RESPONSES, {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]}),
    (Dialect.OPENAI_CHAT, {"messages": USER, "web_search_options": {}}),
    (Dialect.OPENAI_CHAT, {"messages": USER, "models": ["dearer"]}),
    (Dialect.OPENAI_CHAT, {"messages": USER, "best_of": 20}),
    (Dialect.OPENAI_CHAT, {"messages": BY_ID}),
    (Dialect.ANTHROPIC, {"messages": USER, "mcp_servers": [{"type": "url", "url": "https://a.example"}]}),
    (Dialect.ANTHROPIC, {"messages": USER, "container": "container_1"}),
    (Dialect.ANTHROPIC, {"messages": USER, "tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}]}),
    (Dialect.ANTHROPIC, {"messages": USER, "context_management": {"edits": [{"type": "compact_20260112"}]}}),
    (
        Dialect.ANTHROPIC,
        {"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "file"}}]}]},
    ),
]


@pytest.mark.parametrize(("dialect", "body"), MORE)
async def test_what_asks_the_provider_for_more_than_a_reply_is_refused_unless_the_router_allows_it(
    dialect: Dialect, body: dict[str, Json]
) -> None:
    up = Hostile(b"{}")
    ask = {"model": "m", "max_tokens": 10, **body}
    async with a_road(up, limits=(TOKENS,), settings=ONCE) as road:
        with pytest.raises(ProviderSide, match="more than a reply"):
            await road.gate.reply(road.ask_in(dialect, ask))
        assert (up.sent, await held(road)) == ([], 0)
    allowed = replace(ONCE, provider_side=OnProviderSide.ALLOW)
    async with a_road(up, limits=(TOKENS,), settings=allowed) as road:
        with pytest.raises(BadModelReply):
            await road.gate.reply(road.ask_in(dialect, ask))
        assert len(up.sent) == 1
        assert [event["kind"] for event in (await road.record()).events] == ["provider_side"]


OWN = [
    (Dialect.OPENAI_RESPONSES, {"input": "Hi", "tools": [{"type": "function", "name": "file_id"}], "store": True}),
    (Dialect.OPENAI_CHAT, {"messages": USER, "tools": [{"type": "function", "function": {"name": "f"}}], "best_of": 1}),
    (Dialect.ANTHROPIC, {"messages": USER, "tools": [{"type": "bash_20250124", "name": "bash"}, {"name": "file_id"}]}),
    (Dialect.ANTHROPIC, {"messages": USER, "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}),
]


@pytest.mark.parametrize(("dialect", "body"), OWN)
async def test_tools_that_the_caller_runs_are_its_own_affair(dialect: Dialect, body: dict[str, Json]) -> None:
    up = Hostile(b"{}")
    async with a_road(up, settings=ONCE) as road:
        with pytest.raises(BadModelReply):
            await road.gate.reply(road.ask_in(dialect, {"model": "m", "max_tokens": 10, **body}))
        assert len(up.sent) == 1


@pytest.mark.parametrize("allowed", list(OnProviderSide))
async def test_a_reply_that_is_fetched_later_is_refused_whatever_the_router_allows(allowed: OnProviderSide) -> None:
    async with a_road(Hostile(b"{}"), settings=replace(ONCE, provider_side=allowed)) as road:
        with pytest.raises(ProviderSide, match="background"):
            await road.gate.reply(
                road.ask_in(Dialect.OPENAI_RESPONSES, {"model": "m", "input": "Hi", "background": True})
            )


@pytest.mark.parametrize("dear", [{"speed": "fast"}, {"inference_geo": "us"}, {"service_tier": "priority"}])
async def test_a_service_of_another_price_is_refused_where_that_price_is_not_known(dear: dict[str, Json]) -> None:
    async with a_road(Hostile(b"{}"), settings=ONCE) as road:
        body = {"model": "m", "max_tokens": 10, "messages": USER, **dear}
        with pytest.raises(Unpriced):
            await road.gate.reply(road.ask_in(Dialect.ANTHROPIC, body))


class Services(FlatPrice):
    """A tenth in `flex`."""

    def cost(self, usage: Usage, *, service_tier: str = "") -> int:
        return usage.input * self.input // (10 if service_tier == "flex" else 1)


async def test_a_cheap_service_that_is_left_out_in_translation_is_not_what_is_paid() -> None:
    rules = [{"id": "hello", "say": "Hello", "usage": {"input": 1_000, "output": 5}}]
    for provider, paid in ((scripted("up", rules), 100 * IN_NANO), (OnlyAnthropic(rules), 1_000 * IN_NANO)):
        async with a_road(provider, settings=ONCE) as road:
            road.prices["m"] = Services()
            await road.chat(service_tier="flex")
            assert (await road.record()).cost_nano_usd == paid


class OnlyAnthropic(ScriptedProvider):
    """Takes and gives Anthropic's format."""

    def __init__(self, rules: Json) -> None:
        super().__init__("up", rules, WIRES, words)

    def speaks(self, dialect: Dialect) -> Dialect:
        return Dialect.ANTHROPIC


@pytest.mark.parametrize(
    "spoken",
    [
        {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}},
        {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "UklGRg=="}}]}]},
    ],
)
async def test_what_is_spoken_is_held_at_its_own_price(spoken: dict[str, Json]) -> None:
    class Spoken(FlatPrice):
        def worst(self, input_tokens: int, output_tokens: int, *, service_tier: str = "", media: bool = True) -> int:
            return 10**13 if media else 1

    async with a_road(Hostile(completion()), limits=(MONEY,), settings=ONCE) as road:
        road.prices["m"] = Spoken()
        await road.chat()
        with pytest.raises(BudgetExceeded):
            await road.chat(**spoken)


async def test_tokens_in_place_of_text_are_counted_one_by_one() -> None:
    body = {"model": "m", "input": [[1] * 2_000, [2] * 2_000]}
    limit = Limit("tokens", Measure.TOKENS, Scope.AGENT, 3_000, Window.DAY)
    async with a_road(Hostile(b"{}"), limits=(limit,), models=(model(embeddings=True),), settings=ONCE) as road:
        with pytest.raises(BudgetExceeded):
            await road.gate.reply(road.ask_in(Dialect.OPENAI_EMBEDDINGS, body, operation=Operation.EMBED))


async def test_no_more_replies_are_asked_for_at_once_than_the_cap_has_tokens_for() -> None:
    up = Hostile(completion())
    async with a_road(up, settings=ONCE) as road:
        with pytest.raises(BadInput, match="`n`"):
            await road.chat(n=1_000_000)
        await road.chat(n=128)
        assert orjson.loads(up.sent[0].body)["max_completion_tokens"] * 128 <= ONCE.output_cap


def event(said: Json) -> bytes:
    return b"data: " + orjson.dumps(said) + b"\n\n"


def words_event(content: str) -> bytes:
    return event({"choices": [{"index": 0, "delta": {"content": content}}]})


DONE = b"data: [DONE]\n\n"


async def test_who_stops_reading_pays_for_the_whole_reply() -> None:
    class Deaf(Heard):
        async def send(self, data: bytes) -> None:
            await asyncio.sleep(3600)

    usage = event({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 900}})
    up = Hostile(words_event("one"), *[words_event(" more")] * 899, usage, DONE, kind="text/event-stream")
    quick = replace(ONCE, timeouts=Timeouts(total_ms=50))
    async with a_road(up, limits=(TOKENS,), settings=quick) as road:
        heard = Deaf()
        async with asyncio.timeout(5):
            await road.gate.stream(road.ask(stream=True, max_tokens=1_000), heard)
        record = await road.record()
        assert (record.usage.input, record.usage.output) == (7, 900)
        assert (record.status, heard.ended) == (ModelCallStatus.CUT, "aborted")
        assert await road.balances() == {"tokens": (907, 0)}


class OnlyResponses(Hostile):
    """Takes and gives OpenAI's responses."""

    def speaks(self, dialect: Dialect) -> Dialect:
        return Dialect.OPENAI_RESPONSES


async def test_a_translated_stream_that_says_it_failed_is_settled_and_recorded() -> None:
    begun = {"id": "r", "status": "in_progress", "output": []}
    failed = {"id": "r", "status": "failed", "error": {"code": "server_error", "message": "broke"}, "output": []}
    up = OnlyResponses(
        event({"type": "response.created", "response": begun}),
        event({"type": "response.output_item.added", "output_index": 0, "item": {"type": "message", "content": []}}),
        event(
            {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "three words here"}
        ),
        event({"type": "response.failed", "response": failed}),
        kind="text/event-stream",
    )
    async with a_road(up, limits=(TOKENS,), settings=ONCE) as road:
        heard = await road.stream(max_tokens=10)
        assert heard.ended == "aborted"
        record = await road.record()
        assert (record.status, record.usage.output) == (ModelCallStatus.CUT, 3)
        assert await held(road) == 0


async def test_a_step_cannot_be_named_so_that_it_spends_the_budget_of_another_run() -> None:
    limit = Limit("step", Measure.TOKENS, Scope.STEP, 100)
    call = ModelCall(ModelCallId("mc_1"), AGENT.tenant, AGENT.agent or AgentId("a"), AGENT.id, "m", Dialect.OPENAI_CHAT)
    one = budget_key(model_spender(replace(call, run=RunId("a"), step="b/c")), "agent", limit, 0)
    other = budget_key(model_spender(replace(call, run=RunId("a/b"), step="c")), "agent", limit, 0)
    assert one != other


async def test_an_endless_id_of_a_proposal_does_not_fill_the_records() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 5}
    endless = {"id": "i" * 1_000_000, "type": "function", "function": {"name": "f" * 1_000_000, "arguments": "{}"}}
    async with a_road(Hostile(completion(usage, endless)), settings=ONCE) as road:
        await road.chat()
        (kept,) = (await road.record()).proposals
        assert len(kept.id) + len(kept.tool) < 2_000


SHAPE: Json = {
    "type": "json_schema",
    "json_schema": {"name": "x", "schema": {"type": "object", "properties": {"mood": {"enum": ["good"]}}}},
}


async def test_no_record_repeats_the_words_of_a_reply_that_has_not_the_shape_asked_for() -> None:
    said = {"role": "assistant", "content": '{"mood": "wary of Mr Smith"}'}
    choice = {"index": 0, "message": said, "finish_reason": "stop"}
    body = orjson.dumps({"id": "x", "choices": [choice], "usage": {"prompt_tokens": 5, "completion_tokens": 5}})
    async with a_road(Hostile(body), settings=ONCE) as road:
        with pytest.raises(SchemaUnmet, match="Smith"):
            await road.chat(response_format=SHAPE)
        record = await road.record()
        assert record.failure is not None
        assert "/mood" in record.failure.why
        assert "/mood" in str(record.events[0])
        assert "Smith" not in str(record)


async def test_a_responses_stream_proposes_what_any_of_its_events_proposes() -> None:
    usage = {"input_tokens": 5, "output_tokens": 5}
    one, two = (
        {"type": "function_call", "call_id": call, "name": "refund", "arguments": "{}"} for call in ("seen", "hidden")
    )
    up = OnlyResponses(
        event({"type": "response.output_item.done", "output_index": 0, "item": one}),
        event(
            {"type": "response.completed", "response": {"status": "completed", "output": [one, two], "usage": usage}}
        ),
        kind="text/event-stream",
    )
    async with a_road(up, settings=ONCE) as road:
        heard = Heard()
        body = {"model": "m", "input": "Hi", "stream": True}
        await road.gate.stream(road.ask_in(Dialect.OPENAI_RESPONSES, body), heard)
        assert [each.id for each in (await road.record()).proposals] == ["seen", "hidden"]


async def test_a_proposal_that_was_not_closed_before_the_end_is_recorded() -> None:
    block = {"type": "tool_use", "id": "open", "name": "refund", "input": {}}
    up = Hostile(
        event({"type": "message_start", "message": {"usage": {"input_tokens": 5, "output_tokens": 1}}}),
        event({"type": "content_block_start", "index": 0, "content_block": block}),
        event({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 5}}),
        event({"type": "message_stop"}),
        kind="text/event-stream",
    )
    async with a_road(up, settings=ONCE) as road:
        heard = Heard()
        body = {"model": "m", "max_tokens": 10, "messages": USER, "stream": True}
        await road.gate.stream(road.ask_in(Dialect.ANTHROPIC, body), heard)
        assert [each.id for each in (await road.record()).proposals] == ["open"]


@pytest.mark.parametrize("dialect", [Dialect.ANTHROPIC, Dialect.OPENAI_CHAT])
async def test_a_reply_that_is_nested_too_deeply_to_be_written_is_a_bad_reply(dialect: Dialect) -> None:
    block = b'{"type": "tool_use", "id": "a", "name": "f", "input": {"x": %b}}' % (b"[" * 300 + b"]" * 300)
    body = b'{"type": "message", "content": [%b], "stop_reason": "tool_use", "usage": {}}' % block

    class Deep(Hostile):
        def speaks(self, dialect: Dialect) -> Dialect:
            return Dialect.ANTHROPIC

    async with a_road(Deep(body), limits=(TOKENS,), settings=ONCE) as road:
        with pytest.raises(BadModelReply, match="cannot be read"):
            await road.gate.reply(road.ask_in(dialect, {"model": "m", "max_tokens": 10, "messages": USER}))
        assert await held(road) == 0


async def test_only_what_the_delivered_reply_proposes_is_proposed() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 5}
    first = orjson.loads(completion(usage, CALL))
    first["choices"][0]["finish_reason"] = "length"
    second = orjson.dumps(first | {"choices": [{"index": 0, "message": {"content": "{}"}, "finish_reason": "stop"}]})

    class Twice(Hostile):
        async def open(self, outbound: Outbound, dialect: Dialect) -> Answer:
            self.sent.append(outbound)
            return Said(200, {}, (second if len(self.sent) > 1 else orjson.dumps(first),))

    async with a_road(Twice(), settings=ONCE) as road:
        await road.chat(response_format=SHAPE)
        record = await road.record()
        assert [event["kind"] for event in record.events] == ["repair_asked"]
        assert record.proposals == ()


@pytest.mark.parametrize("end", [(), (DONE,)])
async def test_usage_that_was_told_before_the_words_is_not_what_they_used(end: tuple[bytes, ...]) -> None:
    early = event({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 0}})
    up = Hostile(early, words_event("three words"), words_event(" here"), *end, kind="text/event-stream")
    async with a_road(up, limits=(TOKENS,), settings=ONCE) as road:
        await road.stream(max_tokens=10)
        record = await road.record()
        assert (record.usage.output, record.attempts[0].usage_source) == (3, UsageSource.COUNTED)


async def test_usage_that_is_told_with_every_piece_is_believed() -> None:
    pieces = [
        event(
            {
                "choices": [{"index": 0, "delta": {"content": "a"}}],
                "usage": {"prompt_tokens": 7, "completion_tokens": n},
            }
        )
        for n in (1, 2)
    ]
    async with a_road(Hostile(*pieces, DONE, kind="text/event-stream"), limits=(TOKENS,), settings=ONCE) as road:
        await road.stream(max_tokens=10)
        record = await road.record()
        assert (record.usage.output, record.attempts[0].usage_source) == (2, UsageSource.PROVIDER)
