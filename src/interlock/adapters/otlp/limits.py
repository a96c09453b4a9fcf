"""How much of a request is read at once, and how much of a span."""

TOGETHER = 64
"""How many spans are read before others get their turn."""
MOST_ATTRIBUTES = 256
"""Of one span, event, link or resource; what is more is dropped and counted."""
MOST_EVENTS = 128
"""Of one span, and as many links."""
DEEPEST = 16
"""Levels of lists and maps in a value; what lies deeper is left out."""
