"""Run by Alembic for each upgrade, on the connection that `interlock.adapters.sql.schema` hands over."""

from alembic import context

_given = context.config.attributes
context.configure(
    connection=_given["connection"], version_table=_given.get("versions", "alembic_version"), transactional_ddl=True
)
context.run_migrations()
