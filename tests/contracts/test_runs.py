"""Runs, heartbeats and evidence, wherever they are kept."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from interlock.domain.calls import CallStatus, ToolResult
from interlock.domain.errors import Conflict
from interlock.domain.ids import RunId
from interlock.domain.runs import RunOutcome, RunState
from interlock.gateway.store import Store, Tx
from tests.contracts.samples import ACME, NOW, OTHER, a_call, a_key, a_record, a_run, put_all

RUN = RunId("run-1")


async def test_a_run_is_found_as_it_was_opened(store: Store) -> None:
    bare = a_run("run-2", deadline=None, user=None, labels=())
    await store.transact(lambda tx: put_all(tx.runs.open, (a_run(), bare)))
    assert await store.read(lambda tx: tx.runs.find(ACME, RUN)) == a_run()
    assert await store.read(lambda tx: tx.runs.find(ACME, RunId("run-2"))) == bare


async def test_a_run_belongs_to_its_tenant(store: Store) -> None:
    await store.transact(lambda tx: tx.runs.open(a_run()))
    await store.transact(lambda tx: tx.runs.open(a_run(tenant=OTHER)))
    assert await store.read(lambda tx: tx.runs.latest(OTHER, 9)) == (a_run(tenant=OTHER),)


async def test_a_taken_run_id_is_a_conflict_and_changes_nothing(store: Store) -> None:
    await store.transact(lambda tx: tx.runs.open(a_run()))
    with pytest.raises(Conflict):
        await store.transact(lambda tx: tx.runs.open(a_run(user=None)))
    assert await store.read(lambda tx: tx.runs.find(ACME, RUN)) == a_run()


async def test_an_ended_run_stays_ended(store: Store) -> None:
    await store.transact(lambda tx: tx.runs.open(a_run()))
    assert await store.transact(lambda tx: tx.runs.end(ACME, RUN, RunState.STOPPED, NOW, None))
    assert not await store.transact(lambda tx: tx.runs.end(ACME, RUN, RunState.CLOSED, NOW + 1, RunOutcome.FAILED))
    assert not await store.transact(lambda tx: tx.runs.end(OTHER, RUN, RunState.CLOSED, NOW, None))
    assert not await store.transact(lambda tx: tx.runs.conclude(ACME, RUN, RunOutcome.SUCCEEDED))
    assert await store.read(lambda tx: tx.runs.find(ACME, RUN)) == a_run(state=RunState.STOPPED, ended_at=NOW)


async def test_what_came_of_a_run_is_said_once_with_its_end_or_after_it(store: Store) -> None:
    await store.transact(lambda tx: put_all(tx.runs.open, (a_run(), a_run("run-2"))))
    assert not await store.transact(lambda tx: tx.runs.conclude(ACME, RUN, RunOutcome.SUCCEEDED))
    await store.transact(lambda tx: tx.runs.end(ACME, RUN, RunState.CLOSED, NOW, None))
    await store.transact(lambda tx: tx.runs.end(ACME, RunId("run-2"), RunState.CLOSED, NOW, RunOutcome.PARTIAL))

    assert await store.transact(lambda tx: tx.runs.conclude(ACME, RUN, RunOutcome.ESCALATED))
    for said in (RUN, RunId("run-2")):
        assert not await store.transact(lambda tx, said=said: tx.runs.conclude(ACME, said, RunOutcome.FAILED))  # type: ignore[misc]
    outcomes = [run.outcome for run in await store.read(lambda tx: tx.runs.latest(ACME, 9))]
    assert outcomes == [RunOutcome.PARTIAL, RunOutcome.ESCALATED]


async def test_runs_that_nobody_closed_in_time_are_found(store: Store) -> None:
    runs = [a_run(f"run-{place}", deadline=NOW - place) for place in range(1, 5)]
    others = [a_run("late", deadline=NOW + 1), a_run("for-ever", deadline=None), a_run("done", deadline=NOW - 9)]
    await store.transact(lambda tx: put_all(tx.runs.open, (*runs, *others)))
    await store.transact(lambda tx: tx.runs.end(ACME, RunId("done"), RunState.CLOSED, NOW, None))

    found = await store.read(lambda tx: tx.runs.overdue(NOW, 3))

    assert {run.id for run in found} <= {run.id for run in runs}
    assert len(found) == 3


async def test_successes_are_counted_when_their_run_ended(store: Store) -> None:
    day = 86_400_000
    ends = (
        (a_run("run-1"), NOW, RunOutcome.SUCCEEDED),
        (a_run("run-2", agent="triage", user=None), NOW + day, RunOutcome.SUCCEEDED),
        (a_run("run-3"), NOW + 1, RunOutcome.PARTIAL),
        (a_run("run-4"), NOW + 1, None),
        (a_run("run-5"), NOW + 2 * day, RunOutcome.SUCCEEDED),
        (a_run("run-6", tenant=OTHER), NOW, RunOutcome.SUCCEEDED),
    )

    def work(tx: Tx) -> None:
        for run, at, outcome in ends:
            tx.runs.open(run)
            tx.runs.end(run.tenant, run.id, RunState.CLOSED, at, outcome)

    await store.transact(work)

    async def counted(by: str) -> dict[str, int]:
        return dict(await store.read(lambda tx: tx.runs.successes(ACME, by=by, since=NOW, until=NOW + 2 * day)))

    assert await counted("run") == {"run-1": 1, "run-2": 1}
    assert await counted("agent") == {"refunds": 1, "triage": 1}
    assert await counted("user") == {"u-7": 1, "": 1}
    assert await counted("tenant") == {"acme": 2}
    assert await counted("day") == {"2027-01-15": 1, "2027-01-16": 1}
    with pytest.raises(ValueError, match="colour"):
        await counted("colour")


async def test_the_newest_runs_come_first(store: Store) -> None:
    for number in range(4):
        await store.transact(lambda tx, number=number: tx.runs.open(a_run(f"run-{number}")))  # type: ignore[misc]
    assert [run.id for run in await store.read(lambda tx: tx.runs.latest(ACME, 2))] == ["run-3", "run-2"]


async def test_only_owners_heard_of_since_are_alive(store: Store) -> None:
    def work(tx: Tx) -> None:
        tx.heartbeats.beat("gate-1", NOW)
        tx.heartbeats.beat("gate-2", NOW)
        tx.heartbeats.beat("gate-2", NOW + 10)

    await store.transact(work)
    assert await store.read(lambda tx: tx.heartbeats.alive(NOW)) == {"gate-1", "gate-2"}
    assert await store.read(lambda tx: tx.heartbeats.alive(NOW + 1)) == {"gate-2"}


async def test_evidence_comes_back_in_order_with_the_records_of_its_calls(store: Store) -> None:
    record = a_record(a_call(a_key("call-9")), status=CallStatus.SUCCEEDED, result=ToolResult({"rows": [1]}))

    def work(tx: Tx) -> list[int]:
        tx.calls.insert(record)
        return [
            tx.evidence.append(ACME, RUN, "system", "Be kind.", None),
            tx.evidence.append(ACME, RUN, "user", "Zoë's refund \U0001f600", None),
            tx.evidence.append(ACME, RUN, "tool_result", "", record.call.key.call),
            tx.evidence.append(ACME, RunId("run-2"), "user", "another run", None),
            tx.evidence.append(OTHER, RUN, "user", "another tenant", None),
        ]

    seqs = await store.transact(work)
    assert seqs[0] >= 1
    assert seqs[:3] == sorted(set(seqs[:3]))
    rows = await store.read(lambda tx: tx.evidence.since(ACME, RUN, 0))
    assert [(row.kind, row.body, row.call) for row, _ in rows] == [
        ("system", "Be kind.", None),
        ("user", "Zoë's refund \U0001f600", None),
        ("tool_result", "", "call-9"),
    ]
    assert [joined for _, joined in rows] == [None, None, record]
    assert await store.read(lambda tx: tx.evidence.since(ACME, RUN, seqs[1])) == rows[2:]


async def test_a_reader_that_remembers_its_place_misses_no_evidence(store: Store) -> None:
    """The trap: a row that gets the lower number and commits later."""
    seen: list[str] = []
    last = 0
    writing = [
        asyncio.ensure_future(store.transact(lambda tx, n=n: tx.evidence.append(ACME, RUN, "user", str(n), None)))  # type: ignore[misc]
        for n in range(60)
    ]
    while not all(task.done() for task in writing):
        for row, _ in await store.read(lambda tx, last=last: tx.evidence.since(ACME, RUN, last)):  # type: ignore[misc]
            seen.append(row.body)
            last = row.seq
        await asyncio.sleep(0)
    seen += [row.body for row, _ in await store.read(lambda tx: tx.evidence.since(ACME, RUN, last))]
    assert sorted(seen, key=int) == [str(n) for n in range(60)]


async def test_evidence_shows_the_call_as_it_stands_now(store: Store) -> None:
    pending = a_record(status=CallStatus.EXECUTING, attempt=1)
    done = replace(pending, status=CallStatus.SUCCEEDED, result=ToolResult("ok"))

    def work(tx: Tx) -> None:
        tx.calls.insert(pending)
        tx.evidence.append(ACME, RUN, "tool_result", "", pending.call.key.call)

    await store.transact(work)
    await store.transact(lambda tx: tx.calls.advance(done, since=CallStatus.EXECUTING, attempt=1))
    assert await store.read(lambda tx: [joined for _, joined in tx.evidence.since(ACME, RUN, 0)]) == [done]
