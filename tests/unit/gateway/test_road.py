"""The road of a tool call, from proposal to settlement."""

import asyncio
from collections.abc import Callable, Mapping
from typing import TypeVar

import pytest

from interlock.adapters.memory import MemoryStore
from interlock.approvals.ports import ApprovalFilter
from interlock.domain.approvals import ApprovalState, Verdict
from interlock.domain.brakes import BrakeTarget
from interlock.domain.budgets import Limit, Measure, Scope
from interlock.domain.calls import CallKey, CallStatus
from interlock.domain.contracts import ToolContract
from interlock.domain.errors import (
    ApprovalClosed,
    BadInput,
    CallIdReused,
    CallInProgress,
    ConfigurationError,
    Forbidden,
    OutcomeUnknown,
    StoreUnavailable,
    ToolUnavailable,
    UnknownRun,
)
from interlock.domain.ids import ApprovalId, CallId, ToolName
from interlock.domain.runs import RunState
from interlock.gateway.admission import ALIVE_MS
from interlock.gateway.ports import Delivery, Invocation, RawAnswer
from interlock.gateway.publisher import Declaration, Publisher
from interlock.gateway.store import Tx
from interlock.policy.ports import PolicyEngine
from interlock.tools.offers import Offer
from tests.kits.gate import AGENT, ANNA, BEN, OPERATOR, TENANT, Kit, a_kit, a_policy, shop_overlays

T = TypeVar("T")


async def test_a_read_goes_straight_through_and_is_recorded() -> None:
    kit = await a_kit()
    await kit.open()
    answer = await kit.call("orders.read", "c1", order_id="o-1")
    assert answer.status is CallStatus.SUCCEEDED
    assert answer.result is not None
    assert answer.result.content == {"ok": True, "operation": "orders.read"}
    kinds = [
        event.kind.value for event in await kit.store.read(lambda tx: tx.audit.search(TENANT, subject=None, limit=9))
    ]
    assert kinds[:2] == ["call.settled", "call.decided"]


async def test_the_same_call_id_gets_the_recorded_outcome_and_acts_once() -> None:
    kit = await a_kit()
    await kit.open()
    first = await kit.call("notes.add", "c1", text="hello")
    again = await kit.call("notes.add", "c1", text="hello")
    assert (first.status, first.result) == (again.status, again.result)
    assert len(kit.shop.effects) == 1


async def test_a_call_id_cannot_stand_for_two_calls() -> None:
    kit = await a_kit()
    await kit.open()
    await kit.call("notes.add", "c1", text="hello")
    with pytest.raises(CallIdReused):
        await kit.call("notes.add", "c1", text="other")
    assert len(kit.shop.effects) == 1


async def test_a_tool_outside_the_allowlist_is_denied_and_the_attempt_recorded() -> None:
    kit = await a_kit(a_policy(tools=frozenset({"orders.read"})))
    await kit.open()
    answer = await kit.call("notes.add", "c1", text="hello")
    assert answer.status is CallStatus.DENIED
    assert answer.failure is not None
    assert answer.failure.code == "unknown_tool"
    assert kit.shop.effects == []
    assert (await kit.runs.call(OPERATOR, kit.run, CallId("c1"))).status is CallStatus.DENIED


async def test_arguments_that_do_not_fit_are_denied_without_echoing_them() -> None:
    kit = await a_kit()
    await kit.open()
    answer = await kit.call("payments.refund", "c1", charge_id="ch_1", amount_usd="hunter2")
    assert answer.failure is not None
    assert answer.failure.code == "invalid_arguments"
    assert "hunter2" not in f"{answer.failure}"


async def test_a_run_of_another_agent_or_tenant_does_not_exist() -> None:
    kit = await a_kit()
    await kit.open()
    kit.run = type(kit.run)("run_other")
    with pytest.raises(UnknownRun):
        await kit.call("orders.read", "c1", order_id="o-1")


async def test_people_do_not_propose_calls() -> None:
    kit = await a_kit()
    await kit.open()
    request = kit.request("orders.read", "c1", order_id="o-1")
    with pytest.raises(Forbidden):
        await kit.gate.call(type(request)(OPERATOR, request.run, request.tool, request.arguments, request.call))


async def test_a_limit_stops_the_call_that_would_pass_it() -> None:
    limit = Limit("refunds_per_run", Measure.MONEY, Scope.RUN, 5_000, currency="USD")
    kit = await a_kit(a_policy(limits=(limit,)))
    await kit.open()
    assert (await kit.call("payments.refund", "c1", charge_id="ch_1", amount_usd=30)).status is CallStatus.SUCCEEDED
    over = await kit.call("payments.refund", "c2", charge_id="ch_2", amount_usd=20.01)
    assert over.failure is not None
    assert over.failure.code == "budget_exceeded"
    assert (await kit.call("payments.refund", "c3", charge_id="ch_3", amount_usd=20)).status is CallStatus.SUCCEEDED
    (balance,) = await kit.store.read(lambda tx: tx.budgets.balances("acme"))
    assert (balance.spent, balance.held) == (5_000, 0)


async def test_money_of_a_failed_call_comes_back_and_the_call_is_counted() -> None:
    limits = (
        Limit("money", Measure.MONEY, Scope.RUN, 5_000, currency="USD"),
        Limit("calls", Measure.CALLS, Scope.RUN, 5),
    )
    kit = await a_kit(a_policy(limits=limits))
    await kit.open()
    kit.shop.answers["payments.refund"] = lambda _: RawAnswer(
        Delivery.ANSWERED, {"error": "no such charge"}, is_error=True
    )
    answer = await kit.call("payments.refund", "c1", charge_id="ch_1", amount_usd=30)
    assert answer.status is CallStatus.FAILED
    spent = {
        one.budget.split("|")[1]: (one.spent, one.held)
        for one in await kit.store.read(lambda tx: tx.budgets.balances(""))
    }
    assert spent == {"agent:refunds/money": (0, 0), "agent:refunds/calls": (1, 0)}


async def test_a_lost_reply_of_a_tool_with_keys_is_asked_again_with_the_same_key() -> None:
    kit = await a_kit()
    await kit.open()
    replies = [kit.shop.then_lose, kit.shop.then_lose, kit.shop.do]
    kit.shop.answers["payments.refund"] = lambda one: replies.pop(0)(one)  # noqa: PLW0108 - pops at each call
    answer = await kit.call("payments.refund", "c1", charge_id="ch_1", amount_usd=5)
    assert answer.status is CallStatus.SUCCEEDED
    assert len(kit.shop.invocations) == 3
    assert len({one.idempotency_key for one in kit.shop.invocations}) == 1
    assert len(kit.shop.effects) == 1


async def test_a_lost_reply_of_a_tool_without_keys_is_unknown_and_never_repeated() -> None:
    kit = await a_kit()
    await kit.open()
    kit.shop.answers["notes.add"] = kit.shop.then_lose
    answer = await kit.call("notes.add", "c1", text="hello")
    assert answer.status is CallStatus.UNKNOWN
    assert (await kit.call("notes.add", "c1", text="hello")).status is CallStatus.UNKNOWN
    assert len(kit.shop.invocations) == 1
    assert [one.kind for one in kit.told.notices] == ["outcome_unknown"]


async def test_an_unknown_outcome_keeps_its_money_until_a_person_resolves_it() -> None:
    limit = Limit("money", Measure.MONEY, Scope.RUN, 5_000, currency="USD")
    kit = await a_kit(a_policy(limits=(limit,)))
    await kit.open()
    kit.shop.answers["payments.refund"] = lambda _: RawAnswer(Delivery.UNCERTAIN, detail="gone")
    assert (await kit.call("payments.refund", "c1", charge_id="ch", amount_usd=30)).status is CallStatus.UNKNOWN
    (before,) = await kit.store.read(lambda tx: tx.budgets.balances("acme"))
    assert (before.spent, before.held) == (0, 3_000)
    with pytest.raises(Forbidden):
        await kit.runs.resolve(AGENT, kit.run, CallId("c1"), happened=False, note="said so")
    with pytest.raises(BadInput):
        await kit.runs.resolve(OPERATOR, kit.run, CallId("c1"), happened=False, note=" ")
    await kit.runs.resolve(OPERATOR, kit.run, CallId("c1"), happened=False, note="not in the ledger")
    (after,) = await kit.store.read(lambda tx: tx.budgets.balances("acme"))
    assert (after.spent, after.held) == (0, 0)


async def pending(kit: Kit, call: str = "c1") -> ApprovalId:
    answer = await kit.call("mail.send", call, to=["a@example.org"], body="hi")
    assert answer.status is CallStatus.PENDING
    assert answer.approval is not None
    return answer.approval


async def test_an_approved_call_runs_when_it_is_asked_again_and_only_once() -> None:
    kit = await a_kit()
    await kit.open("Write hi to a@example.org")
    approval = await pending(kit)
    assert await pending(kit) == approval
    await kit.approvals.answer(ANNA, approval, Verdict.APPROVE, "fine")
    assert kit.shop.effects == []
    assert (await kit.call("mail.send", "c1", to=["a@example.org"], body="hi")).status is CallStatus.SUCCEEDED
    assert (await kit.call("mail.send", "c1", to=["a@example.org"], body="hi")).status is CallStatus.SUCCEEDED
    assert len(kit.shop.effects) == 1
    assert (await kit.approvals.find(ANNA, approval)).state is ApprovalState.USED
    assert await pending(kit, "c2") != approval


async def test_a_client_without_call_ids_finds_its_waiting_call_by_its_arguments() -> None:
    kit = await a_kit()
    await kit.open("Write hi to a@example.org")
    first = await kit.call("mail.send", None, to=["a@example.org"], body="hi")
    again = await kit.call("mail.send", None, to=["a@example.org"], body="hi")
    assert first.approval == again.approval
    assert first.approval is not None
    await kit.approvals.answer(ANNA, first.approval, Verdict.APPROVE, "")
    assert (await kit.call("mail.send", None, to=["a@example.org"], body="hi")).status is CallStatus.SUCCEEDED


async def test_a_denied_call_stays_denied() -> None:
    kit = await a_kit()
    await kit.open("Write hi to a@example.org")
    approval = await pending(kit)
    await kit.approvals.answer(ANNA, approval, Verdict.DENY, "not today")
    answer = await kit.call("mail.send", "c1", to=["a@example.org"], body="hi")
    assert answer.status is CallStatus.DENIED
    assert answer.failure is not None
    assert (answer.failure.code, answer.failure.why) == ("approval_denied", "not today")
    with pytest.raises(ApprovalClosed):
        await kit.approvals.answer(BEN, approval, Verdict.APPROVE, "")


async def test_tier_four_needs_two_people_with_reasons() -> None:
    kit = await a_kit()
    await kit.open("Delete account acc-1")
    approval = (await kit.call("accounts.delete", "c1", account_id="acc-1")).approval
    assert approval is not None
    with pytest.raises(BadInput):
        await kit.approvals.answer(ANNA, approval, Verdict.APPROVE, "  ")
    await kit.approvals.answer(ANNA, approval, Verdict.APPROVE, "customer asked in writing")
    assert (await kit.call("accounts.delete", "c1", account_id="acc-1")).status is CallStatus.PENDING
    with pytest.raises(Forbidden):
        await kit.approvals.answer(ANNA, approval, Verdict.APPROVE, "again")
    await kit.approvals.answer(BEN, approval, Verdict.APPROVE, "checked the mail")
    assert (await kit.call("accounts.delete", "c1", account_id="acc-1")).status is CallStatus.SUCCEEDED


async def test_an_approval_expires_and_escalates_once() -> None:
    kit = await a_kit()
    await kit.open("Write hi to a@example.org")
    approval = await pending(kit)
    kit.clock.time += 4 * 3600 * 1000
    assert await kit.approvals.sweep() == 1
    assert await kit.approvals.sweep() == 0
    assert [one.kind for one in kit.told.notices] == ["approval_requested", "approval_overdue"]
    kit.clock.time += 21 * 3600 * 1000
    await kit.approvals.sweep()
    assert (await kit.approvals.find(ANNA, approval)).state is ApprovalState.EXPIRED
    record = await kit.runs.call(OPERATOR, kit.run, CallId("c1"))
    assert record.failure is not None
    assert record.failure.code == "approval_expired"


async def test_a_grant_is_void_when_the_policy_changed_meanwhile() -> None:
    kit = await a_kit()
    await kit.open("Write hi to a@example.org")
    approval = await pending(kit)
    await kit.approvals.answer(ANNA, approval, Verdict.APPROVE, "")
    other = await a_kit(a_policy(version="v2"), store=kit.store, shop=kit.shop, clock=kit.clock)
    other.run = kit.run
    answer = await other.call("mail.send", "c1", to=["a@example.org"], body="hi")
    assert answer.status is CallStatus.PENDING
    assert answer.approval != approval
    assert (await kit.approvals.find(ANNA, approval)).state is ApprovalState.VOID


async def test_an_edit_closes_the_original_and_is_decided_from_the_start() -> None:
    kit = await a_kit()
    await kit.open("Write hi to a@example.org")
    approval = await pending(kit)
    edited = await kit.approvals.edit(ANNA, approval, {"to": ["a@example.org"], "body": "hello"}, "kinder")
    answer = await kit.gate.repeat(ANNA, edited)
    assert answer.status is CallStatus.PENDING
    assert answer.approval is not None
    with pytest.raises(Forbidden):
        await kit.approvals.answer(ANNA, answer.approval, Verdict.APPROVE, "")
    await kit.approvals.answer(BEN, answer.approval, Verdict.APPROVE, "")
    assert (await kit.gate.repeat(ANNA, edited)).status is CallStatus.SUCCEEDED
    assert kit.shop.invocations[-1].arguments == {"to": ["a@example.org"], "body": "hello"}
    original = await kit.call("mail.send", "c1", to=["a@example.org"], body="hi")
    assert original.failure is not None
    assert original.failure.code == "approval_edited"


async def test_a_brake_stops_writes_at_once_and_reads_go_on() -> None:
    kit = await a_kit()
    await kit.open()
    await kit.brake(BrakeTarget.WRITES)
    assert (await kit.call("orders.read", "c1", order_id="o-1")).status is CallStatus.SUCCEEDED
    answer = await kit.call("notes.add", "c2", text="hello")
    assert answer.failure is not None
    assert answer.failure.code == "braked"
    (brake,) = await kit.brakes.status(OPERATOR)
    await kit.brakes.off(OPERATOR, brake.id)
    assert (await kit.call("notes.add", "c3", text="hello")).status is CallStatus.SUCCEEDED


async def test_a_dry_run_decides_everything_and_executes_nothing() -> None:
    kit = await a_kit()
    await kit.open()
    request = kit.request("notes.add", "c1", text="hello")
    answer = await kit.gate.call(
        type(request)(AGENT, kit.run, request.tool, request.arguments, request.call, dry_run=True)
    )
    assert answer.status is CallStatus.SIMULATED
    assert kit.shop.invocations == []


async def test_a_result_that_breaks_its_contract_is_withheld_and_its_cost_stays() -> None:
    limit = Limit("calls", Measure.CALLS, Scope.RUN, 5)
    kit = await a_kit(a_policy(limits=(limit,)))
    await kit.open()
    kit.shop.answers["orders.read"] = lambda _: RawAnswer(Delivery.ANSWERED, "x" * 2_000_000)
    answer = await kit.call("orders.read", "c1", order_id="o-1")
    assert answer.status is CallStatus.WITHHELD
    assert answer.result is None
    (balance,) = await kit.store.read(lambda tx: tx.budgets.balances("acme"))
    assert balance.spent == 1


async def orphan(kit: Kit, tool: str, **arguments: object) -> None:
    """Leave a call behind as a process that died in the middle of it would."""
    request = kit.request(tool, "c1", **arguments)

    class Died(BaseException):
        pass

    async def die(record: object, outcome: object) -> None:
        raise Died

    kit.gate._settle = die  # type: ignore[method-assign,assignment]
    with pytest.raises(Died):
        await kit.gate.call(request)


async def test_while_its_process_lives_a_call_under_way_is_left_alone() -> None:
    dead = await a_kit()
    await dead.open()
    await orphan(dead, "notes.add", text="hello")
    heir = await a_kit(store=dead.store, shop=dead.shop, owner="gw-2", clock=dead.clock)
    heir.run = dead.run
    with pytest.raises(CallInProgress):
        await heir.call("notes.add", "c1", text="hello")


@pytest.mark.parametrize("asked_again", [True, False])
async def test_a_call_of_a_dead_process_without_keys_becomes_unknown(*, asked_again: bool) -> None:
    dead = await a_kit()
    await dead.open()
    await orphan(dead, "notes.add", text="hello")
    dead.clock.time += ALIVE_MS + 1
    heir = await a_kit(store=dead.store, shop=dead.shop, owner="gw-2", clock=dead.clock)
    heir.run = dead.run
    if asked_again:
        await heir.call("notes.add", "c1", text="hello")
    assert (await heir.runs.call(OPERATOR, dead.run, CallId("c1"))).status is CallStatus.UNKNOWN
    assert len(dead.shop.effects) == 1


async def test_a_call_of_a_dead_process_with_keys_is_finished_under_the_same_key() -> None:
    dead = await a_kit()
    await dead.open()
    await orphan(dead, "payments.refund", charge_id="ch", amount_usd=5)
    dead.clock.time += ALIVE_MS + 1
    heir = await a_kit(store=dead.store, shop=dead.shop, owner="gw-2", clock=dead.clock)
    heir.run = dead.run
    answer = await heir.call("payments.refund", "c1", charge_id="ch", amount_usd=5)
    assert answer.status is CallStatus.SUCCEEDED
    assert len(dead.shop.effects) == 1
    assert len(dead.shop.invocations) == 2


async def test_an_approved_call_of_a_dead_process_is_not_made_twice_on_one_grant() -> None:
    dead = await a_kit()
    await dead.open("Write hi to a@example.org")
    approval = await pending(dead)
    await dead.approvals.answer(ANNA, approval, Verdict.APPROVE, "")
    await orphan(dead, "mail.send", to=["a@example.org"], body="hi")
    dead.clock.time += ALIVE_MS + 1
    heir = await a_kit(store=dead.store, shop=dead.shop, owner="gw-2", clock=dead.clock)
    heir.run = dead.run
    answer = await heir.call("mail.send", "c1", to=["a@example.org"], body="hi")
    assert answer.status is CallStatus.UNKNOWN
    assert len(dead.shop.effects) == 1


async def test_every_recorded_call_names_its_commitments_and_no_payload_in_the_trail() -> None:
    kit = await a_kit()
    await kit.open()
    await kit.call("notes.add", "c1", text="the customer's secret wish")
    events = await kit.store.read(lambda tx: tx.audit.search(TENANT, subject=None, limit=99))
    assert not any("secret wish" in str(event.body) for event in events)
    key = str(CallKey(TENANT, kit.run, CallId("c1")))
    assert [event.kind.value for event in events if event.subject == key] == ["call.settled", "call.decided"]
    assert await kit.store.read(lambda tx: tx.approvals.search(ApprovalFilter())) == ()


class FlakyStore(MemoryStore):
    """A store that can be away for a while."""

    away = False

    async def transact(self, work: Callable[[Tx], T]) -> T:
        if self.away:
            raise StoreUnavailable("The store is away")
        return await super().transact(work)


async def test_a_store_that_is_away_before_the_call_means_that_nothing_happens() -> None:
    store = FlakyStore()
    kit = await a_kit(store=store)
    await kit.open()
    store.away = True
    with pytest.raises(StoreUnavailable):
        await kit.call("notes.add", "c1", text="hello")
    assert kit.shop.invocations == []


async def test_a_store_that_goes_away_during_the_call_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interlock.gateway.tool_call._PATIENCE_S", 0.05)
    store = FlakyStore()
    kit = await a_kit(store=store)
    await kit.open()

    def away(invocation: Invocation) -> RawAnswer:
        store.away = True
        return kit.shop.do(invocation)

    kit.shop.answers["notes.add"] = away
    with pytest.raises(OutcomeUnknown):
        await kit.call("notes.add", "c1", text="hello")
    store.away = False
    await kit.gate.finish()
    assert (await kit.call("notes.add", "c1", text="hello")).status is CallStatus.SUCCEEDED
    assert len(kit.shop.effects) == 1


async def test_a_caller_that_hangs_up_does_not_stop_its_call() -> None:
    kit = await a_kit()
    await kit.open()
    task = asyncio.create_task(kit.call("notes.add", "c1", text="hello"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await kit.gate.finish()
    assert (await kit.runs.call(OPERATOR, kit.run, CallId("c1"))).status is CallStatus.SUCCEEDED


async def test_policies_that_wait_for_an_absent_upstream_allow_nothing() -> None:
    class Away:
        name = "crm"

        async def offers(self) -> tuple[Offer, ...]:
            raise ToolUnavailable("The CRM is away")

    def engines(contracts: Mapping[ToolName, ToolContract]) -> tuple[PolicyEngine, ...]:
        raise ConfigurationError("The policy names crm.read, which is no tool")

    kit = await a_kit()
    declaration = Declaration(TENANT, (kit.agent,), shop_overlays())
    publisher = Publisher(kit.store, (kit.shop, Away()), declaration, {}, engines, kit.clock)
    await publisher.refresh()
    assert any("crm" in problem for problem in publisher.problems)
    kit.gate._release = publisher.current
    await kit.open()
    answer = await kit.call("orders.read", "c1", order_id="o-1")
    assert answer.failure is not None
    assert answer.failure.code == "policy_error"


async def test_a_result_that_cannot_be_examined_is_withheld_and_the_call_settled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(content: object) -> tuple[object, tuple[str, ...]]:
        raise RuntimeError("a detector with a defect")

    monkeypatch.setattr("interlock.gateway.results.redact", broken)
    kit = await a_kit(a_policy(redact=True))
    await kit.open()
    answer = await kit.call("notes.add", "c1", text="hello")
    assert answer.status is CallStatus.WITHHELD
    assert (await kit.call("notes.add", "c1", text="hello")).status is CallStatus.WITHHELD
    assert len(kit.shop.effects) == 1


async def test_a_run_that_nobody_closes_ends_at_its_deadline_on_the_record() -> None:
    kit = await a_kit(a_policy(max_wall_ms=60_000))
    await kit.open()
    kit.clock.time += 60_001

    await kit.runs.sweep(kit.owner)
    await kit.runs.sweep(kit.owner)

    run = await kit.runs.find(OPERATOR, kit.run)
    events = await kit.store.read(lambda tx: tx.audit.search(TENANT, subject=kit.run, limit=9))
    assert (run.state, run.outcome) == (RunState.CLOSED, None)
    assert [event.kind.value for event in events if event.kind.value == "run.closed"] == ["run.closed"]
