"""A program asks models and proposes what they say, without a server in between."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from interlock.domain.canonical import Json
from interlock.domain.errors import (
    BadInput,
    BudgetExceeded,
    Conflict,
    ModelUnavailable,
    ReplyCut,
    RunClosed,
    UnknownModel,
)
from interlock.domain.models import Dialect, ModelCallRecord
from interlock.domain.runs import RunOutcome
from interlock.embedded import Gate, Run, open_gate
from interlock.gateway.access_desk import operator_at_the_machine
from interlock.models.ports import ModelCallFilter

HELLO: dict[str, Json] = {"messages": [{"role": "user", "content": "Say hello"}]}
FILES: dict[str, Json] = {
    "interlock.yaml": {
        "tenant": "acme",
        "agents": ["agent.yaml"],
        "contracts": ["contracts.yaml"],
        "tools": {"desk": {"python": {"module": "embedded_desk"}}},
        "router": "router.yaml",
    },
    "agent.yaml": {
        "agent": {"name": "clerk", "model_tier": {"hard": "large"}},
        "tools": {"allowlist": ["read_order"], "proposed_only": True},
        "budgets": {"max_total_tokens": 20_000},
    },
    "contracts.yaml": {"tools": [{"name": "read_order", "kind": "read", "tier": 0}]},
    "router.yaml": {
        "version": 1,
        "providers": {"script": {"type": "scripted", "script": "script.yaml", "prices": "openai"}},
        "models": {"gpt-4.1-mini": "script", "gpt-4.1": "script"},
        "tiers": {"small": {"models": ["gpt-4.1-mini"]}, "large": {"models": ["gpt-4.1"]}},
        "defaults": {"use": "small", "retries": {"attempts": 1}},
    },
    "script.yaml": [
        {"id": "down", "user": "be down", "error": {"status": 503}},
        {"id": "cut", "user": "break off", "say": "one two three four", "cut_after": 3},
        {"id": "slow", "user": "take time", "say": "word " * 40, "delay": {"between": 5}},
        {"id": "look", "user": "order (?P<order>\\S+)", "tool": "read_order", "arguments": {"order_id": "{order}"}},
        {"id": "hello", "say": "Hello from the script."},
    ],
}
DESK = '''
"""Tools of a test."""
import interlock

@interlock.tool
def read_order(order_id: str) -> dict[str, str]:
    """Read an order."""
    return {"order": order_id}
'''


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Gate]:
    for name, content in FILES.items():
        # JSON is YAML.
        (tmp_path / name).write_text(json.dumps(content))
    (tmp_path / "embedded_desk.py").write_text(DESK)
    async with open_gate(tmp_path) as opened:
        yield opened


@pytest.fixture
async def run(gate: Gate) -> AsyncIterator[Run]:
    async with gate.run("clerk", instruction="Say hello.") as opened:
        yield opened


async def recorded(gate: Gate, run: Run, count: int) -> tuple[ModelCallRecord, ...]:
    """Return the run's model calls, newest first, once so many are on disk."""
    who = operator_at_the_machine(gate.desks.tenant, "test")
    async with asyncio.timeout(5):
        while True:
            records = await gate.desks.model_calls.calls(who, ModelCallFilter(gate.desks.tenant, run.id))
            if len(records) >= count:
                return records
            await asyncio.sleep(0.01)


def asking(words: str) -> dict[str, Json]:
    return {"messages": [{"role": "user", "content": words}]}


async def test_a_run_asks_a_model_and_gets_its_whole_reply(run: Run) -> None:
    reply = await run.ask(HELLO)
    assert reply["choices"][0]["message"]["content"] == "Hello from the script."
    assert reply["model"] == "gpt-4.1-mini"
    assert "model" not in HELLO


async def test_the_step_and_the_name_of_a_model_are_heeded(run: Run) -> None:
    assert (await run.ask(HELLO, step="hard"))["model"] == "gpt-4.1"
    assert (await run.ask({**HELLO, "model": "gpt-4.1"}))["model"] == "gpt-4.1"
    with pytest.raises(UnknownModel):
        await run.ask({**HELLO, "model": "nobody"})


async def test_a_reply_comes_in_the_format_of_the_request(run: Run) -> None:
    reply = await run.ask({**HELLO, "max_tokens": 50}, dialect=Dialect.ANTHROPIC)
    assert reply["content"][0]["text"] == "Hello from the script."


async def test_what_is_asked_belongs_to_the_run_and_its_budgets(gate: Gate, run: Run) -> None:
    await run.ask({**HELLO, "max_tokens": 10})
    with pytest.raises(BudgetExceeded, match="max_total_tokens"):
        await run.ask({**HELLO, "max_tokens": 20_000})
    records = await recorded(gate, run, 2)
    assert [record.status.value for record in records] == ["refused", "succeeded"]
    assert records[1].cost_nano_usd > 0


@pytest.mark.parametrize(
    "request_", [{}, {"messages": "hello"}, {"messages": [object()]}, {"messages": [], "temperature": float("nan")}]
)
async def test_what_is_no_request_is_refused_in_words(run: Run, request_: dict[str, Json]) -> None:
    with pytest.raises(BadInput):
        await run.ask(request_)
    with pytest.raises(BadInput):
        _ = [event async for event in run.stream(request_)]


async def test_a_call_is_bound_to_the_reply_that_proposes_it(run: Run) -> None:
    reply = await run.ask({**asking("Read order A-1"), "tools": []})
    (proposed,) = reply["choices"][0]["message"]["tool_calls"]
    arguments = json.loads(proposed["function"]["arguments"])
    other = await run.call("read_order", {"order_id": "A-2"}, proposal=proposed["id"])
    assert other.failure is not None
    assert other.failure.code == "unproposed"
    answer = await run.call("read_order", arguments, call_id=proposed["id"], proposal=proposed["id"])
    assert answer.result is not None
    assert answer.result.content == {"order": "A-1"}


async def test_a_stream_comes_event_by_event_to_its_end(run: Run) -> None:
    events = [event async for event in run.stream(HELLO)]
    words = [choice["delta"].get("content") or "" for event in events for choice in event["choices"]]
    assert "".join(words) == "Hello from the script."
    assert len(events) > 2


async def test_a_stream_that_breaks_off_cannot_be_taken_for_whole(run: Run) -> None:
    events = run.stream(asking("Please break off"))
    came = [await anext(events) for _ in range(4)]
    assert "error" in came[-1]
    with pytest.raises(ReplyCut):
        await anext(events)


async def test_a_stream_that_never_begins_raises_what_kept_it(run: Run) -> None:
    with pytest.raises(ModelUnavailable):
        _ = [event async for event in run.stream(asking("Please be down"))]


async def test_who_stops_reading_has_the_call_settled(gate: Gate, run: Run) -> None:
    events = run.stream(asking("Please take time"))
    await anext(events)
    await events.aclose()  # type: ignore[attr-defined]
    (record,) = await recorded(gate, run, 1)
    assert record.status.value == "succeeded"
    assert record.usage.output > 40


async def test_the_token_of_a_run_is_its_agents_and_is_not_shown(gate: Gate, run: Run) -> None:
    bearer = await gate.desks.access.authenticate(run.token)
    assert bearer.scope is not None
    assert bearer.scope.run == run.id
    assert run.token not in repr(run)


async def test_a_run_ends_with_what_came_of_it(gate: Gate) -> None:
    async with gate.run("clerk", instruction="Say hello.") as run:
        with pytest.raises(BadInput, match="succeeded, partial, failed, escalated"):
            await run.conclude("splendid")
        await run.conclude("succeeded")
        with pytest.raises(RunClosed):
            await run.ask(HELLO)
        with pytest.raises(Conflict):
            await run.conclude("failed")
    who = operator_at_the_machine(gate.desks.tenant, "test")
    assert (await gate.desks.runs.find(who, run.id)).outcome is RunOutcome.SUCCEEDED


async def test_a_run_its_questions_and_its_calls_belong_below_the_spans_that_they_are_given(gate: Gate) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"

    def parent(span: str) -> str:
        return f"00-{trace}-{span}-01"

    async with gate.run("clerk", instruction="Look.", traceparent=parent("a" * 16)) as run:
        asked = asking("Read order 7")
        reply = await run.ask(asked, traceparent=parent("b" * 16))
        (proposal,) = reply["choices"][0]["message"]["tool_calls"]
        await run.call("read_order", {"order_id": "7"}, proposal=proposal["id"], traceparent=parent("c" * 16))

    auditor = operator_at_the_machine(gate.desks.tenant, "test")
    view = await gate.desks.traces.show(auditor, run.id)
    above = {span.span.name: span.span.parent_id for span in view.spans}
    assert view.trace_id == trace
    assert above["invoke_agent clerk"] == "a" * 16
    assert above["chat auto"] == "b" * 16
    assert above["execute_tool read_order"] == "c" * 16
