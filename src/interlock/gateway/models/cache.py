"""Replies kept for the same question: found before anything is held, kept after everything is settled."""

import orjson

from interlock.checks.detectors import finds
from interlock.domain.errors import BadModelReply, StoreUnavailable
from interlock.gateway.models.embedding import Embedder
from interlock.gateway.models.requests import Caching
from interlock.gateway.models.shaping import seen_in
from interlock.gateway.models.walk import Walk
from interlock.gateway.store import Store, Tx
from interlock.models.cache import Asked, Kinship, Lookup, exact_key, is_cacheable, is_twisted, kinship, may_keep
from interlock.models.dialogue import Stop
from interlock.models.ports import CachedReply, Operation
from interlock.models.similarity import nearest

_NEWEST = 256
"""So many questions of a partition are compared, the newest."""
_LARGEST = 1 << 20
"""Bytes of a reply that is kept."""
_SWEPT = 1_000
"""Expired replies deleted in one transaction."""
_CHANGED = frozenset({"personal_data_hidden"})
"""What was done to a request whose reply is of no use to another: its tokens for hidden values are this run's own."""


class ReplyCache:
    """Finds and keeps replies, as the settings of the step say. What the cache cannot do, a model does."""

    def __init__(self, store: Store, embedder: Embedder | None = None) -> None:
        """Without `embedder` replies serve the very same request only, whatever the settings say."""
        self._store = store
        self._embedder = embedder

    def wants(self, walk: Walk) -> bool:
        """Return whether the reply to this call may be kept."""
        return self._lookup(walk) is not None

    async def find(self, walk: Walk) -> bytes | None:
        """Return a kept reply, in the caller's format, or None."""
        lookup = self._lookup(walk)
        if lookup is None:
            return None
        if walk.ask.caching is Caching.REFRESH:
            await self._embed(walk, lookup)
            return None
        try:
            found = await self._same(walk, lookup)
            if found is None:
                found = await self._alike(walk, lookup)
        except StoreUnavailable:
            walk.note("not_looked_up", why="the store is not available")
            return None
        if found is None:
            return None
        try:
            walk.saw(seen_in(walk, found))
        except (BadModelReply, orjson.JSONDecodeError):
            walk.cache, walk.similarity = "", None
            walk.note("not_looked_up", why="the kept reply cannot be read")
            return None
        return found

    async def keep(self, walk: Walk, body: bytes) -> None:
        """Keep the reply, if such replies are kept."""
        lookup = self._lookup(walk)
        if lookup is None or len(body) > _LARGEST or not _is_worth_keeping(walk):
            return
        kept, tenant = _replies(walk, lookup, body), walk.call.tenant

        def work(tx: Tx) -> None:
            for reply in kept:
                tx.models.keep(tenant, reply)

        if kept:
            try:
                await self._store.transact(work)
            except StoreUnavailable:
                walk.note("not_cached", why="the store is not available")

    async def sweep(self, now: int) -> int:
        """Delete what has expired; return how many replies."""
        dropped = last = await self._store.transact(lambda tx: tx.models.drop_expired(now, _SWEPT))
        while last == _SWEPT:
            last = await self._store.transact(lambda tx: tx.models.drop_expired(now, _SWEPT))
            dropped += last
        return dropped

    async def _same(self, walk: Walk, lookup: Lookup) -> bytes | None:
        if not lookup.exact:
            return None
        tenant, now = walk.call.tenant, walk.started_at
        found = await self._store.read(lambda tx: tx.models.cached(tenant, lookup.exact, now))
        if found is None:
            return None
        walk.cache = "exact"
        return found.body

    async def _alike(self, walk: Walk, lookup: Lookup) -> bytes | None:
        await self._embed(walk, lookup)
        semantic, kin, vector = walk.planned.settings.cache.semantic, lookup.kin, lookup.vector
        if semantic is None or kin is None or not vector:
            return None
        tenant, now = walk.call.tenant, walk.started_at

        def work(tx: Tx) -> tuple[CachedReply, int] | None:
            kept = tx.models.neighbours(tenant, kin.partition, now, _NEWEST)
            return nearest(vector, (one for one in kept if not is_twisted(kin, one.key)), semantic.threshold)

        found = await self._store.read(work)
        if found is None:
            return None
        reply, walk.similarity = found
        walk.cache = "semantic"
        walk.note("semantic_hit", similarity=walk.similarity / 10_000, embedder=semantic.embedder)
        return reply.body

    async def _embed(self, walk: Walk, lookup: Lookup) -> None:
        semantic = walk.planned.settings.cache.semantic
        if semantic is not None and lookup.kin is not None and self._embedder is not None:
            lookup.vector = await self._embedder.vector(walk, semantic.embedder, lookup.kin.text)

    def _lookup(self, walk: Walk) -> Lookup | None:
        cache = walk.planned.settings.cache
        if walk.lookup is None and (cache.exact_ttl_ms is not None or cache.semantic is not None):
            walk.lookup = self._made(walk)
        lookup = walk.lookup
        return lookup if lookup is not None and (lookup.exact or lookup.kin is not None) else None

    def _made(self, walk: Walk) -> Lookup:
        settings, ask = walk.planned.settings, walk.ask
        asked = Asked(walk.call, walk.planned.candidates[0].model, settings, ask.body, ask.headers)
        if ask.caching is Caching.NONE or not is_cacheable(asked):
            return Lookup("")
        return Lookup(exact_key(asked) if settings.cache.exact_ttl_ms is not None else "", self._kin(walk, asked))

    def _kin(self, walk: Walk, asked: Asked) -> Kinship | None:
        """Return whose replies may serve, or None: with tools or pictures in play, or personal data in the question."""
        semantic, ask = asked.settings.cache.semantic, walk.ask
        if semantic is None or self._embedder is None or ask.operation is not Operation.REPLY:
            return None
        if walk.has_images or walk.caller.has_tools(ask.body):
            return None
        kin = kinship(asked, semantic.embedder)
        # What is personal is no one else's question, and must not reach an embedder outside the house.
        return None if kin is None or finds(kin.text) else kin


def _is_worth_keeping(walk: Walk) -> bool:
    first, served = walk.planned.candidates[0], walk.attempts[-1] if walk.attempts else None
    if served is None or (served.provider, served.model) != (first.provider, first.provider_model):
        # The reply of a fallback would pass for one of the model that the route prefers.
        return False
    if any(event["kind"] in _CHANGED for event in walk.events):
        return False
    return may_keep(walk.planned.settings.cache.scope, walk.stop, proposes=bool(walk.proposals))


def _replies(walk: Walk, lookup: Lookup, body: bytes) -> list[CachedReply]:
    cache, kept = walk.planned.settings.cache, []
    user, run = walk.call.user or "", walk.call.run or ""
    if lookup.exact and cache.exact_ttl_ms is not None:
        kept.append(CachedReply(lookup.exact, "", body, walk.started_at + cache.exact_ttl_ms, b"", user, run))
    kin, semantic = lookup.kin, cache.semantic
    if kin is not None and semantic is not None and lookup.vector and not walk.proposals and walk.stop != Stop.TOOLS:
        expires_at = walk.started_at + semantic.ttl_ms
        kept.append(CachedReply(kin.key, kin.partition, body, expires_at, lookup.vector, user, run))
    return kept
