"""How long to wait before a model is asked again."""

import hashlib

from interlock.domain.errors import (
    BadModelReply,
    InterlockError,
    ModelOverloaded,
    ModelTimeout,
    ModelUnavailable,
    ReplyCut,
)
from interlock.domain.route_settings import Retries, RetryOn

_REASONS: tuple[tuple[type[InterlockError], RetryOn], ...] = (
    (ModelTimeout, RetryOn.TIMEOUT),
    (ModelUnavailable, RetryOn.UNAVAILABLE),
    (ModelOverloaded, RetryOn.OVERLOADED),
    (BadModelReply, RetryOn.BAD_REPLY),
    (ReplyCut, RetryOn.BAD_REPLY),
)


def delays(retries: Retries, seed: str) -> tuple[int, ...]:
    """Return the pauses before the second and each further attempt, in milliseconds: always the same for one `seed`.

    They double up to the cap; with jitter each is drawn evenly from 0 to that.
    """
    caps = (min(retries.max_ms, retries.base_ms << min(turn, 40)) for turn in range(retries.attempts - 1))
    if not retries.jitter:
        return tuple(caps)
    return tuple(_draw(f"{seed}/{turn}", cap) for turn, cap in enumerate(caps))


def pause(retries: Retries, delay_ms: int, retry_after_ms: int | None) -> int | None:
    """Return how long to wait in fact: what the provider asks for wins. None when it asks for too long: go on elsewhere."""
    if retry_after_ms is None:
        return delay_ms
    return retry_after_ms if retry_after_ms <= retries.max_retry_after_ms else None


def may_mend(retries: Retries, error: InterlockError) -> bool:
    """Return whether another attempt at the same model may go better after `error`."""
    return any(isinstance(error, kind) and reason in retries.on for kind, reason in _REASONS)


def _draw(seed: str, most: int) -> int:
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big") % (most + 1)
