"""The road of a tool call: understand, decide, reserve, record; only then execute; check, settle, answer."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, TypeVar

from interlock.checks.redactor import Words, words_by_form
from interlock.domain.calls import CallKey, CallRecord, Failure, ToolCall
from interlock.domain.canonical import check_json
from interlock.domain.contracts import ToolContract
from interlock.domain.errors import Forbidden, OutcomeUnknown, StoreUnavailable, UnknownRun
from interlock.domain.identity import Principal, Role
from interlock.domain.ids import CallId, ToolName, checked_id, new_id
from interlock.gateway.admission import Admission, Admitter, Proposal, RoomAhead
from interlock.gateway.approval_desk import Edited
from interlock.gateway.execution import Executor, Turn
from interlock.gateway.ports import Clock, Notice, Notifier
from interlock.gateway.release import Release
from interlock.gateway.requests import CallAnswer, CallRequest, answer_of
from interlock.gateway.results import examine
from interlock.gateway.settlement import Outcome, settle
from interlock.gateway.store import Store
from interlock.gateway.understanding import understand
from interlock.metrics.meter import Meter, Unmetered
from interlock.tools.schemas import CompiledSchemas

T = TypeVar("T")

_LONGEST_PAUSE_S = 5.0
"""Between attempts to record an outcome while the store does not answer; the first attempts follow quicker."""
_PATIENCE_S = 15.0
"""How long a caller waits for an outcome to be recorded, and a shutdown for calls under way."""
_MAX_REASON = 4_000


class ToolGate:
    """Every tool call of every agent comes through `call`."""

    def __init__(
        self,
        store: Store,
        release: Callable[[], Release],
        admitter: Admitter,
        executor: Executor,
        schemas: CompiledSchemas,
        clock: Clock,
        notifier: Notifier,
        meter: Meter | None = None,
        redact: Words = words_by_form,
    ) -> None:
        """Wire the road. `release` returns whatever is current at the moment of a call."""
        self._redact = redact
        self._meter = meter or Unmetered()
        self._store = store
        self._release = release
        self._admitter = admitter
        self._executor = executor
        self._schemas = schemas
        self._clock = clock
        self._notifier = notifier
        self._latest: Release | None = None
        self._under_way: set[asyncio.Task[Any]] = set()

    async def call(self, request: CallRequest) -> CallAnswer:
        """Take one call down the road and return what became of it.

        A refusal is an answer. Raises BadInput, NotAllowed, NotFound, Conflict or StoreUnavailable only where there is
        nothing to record a decision on.
        """
        release = self._current()
        request = self._nameable(request, release)
        call, named = named_call(request)
        proposal = understand(call, release, self._schemas, request, named=named)
        return await self._unstoppable(proposal, release)

    async def repeat(self, principal: Principal, edited: Edited) -> CallAnswer:
        """Take the call that a person made of another one down the road from the start, as that person's request."""
        old = edited.original.call
        request = CallRequest(principal, edited.key.run, old.tool, edited.arguments, edited.key.call, reason=old.reason)
        call = ToolCall(
            edited.key,
            old.agent,
            principal.id,
            old.tool,
            edited.arguments,
            reason=old.reason,
            trace=old.trace,
            parent_span=old.parent_span,
        )
        release = self._current()
        proposal = understand(call, release, self._schemas, request, named=True, extra=old.constraints)
        return await self._unstoppable(replace(proposal, by_person=True), release)

    def tools_for(self, principal: Principal) -> tuple[ToolContract, ...]:
        """Return the contracts that `principal` may call, by name."""
        if principal.agent is None:
            return ()
        release = self._release()
        allowed = release.policies(principal.agent).agent.tools
        if principal.scope is not None and principal.scope.tools is not None:
            allowed &= principal.scope.tools
        return release.catalogue.open_to(allowed)

    async def finish(self, patience_s: float = 2 * _PATIENCE_S) -> None:
        """Wait until every call under way is settled, but not for ever on a store that does not come back."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=patience_s)

    def _nameable(self, request: CallRequest, release: Release) -> CallRequest:
        """Return `request` with a name of its tool that may stand in every record: what is no tool could be anything."""
        if request.tool in release.catalogue.contracts:
            return request
        return replace(request, tool=ToolName(self._redact(request.tool)))

    def _current(self) -> Release:
        release = self._release()
        if release is not self._latest:
            self._latest = release
            self._schemas.keep(frozenset(contract.hash for contract in release.catalogue.contracts.values()))
        return release

    async def _unstoppable(self, proposal: Proposal, release: Release) -> CallAnswer:
        # A caller that hangs up must not tear a call between its effect and its record.
        return await asyncio.shield(self._kept(self._walk(proposal, release)))

    def _kept(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def _walk(self, proposal: Proposal, release: Release) -> CallAnswer:
        began = time.perf_counter()
        admission = await self._admit(proposal, release)
        if admission.decided:
            self._meter.decided(admission.record, time.perf_counter() - began)
        self._tell(admission.notices)
        if not admission.execute or proposal.contract is None:
            return answer_of(admission.record)
        outcome = await self._execute(admission, proposal.contract, release, proposal.trace_flags)
        record = await self._recorded(admission.record, outcome)
        self._meter.settled(record)
        self._tell(_afterwards(record, release))
        return answer_of(record)

    async def _admit(self, proposal: Proposal, release: Release) -> Admission:
        now = self._clock.now()
        try:
            return await self._store.transact(lambda tx: self._admitter.admit(tx, proposal, release, now))
        except RoomAhead as full:
            await self._admitter.give_back(full.budget)
            return await self._admit(replace(proposal, pressing=True), release)
        except StoreUnavailable:
            self._admitter.evidence.forget()
            raise

    async def _execute(self, admission: Admission, contract: ToolContract, release: Release, flags: int) -> Outcome:
        record = admission.record
        turn = Turn(record.attempt, flags)
        execution = await self._executor.carry_out(record.call, contract, record.idempotency_key, turn)
        policies = release.policies(record.call.agent)
        schema = self._schemas.of(contract).result
        outcome = examine(record, contract, schema, admission.facts, policies, execution, self._redact)
        return replace(outcome, tries=execution.tries)

    async def _recorded(self, record: CallRecord, outcome: Outcome) -> CallRecord:
        settling = self._kept(self._settle(record, outcome))
        done, _ = await asyncio.wait({settling}, timeout=_PATIENCE_S)
        if not done:
            raise OutcomeUnknown(
                "The tool has answered, and the store cannot record it at the moment",
                do="Do not repeat the call under another id; ask again with the same call id",
            )
        return settling.result()

    async def _settle(self, record: CallRecord, outcome: Outcome) -> CallRecord:
        """Record the outcome, however long the store takes: what the tool did is known and must not be lost."""
        pause = 0.05
        while True:
            try:
                return await self._store.transact(lambda tx: settle(tx, record, outcome, self._clock.now()))
            except StoreUnavailable:
                self._admitter.evidence.forget()
                await asyncio.sleep(pause)
                pause = min(pause * 3, _LONGEST_PAUSE_S)

    def _tell(self, notices: tuple[Notice, ...]) -> None:
        for notice in notices:
            self._notifier.notify(notice)


def named_call(request: CallRequest) -> tuple[ToolCall, bool]:
    """Return the request as a call, and whether its name is the caller's own. Raises Forbidden, UnknownRun, BadInput."""
    principal = request.principal
    if principal.agent is None or Role.AGENT not in principal.roles:
        raise Forbidden("Only agents propose calls", do="Use an agent's key or a run token")
    if principal.scope is not None and principal.scope.run != request.run:
        raise UnknownRun(f"This token is not for run {request.run}", do="Use the run's own token")
    check_json(request.arguments)
    check_json(request.reason)
    call = ToolCall(
        key=CallKey(
            principal.tenant,
            request.run,
            (request.call and CallId(checked_id(request.call, "call id"))) or CallId(new_id("call")),
        ),
        agent=principal.agent,
        principal=principal.id,
        tool=request.tool,
        arguments=request.arguments,
        reason=request.reason[:_MAX_REASON],
        proposal=request.proposal,
        requires_approval=request.requires_approval,
        dry_run=request.dry_run,
        trace=request.trace.trace if request.trace is not None else "",
        parent_span=request.trace.span if request.trace is not None else "",
    )
    return call, request.call is not None


def _afterwards(record: CallRecord, release: Release) -> tuple[Notice, ...]:
    """Return whom to tell of an outcome that needs a person."""
    if record.failure is None or record.failure.code not in _TELLING:
        return ()
    owner = release.policies(record.call.agent).agent.owner
    kind = _TELLING[record.failure.code]
    return (Notice(kind, owner, str(record.call.key), f"{record.call.tool}: {_sentence(record.failure)}"),)


_TELLING = {"outcome_unknown": "outcome_unknown", "bad_tool_result": "alert", "result_withheld": "alert"}


def _sentence(failure: Failure) -> str:
    return f"{failure.what}. {failure.do}".strip()
