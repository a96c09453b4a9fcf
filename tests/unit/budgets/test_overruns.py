"""A budget that has no room says so in the units that people use."""

import pytest

from interlock.budgets.overruns import sentence
from interlock.domain.budgets import Limit, Measure, Overrun, Scope, Window


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        (
            Limit("day", Measure.MONEY, Scope.AGENT, 60_000, Window.DAY, "USD"),
            (
                "The limit day allows 600.00 USD per agent and day. 1.50 USD spent, 0.20 USD held, 598.30 USD left; "
                "this call asks for 700.00 USD."
            ),
        ),
        (
            Limit("yen", Measure.MONEY, Scope.RUN, 60_000, currency="JPY"),
            (
                "The limit yen allows 60000 JPY per run. 150 JPY spent, 20 JPY held, 59830 JPY left; "
                "this call asks for 70000 JPY."
            ),
        ),
        (
            Limit("n", Measure.CALLS, Scope.USER, 160),
            (
                "The limit n allows 160 calls per user. 150 calls spent, 20 calls held, 0 calls left; "
                "this call asks for 70000 calls."
            ),
        ),
        (
            Limit("t", Measure.WALL_TIME, Scope.RUN, 60_000),
            "The limit t allows 60.0 s per run. 0.2 s spent, 0.0 s held, 59.8 s left; this call asks for 70.0 s.",
        ),
    ],
)
def test_the_sentence_names_limit_use_and_request(limit: Limit, said: str) -> None:
    assert sentence(Overrun("key", limit, asked=70_000, spent=150, held=20)) == said
