"""A model call is admitted, held, asked, forwarded, settled and recorded, or refused with a reason and nothing spent."""

import orjson
import pytest

from interlock.domain.brakes import BrakeTarget
from interlock.domain.budgets import Limit, Measure, Scope, Window
from interlock.domain.errors import (
    BadInput,
    Braked,
    BudgetExceeded,
    Forbidden,
    ModelOverloaded,
    ModelUnavailable,
    RunClosed,
    UnknownModel,
    UnknownRun,
    Unpriced,
)
from interlock.domain.ids import RunId
from interlock.domain.models import Dialect, ModelCallStatus, UsageSource
from interlock.domain.route_settings import Durable, Retries, RunNeed, Settings
from interlock.domain.route_settings import Unpriced as OnUnpriced
from tests.kits.gate import AGENT, OPERATOR
from tests.kits.models import IN_NANO, OUT_NANO, a_road, model, scripted

HELLO = [{"id": "hello", "say": "Hello from the script.", "usage": {"input": 10, "output": 5}}]
COST = 10 * IN_NANO + 5 * OUT_NANO
TOKENS = Limit("tokens", Measure.TOKENS, Scope.AGENT, 10_000, Window.DAY)
MONEY = Limit("money", Measure.COST, Scope.RUN, 1_000_000_000)
QUICK = Settings(retries=Retries(attempts=1))


async def test_a_reply_comes_back_is_paid_for_and_recorded() -> None:
    async with a_road(scripted("up", HELLO), limits=(TOKENS, MONEY)) as road:
        await road.kit.open()
        reply = await road.chat()
        assert reply["choices"][0]["message"]["content"] == "Hello from the script."
        record = await road.record()
        assert (record.status, record.usage.input, record.usage.output) == (ModelCallStatus.SUCCEEDED, 10, 5)
        assert record.attempts[0].usage_source is UsageSource.PROVIDER
        assert record.cost_nano_usd == COST
        assert record.route["router"] == "v1"
        assert await road.balances() == {"tokens": (15, 0), "money": (COST, 0)}
        events = await road.store.read(lambda tx: tx.audit.search(AGENT.tenant, subject=None, limit=10))
        assert events[0].kind.value == "model.called"
        assert events[0].body["cost_nano_usd"] == COST
        assert "Hello" not in orjson.dumps(dict(events[0].body)).decode()


async def test_a_stream_comes_whole_with_its_terminator_and_is_paid_for() -> None:
    async with a_road(scripted("up", HELLO), limits=(TOKENS,)) as road:
        heard = await road.stream()
        assert heard.ended == "finished"
        assert bytes(heard.data).endswith(b"data: [DONE]\n\n")
        words = [event["choices"][0]["delta"].get("content", "") for event in heard.events if event["choices"]]
        assert "".join(words) == "Hello from the script."
        # The caller did not ask for the usage, so it is tapped and kept from the caller.
        assert not any(event.get("usage") for event in heard.events)
        assert (await road.record()).usage.total == 15
        assert await road.balances() == {"tokens": (15, 0)}


async def test_another_wire_format_is_translated_both_ways() -> None:
    async with a_road(scripted("up", HELLO)) as road:
        body = {"model": "m", "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]}
        reply = await road.gate.reply(road.ask_in(Dialect.ANTHROPIC, body))
        assert orjson.loads(reply.body)["content"][0]["text"] == "Hello from the script."


async def test_what_does_not_fit_a_budget_is_refused_before_anything_is_sent() -> None:
    limit = Limit("tokens", Measure.TOKENS, Scope.AGENT, 300, Window.DAY)
    async with a_road(scripted("up", HELLO), limits=(limit,)) as road:
        with pytest.raises(BudgetExceeded, match="tokens") as told:
            await road.chat(max_tokens=5_000)
        record = await road.record()
        assert (record.status, record.attempts) == (ModelCallStatus.REFUSED, ())
        assert told.value.record == record.call.id
        assert record.failure is not None
        assert record.failure.code == "budget_exceeded"
        assert (await road.balances())["tokens"] == (0, 0)


async def test_a_cap_that_the_caller_left_open_shrinks_to_what_is_left() -> None:
    limit = Limit("tokens", Measure.TOKENS, Scope.AGENT, 2_600, Window.DAY)
    async with a_road(scripted("up", HELLO), limits=(limit,)) as road:
        await road.chat()  # 4,096 tokens of reply would not fit
        assert (await road.balances())["tokens"] == (15, 0)


async def test_a_call_outside_any_run_is_bound_by_the_limits_of_a_run_by_itself() -> None:
    limit = Limit("per-run", Measure.COST, Scope.RUN, 1)
    async with a_road(scripted("up", HELLO), limits=(limit,)) as road:
        with pytest.raises(BudgetExceeded, match="per-run"):
            await road.chat()


async def test_more_than_was_held_is_spent_while_there_is_room_and_noted_where_there_is_none() -> None:
    rules = [{"id": "much", "say": "Hello", "usage": {"input": 9_000, "output": 5}}]
    limit = Limit("tokens", Measure.TOKENS, Scope.AGENT, 5_000, Window.DAY)
    async with a_road(scripted("up", rules), limits=(limit,)) as road:
        await road.chat(max_tokens=10)
        assert (await road.balances())["tokens"] == (5_000, 0)
        record = await road.record()
        assert record.usage.input == 9_000
        assert [event["kind"] for event in record.events] == ["over_reservation"]


async def test_a_model_without_a_price_is_refused_unless_the_router_allows_it() -> None:
    async with a_road(scripted("up", HELLO)) as road:
        road.prices["m"] = None
        with pytest.raises(Unpriced, match="No price is known for m at up"):
            await road.chat()
    async with a_road(scripted("up", HELLO), settings=Settings(unpriced=OnUnpriced.ALLOW)) as road:
        road.prices["m"] = None
        await road.chat()
        assert (await road.record()).cost_nano_usd == 0


async def test_a_service_tier_without_a_price_is_refused() -> None:
    async with a_road(scripted("up", HELLO)) as road:
        await road.chat(service_tier="flex")
        with pytest.raises(Unpriced, match="priority"):
            await road.chat(service_tier="priority")


async def test_an_unknown_model_is_refused_and_recorded() -> None:
    async with a_road(scripted("up", HELLO)) as road:
        with pytest.raises(UnknownModel):
            await road.chat(model="nothing")
        assert (await road.record()).status is ModelCallStatus.REFUSED


async def test_only_agents_ask_models_and_only_in_runs_of_their_own() -> None:
    async with a_road(scripted("up", HELLO)) as road:
        ask = road.ask()
        with pytest.raises(Forbidden):
            await road.gate.reply(type(ask)(OPERATOR, ask.dialect, ask.body, ask.size))
        with pytest.raises(UnknownRun):
            await road.gate.reply(road.ask(run=RunId("nobody's")))


async def test_a_deployment_may_demand_a_run() -> None:
    async with a_road(scripted("up", HELLO), settings=Settings(runs=RunNeed.REQUIRED)) as road:
        with pytest.raises(UnknownRun, match="belong to a run"):
            await road.chat()
        await road.kit.open()
        await road.chat()


async def test_a_closed_run_asks_no_models() -> None:
    async with a_road(scripted("up", HELLO)) as road:
        run = await road.kit.open()
        await road.kit.runs.close(AGENT, run)
        with pytest.raises(RunClosed):
            await road.chat()


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (BrakeTarget.ALL, ""),
        (BrakeTarget.MODELS, ""),
        (BrakeTarget.AGENT, "refunds"),
        (BrakeTarget.MODEL, "m"),
        (BrakeTarget.MODEL, "up"),
    ],
)
async def test_a_brake_stops_model_calls(target: BrakeTarget, name: str) -> None:
    async with a_road(scripted("up", HELLO)) as road:
        await road.kit.brake(target, name)
        with pytest.raises(Braked, match="drill"):
            await road.chat()


async def test_a_brake_on_one_model_leaves_its_fallback() -> None:
    models = (model("m", fallbacks=("spare",)), model("spare"))
    async with a_road(scripted("up", HELLO), models=models) as road:
        await road.kit.brake(BrakeTarget.MODEL, "m")
        await road.chat()
        assert (await road.record()).attempts[-1].model == "spare"


async def test_a_failing_model_is_asked_again_and_then_another_one_each_under_a_hold_of_its_own() -> None:
    failing = scripted("bad", [{"id": "no", "error": {"status": 503}}])
    models = (model("m", "bad", fallbacks=("spare",)), model("spare", "good"))
    settings = Settings(retries=Retries(attempts=2, base_ms=1))
    async with a_road(failing, scripted("good", HELLO), models=models, settings=settings, limits=(TOKENS,)) as road:
        await road.chat()
        record = await road.record()
        outcomes = [(one.provider, one.outcome) for one in record.attempts]
        assert outcomes == [("bad", "model_unavailable"), ("bad", "model_unavailable"), ("good", "served")]
        assert await road.balances() == {"tokens": (15, 0)}


async def test_a_request_that_the_provider_refuses_goes_nowhere_else() -> None:
    refusing = scripted("bad", [{"id": "no", "error": {"status": 400, "message": "bad field"}}])
    models = (model("m", "bad", fallbacks=("spare",)), model("spare", "good"))
    async with a_road(refusing, scripted("good", HELLO), models=models) as road:
        with pytest.raises(Exception, match="bad field"):
            await road.chat()
        assert [one.provider for one in (await road.record()).attempts] == ["bad"]


async def test_when_nobody_serves_the_last_reason_is_told_and_nothing_stays_held() -> None:
    async with a_road(
        scripted("up", [{"id": "no", "error": {"status": 429, "retry_after": 7}}]), settings=QUICK, limits=(TOKENS,)
    ) as road:
        with pytest.raises(ModelOverloaded) as told:
            await road.chat()
        assert told.value.retry_after_s == 7
        assert (await road.record()).status is ModelCallStatus.FAILED
        assert (await road.balances())["tokens"] == (0, 0)


async def test_a_circuit_opens_and_the_model_is_left_alone() -> None:
    async with a_road(scripted("up", [{"id": "no", "error": {"status": 500}}]), settings=QUICK) as road:
        for _ in range(5):
            with pytest.raises(ModelUnavailable):
                await road.chat()
        asked = len([record for record in await road.records() if record.attempts])
        with pytest.raises(ModelUnavailable):
            await road.chat()
        assert len([record for record in await road.records() if record.attempts]) == asked


async def test_wrong_fields_are_the_callers_mistake() -> None:
    async with a_road(scripted("up", HELLO)) as road:
        with pytest.raises(BadInput):
            await road.chat(max_tokens=-1)


async def test_a_reply_that_proposes_calls_is_durable_before_it_is_delivered() -> None:
    calls = [{"id": "look", "calls": [{"tool": "orders_read", "arguments": {"order_id": "A-1"}}]}]
    async with a_road(scripted("up", calls)) as road:
        run = await road.kit.open()
        await road.chat(tools=[{"type": "function", "function": {"name": "orders_read", "parameters": {}}}])
        kept = await road.store.read(lambda tx: tx.models.proposals(AGENT.tenant, run))
        assert [one.tool for one in kept] == ["orders_read"]


async def test_every_reply_is_durable_first_where_the_router_says_so() -> None:
    async with a_road(scripted("up", HELLO), settings=Settings(durable=Durable.REPLIES)) as road:
        await road.chat()
        assert road.recorder._waiting == type(road.recorder._waiting)()
        assert len(await road.records()) == 1


@pytest.mark.parametrize("data", ["aGVsbG8gd29ybGQ=", "not base64!", ""])
async def test_a_picture_that_is_none_is_the_callers_mistake(data: str) -> None:
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
    async with a_road(scripted("up", HELLO)) as road:
        body = {"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "Look"}, picture]}]}
        with pytest.raises(BadInput):
            await road.gate.reply(road.ask_in(Dialect.OPENAI_CHAT, body))
        assert (await road.record()).status is ModelCallStatus.REFUSED


async def test_a_picture_is_let_through() -> None:
    url = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    async with a_road(scripted("up", HELLO)) as road:
        content = [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": url}}]
        body = {"model": "m", "messages": [{"role": "user", "content": content}]}
        await road.gate.reply(road.ask_in(Dialect.OPENAI_CHAT, body))
        assert (await road.record()).status is ModelCallStatus.SUCCEEDED


async def test_a_call_that_no_budget_holds_leaves_the_probe_of_a_circuit_to_the_next() -> None:
    limit = Limit("tokens", Measure.TOKENS, Scope.AGENT, 2_000, Window.DAY)
    async with a_road(scripted("up", HELLO), limits=(limit,), settings=QUICK) as road:
        for _ in range(QUICK.breaker.failures):
            road.health.failed("m", road.kit.clock.now())
        road.kit.clock.time += QUICK.breaker.cool_down_ms
        with pytest.raises(BudgetExceeded):
            await road.chat(max_tokens=50_000)
        await road.chat(max_tokens=50)
        assert (await road.record()).status is ModelCallStatus.SUCCEEDED
