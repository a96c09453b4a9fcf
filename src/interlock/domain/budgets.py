"""Limits on what may be spent, and the holds that keep them exact."""

from dataclasses import dataclass
from enum import StrEnum


class Measure(StrEnum):
    """What is counted."""

    CALLS = "calls"
    """Tool calls."""
    MODEL_CALLS = "model_calls"
    TOKENS = "tokens"
    COST = "cost"
    """What the calls cost us, in nano-USD."""
    MONEY = "money"
    """What the calls move, in minor units of one currency."""
    RECIPIENTS = "recipients"
    WALL_TIME = "wall_time"
    """Time that tools were busy for the scope, in milliseconds."""


class Scope(StrEnum):
    """Whose spending is added up. Every scope is within its tenant."""

    CALL = "call"
    RUN = "run"
    STEP = "step"
    """One step of one run, as the caller names it on its model calls."""
    KEY = "key"
    """Whoever calls: the key that a run was opened with."""
    USER = "user"
    AGENT = "agent"
    TOOL = "tool"
    TENANT = "tenant"


class Window(StrEnum):
    """The stretch of time that a limit covers. Days and hours are UTC."""

    EVER = "ever"
    DAY = "day"
    HOUR = "hour"
    MINUTE = "minute"


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `maximum` of `measure` for each `scope` in each `window`."""

    id: str
    measure: Measure
    scope: Scope
    maximum: int
    """In the measure's own unit."""
    window: Window = Window.EVER
    currency: str = ""
    """For MONEY: which currency. Money in a currency that no limit of the scope names is refused by `Facts`."""
    tool: str | None = None
    """Counts only calls of this tool, or of the category `category:<name>`."""


@dataclass(frozen=True, slots=True)
class Charge:
    """What one call would take from one budget."""

    budget: str
    """The budget's key, such as `acme|agent=refunds|money:USD|day=2026-11-20|limit=daily_refunds`."""
    limit: Limit
    amount: int


@dataclass(frozen=True, slots=True)
class Overrun:
    """The budget that a reservation did not fit into."""

    budget: str
    limit: Limit
    asked: int
    spent: int
    held: int


class HoldState(StrEnum):
    """What has become of a hold."""

    HELD = "held"
    SETTLED = "settled"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Hold:
    """Budget set aside for one call. Keyed by the call, so that a repeated call holds once."""

    call: str
    """`str(CallKey)`."""
    charge: Charge
    state: HoldState
    actual: int = 0
    """What was spent in the end; meaningful once settled."""
    excess: int = 0
    """How much more was reported than had been held. Noted, not spent: the hold is the most that a call can cost its budget."""


@dataclass(frozen=True, slots=True)
class Balance:
    """What a budget stands at. INVARIANT I4: spent + held never exceeds the limit."""

    budget: str
    limit: int
    spent: int
    held: int
