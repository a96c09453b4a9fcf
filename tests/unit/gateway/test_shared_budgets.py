"""Tool calls and model calls of a run draw on the same budgets, and what is held ahead for models never starves tools."""

from dataclasses import replace

import pytest

from interlock.domain.budgets import Limit, Measure, Scope
from interlock.domain.calls import CallStatus
from interlock.domain.errors import BudgetExceeded
from tests.kits.gate import shop_overlays
from tests.kits.models import a_road, scripted

HELLO = [{"id": "hello", "say": "Hello.", "usage": {"input": 10, "output": 5}}]
COST = Limit("cost", Measure.COST, Scope.RUN, 1_000_000)


async def test_a_tool_call_gets_the_room_that_model_calls_hold_ahead() -> None:
    dear = tuple(replace(one, cost_nano_usd=900_000) if one.tool == "notes.add" else one for one in shop_overlays())
    async with a_road(scripted("up", HELLO), limits=(COST,), overlays=dear) as road:
        await road.kit.open()
        await road.chat(max_tokens=20)
        ahead = sum(portion.free for portion in road.leases._portions.values())
        assert ahead > 40_000, "the test needs a slice that stands idle"
        road.kit.gate._admitter = replace(road.kit.gate._admitter, leases=road.leases)
        answer = await road.kit.call("notes.add", text="a note")
        assert answer.status is CallStatus.SUCCEEDED
        with pytest.raises(BudgetExceeded):
            await road.chat(max_tokens=20)


async def test_the_denial_stands_when_there_is_nothing_to_give_back() -> None:
    dear = tuple(replace(one, cost_nano_usd=2_000_000) if one.tool == "notes.add" else one for one in shop_overlays())
    async with a_road(scripted("up", HELLO), limits=(COST,), overlays=dear) as road:
        await road.kit.open()
        await road.chat(max_tokens=20)
        road.kit.gate._admitter = replace(road.kit.gate._admitter, leases=road.leases)
        answer = await road.kit.call("notes.add", text="a note")
        assert answer.status is CallStatus.DENIED
