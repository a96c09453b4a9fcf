"""Why something was done: from the effect back to proposal, inputs, decision, people and proof."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from interlock.domain.agents import Engine, Rule
from interlock.domain.approvals import Verdict
from interlock.domain.calls import CallKey, CallStatus
from interlock.domain.decisions import Effect
from interlock.domain.errors import Forbidden, UnknownRecord
from interlock.domain.identity import Principal, Role
from interlock.domain.ids import ApprovalId, CallId, PrincipalId, TenantId, ToolName
from interlock.gateway.audit_log import Sequencer
from interlock.gateway.explain.accounts import CallAccount, RunAccount
from interlock.gateway.explain.desk import ExplainDesk
from interlock.gateway.release import Release
from interlock.gateway.store import Tx
from tests.kits.gate import AGENT, ANNA, TENANT, Kit, a_kit, a_policy

AUDITOR = Principal(PrincipalId("audrey"), TENANT, frozenset({Role.AUDITOR}))
STRANGER = Principal(PrincipalId("steve"), TenantId("globex"), frozenset({Role.AUDITOR}))
ASK = Rule("ask-above-10", "input.amount_usd <= 10.0", Engine.CEL, Effect.REQUIRE_APPROVAL, ToolName("payments.refund"))


@pytest.fixture
async def kit() -> AsyncIterator[Kit]:
    kit = await a_kit(a_policy(rules=(ASK,)))
    await kit.open("Refund charge ch_7 with 20 USD.")
    yield kit
    await kit.store.close()


def desk_of(kit: Kit, rules: Kit | None = None) -> ExplainDesk:
    async def today() -> Release:
        return (rules or kit).publisher.current()

    return ExplainDesk(kit.store, today, "interlock/acme")


async def a_refund(kit: Kit) -> CallAccount:
    """Make a refund that a person approves, and have it explained."""
    asked = await kit.call("payments.refund", "c1", charge_id="ch_7", amount_usd=20)
    assert asked.approval is not None
    await kit.approvals.answer(ANNA, ApprovalId(asked.approval), Verdict.APPROVE, "The customer is right.")
    done = await kit.call("payments.refund", "c1", charge_id="ch_7", amount_usd=20)
    assert done.status is CallStatus.SUCCEEDED
    await Sequencer(kit.store).place()
    return await the_call(kit)


async def the_call(kit: Kit, rules: Kit | None = None) -> CallAccount:
    account = await desk_of(kit, rules).explain(AUDITOR, f"{kit.run}/c1")
    assert isinstance(account, CallAccount)
    return account


async def test_a_side_effect_leads_back_to_everything_that_led_to_it(kit: Kit) -> None:
    account = await a_refund(kit)

    assert account.record.status is CallStatus.SUCCEEDED
    assert [step.decision.effect for step in account.steps] == [Effect.REQUIRE_APPROVAL, Effect.ALLOW]
    assert [(one.by, one.reason) for one in account.approvals[0].votes] == [("anna", "The customer is right.")]
    amount = next(one for one in account.inputs if one.pointer == "/amount_usd")
    assert (amount.value, amount.seen, amount.supported) == (20, "user", True)
    assert [(source.name, source.trusted) for source in amount.sources] == [("the user's instruction", True)]


async def test_a_value_out_of_a_tools_answer_names_the_call_that_it_came_from(kit: Kit) -> None:
    kit.shop.answers["orders.read"] = lambda invocation: replace(
        kit.shop.do(invocation), content={"charge": "ch_9", "total": 4}
    )
    await kit.runs.instruct(replace(AGENT, roles=frozenset({Role.AGENT})), kit.run, "It is order 7.")
    await kit.call("orders.read", "look", order_id="7")
    await kit.call("payments.refund", "c1", charge_id="ch_9", amount_usd=4)

    account = await the_call(kit)

    charge = next(one for one in account.inputs if one.pointer == "/charge_id")
    assert [(source.call, source.pointer) for source in charge.sources] == [("look", "/charge")]


async def test_what_came_after_the_decision_is_not_given_as_its_reason(kit: Kit) -> None:
    await kit.call("payments.refund", "c1", charge_id="ch_8", amount_usd=3)
    await kit.runs.instruct(replace(AGENT, roles=frozenset({Role.AGENT})), kit.run, "Refund ch_8 with 3 USD.")

    account = await the_call(kit)

    charge = next(one for one in account.inputs if one.pointer == "/charge_id")
    assert charge.sources == ()


async def test_every_event_has_its_place_and_the_record_is_what_was_committed_to(kit: Kit) -> None:
    account = await a_refund(kit)

    kinds = [event.kind for event in account.log.events]
    assert kinds == [
        "approval.requested", "call.decided", "approval.voted", "approval.closed", "call.decided", "call.settled",
    ]  # fmt: skip
    held = [holds for event in account.log.events for _, holds in event.commitments]
    assert len(held) >= 6
    assert all(held)


async def test_an_edited_journal_is_told_apart_from_what_was_committed_to(kit: Kit) -> None:
    await a_refund(kit)

    def forge(tx: Tx) -> None:
        found = tx.calls.find(CallKey(TENANT, kit.run, CallId("c1")))
        assert found is not None
        assert found.result is not None
        forged = replace(found, result=replace(found.result, content={"ok": "something else"}))
        assert tx.calls.advance(forged, since=found.status, attempt=found.attempt)

    await kit.store.transact(forge)
    account = await the_call(kit)

    broken = [(event.kind, name) for event in account.log.events for name, holds in event.commitments if holds is False]
    assert broken == [("call.settled", "result")]


async def test_events_without_a_place_are_said_to_have_none(kit: Kit) -> None:
    await kit.call("payments.refund", "c1", charge_id="ch_7", amount_usd=3)

    account = await the_call(kit)

    assert account.log.events == ()
    assert "no place" in account.log.problem


async def test_todays_rules_are_held_against_the_facts_of_then(kit: Kit) -> None:
    same = await a_refund(kit)
    never = Rule("never", "false", Engine.CEL, Effect.DENY)
    stricter = await a_kit(a_policy(rules=(never,), version="v2"))

    other = await the_call(kit, stricter)

    assert (same.today.changed, same.today.because) == (False, ())
    assert other.today.changed
    assert other.today.decision is not None
    assert other.today.decision.effect is Effect.DENY
    assert [finding.rule for finding in other.today.because] == ["config:never"]


async def test_without_rules_of_today_the_rest_is_told_all_the_same(kit: Kit) -> None:
    await a_refund(kit)

    async def today() -> Release:
        raise UnknownRecord("No release is archived yet")

    account = await ExplainDesk(kit.store, today, "o").explain(AUDITOR, f"{kit.run}/c1")

    assert isinstance(account, CallAccount)
    assert account.today.decision is None
    assert "No release" in account.today.why
    assert {one.pointer for one in account.inputs} == {"/charge_id", "/amount_usd"}


@pytest.mark.parametrize("named_by", ["run/call", "call", "approval", "idempotency key", "receipt", "event"])
async def test_an_effect_is_found_by_whatever_people_have_of_it(kit: Kit, named_by: str) -> None:
    kit.shop.answers["payments.refund"] = lambda invocation: replace(
        kit.shop.do(invocation), content={"refund": "re_4711"}
    )
    account = await a_refund(kit)
    names = {
        "run/call": f"{kit.run}/c1",
        "call": "c1",
        "approval": str(account.approvals[0].id),
        "idempotency key": account.record.idempotency_key,
        "receipt": "re_4711",
        "event": account.log.events[-1].event,
    }

    found = await desk_of(kit).explain(AUDITOR, names[named_by])

    assert isinstance(found, CallAccount)
    assert found.record.call.key == account.record.call.key


async def test_a_receipt_leads_to_the_write_and_not_to_who_looked_it_up_later(kit: Kit) -> None:
    answer = {"refund": "re_4711"}
    for tool in ("payments.refund", "orders.read"):
        kit.shop.answers[tool] = lambda invocation: replace(kit.shop.do(invocation), content=answer)
    await a_refund(kit)
    await kit.call("orders.read", "look", order_id="7")

    found = await desk_of(kit).explain(AUDITOR, "re_4711")

    assert isinstance(found, CallAccount)
    assert found.record.call.key.call == "c1"


async def test_a_run_is_told_in_the_order_of_its_calls(kit: Kit) -> None:
    for place in range(3):
        kit.clock.time += 1
        await kit.call("notes.add", f"n{place}", text="Help the customer.")

    account = await desk_of(kit).explain(AUDITOR, str(kit.run))

    assert isinstance(account, RunAccount)
    assert [record.call.key.call for record in account.calls] == ["n0", "n1", "n2"]


async def test_another_tenants_calls_do_not_exist(kit: Kit) -> None:
    account = await a_refund(kit)

    for name in (
        str(kit.run),
        f"{kit.run}/c1",
        f"acme/{kit.run}/c1",
        "c1",
        str(account.approvals[0].id),
        account.log.events[0].event,
    ):
        with pytest.raises(UnknownRecord):
            await desk_of(kit).explain(STRANGER, name)


async def test_agents_are_told_nothing(kit: Kit) -> None:
    with pytest.raises(Forbidden):
        await desk_of(kit).explain(AGENT, str(kit.run))


async def test_an_erased_call_is_explained_as_far_as_it_is_still_known(kit: Kit) -> None:
    await a_refund(kit)
    await kit.store.transact(lambda tx: tx.keeping.erase_run(TENANT, kit.run, 1, identity=True))

    account = await the_call(kit)

    assert account.record.erased
    assert account.steps == ()
    assert account.today.decision is None
    assert "erased" in account.today.why
    assert account.log.events
