"""How the models have done of late, in this process: how fast they were, and which are left alone for a while."""

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

from interlock.domain.route_settings import Breaker

_WEIGHT = 0.2
"""Of the newest measurement in the moving averages."""
_FRESH_MS = 600_000
"""A measurement older than this says nothing of now."""
_PROBE_MS = 60_000
"""A probe that has not reported for so long is given up."""


class Circuit(StrEnum):
    """Whether a model is asked."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    """One call is let through to see."""


@dataclass(slots=True)
class _Record:
    failures: deque[int]
    """When the failures in a row were; a success empties it."""
    open_until: int | None = None
    """None while the circuit is closed."""
    probe_at: int | None = None
    """When the one call of a half-open circuit began."""
    first_byte_ms: float = 0.0
    duration_ms: float = 0.0
    measured_at: int | None = None


@dataclass(slots=True)
class Health:
    """Mutable, for one event loop. `now` is in milliseconds, of the same clock in every call.

    When that clock is set back, what was to be left alone is asked again rather than left alone for longer than was meant.
    """

    breaker: Breaker = field(default_factory=Breaker)
    troubled: set[str] = field(default_factory=set)
    """Models whose circuit is not closed; empty almost always, so that routes need not look further."""
    _records: dict[str, _Record] = field(default_factory=dict)

    def circuit(self, model: str, now: int) -> Circuit:
        """Return the state of the model's circuit."""
        record = self._records.get(model)
        if record is None or record.open_until is None:
            return Circuit.CLOSED
        return Circuit.OPEN if self._left(record.open_until, now) else Circuit.HALF_OPEN

    def wait_ms(self, model: str, now: int) -> int:
        """Return how long no call is let through: 0 for a closed circuit, and for a half-open one that wants its probe."""
        record = self._records.get(model)
        if record is None or record.open_until is None:
            return 0
        left = self._left(record.open_until, now)
        if left or record.probe_at is None or now < record.probe_at:
            return left
        return max(0, record.probe_at + _PROBE_MS - now)

    def admit(self, model: str, now: int) -> bool:
        """Return whether an attempt may begin now. For a half-open circuit the attempt is its probe, and must report."""
        if model not in self.troubled:
            return True
        if self.wait_ms(model, now) > 0:
            return False
        self._records[model].probe_at = now
        return True

    def succeeded(self, model: str, now: int, *, first_byte_ms: int, duration_ms: int) -> None:
        """Note a reply that came to its end."""
        record = self._records.get(model)
        if record is None:
            record = self._new(model)
        if record.measured_at is None or now - record.measured_at > _FRESH_MS:
            record.first_byte_ms, record.duration_ms = float(first_byte_ms), float(duration_ms)
        else:
            record.first_byte_ms += _WEIGHT * (first_byte_ms - record.first_byte_ms)
            record.duration_ms += _WEIGHT * (duration_ms - record.duration_ms)
        record.measured_at = now
        if record.open_until is None:
            if record.failures:
                record.failures.clear()
        elif not self._left(record.open_until, now):
            self._close(model, record)

    def failed(self, model: str, now: int, *, retry_after_ms: int | None = None) -> None:
        """Note an attempt that failed by the provider's fault; with `retry_after_ms` the provider asked to be left alone."""
        record = self._records.get(model) or self._new(model)
        pause = min(retry_after_ms or 0, self.breaker.max_cool_down_ms)
        if record.open_until is not None:
            # A failure that began before the circuit opened says nothing new; one of the probe does.
            if not self._left(record.open_until, now):
                self._open(model, record, now + max(self.breaker.cool_down_ms, pause))
            elif pause:
                record.open_until = max(record.open_until, now + pause)
            return
        record.failures.append(now)
        full = len(record.failures) == self.breaker.failures
        if full and now - record.failures[0] <= self.breaker.window_ms:
            self._open(model, record, now + max(self.breaker.cool_down_ms, pause))
        elif pause:
            self._open(model, record, now + pause)

    def abandoned(self, model: str) -> None:
        """Note an attempt that ended without saying anything about the model: the caller went away, or asked for nonsense."""
        record = self._records.get(model)
        if record is not None:
            record.probe_at = None

    def first_byte_ms(self, model: str, now: int) -> float | None:
        """Return the moving average of the time to the first byte, or None when nothing was measured of late."""
        record = self._records.get(model)
        if record is None or record.measured_at is None or now - record.measured_at > _FRESH_MS:
            return None
        return record.first_byte_ms

    def duration_ms(self, model: str, now: int) -> float | None:
        """Return the moving average of whole replies, or None as above."""
        return None if self.first_byte_ms(model, now) is None else self._records[model].duration_ms

    def _left(self, until: int, now: int) -> int:
        left = until - now
        longest = max(self.breaker.cool_down_ms, self.breaker.max_cool_down_ms)
        return left if 0 < left <= longest else 0

    def _new(self, model: str) -> _Record:
        record = self._records[model] = _Record(deque(maxlen=self.breaker.failures))
        return record

    def _open(self, model: str, record: _Record, until: int) -> None:
        record.open_until = until
        record.probe_at = None
        self.troubled.add(model)

    def _close(self, model: str, record: _Record) -> None:
        record.open_until = record.probe_at = None
        record.failures.clear()
        self.troubled.discard(model)
