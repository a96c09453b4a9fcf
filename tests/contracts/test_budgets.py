"""INVARIANT I4: spent + held never exceeds a limit, wherever budgets are kept."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from interlock.domain.budgets import Balance, Charge, Hold, HoldState, Overrun
from interlock.gateway.store import Store, Tx
from tests.contracts.samples import NOW, a_charge, used

FEW = settings(max_examples=15, stateful_step_count=15, suppress_health_check=list(HealthCheck))
# A defect only has to be found; making its example small would take most of the time.
FIND = settings(FEW, max_examples=300, phases=(Phase.generate,), print_blob=False, database=None)


async def test_a_hold_takes_room_and_settling_spends_it(store: Store) -> None:
    def work(tx: Tx) -> tuple[Balance, ...]:
        assert tx.budgets.reserve("c1", (a_charge(60, budget="b1"), a_charge(10, budget="b2")), NOW) is None
        tx.budgets.settle("c1", used(b1=25), NOW + 1)
        return tx.budgets.balances("b")

    assert await store.transact(work) == (Balance("b1", 100, 25, 0), Balance("b2", 100, 10, 0))
    assert await store.read(lambda tx: tx.budgets.holds("c1")) == (
        Hold("c1", a_charge(60, budget="b1"), HoldState.SETTLED, 25),
        Hold("c1", a_charge(10, budget="b2"), HoldState.SETTLED, 10),
    )


async def test_what_does_not_fit_is_refused_whole_and_says_where(store: Store) -> None:
    await store.transact(lambda tx: tx.budgets.reserve("c1", (a_charge(70, budget="b2"),), NOW))
    await store.transact(lambda tx: tx.budgets.settle("c1", used(b2=50), NOW))
    await store.transact(lambda tx: tx.budgets.reserve("c2", (a_charge(20, budget="b2"),), NOW))
    charges = tuple(a_charge(31, budget=budget) for budget in ("b3", "b2", "b1"))
    overrun = await store.transact(lambda tx: tx.budgets.reserve("c3", charges, NOW))
    assert overrun == Overrun("b2", charges[1].limit, asked=31, spent=50, held=20)
    balances = await store.read(lambda tx: tx.budgets.balances("b"))
    assert {one.budget: (one.spent, one.held) for one in balances if one.spent + one.held} == {"b2": (50, 20)}
    assert await store.read(lambda tx: tx.budgets.holds("c3")) == ()
    charges = (a_charge(30, budget="b2"), a_charge(100, budget="b1"))
    assert await store.transact(lambda tx: tx.budgets.reserve("c3", charges, NOW)) is None


async def test_more_than_the_limit_never_fits_even_into_a_new_budget(store: Store) -> None:
    overrun = await store.transact(lambda tx: tx.budgets.reserve("c1", (a_charge(101),), NOW))
    assert overrun is not None
    assert (overrun.spent, overrun.held, overrun.asked) == (0, 0, 101)
    assert await store.transact(lambda tx: tx.budgets.reserve("c1", (a_charge(100),), NOW)) is None


async def test_a_repeated_call_holds_once(store: Store) -> None:
    for _ in range(3):
        assert await store.transact(lambda tx: tx.budgets.reserve("c1", (a_charge(60, budget="b1"),), NOW)) is None
    assert await store.read(lambda tx: tx.budgets.balances("b1")) == (Balance("b1", 100, 0, 60),)
    await store.transact(lambda tx: tx.budgets.settle("c1", used(), NOW))
    await store.transact(lambda tx: tx.budgets.settle("c1", used(b1=1), NOW))
    await store.transact(lambda tx: tx.budgets.release("c1", NOW))
    assert await store.transact(lambda tx: tx.budgets.reserve("c1", (a_charge(60, budget="b1"),), NOW)) is None
    assert await store.read(lambda tx: tx.budgets.balances("b1")) == (Balance("b1", 100, 60, 0),)


async def test_what_is_released_can_be_held_anew_in_another_amount(store: Store) -> None:
    await store.transact(lambda tx: tx.budgets.reserve("c1", (a_charge(60, budget="b1"),), NOW))
    for _ in range(2):
        await store.transact(lambda tx: tx.budgets.release("c1", NOW))
    assert await store.read(lambda tx: [hold.state for hold in tx.budgets.holds("c1")]) == [HoldState.RELEASED]
    await store.transact(lambda tx: tx.budgets.settle("c1", used(), NOW))
    assert await store.read(lambda tx: tx.budgets.balances("b1")) == (Balance("b1", 100, 0, 0),)
    assert await store.transact(lambda tx: tx.budgets.reserve("c1", (a_charge(90, budget="b1"),), NOW)) is None
    assert await store.read(lambda tx: tx.budgets.balances("b1")) == (Balance("b1", 100, 0, 90),)


async def test_a_report_beyond_the_hold_is_noted_and_not_spent(store: Store) -> None:
    await store.transact(lambda tx: tx.budgets.reserve("c1", (a_charge(60, budget="b1"),), NOW))
    await store.transact(lambda tx: tx.budgets.settle("c1", used(b1=75), NOW))
    assert await store.read(lambda tx: tx.budgets.holds("c1")) == (
        Hold("c1", a_charge(60, budget="b1"), HoldState.SETTLED, 60, excess=15),
    )
    assert await store.read(lambda tx: tx.budgets.balances("b1")) == (Balance("b1", 100, 60, 0),)


async def test_a_lowered_limit_binds_at_once_and_a_raised_one_gives_room(store: Store) -> None:
    await store.transact(lambda tx: tx.budgets.reserve("c1", (a_charge(60, budget="b1"),), NOW))
    lowered = a_charge(1, maximum=50, budget="b1")
    assert await store.transact(lambda tx: tx.budgets.reserve("c2", (lowered,), NOW)) is not None
    assert await store.read(lambda tx: tx.budgets.balances("b1")) == (Balance("b1", 50, 0, 60),)
    raised = a_charge(60, maximum=120, budget="b1")
    assert await store.transact(lambda tx: tx.budgets.reserve("c2", (raised,), NOW)) is None
    assert await store.read(lambda tx: tx.budgets.balances("b1")) == (Balance("b1", 120, 0, 120),)


async def test_amounts_that_make_no_sense_are_refused(store: Store) -> None:
    for charges in ((a_charge(-1),), (a_charge(1), a_charge(2))):
        with pytest.raises(ValueError, match="a call"):
            await store.transact(lambda tx, charges=charges: tx.budgets.reserve("c1", charges, NOW))  # type: ignore[misc]
    assert await store.read(lambda tx: tx.budgets.balances("")) == ()


async def test_balances_are_found_by_how_their_keys_start(store: Store) -> None:
    keys = ("acme|a_b", "acme|aXb", "acme|z\U0001f600", "acmes|a", "acme")
    await store.transact(lambda tx: tx.budgets.reserve("c1", tuple(a_charge(1, budget=key) for key in keys), NOW))
    found = await store.read(lambda tx: [one.budget for one in tx.budgets.balances("acme|")])
    assert found == ["acme|aXb", "acme|a_b", "acme|z\U0001f600"]
    assert len(await store.read(lambda tx: tx.budgets.balances(""))) == len(keys)


async def test_holds_of_calls_that_share_budgets_in_any_order_never_stand_in_each_others_way(store: Store) -> None:
    keys = ("b1", "b2", "b3")
    orders = list(itertools.permutations(keys))

    async def call(number: int) -> Overrun | None:
        charges = tuple(a_charge(1, maximum=40, budget=key) for key in orders[number % len(orders)])

        def settle(tx: Tx) -> None:
            tx.budgets.settle(f"c{number}", used(), NOW)

        overrun = await store.transact(lambda tx: tx.budgets.reserve(f"c{number}", charges, NOW))
        await store.transact(settle)
        return overrun

    results = await asyncio.gather(*(call(number) for number in range(60)))
    assert results.count(None) == 40
    assert await store.read(lambda tx: tx.budgets.balances("b")) == tuple(Balance(key, 40, 40, 0) for key in keys)


class Books:
    """Reserve as the gate does it: check and hold in one step."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def reserve(self, call: str, charges: tuple[Charge, ...]) -> Overrun | None:
        return await self.store.transact(lambda tx: tx.budgets.reserve(call, charges, NOW))


class CheckThenAct(Books):
    """The seeded defect: look whether there is room, and take it a moment later."""

    async def reserve(self, call: str, charges: tuple[Charge, ...]) -> Overrun | None:
        for charge in charges:
            for balance in await self.store.read(lambda tx, charge=charge: tx.budgets.balances(charge.budget)):  # type: ignore[misc]
                if balance.spent + balance.held + charge.amount > charge.limit.maximum:
                    return Overrun(charge.budget, charge.limit, charge.amount, balance.spent, balance.held)
        await asyncio.sleep(0)
        unlimited = tuple(replace(charge, limit=replace(charge.limit, maximum=10**12)) for charge in charges)
        return await self.store.transact(lambda tx: tx.budgets.reserve(call, unlimited, NOW))


MAXIMA = {"b0": 5, "b1": 12, "b2": 30}
AMOUNTS = st.dictionaries(st.sampled_from(sorted(MAXIMA)), st.integers(0, 9), min_size=1)
CALLS = st.sampled_from([f"c{number}" for number in range(8)])
_tenants = itertools.count()


class Ledger(RuleBasedStateMachine):
    """Reserve, settle and release in any order, also at once, and look at the books after each step."""

    runner: asyncio.Runner
    books: Books

    @initialize()
    def start(self) -> None:
        self.tenant = f"t{next(_tenants)}"

    def _charges(self, amounts: Mapping[str, int]) -> tuple[Charge, ...]:
        return tuple(
            a_charge(amount, maximum=MAXIMA[key], budget=f"{self.tenant}|{key}") for key, amount in amounts.items()
        )

    async def _reserve(self, call: str, amounts: Mapping[str, int]) -> None:
        overrun = await self.books.reserve(f"{self.tenant}/{call}", self._charges(amounts))
        assert overrun is None or overrun.spent + overrun.held + overrun.asked > overrun.limit.maximum

    @rule(call=CALLS, amounts=AMOUNTS)
    def reserve(self, call: str, amounts: Mapping[str, int]) -> None:
        self.runner.run(self._reserve(call, amounts))

    @rule(wanted=st.lists(st.tuples(CALLS, AMOUNTS), min_size=2, max_size=8))
    def reserve_at_once(self, wanted: list[tuple[str, Mapping[str, int]]]) -> None:
        async def at_once() -> None:
            await asyncio.gather(*(self._reserve(call, amounts) for call, amounts in wanted))

        self.runner.run(at_once())

    @rule(call=CALLS, amounts=AMOUNTS)
    def settle(self, call: str, amounts: Mapping[str, int]) -> None:
        actuals = {f"{self.tenant}|{key}": amount for key, amount in amounts.items()}
        self.runner.run(
            self.books.store.transact(lambda tx: tx.budgets.settle(f"{self.tenant}/{call}", used(**actuals), NOW))
        )

    @rule(call=CALLS)
    def release(self, call: str) -> None:
        self.runner.run(self.books.store.transact(lambda tx: tx.budgets.release(f"{self.tenant}/{call}", NOW)))

    @invariant()
    def the_books_are_exact(self) -> None:
        def look(tx: Tx) -> tuple[tuple[Balance, ...], list[Hold]]:
            holds = [hold for number in range(8) for hold in tx.budgets.holds(f"{self.tenant}/c{number}")]
            return tx.budgets.balances(f"{self.tenant}|"), holds

        balances, holds = self.runner.run(self.books.store.read(look))
        for balance in balances:
            mine = [hold for hold in holds if hold.charge.budget == balance.budget]
            assert balance.held == sum(hold.charge.amount for hold in mine if hold.state is HoldState.HELD)
            assert balance.spent == sum(hold.actual for hold in mine if hold.state is HoldState.SETTLED)
            assert balance.spent + balance.held <= MAXIMA[balance.budget.split("|")[1]]


def _machine(desk: tuple[asyncio.Runner, Store], kind: type[Books]) -> type[Ledger]:
    return type("LedgerUnderTest", (Ledger,), {"runner": desk[0], "books": kind(desk[1])})


def test_no_order_of_steps_breaks_a_limit(desk: tuple[asyncio.Runner, Store]) -> None:
    run_state_machine_as_test(_machine(desk, Books), settings=FEW)


def test_the_same_search_finds_a_ledger_that_checks_first_and_acts_later(desk: tuple[asyncio.Runner, Store]) -> None:
    # A race that does not happen again when it is looked at a second time was found all the same.
    with pytest.raises((AssertionError, Flaky)):
        run_state_machine_as_test(_machine(desk, CheckThenAct), settings=FIND)
