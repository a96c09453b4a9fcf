"""A log made in memory: entries, tree, checkpoints, two keys with a rotation between them, a witness; and its exports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from interlock.audit.checkpoints import Checkpoint, sign_checkpoint
from interlock.audit.export import Exported, FolderTarget, write_export
from interlock.audit.leaf import leaf_bytes, leaf_hash
from interlock.audit.notes import COSIGNATURE, SignerKey, parse_note
from interlock.audit.ports import LogEntry
from interlock.domain.audit import AuditEvent, AuditKind
from interlock.domain.ids import TenantId
from tests.unit.audit import naive

ORIGIN = "example.com/log"
FIRST = SignerKey(ORIGIN, bytes(range(32)))
SECOND = SignerKey(ORIGIN, bytes(range(32, 64)))
WITNESS = SignerKey("example.com/witness", bytes(range(64, 96)), COSIGNATURE)


@dataclass
class Log:
    """Entries 0..size-1; the one at `rotated` introduces the second key, and the checkpoint right after it has both."""

    leaves: list[bytes]
    rotated: int

    @classmethod
    def of(cls, size: int, rotated: int = -1) -> Log:
        return cls([leaf_bytes(an_entry(number, rotated=number == rotated)) for number in range(size)], rotated)

    @property
    def keys(self) -> list[SignerKey]:
        return [FIRST, SECOND] if self.rotated >= 0 else [FIRST]

    def root(self, size: int) -> bytes:
        return naive.mth([leaf_hash(leaf) for leaf in self.leaves[:size]])

    def signers(self, size: int, before: int = 0) -> list[SignerKey]:
        """Who signs the tree of `size`, if the checkpoint before it was of `before`."""
        if self.rotated < 0 or size <= self.rotated:
            return [FIRST]
        return [SECOND] if before > self.rotated else [FIRST, SECOND]

    def checkpoint(self, size: int, before: int = 0) -> bytes:
        return sign_checkpoint(Checkpoint(ORIGIN, size, self.root(size)), *self.signers(size, before))

    def exported(self, sizes: Sequence[int]) -> Exported:
        """What an export with checkpoints of these sizes is made of."""
        notes = [self.checkpoint(size, before) for size, before in zip(sizes, [0, *sizes], strict=False)]
        last = sizes[-1]
        keys = self.keys[: 1 + (0 <= self.rotated < last)]
        entries = [LogEntry(index, leaf, leaf_hash(leaf)) for index, leaf in enumerate(self.leaves)]
        return Exported(notes[-1], entries, [str(key.verifier) for key in keys], notes)

    def export(self, folder: Path, sizes: Sequence[int]) -> Path:
        for _ in write_export(FolderTarget(folder), self.exported(sizes), self.signers(sizes[-1], sizes[-1])[-1]):
            pass
        return folder


def cosigned(note: bytes, time: int = 1_800_000_000) -> bytes:
    """A checkpoint with the witness's signature below it."""
    parsed = parse_note(note)
    return bytes(parsed.signed_also_by(WITNESS.sign(parsed.text, time)))


def an_entry(number: int, *, rotated: bool = False) -> AuditEvent:
    kind = AuditKind.LOG_KEY_ROTATED if rotated else AuditKind.CALL_DECIDED
    subject = str(SECOND.verifier) if rotated else f"run_{number // 3}/call_{number}"
    body = {"effect": "allow", "tool": "crm.refund", "amount": number * 7, "rules": [["limit", "allow", number % 5]]}
    return AuditEvent(f"evt_{number:05d}", TenantId("acme"), kind, 1_800_000_000_000 + number, "agent-1", subject, body)
