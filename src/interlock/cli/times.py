"""Instants and lengths of time as people read and write them."""

import time
from datetime import UTC, datetime

from interlock.config.units import milliseconds
from interlock.domain.errors import BadInput

_STEPS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


def shown(instant: int | None, now: int | None = None) -> str:
    """Return an instant (milliseconds since the epoch) in local ISO form with its age, or `-` for none."""
    if instant is None:
        return "-"
    local = datetime.fromtimestamp(instant / 1000, tz=UTC).astimezone().isoformat(timespec="seconds")
    return f"{local} ({age(instant, now)})"


def age(instant: int, now: int | None = None) -> str:
    """Return how far an instant lies in the past or the future, such as `3m ago` or `in 2h`."""
    distance = (time.time_ns() // 1_000_000 if now is None else now) - instant
    seconds = abs(distance) // 1000
    for length, letter in _STEPS:
        if seconds >= length:
            text = f"{seconds // length}{letter}"
            return f"{text} ago" if distance > 0 else f"in {text}"
    return "now"


def duration_ms(text: str, option: str) -> int:
    """Return a duration such as `90s` or `1h` in milliseconds. Raises BadInput that names `option`."""
    try:
        return milliseconds(text)
    except ValueError:
        raise BadInput(f"{option} is not a duration", do="Write for instance 30s, 15m, 4h or 2d") from None
