"""Parts of budgets that processes have taken ahead."""

from interlock.adapters.sql.session import Session, Statement
from interlock.budgets.slices import SHARE, Draw, Grant, Slice, Want
from interlock.domain.budgets import Balance

# INVARIANT I4: what is left is looked at and taken by one statement, on a row that it locks.
TAKE = Statement(
    """
    INSERT INTO budgets (budget, maximum, spent, held, granted)
    SELECT :budget, :maximum, 0, amount, amount
    FROM (SELECT MIN(:most, :maximum, MAX(:need, :maximum / :share)) AS amount)
    WHERE :least <= :maximum
    ON CONFLICT (budget) DO UPDATE
    SET maximum = :maximum,
        granted = MIN(:most, :maximum - spent - held, MAX(:need, (:maximum - spent - held) / :share)),
        held = held + MIN(:most, :maximum - spent - held, MAX(:need, (:maximum - spent - held) / :share))
    WHERE :maximum - spent - held >= :least
    RETURNING granted, maximum, spent, held
    """,
    postgresql="""
    INSERT INTO budgets AS b (budget, maximum, spent, held, granted)
    SELECT CAST(:budget AS text), CAST(:maximum AS bigint), 0, amount, amount
    FROM (SELECT LEAST(CAST(:most AS bigint), CAST(:maximum AS bigint),
                       GREATEST(CAST(:need AS bigint), CAST(:maximum AS bigint) / CAST(:share AS bigint))) AS amount) AS a
    WHERE CAST(:least AS bigint) <= CAST(:maximum AS bigint)
    ON CONFLICT (budget) DO UPDATE
    SET maximum = excluded.maximum,
        granted = LEAST(CAST(:most AS bigint), excluded.maximum - b.spent - b.held,
                        GREATEST(CAST(:need AS bigint),
                                 (excluded.maximum - b.spent - b.held) / CAST(:share AS bigint))),
        held = b.held + LEAST(CAST(:most AS bigint), excluded.maximum - b.spent - b.held,
                              GREATEST(CAST(:need AS bigint),
                                       (excluded.maximum - b.spent - b.held) / CAST(:share AS bigint)))
    WHERE excluded.maximum - b.spent - b.held >= CAST(:least AS bigint)
    RETURNING granted, maximum, spent, held
    """,
)

STAND_AT = Statement(
    """
    SELECT budget, maximum, spent, held FROM budgets WHERE budget IN (SELECT value FROM json_each(:budgets))
    """,
    postgresql="""
    SELECT budget, maximum, spent, held FROM budgets WHERE budget = ANY(CAST(:budgets AS text[]))
    """,
)

NOTE_LIMIT = Statement("""
    INSERT INTO budgets (budget, maximum, spent, held) VALUES (:budget, :maximum, 0, 0)
    ON CONFLICT (budget) DO UPDATE SET maximum = excluded.maximum
    RETURNING budget
""")

OPEN = Statement("""
    INSERT INTO slices (owner, slice, budget, amount, drawn, taken_at)
    VALUES (:owner, :slice, :budget, :amount, 0, :now)
    ON CONFLICT (owner, slice) DO NOTHING
    RETURNING slice
""")

WIDEN = Statement("""
    UPDATE slices SET amount = amount + :amount WHERE owner = :owner AND slice = :slice RETURNING slice
""")

UNDO_TAKE = Statement("UPDATE budgets SET held = held - :amount WHERE budget = :budget RETURNING budget")

# Budgets are locked before slices, by those who take, draw and write off alike.
LOCK = Statement(
    "SELECT budget FROM budgets WHERE budget IN (SELECT value FROM json_each(:budgets)) ORDER BY budget",
    postgresql="""
    SELECT budget FROM budgets WHERE budget = ANY(CAST(:budgets AS text[])) ORDER BY budget FOR UPDATE
    """,
)

KNOWN = Statement(
    """
    SELECT slice, drawn, amount FROM slices
    WHERE owner = :owner AND slice IN (SELECT CAST(value AS integer) FROM json_each(:slices))
    """,
    postgresql="""
    SELECT slice, drawn, amount FROM slices
    WHERE owner = :owner AND slice = ANY(CAST(CAST(:slices AS text[]) AS bigint[]))
    """,
)

NARROW = Statement("""
    UPDATE slices SET amount = amount - :amount, drawn = :number WHERE owner = :owner AND slice = :slice
""")

END = Statement("DELETE FROM slices WHERE owner = :owner AND slice = :slice")

WRITE_OFF = Statement("DELETE FROM slices WHERE owner = :owner AND slice = :slice RETURNING amount")

SPEND = Statement("""
    UPDATE budgets SET held = held - :amount, spent = spent + :spent WHERE budget = :budget
""")

SLICES = Statement(
    """
    SELECT owner, slice, budget, amount FROM slices
    WHERE owner NOT IN (SELECT value FROM json_each(:owners)) ORDER BY budget, owner, slice
    """,
    postgresql="""
    SELECT owner, slice, budget, amount FROM slices
    WHERE owner <> ALL(CAST(:owners AS text[])) ORDER BY budget, owner, slice
    """,
)


class SqlSlices:
    """The table `slices`, and what it holds of `budgets`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def lease(self, owner: str, wants: tuple[Want, ...], now: int) -> tuple[Grant, ...]:
        standing = self._balances_of({want.charge.budget for want in wants}, len(wants))
        grants = {want.slice: _refused(want, standing.get(want.charge.budget)) for want in wants}
        # What is full can be seen without locking: a storm of refusals then delays nobody else.
        likely = sorted(
            (want for want in wants if _has_room(want, grants[want.slice].balance)),
            key=lambda want: want.charge.budget,
        )
        taken = []
        for want, row in zip(likely, self._session.each(TAKE, [_take(want) for want in likely]), strict=True):
            if row is not None:
                grants[want.slice] = Grant(row[0], Balance(want.charge.budget, *row[1:]))
                taken.append(want)
        self._note(owner, taken, grants, now)
        self._note_limits(wants, grants, standing)
        return tuple(grants[want.slice] for want in wants)

    def _balances_of(self, budgets: set[str], expected: int) -> dict[str, Balance]:
        if len(budgets) < expected:
            raise ValueError("a budget is wanted once at a time")
        rows = self._session.all(STAND_AT, {"budgets": self._session.texts(budgets)})
        return {row[0]: Balance(*row) for row in rows}

    def _note(self, owner: str, taken: list[Want], grants: dict[int, Grant], now: int) -> None:
        """Put what was taken into the slices; give back at once what was taken for a slice that is gone."""
        for statement, fresh in ((OPEN, True), (WIDEN, False)):
            wants = [want for want in taken if want.fresh is fresh]
            rows = [
                {
                    "owner": owner,
                    "slice": want.slice,
                    "budget": want.charge.budget,
                    "amount": grants[want.slice].amount,
                    "now": now,
                }
                for want in wants
            ]
            for want, row, found in zip(wants, rows, self._session.each(statement, rows), strict=True):
                if found is None:
                    self._session.one(UNDO_TAKE, row)
                    grants[want.slice] = Grant(0, grants[want.slice].balance, gone=True)

    def _note_limits(self, wants: tuple[Want, ...], grants: dict[int, Grant], standing: dict[str, Balance]) -> None:
        for want in wants:
            known = standing.get(want.charge.budget)
            maximum = want.charge.limit.maximum
            if grants[want.slice].amount == 0 and (known is None or known.limit != maximum):
                self._session.one(NOTE_LIMIT, {"budget": want.charge.budget, "maximum": maximum})

    def draw(self, owner: str, draws: tuple[Draw, ...]) -> frozenset[int]:
        if not draws:
            return frozenset()
        self._lock({draw.budget for draw in draws})
        known = self._known(owner, draws)
        due = [
            {
                "owner": owner,
                "slice": draw.slice,
                "number": draw.number,
                "budget": draw.budget,
                "spent": draw.spent,
                "amount": known[draw.slice][1] if draw.last else draw.spent + draw.returned,
                "last": draw.last,
            }
            for draw in sorted(draws, key=lambda draw: draw.budget)
            if draw.slice in known and known[draw.slice][0] < draw.number
        ]
        self._session.many(SPEND, due)
        self._session.many(NARROW, [row for row in due if not row["last"]])
        self._session.many(END, [row for row in due if row["last"]])
        return frozenset(draw.slice for draw in draws if draw.slice not in known and not draw.last)

    def _known(self, owner: str, draws: tuple[Draw, ...]) -> dict[int, tuple[int, int]]:
        """Return the number of the latest drawing, and the amount, of the slices that are there."""
        slices = self._session.texts(str(draw.slice) for draw in draws)
        rows = self._session.all(KNOWN, {"owner": owner, "slices": slices})
        return {row[0]: (row[1], row[2]) for row in rows}

    def _lock(self, budgets: set[str]) -> None:
        if self._session.locks_rows:
            self._session.all(LOCK, {"budgets": self._session.texts(sorted(budgets))})

    def slices(self, owners_other_than: frozenset[str]) -> tuple[Slice, ...]:
        rows = self._session.all(SLICES, {"owners": self._session.texts(owners_other_than)})
        return tuple(Slice(*row) for row in rows)

    def write_off(self, slices: tuple[Slice, ...]) -> tuple[Slice, ...]:
        if not slices:
            return ()
        self._lock({one.budget for one in slices})
        ended = self._session.each(WRITE_OFF, [{"owner": one.owner, "slice": one.slice} for one in slices])
        written = tuple(
            Slice(one.owner, one.slice, one.budget, row[0])
            for one, row in zip(slices, ended, strict=True)
            if row is not None
        )
        self._session.many(
            SPEND, [{"budget": one.budget, "amount": one.amount, "spent": one.amount} for one in written]
        )
        return written


def _refused(want: Want, balance: Balance | None) -> Grant:
    budget, maximum = want.charge.budget, want.charge.limit.maximum
    if balance is None:
        return Grant(0, Balance(budget, maximum, 0, 0))
    return Grant(0, Balance(budget, maximum, balance.spent, balance.held))


def _has_room(want: Want, balance: Balance) -> bool:
    return balance.limit - balance.spent - balance.held >= want.least


def _take(want: Want) -> dict[str, object]:
    return {
        "budget": want.charge.budget,
        "maximum": want.charge.limit.maximum,
        "most": want.charge.amount,
        "need": want.need,
        "least": want.least,
        "share": SHARE,
    }
