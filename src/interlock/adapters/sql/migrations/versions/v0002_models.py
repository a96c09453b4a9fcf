"""What the model road keeps: model calls, the tool calls that replies propose, replies to use again, slices of budgets.

And what came of a run, which says what its cost was for.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

Key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
Serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Instant = sa.BigInteger
Bytes = sa.LargeBinary


def upgrade() -> None:
    """Create the tables."""
    _model_calls()
    _proposals()
    _cached_replies()
    _slices()
    _outcomes()


def _model_calls() -> None:
    op.create_table(
        "model_calls",
        sa.Column("seq", Serial, primary_key=True),
        sa.Column("tenant", Key, nullable=False),
        sa.Column("call", Key, nullable=False),
        sa.Column("run", Key),
        sa.Column("agent", Key, nullable=False),
        sa.Column("principal", Key, nullable=False),
        sa.Column("user_id", Key),
        sa.Column("step", Key, nullable=False),
        # As the caller named it; provider and served stay empty when no model served the reply.
        sa.Column("model", Key, nullable=False),
        sa.Column("provider", Key, nullable=False),
        sa.Column("served", Key, nullable=False),
        sa.Column("tier", Key, nullable=False),
        sa.Column("status", Key, nullable=False),
        sa.Column("started_at", Instant, nullable=False),
        sa.Column("duration_ms", sa.BigInteger, nullable=False),
        sa.Column("first_byte_ms", sa.BigInteger),
        sa.Column("input", sa.BigInteger, nullable=False),
        sa.Column("output", sa.BigInteger, nullable=False),
        sa.Column("cache_read", sa.BigInteger, nullable=False),
        sa.Column("reasoning", sa.BigInteger, nullable=False),
        sa.Column("cost_nano_usd", sa.BigInteger, nullable=False),
        sa.Column("cached", Key, nullable=False),
        sa.Column("body", Bytes, nullable=False),
        sa.UniqueConstraint("tenant", "call"),
    )
    in_run = sa.text("run IS NOT NULL")
    op.create_index(
        "model_calls_of_run", "model_calls", ["tenant", "run"], sqlite_where=in_run, postgresql_where=in_run
    )


def _proposals() -> None:
    op.create_table(
        "proposals",
        sa.Column("seq", Serial, primary_key=True),
        sa.Column("tenant", Key, nullable=False),
        sa.Column("run", Key, nullable=False),
        sa.Column("model_call", Key, nullable=False),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("proposal", Key, nullable=False),
        sa.Column("tool", Key, nullable=False),
        sa.Column("arguments_hash", Key, nullable=False),
        sa.UniqueConstraint("tenant", "run", "model_call", "place"),
    )


def _cached_replies() -> None:
    op.create_table(
        "cached_replies",
        sa.Column("seq", Serial, primary_key=True),
        sa.Column("tenant", Key, nullable=False),
        sa.Column("key", Key, nullable=False),
        sa.Column("kinship", Key, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.Column("vector", Bytes, nullable=False),
        sa.Column("body", Bytes, nullable=False),
        sa.UniqueConstraint("tenant", "key"),
    )
    searched = sa.text("kinship <> ''")
    op.create_index(
        "cached_replies_akin",
        "cached_replies",
        ["tenant", "kinship"],
        sqlite_where=searched,
        postgresql_where=searched,
    )
    op.create_index("cached_replies_expiry", "cached_replies", ["expires_at"])


def _slices() -> None:
    op.create_table(
        "slices",
        # The gateway process that holds it, and the process's own number for it: never used twice.
        sa.Column("owner", Key, primary_key=True),
        sa.Column("slice", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("budget", Key, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        # Which of the process's drawings on it was the last: one whose answer was lost is not carried out again.
        sa.Column("drawn", sa.BigInteger, nullable=False),
        sa.Column("taken_at", Instant, nullable=False),
        sa.CheckConstraint("amount >= 0"),
        sqlite_with_rowid=False,
    )
    # What the latest slice took: the statement that decides how much has no other way to say so.
    op.add_column("budgets", sa.Column("granted", sa.BigInteger, nullable=False, server_default="0"))


def _outcomes() -> None:
    op.add_column("runs", sa.Column("ended_at", Instant))
    op.add_column("runs", sa.Column("outcome", Key))
    succeeded = sa.text("outcome = 'succeeded'")
    op.create_index(
        "runs_succeeded", "runs", ["tenant", "ended_at"], sqlite_where=succeeded, postgresql_where=succeeded
    )
