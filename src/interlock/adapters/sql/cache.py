"""Replies that are kept to be used again."""

from interlock.adapters.sql.session import Session, Statement
from interlock.domain.ids import TenantId
from interlock.models.ports import CachedReply

# A reply that is kept anew is a new row, so that the order of rows is the order of keeping.
FORGET = Statement("DELETE FROM cached_replies WHERE tenant = :tenant AND key = :key")

KEEP = Statement("""
    INSERT INTO cached_replies (tenant, key, kinship, expires_at, vector, body)
    VALUES (:tenant, :key, :kinship, :expires_at, :vector, :body)
    ON CONFLICT (tenant, key) DO UPDATE
    SET kinship = excluded.kinship, expires_at = excluded.expires_at, vector = excluded.vector, body = excluded.body
""")

CACHED = Statement("""
    SELECT key, kinship, body, expires_at, vector FROM cached_replies
    WHERE tenant = :tenant AND key = :key AND expires_at > :now
""")

NEIGHBOURS = Statement("""
    SELECT key, kinship, body, expires_at, vector FROM cached_replies
    WHERE tenant = :tenant AND kinship = :kinship AND kinship <> '' AND expires_at > :now AND length(vector) > 0
    ORDER BY seq DESC LIMIT :limit
""")

DROP_EXPIRED = Statement("""
    DELETE FROM cached_replies WHERE seq IN (
        SELECT seq FROM cached_replies WHERE expires_at <= :now ORDER BY expires_at LIMIT :limit
    )
""")


class SqlCache:
    """The table `cached_replies`. A `partition` is called `kinship` there, because SQL has that word for itself."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def keep(self, tenant: TenantId, reply: CachedReply) -> None:
        values = {
            "tenant": tenant,
            "key": reply.key,
            "kinship": reply.partition,
            "expires_at": reply.expires_at,
            "vector": reply.vector,
            "body": reply.body,
        }
        self._session.run(FORGET, {"tenant": tenant, "key": reply.key})
        self._session.run(KEEP, values)

    def cached(self, tenant: TenantId, key: str, now: int) -> CachedReply | None:
        row = self._session.one(CACHED, {"tenant": tenant, "key": key, "now": now})
        return None if row is None else CachedReply(*row)

    def neighbours(self, tenant: TenantId, partition: str, now: int, limit: int) -> tuple[CachedReply, ...]:
        values = {"tenant": tenant, "kinship": partition, "now": now, "limit": limit}
        return tuple(CachedReply(*row) for row in self._session.all(NEIGHBOURS, values))

    def drop_expired(self, now: int, limit: int) -> int:
        return self._session.run(DROP_EXPIRED, {"now": now, "limit": limit})
