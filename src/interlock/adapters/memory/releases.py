"""Releases in memory."""

from collections.abc import Mapping, Sequence
from itertools import islice

from interlock.adapters.memory.shelf import Shelf, Undo
from interlock.domain.ids import TenantId
from interlock.policy.releases import ArchivedRelease, ReleaseRecords


class MemoryReleases(ReleaseRecords):
    """Releases by id, parts by hash."""

    def __init__(self, undo: Undo) -> None:
        self._releases: Shelf[str, ArchivedRelease] = Shelf(undo)
        self._parts: Shelf[str, bytes] = Shelf(undo)

    def keep(self, release: ArchivedRelease, parts: Mapping[str, bytes]) -> bool:
        if not self._releases.add(release.id, release):
            return False
        for name, body in parts.items():
            self._parts.add(name, body)
        return True

    def find(self, release: str) -> ArchivedRelease | None:
        exact = self._releases.find(release)
        if exact is not None or not release:
            return exact
        found = [one for one in self._releases.oldest_first() if one.id.startswith(release)]
        return found[0] if len(found) == 1 else None

    def parts(self, hashes: Sequence[str]) -> Mapping[str, bytes]:
        found = ((name, self._parts.find(name)) for name in hashes)
        return {name: body for name, body in found if body is not None}

    def latest(self, tenant: TenantId, limit: int) -> tuple[ArchivedRelease, ...]:
        found = [one for one in self._releases.oldest_first() if one.tenant == tenant]
        return tuple(islice(sorted(found, key=lambda one: (-one.first_seen, one.id)), limit))
