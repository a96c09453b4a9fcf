"""Whether a database's tables are what this version needs; those that are not are migrated."""

import importlib

from sqlalchemy import Connection, inspect, text

HEAD = "0005"
"""The newest step of the migrations."""
_TABLE = "alembic_version"


def upgrade(connection: Connection) -> None:
    """Apply the missing steps inside the transaction that `connection` is in, which keeps out other writers.

    Raises StoreUnavailable if the database was made by a newer version.
    """
    if not _is_current(connection):
        # What migrates weighs 10 MB and is needed once in the life of a version.
        importlib.import_module("interlock.adapters.sql.migrating").migrate(connection)


def _is_current(connection: Connection) -> bool:
    if not inspect(connection).has_table(_TABLE):
        return False
    return connection.execute(text(f"SELECT version_num FROM {_TABLE}")).scalars().all() == [HEAD]  # noqa: S608 - our own name
