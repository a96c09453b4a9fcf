"""Ways to tell people."""

from interlock.adapters.notify.lines import LineNotifier

__all__ = ["LineNotifier"]
