"""Steps 4 to 6 of the road, inside one transaction: load facts, decide, reserve, and record before anything happens."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from interlock.budgets.charges import Demand, charges, tool_spender
from interlock.domain.agents import AgentPolicy
from interlock.domain.approvals import Approval, ApprovalState
from interlock.domain.calls import CallRecord, CallStatus, Failure, ToolCall, ToolResult
from interlock.domain.contracts import Kind, ToolContract
from interlock.domain.decisions import Decision, Duty, Effect, Finding, combine
from interlock.domain.errors import BudgetExceeded, CallIdReused, CallInProgress, Erased, UnknownRun
from interlock.domain.ids import random_bytes
from interlock.domain.models import Proposed, bound_to
from interlock.domain.runs import Run
from interlock.domain.trace_context import span_of_run, trace_of_run
from interlock.gateway.breaker import Breakers
from interlock.gateway.evidence import EvidenceCache
from interlock.gateway.execution import idempotency_key, simulated
from interlock.gateway.leases import LeaseBook
from interlock.gateway.ports import Notice
from interlock.gateway.questions import ask, close_call, closed
from interlock.gateway.release import Release
from interlock.gateway.settlement import lost
from interlock.gateway.steps import NoRoom, Room, extras_of, over, unbounded
from interlock.gateway.store import Tx
from interlock.gateway.trail import decided
from interlock.policy.decide import decide
from interlock.policy.facts import Facts
from interlock.policy.record import decision_json
from interlock.runs.ports import CallFilter

ALIVE_MS = 5_000
"""A gateway process that has not been heard of for this long is taken for dead. It beats ten times as often."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A call after steps 1 to 3: understood, its contract found, its arguments checked."""

    call: ToolCall
    arguments_hash: str
    named: bool
    """Whether the caller chose the call id. If not, the same call still waiting for approval lends its own."""
    contract: ToolContract | None
    faults: tuple[Finding, ...]
    """What is wrong with it before any policy is asked; anything here denies."""
    demand: Demand
    by_person: bool = False
    """Whether a person wrote the arguments, in answer to a question about the call that a model proposed."""
    carried: bool = False
    """Whether a fault lies in what came with the call, its token or its bounds, and not in the call itself."""
    pressing: bool = False
    """Whether what model calls of this process hold ahead has been given back for it."""
    trace_flags: int = 1
    """Of the `traceparent` that its caller sent, if it sent one."""


class RoomAhead(Exception):
    """A budget is full, and this process holds some of it ahead for model calls: that goes back first. Never leaves the road."""

    def __init__(self, budget: str) -> None:
        super().__init__(budget)
        self.budget = budget


@dataclass(frozen=True, slots=True)
class Admission:
    """What the transaction recorded."""

    record: CallRecord
    execute: bool
    """True exactly when this process now owns the execution."""
    notices: tuple[Notice, ...] = ()
    facts: Facts | None = None
    """What the decision rests on; the rules about the result need it again."""
    decided: bool = False
    """Whether this decision says something that the call's record did not say before."""


@dataclass(frozen=True, slots=True)
class Admitter:
    """The transaction script of admission, with what it needs from its process."""

    owner: str
    """This gateway process."""
    evidence: EvidenceCache
    breakers: Breakers
    alive_ms: int = ALIVE_MS
    leases: LeaseBook | None = None
    """What model calls of this process hold ahead."""

    def admit(self, tx: Tx, proposal: Proposal, release: Release, now: int) -> Admission:
        """Return the admission that is recorded once the transaction commits.

        Raises UnknownRun, CallIdReused, or CallInProgress while another attempt is under way.
        """
        call = proposal.call
        run = tx.runs.find(call.key.tenant, call.key.run)
        if run is None or run.agent != call.agent:
            raise UnknownRun(f"There is no run {call.key.run} for this agent", do="Open a run first")
        known = tx.calls.find(call.key) if proposal.named else _waiting(tx, proposal)
        call = replace(_traced(call, known, run), user=run.user, key=known.call.key if known is not None else call.key)
        proposal = replace(proposal, call=call, by_person=proposal.by_person or _by_person(known))
        if known is not None:
            _check_same(known, proposal)
            if known.status.is_final:
                return Admission(known, execute=False)
            if known.status is CallStatus.EXECUTING:
                return self._recover(tx, known, proposal, release, run, now)
        grant = tx.approvals.find(known.approval) if known is not None and known.approval else None
        if known is not None and grant is not None and now >= grant.expires_at:
            return self._expire(tx, known, grant, now)
        decision, facts = self._judge(tx, proposal, release, run, grant, now)
        return self._enact(tx, known, proposal, release, decision, facts, grant, now)

    async def give_back(self, budget: str) -> None:
        """Let go of what model calls of this process hold ahead of `budget`."""
        if self.leases is not None:
            await self.leases.give_back((budget,))

    def _judge(
        self, tx: Tx, proposal: Proposal, release: Release, run: Run, grant: Approval | None, now: int
    ) -> tuple[Decision, Facts | None]:
        call, contract = proposal.call, proposal.contract
        policies = release.policies(call.agent)
        if proposal.faults or contract is None:
            return combine(proposal.faults, {"agent": policies.agent.version}), None
        labelled = None
        if contract.kind is Kind.WRITE:
            labelled = self.evidence.label(tx, call, contract, release.catalogue.contracts.get)
        facts = Facts(
            now=now,
            agent=policies.agent,
            contract=contract,
            run=run,
            provenance=labelled.provenance if labelled is not None else None,
            instructed=labelled.instructed if labelled is not None else True,
            refused_writes=labelled.refused_writes if labelled is not None else 0,
            evidence=labelled.seen if labelled is not None else 0,
            proposed=_proposed(tx, proposal, policies.agent),
            brakes=tx.brakes.active(call.key.tenant, now),
            grant=grant,
            breaker_open=self.breakers.is_open(contract.name, now),
            sample_roll=int(proposal.arguments_hash[8:16], 16) % 10_000,
        )
        return decide(call, facts, policies), facts

    def _enact(
        self,
        tx: Tx,
        known: CallRecord | None,
        proposal: Proposal,
        release: Release,
        decision: Decision,
        facts: Facts | None,
        grant: Approval | None,
        now: int,
    ) -> Admission:
        """Reserve and record what `decision` amounts to."""
        room: Room = ()
        if decision.effect in (Effect.ALLOW, Effect.REQUIRE_APPROVAL):
            room = _reserve(tx, known, proposal, release, now, self.leases)
            if isinstance(room, NoRoom):
                decision = combine((*decision.findings, room.finding), decision.versions)
        record = self._record(known, proposal, release, decision, facts, room, now)
        provenance = facts.provenance if facts is not None else None
        question = None
        if decision.effect is Effect.REQUIRE_APPROVAL and proposal.contract is not None:
            policies = release.policies(proposal.call.agent)
            terms = release.terms_of(proposal.contract)
            question = ask(tx, record, policies.version, decision, provenance, grant, terms, now)
            record = replace(record, approval=question.id)
        elif grant is not None:
            closed(tx, grant, used=decision.effect is Effect.ALLOW, now=now)
        if record.status.is_final and known is not None:
            tx.budgets.release(str(record.call.key), now)
        _store(tx, record, known)
        tx.audit.append(decided(record, decision, provenance, now, known))
        notices = _notices(record, decision, release, question)
        fresh = known is None or known.status is not record.status
        return Admission(record, decision.effect is Effect.ALLOW, notices, facts, decided=fresh)

    def _record(
        self,
        known: CallRecord | None,
        proposal: Proposal,
        release: Release,
        decision: Decision,
        facts: Facts | None,
        room: Room,
        now: int,
    ) -> CallRecord:
        call, contract = proposal.call, proposal.contract
        status = _STATUS[decision.effect]
        result = None
        if status is CallStatus.SIMULATED and contract is not None:
            result = ToolResult(simulated(contract, call.arguments))
        return CallRecord(
            call=call,
            arguments_hash=proposal.arguments_hash,
            status=status,
            decision=decision_json(decision),
            contract_hash=contract.hash if contract is not None else "",
            created_at=known.created_at if known is not None else now,
            updated_at=now,
            attempt=(known.attempt if known is not None else 0) + (status is CallStatus.EXECUTING),
            owner=self.owner if status is CallStatus.EXECUTING else "",
            salt=known.salt if known is not None else random_bytes(32),
            approval=known.approval if known is not None else None,
            idempotency_key=idempotency_key(call),
            result=result,
            failure=_failure(decision),
            extras=extras_of(known, proposal.call, release, decision, facts, room, now, carried=proposal.carried),
        )

    def _expire(self, tx: Tx, known: CallRecord, grant: Approval, now: int) -> Admission:
        """Close a call whose question nobody answered, or whose grant nobody used, in time."""
        expired = replace(grant, state=ApprovalState.EXPIRED)
        if grant.state in (ApprovalState.OPEN, ApprovalState.GRANTED):
            closed(tx, grant, used=False, now=now, state=ApprovalState.EXPIRED)
        return Admission(close_call(tx, known, expired, now), execute=False)

    def _recover(
        self, tx: Tx, known: CallRecord, proposal: Proposal, release: Release, run: Run, now: int
    ) -> Admission:
        """Take over a call whose process died in the middle, if repeating it is safe and still allowed."""
        if known.owner == self.owner or known.owner in tx.heartbeats.alive(now - self.alive_ms):
            raise CallInProgress(
                f"Call {known.call.key.call} is being carried out", do="Ask again with the same call id"
            )
        if proposal.contract is not None and proposal.contract.repeatable:
            grant = tx.approvals.find(known.approval) if known.approval else None
            if grant is not None and grant.state is ApprovalState.USED:
                grant = replace(grant, state=ApprovalState.GRANTED)
            decision, facts = self._judge(tx, proposal, release, run, grant, now)
            if decision.effect is Effect.ALLOW and facts is not None:
                record = self._record(known, proposal, release, decision, facts, (), now)
                _store(tx, record, known)
                tx.audit.append(decided(record, decision, facts.provenance, now, known))
                return Admission(record, execute=True, facts=facts, decided=True)
        return Admission(lost(tx, known, now), execute=False, notices=(_unknown(known),))


_STATUS = {
    Effect.ALLOW: CallStatus.EXECUTING,
    Effect.REQUIRE_APPROVAL: CallStatus.PENDING,
    Effect.DRY_RUN: CallStatus.SIMULATED,
    Effect.ESCALATE: CallStatus.ESCALATED,
    Effect.DENY: CallStatus.DENIED,
}


def _traced(call: ToolCall, known: CallRecord | None, run: Run) -> ToolCall:
    """Return the call with its place in a trace: where it was when it first came, else its caller's, else below its run."""
    if known is not None:
        return replace(call, trace=known.call.trace, parent_span=known.call.parent_span)
    if call.trace:
        return call
    trace = run.trace or trace_of_run(run.tenant, run.id)
    return replace(call, trace=trace, parent_span=span_of_run(run.tenant, run.id))


def _proposed(tx: Tx, proposal: Proposal, agent: AgentPolicy) -> Proposed:
    """Return whether a model of the run proposed the call, if anybody asks."""
    call = proposal.call
    if proposal.by_person:
        return Proposed.PERSON
    if call.proposal is None and not agent.proposed_only:
        return Proposed.NOT_ASKED
    proposals = tx.models.proposals(call.key.tenant, call.key.run)
    if not proposals and not agent.proposed_only:
        # The run's models are asked elsewhere, so the name is the caller's own word and proves nothing.
        return Proposed.NOT_ASKED
    return bound_to(call.proposal, call.tool, proposal.arguments_hash, proposals)


def _by_person(known: CallRecord | None) -> bool:
    facts = known.extras.get("facts") if known is not None else None
    return isinstance(facts, Mapping) and facts.get("proposed") == Proposed.PERSON.value


def _waiting(tx: Tx, proposal: Proposal) -> CallRecord | None:
    """Return the call of the same run, tool and arguments that waits for a person, if there is one."""
    key = proposal.call.key
    query = CallFilter(
        tenant=key.tenant, run=key.run, tool=proposal.call.tool, statuses=frozenset({CallStatus.PENDING})
    )
    return next((one for one in tx.calls.search(query) if one.arguments_hash == proposal.arguments_hash), None)


def _check_same(known: CallRecord, proposal: Proposal) -> None:
    call = proposal.call
    if known.erased:
        raise Erased(
            f"What became of call {call.key.call} was erased",
            why="nothing that is left says whether this is the same call, or what its answer was",
            do="Use a new call id, in a run of its own",
        )
    same = known.call.tool == call.tool and known.call.agent == call.agent
    if not same or known.arguments_hash != proposal.arguments_hash:
        raise CallIdReused(
            f"The call id {call.key.call} already stands for another call of this run",
            why="a call id names one tool with one set of arguments",
            do="Use a new call id",
        )


def _reserve(
    tx: Tx, known: CallRecord | None, proposal: Proposal, release: Release, now: int, leases: LeaseBook | None
) -> Room:
    """Hold what the call may use, or return the finding that denies it when something has no room. Raises RoomAhead."""
    call, contract = proposal.call, proposal.contract
    if contract is None:
        return ()
    name = str(call.key)
    try:
        limits = release.limits_of(release.policies(call.agent))
        wanted = charges(tool_spender(call, contract), limits, proposal.demand, now)
    except BudgetExceeded as error:
        return NoRoom(unbounded(error))
    held = {hold.charge.budget for hold in tx.budgets.holds(name)} if known is not None else set()
    if held - {charge.budget for charge in wanted}:
        tx.budgets.release(name, now)  # the day or the limits changed while a person was thinking
    overrun = tx.budgets.reserve(name, wanted, now)
    if overrun is not None and leases is not None and not proposal.pressing and leases.has(overrun.budget):
        raise RoomAhead(overrun.budget)
    return tx.budgets.taken() if overrun is None else NoRoom(over(overrun), overrun)


def _store(tx: Tx, record: CallRecord, known: CallRecord | None) -> None:
    kept = (
        tx.calls.insert(record)
        if known is None
        else tx.calls.advance(record, since=known.status, attempt=known.attempt)
    )
    if not kept:
        raise CallInProgress(
            f"Call {record.call.key.call} is being decided by another request", do="Ask again with the same call id"
        )


def _failure(decision: Decision) -> Failure | None:
    if decision.effect not in (Effect.DENY, Effect.ESCALATE):
        return None
    first = decision.deciding[0]
    if decision.effect is Effect.ESCALATE:
        return Failure("escalated", "The call was handed to a person and not made", first.reason, "Go on without it")
    return Failure(first.code or "policy_denied", "The call was not made", first.reason, _ADVICE.get(first.code, ""))


_ADVICE = {
    "unknown_tool": "Use one of the tools that tools/list shows",
    "invalid_arguments": "Correct the arguments and propose it anew with a new call id",
    "braked": "Wait until an operator lifts the brake",
    "contract_quarantined": "An operator has to review the change: interlock tools diff",
    "unproposed": "Make the call exactly as the model proposed it",
    "budget_exceeded": "Do with what is left, or hand the work to a person",
}


def _notices(record: CallRecord, decision: Decision, release: Release, question: Approval | None) -> tuple[Notice, ...]:
    call = record.call
    owner = release.policies(call.agent).agent.owner
    told = []
    reason = decision.reasons[0] if decision.reasons else ""
    if question is not None:
        told.append(Notice("approval_requested", owner, str(question.id), f"{call.tool}: {reason}"))
    if decision.effect is Effect.ESCALATE:
        told.append(Notice("escalation", owner, str(call.key), f"{call.tool}: {reason}"))
    if any(obligation.duty is Duty.ALERT for obligation in decision.obligations):
        told.append(Notice("alert", owner, str(call.key), f"{call.tool}: {reason}"))
    return tuple(told)


def _unknown(record: CallRecord) -> Notice:
    text = f"{record.call.tool}: the process died while the call was under way. Resolve it: interlock runs resolve"
    return Notice("outcome_unknown", "", str(record.call.key), text)
