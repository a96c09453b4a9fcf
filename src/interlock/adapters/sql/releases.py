"""Releases that calls were decided under, and the parts that they are made of."""

from collections.abc import Mapping, Sequence

from interlock.adapters.sql.encoding import decode, encode
from interlock.adapters.sql.session import Row, Session, Statement
from interlock.domain.ids import TenantId
from interlock.policy.releases import ArchivedRelease, ReleaseRecords

KEEP = Statement("""
    INSERT INTO releases (id, tenant, first_seen, manifest) VALUES (:id, :tenant, :first_seen, :manifest)
    ON CONFLICT (id) DO NOTHING
""")

KEEP_PART = Statement("""
    INSERT INTO release_parts (hash, body) VALUES (:hash, :body) ON CONFLICT (hash) DO NOTHING
""")

FIND = Statement("""
    SELECT id, tenant, first_seen, manifest FROM releases WHERE id >= :first AND id < :beyond ORDER BY id LIMIT 2
""")

PARTS = Statement(
    "SELECT hash, body FROM release_parts WHERE hash IN (SELECT value FROM json_each(:hashes))",
    postgresql="SELECT hash, body FROM release_parts WHERE hash = ANY(CAST(:hashes AS text[]))",
)

LATEST = Statement("""
    SELECT id, tenant, first_seen, manifest FROM releases
    WHERE tenant = :tenant ORDER BY first_seen DESC, id LIMIT :limit
""")


class SqlReleases(ReleaseRecords):
    """The tables `releases` and `release_parts`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def keep(self, release: ArchivedRelease, parts: Mapping[str, bytes]) -> bool:
        values = {
            "id": release.id,
            "tenant": release.tenant,
            "first_seen": release.first_seen,
            "manifest": encode(release.manifest),
        }
        if self._session.run(KEEP, values) == 0:
            return False
        # In the order of hashes, so that two processes which keep the same parts never wait for each other in a ring.
        self._session.many(KEEP_PART, [{"hash": name, "body": parts[name]} for name in sorted(parts)])
        return True

    def find(self, release: str) -> ArchivedRelease | None:
        rows = self._session.all(FIND, {"first": release, "beyond": release + "\U0010ffff"}) if release else ()
        exact = [row for row in rows if row[0] == release] or rows
        return _release(exact[0]) if len(exact) == 1 else None

    def parts(self, hashes: Sequence[str]) -> Mapping[str, bytes]:
        return dict(self._session.all(PARTS, {"hashes": self._session.texts(hashes)}))

    def latest(self, tenant: TenantId, limit: int) -> tuple[ArchivedRelease, ...]:
        return tuple(_release(row) for row in self._session.all(LATEST, {"tenant": tenant, "limit": limit}))


def _release(row: Row) -> ArchivedRelease:
    id_, tenant, first_seen, manifest = row
    return ArchivedRelease(id_, tenant, first_seen, decode(manifest))
