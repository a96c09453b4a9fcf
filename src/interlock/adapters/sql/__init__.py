"""The store on SQLite and PostgreSQL."""

from interlock.adapters.sql.opening import open_store

__all__ = ["open_store"]
