"""Model calls, proposals and kept replies in memory."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from interlock.adapters.memory.shelf import Shelf, Undo
from interlock.domain.ids import ModelCallId, RunId, TenantId
from interlock.domain.models import ModelCallRecord, ProposedCall
from interlock.models.ports import CachedReply, ModelCallFilter, ModelRecords, Spending

_SERVED = "served"


@dataclass(frozen=True, slots=True)
class _Kept:
    tenant: TenantId
    order: int
    reply: CachedReply


class MemoryModels(ModelRecords):
    """Records by tenant and id, replies by tenant and key."""

    def __init__(self, undo: Undo) -> None:
        self._records: Shelf[tuple[TenantId, ModelCallId], ModelCallRecord] = Shelf(undo)
        self._replies: Shelf[tuple[TenantId, str], _Kept] = Shelf(undo)
        self._kept = 0

    def add(self, *records: ModelCallRecord) -> None:
        for record in records:
            self._records.add((record.call.tenant, record.call.id), record)

    def find(self, tenant: TenantId, call: ModelCallId) -> ModelCallRecord | None:
        return self._records.find((tenant, call))

    def search(self, query: ModelCallFilter) -> tuple[ModelCallRecord, ...]:
        found = (record for record in self._records.newest_first() if _matches(record, query))
        return tuple(islice(found, query.limit))

    def spending(self, tenant: TenantId, *, by: str, since: int, until: int) -> tuple[Spending, ...]:
        groups: dict[str, list[ModelCallRecord]] = defaultdict(list)
        for record in self._records.oldest_first():
            if record.call.tenant == tenant and since <= record.started_at < until:
                groups[_group(record, by)].append(record)
        if not groups:
            _check_word(by)
        sums = [_sums(group, records) for group, records in groups.items()]
        return tuple(sorted(sums, key=lambda one: (-one.cost_nano_usd, one.group)))

    def spent(self, tenant: TenantId, run: RunId) -> Spending:
        calls = (record for record in self._records.oldest_first() if record.call.tenant == tenant)
        return _sums(run, [record for record in calls if record.call.run == run])

    def proposals(self, tenant: TenantId, run: RunId) -> tuple[ProposedCall, ...]:
        return tuple(
            proposal
            for record in self._records.oldest_first()
            if record.call.tenant == tenant and record.call.run == run
            for proposal in record.proposals
        )

    def rewrite(self, record: ModelCallRecord) -> None:
        """Put `record` in the place of what is kept of the call."""
        self._records.put((record.call.tenant, record.call.id), record)

    def forget_replies(self, tenant: TenantId, *, user: str = "", run: str = "") -> int:
        """Drop the replies kept for a user, or in a run; return how many."""
        found = [
            kept
            for kept in self._replies.oldest_first()
            if kept.tenant == tenant
            if (user and kept.reply.user == user) or (run and kept.reply.run == run)
        ]
        for kept in found:
            self._replies.drop((tenant, kept.reply.key))
        return len(found)

    def keep(self, tenant: TenantId, reply: CachedReply) -> None:
        self._kept += 1
        self._replies.put((tenant, reply.key), _Kept(tenant, self._kept, reply))

    def cached(self, tenant: TenantId, key: str, now: int) -> CachedReply | None:
        found = self._replies.find((tenant, key))
        return found.reply if found is not None and found.reply.expires_at > now else None

    def neighbours(self, tenant: TenantId, partition: str, now: int, limit: int) -> tuple[CachedReply, ...]:
        akin = [
            kept
            for kept in self._replies.oldest_first()
            if kept.tenant == tenant and partition and kept.reply.partition == partition
            if kept.reply.vector and kept.reply.expires_at > now
        ]
        return tuple(kept.reply for kept in sorted(akin, key=lambda kept: -kept.order)[:limit])

    def drop_expired(self, now: int, limit: int) -> int:
        expired = [kept for kept in self._replies.oldest_first() if kept.reply.expires_at <= now][:limit]
        for kept in expired:
            self._replies.drop((kept.tenant, kept.reply.key))
        return len(expired)


def _matches(record: ModelCallRecord, query: ModelCallFilter) -> bool:
    call = record.call
    return call.tenant == query.tenant and query.run in (None, call.run) and query.agent in (None, call.agent)


_WORDS = ("run", "agent", "user", "step", "model", "provider", "tenant", "day")


def _sums(group: str, records: list[ModelCallRecord]) -> Spending:
    return Spending(
        group,
        len(records),
        sum(record.usage.input for record in records),
        sum(record.usage.output for record in records),
        sum(record.cost_nano_usd for record in records),
    )


def _check_word(by: str) -> None:
    if by not in _WORDS:
        raise ValueError(f"nothing is added up by {by}")


def _group(record: ModelCallRecord, by: str) -> str:
    _check_word(by)
    call = record.call
    last = record.attempts[-1] if record.attempts and record.attempts[-1].outcome == _SERVED else None
    groups = {
        "run": call.run or "",
        "agent": call.agent,
        "user": call.user or "",
        "step": call.step,
        "model": call.model if last is None else last.model,
        "provider": "" if last is None else last.provider,
        "tenant": call.tenant,
        "day": datetime.fromtimestamp(record.started_at / 1000, tz=UTC).strftime("%Y-%m-%d"),
    }
    return groups[by]
