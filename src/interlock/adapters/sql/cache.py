"""Replies that are kept to be used again."""

from interlock.adapters.sql.seals import place_of
from interlock.adapters.sql.session import Row, Session, Statement
from interlock.domain.errors import Erased
from interlock.domain.ids import TenantId
from interlock.models.ports import CachedReply

# A reply that is kept anew is a new row, so that the order of rows is the order of keeping.
FORGET = Statement("DELETE FROM cached_replies WHERE tenant = :tenant AND key = :key")

KEEP = Statement("""
    INSERT INTO cached_replies (tenant, key, kinship, expires_at, vector, body, user_id, run)
    VALUES (:tenant, :key, :kinship, :expires_at, :vector, :body, :user_id, :run)
    ON CONFLICT (tenant, key) DO UPDATE
    SET kinship = excluded.kinship, expires_at = excluded.expires_at, vector = excluded.vector, body = excluded.body,
        user_id = excluded.user_id, run = excluded.run
""")

CACHED = Statement("""
    SELECT key, kinship, body, expires_at, vector, user_id, run FROM cached_replies
    WHERE tenant = :tenant AND key = :key AND expires_at > :now
""")

NEIGHBOURS = Statement("""
    SELECT key, kinship, body, expires_at, vector, user_id, run FROM cached_replies
    WHERE tenant = :tenant AND kinship = :kinship AND kinship <> '' AND expires_at > :now AND length(vector) > 0
    ORDER BY seq DESC LIMIT :limit
""")

DROP_EXPIRED = Statement("""
    DELETE FROM cached_replies WHERE seq IN (
        SELECT seq FROM cached_replies WHERE expires_at <= :now ORDER BY expires_at LIMIT :limit
    )
""")

_PLAIN = b"\x00"
"""Before a vector, whose first byte could be any: what is sealed is known by its first byte."""


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
            "vector": self._sealed(tenant, reply.key, "vector", _PLAIN + reply.vector if reply.vector else b""),
            "body": self._sealed(tenant, reply.key, "body", reply.body),
            "user_id": reply.user,
            "run": reply.run,
        }
        self._session.run(FORGET, {"tenant": tenant, "key": reply.key})
        self._session.run(KEEP, values)

    def cached(self, tenant: TenantId, key: str, now: int) -> CachedReply | None:
        row = self._session.one(CACHED, {"tenant": tenant, "key": key, "now": now})
        return None if row is None else self._reply(tenant, row)

    def neighbours(self, tenant: TenantId, partition: str, now: int, limit: int) -> tuple[CachedReply, ...]:
        values = {"tenant": tenant, "kinship": partition, "now": now, "limit": limit}
        found = (self._reply(tenant, row) for row in self._session.all(NEIGHBOURS, values))
        return tuple(reply for reply in found if reply is not None)

    def drop_expired(self, now: int, limit: int) -> int:
        return self._session.run(DROP_EXPIRED, {"now": now, "limit": limit})

    def _reply(self, tenant: TenantId, row: Row) -> CachedReply | None:
        """Return the reply that a row stands for; one whose key was destroyed serves nobody."""
        key, kinship, body, expires_at, vector, user, run = row
        opened = self._session.seals.open
        try:
            body = opened(tenant, place_of("cached_replies", "body", tenant, key), body)
            vector = opened(tenant, place_of("cached_replies", "vector", tenant, key), vector)
        except Erased:
            return None
        return CachedReply(key, kinship, body, expires_at, vector[len(_PLAIN) :], user, run)

    def _sealed(self, tenant: TenantId, key: str, part: str, body: bytes) -> bytes:
        return self._session.seals.seal(tenant, place_of("cached_replies", part, tenant, key), body)
