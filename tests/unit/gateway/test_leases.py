"""Budgets that are leased in slices: never passed, and in the end exactly what was used."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from interlock.budgets.slices import Draw
from interlock.domain.budgets import Charge, Scope
from interlock.domain.errors import BudgetExceeded, StoreUnavailable
from interlock.gateway.leases import Held, LeaseBook
from interlock.gateway.reclaim import reclaim
from tests.kits.faulty_store import Fate, FaultyStore
from tests.kits.leasing import Ticker, a_charge, all_of_it, nothing, standing

SOME = settings(max_examples=150, stateful_step_count=30, suppress_health_check=list(HealthCheck))
# A defect only has to be found; making its example small would take most of the time.
FIND = settings(SOME, max_examples=600, phases=(Phase.generate,), print_blob=False, database=None)


async def flush(book: LeaseBook, store: FaultyStore) -> None:
    draws = book.prepare()
    try:
        gone = await store.transact(lambda tx: book.apply(tx, draws))
    except StoreUnavailable:
        book.undone(draws)
    else:
        book.done(draws, gone)


@pytest.fixture
def clock() -> Ticker:
    return Ticker()


@pytest.fixture
def store() -> FaultyStore:
    return FaultyStore()


@pytest.fixture
def book(store: FaultyStore, clock: Ticker) -> LeaseBook:
    return LeaseBook(store, "gate-1", clock)


async def test_most_calls_need_no_word_with_the_store(book: LeaseBook, store: FaultyStore) -> None:
    charges = (a_charge(1), a_charge(10, "acme|b2", 100_000))
    assert book.try_hold(charges) is None
    for _ in range(8):
        held = book.try_hold(charges) or await book.hold(charges)
        book.settle(held, all_of_it)
    assert store.transactions == 1
    assert await standing(store) == (0, 8)
    await flush(book, store)
    assert await standing(store) == (8, 0)


async def test_a_slice_of_one_run_is_small(book: LeaseBook, store: FaultyStore) -> None:
    await book.hold((a_charge(3, scope=Scope.RUN),))
    assert await standing(store) == (0, 6)


async def test_a_run_that_goes_on_takes_more_each_time(book: LeaseBook, store: FaultyStore) -> None:
    for _ in range(30):
        charges = (a_charge(1, scope=Scope.RUN),)
        book.settle(book.try_hold(charges) or await book.hold(charges), all_of_it)
    assert store.transactions == 5  # 2, 4, 8, 8, 8


async def test_a_busy_budget_is_taken_for_a_second_at_once(book: LeaseBook, store: FaultyStore, clock: Ticker) -> None:
    charges = (a_charge(1, maximum=10**9),)

    async def a_second() -> int:
        before = store.transactions
        for number in range(1_000):
            book.settle(book.try_hold(charges) or await book.hold(charges), all_of_it)
            if number % 100 == 99:
                await flush(book, store)
        clock.at += 1_001
        return store.transactions - before - 10

    assert await a_second() > 10
    assert await a_second() <= 3
    assert (await standing(store))[1] <= 1_000


async def test_near_the_limit_slices_shrink_to_the_need(book: LeaseBook, store: FaultyStore) -> None:
    held = await book.hold((a_charge(900),))
    await book.hold((a_charge(20),))
    assert await standing(store) == (0, 920)
    with pytest.raises(BudgetExceeded, match=r"1000 tokens per agent and day.*80 tokens left; this call asks for 81"):
        await book.hold((a_charge(81),))
    book.settle(held, nothing)
    assert book.try_hold((a_charge(900),)) is not None


async def test_all_is_held_or_nothing(book: LeaseBook, store: FaultyStore) -> None:
    with pytest.raises(BudgetExceeded):
        await book.hold((a_charge(5), a_charge(11, "acme|b2", 10)))
    assert book.try_hold((a_charge(5), a_charge(1, "acme|b2", 10))) is None
    await book.give_back(("acme|b1", "acme|b2"))
    assert await standing(store) == (0, 0)


async def test_many_who_wait_share_one_transaction_and_the_last_of_the_room(
    book: LeaseBook, store: FaultyStore
) -> None:
    answers = await asyncio.gather(*(book.hold((a_charge(100),)) for _ in range(14)), return_exceptions=True)
    assert [isinstance(answer, Held) for answer in answers] == [True] * 10 + [False] * 4
    assert store.transactions <= 3
    assert await standing(store) == (0, 1_000)


async def test_a_small_call_is_not_refused_because_a_large_one_is(book: LeaseBook) -> None:
    await book.hold((a_charge(990),))
    large, small = await asyncio.gather(book.hold((a_charge(11),)), book.hold((a_charge(10),)), return_exceptions=True)
    assert isinstance(large, BudgetExceeded)
    assert isinstance(small, Held)


async def test_a_lowered_limit_binds_at_once_and_a_raised_one_gives_room(book: LeaseBook, store: FaultyStore) -> None:
    held = await book.hold((a_charge(60),))
    lowered = a_charge(1, maximum=50)
    assert book.try_hold((lowered,)) is None
    with pytest.raises(BudgetExceeded):
        await book.hold((lowered,))
    await book.hold((a_charge(1_000, maximum=2_000),))
    book.settle(held, all_of_it)
    await flush(book, store)
    assert await standing(store) == (60, 1_000)


async def test_two_limits_for_one_budget_at_the_same_time_both_get_their_turn(book: LeaseBook) -> None:
    charges = [a_charge(1, maximum=maximum) for maximum in (100, 200) * 5]
    answers = await asyncio.gather(*(book.hold((charge,)) for charge in charges))
    assert all(isinstance(answer, Held) for answer in answers)


async def test_more_than_was_held_is_spent_as_far_as_there_is_room(book: LeaseBook, store: FaultyStore) -> None:
    held = await book.hold((a_charge(10),))
    assert book.settle(held, lambda _charge: 15) == ()
    assert book.settle(held, lambda _charge: 15) == (), "a call is settled once"
    held = await book.hold((a_charge(10),))
    excess = book.settle(held, lambda _charge: 1_200)
    left = await book.settle_excess(excess)
    await flush(book, store)
    assert await standing(store) == (1_000, 0)
    assert [amount for _, amount in left] == [215]


async def test_a_call_of_nothing_holds_nothing(book: LeaseBook) -> None:
    held = await book.hold((a_charge(0),))
    assert book.settle(held, nothing) == ()
    assert book.try_hold(()) is not None
    for charges in ((a_charge(-1),), (a_charge(1), a_charge(2))):
        with pytest.raises(ValueError, match="a call"):
            await book.hold(charges)


async def test_when_the_store_fails_nothing_is_held_and_what_it_did_is_found_out(
    book: LeaseBook, store: FaultyStore
) -> None:
    for fate in (Fate.LOST, Fate.UNANSWERED):
        store.fates.append(fate)
        with pytest.raises(StoreUnavailable):
            await book.hold((a_charge(10),))
    assert book.try_hold((a_charge(1),)) is None
    await flush(book, store)
    assert await standing(store) == (0, 0)


async def test_a_caller_that_goes_away_while_it_waits_holds_nothing(book: LeaseBook, store: FaultyStore) -> None:
    waiting = [asyncio.create_task(book.hold((a_charge(10),))) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[1].cancel()
    await asyncio.wait(waiting)
    assert waiting[1].cancelled()
    for task in (waiting[0], waiting[2]):
        book.settle(task.result(), all_of_it)
    await book.close()
    assert await standing(store) == (20, 0)


async def test_what_stands_idle_for_a_second_goes_back(book: LeaseBook, store: FaultyStore, clock: Ticker) -> None:
    held = await book.hold((a_charge(10),))
    book.settle(held, nothing)
    for expected in (80, 80, 0):
        await flush(book, store)
        assert await standing(store) == (0, expected)
        clock.at += 1_001
    await flush(book, store)
    assert await store.read(lambda tx: tx.budgets.slices(frozenset())) == ()


async def test_what_a_dead_process_held_counts_as_spent_and_the_trail_says_so(
    book: LeaseBook, store: FaultyStore, clock: Ticker
) -> None:
    held = await book.hold((a_charge(10),))
    await store.transact(lambda tx: reclaim(tx, frozenset({"gate-2"}), clock.now()))
    assert await standing(store) == (80, 0)
    (event,) = await store.read(lambda tx: tx.audit.search("acme", subject=None, limit=9))  # type: ignore[arg-type]
    assert (event.kind, event.subject) == ("budget.written_off", "acme|b1")
    assert event.body == {"amount": 80, "budget": "acme|b1", "owner": "gate-1"}
    # It was only slow: what it spends of that slice is spent already, and it starts anew.
    book.settle(held, all_of_it)
    await flush(book, store)
    await book.hold((a_charge(10),))
    await book.close()
    assert (await standing(store))[0] == 80


MAXIMA = {"acme|b0": 7, "acme|b1": 40, "acme|b2": 300}
AMOUNTS = st.dictionaries(st.sampled_from(sorted(MAXIMA)), st.integers(0, 9), min_size=1)
BOOKS = st.integers(0, 2)
FATES = st.sampled_from(Fate)


class Books(RuleBasedStateMachine):
    """Several processes on one store that now and then fails, and the tool road beside them."""

    kind: type[LeaseBook] = LeaseBook

    @initialize()
    def start(self) -> None:
        self.runner = asyncio.Runner()
        self.store = FaultyStore()
        self.clock = Ticker()
        self.books = [self.kind(self.store, f"gate-{number}", self.clock) for number in range(3)]
        self.held: list[tuple[int, Held]] = []
        self.used: Counter[str] = Counter()
        self.written_off = False
        self.calls = 0

    def _charges(self, amounts: Mapping[str, int]) -> tuple[Charge, ...]:
        return tuple(a_charge(amount, budget, MAXIMA[budget]) for budget, amount in sorted(amounts.items()))

    async def _hold(self, number: int, amounts: Mapping[str, int]) -> None:
        charges = self._charges(amounts)
        try:
            held = self.books[number].try_hold(charges) or await self.books[number].hold(charges)
        except (BudgetExceeded, StoreUnavailable):
            return
        self.held.append((number, held))

    @rule(wanted=st.lists(st.tuples(BOOKS, AMOUNTS), min_size=1, max_size=6), fate=FATES)
    def hold(self, wanted: list[tuple[int, Mapping[str, int]]], fate: Fate) -> None:
        async def at_once() -> None:
            await asyncio.gather(*(self._hold(number, amounts) for number, amounts in wanted))

        self.store.fates.append(fate)
        self.runner.run(at_once())
        self.store.fates.clear()

    @rule(which=st.integers(0, 10**6), amounts=AMOUNTS, fate=FATES)
    def settle(self, which: int, amounts: Mapping[str, int], fate: Fate) -> None:
        if not self.held:
            return
        number, held = self.held.pop(which % len(self.held))
        book = self.books[number]
        used = {charge.budget: amounts.get(charge.budget, charge.amount) for charge in held.charges}
        excess = book.settle(held, lambda charge: used[charge.budget])
        if excess:
            # Whether excess was spent is not known when the answer is lost; everything else is.
            self.store.fates.append(Fate.FINE if fate is Fate.UNANSWERED else fate)
            excess = self.runner.run(book.settle_excess(excess))
            self.store.fates.clear()
        self.used.update(used)
        self.used.subtract({charge.budget: amount for charge, amount in excess})

    @rule(number=BOOKS, fate=FATES)
    def flush(self, number: int, fate: Fate) -> None:
        self.store.fates.append(fate)
        self.runner.run(flush(self.books[number], self.store))
        self.store.fates.clear()

    @rule(number=BOOKS, budget=st.sampled_from(sorted(MAXIMA)), fate=FATES)
    def give_back(self, number: int, budget: str, fate: Fate) -> None:
        self.store.fates.append(fate)
        with contextlib.suppress(StoreUnavailable):
            self.runner.run(self.books[number].give_back((budget,)))
        self.store.fates.clear()

    @rule(milliseconds=st.sampled_from([100, 1_001]))
    def time_passes(self, milliseconds: int) -> None:
        self.clock.at += milliseconds

    @rule(amounts=AMOUNTS)
    def a_tool_spends(self, amounts: Mapping[str, int]) -> None:
        self.calls += 1
        call = f"c{self.calls}"
        charges = self._charges(amounts)
        if self.runner.run(self.store.transact(lambda tx: tx.budgets.reserve(call, charges, 0))) is None:
            self.runner.run(self.store.transact(lambda tx: tx.budgets.settle(call, all_of_it, 0)))
            self.used.update(amounts)

    @rule(number=BOOKS)
    def is_taken_for_dead(self, number: int) -> None:
        alive = frozenset(f"gate-{other}" for other in range(3) if other != number)
        written = self.runner.run(self.store.transact(lambda tx: reclaim(tx, alive, 0)))
        self.written_off |= any(one.amount for one in written)

    @invariant()
    def no_limit_is_passed(self) -> None:
        for balance in self.runner.run(self.store.read(lambda tx: tx.budgets.balances("acme|"))):
            assert 0 <= balance.spent + balance.held <= MAXIMA[balance.budget]
            assert balance.spent >= 0
            assert balance.held >= 0

    @invariant()
    def what_is_in_hand_adds_up(self) -> None:
        for book in self.books:
            for portion in book._numbered.values():
                moving = portion.draw.spent + portion.draw.returned if portion.draw else 0
                parts = (portion.free, portion.reserved, portion.used, portion.giving)
                assert min(parts) >= 0
                assert sum(parts) + moving == portion.amount

    def teardown(self) -> None:
        if not hasattr(self, "runner"):
            return
        try:
            for number, held in self.held:
                self.books[number].settle(held, all_of_it)
                self.used.update({charge.budget: charge.amount for charge in held.charges})
            for book in self.books:
                self.runner.run(book.close())
            for balance in self.runner.run(self.store.read(lambda tx: tx.budgets.balances("acme|"))):
                assert balance.held == 0
                assert balance.spent <= MAXIMA[balance.budget]
                if not self.written_off:
                    assert balance.spent == self.used[balance.budget]
            assert self.runner.run(self.store.read(lambda tx: tx.budgets.slices(frozenset()))) == ()
        finally:
            self.runner.close()


class ForgetsTheQuestion(LeaseBook):
    """The seeded defect: what was drawn when the answer was lost is drawn again as something new."""

    def undone(self, draws: tuple[Draw, ...]) -> None:
        for draw in draws:
            portion = self._numbered[draw.slice]
            portion.used += draw.spent
            portion.giving += draw.returned
            portion.draw = None
        super().undone(draws)


class Hopeful(LeaseBook):
    """The seeded defect: what was asked for is taken for granted."""

    def try_hold(self, charges: tuple[Charge, ...]) -> Held | None:
        held = super().try_hold(charges)
        if held is None and all(charge.budget in self._portions for charge in charges):
            for charge in charges:
                self._portions[charge.budget].free += charge.amount
                self._portions[charge.budget].amount += charge.amount
            held = super().try_hold(charges)
        return held


def _machine(kind: type[LeaseBook]) -> type[Books]:
    return type("BooksUnderTest", (Books,), {"kind": kind})


def test_no_order_of_steps_passes_a_limit_or_loses_a_unit() -> None:
    run_state_machine_as_test(_machine(LeaseBook), settings=SOME)


@pytest.mark.parametrize("defect", [ForgetsTheQuestion, Hopeful])
def test_the_same_search_finds_a_book_that(defect: type[LeaseBook]) -> None:
    with pytest.raises(AssertionError):
        run_state_machine_as_test(_machine(defect), settings=FIND)
