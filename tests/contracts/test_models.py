"""What is kept of model calls, wherever it is kept."""

from __future__ import annotations

from typing import Any

import pytest

from interlock.domain.calls import Failure
from interlock.domain.ids import ModelCallId, RunId, TenantId
from interlock.domain.models import (
    ModelCallRecord,
    ModelCallStatus,
    ProposedCall,
    Usage,
)
from interlock.gateway.store import Store, Tx
from interlock.models.ports import CachedReply, ModelCallFilter, Spending
from tests.contracts.model_samples import a_model_call, a_model_record, an_attempt
from tests.contracts.samples import ACME, AGENT, NOW, OTHER, put_all

DAY = 86_400_000


async def test_a_record_comes_back_as_it_was_written(store: Store) -> None:
    full = a_model_record()
    bare = ModelCallRecord(
        call=a_model_call("mc-2", run=None, user=None, step="", labels=(), streamed=False, trace="", parent_span=""),
        status=ModelCallStatus.REFUSED,
        started_at=NOW,
        duration_ms=0,
        first_byte_ms=None,
        attempts=(),
        failure=Failure("budget_exceeded", "No room", "it is spent", "Wait"),
    )
    await store.transact(lambda tx: tx.models.add(full, bare))
    assert await store.read(lambda tx: tx.models.find(ACME, ModelCallId("mc-1"))) == full
    assert await store.read(lambda tx: tx.models.find(ACME, ModelCallId("mc-2"))) == bare
    assert await store.read(lambda tx: tx.models.find(OTHER, ModelCallId("mc-1"))) is None


async def test_adding_a_call_again_changes_nothing(store: Store) -> None:
    first = a_model_record()
    await store.transact(lambda tx: tx.models.add(first))
    more = (*first.proposals, ProposedCall("toolu_3", "refund", "c" * 64))
    again = a_model_record(duration_ms=1, proposals=more)
    await store.transact(lambda tx: tx.models.add(again, a_model_record("mc-2", proposals=())))
    assert await store.read(lambda tx: tx.models.find(ACME, ModelCallId("mc-1"))) == first
    assert await store.read(lambda tx: tx.models.proposals(ACME, RunId("run-1"))) == first.proposals


async def test_calls_are_listed_newest_first_and_only_to_their_tenant(store: Store) -> None:
    records = (
        a_model_record("mc-1"),
        a_model_record("mc-2", call={"run": None}),
        a_model_record("mc-3", call={"agent": "triage"}),
        a_model_record("mc-4", call={"tenant": OTHER}),
        a_model_record("mc-5"),
    )
    await store.transact(lambda tx: tx.models.add(*records))

    async def found(**query: Any) -> list[str]:
        wanted = ModelCallFilter(**({"tenant": ACME} | query))
        return [record.call.id for record in await store.read(lambda tx: tx.models.search(wanted))]

    assert await found() == ["mc-5", "mc-3", "mc-2", "mc-1"]
    assert await found(limit=2) == ["mc-5", "mc-3"]
    assert await found(run=RunId("run-1")) == ["mc-5", "mc-3", "mc-1"]
    assert await found(run=RunId("run-1"), agent=AGENT, limit=1) == ["mc-5"]
    assert await found(agent="triage") == ["mc-3"]
    assert await found(tenant=OTHER) == ["mc-4"]


async def test_proposals_of_a_run_come_in_their_order(store: Store) -> None:
    def add(tx: Tx) -> None:
        tx.models.add(a_model_record("mc-1"))
        tx.models.add(a_model_record("mc-2", call={"run": RunId("run-2")}))
        tx.models.add(a_model_record("mc-3", proposals=(ProposedCall("toolu_0", "refund", "b" * 64),)))
        tx.models.add(a_model_record("mc-4", call={"run": None}))

    await store.transact(add)
    proposals = await store.read(lambda tx: tx.models.proposals(ACME, RunId("run-1")))
    assert [one.id for one in proposals] == ["toolu_1", "toolu_2", "toolu_0"]
    assert proposals[0] == ProposedCall("toolu_1", "refund", "a" * 64)
    assert await store.read(lambda tx: tx.models.proposals(OTHER, RunId("run-1"))) == ()


async def test_spending_is_added_up_by_every_word(store: Store) -> None:
    cheap = an_attempt(usage=Usage(10, 1), cost_nano_usd=5, provider="local", model="llama")
    records = (
        a_model_record("mc-1", attempts=(an_attempt(usage=Usage(100, 10), cost_nano_usd=50),)),
        a_model_record("mc-2", attempts=(cheap, cheap), call={"run": RunId("run-2")}, started_at=NOW + DAY),
        a_model_record("mc-3", attempts=(), call={"run": None, "user": None, "agent": "triage"}),
        a_model_record("mc-4", attempts=(cheap,), call={"tenant": OTHER}),
        a_model_record("mc-5", attempts=(cheap,), started_at=NOW + 2 * DAY),
    )
    await store.transact(lambda tx: tx.models.add(*records))

    async def sums(by: str) -> tuple[Spending, ...]:
        return await store.read(lambda tx: tx.models.spending(ACME, by=by, since=NOW, until=NOW + 2 * DAY))

    nothing = (1, 0, 0, 0)
    assert await sums("run") == (
        Spending("run-1", 1, 100, 10, 50),
        Spending("run-2", 1, 20, 2, 10),
        Spending("", *nothing),
    )
    assert await sums("agent") == (Spending(AGENT, 2, 120, 12, 60), Spending("triage", *nothing))
    assert await sums("user") == (Spending("u-7", 2, 120, 12, 60), Spending("", *nothing))
    assert await sums("step") == (Spending("plan", 3, 120, 12, 60),)
    assert [one.group for one in await sums("model")] == ["gpt-5.6", "llama", "mid"]
    assert [one.group for one in await sums("provider")] == ["openai", "local", ""]
    assert await sums("tenant") == (Spending("acme", 3, 120, 12, 60),)
    assert await sums("day") == (Spending("2027-01-15", 2, 100, 10, 50), Spending("2027-01-16", 1, 20, 2, 10))
    with pytest.raises(ValueError, match="colour"):
        await sums("colour")


async def test_what_a_run_spent_is_of_all_its_calls_and_of_no_other(store: Store) -> None:
    attempt = an_attempt(usage=Usage(100, 10), cost_nano_usd=50)
    records = (
        a_model_record("mc-1", attempts=(attempt,)),
        a_model_record("mc-2", attempts=(attempt, attempt), started_at=NOW + DAY),
        a_model_record("mc-3", attempts=(attempt,), call={"run": RunId("run-2")}),
        a_model_record("mc-4", attempts=(attempt,), call={"tenant": OTHER}),
    )
    await store.transact(lambda tx: tx.models.add(*records))

    async def spent(run: str) -> Spending:
        return await store.read(lambda tx: tx.models.spent(ACME, RunId(run)))

    assert await spent("run-1") == Spending("run-1", 2, 300, 30, 150)
    assert await spent("run-9") == Spending("run-9", 0, 0, 0, 0)


def a_reply(key: str = "k1", **changes: Any) -> CachedReply:
    fields: dict[str, Any] = {"key": key, "partition": "p1", "body": b"{}", "expires_at": NOW + 10, "vector": b"\0\0"}
    return CachedReply(**(fields | changes))


async def test_a_kept_reply_is_found_until_it_expires_and_by_its_tenant_alone(store: Store) -> None:
    await store.transact(lambda tx: tx.models.keep(ACME, a_reply(body=b"old")))
    await store.transact(lambda tx: tx.models.keep(ACME, a_reply(body=b"new")))

    async def cached(tenant: TenantId, key: str, now: int) -> CachedReply | None:
        return await store.read(lambda tx: tx.models.cached(tenant, key, now))

    assert await cached(ACME, "k1", NOW) == a_reply(body=b"new")
    assert await cached(ACME, "k1", NOW + 10) is None
    assert await cached(OTHER, "k1", NOW) is None


async def test_neighbours_are_of_one_partition_and_one_tenant_newest_first(store: Store) -> None:
    replies = (
        a_reply("k1"),
        a_reply("k2"),
        a_reply("k3", partition="p2"),
        a_reply("k4", partition="", vector=b""),
        a_reply("k5", expires_at=NOW),
        a_reply("k6", vector=b""),
        a_reply("k1", body=b"again"),
    )

    def keep(tx: Tx) -> None:
        put_all(lambda reply: tx.models.keep(ACME, reply), replies)
        tx.models.keep(OTHER, a_reply("k7"))

    await store.transact(keep)

    async def akin(tenant: TenantId, partition: str, limit: int = 9) -> list[str]:
        found = await store.read(lambda tx: tx.models.neighbours(tenant, partition, NOW, limit))
        return [reply.key for reply in found]

    assert await akin(ACME, "p1") == ["k1", "k2"]
    assert await akin(ACME, "p1", 1) == ["k1"]
    assert await akin(ACME, "") == []
    assert await akin(OTHER, "p1") == ["k7"]


async def test_expired_replies_go_a_few_at_a_time(store: Store) -> None:
    def keep(tx: Tx) -> None:
        put_all(lambda number: tx.models.keep(ACME, a_reply(f"k{number}", expires_at=NOW + number)), range(5))

    await store.transact(keep)
    assert await store.transact(lambda tx: tx.models.drop_expired(NOW + 3, 3)) == 3
    assert await store.transact(lambda tx: tx.models.drop_expired(NOW + 3, 3)) == 1
    assert await store.read(lambda tx: tx.models.cached(ACME, "k4", NOW)) is not None
