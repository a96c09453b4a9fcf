"""How long to wait before a model is asked again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.domain.errors import (
    BadModelReply,
    InterlockError,
    ModelOverloaded,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
    ReplyCut,
)
from interlock.domain.route_settings import Retries, RetryOn
from interlock.models.routing import delays, may_mend, pause

policies = st.builds(
    Retries,
    attempts=st.integers(1, 10),
    base_ms=st.integers(1, 5_000),
    max_ms=st.integers(1, 60_000),
    jitter=st.booleans(),
)


@given(policies, st.text(max_size=10))
def test_pauses_are_as_many_as_there_are_further_attempts_and_never_longer_than_the_cap(
    retries: Retries, seed: str
) -> None:
    made = delays(retries, seed)

    assert len(made) == retries.attempts - 1
    assert made == delays(retries, seed)
    for turn, delay in enumerate(made):
        assert 0 <= delay <= min(retries.max_ms, retries.base_ms * 2**turn)


def test_without_jitter_pauses_double_up_to_the_cap() -> None:
    assert delays(Retries(attempts=5, base_ms=100, max_ms=500, jitter=False), "") == (100, 200, 400, 500)


def test_jitter_spreads_over_the_whole_pause() -> None:
    drawn = [delays(Retries(attempts=2, base_ms=1_000), f"call_{n}")[0] for n in range(500)]

    assert min(drawn) < 50
    assert max(drawn) > 950
    assert 440 < sum(drawn) / len(drawn) < 560


def test_what_the_provider_asks_for_wins_up_to_a_cap() -> None:
    retries = Retries(max_retry_after_ms=2_000)

    assert pause(retries, 100, None) == 100
    assert pause(retries, 100, 2_000) == 2_000
    assert pause(retries, 100, 0) == 0
    assert pause(retries, 100, 2_001) is None


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ModelTimeout("x"), RetryOn.TIMEOUT),
        (ModelUnavailable("x"), RetryOn.UNAVAILABLE),
        (ModelOverloaded("x"), RetryOn.OVERLOADED),
        (BadModelReply("x"), RetryOn.BAD_REPLY),
        (ReplyCut("x"), RetryOn.BAD_REPLY),
    ],
)
def test_only_what_is_listed_is_tried_again(error: InterlockError, reason: RetryOn) -> None:
    assert may_mend(Retries(on=(reason,)), error)
    assert not may_mend(Retries(on=tuple(each for each in RetryOn if each is not reason)), error)


def test_a_refusal_is_never_tried_again() -> None:
    assert not may_mend(Retries(), ModelRefused("x"))
