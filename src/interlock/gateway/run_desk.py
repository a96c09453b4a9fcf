"""Open runs, tell the gate what people said, end runs, and resolve what nobody knows."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from interlock.domain.audit import AuditKind
from interlock.domain.calls import CallKey, CallRecord, CallStatus, Failure, ToolResult
from interlock.domain.canonical import Json, JsonObject, canonical_json, check_json
from interlock.domain.errors import BadInput, Conflict, Forbidden, RunClosed, UnknownRecord, UnknownRun
from interlock.domain.identity import Principal, Role
from interlock.domain.ids import AgentId, CallId, RunId, ToolName, UserId, checked_id, new_id, random_bytes
from interlock.domain.runs import Run, RunOutcome, RunState
from interlock.domain.trace_context import TraceContext, trace_of_run
from interlock.gateway.admission import ALIVE_MS
from interlock.gateway.ports import Clock
from interlock.gateway.reclaim import reclaim
from interlock.gateway.release import Release
from interlock.gateway.settlement import lost, pay
from interlock.gateway.store import Store, Tx
from interlock.gateway.trail import instructed, run_event, run_opened, settled
from interlock.identity.credentials import root_token
from interlock.metrics.meter import Meter, Unmetered
from interlock.runs.ports import CallFilter

MAX_TEXT = 1 << 20


@dataclass(frozen=True, slots=True)
class Opening:
    """What the opener of a run says of it."""

    agent: AgentId | None = None
    """Needed from callers that are not themselves an agent."""
    user: UserId | None = None
    identity: JsonObject | None = None
    """What is known of the user: name, e-mail, account ids. Trusted."""
    system: str = ""
    """The agent's own instructions. Trusted."""
    instruction: str = ""
    """What the user asked for. Trusted."""
    labels: tuple[tuple[str, str], ...] = ()
    tools: frozenset[ToolName] | None = None
    """Narrows the run's token; None means every tool of the agent."""
    run: RunId | None = None
    """An id of the caller's own choice."""
    trace: TraceContext | None = None
    """The span under which it is opened, where its opener is traced."""


@dataclass(frozen=True, slots=True)
class OpenedRun:
    """A run, and the token that its agent uses. The token is shown here and nowhere else."""

    run: Run
    token: str
    expires_at: int


class RunDesk:
    """Use cases around runs. Each is one transaction."""

    def __init__(
        self,
        store: Store,
        release: Callable[[], Release],
        clock: Clock,
        alive_ms: int = ALIVE_MS,
        meter: Meter | None = None,
    ) -> None:
        """Work on `store`, under whatever release is current; a process silent for `alive_ms` is taken for dead."""
        self._meter = meter or Unmetered()
        self._alive_ms = alive_ms
        self._store = store
        self._release = release
        self._clock = clock

    async def open(self, principal: Principal, opening: Opening) -> OpenedRun:
        """Open a run for an agent. Raises Forbidden for who may not, BadInput for texts that are too long."""
        agent = _agent_of(principal, opening)
        policies = self._release().policies(agent)
        _check_texts(opening)
        now = self._clock.now()
        life = policies.agent.max_wall_ms or self._release().run_life_ms
        id = RunId(checked_id(opening.run, "run id")) if opening.run else RunId(new_id("run"))
        run = Run(
            id=id,
            tenant=principal.tenant,
            agent=agent,
            principal=principal.id,
            opened_at=now,
            deadline=now + life,
            user=UserId(checked_id(opening.user, "user id")) if opening.user else None,
            labels=opening.labels,
            trace=opening.trace.trace if opening.trace is not None else trace_of_run(principal.tenant, id),
            parent_span=opening.trace.span if opening.trace is not None else "",
            salt=random_bytes(32),
        )
        bearer = replace(principal, roles=frozenset({Role.AGENT}), agent=agent)
        secret, token = root_token(bearer, run.id, tools=opening.tools, now=now, deadline=run.deadline)

        def work(tx: Tx) -> None:
            tx.runs.open(run)
            texts = _texts(opening)
            for kind, text in texts:
                tx.evidence.append(run.tenant, run.id, kind, text, None)
            tx.identities.add_token(token)
            tx.audit.append(run_opened(run, token.id, texts))

        await self._store.transact(work)
        self._meter.run_opened(run)
        return OpenedRun(run, secret, token.expires_at)

    async def instruct(self, principal: Principal, run_id: RunId, text: str) -> None:
        """Add what the user said next. Raises Forbidden for run tokens: an agent does not speak for its user."""
        if principal.scope is not None:
            raise Forbidden(
                "A run token cannot add the user's words",
                why="whoever can add them decides what is trusted",
                do="Add them with the key that opened the run",
            )
        _check_driver(principal)
        if not text.strip() or len(text) > MAX_TEXT:
            raise BadInput("The instruction is empty or too long", do=f"Send 1 to {MAX_TEXT} characters")
        check_json(text)
        now = self._clock.now()

        def work(tx: Tx) -> None:
            run = visible_run(tx, principal, run_id)
            if run.state is not RunState.OPEN:
                raise RunClosed(f"Run {run_id} has ended")
            seq = tx.evidence.append(run.tenant, run.id, "user", text, None)
            tx.audit.append(instructed(run, seq, text, now, principal.id))

        await self._store.transact(work)

    async def close(
        self, principal: Principal, run_id: RunId, *, stop: bool = False, outcome: RunOutcome | None = None
    ) -> None:
        """End the run: no call is admitted any more. `stop` marks an operator's intervention.

        `outcome` says what came of it: with the close or, once, after it; a run token cannot say it, for an agent does not judge
        itself. Raises Conflict for another one than was said.
        """
        now = self._clock.now()
        state = RunState.STOPPED if stop else RunState.CLOSED
        if stop and not principal.may(Role.OPERATOR):
            raise Forbidden("Stopping a run is for operators")
        if outcome is not None and principal.scope is not None:
            raise Forbidden(
                "A run token cannot say what came of its run",
                why="whoever says it decides what counts as a success",
                do="Say it with the key that opened the run",
            )
        _check_driver(principal)

        def work(tx: Tx) -> Run | None:
            run = visible_run(tx, principal, run_id)
            ended = tx.runs.end(run.tenant, run.id, state, now, outcome)
            concluded = not ended and outcome is not None and tx.runs.conclude(run.tenant, run.id, outcome)
            if ended or concluded:
                body = {"state": state.value, "outcome": outcome.value if outcome is not None else None}
                tx.audit.append(run_event(AuditKind.RUN_CLOSED, run, now, principal.id, body))
                return replace(run, state=state, ended_at=now if ended else None, outcome=outcome)
            if outcome not in (None, run.outcome):
                raise Conflict(f"Run {run_id} has ended as {run.outcome or run.state}", why="that is said once")
            return None

        after = await self._store.transact(work)
        if after is not None:
            self._meter.run_ended(after)

    async def find(self, principal: Principal, run_id: RunId) -> Run:
        """Return one run. Raises UnknownRun."""
        return await self._store.read(lambda tx: visible_run(tx, principal, run_id))

    async def call(self, principal: Principal, run_id: RunId, call: CallId) -> CallRecord:
        """Return one call. Raises UnknownRecord."""

        def work(tx: Tx) -> CallRecord:
            run = visible_run(tx, principal, run_id)
            record = tx.calls.find(CallKey(run.tenant, run.id, call))
            if record is None:
                raise UnknownRecord(f"Run {run_id} has no call {call}")
            return record

        return await self._store.read(work)

    async def calls(self, principal: Principal, query: CallFilter) -> tuple[CallRecord, ...]:
        """Return calls of the principal's tenant; an agent sees its own, a run token those of its run.

        Raises UnknownRun when `query` names a run that is not there or not for the principal to see.
        """
        _check_reader(principal)
        narrowed = replace(query, tenant=principal.tenant)
        if principal.scope is not None and query.run is None:
            narrowed = replace(narrowed, run=principal.scope.run)
        if not _reads_all(principal):
            narrowed = replace(narrowed, agent=principal.agent)

        def work(tx: Tx) -> tuple[CallRecord, ...]:
            if narrowed.run is not None:
                visible_run(tx, principal, narrowed.run)
            return tx.calls.search(narrowed)

        return await self._store.read(work)

    async def runs(self, principal: Principal, limit: int) -> tuple[Run, ...]:
        """Return the newest runs of the principal's tenant; an agent sees its own, a run token its run."""
        _check_reader(principal)
        scope = principal.scope
        if scope is not None:
            return (await self._store.read(lambda tx: visible_run(tx, principal, scope.run)),)
        found = await self._store.read(lambda tx: tx.runs.latest(principal.tenant, limit))
        return found if _reads_all(principal) else tuple(run for run in found if run.agent == principal.agent)

    async def resolve(
        self, principal: Principal, run_id: RunId, call: CallId, *, happened: bool, note: str, result: Json = None
    ) -> CallRecord:
        """Record what a person found out about an unknown outcome, and settle its money accordingly.

        Raises Forbidden unless an operator asks, Conflict unless the outcome is unknown, BadInput without a note.
        """
        if not principal.may(Role.OPERATOR):
            raise Forbidden("Resolving an outcome is for operators")
        if not note.strip():
            raise BadInput("Say how you know what happened", do="Give a note")
        check_json(result)
        now = self._clock.now()

        def work(tx: Tx) -> CallRecord:
            run = visible_run(tx, principal, run_id)
            record = tx.calls.find(CallKey(run.tenant, run.id, call))
            if record is None:
                raise UnknownRecord(f"Run {run_id} has no call {call}")
            after = _resolved(record, happened, result, note, now)
            if not tx.calls.advance(after, since=CallStatus.UNKNOWN, attempt=record.attempt):
                raise Conflict(f"Call {call} is {record.status}", why="only an unknown outcome can be resolved")
            pay(tx, after, 0, now)
            tx.evidence.append(run.tenant, run.id, "tool_result", "", call)
            tx.audit.append(settled(after, now, principal.id, AuditKind.CALL_RESOLVED, note))
            return after

        return await self._store.transact(work)

    async def sweep(self, owner: str) -> int:
        """Note that this process is alive, and give up calls whose process is not. Return how many were given up.

        A call that may be repeated safely is left for its caller to ask for again.
        """
        now = self._clock.now()
        contracts = self._release().catalogue.contracts

        def work(tx: Tx) -> int:
            tx.heartbeats.beat(owner, now)
            alive = tx.heartbeats.alive(now - self._alive_ms)
            executing = frozenset({CallStatus.EXECUTING})
            orphans = tx.calls.search(CallFilter(statuses=executing, owners_other_than=alive | {owner}))
            given_up = 0
            for record in orphans:
                contract = contracts.get(record.call.tool)
                repeatable = contract is not None and contract.repeatable
                if not repeatable or now - record.updated_at > _PATIENCE_MS:
                    lost(tx, record, now)
                    given_up += 1
            reclaim(tx, alive | {owner}, now)
            return given_up

        given_up = await self._store.transact(work)
        await self._end_overdue(now)
        return given_up

    async def _end_overdue(self, now: int) -> None:
        """Close the runs that nobody closed in time: their traces are complete then, and their words are not kept for ever."""

        def work(tx: Tx) -> tuple[Run, ...]:
            ended = []
            for run in tx.runs.overdue(now, _OVERDUE):
                if tx.runs.end(run.tenant, run.id, RunState.CLOSED, now, None):
                    body = {"state": RunState.CLOSED.value, "outcome": None, "overdue": True}
                    tx.audit.append(run_event(AuditKind.RUN_CLOSED, run, now, "gateway", body))
                    ended.append(replace(run, state=RunState.CLOSED, ended_at=now))
            return tuple(ended)

        if await self._store.read(lambda tx: tx.runs.overdue(now, 1)):
            for run in await self._store.transact(work):
                self._meter.run_ended(run)


_OVERDUE = 100
"""Runs that are closed at once."""
_PATIENCE_MS = 15 * 60 * 1000
"""How long a repeatable call of a dead process waits for its caller to ask again."""


def visible_run(tx: Tx, principal: Principal, run_id: RunId) -> Run:
    """Return the run if the principal may see it. Raises UnknownRun as if it did not exist otherwise."""
    run = tx.runs.find(principal.tenant, run_id)
    unseen = UnknownRun(f"There is no run {run_id} that you may see")
    if run is None or (principal.scope is not None and principal.scope.run != run_id):
        raise unseen
    if not _reads_all(principal) and run.agent != principal.agent:
        raise unseen
    return run


def _reads_all(principal: Principal) -> bool:
    return any(principal.may(role) for role in (Role.OPERATOR, Role.AUDITOR, Role.APPROVER))


def _check_reader(principal: Principal) -> None:
    if not principal.roles:
        raise Forbidden("This key has no role that may read")


def _check_driver(principal: Principal) -> None:
    if not (principal.may(Role.AGENT) or principal.may(Role.OPERATOR)):
        raise Forbidden("Speaking in a run and ending it are for its agent and for operators")


def _agent_of(principal: Principal, opening: Opening) -> AgentId:
    if principal.scope is not None:
        raise Forbidden("A run token cannot open runs", do="Open it with the agent's key")
    if principal.agent is not None:
        if opening.agent not in (None, principal.agent):
            raise Forbidden(f"This key acts as {principal.agent}, not as {opening.agent}")
        return principal.agent
    if opening.agent is None:
        raise BadInput("The run names no agent", do="Say which agent it is for")
    if not principal.may(Role.OPERATOR):
        raise Forbidden("Opening runs for an agent is for the agent's own key or an operator")
    return opening.agent


def _check_texts(opening: Opening) -> None:
    check_json(opening.identity)
    check_json(dict(opening.labels))
    for text in (opening.system, opening.instruction):
        check_json(text)
        if len(text) > MAX_TEXT:
            raise BadInput("An instruction is too long", do=f"Send at most {MAX_TEXT} characters")


def _texts(opening: Opening) -> tuple[tuple[str, str], ...]:
    identity = canonical_json(opening.identity).decode() if opening.identity else ""
    texts = (("system", opening.system), ("identity", identity), ("user", opening.instruction))
    return tuple((kind, text) for kind, text in texts if text)


def _resolved(record: CallRecord, happened: bool, result: Json, note: str, now: int) -> CallRecord:
    extras = {**record.extras, "resolution": note}
    if happened:
        return replace(
            record,
            status=CallStatus.SUCCEEDED,
            result=ToolResult(result),
            failure=None,
            updated_at=now,
            extras=extras,
        )
    failure = Failure("tool_failed", "A person found that the call did not take effect", do="It may be proposed anew")
    return replace(record, status=CallStatus.FAILED, failure=failure, updated_at=now, extras=extras)
