"""The sets of tables that there are, each with the steps that bring it up to date."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tables:
    """Tables that are brought up to date together, by steps of their own."""

    script: str
    """Where Alembic finds the steps."""
    head: str
    """The newest of them."""
    versions: str
    """The table that says which step a database has reached."""
    page_size: int = 4096
    """Of a new SQLite file, in bytes: long rows want large pages."""


JOURNAL = Tables("interlock.adapters.sql:migrations", "0005", "alembic_version")
SPANS = Tables("interlock.adapters.sql.traces:migrations", "0001", "alembic_version_traces", page_size=8192)
