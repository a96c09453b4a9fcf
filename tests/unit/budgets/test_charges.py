"""Which budgets a call draws on."""

import pytest

from interlock.budgets.charges import Demand, charges, tool_spender
from interlock.domain.budgets import Limit, Measure, Scope, Window
from interlock.domain.calls import CallKey, ToolCall
from interlock.domain.contracts import Kind, Money, Tier, ToolContract, Upstream
from interlock.domain.errors import BudgetExceeded
from interlock.domain.ids import AgentId, CallId, PrincipalId, RunId, TenantId, ToolName, UserId

CALL = ToolCall(
    CallKey(TenantId("acme"), RunId("run-1"), CallId("c1")),
    AgentId("refunds"),
    PrincipalId("bot"),
    ToolName("refund"),
    {},
    UserId("emma"),
)
CONTRACT = ToolContract(
    ToolName("refund"), "", {}, None, Kind.WRITE, Tier.LOW_IMPACT, Upstream("python", "shop", "refund"), "payments"
)
DEMAND = Demand(calls=1, cost_nano_usd=7, money=Money(2_000, "USD"), recipients=3, wall_ms=500)
NEW_YEAR = 1_798_761_599_999
"""One millisecond before 2027, UTC."""


def of(*limits: Limit, now: int = NEW_YEAR, demand: Demand = DEMAND) -> list[tuple[str, int]]:
    found = charges(tool_spender(CALL, CONTRACT), tuple(("here", limit) for limit in limits), demand, now)
    return [(charge.budget, charge.amount) for charge in found]


def test_each_scope_and_window_is_a_budget_of_its_own() -> None:
    found = of(
        Limit("a", Measure.CALLS, Scope.RUN, 9),
        Limit("b", Measure.MONEY, Scope.USER, 9_000, Window.DAY, "USD"),
        Limit("c", Measure.RECIPIENTS, Scope.AGENT, 9, Window.HOUR),
        Limit("d", Measure.WALL_TIME, Scope.TENANT, 9_000, Window.MINUTE),
        Limit("e", Measure.COST, Scope.TOOL, 9),
    )
    assert found == [
        ("acme|here/a|run=run-1|ever", 1),
        ("acme|here/b|user=emma|2026-12-31", 2_000),
        ("acme|here/c|agent=refunds|2026-12-31T23", 3),
        ("acme|here/d|tenant=acme|2026-12-31T23:59", 500),
        ("acme|here/e|tool=refund|ever", 7),
    ]


def test_a_new_day_is_a_new_budget() -> None:
    day = Limit("b", Measure.CALLS, Scope.AGENT, 9, Window.DAY)
    assert of(day) != of(day, now=NEW_YEAR + 1)


@pytest.mark.parametrize(
    ("tool", "count"), [("refund", 1), ("category:payments", 1), ("other", 0), ("category:mail", 0)]
)
def test_a_limit_on_a_tool_or_category_counts_only_its_calls(tool: str, count: int) -> None:
    assert len(of(Limit("a", Measure.CALLS, Scope.RUN, 9, tool=tool))) == count


def test_equal_ids_of_two_declarations_stay_two_budgets() -> None:
    limit = Limit("a", Measure.CALLS, Scope.RUN, 9)
    found = charges(tool_spender(CALL, CONTRACT), (("one", limit), ("two", limit)), DEMAND, NEW_YEAR)
    assert len({charge.budget for charge in found}) == 2


def test_money_in_a_currency_that_no_limit_names_is_refused() -> None:
    with pytest.raises(BudgetExceeded, match="EUR"):
        of(
            Limit("b", Measure.MONEY, Scope.RUN, 9_000, currency="USD"),
            demand=Demand(calls=1, money=Money(1, "EUR")),
        )


def test_a_limit_per_user_is_refused_where_the_run_names_none() -> None:
    nobody = ToolCall(CALL.key, CALL.agent, CALL.principal, CALL.tool, {})
    with pytest.raises(BudgetExceeded, match="per user"):
        charges(tool_spender(nobody, CONTRACT), (("here", Limit("a", Measure.CALLS, Scope.USER, 9)),), DEMAND, NEW_YEAR)


@pytest.mark.parametrize(("maximum", "fits"), [(2_000, True), (1_999, False)])
def test_a_limit_on_one_call_holds_without_a_budget(maximum: int, *, fits: bool) -> None:
    limit = Limit("one", Measure.MONEY, Scope.CALL, maximum, currency="USD")
    if fits:
        assert of(limit) == []
    else:
        with pytest.raises(BudgetExceeded):
            of(limit)
