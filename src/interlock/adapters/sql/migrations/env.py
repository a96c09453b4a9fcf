"""Run by Alembic for each upgrade, on the connection that `interlock.adapters.sql.schema` hands over."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
