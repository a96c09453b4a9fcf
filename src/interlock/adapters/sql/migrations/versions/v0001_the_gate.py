"""What the gate keeps: runs, calls, evidence, budgets, approvals, brakes, keys, pins, and the audit trail."""

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


def upgrade() -> None:
    """Create the tables."""
    _runs()
    _calls()
    _evidence()
    _budgets()
    _approvals()
    _brakes()
    _identities()
    _pins()
    _audit()


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("seq", Serial, primary_key=True),
        sa.Column("tenant", Key, nullable=False),
        sa.Column("run", Key, nullable=False),
        sa.Column("agent", Key, nullable=False),
        sa.Column("principal", Key, nullable=False),
        sa.Column("user_id", Key),
        sa.Column("state", Key, nullable=False),
        sa.Column("opened_at", Instant, nullable=False),
        sa.Column("deadline", Instant),
        sa.Column("labels", Bytes, nullable=False),
        sa.UniqueConstraint("tenant", "run"),
    )
    op.create_index("runs_newest", "runs", ["tenant", "seq"])
    op.create_table(
        "heartbeats",
        sa.Column("owner", Key, primary_key=True),
        sa.Column("at", Instant, nullable=False),
    )


def _calls() -> None:
    op.create_table(
        "calls",
        sa.Column("seq", Serial, primary_key=True),
        sa.Column("tenant", Key, nullable=False),
        sa.Column("run", Key, nullable=False),
        sa.Column("call", Key, nullable=False),
        sa.Column("agent", Key, nullable=False),
        sa.Column("tool", Key, nullable=False),
        sa.Column("status", Key, nullable=False),
        sa.Column("attempt", sa.BigInteger, nullable=False),
        sa.Column("owner", Key, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.Column("contract_hash", Key, nullable=False),
        sa.Column("arguments_hash", Key, nullable=False),
        # What never changes about the call, besides its arguments; and what its progress changes, besides its result.
        sa.Column("proposal", Bytes, nullable=False),
        sa.Column("progress", Bytes, nullable=False),
        sa.Column("salt", Bytes),
        # Zero bytes: the body is in `payloads`. NULL: there is none, or it was erased.
        sa.Column("arguments", Bytes),
        sa.Column("result", Bytes),
        sa.UniqueConstraint("tenant", "run", "call"),
    )
    unsettled = sa.text("status IN ('pending', 'executing', 'unknown')")
    op.create_index(
        "calls_unsettled", "calls", ["tenant", "status", "seq"], sqlite_where=unsettled, postgresql_where=unsettled
    )
    op.create_table(
        "payloads",
        sa.Column("tenant", Key, primary_key=True),
        sa.Column("run", Key, primary_key=True),
        sa.Column("call", Key, primary_key=True),
        sa.Column("part", Key, primary_key=True),
        sa.Column("body", Bytes, nullable=False),
        sa.ForeignKeyConstraint(["tenant", "run", "call"], ["calls.tenant", "calls.run", "calls.call"]),
        sa.CheckConstraint("part IN ('arguments', 'result')"),
    )


def _evidence() -> None:
    op.create_table(
        "evidence",
        sa.Column("tenant", Key, primary_key=True),
        sa.Column("run", Key, primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", Key, nullable=False),
        sa.Column("body", Bytes, nullable=False),
        sa.Column("call", Key),
        sqlite_with_rowid=False,
    )


def _budgets() -> None:
    op.create_table(
        "budgets",
        sa.Column("budget", Key, primary_key=True),
        sa.Column("maximum", sa.BigInteger, nullable=False),
        sa.Column("spent", sa.BigInteger, nullable=False),
        sa.Column("held", sa.BigInteger, nullable=False),
        sa.CheckConstraint("spent >= 0 AND held >= 0"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "holds",
        sa.Column("call", Key, primary_key=True),
        sa.Column("budget", Key, primary_key=True),
        sa.Column("charged_limit", Bytes, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("state", Key, nullable=False),
        sa.Column("actual", sa.BigInteger, nullable=False),
        sa.Column("excess", sa.BigInteger, nullable=False),
        sa.Column("held_at", Instant, nullable=False),
        sa.Column("ended_at", Instant),
        sa.CheckConstraint("amount >= 0 AND actual >= 0 AND actual <= amount AND excess >= 0"),
        sa.CheckConstraint("state IN ('held', 'settled', 'released')"),
        sqlite_with_rowid=False,
    )


def _approvals() -> None:
    op.create_table(
        "approvals",
        sa.Column("seq", Serial, primary_key=True),
        sa.Column("id", Key, nullable=False, unique=True),
        sa.Column("tenant", Key, nullable=False),
        sa.Column("run", Key, nullable=False),
        sa.Column("state", Key, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("due_at", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.Column("escalated_at", Instant),
        sa.Column("body", Bytes, nullable=False),
    )
    live = sa.text("state IN ('open', 'granted')")
    op.create_index("approvals_live", "approvals", ["due_at"], sqlite_where=live, postgresql_where=live)
    op.create_index("approvals_of_run", "approvals", ["tenant", "run"])


def _brakes() -> None:
    op.create_table(
        "brakes",
        sa.Column("seq", Serial, primary_key=True),
        sa.Column("id", Key, nullable=False),
        sa.Column("tenant", Key, nullable=False),
        sa.Column("target", Key, nullable=False),
        sa.Column("name", Key, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("set_by", Key, nullable=False),
        sa.Column("set_at", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.Column("lifted_at", Instant),
        sa.Column("lifted_by", Key),
        sa.UniqueConstraint("tenant", "id"),
    )
    on = sa.text("lifted_at IS NULL")
    op.create_index("brakes_on", "brakes", ["tenant", "expires_at"], sqlite_where=on, postgresql_where=on)


def _identities() -> None:
    op.create_table(
        "api_keys",
        sa.Column("seq", Serial, primary_key=True),
        sa.Column("id", Key, nullable=False),
        sa.Column("tenant", Key, nullable=False),
        sa.Column("hash", Key, nullable=False, unique=True),
        sa.Column("principal", Bytes, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("created_by", Key, nullable=False),
        sa.Column("expires_at", Instant),
        sa.Column("revoked_at", Instant),
        sa.UniqueConstraint("tenant", "id"),
    )
    op.create_table(
        "run_tokens",
        sa.Column("id", Key, primary_key=True),
        sa.Column("hash", Key, nullable=False, unique=True),
        sa.Column("tenant", Key, nullable=False),
        sa.Column("run", Key, nullable=False),
        sa.Column("principal", Bytes, nullable=False),
        sa.Column("tools", Bytes),
        sa.Column("issued_at", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.Column("renewable_until", Instant, nullable=False),
        sa.Column("parent", Key),
        sa.Column("path", Key, nullable=False),
        sa.Column("revoked_at", Instant),
    )
    op.create_index("run_tokens_path", "run_tokens", ["path"])


def _pins() -> None:
    op.create_table(
        "pins",
        sa.Column("tool", Key, primary_key=True),
        sa.Column("surface_hash", Key, nullable=False),
        sa.Column("surface", Bytes, nullable=False),
        sa.Column("pinned_at", Instant, nullable=False),
        sa.Column("pinned_by", Key, nullable=False),
    )


def _audit() -> None:
    op.create_table(
        "audit_events",
        sa.Column("seq", Serial, primary_key=True),
        # Not unique: nothing looks events up by their random id, and an index of random keys is the dearest there is.
        sa.Column("id", Key, nullable=False),
        sa.Column("tenant", Key, nullable=False),
        sa.Column("kind", Key, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("subject", Key, nullable=False),
        sa.Column("leaf", Bytes, nullable=False),
        sa.Column("leaf_hash", Bytes, nullable=False),
        sa.Column("leaf_index", sa.BigInteger),
    )
    # Every index is paid for by every call. The newest rows are found from the end of the table; the sequencer that gives
    # out leaf indices brings the partial index that it needs.
    op.create_index("audit_events_subject", "audit_events", ["tenant", "subject"])
    for statement in _GUARDS[op.get_context().dialect.name]:
        op.execute(statement)


# INVARIANT I7: a row of the trail never changes and never goes. Its place in the log is given once.
_GUARDS = {
    "sqlite": (
        """
        CREATE TRIGGER audit_events_stay BEFORE DELETE ON audit_events
        BEGIN SELECT RAISE(ABORT, 'audit events are never deleted'); END
        """,
        """
        CREATE TRIGGER audit_events_unchanged BEFORE UPDATE ON audit_events
        WHEN OLD.leaf_index IS NOT NULL OR NEW.leaf_index IS NULL
          OR (OLD.seq, OLD.id, OLD.tenant, OLD.kind, OLD.at, OLD.subject, OLD.leaf, OLD.leaf_hash)
          <> (NEW.seq, NEW.id, NEW.tenant, NEW.kind, NEW.at, NEW.subject, NEW.leaf, NEW.leaf_hash)
        BEGIN SELECT RAISE(ABORT, 'audit events are never changed'); END
        """,
    ),
    "postgresql": (
        """
        CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'UPDATE' THEN
                IF OLD.leaf_index IS NULL AND NEW.leaf_index IS NOT NULL
                   AND (OLD.seq, OLD.id, OLD.tenant, OLD.kind, OLD.at, OLD.subject, OLD.leaf, OLD.leaf_hash)
                     = (NEW.seq, NEW.id, NEW.tenant, NEW.kind, NEW.at, NEW.subject, NEW.leaf, NEW.leaf_hash)
                THEN
                    RETURN NEW;
                END IF;
            END IF;
            RAISE EXCEPTION 'audit events are never changed or deleted';
        END $$
        """,
        """
        CREATE TRIGGER audit_events_unchanged BEFORE UPDATE OR DELETE ON audit_events
        FOR EACH ROW EXECUTE FUNCTION refuse_audit_change()
        """,
        """
        CREATE TRIGGER audit_events_stay BEFORE TRUNCATE ON audit_events
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()
        """,
    ),
}
