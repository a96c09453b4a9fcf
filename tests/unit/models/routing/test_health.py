"""A model that fails is left alone for a while, then one call is let through to see."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from interlock.domain.route_settings import Breaker
from interlock.models.routing import Circuit, Health

BREAKER = Breaker(failures=3, window_ms=1_000, cool_down_ms=500, max_cool_down_ms=5_000)


def opened(now: int = 0) -> Health:
    health = Health(BREAKER)
    for _ in range(3):
        health.failed("m", now)
    return health


def test_failures_in_a_row_within_the_window_open_the_circuit() -> None:
    health = Health(BREAKER)
    health.failed("m", 0)
    health.failed("m", 500)
    assert health.circuit("m", 500) is Circuit.CLOSED

    health.failed("m", 1_000)

    assert health.circuit("m", 1_000) is Circuit.OPEN
    assert not health.admit("m", 1_499)
    assert health.admit("other", 1_000)


def test_failures_that_are_spread_out_or_broken_by_a_success_do_not() -> None:
    slow, mixed = Health(BREAKER), Health(BREAKER)
    for now in (0, 600, 1_200, 1_800):
        slow.failed("m", now)
    for now in range(10):
        mixed.failed("m", now)
        mixed.failed("m", now)
        mixed.succeeded("m", now, first_byte_ms=1, duration_ms=1)

    assert slow.circuit("m", 1_800) is Circuit.CLOSED
    assert mixed.circuit("m", 10) is Circuit.CLOSED


def test_after_the_cool_down_one_call_sees_and_its_success_closes() -> None:
    health = opened()
    assert health.circuit("m", 500) is Circuit.HALF_OPEN

    assert [health.admit("m", 500) for _ in range(5)] == [True, False, False, False, False]
    health.succeeded("m", 600, first_byte_ms=1, duration_ms=1)

    assert health.circuit("m", 600) is Circuit.CLOSED
    assert health.troubled == set()
    assert all(health.admit("m", 600) for _ in range(5))


def test_a_probe_that_fails_opens_it_again() -> None:
    health = opened()
    assert health.admit("m", 500)

    health.failed("m", 700)

    assert health.wait_ms("m", 700) == 500


def test_a_probe_that_says_nothing_lets_another_one_through() -> None:
    health = opened()
    assert health.admit("m", 500)
    assert not health.admit("m", 501)

    health.abandoned("m")

    assert health.admit("m", 502)
    assert not health.admit("m", 60_000)
    assert health.admit("m", 60_502), "a probe that never reports is given up"


def test_a_retry_after_is_waited_for_at_once_and_not_for_ever() -> None:
    health = Health(BREAKER)

    health.failed("m", 0, retry_after_ms=2_000)
    assert health.wait_ms("m", 0) == 2_000
    health.failed("m", 10, retry_after_ms=3_600_000)

    assert health.wait_ms("m", 10) == 5_000


def test_news_of_calls_that_began_before_do_not_close_an_open_circuit() -> None:
    health = opened()

    health.succeeded("m", 100, first_byte_ms=1, duration_ms=1)
    health.failed("m", 100)

    assert health.wait_ms("m", 100) == 400


def test_a_clock_that_is_set_back_leaves_nothing_alone_for_longer() -> None:
    health = opened(now=10_000_000)

    assert health.admit("m", 1_000), "the hours until the clock is there again are not waited for"
    assert not health.admit("m", 1_001)
    health.succeeded("m", 1_002, first_byte_ms=1, duration_ms=1)

    assert health.circuit("m", 1_003) is Circuit.CLOSED


class Circuits(RuleBasedStateMachine):
    """Against a model of the promise: at most one call at a time goes to a model that has not shown that it is well."""

    def __init__(self) -> None:
        super().__init__()
        self.health = Health(BREAKER)
        self.now = 0
        self.in_a_row: list[int] = []
        self.well = True
        self.shut_until = 0
        self.probe_at: int | None = None

    @rule(step=st.sampled_from([0, 1, 100, 499, 500, 2_000, 60_000]))
    def time_passes(self, step: int) -> None:
        self.now += step

    @rule()
    def somebody_asks(self) -> None:
        free = self.probe_at is None or self.now - self.probe_at >= 60_000
        expected = self.well or (self.now >= self.shut_until and free)
        assert self.health.admit("m", self.now) is expected
        if expected and not self.well:
            self.probe_at = self.now

    @rule()
    def a_call_succeeds(self) -> None:
        self.health.succeeded("m", self.now, first_byte_ms=5, duration_ms=9)
        if self.well or self.now >= self.shut_until:
            self.well, self.probe_at, self.in_a_row = True, None, []

    @rule(asked=st.sampled_from([None, 100, 3_000, 9_000]))
    def a_call_fails(self, asked: int | None) -> None:
        self.health.failed("m", self.now, retry_after_ms=asked)
        wanted = min(asked or 0, 5_000)
        if self.well:
            self.in_a_row = [*self.in_a_row, self.now][-3:]
            tripped = len(self.in_a_row) == 3 and self.now - self.in_a_row[0] <= 1_000
            if tripped or wanted:
                self.well, self.probe_at = False, None
                self.shut_until = self.now + (max(500, wanted) if tripped else wanted)
        elif self.now >= self.shut_until:
            self.shut_until, self.probe_at = self.now + max(500, wanted), None
        elif wanted:
            self.shut_until = max(self.shut_until, self.now + wanted)

    @rule()
    def a_caller_goes_away(self) -> None:
        self.health.abandoned("m")
        self.probe_at = None

    @invariant()
    def routes_are_told_of_trouble(self) -> None:
        assert (self.health.troubled == {"m"}) is not self.well
        assert (self.health.circuit("m", self.now) is Circuit.CLOSED) is self.well


TestCircuits = Circuits.TestCase
TestCircuits.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
