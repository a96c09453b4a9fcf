"""Bring the tables of a database to what this version needs."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from interlock.adapters.sql.tables import Tables
from interlock.domain.errors import StoreUnavailable


def migrate(connection: Connection, tables: Tables) -> None:
    """Apply the missing steps inside the transaction that `connection` is in, which keeps out other writers.

    Raises StoreUnavailable if the database was made by a newer version.
    """
    config = Config()
    config.set_main_option("script_location", tables.script)
    config.attributes["connection"] = connection
    config.attributes["versions"] = tables.versions
    script = ScriptDirectory.from_config(config)
    present = MigrationContext.configure(connection, opts={"version_table": tables.versions}).get_current_heads()
    if present == tuple(script.get_heads()):
        return
    known = {step.revision for step in script.walk_revisions()}
    for revision in present:
        if revision not in known:
            raise StoreUnavailable(
                "The database is newer than this version of Interlock",
                why=f"its tables are at step {revision}, which this version does not know",
                do="Start the version that made it, or a later one; an older one could lose what it does not know",
            )
    command.upgrade(config, "head")
