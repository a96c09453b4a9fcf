"""Why something was, or was not, done: the account of a call, a model call or a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from interlock.domain.canonical import Json
from interlock.domain.decisions import Decision, Finding
from interlock.domain.identity import Role
from interlock.gateway.explain.accounts import (
    Account,
    CallAccount,
    InputAccount,
    LogAccount,
    ModelCallAccount,
    StepAccount,
    TodayAccount,
)
from interlock.policy.record import decision_json
from interlock.server.api import models_views, views
from interlock.server.api.documents import ApprovalDocument, CallDocument, RunDocument
from interlock.server.api.models_documents import ModelCallDocument
from interlock.server.api.operations import PREFIX, Asked, Description, Operation

READERS = frozenset({Role.OPERATOR, Role.AUDITOR, Role.APPROVER})


@dataclass(frozen=True, slots=True)
class ExplainQuery:
    """What is to be explained."""

    of: Annotated[
        str,
        "RUN, RUN/CALL, a call, a model call, an approval, an audit event, an idempotency key, or a value that a tool "
        "answered with, such as the number of a refund.",
    ]


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """A text of the run in which a value was seen."""

    seq: Annotated[int, "Its place in the evidence of the run."]
    name: str
    pointer: Annotated[str, "JSON pointer into a structured result; empty for the whole text."]
    trusted: bool
    call_id: Annotated[str | None, "The call whose result it is."]


@dataclass(frozen=True, slots=True)
class InputDocument:
    """One value of the arguments, and what it goes back to."""

    pointer: Annotated[str, "JSON pointer into the arguments; empty for the act itself."]
    value: Annotated[Json, "null where it was erased."]
    role: str
    seen: Annotated[str, "Where it was seen: `user`, `record`, `untrusted` ..."]
    supported: bool
    sentence: str
    sources: tuple[SourceDocument, ...]


@dataclass(frozen=True, slots=True)
class StepDocument:
    """One decision about the call."""

    at: Annotated[int | None, "Milliseconds since the epoch."]
    decision: Annotated[Mapping[str, Json], "Effect, findings, obligations and versions."]
    release: Annotated[str, "Id of the release that it was made under; empty where nobody noted it."]


@dataclass(frozen=True, slots=True)
class ProposalAccountDocument:
    """The model reply that proposed it."""

    standing: Annotated[str, "`bound` when a reply of the run proposes exactly this call."]
    named: Annotated[str, "The proposal that the call names; empty when it names none."]
    model_call: ModelCallDocument | None


@dataclass(frozen=True, slots=True)
class TodayDocument:
    """What the rules of today would say, on the facts of then."""

    decision: Annotated[Mapping[str, Json] | None, "null where nobody can tell."]
    changed: Annotated[bool, "Whether the effect differs."]
    why: Annotated[str, "Why nobody can tell."]
    because: Annotated[tuple[Mapping[str, Json], ...], "The findings that make the difference."]


@dataclass(frozen=True, slots=True)
class ProofDocument:
    """An event of the audit log."""

    event: str
    kind: str
    at: int
    index: Annotated[int, "Its place in the log."]
    commitments: Annotated[
        Mapping[str, bool | None], "Whether the record still is what the event commits to; null where it was erased."
    ]


@dataclass(frozen=True, slots=True)
class LogDocument:
    """What the audit log holds about it."""

    origin: str
    size: Annotated[int, "Of the signed tree, in events."]
    events: tuple[ProofDocument, ...]
    problem: Annotated[str, "Why not everything can be proved at the moment; empty when it can."]


@dataclass(frozen=True, slots=True)
class ExplanationDocument:
    """An account. What does not belong to its kind is empty."""

    kind: Annotated[str, "`call`, `model_call` or `run`."]
    run: RunDocument | None
    call: CallDocument | None
    model_call: ModelCallDocument | None
    proposal: ProposalAccountDocument | None
    inputs: tuple[InputDocument, ...]
    steps: Annotated[tuple[StepDocument, ...], "Every decision about the call, the first one first."]
    approvals: tuple[ApprovalDocument, ...]
    today: TodayDocument | None
    calls: Annotated[
        tuple[CallDocument, ...], "Of a run: its calls in order. Of a model call: what came of its proposals."
    ]
    model_calls: tuple[ModelCallDocument, ...]
    log: LogDocument


def explanation(account: Account) -> ExplanationDocument:
    """Return `account` as a document."""
    call = account if isinstance(account, CallAccount) else None
    model_call = account if isinstance(account, ModelCallAccount) else None
    return ExplanationDocument(
        kind="call" if call is not None else "model_call" if model_call is not None else "run",
        run=views.run(account.run) if account.run is not None else None,
        call=views.call(call.record) if call is not None else None,
        model_call=models_views.model_call(model_call.record) if model_call is not None else None,
        proposal=_proposal(call) if call is not None else None,
        inputs=tuple(_input(one) for one in call.inputs) if call is not None else (),
        steps=tuple(_step(one) for one in call.steps) if call is not None else (),
        approvals=tuple(views.approval(one) for one in call.approvals) if call is not None else (),
        today=_today(call.today) if call is not None else None,
        calls=() if isinstance(account, CallAccount) else tuple(views.call(one) for one in account.calls),
        model_calls=(
            ()
            if isinstance(account, CallAccount | ModelCallAccount)
            else tuple(models_views.model_call(one) for one in account.model_calls)
        ),
        log=_log(account.log),
    )


def _proposal(call: CallAccount) -> ProposalAccountDocument:
    found = call.proposal.model_call
    shown = models_views.model_call(found) if found is not None else None
    return ProposalAccountDocument(call.proposal.standing, call.proposal.named, shown)


def _input(one: InputAccount) -> InputDocument:
    sources = tuple(SourceDocument(each.seq, each.name, each.pointer, each.trusted, each.call) for each in one.sources)
    return InputDocument(one.pointer, one.value, one.role, one.seen, one.supported, one.sentence, sources)


def _step(one: StepAccount) -> StepDocument:
    return StepDocument(one.at, decision_json(one.decision), one.release)


def _today(one: TodayAccount) -> TodayDocument:
    decided = decision_json(one.decision) if one.decision is not None else None
    return TodayDocument(decided, one.changed, one.why, tuple(_finding(each) for each in one.because))


def _finding(one: Finding) -> Mapping[str, Json]:
    findings: list[Mapping[str, Json]] = decision_json(Decision(one.effect, (one,)))["findings"]
    return findings[0]


def _log(one: LogAccount) -> LogDocument:
    events = tuple(
        ProofDocument(each.event, each.kind, each.at, each.index, dict(each.commitments)) for each in one.events
    )
    return LogDocument(one.origin, one.size, events, one.problem)


async def explain(asked: Asked) -> ExplanationDocument:
    """Explain."""
    query: ExplainQuery = asked.query
    return explanation(await asked.desks.explain.explain(asked.principal, query.of))


OPERATIONS = (
    Operation(
        Description(
            "GET",
            PREFIX + "/explain",
            "explain",
            "Tell why something was, or was not, done: proposal, inputs, decision, people, proof, and what today's rules say.",
            READERS,
            ExplainQuery,
            answer=ExplanationDocument,
        ),
        explain,
    ),
)
"""The operations that explain."""
