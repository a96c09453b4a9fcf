"""Where the rules of every decision are kept, so that it can be derived again. Runs inside one transaction of the store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from interlock.domain.canonical import JsonObject
from interlock.domain.ids import TenantId


@dataclass(frozen=True, slots=True)
class ArchivedRelease:
    """A release as it was published."""

    id: str
    """SHA-256 over everything that decides: every declared file, every tool as offered, every pin."""
    tenant: TenantId
    first_seen: int
    """Milliseconds since the epoch."""
    manifest: JsonObject
    """Names of files and tools, each with the hash of its bytes."""


class ReleaseRecords(Protocol):
    """Releases by id, and the parts that they are made of by hash."""

    def keep(self, release: ArchivedRelease, parts: Mapping[str, bytes]) -> bool:
        """Record a release with its parts (SHA-256 -> bytes); return False if it was recorded before."""

    def find(self, release: str) -> ArchivedRelease | None:
        """Return the release, or None. The beginning of an id will do where it names one alone."""

    def parts(self, hashes: Sequence[str]) -> Mapping[str, bytes]:
        """Return the parts that are there, by hash."""

    def latest(self, tenant: TenantId, limit: int) -> tuple[ArchivedRelease, ...]:
        """Return the releases that were seen first of late, newest first."""
