"""Replies kept for the same question: found before anything is held, kept after everything is settled."""

from interlock.domain.errors import StoreUnavailable
from interlock.gateway.model_shaping import seen_in
from interlock.gateway.model_walk import Walk
from interlock.gateway.store import Store
from interlock.models.cache import exact_key
from interlock.models.ports import CachedReply


class ReplyCache:
    """Finds and keeps replies, as the settings of the step say. What the cache cannot do, a model does."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def wants(self, walk: Walk) -> bool:
        """Return whether replies to such calls are kept."""
        return walk.planned.settings.cache.exact_ttl_ms is not None

    async def find(self, walk: Walk) -> bytes | None:
        """Return the kept reply, in the caller's format, or None."""
        if not self.wants(walk):
            return None
        key, tenant, now = self._key(walk), walk.call.tenant, walk.started_at
        found = await self._store.read(lambda tx: tx.models.cached(tenant, key, now))
        if found is None:
            return None
        walk.cache = "exact"
        walk.saw(seen_in(walk, found.body))
        return found.body

    async def keep(self, walk: Walk, body: bytes) -> None:
        """Keep the reply, if such replies are kept."""
        ttl = walk.planned.settings.cache.exact_ttl_ms
        if ttl is None:
            return
        kept, tenant = CachedReply(self._key(walk), "", body, walk.started_at + ttl), walk.call.tenant
        try:
            await self._store.transact(lambda tx: tx.models.keep(tenant, kept))
        except StoreUnavailable:
            walk.note("not_cached", why="the store is not available")

    def _key(self, walk: Walk) -> str:
        if not walk.cache_key:
            settings, candidate = walk.planned.settings, walk.planned.candidates[0]
            walk.cache_key = exact_key(walk.call, settings.cache.scope, candidate.model, walk.ask.body)
        return walk.cache_key
