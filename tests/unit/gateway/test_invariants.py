"""I1 to I7 hold for any sequence of proposals, repetitions, lost replies, answers, brakes and deaths; and seven seeded
defects, one for each, are caught by the very same test.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from interlock.adapters.memory import MemoryStore
from interlock.adapters.memory.audit import MemoryAudit
from interlock.adapters.memory.budgets import MemoryBudgets
from interlock.adapters.memory.runs import MemoryCalls
from interlock.domain.approvals import ApprovalState, Verdict
from interlock.domain.brakes import BrakeTarget
from interlock.domain.budgets import Limit, Measure, Scope
from interlock.domain.calls import CallKey, CallRecord, CallStatus
from interlock.domain.canonical import digest
from interlock.domain.decisions import Decision, Effect
from interlock.domain.errors import InterlockError
from interlock.domain.ids import CallId
from interlock.gateway import admission
from interlock.gateway.execution import Executor
from interlock.gateway.ports import Invocation, RawAnswer
from interlock.policy.decide import decide
from interlock.policy.facts import Facts
from interlock.runs.ports import CallFilter
from tests.kits.gate import ANNA, BEN, OPERATOR, TENANT, Shop, StillClock, a_kit, a_policy

CALLS = st.sampled_from([f"c{number}" for number in range(6)])
PROPOSALS = st.sampled_from(
    [
        ("orders.read", {"order_id": "o-1"}),
        ("notes.add", {"text": "hello"}),
        ("payments.refund", {"charge_id": "ch_1", "amount_usd": 20}),
        ("payments.refund", {"charge_id": "ch_2", "amount_usd": 45.5}),
        ("mail.send", {"to": ["a@example.org"], "body": "hi"}),
        ("mail.send", {"to": ["a@example.org"], "body": "ho"}),
        ("accounts.delete", {"account_id": "acc-1"}),
        ("shell.run", {"command": "true"}),
        ("notes.add", {"txet": "misspelt"}),
    ]
)
LIMIT = 6_000


class WatchedShop(Shop):
    """Notes, at the moment of an effect, what the store knows of the call: only what is committed counts."""

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        self.seen: list[tuple[Invocation, CallRecord | None, bool, bool]] = []
        """(invocation, the committed record, whether a brake was on, whether the trail allows it)"""
        self.now: Callable[[], int] = lambda: 0

    def do(self, invocation: Invocation) -> RawAnswer:
        tx, key = self.store._tx, invocation.idempotency_key
        record = next((one for one in _records(self.store) if one.idempotency_key == key), None)
        braked = bool(tx.brakes.active(TENANT, self.now()))
        events = tx.audit.search(TENANT, subject=str(record.call.key) if record else "none", limit=50)
        allowed = any(event.body.get("effect") == "allow" for event in events)
        self.seen.append((invocation, record, braked, allowed))
        return super().do(invocation)


def _records(store: MemoryStore) -> tuple[CallRecord, ...]:
    return store._tx.calls.search(CallFilter(tenant=TENANT, limit=10_000))


class Road(RuleBasedStateMachine):
    """One run, two gateway processes in turn, six call ids, two approvers, one operator."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.shop, self.clock = WatchedShop(), StillClock()
        self.shop.now = self.clock.now
        self.outcomes: dict[CallKey, CallRecord] = {}
        limit = Limit("money", Measure.MONEY, Scope.RUN, LIMIT, currency="USD")
        self.policy = a_policy(limits=(limit,))
        self.generation = 0
        self.start()
        instruction = "Write hi or ho to a@example.org, delete acc-1, and refund."
        self.runner.run(self.kit.open(instruction))

    def start(self) -> None:
        self.generation += 1
        opened = getattr(self, "kit", None)
        self.kit = self.runner.run(
            a_kit(self.policy, store=self.shop.store, shop=self.shop, owner=f"gw-{self.generation}", clock=self.clock)
        )
        if opened is not None:
            self.kit.run = opened.run

    def teardown(self) -> None:
        self.runner.close()

    @rule(call=CALLS, proposal=PROPOSALS, fate=st.sampled_from(["does", "does", "does", "loses reply"]))
    def propose(self, call: str, proposal: tuple[str, dict[str, Any]], fate: str) -> None:
        tool, arguments = proposal
        self.shop.answers = {} if fate == "does" else {tool: self.shop.then_lose}
        self._quietly(self.kit.call(tool, call, **arguments))

    @rule(verdict=st.sampled_from([Verdict.APPROVE, Verdict.APPROVE, Verdict.DENY]), who=st.sampled_from([ANNA, BEN]))
    def answer(self, verdict: Verdict, who: Any) -> None:
        for approval in self.runner.run(self.kit.approvals.list(who, frozenset({ApprovalState.OPEN})))[:1]:
            self._quietly(self.kit.approvals.answer(who, approval.id, verdict, "looked at it"))

    @rule()
    def approve_and_ask_again(self) -> None:
        for approval in self.runner.run(self.kit.approvals.list(ANNA, frozenset({ApprovalState.OPEN})))[:1]:
            for who in (ANNA, BEN):
                self._quietly(self.kit.approvals.answer(who, approval.id, Verdict.APPROVE, "looked at it"))
            bound = approval.binding
            self._quietly(self.kit.call(bound.tool, bound.key.call, **approval.arguments))

    @rule()
    def edit(self) -> None:
        for approval in self.runner.run(self.kit.approvals.list(ANNA, frozenset({ApprovalState.OPEN})))[:1]:
            self._quietly(self._edit(approval))

    async def _edit(self, approval: Any) -> None:
        changed = {**approval.arguments, "body": "edited"} if "body" in approval.arguments else {"account_id": "acc-2"}
        await self.kit.gate.repeat(ANNA, await self.kit.approvals.edit(ANNA, approval.id, changed, "better"))

    @rule(what=st.sampled_from([BrakeTarget.ALL, BrakeTarget.WRITES]))
    def brake(self, what: BrakeTarget) -> None:
        self._quietly(self.kit.brake(what))

    @rule()
    def lift(self) -> None:
        for brake in self.runner.run(self.kit.brakes.status(OPERATOR)):
            self._quietly(self.kit.brakes.off(OPERATOR, brake.id))

    @rule(minutes=st.sampled_from([1, 60, 1500]))
    def wait(self, minutes: int) -> None:
        self.clock.time += minutes * 60_000
        self._quietly(self.kit.approvals.sweep())
        self._quietly(self.kit.runs.sweep(self.kit.owner))

    @rule(call=CALLS, happened=st.booleans())
    def resolve(self, call: str, *, happened: bool) -> None:
        self._quietly(self.kit.runs.resolve(OPERATOR, self.kit.run, CallId(call), happened=happened, note="asked them"))

    @rule(call=CALLS, proposal=PROPOSALS)
    def die_after_the_effect(self, call: str, proposal: tuple[str, dict[str, Any]]) -> None:
        """The process dies when the tool has answered and nothing of it is recorded; another one takes its place."""

        class Died(BaseException):
            pass

        async def die(record: object, outcome: object) -> None:
            raise Died

        self.shop.answers = {}
        self.kit.gate._settle = die  # type: ignore[method-assign,assignment]
        with suppress(Died):
            self._quietly(self.kit.call(proposal[0], call, **proposal[1]))
        self.clock.time += admission.ALIVE_MS + 1
        self.start()

    def _quietly(self, work: Any) -> None:
        with suppress(InterlockError):
            self.runner.run(work)

    @invariant()
    def i1_no_effect_without_a_committed_decision_that_allows_it(self) -> None:
        for invocation, record, _, _ in self.shop.seen:
            assert record is not None, f"I1: {invocation.contract.name} ran without a record"
            assert record.decision["effect"] == "allow", f"I1: {invocation.contract.name} ran against its decision"
            assert record.status is CallStatus.EXECUTING, "I1: ran before its intent was committed"

    @invariant()
    def i2_what_does_not_fit_never_runs(self) -> None:
        for invocation in self.shop.invocations:
            assert invocation.contract.name != "shell.run", "I2: an unknown tool ran"
            assert "txet" not in invocation.arguments, "I2: arguments outside the schema ran"

    @invariant()
    def i3_a_call_id_has_one_outcome(self) -> None:
        keys = [key for _, key in self.shop.effects]
        assert len(keys) == len(set(keys)), "I3: an effect happened twice"
        for record in _records(self.shop.store):
            before = self.outcomes.get(record.call.key)
            if before is not None and before.status.is_final and before.status is not CallStatus.UNKNOWN:
                assert (before.status, before.result) == (record.status, record.result), "I3: an outcome changed"
            self.outcomes[record.call.key] = record

    @invariant()
    def i4_spent_and_held_never_pass_the_limit(self) -> None:
        for balance in self.shop.store._tx.budgets.balances(""):
            assert balance.spent + balance.held <= LIMIT, "I4: the limit was passed"
            assert balance.spent >= 0, "I4: spent below nothing"
            assert balance.held >= 0, "I4: held below nothing"

    @invariant()
    def i5_what_ran_is_what_was_approved(self) -> None:
        for invocation, record, _, _ in self.shop.seen:
            assert record is not None
            assert digest(invocation.arguments) == record.arguments_hash, "I5: other arguments ran"
            if invocation.contract.tier >= 3:
                approval = self.shop.store._tx.approvals.find(record.approval) if record.approval else None
                assert approval is not None, "I5: ran without approval"
                assert approval.binding.arguments_hash == digest(invocation.arguments), "I5: not what was approved"
                voters = {vote.by for vote in approval.votes if vote.verdict is Verdict.APPROVE}
                assert len(voters) >= invocation.contract.tier - 2, "I5: too few people approved"

    @invariant()
    def i6_nothing_is_admitted_under_a_brake(self) -> None:
        for invocation, _, braked, _ in self.shop.seen:
            assert not (braked and invocation.contract.kind.value == "write"), "I6: ran under a brake"

    @invariant()
    def i7_every_effect_has_its_entry_in_the_trail(self) -> None:
        for invocation, _, _, allowed in self.shop.seen:
            assert allowed, f"I7: {invocation.contract.name} ran without an audit event that allows it"


def run(
    machine: type[RuleBasedStateMachine], examples: int, steps: int, phases: tuple[Phase, ...] = tuple(Phase)
) -> None:
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=quiet,
            database=None,
            phases=phases,
        ),
    )


def test_all_seven_invariants_hold() -> None:
    run(Road, examples=250, steps=50)


@contextmanager
def defect(target: Any, name: str, broken: Any) -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setattr(target, name, broken)
    try:
        yield
    finally:
        patch.undo()


def _denies_become_allows() -> Any:
    sound = decide

    def broken(call: Any, facts: Any, policies: Any) -> Decision:
        decision = sound(call, facts, policies)
        return replace(decision, effect=Effect.ALLOW) if decision.effect is Effect.REQUIRE_APPROVAL else decision

    return defect(admission, "decide", broken)


def _records_after_the_effect() -> Any:
    sound = admission.Admitter._record

    def broken(self: Any, *parts: Any) -> CallRecord:
        record = sound(self, *parts)
        return replace(record, decision={**record.decision, "effect": "deny"})

    return defect(admission.Admitter, "_record", broken)


def _faults_are_ignored() -> Any:
    sound = admission.Admitter.admit

    def broken(self: Any, tx: Any, proposal: Any, release: Any, now: int) -> Any:
        return sound(self, tx, replace(proposal, faults=()), release, now)

    return defect(admission.Admitter, "admit", broken)


def _calls_are_forgotten() -> Any:
    sound = MemoryCalls.find

    def broken(self: MemoryCalls, key: CallKey) -> CallRecord | None:
        record = sound(self, key)
        if record is not None and record.status is CallStatus.UNKNOWN:
            return replace(record, status=CallStatus.PENDING, approval=None)
        return record

    def careless(self: MemoryCalls, record: CallRecord, *, since: CallStatus, attempt: int) -> bool:
        known = sound(self, record.call.key)
        return known is not None and advance(self, record, since=known.status, attempt=known.attempt)

    advance = MemoryCalls.advance

    @contextmanager
    def both() -> Iterator[None]:
        with defect(MemoryCalls, "find", broken), defect(MemoryCalls, "advance", careless):
            yield

    return both()


def _limits_are_not_looked_at() -> Any:
    sound = MemoryBudgets.reserve

    def broken(self: MemoryBudgets, call: str, charges: Any, now: int) -> Any:
        wide = tuple(replace(one, limit=replace(one.limit, maximum=10**9)) for one in charges)
        return sound(self, call, wide, now)

    return defect(MemoryBudgets, "reserve", broken)


def _arguments_are_tidied_up() -> Any:
    sound = Executor._attempt

    async def broken(self: Executor, call: Any, contract: Any, key: str, trace: str) -> RawAnswer:
        arguments = {**call.arguments, "text": "tidied"} if "text" in call.arguments else call.arguments
        return await sound(self, replace(call, arguments=arguments), contract, key, trace)

    return defect(Executor, "_attempt", broken)


def _brakes_are_not_seen() -> Any:
    sound = Facts
    return defect(admission, "Facts", lambda **facts: sound(**{**facts, "brakes": ()}))


def _the_trail_loses_allowances() -> Any:
    sound = MemoryAudit.append

    def broken(self: MemoryAudit, event: Any) -> None:
        if event.body.get("effect") != "allow":
            sound(self, event)

    return defect(MemoryAudit, "append", broken)


@pytest.mark.parametrize(
    ("invariant_id", "seeded"),
    [
        ("I1", _records_after_the_effect),
        ("I2", _faults_are_ignored),
        ("I3", _calls_are_forgotten),
        ("I4", _limits_are_not_looked_at),
        ("I5", _denies_become_allows),
        ("I5", _arguments_are_tidied_up),
        ("I6", _brakes_are_not_seen),
        ("I7", _the_trail_loses_allowances),
    ],
)
def test_a_seeded_defect_is_caught(invariant_id: str, seeded: Callable[[], Any]) -> None:
    with seeded(), pytest.raises(AssertionError, match=rf"{invariant_id}:"):
        run(Road, examples=200, steps=40, phases=(Phase.generate,))  # to be caught is enough; no need to shrink
