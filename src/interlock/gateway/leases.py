"""Hold budgets for model calls from slices that this process has taken ahead; the store is asked when they run short."""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from itertools import count

from interlock.budgets.overruns import sentence
from interlock.budgets.slices import Draw, Grant, Want
from interlock.domain.budgets import Balance, Charge, Overrun
from interlock.domain.errors import BudgetExceeded, StoreUnavailable
from interlock.gateway.lease_queue import Waiter, failure, of_one_mind, refuse
from interlock.gateway.portions import Held, Portion
from interlock.gateway.ports import Clock
from interlock.gateway.store import Store, Tx

__all__ = ["Excess", "Held", "LeaseBook"]

IDLE_MS = 1_000
"""What stood free for so long goes back."""

Excess = tuple[tuple[Charge, int], ...]
"""What calls used beyond what they held, and how much of it no budget has covered."""


class LeaseBook:
    """The slices of one process. Used from one event loop only.

    INVARIANT I4: nothing is reserved here that the store does not hold for this process. When it is not known what the
    store did, the slice takes no more calls and goes back whole.
    """

    def __init__(self, store: Store, owner: str, clock: Clock) -> None:
        """`owner` is the name under which this process beats."""
        self._store = store
        self._owner = owner
        self._clock = clock
        self._numbers = count(1)
        self._portions: dict[str, Portion] = {}
        """By budget: those that take calls."""
        self._numbered: dict[int, Portion] = {}
        """Every one that has not ended."""
        self._dirty: dict[Portion, None] = {}
        """Those with something to tell the store."""
        self._waiting: list[Waiter] = []
        self._taking: asyncio.Task[None] | None = None
        self._drawn: list[asyncio.Future[None]] = []
        self._looked_at = clock.now()
        self._wanted: frozenset[int] = frozenset()
        """Slices that a transaction is about to widen."""
        self._closed = False

    def try_hold(self, charges: tuple[Charge, ...]) -> Held | None:
        """Hold all of `charges` from what is in hand, or return None and hold nothing."""
        portions = self._portions
        held = Held(charges)
        taken = held.portions
        for charge in charges:
            portion = portions.get(charge.budget)
            amount = charge.amount
            if (
                portion is None
                or not 0 <= amount <= portion.free
                or (portion.limit is not charge.limit and portion.limit.maximum != charge.limit.maximum)
            ):
                self._put_back(held)
                return None
            portion.free = free = portion.free - amount
            if free < portion.low:
                portion.low = free
            portion.reserved += amount
            taken.append(portion)
        return held

    def _put_back(self, held: Held) -> None:
        for charge, portion in zip(held.charges, held.portions, strict=False):
            portion.free += charge.amount
            portion.reserved -= charge.amount

    async def hold(self, charges: tuple[Charge, ...]) -> Held:
        """Hold all of `charges`, taking more from the store where they are short.

        Raises BudgetExceeded when a budget has no room, StoreUnavailable when that cannot be known.
        """
        if any(charge.amount < 0 for charge in charges) or len({one.budget for one in charges}) < len(charges):
            raise ValueError("a call charges a budget once, and not less than nothing")
        held = self.try_hold(charges)
        if held is not None:
            return held
        if self._closed:
            raise StoreUnavailable(
                "The budgets are closed", do="Nothing can be done in a process that is shutting down"
            )
        waiter = Waiter(charges, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        if self._taking is None:
            self._taking = asyncio.create_task(self._take())
        try:
            return await waiter.future
        except asyncio.CancelledError:
            if waiter.future.done() and not waiter.future.cancelled() and waiter.future.exception() is None:
                self.settle(waiter.future.result(), lambda _charge: 0)
            raise

    def settle(self, held: Held, used: Callable[[Charge], int]) -> Excess:
        """Turn what is held into what `used` says, the rest is free again; return what no slice in hand covers.

        Doing it again changes nothing.
        """
        if not held.open:
            return ()
        held.open = False
        excess: list[tuple[Charge, int]] = []
        dirty = self._dirty
        for charge, portion in zip(held.charges, held.portions, strict=True):
            amount = charge.amount
            actual = used(charge)
            portion.reserved -= amount
            if actual > amount:
                portion.used += amount
                dirty[portion] = None
                beyond = self._cover(charge, actual - amount)
                if beyond:
                    excess.append((charge, beyond))
                continue
            if actual > 0:
                portion.used += actual
                portion.free += amount - actual
                dirty[portion] = None
            else:
                portion.free += amount
                if portion.leaving:
                    dirty[portion] = None
        return tuple(excess) if excess else ()

    def _cover(self, charge: Charge, beyond: int) -> int:
        portion = self._portions.get(charge.budget)
        if portion is None:
            return beyond
        self._dirty[portion] = None
        return portion.cover(beyond)

    async def settle_excess(self, excess: Excess) -> Excess:
        """Spend `excess` as far as the budgets have room; return what is beyond them, for the record."""
        wants = tuple(
            Want(next(self._numbers), replace(charge, amount=beyond), least=1, need=beyond, fresh=True)
            for charge, beyond in excess
        )
        now = self._clock.now()

        def work(tx: Tx) -> tuple[Grant, ...]:
            grants = tx.budgets.lease(self._owner, wants, now)
            pairs = zip(wants, grants, strict=True)
            draws = [
                Draw(want.slice, want.charge.budget, 1, one.amount, 0, last=True) for want, one in pairs if one.amount
            ]
            tx.budgets.draw(self._owner, tuple(draws))
            return grants

        try:
            grants = await self._store.transact(work)
        except StoreUnavailable:
            return excess
        left = ((charge, beyond - grant.amount) for (charge, beyond), grant in zip(excess, grants, strict=True))
        return tuple((charge, beyond) for charge, beyond in left if beyond)

    # Taking more: one transaction at a time, for all who wait.

    async def _take(self) -> None:
        try:
            while self._waiting:
                waiting, self._waiting = self._waiting, []
                batch, later = of_one_mind([waiter for waiter in waiting if not self._served(waiter)])
                if batch:
                    later = [*await self._round(batch), *later]
                self._waiting = [*later, *self._waiting]
        except BaseException as error:
            for waiter in self._waiting:
                refuse(waiter, failure(error))
            raise
        finally:
            self._taking = None

    async def _round(self, batch: Sequence[Waiter]) -> list[Waiter]:
        """Serve or refuse who can be; return the others, for whom there seems to be room again."""
        changed = self._ready(batch)
        draws, wants, now = self._draws(changed), self._wants(batch), self._clock.now()
        self._wanted = frozenset(want.slice for want in wants)

        def work(tx: Tx) -> tuple[frozenset[int], tuple[Grant, ...]]:
            return tx.budgets.draw(self._owner, draws), tx.budgets.lease(self._owner, wants, now)

        try:
            gone, grants = await self._store.transact(work)
        except BaseException as error:
            self.undone(draws)
            self._doubt(wants)
            for waiter in batch:
                refuse(waiter, failure(error))
            if not isinstance(error, Exception):
                raise
            return []
        finally:
            self._wanted = frozenset()
        self.done(draws, gone)
        balances = {grant.balance.budget: grant.balance for grant in grants}
        for want, grant in zip(wants, grants, strict=True):
            portion = self._numbered.get(want.slice)
            if portion is not None:
                self._put(portion, grant)
        return [waiter for waiter in batch if not self._served(waiter) and not self._refused(waiter, balances)]

    def _ready(self, batch: Sequence[Waiter]) -> list[Portion]:
        """Have a portion for every budget under its present limit; return those that a changed limit has ended."""
        changed = []
        for waiter in batch:
            for charge in waiter.charges:
                known = self._portions.get(charge.budget)
                if known is not None and known.limit.maximum != charge.limit.maximum:
                    self._leave(known)
                    changed.append(known)
                    known = None
                if known is None:
                    made = Portion(next(self._numbers), charge.budget, charge.limit)
                    self._portions[charge.budget] = self._numbered[made.slice] = made
        return changed

    def _wants(self, batch: Sequence[Waiter]) -> tuple[Want, ...]:
        needs: dict[str, int] = {}
        least: dict[str, int] = {}
        for waiter in batch:
            for charge in waiter.charges:
                needs[charge.budget] = need = needs.get(charge.budget, 0) + charge.amount
                short = need - self._portions[charge.budget].free
                if short > 0:
                    least.setdefault(charge.budget, short)
        wants = []
        for budget, short in least.items():
            portion = self._portions[budget]
            need = needs[budget] - portion.free
            charge = Charge(budget, portion.limit, portion.ahead(need))
            wants.append(Want(portion.slice, charge, short, need, fresh=not portion.opened))
        return tuple(wants)

    def _put(self, portion: Portion, grant: Grant) -> None:
        if grant.gone:
            self._lose(portion)
        elif grant.amount:
            portion.take(grant.amount)

    def _served(self, waiter: Waiter) -> bool:
        if waiter.future.done():
            return True
        held = self.try_hold(waiter.charges)
        if held is not None:
            waiter.future.set_result(held)
        return held is not None

    def _refused(self, waiter: Waiter, balances: dict[str, Balance]) -> bool:
        for charge in waiter.charges:
            portion, balance = self._portions.get(charge.budget), balances.get(charge.budget)
            if portion is None or balance is None:
                continue
            held = balance.held - portion.free
            if balance.spent + held + charge.amount > balance.limit:
                overrun = Overrun(charge.budget, charge.limit, charge.amount, balance.spent, held)
                refuse(
                    waiter, BudgetExceeded(sentence(overrun), do="Do with what is left, or hand the work to a person")
                )
                return True
        return False

    def _doubt(self, wants: Sequence[Want]) -> None:
        """Let go of slices of which it is not known what the store holds."""
        for want in wants:
            portion = self._numbered.get(want.slice)
            if portion is not None:
                portion.opened = True
                self._leave(portion)

    def _leave(self, portion: Portion) -> None:
        if self._portions.get(portion.budget) is portion:
            del self._portions[portion.budget]
        portion.leaving = True
        if portion.opened:
            self._dirty[portion] = None
        else:
            self._numbered.pop(portion.slice, None)

    def _lose(self, portion: Portion) -> None:
        portion.gone, portion.draw = True, None
        self._numbered.pop(portion.slice, None)
        if self._portions.get(portion.budget) is portion:
            del self._portions[portion.budget]

    # Telling the store what was used: prepared here, carried out in somebody's transaction, then done or undone.

    def prepare(self) -> tuple[Draw, ...]:
        """Return what the store has to be told now. It must come back by `done` or `undone`."""
        if not 0 <= self._clock.now() - self._looked_at < IDLE_MS:
            self._looked_at = self._clock.now()
            for portion in tuple(self._portions.values()):
                self._give_idle(portion)
        return self._draws(self._dirty) if self._dirty else ()

    def _give_idle(self, portion: Portion) -> None:
        portion.give_idle()
        if portion.giving or not portion.opened:
            self._dirty[portion] = None
        if not (portion.free or portion.reserved or portion.used or portion.slice in self._wanted):
            self._leave(portion)

    def _draws(self, portions: Collection[Portion]) -> tuple[Draw, ...]:
        found = []
        for portion in tuple(portions):
            if portion.under_way:
                continue
            self._dirty.pop(portion, None)
            draw = portion.next_draw() if portion.slice in self._numbered else None
            if draw is not None:
                portion.under_way = True
                found.append(draw)
        return tuple(found)

    def apply(self, tx: Tx, draws: tuple[Draw, ...]) -> frozenset[int]:
        """Carry out what `prepare` returned; safe to repeat. What it returns is for `done`."""
        return tx.budgets.draw(self._owner, draws)

    def done(self, draws: tuple[Draw, ...], gone: frozenset[int]) -> None:
        """Note that the transaction with `draws` has committed."""
        for draw in draws:
            portion = self._numbered.get(draw.slice)
            if portion is None:
                continue
            portion.under_way = False
            if draw.slice in gone:
                self._lose(portion)
                continue
            portion.drawn()
            if draw.last:
                self._numbered.pop(draw.slice, None)
            elif portion.leaving or portion.used or portion.giving:
                self._dirty[portion] = None
        self._tell()

    def undone(self, draws: tuple[Draw, ...]) -> None:
        """Note that the transaction failed, or may have. The same draws are prepared again, and carried out once."""
        for draw in draws:
            portion = self._numbered.get(draw.slice)
            if portion is not None:
                portion.under_way = False
                self._dirty[portion] = None
        self._tell()

    def _tell(self) -> None:
        waiting, self._drawn = self._drawn, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def has(self, budget: str) -> bool:
        """Return whether some of `budget` is held here that no call needs."""
        portion = self._portions.get(budget)
        return portion is not None and portion.free > 0

    async def give_back(self, budgets: Collection[str]) -> None:
        """Return at once what is free of `budgets`, except what has been on its way for a second. Raises StoreUnavailable."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(IDLE_MS / 1000):
                while any(self._portions[budget].under_way for budget in budgets if budget in self._portions):
                    await self._drawing_ends()
        portions = [self._portions[budget] for budget in budgets if budget in self._portions]
        for portion in portions:
            portion.give(portion.free)
        # An earlier drawing whose answer was lost goes first.
        await self._carry_out(self._draws(portions))
        await self._carry_out(self._draws([portion for portion in portions if portion.giving]))

    async def _drawing_ends(self) -> None:
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._drawn.append(waiting)
        await waiting

    async def close(self) -> None:
        """Return everything that no call holds. Raises StoreUnavailable; then the rest counts as spent in the end."""
        self._closed = True
        if self._taking is not None:
            await asyncio.wait({self._taking})
        for portion in tuple(self._portions.values()):
            self._leave(portion)
        while self._dirty:
            draws = self._draws(self._dirty)
            if draws:
                await self._carry_out(draws)
            elif self._dirty:
                await self._drawing_ends()

    async def _carry_out(self, draws: tuple[Draw, ...]) -> None:
        if not draws:
            return
        try:
            gone = await self._store.transact(lambda tx: self.apply(tx, draws))
        except BaseException:
            self.undone(draws)
            raise
        self.done(draws, gone)
