"""Whether a database's tables are what this version needs; those that are not are migrated."""

import importlib

from sqlalchemy import Connection, inspect, text

from interlock.adapters.sql.tables import JOURNAL, Tables


def upgrade(connection: Connection, tables: Tables = JOURNAL) -> None:
    """Apply the missing steps inside the transaction that `connection` is in, which keeps out other writers.

    Raises StoreUnavailable if the database was made by a newer version.
    """
    if not _is_current(connection, tables):
        # What migrates weighs 10 MB and is needed once in the life of a version.
        importlib.import_module("interlock.adapters.sql.migrating").migrate(connection, tables)


def _is_current(connection: Connection, tables: Tables) -> bool:
    if not inspect(connection).has_table(tables.versions):
        return False
    found = connection.execute(text(f"SELECT version_num FROM {tables.versions}"))  # noqa: S608 - our own name
    return found.scalars().all() == [tables.head]
