"""Which model of a tier comes first for one call."""

from __future__ import annotations

from collections import Counter

from interlock.domain.routes import Choose
from interlock.models.routing import Candidate, Health
from tests.unit.models.routing.board import NOW, ask, chosen_by, order, plan


def measured(**speeds: int) -> Health:
    health = Health()
    for model, speed in speeds.items():
        health.succeeded(model, NOW, first_byte_ms=speed, duration_ms=2 * speed)
    return health


def test_the_cheapest_for_this_very_call_comes_first_and_the_unpriced_last() -> None:
    def price(candidate: Candidate, given: int, capped: int) -> int | None:
        rates = {"mini": (1, 50), "sonnet": (3, 4)}
        if candidate.model not in rates:
            return None
        return rates[candidate.model][0] * given + rates[candidate.model][1] * capped

    routed = chosen_by(Choose.CHEAPEST)
    long = routed.plan(ask(input_tokens=10_000, output_cap=10), Health(), price, NOW)
    talkative = routed.plan(ask(input_tokens=10, output_cap=1_000), Health(), price, NOW)

    assert order(long) == ["mini", "sonnet", "opus"]
    assert order(talkative) == ["sonnet", "mini", "opus"]
    assert [row["for"] for row in long.explanation["candidates"]] == [
        "at most 0.000010 USD",
        "at most 0.000030 USD",
        "no price is known",
    ]


def test_the_fastest_of_late_comes_first() -> None:
    health = measured(mini=900, sonnet=200, opus=500)

    assert order(plan(chosen_by(Choose.FASTEST), ask(), health)) == ["sonnet", "opus", "mini"]


def test_the_average_follows_what_is_new_and_an_old_one_counts_for_nothing() -> None:
    health = measured(mini=100)
    for turn in range(20):
        health.succeeded("mini", NOW + turn, first_byte_ms=1_000, duration_ms=1_000)

    average = health.first_byte_ms("mini", NOW + 20)

    assert average is not None
    assert 900 < average < 1_000
    assert health.first_byte_ms("mini", NOW + 700_000) is None


def test_a_model_not_measured_is_tried_by_a_tenth_of_the_calls_and_not_by_all() -> None:
    routed, health = chosen_by(Choose.FASTEST), measured(mini=900, sonnet=200)

    first = Counter(plan(routed, ask(call=f"c{n}"), health).candidates[0].model for n in range(1_000))

    assert 60 < first["opus"] < 150
    assert first["mini"] == 0
    assert first["sonnet"] == 1_000 - first["opus"]


def test_where_nothing_is_measured_all_are_tried() -> None:
    routed = chosen_by(Choose.FASTEST)

    first = Counter(plan(routed, ask(call=f"c{n}")).candidates[0].model for n in range(300))

    assert min(first[name] for name in ("mini", "sonnet", "opus")) > 60


def test_weights_are_reached_and_a_run_stays_together() -> None:
    routed = chosen_by(Choose.WEIGHTED, weights=(6, 3, 1))

    first = Counter(plan(routed, ask(run=f"r{n}")).candidates[0].model for n in range(2_000))
    one_run = {order(plan(routed, ask(run="r1", call=f"c{n}"), now=NOW + n))[0] for n in range(20)}

    assert 1_090 < first["mini"] < 1_310
    assert 480 < first["sonnet"] < 720
    assert 120 < first["opus"] < 280
    assert len(one_run) == 1
    assert sorted(order(plan(routed, ask(run="r1")))) == ["mini", "opus", "sonnet"]
