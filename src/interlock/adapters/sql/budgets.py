"""Budgets and the holds that keep them exact."""

from collections.abc import Callable

from interlock.adapters.sql.encoding import decode_limit, encode_limit
from interlock.adapters.sql.session import Session, Statement
from interlock.adapters.sql.slices import SqlSlices
from interlock.budgets.holds import in_lock_order, spending
from interlock.budgets.ports import BudgetLedger
from interlock.domain.budgets import Balance, Charge, Hold, HoldState, Overrun

HOLD = Statement("""
    INSERT INTO holds (call, budget, charged_limit, amount, state, actual, excess, held_at, ended_at)
    VALUES (:call, :budget, :charged_limit, :amount, 'held', 0, 0, :now, NULL)
    ON CONFLICT (call, budget) DO UPDATE
    SET charged_limit = excluded.charged_limit, amount = excluded.amount, state = 'held',
        held_at = excluded.held_at, ended_at = NULL
    WHERE holds.state = 'released'
    RETURNING budget
""")

# INVARIANT I4: the room is checked and taken by one statement, on a row that it locks.
TAKE = Statement("""
    INSERT INTO budgets (budget, maximum, spent, held)
    SELECT CAST(:budget AS text), CAST(:maximum AS bigint), 0, CAST(:amount AS bigint)
    WHERE CAST(:amount AS bigint) <= CAST(:maximum AS bigint)
    ON CONFLICT (budget) DO UPDATE SET held = budgets.held + excluded.held, maximum = excluded.maximum
    WHERE budgets.spent + budgets.held + excluded.held <= excluded.maximum
    RETURNING budget, maximum, spent, held
""")

NOTE_LIMIT = Statement("""
    INSERT INTO budgets (budget, maximum, spent, held) VALUES (:budget, :maximum, 0, 0)
    ON CONFLICT (budget) DO UPDATE SET maximum = excluded.maximum
""")

STAND_AT = Statement(
    """
    SELECT budget, maximum, spent, held FROM budgets WHERE budget IN (SELECT value FROM json_each(:budgets))
    """,
    postgresql="""
    SELECT budget, maximum, spent, held FROM budgets WHERE budget = ANY(CAST(:budgets AS text[]))
    """,
)

UNDO_TAKE = Statement("UPDATE budgets SET held = held - :amount WHERE budget = :budget RETURNING budget")

UNDO_HOLD = Statement("""
    DELETE FROM holds WHERE call = :call AND budget = :budget RETURNING budget
""")

HELD = Statement(
    """
    SELECT budget, charged_limit, amount FROM holds WHERE call = :call AND state = 'held' ORDER BY budget
""",
    postgresql="""
    SELECT budget, charged_limit, amount FROM holds WHERE call = :call AND state = 'held' ORDER BY budget FOR UPDATE
""",
)

END_HOLD = Statement("""
    UPDATE holds SET state = :state, actual = :actual, excess = :excess, ended_at = :now
    WHERE call = :call AND budget = :budget
    RETURNING budget
""")

SPEND = Statement("""
    UPDATE budgets SET held = held - :amount, spent = spent + :actual WHERE budget = :budget RETURNING budget
""")

HOLDS = Statement("""
    SELECT call, budget, charged_limit, amount, state, actual, excess FROM holds WHERE call = :call ORDER BY budget
""")

BALANCES = Statement("""
    SELECT budget, maximum, spent, held FROM budgets
    WHERE budget >= :first AND budget < :beyond ORDER BY budget
""")


class SqlBudgets(SqlSlices, BudgetLedger):
    """The tables `budgets`, `holds` and `slices`."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._taken: tuple[Balance, ...] = ()

    def reserve(self, call: str, charges: tuple[Charge, ...], now: int) -> Overrun | None:
        self._taken = ()
        wanted = in_lock_order(charges)
        overrun = self._full(call, wanted)
        if overrun is not None:
            return overrun
        answers = self._session.each(HOLD, [_hold(call, charge, now) for charge in wanted])
        fresh = [charge for charge, answer in zip(wanted, answers, strict=True) if answer is not None]
        takes = [
            {"budget": charge.budget, "amount": charge.amount, "maximum": charge.limit.maximum} for charge in fresh
        ]
        taken_rows = self._session.each(TAKE, takes)
        fits = [answer is not None for answer in taken_rows]
        if all(fits):
            self._taken = tuple(Balance(*row) for row in taken_rows if row is not None)
            return None
        taken = [charge for charge, fit in zip(fresh, fits, strict=True) if fit]
        self._session.each(UNDO_TAKE, [{"budget": charge.budget, "amount": charge.amount} for charge in taken])
        self._session.each(UNDO_HOLD, [{"call": call, "budget": charge.budget} for charge in fresh])
        refused = fresh[fits.index(False)]
        return self._overrun(refused, self._standing((refused,)))

    def taken(self) -> tuple[Balance, ...]:
        return self._taken

    def _standing(self, charges: tuple[Charge, ...]) -> dict[str, Balance]:
        budgets = self._session.texts(charge.budget for charge in charges)
        return {row[0]: Balance(*row) for row in self._session.all(STAND_AT, {"budgets": budgets})}

    def _full(self, call: str, wanted: tuple[Charge, ...]) -> Overrun | None:
        """Return what has no room, if it can be seen without locking: a storm of refusals then delays nobody else."""
        standing = self._standing(wanted)
        full = [charge for charge in wanted if not _fits(charge, standing.get(charge.budget))]
        if not full:
            return None
        kept = {hold.charge.budget for hold in self.holds(call) if hold.state is not HoldState.RELEASED}
        refused = next((charge for charge in full if charge.budget not in kept), None)
        return None if refused is None else self._overrun(refused, standing)

    def _overrun(self, charge: Charge, standing: dict[str, Balance]) -> Overrun:
        limit = charge.limit
        balance = standing.get(charge.budget) or Balance(charge.budget, -1, 0, 0)
        if balance.limit != limit.maximum:
            self._session.run(NOTE_LIMIT, {"budget": charge.budget, "maximum": limit.maximum})
        return Overrun(charge.budget, limit, charge.amount, balance.spent, balance.held)

    def settle(self, call: str, used: Callable[[Charge], int], now: int) -> None:
        self._end(call, HoldState.SETTLED, lambda charge: spending(used(charge), charge.amount), now)

    def release(self, call: str, now: int) -> None:
        self._end(call, HoldState.RELEASED, lambda _charge: (0, 0), now)

    def _end(self, call: str, state: HoldState, spent: Callable[[Charge], tuple[int, int]], now: int) -> None:
        """End the call's holds; `spent` says what of a held charge is spent, and what lies beyond it."""
        ends = []
        for budget, limit, amount in self._session.all(HELD, {"call": call}):
            actual, excess = spent(Charge(budget, decode_limit(limit), amount))
            names = {"call": call, "budget": budget, "state": state.value, "now": now}
            ends.append(names | {"amount": amount, "actual": actual, "excess": excess})
        self._session.each(SPEND, ends)
        self._session.each(END_HOLD, ends)

    def holds(self, call: str) -> tuple[Hold, ...]:
        return tuple(
            Hold(call, Charge(budget, decode_limit(limit), amount), HoldState(state), actual, excess)
            for call, budget, limit, amount, state, actual, excess in self._session.all(HOLDS, {"call": call})
        )

    def balances(self, prefix: str) -> tuple[Balance, ...]:
        rows = self._session.all(BALANCES, {"first": prefix, "beyond": prefix + "\U0010ffff"})
        return tuple(Balance(*row) for row in rows)


def _fits(charge: Charge, balance: Balance | None) -> bool:
    used = 0 if balance is None else balance.spent + balance.held
    return used + charge.amount <= charge.limit.maximum


def _hold(call: str, charge: Charge, now: int) -> dict[str, object]:
    return {
        "call": call,
        "budget": charge.budget,
        "charged_limit": encode_limit(charge.limit),
        "amount": charge.amount,
        "now": now,
    }
