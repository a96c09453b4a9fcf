"""Open the span store that an address names."""

import asyncio
from collections.abc import Awaitable, Callable

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from interlock.adapters.sql.postgres import PostgresDatabase, opened_postgres
from interlock.adapters.sql.session import Session
from interlock.adapters.sql.sqlite import SqliteDatabase, opened_sqlite
from interlock.adapters.sql.tables import SPANS
from interlock.adapters.sql.traces.store import SpanDatabase, SpanTables, SqlSpanStore
from interlock.domain.errors import ConfigurationError
from interlock.domain.ids import TenantId
from interlock.traces.ports import Seal

CONNECTIONS = 4
"""To PostgreSQL; the journal has its own."""


async def open_span_store(
    url: str, seal: Seal | None = None, prepare: Callable[[TenantId], Awaitable[None]] | None = None
) -> SqlSpanStore:
    """Return the span store at `sqlite:///path` or `postgresql://...`, its tables created or brought up to date.

    `seal` makes what spans say unreadable at rest; without one it is kept as it comes. `prepare` fetches the keys of a tenant
    that `seal` does not know yet.
    Raises ConfigurationError for an address of another kind, StoreUnavailable when the database cannot be used.
    """
    parsed = _address(url)
    return SqlSpanStore(await asyncio.to_thread(_opened, parsed, seal), prepare, parsed)


def beside(url: str) -> str:
    """Return where spans are kept when nothing is said: `x-traces.db` beside the journal's `x.db`, or in its PostgreSQL."""
    parsed = _address(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return url
    name = parsed.database
    stem = name.removesuffix(".db")
    return parsed.set(database=f"{stem}-traces.db").render_as_string(hide_password=False)


def _opened(url: URL, seal: Seal | None) -> SpanDatabase:
    def tables(session: Session) -> SpanTables:
        return SpanTables(session, seal)

    if url.get_backend_name() == "sqlite":
        return opened_sqlite(url, SPANS, lambda engine, path: SqliteDatabase(engine, path, tables))
    return opened_postgres(url, SPANS, lambda engine: PostgresDatabase(engine, tables, CONNECTIONS), CONNECTIONS)


def _address(url: str) -> URL:
    """Return where `url` leads: to SQLite, or else to PostgreSQL."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise _unusable() from None
    if parsed.get_backend_name() not in ("sqlite", "postgresql", "postgres"):
        raise _unusable()
    return parsed


def _unusable() -> ConfigurationError:
    # The address itself may hold a password, so it is not repeated.
    return ConfigurationError(
        "The address of the span store is not usable",
        do="Write sqlite:///path/to/traces.db or postgresql://user@host/name as traces.store",
    )
