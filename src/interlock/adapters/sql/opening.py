"""Open the store that an address names."""

import asyncio

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from interlock.adapters.sql.postgres import open_postgres
from interlock.adapters.sql.sqlite import open_sqlite
from interlock.domain.errors import ConfigurationError
from interlock.gateway.store import Store


async def open_store(url: str) -> Store:
    """Return the store at `sqlite:///path` or `postgresql://...`, its tables created or brought up to date.

    Raises ConfigurationError for an address of another kind, StoreUnavailable when the database cannot be used.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise _unusable() from None
    match parsed.get_backend_name():
        case "sqlite":
            return await asyncio.to_thread(open_sqlite, parsed)
        case "postgresql" | "postgres":
            return await asyncio.to_thread(open_postgres, parsed)
        case _:
            raise _unusable()


def _unusable() -> ConfigurationError:
    # The address itself may hold a password, so it is not repeated.
    return ConfigurationError(
        "The address of the store is not usable",
        do="Write sqlite:///path/to/interlock.db or postgresql://user@host/name",
    )
