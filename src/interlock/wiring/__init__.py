"""Build every object once from configuration: the only package that knows which adapter stands behind a port."""

from interlock.wiring.building import Interlock, open_interlock

__all__ = ["Interlock", "open_interlock"]
