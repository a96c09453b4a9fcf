"""What is erased, what is held, and what is let go of, wherever it is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interlock.domain.audit import AuditKind
from interlock.domain.budgets import Balance
from interlock.domain.calls import CallStatus, ToolResult
from interlock.domain.errors import BadInput, Conflict, Erased, Forbidden, OnHold, UnknownRecord, UnknownRun
from interlock.domain.identity import Principal, Role
from interlock.domain.ids import AgentId, ModelCallId, RunId, TenantId, UserId
from interlock.domain.runs import RunState
from interlock.gateway.erasure import Eraser
from interlock.gateway.keeping_desk import KeepingDesk
from interlock.gateway.retention import Retention, Times
from interlock.gateway.store import Store, Tx
from interlock.models.ports import CachedReply
from interlock.runs.keeping import Erasure, HoldScope
from tests.contracts.model_samples import a_model_record
from tests.contracts.samples import ACME, ANNA, NOW, a_call, a_charge, a_key, a_record, a_run, an_approval

ADMIN = Principal(ANNA, ACME, frozenset({Role.ADMIN}))
AGENT_KEY = Principal(ANNA, ACME, frozenset({Role.OPERATOR}))
RUN, DAY = RunId("run-1"), 86_400_000
USER = UserId("u-7")


@dataclass(slots=True)
class Hands:
    """A clock that is set, and copies elsewhere that remember what they were told."""

    time: int = NOW + 2_000
    erased: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    expired: list[tuple[int, frozenset[str]]] = field(default_factory=list)
    left: int = 0
    near: frozenset[RunId] = frozenset()

    def now(self) -> int:
        return self.time

    async def erase(self, tenant: TenantId, *, user: str = "", runs: Sequence[RunId] = ()) -> int:
        assert tenant == ACME
        self.erased.append((user, tuple(runs)))
        return 3

    async def beside(self, tenant: TenantId, *, user: str = "", runs: Sequence[RunId] = ()) -> frozenset[RunId]:
        assert tenant == ACME
        return self.near

    async def expire(self, tenant: TenantId, before: int, keep_runs: frozenset[str], limit: int) -> int:
        assert tenant == ACME
        self.expired.append((before, keep_runs))
        gone, self.left = min(limit, self.left), max(0, self.left - limit)
        return gone


def a_desk(store: Store, hands: Hands) -> KeepingDesk:
    times = {ACME: Times(30 * DAY, 10 * DAY, 90 * DAY)}
    return KeepingDesk(store, hands, Eraser(store, hands, hands), Retention(store, hands, times, hands), None)


def said(tx: Tx, run: str = "run-1", user: str | None = USER, status: CallStatus = CallStatus.SUCCEEDED) -> None:
    """Leave words everywhere, in a run that is over."""
    tx.runs.open(a_run(run, user=user))
    key = a_key("call-1", run)
    tx.calls.insert(a_record(a_call(key, user=user), status=status, result=ToolResult({"long": "x" * 70_000})))
    tx.evidence.append(ACME, RunId(run), "user", "words", None)
    approval = an_approval(f"apr-{run}")
    tx.approvals.add(replace(approval, binding=replace(approval.binding, key=key)))
    tx.models.add(a_model_record(f"mc-{run}", call={"run": RunId(run), "user": user}))
    tx.models.keep(ACME, CachedReply(f"k-{run}", "", b"words", NOW + 9 * DAY, b"", user or "", run))
    tx.runs.end(ACME, RunId(run), RunState.CLOSED, NOW + 500, None)


async def test_an_erased_run_has_its_rows_and_sums_and_nothing_that_was_said(store: Store) -> None:
    await store.transact(said)
    before = await store.read(lambda tx: tx.models.spent(ACME, RUN))
    report = await a_desk(store, Hands()).erase(ADMIN, run=RUN, because="asked by mail")
    assert report.erased == Erasure(1, 1, 1, 1, 1, 1, 0, 3)
    run = await store.read(lambda tx: tx.runs.find(ACME, RUN))
    assert run is not None
    assert (run.user, run.labels, run.salt, run.erased_at) == (None, (), b"", NOW + 2_000)
    call = await store.read(lambda tx: tx.calls.find(a_key()))
    assert call is not None
    assert (call.erased, call.status, call.salt, call.arguments_hash) == (True, CallStatus.SUCCEEDED, b"", "")
    assert (dict(call.call.arguments), call.result, call.decision, call.call.reason) == ({}, None, {}, "")
    assert await store.read(lambda tx: tx.evidence.since(ACME, RUN, 0)) == ()
    with pytest.raises(Erased):
        await store.read(lambda tx: tx.approvals.find(an_approval("apr-run-1").id))
    model_call = await store.read(lambda tx: tx.models.find(ACME, ModelCallId("mc-run-1")))
    assert model_call is not None
    assert (model_call.erased, model_call.call.user, model_call.call.labels, model_call.events) == (True, None, (), ())
    assert model_call.cost_nano_usd == a_model_record().cost_nano_usd
    assert await store.read(lambda tx: tx.models.spent(ACME, RUN)) == before
    assert await store.read(lambda tx: tx.models.cached(ACME, "k-run-1", NOW)) is None


async def test_the_trail_tells_of_an_erasure_and_names_nobody(store: Store) -> None:
    await store.transact(said)
    report = await a_desk(store, Hands()).erase(ADMIN, user=USER, because="wanted by u-7")
    events = await store.read(lambda tx: tx.audit.search(ACME, subject=None, limit=9))
    assert [(event.kind, event.subject, event.actor) for event in events] == [
        (AuditKind.DATA_ERASED, report.id, ANNA),
        (AuditKind.DATA_ERASED, "run-1", ANNA),
    ]
    assert events[0].body["erased"] == {
        "runs": 1, "calls": 1, "model_calls": 1, "texts": 1, "approvals": 1, "replies": 1, "spans": 3,
    }  # fmt: skip
    assert "u-7" not in str(events)
    assert events[0].body["erasure"] == report.id
    assert len(report.receipt) == 64


async def test_a_user_is_erased_from_all_runs_from_what_stands_outside_them_and_from_budgets(store: Store) -> None:
    mine, theirs = "acme|a/day|user=u-7|ever", "acme|a/day|user=u-77|ever"

    def work(tx: Tx) -> None:
        said(tx, "run-1")
        said(tx, "run-2")
        said(tx, "run-3", "u-77")
        tx.models.add(a_model_record("mc-alone", call={"run": None}))
        for call, budget in (("c1", mine), ("c2", theirs)):
            tx.budgets.reserve(call, (a_charge(3, budget=budget),), NOW)
            tx.budgets.settle(call, lambda charge: charge.amount, NOW)

    await store.transact(work)
    hands = Hands()
    report = await a_desk(store, hands).erase(ADMIN, user=USER)
    assert report.runs == ("run-1", "run-2")
    assert hands.erased == [("u-7", ("run-1", "run-2"))]
    assert (report.erased.runs, report.erased.model_calls, report.erased.budgets) == (2, 3, 1)
    assert await store.read(lambda tx: tx.keeping.runs_of(ACME, USER)) == ()
    alone = await store.read(lambda tx: tx.models.find(ACME, ModelCallId("mc-alone")))
    assert alone is not None
    assert (alone.erased, alone.call.user) == (True, None)
    balances = await store.read(lambda tx: tx.budgets.balances("acme|"))
    assert [one.spent for one in balances] == [3, 3]
    assert not any("user=u-7|" in one.budget for one in balances)
    assert balances[-1].budget == theirs
    assert isinstance(balances[0], Balance)
    other = await store.read(lambda tx: tx.calls.find(a_key("call-1", "run-3")))
    assert other is not None
    assert not other.erased
    assert (await a_desk(store, hands).erase(ADMIN, user=USER)).runs == ()


async def test_a_budget_in_use_keeps_its_name_and_says_so(store: Store) -> None:
    await store.transact(lambda tx: tx.budgets.reserve("c1", (a_charge(3, budget="acme|a/day|user=u-7|ever"),), NOW))
    with pytest.raises(Conflict, match="in use"):
        await a_desk(store, Hands()).erase(ADMIN, user=USER)


async def test_what_is_open_or_not_settled_is_not_erased_and_nothing_else_either(store: Store) -> None:
    def work(tx: Tx) -> None:
        said(tx, "run-1")
        said(tx, "run-2", status=CallStatus.UNKNOWN)

    await store.transact(work)
    hands = Hands()
    with pytest.raises(Conflict, match="not settled"):
        await a_desk(store, hands).erase(ADMIN, user=USER)
    await store.transact(lambda tx: tx.runs.open(a_run("run-3", deadline=NOW + DAY)))
    with pytest.raises(Conflict, match="still make calls"):
        await a_desk(store, hands).erase(ADMIN, user=USER)
    assert hands.erased == []
    call = await store.read(lambda tx: tx.calls.find(a_key()))
    assert call is not None
    assert not call.erased
    with pytest.raises(UnknownRun):
        await a_desk(store, hands).erase(ADMIN, run=RunId("run-9"))


@pytest.mark.parametrize(
    ("scope", "name"),
    [(HoldScope.RUN, "run-1"), (HoldScope.USER, "u-7"), (HoldScope.AGENT, "refunds"), (HoldScope.TENANT, "")],
)
async def test_what_a_hold_covers_is_neither_erased_nor_let_go_of_until_it_is_lifted(
    store: Store, scope: HoldScope, name: str
) -> None:
    await store.transact(said)
    hands = Hands(left=2)
    desk = a_desk(store, hands)
    hold = await desk.place(ADMIN, scope, name, "matter 4711")
    for wanted in ({"user": USER}, {"run": RUN}):
        with pytest.raises(OnHold):
            await desk.erase(ADMIN, **wanted)
    hands.time += 400 * DAY
    await desk.sweep()
    call = await store.read(lambda tx: tx.calls.find(a_key()))
    assert call is not None
    assert not call.erased
    assert hands.expired == ([(hands.time - 10 * DAY, frozenset({"run-1"}))] if scope is HoldScope.RUN else [])
    assert await desk.holds(ADMIN) == (hold,)
    await desk.lift(ADMIN, hold.id)
    assert await desk.holds(ADMIN) == ()
    assert (await desk.erase(ADMIN, run=RUN)).erased.runs == 1
    with pytest.raises(UnknownRecord):
        await desk.lift(ADMIN, hold.id)


async def test_nothing_is_erased_where_a_run_of_the_same_trace_is_held(store: Store) -> None:
    await store.transact(said)
    await store.transact(lambda tx: said(tx, "run-2", user=UserId("neighbour")))
    hands = Hands(near=frozenset({RunId("run-2")}))
    desk = a_desk(store, hands)
    hold = await desk.place(ADMIN, HoldScope.RUN, "run-2", "matter 4711")
    for wanted in ({"user": USER}, {"run": RUN}):
        with pytest.raises(OnHold, match=hold.id):
            await desk.erase(ADMIN, **wanted)
    call = await store.read(lambda tx: tx.calls.find(a_key()))
    assert call is not None
    assert not call.erased
    assert hands.erased == []


async def test_a_hold_on_a_model_call_outside_runs_stops_the_erasure_of_its_user_before_it_begins(store: Store) -> None:
    def alone(tx: Tx) -> None:
        said(tx)
        tx.models.add(a_model_record("mc-alone", call={"run": None, "user": USER, "agent": AgentId("other")}))

    await store.transact(alone)
    hands = Hands()
    desk = a_desk(store, hands)
    await desk.place(ADMIN, HoldScope.AGENT, "other", "matter 4711")
    with pytest.raises(OnHold, match="model calls"):
        await desk.erase(ADMIN, user=USER)
    call = await store.read(lambda tx: tx.calls.find(a_key()))
    assert call is not None
    assert not call.erased
    assert hands.erased == []


async def test_holds_are_recorded_without_the_names_of_people(store: Store) -> None:
    desk = a_desk(store, Hands())
    hold = await desk.place(ADMIN, HoldScope.USER, "mira", "mira sues")
    await desk.lift(ADMIN, hold.id)
    events = await store.read(lambda tx: tx.audit.search(ACME, subject=hold.id, limit=9))
    assert [event.kind for event in events] == [AuditKind.HOLD_LIFTED, AuditKind.HOLD_PLACED]
    assert "mira" not in str(events)
    assert [one.name for one in await desk.holds(ADMIN, lifted=True)] == ["mira"]
    await desk.erase(ADMIN, user="mira")
    assert await desk.holds(ADMIN, lifted=True) == ()


async def test_words_go_when_their_time_is_over_and_whose_they_were_stays_known(store: Store) -> None:
    def work(tx: Tx) -> None:
        for each in range(45):
            said(tx, f"run-{each}")
        said(tx, "waits", status=CallStatus.UNKNOWN)
        tx.runs.open(a_run("open", opened_at=NOW, deadline=None))
        tx.runs.open(a_run("young", opened_at=NOW + 40 * DAY, deadline=NOW + 41 * DAY))
        tx.models.add(a_model_record("alone", call={"run": None}))

    await store.transact(work)
    hands = Hands(time=NOW + 45 * DAY, left=2_500)
    desk = a_desk(store, hands)
    due = await desk.due(ADMIN)
    assert (due.runs, due.holds) == (45, 0)
    await desk.sweep()
    assert (await desk.due(ADMIN)).runs == 0
    runs = {run.id: run for run in await store.read(lambda tx: tx.runs.latest(ACME, 99))}
    assert {id_ for id_, run in runs.items() if run.erased_at is None} == {"waits", "open", "young"}
    assert runs[RUN].user == USER
    events = [
        event.body
        for event in await store.read(lambda tx: tx.audit.search(ACME, subject="retention", limit=99))
        if event.kind is AuditKind.DATA_EXPIRED
    ]
    assert sorted(len(body["runs"]) for body in events if body["material"] == "bodies") == [5, 20, 20]
    assert [body["erased"] for body in events if body["material"] == "model_calls"] == [{"model_calls": 1}]
    assert [body["erased"] for body in events if body["material"] == "spans"] == [
        {"spans": 500}, {"spans": 1000}, {"spans": 1000},
    ]  # fmt: skip
    await desk.sweep()
    again = await store.read(lambda tx: tx.audit.search(ACME, subject="retention", limit=99))
    assert len(again) == len(events)


async def test_what_comes_after_the_erasure_of_its_run_is_erased_by_the_next_sweep(store: Store) -> None:
    await store.transact(said)
    hands = Hands()
    desk = a_desk(store, hands)
    await desk.erase(ADMIN, user=USER)

    def late(tx: Tx) -> None:
        tx.evidence.append(ACME, RUN, "seen", "words", None)
        tx.models.add(a_model_record("mc-late"))

    await store.transact(late)
    hands.time += 1_000
    await desk.sweep()
    assert await store.read(lambda tx: tx.evidence.since(ACME, RUN, 0)) == ()
    found = await store.read(lambda tx: tx.models.find(ACME, ModelCallId("mc-late")))
    assert found is not None
    assert (found.erased, found.call.user) == (True, None)


async def test_only_administrators_erase_and_hold(store: Store) -> None:
    desk = a_desk(store, Hands())
    for ask in (
        desk.erase(AGENT_KEY, user="x"),
        desk.place(AGENT_KEY, HoldScope.TENANT, "", "why"),
        desk.lift(AGENT_KEY, "hold"),
        desk.expire(AGENT_KEY),
        desk.destroy(AGENT_KEY, ACME, "why"),
        desk.rotate(AGENT_KEY),
    ):
        with pytest.raises(Forbidden):
            await ask
    for wrong in (
        desk.erase(ADMIN),
        desk.erase(ADMIN, user="x", run=RUN),
        desk.place(ADMIN, HoldScope.TENANT, "x", "why"),
        desk.place(ADMIN, HoldScope.USER, "", "why"),
        desk.place(ADMIN, HoldScope.TENANT, "", " "),
    ):
        with pytest.raises(BadInput):
            await wrong


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.booleans()), max_size=6, unique_by=lambda one: one[0])
)
def test_exactly_what_is_over_and_not_held_goes(
    desk: tuple[asyncio.Runner, Store], runs: list[tuple[str, bool, bool]]
) -> None:
    runner, store = desk
    hands = Hands(time=NOW + 100 * DAY)
    prefix = f"r{runner.run(store.read(lambda tx: len(tx.runs.latest(ACME, 9_999))))}-"

    async def scene() -> None:
        for name, old, held in runs:
            opened_at = NOW if old else NOW + 99 * DAY
            run = a_run(prefix + name, opened_at=opened_at, deadline=opened_at + 1)
            await store.transact(lambda tx, run=run: tx.runs.open(run))  # type: ignore[misc]
            if held:
                await a_desk(store, hands).place(ADMIN, HoldScope.RUN, prefix + name, "why")
        await a_desk(store, hands).sweep()
        found = {run.id: run.erased_at for run in await store.read(lambda tx: tx.runs.latest(ACME, 9_999))}
        for name, old, held in runs:
            assert (found[RunId(prefix + name)] is not None) is (old and not held)

    runner.run(scene())
