"""The log over the trail, in memory."""

from collections.abc import Sequence

from interlock.adapters.memory.audit import MemoryAudit
from interlock.adapters.memory.shelf import Shelf, Undo
from interlock.audit.kept_tiles import TileRows, read_hashes, write_hashes
from interlock.audit.leaf import leaf_bytes, leaf_hash
from interlock.audit.ports import AuditLog, LogEntry, LogKey, Placed
from interlock.domain.audit import AuditEvent
from interlock.domain.ids import TenantId


class MemoryLog(AuditLog):
    """Places in the order in which events came."""

    def __init__(self, undo: Undo, trail: MemoryAudit) -> None:
        self._trail = trail
        self._entries: Shelf[int, tuple[AuditEvent, LogEntry]] = Shelf(undo)
        self._checkpoints: Shelf[int, bytes] = Shelf(undo)
        self._keys: Shelf[int, LogKey] = Shelf(undo)
        self._tiles = _Tiles(undo)

    def waits(self) -> bool:
        return self._trail.count() > len(self._entries)

    def unplaced(self, limit: int) -> int:
        return min(limit, self._trail.count() - len(self._entries))

    def place(self, limit: int) -> Placed:
        first = self.size()
        hashes = []
        for index, event in enumerate(self._trail.after(first, limit), first):
            leaf = leaf_bytes(event)
            entry = LogEntry(index, leaf, leaf_hash(leaf))
            self._entries.put(index, (event, entry))
            hashes.append(entry.leaf_hash)
        return Placed(first, tuple(hashes))

    def size(self) -> int:
        return len(self._entries)

    def entries(self, first: int, limit: int) -> tuple[LogEntry, ...]:
        found = (self._entries.find(index) for index in range(first, min(first + limit, self.size())))
        return tuple(row[1] for row in found if row is not None)

    def leaves(self, first: int, limit: int) -> tuple[bytes, ...]:
        return tuple(entry.leaf for entry in self.entries(first, limit))

    def find(self, tenant: TenantId, subject: str) -> tuple[LogEntry, ...]:
        rows = self._entries.oldest_first()
        return tuple(
            entry
            for event, entry in rows
            if event.tenant == tenant and (event.subject == subject or event.subject.startswith(f"{subject}/"))
        )

    def find_event(self, tenant: TenantId, event: str) -> LogEntry | None:
        rows = self._entries.oldest_first()
        return next((entry for one, entry in rows if (one.tenant, one.id) == (tenant, event)), None)

    def misfiled(self, first: int, limit: int) -> tuple[int, ...]:  # noqa: ARG002 - a leaf is all that there is
        return ()

    def hashes(self, level: int, first: int, count: int) -> tuple[bytes, ...]:
        return read_hashes(self._tiles, level, first, count)

    def keep_hashes(self, level: int, first: int, hashes: Sequence[bytes]) -> None:
        write_hashes(self._tiles, level, first, hashes)

    def checkpoint(self) -> bytes | None:
        return next(iter(self.checkpoints(0, len(self._checkpoints))[::-1]), None)

    def keep_checkpoint(self, size: int, note: bytes) -> bool:
        present = self._checkpoints.find(size)
        if present is not None and not (note.startswith(present) and note != present):
            return False
        self._checkpoints.put(size, note)
        return True

    def checkpoints(self, first: int, limit: int) -> tuple[bytes, ...]:
        sizes = sorted(size for size in self._checkpoints.keys() if size >= first)  # noqa: SIM118 - no mapping
        return tuple(note for size in sizes[:limit] if (note := self._checkpoints.find(size)) is not None)

    def keys(self) -> tuple[LogKey, ...]:
        return tuple(sorted(self._keys.oldest_first(), key=lambda key: key.since))

    def keep_key(self, key: LogKey) -> bool:
        self._keys.add(key.since, key)
        return self._keys.find(key.since) == key


class _Tiles(TileRows):
    def __init__(self, undo: Undo) -> None:
        self._rows: Shelf[tuple[int, int], bytes] = Shelf(undo)

    def read(self, level: int, first: int, last: int) -> tuple[tuple[int, bytes], ...]:
        found = ((number, self._rows.find((level, number))) for number in range(first, last + 1))
        return tuple((number, hashes) for number, hashes in found if hashes is not None)

    def write(self, level: int, number: int, hashes: bytes) -> None:
        self._rows.put((level, number), hashes)
