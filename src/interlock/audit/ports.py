"""Where the trail and the log over it are kept. Every method runs inside one transaction of the store."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from interlock.audit.notes import SignerKey
from interlock.domain.audit import AuditEvent, AuditKind
from interlock.domain.ids import TenantId


class AuditTrail(Protocol):
    """INVARIANT I7: an event commits with what it tells of, or neither does. There is no method to change or delete."""

    def append(self, *events: AuditEvent) -> None:
        """Add events, in order: the canonical JSON and leaf hash of each (see `interlock.audit.leaf`)."""

    def search(
        self, tenant: TenantId, *, subject: str | None, limit: int, kind: AuditKind | None = None, since: int = 0
    ) -> tuple[AuditEvent, ...]:
        """Return events of the instant `since` and after, newest first; `subject` matches from its start."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An event that has its place in the log."""

    index: int
    """From 0, without gaps."""
    leaf: bytes
    """Its canonical JSON (`interlock.audit.leaf.leaf_bytes`)."""
    leaf_hash: bytes


@dataclass(frozen=True, slots=True)
class Placed:
    """Events that have just been given their places, one after the other."""

    first: int
    """The index of the first one."""
    hashes: tuple[bytes, ...]
    """Their leaf hashes, in order."""


@dataclass(frozen=True, slots=True)
class LogKey:
    """A key that signs checkpoints, and since when."""

    since: int
    """Trees of more leaves than this are signed with it."""
    vkey: str
    """As C2SP signed-note writes it."""


class AuditLog(Protocol):
    """The trail in the order of the log: a Merkle tree of RFC 6962 over the leaf hashes, and its signed checkpoints."""

    def waits(self) -> bool:
        """Return whether an event has no place yet."""

    def unplaced(self, limit: int) -> int:
        """Return how many events have no place yet, counted up to `limit`."""

    def place(self, limit: int) -> Placed:
        """Give the next leaf indices to up to `limit` events that have none.

        One transaction at a time does so. An event that commits late gets a later index: none is ever skipped.
        """

    def size(self) -> int:
        """Return how many events have a place."""

    def entries(self, first: int, limit: int) -> tuple[LogEntry, ...]:
        """Return up to `limit` entries from index `first` on, in order."""

    def leaves(self, first: int, limit: int) -> tuple[bytes, ...]:
        """Return what up to `limit` entries from index `first` on say, in order: for who reads and proves nothing."""

    def find(self, tenant: TenantId, subject: str) -> tuple[LogEntry, ...]:
        """Return the placed entries of this subject, and of those below it (`subject/...`), in order."""

    def find_event(self, tenant: TenantId, event: str) -> LogEntry | None:
        """Return the placed entry of the event of this id. Looks through the whole trail: ids have no index."""

    def misfiled(self, first: int, limit: int) -> tuple[int, ...]:
        """Return which of up to `limit` entries from `first` on the trail files under what their leaves do not say.

        The log proves leaves; a search goes by tenant, kind, subject, time and id, which somebody may have changed beside them.
        """

    def hashes(self, level: int, first: int, count: int) -> tuple[bytes, ...]:
        """Return hashes of full subtrees of 2**level leaves, from the `first` on: what proofs are made of.

        Only those that are there: fewer than `count` where the tree is too small for the others.
        """

    def keep_hashes(self, level: int, first: int, hashes: Sequence[bytes]) -> None:
        """Record hashes of full subtrees of 2**level leaves, from the `first` on.

        `first` is the first that is not there yet. Levels between multiples of 8 need no keeping: they are computed.
        """

    def checkpoint(self) -> bytes | None:
        """Return the latest signed checkpoint (C2SP tlog-checkpoint), or None while there is none."""

    def keep_checkpoint(self, size: int, note: bytes) -> bool:
        """Record a signed checkpoint of a tree of `size`; return whether it is new.

        One that is there for this size stays as it is, unless `note` is the same with more signatures.
        """

    def checkpoints(self, first: int, limit: int) -> tuple[bytes, ...]:
        """Return up to `limit` signed checkpoints of trees of at least `first` leaves, smallest first."""

    def keys(self) -> tuple[LogKey, ...]:
        """Return the keys that have signed so far, in order: the last one is the present one. A hint, and no proof."""

    def keep_key(self, key: LogKey) -> bool:
        """Record that from now on `key` signs; return False, and change nothing, if another one does since then."""


class KeyRing(Protocol):
    """Where the keys that sign checkpoints are kept: outside the database."""

    async def keys(self) -> tuple[SignerKey, ...]:
        """Return the keys at hand: the present one, and the next one while it is being changed. Empty: there is none.

        Raises ConfigurationError for one that cannot be used, ToolUnavailable for a reference that leads nowhere.
        """

    async def begin(self, name: str) -> SignerKey:
        """Return the first key of a log, made now unless one is there. Raises ConfigurationError where it is to be given."""

    async def prepare(self, name: str) -> SignerKey:
        """Return the next key, made now unless one is there. Raises ConfigurationError where keys are to be given."""

    async def promote(self) -> None:
        """Make the next key the present one and forget the former. Nothing happens where there is no next."""


class CheckpointMemory(Protocol):
    """The last checkpoint, kept outside the database, so that a restored backup cannot lead to a second history."""

    async def load(self) -> bytes | None:
        """Return the kept note, or None. Raises StoreUnavailable when it cannot be read."""

    async def keep(self, size: int, note: bytes) -> None:
        """Put `note` in place of that of a smaller tree, safe from a power failure. Raises StoreUnavailable."""

    async def put_aside(self) -> str:
        """Keep no checkpoint any more; return where the former one lies now."""


class AnchorPlace(Protocol):
    """A place outside that keeps checkpoints."""

    @property
    def name(self) -> str:
        """What people call it; holds no secret."""

    async def publish(self, size: int, note: bytes, prove: "Prover") -> tuple[str, ...]:
        """Leave the checkpoint there; return signature lines of who has seen it. Safe to repeat.

        `prove` gives consistency proofs to who wants one. Raises ToolUnavailable to be tried again, SigningStopped when the
        place knows of a checkpoint that is no beginning of this one.
        """


class Prover(Protocol):
    """Proves that the log only grew."""

    async def __call__(self, old: int, new: int) -> tuple[bytes, ...]:
        """Return the consistency proof from `old` to `new` leaves; empty where `old` is 0."""
