"""Remove from the disk what was deleted from the tables, as far as a database can.

SQLite: pages that were freed are overwritten and the log is emptied; `whole` writes the file anew. PostgreSQL: dead rows are
freed; `whole` writes the tables anew. Neither reaches the disk's own spare blocks, archived logs, or backups.
"""

import sqlite3
from pathlib import Path

from sqlalchemy import URL, create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from interlock.adapters.sql.failures import sqlite_failure
from interlock.domain.errors import StoreUnavailable

_TABLES = text("SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename")
_WAITING_S = 30.0


def compact(url: URL, *, whole: bool) -> None:
    """Remove what was deleted. Raises StoreUnavailable when the database does not let it happen now."""
    if url.get_backend_name() == "sqlite":
        _compact_sqlite(Path(url.database or ""), whole=whole)
    else:
        _compact_postgres(url, whole=whole)


def _compact_sqlite(path: Path, *, whole: bool) -> None:
    try:
        connection = sqlite3.connect(path, isolation_level=None, timeout=_WAITING_S)
        try:
            if whole:
                connection.execute("VACUUM")
            # Readers that are in the middle of something keep a part of the log alive; a later checkpoint empties it.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise sqlite_failure(error) from None


def _compact_postgres(url: URL, *, whole: bool) -> None:
    engine = create_engine(url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT", poolclass=NullPool)
    try:
        with engine.connect() as connection:
            for (table,) in connection.execute(_TABLES).all():
                connection.execute(text(f'VACUUM {"(FULL) " if whole else ""}"{table}"'))
    except SQLAlchemyError as error:
        raise StoreUnavailable(
            "PostgreSQL cannot remove what was deleted from its disk now",
            why=type(error).__name__,
            do="What was erased is erased; run interlock retention compact later, as the owner of the tables",
        ) from None
    finally:
        engine.dispose()
