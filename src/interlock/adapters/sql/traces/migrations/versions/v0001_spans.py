"""What the span store keeps: sums of runs, spans, the texts that are too long for them, and who has read how far."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Keys are compared by code point everywhere, so that a prefix is a range and an order is the same in both databases.
Key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
Serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Instant = sa.BigInteger
Bytes = sa.LargeBinary

_COUNTS = (
    *("model_calls", "tool_calls", "failed_calls", "denied", "held", "escalated", "near_misses"),
    *("input_tokens", "output_tokens", "cost_nano_usd", "spans", "errors"),
    *("reported_input_tokens", "reported_output_tokens", "reported_cost_nano_usd"),
)


def upgrade() -> None:
    """Create the tables."""
    _run_sums()
    _spans()
    _bodies()
    op.create_table(
        "followers",
        sa.Column("name", Key, primary_key=True),
        sa.Column("position", sa.BigInteger, nullable=False, server_default="0"),
        # Which process it is at present, and until when (milliseconds since the epoch).
        sa.Column("holder", Key, nullable=False, server_default=""),
        sa.Column("held_until", Instant, nullable=False, server_default="0"),
    )
    _notable()
    _archived()


def _run_sums() -> None:
    op.create_table(
        "run_sums",
        sa.Column("id", Serial, primary_key=True),
        sa.Column("tenant", Key, nullable=False),
        # 16 bytes.
        sa.Column("trace", Bytes, nullable=False),
        # Counts the runs of one trace from 0: the first has the trace's spans.
        sa.Column("ordinal", sa.BigInteger, nullable=False),
        # A run of ours; empty while none is known.
        sa.Column("run", Key, nullable=False, server_default=""),
        # What the spans from outside name: a session, a conversation.
        sa.Column("session", Key, nullable=False, server_default=""),
        sa.Column("workflow", Key, nullable=False, server_default=""),
        sa.Column("user_id", Key, nullable=False, server_default=""),
        sa.Column("state", Key, nullable=False, server_default=""),
        sa.Column("outcome", Key, nullable=False, server_default=""),
        # Milliseconds since the epoch.
        sa.Column("started_at", Instant, nullable=False),
        sa.Column("ended_at", Instant),
        *(sa.Column(name, sa.BigInteger, nullable=False, server_default="0") for name in _COUNTS),
        # The highest id of its spans that stands in the archive.
        sa.Column("archived", sa.BigInteger, nullable=False, server_default="0"),
        # 0 once all that is known stands in the archive; 2 while it is being written there.
        sa.Column("stale", sa.Integer, nullable=False, server_default="1"),
        # Ids only grow, so that what was added after a row can be told by its id.
        sqlite_autoincrement=True,
    )
    op.create_index("run_sums_trace", "run_sums", ["tenant", "trace", "ordinal"], unique=True)
    named = sa.text("run <> ''")
    op.create_index(
        "run_sums_run", "run_sums", ["tenant", "run"], unique=True, sqlite_where=named, postgresql_where=named
    )
    with_session = sa.text("session <> ''")
    op.create_index(
        "run_sums_session",
        "run_sums",
        ["tenant", "session"],
        sqlite_where=with_session,
        postgresql_where=with_session,
    )
    # Everything that figures by workflow read, so that they touch no row.
    figures = ["started_at", "workflow", "ended_at", "cost_nano_usd", "reported_cost_nano_usd", "outcome", "escalated"]
    op.create_index("run_sums_newest", "run_sums", ["tenant", *figures])
    changed = sa.text("stale <> 0")
    op.create_index(
        "run_sums_stale", "run_sums", ["tenant", "started_at"], sqlite_where=changed, postgresql_where=changed
    )


def _notable() -> None:
    # What is counted by its reason: rules that denied, tools that failed.
    op.create_table(
        "notable",
        sa.Column("sums", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", Key, primary_key=True),
        sa.Column("reason", Key, primary_key=True),
        sa.Column("times", sa.BigInteger, nullable=False),
    )


def _archived() -> None:
    # Parts of closed days that stand in the archive, so that each span is written there once.
    op.create_table(
        "archived",
        sa.Column("tenant", Key, primary_key=True),
        # Days since the epoch, UTC.
        sa.Column("day", sa.Integer, primary_key=True),
        sa.Column("part", sa.Integer, primary_key=True),
        sa.Column("spans", sa.BigInteger, nullable=False),
        sa.Column("runs", sa.BigInteger, nullable=False),
        sa.Column("written_at", Instant, nullable=False),
    )


def _spans() -> None:
    op.create_table(
        "spans",
        sa.Column("id", Serial, primary_key=True),
        # The row of `run_sums` that stands for the span's trace: of its tenant and trace, the one with ordinal 0.
        sa.Column("sums", sa.BigInteger, nullable=False),
        # 8 bytes each.
        sa.Column("span", Bytes, nullable=False),
        sa.Column("parent", Bytes),
        sa.Column("name", Key, nullable=False),
        sa.Column("category", Key, nullable=False),
        sa.Column("kind", Key, nullable=False),
        sa.Column("status", Key, nullable=False),
        # Nanoseconds since the epoch.
        sa.Column("start_ns", sa.BigInteger, nullable=False),
        sa.Column("end_ns", sa.BigInteger, nullable=False),
        # A session or conversation that the span names.
        sa.Column("run", Key, nullable=False),
        sa.Column("workflow", Key, nullable=False),
        sa.Column("user_id", Key, nullable=False),
        sa.Column("model", Key, nullable=False),
        sa.Column("input_tokens", sa.BigInteger, nullable=False),
        sa.Column("output_tokens", sa.BigInteger, nullable=False),
        sa.Column("cost_nano_usd", sa.BigInteger, nullable=False),
        # JSON (`interlock.traces.details`), sealed where bodies are.
        sa.Column("details", Bytes, nullable=False),
        sqlite_autoincrement=True,
    )
    # Traces are numbered as they come, so this index grows at its end.
    op.create_index("spans_of_trace", "spans", ["sums", "span"], unique=True)


def _bodies() -> None:
    op.create_table(
        "bodies",
        sa.Column("id", Serial, primary_key=True),
        sa.Column("sums", sa.BigInteger, nullable=False),
        # SHA-256 of the text, by which `details` of the trace's spans name it.
        sa.Column("hash", Bytes, nullable=False),
        sa.Column("body", Bytes, nullable=False),
    )
    op.create_index("bodies_of_trace", "bodies", ["sums", "hash"], unique=True)
