"""Which rule is about a call, and which share of it the call falls into."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.domain.routes import RouteRule, Shares, Sticky, When
from interlock.models.routing.rules import bucket, matches, share_of
from tests.unit.models.routing.board import NOW, ask, plan, router

FEW = Shares((("small", 7_000), ("mid", 3_000)))
parts = st.lists(st.integers(1, 50), min_size=2, max_size=5).map(
    lambda weights: Shares(
        tuple(
            (
                f"t{place}",
                10_000 * sum(weights[: place + 1]) // sum(weights) - 10_000 * sum(weights[:place]) // sum(weights),
            )
            for place in range(len(weights))
        )
    )
)


@pytest.mark.parametrize(
    ("when", "yes", "no"),
    [
        ({"agent": frozenset({"support"})}, {}, {"agent": "billing"}),
        ({"step": frozenset({"plan"})}, {"step": "plan"}, {"step": "act"}),
        ({"tenant": frozenset({"acme"})}, {}, None),
        ({"user": frozenset({"u1"})}, {"user": "u1"}, {}),
        (
            {"labels": (("plan", frozenset({"gold"})),)},
            {"labels": (("plan", "gold"),)},
            {"labels": (("plan", "free"),)},
        ),
        ({"labels": (("plan", frozenset({"gold"})),)}, {"labels": (("plan", "gold"), ("a", "b"))}, {}),
        ({"words": ("refund",)}, {"text": "a REFUND, please"}, {"text": "hello"}),
        ({"min_input_tokens": 10}, {"input_tokens": 10}, {"input_tokens": 9}),
        ({"max_input_tokens": 10}, {"input_tokens": 10}, {"input_tokens": 11}),
        ({"has_tools": True}, {"has_tools": True}, {}),
        ({"images": False}, {}, {"images": True}),
    ],
)
def test_a_rule_matches_when_all_that_it_asks_for_holds(
    when: dict[str, Any], yes: dict[str, Any], no: dict[str, Any] | None
) -> None:
    assert matches(When(**when), ask(**yes))
    assert no is None or not matches(When(**when), ask(**no))
    assert not matches(When(**{**when, "tenant": frozenset({"other"})}), ask(**yes))


@given(shares=parts, rule=st.text(min_size=1, max_size=8))
def test_stated_shares_are_reached(shares: Shares, rule: str) -> None:
    calls = 4_000
    counts = dict.fromkeys((name for name, _ in shares.parts), 0)
    for run in range(calls):
        counts[share_of(shares, bucket(rule, "acme", f"run_{run}"))] += 1

    for name, share in shares.parts:
        expected = calls * share / 10_000
        # Six standard deviations: chance fails this once in five hundred million draws.
        bound = 6 * (expected * (1 - share / 10_000)) ** 0.5 + 1
        assert abs(counts[name] - expected) <= bound


@given(st.text(min_size=1, max_size=20))
def test_the_same_run_meets_the_same_share_whatever_rules_are_added(run: str) -> None:
    rule = RouteRule("tickets", When(), FEW)
    before = plan(router(rule), ask(run=run))
    after = plan(
        router(RouteRule("new", When(agent=frozenset({"x"})), FEW), rule), ask(run=run, input_tokens=7), now=NOW + 99
    )

    assert before.tier == after.tier
    assert before.explanation["share"] == after.explanation["share"]


def test_two_rules_deal_apart() -> None:
    same = sum(
        share_of(FEW, bucket("one", "acme", f"u{n}")) == share_of(FEW, bucket("two", "acme", f"u{n}"))
        for n in range(2_000)
    )

    assert 0.52 < same / 2_000 < 0.64, (
        "0.7 * 0.7 + 0.3 * 0.3, or the second rule would only divide what the first one did"
    )


@given(st.integers(0, 9_999))
def test_a_changed_share_moves_only_those_that_it_must(place: int) -> None:
    lower = Shares((("small", 6_000), ("mid", 4_000)))

    moved = share_of(FEW, place) != share_of(lower, place)

    assert moved == (6_000 <= place < 7_000)


@pytest.mark.parametrize(
    ("sticky", "same", "differs"),
    [
        (Sticky.RUN, {"run": "r1"}, "user"),
        (Sticky.USER, {"user": "u1"}, "run"),
        (Sticky.AGENT, {}, "user"),
    ],
)
def test_shares_stick_to_what_they_say(sticky: Sticky, same: dict[str, str], differs: str) -> None:
    routed = router(RouteRule("t", When(), Shares(FEW.parts, sticky)))

    tiers = {plan(routed, ask(**same, **{differs: str(n)}, call=str(n)), now=NOW + n).tier for n in range(50)}

    assert len(tiers) == 1


def test_calls_outside_any_run_are_dealt_one_by_one() -> None:
    routed = router(RouteRule("t", When(), FEW))

    by_call = [plan(routed, ask(call=f"c{n}")).tier for n in range(500)]
    by_time = [plan(routed, ask(), now=NOW + n).tier for n in range(500)]

    assert 300 < by_call.count("small") < 400
    assert 300 < by_time.count("small") < 400


def test_the_record_says_which_share_and_why() -> None:
    made = plan(router(RouteRule("tickets", When(), FEW)), ask(run="r1"))

    assert made.explanation["rule"] == "tickets"
    assert made.explanation["share"] == {
        "bucket": bucket("tickets", "acme", "r1"),
        "by": "run",
        "of": {"small": 7_000, "mid": 3_000},
    }
