"""Plans that hold for many calls, kept so that a plain call costs a look-up."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from interlock.models.ports import Operation
from interlock.models.routing.plan import Plan, RouteAsk

_MOST = 4_096
"""Callers choose steps and names, so what is kept of them is bounded."""
_BOUNDLESS = 1 << 62

Key = tuple[object, ...]
T = TypeVar("T")


class Shelf(Generic[T]):
    """A bounded mapping that forgets everything when it is full."""

    def __init__(self) -> None:
        self._kept: dict[Key, T] = {}
        self.get = self._kept.get

    def keep(self, key: Key, value: T) -> None:
        """Keep `value` under `key`."""
        if len(self._kept) >= _MOST:
            self._kept.clear()
        self._kept[key] = value


@dataclass(frozen=True, slots=True)
class KeptPlan:
    """A plan that holds for every call of its key whose length fits, while every circuit is closed."""

    plan: Plan
    room: int
    """The longest input where the caller sets no cap."""
    window: int
    """The longest input and reply together where it does."""
    longest: int
    """The longest reply."""

    def fits(self, ask: RouteAsk) -> bool:
        """Return whether no candidate of the plan is too small for `ask`."""
        cap = ask.output_cap
        if cap is None:
            return ask.input_tokens <= self.room
        return ask.input_tokens + cap <= self.window and cap <= self.longest


def key_of(ask: RouteAsk) -> Key:
    """Return all that a plan depends on where nothing in it changes from call to call."""
    embed = ask.operation is Operation.EMBED
    return (ask.model, ask.agent, ask.step, ask.tier_of_step, ask.tenant, ask.has_tools, ask.images, embed)


def keep_plan(plan: Plan) -> KeptPlan:
    """Return `plan` with the lengths up to which it holds."""
    windows = [(each, each.context_window) for each in plan.candidates]
    return KeptPlan(
        plan,
        room=min((window - each.output_cap for each, window in windows if window is not None), default=_BOUNDLESS),
        window=min((window for _, window in windows if window is not None), default=_BOUNDLESS),
        longest=min((each.max_output for each in plan.candidates if each.max_output is not None), default=_BOUNDLESS),
    )
