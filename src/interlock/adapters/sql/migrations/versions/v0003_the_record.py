"""What the record needs of the gate: the trace of each run, salts of runs, and every release that calls were decided under."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

Key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
Instant = sa.BigInteger
Bytes = sa.LargeBinary


def upgrade() -> None:
    """Create the tables."""
    op.add_column("runs", sa.Column("trace", Key, nullable=False, server_default=""))
    op.add_column("runs", sa.Column("parent_span", Key, nullable=False, server_default=""))
    op.add_column("runs", sa.Column("salt", Bytes))
    is_open = sa.text("state = 'open'")
    op.create_index("runs_open", "runs", ["deadline"], sqlite_where=is_open, postgresql_where=is_open)
    op.create_table(
        "releases",
        sa.Column("id", Key, primary_key=True),
        sa.Column("tenant", Key, nullable=False),
        sa.Column("first_seen", Instant, nullable=False),
        # Names of files and surfaces, each with the hash of its bytes in `release_parts`.
        sa.Column("manifest", Bytes, nullable=False),
    )
    op.create_table(
        "release_parts",
        sa.Column("hash", Key, primary_key=True),
        sa.Column("body", Bytes, nullable=False),
    )
