"""The store in memory: for tests, and for processes whose records may die with them."""

from interlock.adapters.memory.store import MemoryStore

__all__ = ["MemoryStore"]
