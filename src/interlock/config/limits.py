"""Limits as people write them: at most so much, of what, for each whom, in every stretch of time."""

from dataclasses import dataclass

from interlock.config.nodes import Node, Scalar
from interlock.config.problems import Findings
from interlock.config.records import Field, ListOf, Record, Section
from interlock.config.shapes import REFUSED, Choice, Read, Shape, Text, ToolRef, Whole
from interlock.config.units import COST, DURATION, MONEY
from interlock.domain.budgets import Limit, Measure, Scope, Window
from interlock.domain.canonical import Json
from interlock.domain.problems import Spot

_BY_MEASURE: tuple[tuple[Measure, Shape], ...] = (
    (Measure.CALLS, Whole()),
    (Measure.MODEL_CALLS, Whole()),
    (Measure.TOKENS, Whole()),
    (Measure.RECIPIENTS, Whole()),
    (Measure.COST, COST),
    (Measure.MONEY, MONEY),
    (Measure.WALL_TIME, DURATION),
)
_ALREADY_BOUNDED = (Scope.CALL, Scope.RUN, Scope.STEP)


@dataclass(frozen=True, slots=True)
class _Quantity(Shape):
    """A number, amount or duration; which of them follows from the measure beside it."""

    words: str = "a whole number, an amount such as 500 USD, or a duration such as 30s"

    def read(self, node: Node, spot: Spot, found: Findings) -> Read:
        if not isinstance(node, Scalar) or isinstance(node.value, bool | None):
            return self.refuse(node, spot, found)
        return node

    def schema(self) -> Json:
        return {"type": ["integer", "string"]}


LIMIT = Record(
    "a limit",
    (
        Field("at_most", _Quantity(), "How much: a count, an amount with its currency, or a duration.", required=True),
        Field(
            "of",
            Choice({measure.value: measure for measure, _ in _BY_MEASURE}),
            "What is counted: `calls` are tool calls, `money` is what the calls move, `cost` is what they cost you, "
            "`wall_time` is how long tools are busy.",
            required=True,
        ),
        Field(
            "per",
            Choice({scope.value: scope for scope in Scope}),
            "Whose spending is added up, always within the tenant.",
            required=True,
        ),
        Field(
            "every",
            Choice({window.value: window for window in Window}),
            "The stretch of time, in UTC. It must be said unless the limit is per call or per run.",
            default="ever",
        ),
        Field("tool", ToolRef("a tool, or category:<name>"), "Counts only calls of this tool or category."),
        Field(
            "id",
            Text("an id of letters, digits, dots, dashes", r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}"),
            "What messages call the limit.",
            default="made of the other keys, such as `money.agent.day`",
        ),
    ),
    doc="At most so much, of what, for each whom, in every stretch of time.",
)
LIMITS = ListOf(LIMIT)


def limits(sections: tuple[Section, ...], found: Findings, taken: tuple[Limit, ...] = ()) -> tuple[Limit, ...]:
    """Return the limits that `sections`, read by LIMITS, stand for; their ids differ from each other and from `taken`."""
    made: list[Limit] = []
    ids = {limit.id for limit in taken}
    for section in sections:
        limit = _limit(section, found)
        if limit is None:
            continue
        if limit.id in ids:
            found.add(section.at("id"), f"There is another limit '{limit.id}'", "an id of its own for each limit")
        ids.add(limit.id)
        made.append(limit)
    return tuple(made)


def _limit(section: Section, found: Findings) -> Limit | None:
    measure: Measure = section.get("of")
    scope: Scope = section.get("per")
    window: Window | None = section.get("every")
    if "every" not in section.spots and scope not in _ALREADY_BOUNDED:
        found.add(section.spot, f"A limit per {scope.value} must say 'every'", "day, hour, minute or ever")
    amount = dict(_BY_MEASURE)[measure].read(section.get("at_most"), section.at("at_most"), found)
    if amount is REFUSED:
        return None
    tool = section.get("tool")
    parts = [measure.value, scope.value, *([window.value] if window else []), *([tool] if tool else [])]
    return Limit(
        id=section.get("id", ".".join(parts)),
        measure=measure,
        scope=scope,
        maximum=amount.minor if measure is Measure.MONEY else amount,
        window=window or Window.EVER,
        currency=amount.currency if measure is Measure.MONEY else "",
        tool=tool,
    )
