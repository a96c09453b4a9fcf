"""Replies have the shape that was asked for or are withheld, and requests fit their step's context budget; nothing is silent."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import pytest

from interlock.domain.brakes import BrakeTarget
from interlock.domain.budgets import Limit, Measure, Scope, Window
from interlock.domain.canonical import Json
from interlock.domain.errors import BadInput, ContextTooLong, SchemaUnmet
from interlock.domain.models import Dialect, ModelCallStatus, UsageSource
from interlock.domain.route_settings import ContextBudget, Overflow, Retries, Settings, StructuredOutput
from interlock.domain.routes import AUTO, Classifier, RouteRule, When
from interlock.gateway.models.requests import Headers
from interlock.models.context import REMOVED
from tests.kits.models import Heard, Road, a_road, model, over_http, scripted
from tests.kits.upstreams import Act, Received, Upstream, an_upstream

TOKENS = Limit("tokens", Measure.TOKENS, Scope.AGENT, 100_000, Window.DAY)
SHAPE: Json = {
    "type": "json_schema",
    "json_schema": {
        "name": "weather",
        "schema": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "celsius": {"type": "integer"}},
            "required": ["city", "celsius"],
            "additionalProperties": False,
        },
    },
}
OSLO = {"city": "Oslo", "celsius": 7}
ASKED_AGAIN = "required JSON shape"
USED: Json = {"input": 10, "output": 5}


def rules(first: Json, repaired: Json) -> Json:
    """Return a script that says `first`, and `repaired` when it is told what is wrong."""
    return [
        {"id": "again", "last": ASKED_AGAIN, "json": repaired, "usage": USED},
        {"id": "first", "json": first, "usage": USED},
    ]


def events_in(headers: Headers) -> str:
    return dict(headers).get(b"x-interlock-events", b"").decode()


def words_of(heard: Heard) -> str:
    return "".join(
        choice["delta"].get("content") or "" for event in heard.events for choice in event.get("choices", ())
    )


async def test_a_reply_of_the_wanted_shape_goes_through_at_once() -> None:
    async with a_road(scripted("up", rules(OSLO, {}))) as road:
        reply = await road.chat(response_format=SHAPE)
        assert orjson.loads(reply["choices"][0]["message"]["content"]) == OSLO
        record = await road.record()
        assert (len(record.attempts), record.events) == (1, ())


@pytest.mark.parametrize(
    "wrong", [{"city": "Oslo"}, {"city": "Oslo", "celsius": "7"}, "not an object", OSLO | {"x": 1}]
)
async def test_a_reply_of_another_shape_is_asked_for_once_more_and_both_are_paid(wrong: Json) -> None:
    async with a_road(scripted("up", rules(wrong, OSLO)), limits=(TOKENS,)) as road:
        reply = await road.gate.reply(road.ask(response_format=SHAPE))
        assert orjson.loads(orjson.loads(reply.body)["choices"][0]["message"]["content"]) == OSLO
        assert events_in(reply.headers) == "repair_asked"
        record = await road.record()
        assert [one.outcome for one in record.attempts] == ["served", "served"]
        assert [event["kind"] for event in record.events] == ["repair_asked"]
        assert record.events[0]["problems"]
        assert await road.balances() == {"tokens": (30, 0)}


async def test_a_reply_that_stays_wrong_is_withheld_with_a_typed_error_and_paid() -> None:
    async with a_road(scripted("up", rules({"city": "Oslo"}, {"celsius": 7})), limits=(TOKENS,)) as road:
        for streamed in (False, True):
            heard = Heard()
            ask = road.ask(response_format=SHAPE, stream=streamed)
            with pytest.raises(SchemaUnmet, match="withheld") as told:
                await (road.gate.stream(ask, heard) if streamed else road.gate.reply(ask))
            assert "city" in told.value.why
            assert (len(heard.data), heard.ended) == (0, "")
            record = await road.record()
            assert record.failure is not None
            assert (record.status, record.failure.code) == (ModelCallStatus.FAILED, "schema_unmet")
            assert len(record.attempts) == 2
        assert await road.balances() == {"tokens": (60, 0)}


async def test_a_stream_is_held_to_the_shape_before_any_of_it_is_delivered() -> None:
    async with a_road(scripted("up", rules({"city": "wrong"}, OSLO)), limits=(TOKENS,)) as road:
        heard = await road.stream(response_format=SHAPE)
        assert orjson.loads(words_of(heard)) == OSLO
        assert b"wrong" not in heard.data
        assert heard.ended == "finished"
        assert bytes(heard.data).endswith(b"data: [DONE]\n\n")
        assert events_in(heard.headers) == "repair_asked"
        assert await road.balances() == {"tokens": (30, 0)}


async def test_where_no_repair_is_allowed_the_first_reply_decides() -> None:
    settings = Settings(structured=StructuredOutput(repair=0))
    async with a_road(scripted("up", rules({"city": "Oslo"}, OSLO)), settings=settings) as road:
        with pytest.raises(SchemaUnmet):
            await road.chat(response_format=SHAPE)
        assert len((await road.record()).attempts) == 1


async def test_where_nothing_is_enforced_the_reply_goes_through_as_it_is() -> None:
    settings = Settings(structured=StructuredOutput(enforce=False))
    async with a_road(scripted("up", rules({"city": "Oslo"}, OSLO)), settings=settings) as road:
        reply = await road.chat(response_format=SHAPE)
        assert orjson.loads(reply["choices"][0]["message"]["content"]) == {"city": "Oslo"}


async def test_a_schema_that_is_none_is_the_callers_mistake_and_costs_nothing() -> None:
    wrong = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "nonsense"}}}
    fetched = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"$ref": "http://example.com/schema"}}}
    async with a_road(scripted("up", rules({}, {})), limits=(TOKENS,)) as road:
        for shape in (wrong, fetched):
            with pytest.raises(BadInput, match="Schema"):
                await road.chat(response_format=shape)
            assert (await road.record()).attempts == ()


# Context budgets.

TALK: list[Json] = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "beginning " + "one " * 20},
    {"role": "assistant", "content": "I see. " * 5},
    {"role": "user", "content": "middle " + "two " * 20},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "found " + "thing " * 60},
    {"role": "assistant", "content": "Now I know."},
    {"role": "user", "content": "end " + "three " * 10},
]


@asynccontextmanager
async def budgeted(over: Overflow, most: int) -> AsyncIterator[tuple[Road, Upstream]]:
    """Yield a road whose step `triage` may send so many words, in one long conversation."""
    tight = Settings(context=ContextBudget(most, over), retries=Retries(attempts=1))
    async with (
        an_upstream(Dialect.OPENAI_CHAT) as upstream,
        over_http("up", upstream.url) as provider,
        a_road(provider, steps={"triage": tight}, settings=Settings(retries=Retries(attempts=1))) as road,
    ):
        yield road, upstream


@pytest.mark.parametrize(
    ("over", "most", "left"),
    [
        (Overflow.DROP_OLDEST, 125, ["middle", "look", "found", "end"]),
        (Overflow.DROP_OLDEST, 40, ["end"]),
        (Overflow.KEEP_ENDS, 125, ["beginning", "look", "found", "end"]),
        (Overflow.KEEP_ENDS, 70, ["beginning", "end"]),
        (Overflow.DROP_TOOL_RESULTS, 125, ["beginning", "middle", "look", REMOVED, "end"]),
    ],
)
async def test_a_conversation_that_is_too_long_is_cut_as_declared_and_said_so(
    over: Overflow, most: int, left: list[str]
) -> None:
    async with budgeted(over, most) as (road, upstream):
        for stream in (False, True):
            ask = road.ask_in(Dialect.OPENAI_CHAT, {"model": "m", "messages": TALK, "stream": stream}, step="triage")
            heard = Heard()
            if stream:
                await road.gate.stream(ask, heard)
            headers = heard.headers or (await road.gate.reply(ask)).headers
            raw = upstream.received[-1].raw.decode()
            words = ("beginning", "middle", '"look"', "found", REMOVED, "end three")
            assert [word for word in words if word in raw] == [
                {"look": '"look"', "end": "end three"}.get(word, word) for word in left
            ]
            assert "Be kind." in raw
            assert events_in(headers) == "context_trimmed"
            (event,) = (await road.record()).events
            assert (event["kind"], event["strategy"]) == ("context_trimmed", over.value)
            assert event["after"] <= most < event["before"]
            assert event["dropped"] >= 1


@pytest.mark.parametrize(
    ("over", "most"), [(Overflow.REFUSE, 125), (Overflow.DROP_OLDEST, 5), (Overflow.DROP_TOOL_RESULTS, 30)]
)
async def test_what_may_not_be_cut_or_does_not_fit_is_refused_and_not_sent(over: Overflow, most: int) -> None:
    async with budgeted(over, most) as (road, upstream):
        ask = road.ask_in(Dialect.OPENAI_CHAT, {"model": "m", "messages": TALK}, step="triage")
        with pytest.raises(ContextTooLong, match=str(most)):
            await road.gate.reply(ask)
        assert upstream.received == []
        assert (await road.record()).status is ModelCallStatus.REFUSED


async def test_a_step_without_a_budget_of_its_own_sends_everything() -> None:
    async with budgeted(Overflow.DROP_OLDEST, 40) as (road, upstream):
        await road.gate.reply(road.ask_in(Dialect.OPENAI_CHAT, {"model": "m", "messages": TALK}, step="answer"))
        assert "beginning" in upstream.received[-1].raw.decode()
        assert (await road.record()).events == ()


# A small model names the tier.


@asynccontextmanager
async def classified(answer: Act) -> AsyncIterator[tuple[Road, Upstream]]:
    def act(request: Received) -> Act:
        return answer if request.body["model"] == "small" else Act()

    asked = Classifier("small", "Say easy or hard.", (("easy", "m"), ("hard", "large")), "m")
    async with (
        an_upstream(Dialect.OPENAI_CHAT, act) as upstream,
        over_http("up", upstream.url) as provider,
        a_road(
            provider,
            models=(model("m"), model("large"), model("small")),
            rules=(RouteRule("by-words", When(), asked),),
            settings=Settings(retries=Retries(attempts=1)),
            limits=(TOKENS,),
        ) as road,
    ):
        yield road, upstream


async def test_a_brake_stops_the_classifying_model_and_the_rule_says_who_serves_then() -> None:
    async with classified(Act(words="hard")) as (road, upstream):
        await road.kit.brake(BrakeTarget.MODEL, "small")
        await road.chat("Prove it", model=AUTO)
        assert [one.body["model"] for one in upstream.received] == ["m"]
        assert "classifier_failed" in [event["kind"] for record in await road.records() for event in record.events]


@pytest.mark.parametrize(("said", "served"), [("hard", "large"), ("easy", "m"), ("I would not know", "m")])
async def test_a_classifier_names_who_serves_and_is_held_paid_and_recorded_as_a_call(said: str, served: str) -> None:
    async with classified(Act(words=said)) as (road, upstream):
        await road.chat("Prove it", model=AUTO)
        assert [one.body["model"] for one in upstream.received] == ["small", served]
        assert "Prove it" in upstream.received[0].raw.decode()
        first, second = sorted(await road.records(), key=lambda one: "classifies" not in dict(one.call.labels))
        assert dict(first.call.labels)["classifies"] == second.call.id
        assert [one.model for one in (*first.attempts, *second.attempts)] == ["small", served]
        assert all(one.usage_source is UsageSource.PROVIDER for one in (*first.attempts, *second.attempts))
        assert await road.balances() == {"tokens": (upstream.charged.total, 0)}


async def test_a_classifier_that_fails_leaves_the_call_to_what_the_rule_says() -> None:
    async with classified(Act(words="hard")) as (road, upstream):
        road.prices["small"] = None
        await road.chat("Prove it", model=AUTO)
        assert [one.body["model"] for one in upstream.received] == ["m"]
        record = next(one for one in await road.records() if "classifies" not in dict(one.call.labels))
        assert [event["kind"] for event in record.events] == ["classifier_failed"]
