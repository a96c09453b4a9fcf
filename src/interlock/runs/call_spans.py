"""What a tool call is in a trace: a span, and below it its decisions, its questions to people, its attempts, its check."""

from collections.abc import Iterator, Mapping

from interlock.domain.approvals import Approval, ApprovalState, Verdict
from interlock.domain.calls import CallRecord, CallStatus
from interlock.domain.canonical import Json
from interlock.domain.runs import Run
from interlock.domain.spans import Category, Span, SpanEvent, SpanKind, SpanLink, SpanStatus, Value
from interlock.domain.trace_context import (
    span_of_approval,
    span_of_run,
    span_of_tool_attempt,
    span_of_tool_call,
    span_within_tool_call,
)
from interlock.runs.spans import EVALUATION, NS_PER_MS, count, known, mapping, once, text, trace_of

_WELL = frozenset({CallStatus.SUCCEEDED, CallStatus.SIMULATED, CallStatus.PENDING, CallStatus.EXECUTING})
_ANSWERED = "answered"


def spans_of_call(
    run: Run, record: CallRecord, approvals: tuple[Approval, ...], proposer: SpanLink | None = None
) -> tuple[Span, ...]:
    """Return the span of a tool call, then those below it.

    `approvals` are the questions that were asked about this call; `proposer` is the model call that proposed it.
    """
    call, key = record.call, record.call.key
    whole = Span(
        trace_id=call.trace or trace_of(run),
        span_id=span_of_tool_call(key.tenant, key.run, key.call),
        parent_id=(call.parent_span if call.trace else span_of_run(run.tenant, run.id)) or None,
        name=f"execute_tool {call.tool}",
        category=Category.TOOL,
        start_ns=record.created_at * NS_PER_MS,
        end_ns=max(record.created_at, record.updated_at) * NS_PER_MS,
        status=SpanStatus.UNSET if record.status in _WELL else SpanStatus.ERROR,
        attributes=known(_of_call(record)),
        links=() if proposer is None else (proposer,),
    )
    asked = sorted(approvals, key=lambda one: (one.created_at, one.id))
    return (
        whole,
        *(_approval(record, one, whole) for one in asked),
        *_decisions(record, whole),
        *_attempts(record, whole),
        *_check(record, whole),
    )


def versions_of(record: CallRecord) -> Iterator[str]:
    """Yield what the call was decided under, as `name=hash`; its contract as `contract:TOOL`."""
    for step in _steps(record):
        yield from _versions(record, step)


def _steps(record: CallRecord) -> Iterator[Mapping[str, Json]]:
    """Yield every kept decision about the call with its facts and release, the first one first."""
    earlier = record.extras.get("earlier")
    if isinstance(earlier, list | tuple):
        yield from (mapping(one) for one in earlier)
    yield {"decision": record.decision, **{name: record.extras.get(name) for name in ("facts", "release", "near")}}


def _versions(record: CallRecord, step: Mapping[str, Json]) -> Iterator[str]:
    for name, version in sorted(mapping(mapping(step.get("decision")).get("versions")).items()):
        yield f"{f'contract:{record.call.tool}' if name == 'contract' else name}={version}"
    release = text(step.get("release"))
    if release is not None:
        yield f"release={release}"


def _of_call(record: CallRecord) -> dict[str, Value | None]:
    call, status = record.call, record.status
    failure = record.failure.code if record.failure is not None else None
    return {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": call.tool,
        "gen_ai.tool.call.id": call.proposal or call.key.call,
        "gen_ai.agent.name": call.agent,
        "gen_ai.conversation.id": call.key.run,
        "error.type": None if status in _WELL else failure or status.value,
        **_place(record),
        "interlock.agent": call.agent,
        "interlock.principal": call.principal,
        "interlock.status": status.value,
        "interlock.contract.version": record.contract_hash or None,
        "interlock.dry_run": call.dry_run or None,
        "interlock.approval.id": record.approval,
        "interlock.tool.attempts": count(record.extras.get("attempts")),
        "interlock.tool.busy_ms": count(record.extras.get("busy_ms")),
    }


def _decisions(record: CallRecord, whole: Span) -> Iterator[Span]:
    key = record.call.key
    for number, step in enumerate(_steps(record), start=1):
        said = _of_decision(record, step)
        if said is not None:
            part = "decision" if number == 1 else f"decision {number}"
            span, at = span_within_tool_call(key.tenant, key.run, key.call, part), _decided_at(record, step)
            yield _below(whole, span, f"decide {record.call.tool}", Category.DECISION, (at, at), said)


def _of_decision(record: CallRecord, step: Mapping[str, Json]) -> dict[str, Value | None] | None:
    decision, facts = mapping(step.get("decision")), mapping(step.get("facts"))
    effect = text(decision.get("effect"))
    if effect is None:
        return None
    findings = _objects(decision.get("findings"))
    deciding = [one for one in findings if one.get("effect", effect) == effect]
    return {
        **_place(record),
        "interlock.decision.effect": effect,
        "interlock.decision.rules": once(one.get("rule") for one in deciding),
        "interlock.decision.codes": once(one.get("code") for one in deciding),
        "interlock.decision.findings": once(f"{one.get('rule')}={one.get('effect', effect)}" for one in findings),
        "interlock.decision.obligations": once(
            f"{one.get('duty')}:{one.get('rule')}" for one in _objects(decision.get("obligations"))
        ),
        "interlock.decision.versions": tuple(_versions(record, step)) or None,
        "interlock.decision.near": once(f"{one.get('rule')}={one.get('kind')}" for one in _objects(step.get("near"))),
        "interlock.decision.provenance": text(mapping(facts.get("provenance")).get("verdict")),
        "interlock.decision.proposed": text(facts.get("proposed")),
        "interlock.decision.brakes": once(facts.get("brakes") or ()),
        "interlock.decision.approvers": count(decision.get("approvers_needed")) or None,
    }


def _decided_at(record: CallRecord, step: Mapping[str, Json]) -> int:
    at = count(mapping(step.get("facts")).get("now"))
    return record.created_at if at is None else at


def _objects(value: Json) -> list[Mapping[str, Json]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list | tuple) else []


def _approval(record: CallRecord, approval: Approval, whole: Span) -> Span:
    said: dict[str, Value | None] = {
        **_place(record),
        "interlock.approval.id": approval.id,
        "interlock.approval.state": approval.state.value,
        "interlock.approval.needed": approval.needed,
        "interlock.approval.approved": sum(vote.verdict is Verdict.APPROVE for vote in approval.votes),
        "interlock.approval.refused": sum(vote.verdict is Verdict.DENY for vote in approval.votes),
        "interlock.approval.overdue": True if approval.escalated_at is not None else None,
        "error.type": "approval_expired" if approval.state is ApprovalState.EXPIRED else None,
    }
    times = approval.created_at, _answered_at(record, approval)
    return _below(whole, span_of_approval(approval.id), f"approve {record.call.tool}", Category.APPROVAL, times, said)


def _answered_at(record: CallRecord, approval: Approval) -> int:
    """Return when people had answered, or the question was over; of one that is open, the last that is known."""
    last = approval.votes[-1].at if approval.votes else approval.created_at
    *_, latest = _steps(record)
    over = {ApprovalState.EXPIRED: approval.expires_at, ApprovalState.VOID: _decided_at(record, latest)}
    return max(last, over.get(approval.state, last))


def _attempts(record: CallRecord, whole: Span) -> Iterator[Span]:
    key, tries = record.call.key, record.extras.get("tries")
    for number, (at, took_ms, delivery) in enumerate(tries if isinstance(tries, list | tuple) else (), start=1):
        said: dict[str, Value | None] = {
            **_place(record),
            "interlock.attempt.number": number,
            "interlock.attempt.delivery": str(delivery),
            "error.type": None if delivery == _ANSWERED else str(delivery),
        }
        span = span_of_tool_attempt(key.tenant, key.run, key.call, record.attempt, number)
        times = int(at), int(at) + int(took_ms)
        yield _below(whole, span, f"attempt {record.call.tool}", Category.ATTEMPT, times, said, kind=SpanKind.CLIENT)


def _check(record: CallRecord, whole: Span) -> Iterator[Span]:
    """Yield the look at what the tool answered, where it answered."""
    found = _FOUND.get(record.status)
    if found is None or (record.status is CallStatus.FAILED and record.result is None):
        return
    key, at = record.call.key, record.updated_at
    label, value = found
    verdict: dict[str, Value] = {
        "gen_ai.evaluation.name": "tool.result",
        "gen_ai.evaluation.score.label": label,
        "gen_ai.evaluation.score.value": value,
    }
    said: dict[str, Value | None] = {
        **_place(record),
        **verdict,
        "interlock.check.redacted": (record.result.redacted if record.result is not None else ()) or None,
        "error.type": record.failure.code if label == "withheld" and record.failure is not None else None,
    }
    yield _below(
        whole,
        span_within_tool_call(key.tenant, key.run, key.call, "check"),
        f"evaluate {record.call.tool}",
        Category.EVALUATION,
        (at, at),
        said,
        events=(SpanEvent(EVALUATION, at * NS_PER_MS, verdict),),
    )


_FOUND = {
    CallStatus.SUCCEEDED: ("pass", 1.0),
    CallStatus.FAILED: ("tool_error", 0.0),
    CallStatus.WITHHELD: ("withheld", 0.0),
}


def _place(record: CallRecord) -> dict[str, Value | None]:
    key = record.call.key
    return {"interlock.call": key.call, "interlock.tenant": key.tenant, "interlock.run": key.run}


def _below(
    whole: Span,
    span: str,
    name: str,
    category: Category,
    times: tuple[int, int],
    said: Mapping[str, Value | None],
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    events: tuple[SpanEvent, ...] = (),
) -> Span:
    """Return a span below `whole`; `times` are milliseconds since the epoch, and what says `error.type` is an error."""
    start, end = times
    return Span(
        trace_id=whole.trace_id,
        span_id=span,
        parent_id=whole.span_id,
        name=name,
        category=category,
        start_ns=start * NS_PER_MS,
        end_ns=max(start, end) * NS_PER_MS,
        status=SpanStatus.ERROR if said.get("error.type") else SpanStatus.UNSET,
        attributes=known(said),
        kind=kind,
        events=events,
    )
