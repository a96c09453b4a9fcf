"""Keys of tenants, legal holds, and which runs were erased."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

Key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
Serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Instant = sa.BigInteger
Bytes = sa.LargeBinary


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "tenant_keys",
        # Empty in the one row that proves the wrapping key.
        sa.Column("tenant", Key, primary_key=True),
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        # NULL: destroyed, and with it everything that is sealed under it.
        sa.Column("wrapped", Bytes),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("destroyed_at", Instant),
        sa.CheckConstraint("(wrapped IS NULL) = (destroyed_at IS NOT NULL)"),
    )
    op.create_table(
        "legal_holds",
        sa.Column("seq", Serial, primary_key=True),
        sa.Column("id", Key, nullable=False, unique=True),
        sa.Column("tenant", Key, nullable=False),
        sa.Column("scope", Key, nullable=False),
        sa.Column("name", Key, nullable=False),
        sa.Column("salt", Bytes, nullable=False),
        sa.Column("reason", Bytes, nullable=False),
        sa.Column("placed_at", Instant, nullable=False),
        sa.Column("placed_by", Key, nullable=False),
        sa.Column("lifted_at", Instant),
        sa.Column("lifted_by", Key),
        sa.CheckConstraint("scope IN ('run', 'user', 'agent', 'tenant')"),
    )
    standing = sa.text("lifted_at IS NULL")
    op.create_index("legal_holds_standing", "legal_holds", ["tenant"], sqlite_where=standing, postgresql_where=standing)
    _what_was_erased()
    _cached_replies()


def _what_was_erased() -> None:
    # When what the run and its calls said was erased, or its time was over.
    op.add_column("runs", sa.Column("erased_at", Instant))
    kept = sa.text("erased_at IS NULL")
    op.create_index("runs_kept", "runs", ["tenant", "opened_at"], sqlite_where=kept, postgresql_where=kept)
    op.add_column("model_calls", sa.Column("erased_at", Instant))
    gone = sa.text("erased_at IS NOT NULL")
    op.create_index("runs_erased", "runs", ["tenant", "erased_at"], sqlite_where=gone, postgresql_where=gone)
    # Model calls outside any run are looked at one by one.
    alone = sa.text("run IS NULL AND erased_at IS NULL")
    op.create_index(
        "model_calls_alone", "model_calls", ["tenant", "started_at"], sqlite_where=alone, postgresql_where=alone
    )


def _cached_replies() -> None:
    # What is there was kept unsealed, and nobody knows for whom: it is only a cache.
    op.execute("DELETE FROM cached_replies")
    op.add_column("cached_replies", sa.Column("user_id", Key, nullable=False, server_default=""))
    op.add_column("cached_replies", sa.Column("run", Key, nullable=False, server_default=""))
