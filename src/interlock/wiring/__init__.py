"""Build every object once from configuration: the only package that knows which adapter stands behind a port."""

from interlock.wiring.building import Interlock, every, open_interlock

__all__ = ["Interlock", "every", "open_interlock"]
