"""The machine's clock."""

import time

from interlock.gateway.ports import Clock


class SystemClock(Clock):
    """UTC as the operating system tells it."""

    def now(self) -> int:
        """Return milliseconds since the epoch."""
        return time.time_ns() // 1_000_000
