"""Places of audit events in the log, its tree, its checkpoints."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

Key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
Bytes = sa.LargeBinary


def upgrade() -> None:
    """Create the tables."""
    unplaced, placed = sa.text("leaf_index IS NULL"), sa.text("leaf_index IS NOT NULL")
    # What waits for its place is few rows: an insert pays for a small index, and the sequencer finds them at once.
    op.create_index("audit_events_unplaced", "audit_events", ["seq"], sqlite_where=unplaced, postgresql_where=unplaced)
    op.create_index(
        "audit_events_placed",
        "audit_events",
        ["leaf_index"],
        unique=True,
        sqlite_where=placed,
        postgresql_where=placed,
    )
    # Tiles of C2SP tlog-tiles: up to 256 hashes, one after the other, of full subtrees of 256 ** level leaves.
    op.create_table(
        "audit_tiles",
        sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("tile", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("hashes", Bytes, nullable=False),
    )
    op.create_table(
        "audit_checkpoints",
        sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("note", Bytes, nullable=False),
    )
    op.create_table(
        "audit_keys",
        sa.Column("since", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("vkey", Key, nullable=False),
    )
    op.add_column("brakes", sa.Column("salt", Bytes))
    for statement in _GUARDS[op.get_context().dialect.name]:
        op.execute(statement)


# INVARIANT: tiles and checkpoints only grow at their end, and stay. A note takes further signatures after those it has.
_GUARDS = {
    "sqlite": (
        """
        CREATE TRIGGER audit_tiles_grow BEFORE UPDATE ON audit_tiles
        WHEN OLD.level <> NEW.level OR OLD.tile <> NEW.tile OR substr(NEW.hashes, 1, length(OLD.hashes)) <> OLD.hashes
        BEGIN SELECT RAISE(ABORT, 'tiles of the audit log only grow'); END
        """,
        """
        CREATE TRIGGER audit_tiles_stay BEFORE DELETE ON audit_tiles
        BEGIN SELECT RAISE(ABORT, 'tiles of the audit log only grow'); END
        """,
        """
        CREATE TRIGGER audit_checkpoints_grow BEFORE UPDATE ON audit_checkpoints
        WHEN OLD.size <> NEW.size OR substr(NEW.note, 1, length(OLD.note)) <> OLD.note
        BEGIN SELECT RAISE(ABORT, 'checkpoints of the audit log stay'); END
        """,
        """
        CREATE TRIGGER audit_checkpoints_stay BEFORE DELETE ON audit_checkpoints
        BEGIN SELECT RAISE(ABORT, 'checkpoints of the audit log stay'); END
        """,
    ),
    "postgresql": (
        # Hashes do not compress.
        "ALTER TABLE audit_tiles ALTER COLUMN hashes SET STORAGE EXTERNAL",
        """
        CREATE FUNCTION refuse_audit_log_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'UPDATE' THEN
                IF TG_TABLE_NAME = 'audit_tiles' THEN
                    IF (OLD.level, OLD.tile) = (NEW.level, NEW.tile)
                       AND substr(NEW.hashes, 1, length(OLD.hashes)) = OLD.hashes
                    THEN
                        RETURN NEW;
                    END IF;
                ELSIF OLD.size = NEW.size AND substr(NEW.note, 1, length(OLD.note)) = OLD.note THEN
                    RETURN NEW;
                END IF;
            END IF;
            RAISE EXCEPTION 'tiles and checkpoints of the audit log only grow';
        END $$
        """,
        """
        CREATE TRIGGER audit_tiles_grow BEFORE UPDATE OR DELETE ON audit_tiles
        FOR EACH ROW EXECUTE FUNCTION refuse_audit_log_change()
        """,
        """
        CREATE TRIGGER audit_tiles_stay BEFORE TRUNCATE ON audit_tiles
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_log_change()
        """,
        """
        CREATE TRIGGER audit_checkpoints_grow BEFORE UPDATE OR DELETE ON audit_checkpoints
        FOR EACH ROW EXECUTE FUNCTION refuse_audit_log_change()
        """,
        """
        CREATE TRIGGER audit_checkpoints_stay BEFORE TRUNCATE ON audit_checkpoints
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_log_change()
        """,
    ),
}
