"""What happens in runs is added up from the trail: each event once, whoever reads it, whenever a process dies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from interlock.adapters.memory.traces import MemorySpanStore
from interlock.adapters.sql import open_store
from interlock.adapters.sql.traces.opening import open_span_store
from interlock.domain.approvals import Verdict
from interlock.domain.errors import StoreUnavailable
from interlock.domain.ids import ApprovalId
from interlock.domain.runs import RunOutcome
from interlock.gateway.audit_log import Sequencer
from interlock.gateway.followers import Follower, Following, SumsFollower, catch_up
from interlock.gateway.run_desk import Opening
from interlock.traces.ports import RunSummary, SpanStore
from tests.kits.gate import AGENT, ANNA, OPERATOR, TENANT, Kit, StillClock, a_kit


@pytest.fixture
async def kit(tmp_path: Path) -> AsyncIterator[Kit]:
    """A gate whose records are in a file."""
    store = await open_store(f"sqlite:///{tmp_path / 'gate.db'}")
    yield await a_kit(store=store)
    await store.close()


async def added_up(kit: Kit, spans: SpanStore) -> None:
    await Sequencer(kit.store).place()
    await catch_up(SumsFollower(kit.store, spans), spans)


async def sums_of(kit: Kit, spans: SpanStore) -> RunSummary:
    await added_up(kit, spans)
    found = await spans.summary(TENANT, kit.run)
    assert found is not None
    return found


async def test_a_run_is_added_up_as_the_gate_went_through_it(kit: Kit) -> None:
    spans = MemorySpanStore()
    opened = await kit.runs.open(AGENT, Opening(instruction="Help.", user="uma"))  # type: ignore[arg-type]
    kit.run = opened.run.id
    await kit.call("orders.read", order_id="o1")
    await kit.call("nothing.there")
    held = await kit.call("mail.send", "c3", to=["a@example.com"], body="hello")
    assert held.approval is not None
    for _ in range(3):
        await kit.call("mail.send", "c3", to=["a@example.com"], body="hello")
    await kit.approvals.answer(ANNA, ApprovalId(held.approval), Verdict.APPROVE, "fine")
    await kit.call("mail.send", "c3", to=["a@example.com"], body="hello")
    refused = await kit.call("mail.send", "c4", to=["b@example.com"], body="hello")
    await kit.approvals.answer(ANNA, ApprovalId(refused.approval or ""), Verdict.DENY, "no")
    kit.clock.time += 500
    await kit.runs.close(AGENT, kit.run)
    await kit.runs.close(OPERATOR, kit.run, outcome=RunOutcome.SUCCEEDED)

    found = await sums_of(kit, spans)

    assert (found.workflow, found.user, found.state, found.outcome) == ("refunds", "uma", "closed", "succeeded")
    assert (found.tool_calls, found.denied, found.held, found.failed_calls) == (4, 2, 2, 0)
    assert found.duration_ms == 500
    (counts,) = await spans.counts(TENANT, 0, kit.clock.time)
    kinds = {kind: times for kind, _, times in counts.notable}
    assert kinds == {"denied": 1, "refused": 1}


async def test_a_failing_tool_is_counted_with_its_reason(kit: Kit) -> None:
    spans = MemorySpanStore()
    await kit.open()
    kit.shop.answers["orders.read"] = kit.shop.then_lose
    await kit.call("orders.read", order_id="o1")

    assert (await sums_of(kit, spans)).failed_calls == 1
    (counts,) = await spans.counts(TENANT, 0, kit.clock.time + 1)
    assert counts.notable == (("failed", "tool_timeout", 1),)


async def test_sums_are_the_same_however_often_and_by_whomever_the_trail_is_read(kit: Kit, tmp_path: Path) -> None:
    spans = await open_span_store(f"sqlite:///{tmp_path / 'spans.db'}")
    await kit.open()
    for number in range(40):
        await kit.call("orders.read", order_id=f"o{number}")
        if number % 10 == 0:
            await asyncio.gather(*(added_up(kit, spans) for _ in range(4)))

    found = await sums_of(kit, spans)
    fresh = await sums_of(kit, MemorySpanStore())
    await spans.close()
    assert found == fresh
    assert found.tool_calls == 40


async def test_another_process_takes_over_when_a_follower_is_silent(kit: Kit) -> None:
    spans, clock = MemorySpanStore(), StillClock()
    first = Following(SumsFollower(kit.store, spans), spans, "one", clock)
    second = Following(SumsFollower(kit.store, spans), spans, "two", clock)
    assert await first._lease()
    assert not await second._lease()
    clock.time += 15_000
    assert await second._lease()
    assert not await first._lease()


@pytest.mark.parametrize("fault", [StoreUnavailable("away"), RuntimeError("a fault of our own")])
async def test_a_store_that_is_away_and_a_fault_of_our_own_cost_nothing_but_time(
    kit: Kit, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    monkeypatch.setattr("interlock.gateway.followers._LEASE_MS", 30)
    spans = MemorySpanStore()
    follower = _Faltering(SumsFollower(kit.store, spans), fault)
    await kit.open()
    await Sequencer(kit.store).place()
    task = asyncio.create_task(Following(follower, spans, "one", kit.clock).run())
    for _ in range(200):
        await asyncio.sleep(0.01)
        if await spans.position("sums"):
            break
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await spans.summary(TENANT, kit.run) is not None
    assert follower.failures == 2


class _Faltering(Follower):
    """Fails twice, then reads on."""

    def __init__(self, inner: Follower, fault: Exception) -> None:
        self.inner = inner
        self.fault = fault
        self.failures = 0

    @property
    def name(self) -> str:
        return self.inner.name

    async def step(self, position: int) -> int:
        if self.failures < 2:
            self.failures += 1
            raise self.fault
        return await self.inner.step(position)
