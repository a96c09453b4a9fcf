"""Where people answer: approve, deny, edit; and where the clock does."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from interlock.approvals.decide import edit, tick, vote
from interlock.approvals.ports import ApprovalFilter
from interlock.domain.approvals import Approval, ApprovalState, Verdict, Vote
from interlock.domain.calls import CallKey, CallRecord
from interlock.domain.canonical import Json, JsonObject, canonical_json, check_json, digest
from interlock.domain.errors import BadInput, Forbidden, UnknownRecord
from interlock.domain.identity import Principal, Role
from interlock.domain.ids import ApprovalId, CallId, RunId
from interlock.gateway.ports import Clock, Notice, Notifier
from interlock.gateway.questions import close_call
from interlock.gateway.store import Store, Tx
from interlock.gateway.trail import approval_closed, approval_escalated, approval_voted
from interlock.metrics.meter import Meter, Unmetered

_LIVE = frozenset({ApprovalState.OPEN, ApprovalState.GRANTED})


@dataclass(frozen=True, slots=True)
class Edited:
    """An approval closed by an edit, and the call that takes the place of the one it was about."""

    approval: Approval
    original: CallRecord
    key: CallKey
    arguments: JsonObject


class ApprovalDesk:
    """Use cases around approvals. Each is one transaction."""

    def __init__(self, store: Store, clock: Clock, notifier: Notifier, meter: Meter | None = None) -> None:
        """Work on `store`; tell people through `notifier`."""
        self._meter = meter or Unmetered()
        self._store = store
        self._clock = clock
        self._notifier = notifier

    async def list(
        self, principal: Principal, states: frozenset[ApprovalState] | None, run: RunId | None = None, limit: int = 100
    ) -> tuple[Approval, ...]:
        """Return approvals of the tenant, the most urgent first."""
        _check_reader(principal)
        query = ApprovalFilter(tenant=principal.tenant, states=states, run=run, limit=limit)
        return await self._store.read(lambda tx: tx.approvals.search(query))

    async def find(self, principal: Principal, id: ApprovalId) -> Approval:
        """Return one approval. Raises UnknownRecord."""
        _check_reader(principal)
        return await self._store.read(lambda tx: _visible(tx, principal, id))

    async def answer(self, principal: Principal, id: ApprovalId, verdict: Verdict, reason: str) -> Approval:
        """Record an approval or a denial; a denial also ends the call. Raises Forbidden, ApprovalClosed, BadInput."""
        _check_approver(principal)
        check_json(reason)
        given = Vote(principal.id, verdict, reason, self._clock.now())

        def work(tx: Tx) -> Approval:
            before = _visible(tx, principal, id)
            record = _record(tx, before)
            after = vote(before, given)
            _keep(tx, before, after)
            tx.audit.append(approval_voted(after, given, record))
            if after.state is ApprovalState.DENIED:
                close_call(tx, record, after, given.at, by=principal.id)
            return after

        after = await self._store.transact(work)
        if after.state is not ApprovalState.OPEN:
            self._meter.approval_ended(after, given.at)
        return after

    async def edit(self, principal: Principal, id: ApprovalId, arguments: JsonObject, reason: str) -> Edited:
        """Close the approval and its call in favour of a new call with `arguments`, and return that call's name.

        What the person changed is the person's word, so it joins the run's trusted evidence; what was left alone does not.
        The caller then takes the new call down the road from the start, with `principal` as its requester.
        """
        _check_approver(principal)
        check_json(arguments)
        given = Vote(principal.id, Verdict.EDIT, reason, self._clock.now())

        def work(tx: Tx) -> Edited:
            before = _visible(tx, principal, id)
            record = _record(tx, before)
            if digest(arguments) == record.arguments_hash:
                raise BadInput("The edit changes nothing", do="Approve it, or change an argument")
            key = replace(record.call.key, call=CallId(f"{record.call.key.call}.edit"))
            after = edit(before, given, key)
            _keep(tx, before, after)
            tx.audit.append(approval_voted(after, given, record))
            closed = close_call(tx, record, after, given.at, by=principal.id)
            for changed in _changed(record.call.arguments, arguments):
                tx.evidence.append(key.tenant, key.run, "user", changed, None)
            return Edited(after, closed, key, arguments)

        edited = await self._store.transact(work)
        self._meter.approval_ended(edited.approval, given.at)
        return edited

    async def sweep(self) -> int:
        """Escalate what is overdue and expire what is out of time, each once. Return how many changed."""
        now = self._clock.now()

        def work(tx: Tx) -> tuple[Approval, ...]:
            expired = tx.approvals.search(ApprovalFilter(states=_LIVE, expires_before=now + 1))
            late = tx.approvals.search(ApprovalFilter(states=frozenset({ApprovalState.OPEN}), due_before=now + 1))
            return tuple(
                self._tick(tx, approval, now) for approval in {one.id: one for one in (*expired, *late)}.values()
            )

        touched = await self._store.transact(work)
        for approval in touched:
            if approval.state is ApprovalState.OPEN:
                text = f"{approval.binding.tool}: nobody has answered in time"
                self._notifier.notify(Notice("approval_overdue", approval.escalate_to, str(approval.id), text))
                self._meter.approval_overdue(approval)
            elif approval.state is ApprovalState.EXPIRED:
                self._meter.approval_ended(approval, now)
        return len(touched)

    def _tick(self, tx: Tx, before: Approval, now: int) -> Approval:
        after = tick(before, now)
        if after == before:
            return after
        _keep(tx, before, after)
        if after.state is ApprovalState.EXPIRED:
            tx.audit.append(approval_closed(after, now))
            record = tx.calls.find(after.binding.key)
            if record is not None and record.approval == after.id and not record.status.is_final:
                close_call(tx, record, after, now)
        else:
            tx.audit.append(approval_escalated(after, now))
        return after


def _visible(tx: Tx, principal: Principal, id: ApprovalId) -> Approval:
    approval = tx.approvals.find(id)
    if approval is None or approval.binding.key.tenant != principal.tenant:
        raise UnknownRecord(f"There is no approval {id} that you may see")
    return approval


def _record(tx: Tx, approval: Approval) -> CallRecord:
    record = tx.calls.find(approval.binding.key)
    if record is None:
        raise UnknownRecord(f"Approval {approval.id} is about a call that is not in the journal")
    return record


def _keep(tx: Tx, before: Approval, after: Approval) -> None:
    if not tx.approvals.replace(after, since=before.state):
        raise UnknownRecord(f"Approval {before.id} was changed by somebody else", do="Look at it again")


def _check_reader(principal: Principal) -> None:
    if not any(principal.may(role) for role in (Role.APPROVER, Role.OPERATOR, Role.AUDITOR)):
        raise Forbidden("Approvals are for approvers, operators and auditors")


def _check_approver(principal: Principal) -> None:
    if not principal.may(Role.APPROVER):
        raise Forbidden("Deciding approvals is for approvers", do="Ask an admin for the role `approver`")


def _changed(before: Json, after: Json) -> tuple[str, ...]:
    """Return the leaves of `after` that stand at another value in `before`, as text."""
    if isinstance(after, Mapping):
        earlier = before if isinstance(before, Mapping) else {}
        return tuple(text for key, value in after.items() for text in _changed(earlier.get(key), value))
    if isinstance(after, list | tuple):
        known = before if isinstance(before, list | tuple) else ()
        return tuple(text for value in after if value not in known for text in _changed(None, value))
    if after is None or after == before:
        return ()
    return (after if isinstance(after, str) else canonical_json(after).decode(),)
