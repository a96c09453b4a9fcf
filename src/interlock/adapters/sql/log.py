"""The log over the trail: places of events, tiles of the tree, checkpoints, keys."""

from collections.abc import Sequence

import orjson

from interlock.adapters.sql.session import Row, Session, Statement
from interlock.audit.kept_tiles import TileRows, read_hashes, write_hashes
from interlock.audit.ports import AuditLog, LogEntry, LogKey, Placed
from interlock.domain.ids import TenantId

_LOCK = "audit log"

WAITS = Statement("SELECT 1 FROM audit_events WHERE leaf_index IS NULL LIMIT 1")

UNPLACED = Statement(
    "SELECT COUNT(*) FROM (SELECT 1 FROM audit_events WHERE leaf_index IS NULL LIMIT :limit) AS unplaced"
)

SIZE = Statement("SELECT MAX(leaf_index) FROM audit_events WHERE leaf_index IS NOT NULL")

# Never `seq > cursor`: transactions commit out of the order of their numbers, and the late ones would be skipped.
PLACE = Statement("""
    UPDATE audit_events SET leaf_index = :first + next.place
    FROM (
        SELECT seq, ROW_NUMBER() OVER (ORDER BY seq) - 1 AS place
        FROM (SELECT seq FROM audit_events WHERE leaf_index IS NULL ORDER BY seq LIMIT :limit) AS waiting
    ) AS next
    WHERE audit_events.seq = next.seq
    RETURNING leaf_index, leaf_hash
""")

ENTRIES = Statement("""
    SELECT leaf_index, leaf, leaf_hash FROM audit_events
    WHERE leaf_index >= :first AND leaf_index < :beyond ORDER BY leaf_index
""")

FILED = Statement("""
    SELECT leaf_index, leaf, id, tenant, kind, at, subject FROM audit_events
    WHERE leaf_index >= :first AND leaf_index < :beyond ORDER BY leaf_index
""")
_FILED = ("id", "tenant", "kind", "at", "subject")

# Not with OR, for which SQLite reads all events of the tenant.
LEAVES = Statement("""
    SELECT leaf FROM audit_events WHERE leaf_index >= :first AND leaf_index < :beyond ORDER BY leaf_index
""")

FIND = Statement("""
    SELECT leaf_index, leaf, leaf_hash FROM audit_events
    WHERE tenant = :tenant AND subject = :subject AND leaf_index IS NOT NULL
    UNION ALL
    SELECT leaf_index, leaf, leaf_hash FROM audit_events
    WHERE tenant = :tenant AND subject > :below AND subject < :beyond AND leaf_index IS NOT NULL
    ORDER BY leaf_index
""")

FIND_EVENT = Statement("""
    SELECT leaf_index, leaf, leaf_hash FROM audit_events
    WHERE tenant = :tenant AND id = :id AND leaf_index IS NOT NULL
""")

TILES = Statement("""
    SELECT tile, hashes FROM audit_tiles WHERE level = :level AND tile >= :first AND tile <= :last ORDER BY tile
""")

KEEP_TILE = Statement("""
    INSERT INTO audit_tiles (level, tile, hashes) VALUES (:level, :tile, :hashes)
    ON CONFLICT (level, tile) DO UPDATE SET hashes = excluded.hashes
""")

LATEST_CHECKPOINT = Statement("SELECT note FROM audit_checkpoints ORDER BY size DESC LIMIT 1")

CHECKPOINT_OF = Statement("SELECT note FROM audit_checkpoints WHERE size = :size")

CHECKPOINTS = Statement("SELECT note FROM audit_checkpoints WHERE size >= :first ORDER BY size LIMIT :limit")

KEEP_CHECKPOINT = Statement("""
    INSERT INTO audit_checkpoints (size, note) VALUES (:size, :note)
    ON CONFLICT (size) DO UPDATE SET note = excluded.note
""")

KEYS = Statement("SELECT since, vkey FROM audit_keys ORDER BY since")

KEEP_KEY = Statement("INSERT INTO audit_keys (since, vkey) VALUES (:since, :vkey) ON CONFLICT (since) DO NOTHING")


class SqlLog(AuditLog):
    """The column `leaf_index` of `audit_events`, and the tables `audit_tiles`, `audit_checkpoints` and `audit_keys`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._tiles = _Tiles(session)

    def waits(self) -> bool:
        return self._session.one(WAITS, {}) is not None

    def unplaced(self, limit: int) -> int:
        row = self._session.one(UNPLACED, {"limit": limit})
        return int(row[0]) if row is not None else 0

    def place(self, limit: int) -> Placed:
        self._session.lock(_LOCK)
        first = self.size()
        rows = self._session.all(PLACE, {"first": first, "limit": limit})
        return Placed(first, tuple(bytes(leaf_hash) for _, leaf_hash in sorted(rows)))

    def size(self) -> int:
        row = self._session.one(SIZE, {})
        return 0 if row is None or row[0] is None else int(row[0]) + 1

    def entries(self, first: int, limit: int) -> tuple[LogEntry, ...]:
        return tuple(map(_entry, self._session.all(ENTRIES, {"first": first, "beyond": first + limit})))

    def leaves(self, first: int, limit: int) -> tuple[bytes, ...]:
        return tuple(_bytes(leaf) for (leaf,) in self._session.all(LEAVES, {"first": first, "beyond": first + limit}))

    def find(self, tenant: TenantId, subject: str) -> tuple[LogEntry, ...]:
        values = {"tenant": tenant, "subject": subject, "below": f"{subject}/", "beyond": f"{subject}0"}
        return tuple(map(_entry, self._session.all(FIND, values)))

    def find_event(self, tenant: TenantId, event: str) -> LogEntry | None:
        row = self._session.one(FIND_EVENT, {"tenant": tenant, "id": event})
        return None if row is None else _entry(row)

    def misfiled(self, first: int, limit: int) -> tuple[int, ...]:
        rows = self._session.all(FILED, {"first": first, "beyond": first + limit})
        return tuple(index for index, leaf, *filed in rows if filed != _told(leaf))

    def hashes(self, level: int, first: int, count: int) -> tuple[bytes, ...]:
        return read_hashes(self._tiles, level, first, count)

    def keep_hashes(self, level: int, first: int, hashes: Sequence[bytes]) -> None:
        write_hashes(self._tiles, level, first, hashes)

    def checkpoint(self) -> bytes | None:
        row = self._session.one(LATEST_CHECKPOINT, {})
        return None if row is None else bytes(row[0])

    def keep_checkpoint(self, size: int, note: bytes) -> bool:
        self._session.lock(_LOCK)
        present = self._session.one(CHECKPOINT_OF, {"size": size})
        if present is not None and not (note.startswith(present[0]) and note != present[0]):
            return False
        self._session.run(KEEP_CHECKPOINT, {"size": size, "note": note})
        return True

    def checkpoints(self, first: int, limit: int) -> tuple[bytes, ...]:
        return tuple(bytes(note) for (note,) in self._session.all(CHECKPOINTS, {"first": first, "limit": limit}))

    def keys(self) -> tuple[LogKey, ...]:
        return tuple(LogKey(since, vkey) for since, vkey in self._session.all(KEYS, {}))

    def keep_key(self, key: LogKey) -> bool:
        self._session.lock(_LOCK)
        self._session.run(KEEP_KEY, {"since": key.since, "vkey": key.vkey})
        return key in self.keys()


class _Tiles(TileRows):
    def __init__(self, session: Session) -> None:
        self._session = session

    def read(self, level: int, first: int, last: int) -> tuple[tuple[int, bytes], ...]:
        rows = self._session.all(TILES, {"level": level, "first": first, "last": last})
        return tuple((number, bytes(hashes)) for number, hashes in rows)

    def write(self, level: int, number: int, hashes: bytes) -> None:
        self._session.run(KEEP_TILE, {"level": level, "tile": number, "hashes": hashes})


def _told(leaf: bytes | str) -> list[object]:
    """Return what a leaf says of what it is filed under; nothing where it says nothing."""
    try:
        said = orjson.loads(leaf)
    except orjson.JSONDecodeError:
        return []
    return [said.get(name) for name in _FILED] if isinstance(said, dict) else []


def _entry(row: Row) -> LogEntry:
    index, leaf, leaf_hash = row
    return LogEntry(int(index), _bytes(leaf), _bytes(leaf_hash))


def _bytes(kept: bytes | str) -> bytes:
    # SQLite keeps a text in a column of bytes, if somebody writes one there: it is for the verifier to say what it is worth.
    return kept.encode() if isinstance(kept, str) else bytes(kept)
