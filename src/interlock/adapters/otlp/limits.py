"""How much of a request is read at once, and how much of a span."""

from interlock.domain.errors import TooLarge

TOGETHER = 64
"""How many spans are read before others get their turn."""
MOST_ATTRIBUTES = 256
"""Of one span, event, link or resource; what is more is dropped and counted."""
MOST_EVENTS = 128
"""Of one span, and as many links."""
DEEPEST = 16
"""Levels of lists and maps in a value; what lies deeper is left out."""
MOST_GROUPS = 10_000
"""Resources and scopes of one request: each costs time, and an empty one takes hardly a byte."""


def check_groups(found: int) -> None:
    """Raise TooLarge for more resources and scopes than a request may hold."""
    if found > MOST_GROUPS:
        raise TooLarge(
            "The request holds too many resources and scopes",
            why=f"the limit is {MOST_GROUPS}",
            do="Send spans of one resource together, as OTLP exporters do",
        )
