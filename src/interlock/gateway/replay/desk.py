"""Where people look at the past anew: replay a run, fork it, list what was close."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from interlock.domain.calls import CallRecord
from interlock.domain.errors import ConfigurationError, Forbidden, InterlockError
from interlock.domain.identity import Principal, Role
from interlock.domain.ids import RunId, TenantId, new_id, random_bytes
from interlock.domain.runs import Run, RunState
from interlock.domain.trace_context import trace_of_run
from interlock.gateway.ports import Clock
from interlock.gateway.release import Release
from interlock.gateway.replay.deriving import Rules, Underivable
from interlock.gateway.replay.exact import Replay, replayed
from interlock.gateway.replay.forking import FORKED_FROM, before, copied
from interlock.gateway.replay.past import RecordedRun, recorded
from interlock.gateway.run_desk import OpenedRun, visible_run
from interlock.gateway.steps import decided_steps
from interlock.gateway.store import Store, Tx
from interlock.gateway.trail import run_opened
from interlock.identity.credentials import root_token
from interlock.tools.schemas import CompiledSchemas

Remake = Callable[[str], Awaitable[Release]]
"""Makes the release of an id again from the archive; of an empty id, the latest. Raises an InterlockError."""
_CHUNK = 200


@dataclass(frozen=True, slots=True)
class NearCall:
    """A call that was close."""

    record: CallRecord
    near: tuple[dict[str, object], ...]
    """Rule, kind and margin of each rule that almost decided otherwise."""


class ReplayDesk:
    """Use cases around the past."""

    def __init__(self, store: Store, remake: Remake, current: Callable[[], Release], clock: Clock) -> None:
        """Work on `store`; `remake` makes releases of the past again, `current` is the one of now, if there is one."""
        self._store = store
        self._current = current
        self._remake = remake
        self._clock = clock

    async def replay(self, principal: Principal, run_id: RunId) -> Replay:
        """Return the run replayed from its record, every decision derived again. Raises UnknownRun, Forbidden."""
        _check_reader(principal)
        past = await self._store.read(lambda tx: _past(tx, principal, run_id))
        made: dict[str, Rules | Underivable] = {}
        for id in sorted({step.release for record in past.calls for step in decided_steps(record)}):
            made[id] = await self._rules(id)

        def rules_of(id: str) -> Rules:
            found = made[id]
            if isinstance(found, Underivable):
                raise found
            return found

        return replayed(past, rules_of)

    async def fork(self, principal: Principal, run_id: RunId, step: str) -> OpenedRun:
        """Open a run that has seen and done what `run_id` had before `step`, and return it with its token.

        No tool is called. Raises Forbidden, UnknownRun, BadInput, Conflict.
        """
        if principal.scope is not None or not (principal.may(Role.OPERATOR) or principal.may(Role.AGENT)):
            raise Forbidden("Forking runs is for operators and for the key that opens the agent's runs")
        current = self._current()
        release = current if current.id else await self._remake("")
        now = self._clock.now()

        def work(tx: Tx) -> OpenedRun:
            past = _past(tx, principal, run_id)
            old = past.run
            kept = before([_whole(tx, record) for record in past.calls], step)
            fork = _forked(old, principal, now, release)
            bearer = replace(principal, roles=frozenset({Role.AGENT}), agent=old.agent)
            secret, token = root_token(bearer, fork.id, tools=None, now=now, deadline=fork.deadline)
            tx.runs.open(fork)
            tx.identities.add_token(token)
            tx.audit.append(run_opened(fork, token.id))
            copied(tx, old, fork, kept, step, release, now, principal.id)
            return OpenedRun(fork, secret, token.expires_at)

        return await self._store.transact(work)

    async def near_misses(self, principal: Principal, since: int, limit: int) -> tuple[NearCall, ...]:
        """Return the calls of runs opened since `since` that were close, the newest first."""
        _check_reader(principal)
        tenant = principal.tenant
        runs = await self._store.read(lambda tx: tx.replays.runs(tenant, since=since, until=1 << 62, agent=None))
        found: list[NearCall] = []
        for last in range(len(runs), 0, -_CHUNK):
            chunk = runs[max(last - _CHUNK, 0) : last]
            calls = await self._store.read(partial(_calls, tenant=tenant, runs=chunk))
            found += [NearCall(one, tuple(one.extras["near"])) for one in calls if one.extras.get("near")]
            if len(found) >= limit:
                break
        return tuple(sorted(found, key=lambda one: (-one.record.created_at, str(one.record.call.key)))[:limit])

    async def _rules(self, id: str) -> Rules | Underivable:
        if not id:
            return Underivable("nobody noted its release")
        try:
            return Rules(await self._remake(id), CompiledSchemas())
        except ConfigurationError as error:
            return Underivable(f"its release cannot be made again: {error.what}")
        except InterlockError:
            return Underivable("its release is not in the archive")


def _calls(tx: Tx, tenant: TenantId, runs: Sequence[RunId]) -> tuple[CallRecord, ...]:
    return tx.replays.calls(tenant, runs)


def _past(tx: Tx, principal: Principal, run_id: RunId) -> RecordedRun:
    run = visible_run(tx, principal, run_id)
    return recorded(tx, run.tenant, (run.id,))[0]


def _whole(tx: Tx, record: CallRecord) -> CallRecord:
    """Return the record with what its tool answered."""
    return tx.calls.find(record.call.key) or record


def _forked(old: Run, principal: Principal, now: int, release: Release) -> Run:
    id = RunId(new_id("run"))
    life = release.policies(old.agent).agent.max_wall_ms or release.run_life_ms
    labels = (*(label for label in old.labels if label[0] != FORKED_FROM), (FORKED_FROM, str(old.id)))
    return replace(
        old,
        id=id,
        principal=principal.id,
        opened_at=now,
        deadline=now + life,
        state=RunState.OPEN,
        labels=labels,
        ended_at=None,
        outcome=None,
        trace=trace_of_run(old.tenant, id),
        parent_span="",
        salt=random_bytes(32),
    )


def _check_reader(principal: Principal) -> None:
    if not any(principal.may(role) for role in (Role.OPERATOR, Role.AUDITOR)):
        raise Forbidden("The past is for operators and auditors to look at")
