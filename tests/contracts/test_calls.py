"""INVARIANT I3: a call id has one outcome, wherever the journal is kept."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from interlock.domain.calls import CallStatus, Failure, ToolResult
from interlock.domain.ids import AgentId, ApprovalId, RunId, ToolName
from interlock.gateway.store import Store, Tx
from interlock.runs.ports import CallFilter
from tests.contracts.samples import ACME, NOW, OTHER, a_call, a_key, a_record


async def test_a_record_comes_back_as_it_was_written(store: Store) -> None:
    bare = a_record(
        a_call(
            a_key("bare"), user=None, reason="", proposal=None, constraints=(), requires_approval=False, arguments={}
        )
    )
    full = a_record(
        status=CallStatus.WITHHELD,
        attempt=3,
        owner="gate-1",
        approval=ApprovalId("apr-1"),
        idempotency_key="k-1",
        result=ToolResult({"rows": [1, 2.5, None]}, is_error=True, redacted=("email", "card")),
        failure=Failure("bad_tool_result", "It broke its contract", "no id", "Ask its owner"),
        extras={"retries": 2, "ms": [1, 2]},
    )
    nothing = a_record(a_call(a_key("null")), result=ToolResult(None))
    for record in (bare, full, nothing):
        assert await store.transact(lambda tx, record=record: tx.calls.insert(record))  # type: ignore[misc]
        assert await store.read(lambda tx, record=record: tx.calls.find(record.call.key)) == record  # type: ignore[misc]
    assert await store.read(lambda tx: tx.calls.find(a_key("absent"))) is None


@pytest.mark.parametrize("size", [64 * 1024 - 12, 64 * 1024, 1 << 20])
async def test_large_bodies_come_back_whole(store: Store, size: int) -> None:
    record = a_record(a_call(arguments={"text": "a" * size}), status=CallStatus.EXECUTING)
    done = replace(record, status=CallStatus.SUCCEEDED, result=ToolResult("b" * size))
    await store.transact(lambda tx: tx.calls.insert(record))
    assert await store.read(lambda tx: tx.calls.find(record.call.key)) == record
    await store.transact(lambda tx: tx.calls.advance(done, since=CallStatus.EXECUTING, attempt=0))
    assert await store.read(lambda tx: tx.calls.find(record.call.key)) == done


async def test_the_second_of_two_equal_keys_is_refused(store: Store) -> None:
    first, second = a_record(), a_record(a_call(arguments={"amount": 1}))
    assert await store.transact(lambda tx: tx.calls.insert(first))
    assert not await store.transact(lambda tx: tx.calls.insert(second))
    assert await store.read(lambda tx: tx.calls.find(a_key())) == first


async def test_a_record_moves_only_from_where_it_was_seen(store: Store) -> None:
    record = a_record(status=CallStatus.EXECUTING, attempt=2)
    done = replace(record, status=CallStatus.SUCCEEDED, updated_at=NOW + 9, result=ToolResult("ok"))
    await store.transact(lambda tx: tx.calls.insert(record))
    assert not await store.transact(lambda tx: tx.calls.advance(done, since=CallStatus.PENDING, attempt=2))
    assert not await store.transact(lambda tx: tx.calls.advance(done, since=CallStatus.EXECUTING, attempt=1))
    assert await store.transact(lambda tx: tx.calls.advance(done, since=CallStatus.EXECUTING, attempt=2))
    assert not await store.transact(lambda tx: tx.calls.advance(done, since=CallStatus.EXECUTING, attempt=2))
    assert await store.read(lambda tx: tx.calls.find(a_key())) == done


async def test_progress_never_changes_what_was_proposed(store: Store) -> None:
    record = a_record(status=CallStatus.PENDING)
    other = a_record(
        a_call(arguments={"amount": 9_999}, reason="forged"), status=CallStatus.EXECUTING, salt=b"x" * 32, created_at=1
    )
    await store.transact(lambda tx: tx.calls.insert(record))
    await store.transact(lambda tx: tx.calls.advance(other, since=CallStatus.PENDING, attempt=0))
    kept = await store.read(lambda tx: tx.calls.find(a_key()))
    assert kept == replace(record, status=CallStatus.EXECUTING)


async def test_of_many_that_settle_a_call_one_wins(store: Store) -> None:
    record = a_record(status=CallStatus.EXECUTING, attempt=1)
    await store.transact(lambda tx: tx.calls.insert(record))

    async def settle(number: int) -> bool:
        done = replace(record, status=CallStatus.SUCCEEDED, result=ToolResult(number))

        def work(tx: Tx) -> bool:
            found = tx.calls.find(record.call.key)
            return found is not None and tx.calls.advance(done, since=CallStatus.EXECUTING, attempt=1)

        return await store.transact(work)

    won = await asyncio.gather(*(settle(number) for number in range(20)))
    assert won.count(True) == 1
    kept = await store.read(lambda tx: tx.calls.find(a_key()))
    assert kept is not None
    assert kept.result == ToolResult(won.index(True))


async def test_of_many_that_insert_a_call_one_wins(store: Store) -> None:
    async def insert(number: int) -> bool:
        record = a_record(a_call(reason=str(number)))

        def work(tx: Tx) -> bool:
            return tx.calls.find(record.call.key) is None and tx.calls.insert(record)

        return await store.transact(work)

    won = await asyncio.gather(*(insert(number) for number in range(20)))
    assert won.count(True) == 1


def _filled(tx: Tx) -> None:
    statuses = list(CallStatus)
    for number, status in enumerate(statuses):
        run = "run-1" if number % 2 else "run-2"
        call = a_call(a_key(f"c{number}", run), agent=AgentId(f"a{number % 3}"), tool=ToolName(f"t{number % 2}"))
        tx.calls.insert(a_record(call, status=status, owner=f"gate-{number % 2}"))
    tx.calls.insert(a_record(a_call(a_key("x", tenant=OTHER)), status=CallStatus.EXECUTING, owner="gate-9"))


EXECUTING = frozenset({CallStatus.EXECUTING})


@pytest.mark.parametrize(
    "query",
    [
        CallFilter(ACME),
        CallFilter(ACME, limit=3),
        CallFilter(ACME, run=RunId("run-1")),
        CallFilter(ACME, run=RunId("run-1"), tool=ToolName("t1"), statuses=EXECUTING | {CallStatus.PENDING}),
        CallFilter(ACME, agent=AgentId("a1")),
        CallFilter(ACME, tool=ToolName("t0"), agent=AgentId("a2")),
        CallFilter(ACME, statuses=EXECUTING),
        CallFilter(ACME, statuses=frozenset()),
        CallFilter(ACME, statuses=frozenset({CallStatus.SUCCEEDED, CallStatus.UNKNOWN})),
        CallFilter(statuses=EXECUTING, owners_other_than=frozenset({"gate-0"})),
        CallFilter(statuses=EXECUTING, owners_other_than=frozenset()),
        CallFilter(owners_other_than=frozenset({"gate-0", "gate-1"})),
        CallFilter(run=RunId("run-1")),
        CallFilter(OTHER, run=RunId("run-1"), limit=0),
    ],
)
async def test_search_gives_exactly_what_matches_newest_first(store: Store, query: CallFilter) -> None:
    await store.transact(_filled)

    def expected(tx: Tx) -> list[str]:
        rows = tx.calls.search(CallFilter(limit=99))
        found = [
            row
            for row in rows
            if query.tenant in (None, row.call.key.tenant)
            and query.run in (None, row.call.key.run)
            and query.agent in (None, row.call.agent)
            and query.tool in (None, row.call.tool)
            and (query.statuses is None or row.status in query.statuses)
            and (query.owners_other_than is None or row.owner not in query.owners_other_than)
        ]
        return [str(row.call.key) for row in found][: query.limit]

    assert len(await store.read(lambda tx: tx.calls.search(CallFilter(limit=99)))) == len(CallStatus) + 1
    found = [str(row.call.key) for row in await store.read(lambda tx: tx.calls.search(query))]
    assert found == await store.read(expected)
