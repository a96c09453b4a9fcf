"""What the API answers: one dataclass per kind of document, the form of the JSON and of its published schema."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from interlock.domain.approvals import ApprovalState, Verdict
from interlock.domain.audit import AuditKind
from interlock.domain.brakes import BrakeTarget
from interlock.domain.calls import CallStatus
from interlock.domain.canonical import Json
from interlock.domain.contracts import Environment, Idempotency, Kind, Standing
from interlock.domain.identity import Role
from interlock.domain.runs import RunOutcome, RunState

Instant = Annotated[int, "Milliseconds since the epoch."]


@dataclass(frozen=True, slots=True)
class OpenedRunDocument:
    """A run that was just opened, and the token that its agent uses."""

    run: str
    token: Annotated[str, "The run token: shown here and nowhere else."]
    expires_at: Annotated[int, "When the token expires, in milliseconds since the epoch."]
    deadline: Annotated[int | None, "When the run ends by itself, in milliseconds since the epoch."]


@dataclass(frozen=True, slots=True)
class RunDocument:
    """A run."""

    run: str
    agent: str
    state: RunState
    opened_by: str
    user: str | None
    labels: Mapping[str, str]
    opened_at: Instant
    deadline: int | None
    ended_at: int | None
    outcome: Annotated[RunOutcome | None, "What came of it, as its driver said when it closed the run."]
    erased_at: Annotated[int | None, "When what was said in it was erased; null while it is kept."]


@dataclass(frozen=True, slots=True)
class RunsDocument:
    """Runs, the newest first."""

    runs: tuple[RunDocument, ...]


@dataclass(frozen=True, slots=True)
class FailureDocument:
    """Why a call has no result."""

    code: str
    what: str
    why: str
    do: str


@dataclass(frozen=True, slots=True)
class CallDocument:
    """A call, and what became of it."""

    run: str
    call_id: str
    agent: str
    tool: str
    status: CallStatus
    arguments: Mapping[str, Json]
    reason: Annotated[str, "The agent's own words."]
    user: str | None
    requested_by: str
    decision: Annotated[Mapping[str, Json], "Effect, findings, obligations and versions."]
    result: Json
    is_error: bool | None
    failure: FailureDocument | None
    approval: str | None
    attempt: int
    contract_hash: str
    arguments_hash: str
    created_at: Instant
    updated_at: Instant
    extras: Annotated[Mapping[str, Json], "Attempts, timings, obligations carried out, and how it was resolved."]
    erased: Annotated[bool, "Whether what it said is gone for good: arguments, result, reasons and decision are empty."]


@dataclass(frozen=True, slots=True)
class CallsDocument:
    """Calls, the newest first."""

    calls: tuple[CallDocument, ...]


@dataclass(frozen=True, slots=True)
class TokenDocument:
    """A run token delegated from another."""

    token: Annotated[str, "Shown here and nowhere else."]
    run: str
    tools: Annotated[tuple[str, ...] | None, "null stands for every tool of the agent."]
    expires_at: Instant


@dataclass(frozen=True, slots=True)
class RenewedDocument:
    """A run token's new expiry."""

    expires_at: Instant


@dataclass(frozen=True, slots=True)
class RevokedDocument:
    """How many tokens died."""

    revoked: Annotated[int, "The token itself and those delegated from it."]


@dataclass(frozen=True, slots=True)
class VoteDocument:
    """One person's answer."""

    by: str
    verdict: Verdict
    reason: str
    at: Instant


@dataclass(frozen=True, slots=True)
class ApprovalDocument:
    """A question to people about one exact call."""

    id: str
    run: str
    call_id: str
    agent: str
    tool: str
    arguments: Annotated[Mapping[str, Json], "What will run, byte for byte, if people say yes."]
    reasons: Annotated[tuple[str, ...], "Why a person is asked."]
    evidence: Annotated[Mapping[str, Json] | None, "Where the value of each argument came from."]
    needed: Annotated[int, "How many different people must say yes."]
    reason_required: bool
    votes: tuple[VoteDocument, ...]
    requested_by: str
    state: ApprovalState
    created_at: Instant
    due_at: Annotated[int, "When it escalates, in milliseconds since the epoch."]
    expires_at: Annotated[int, "When it is closed and the call is not made."]
    escalated_at: int | None
    escalate_to: str
    replaced_by: Annotated[str | None, "For an edited one: the id of the new call in the same run."]


@dataclass(frozen=True, slots=True)
class ApprovalsDocument:
    """Approvals, the most urgent first."""

    approvals: tuple[ApprovalDocument, ...]


@dataclass(frozen=True, slots=True)
class EditedDocument:
    """An approval closed by an edit, and what became of the call that took its place."""

    approval: ApprovalDocument
    call: Annotated[Mapping[str, Json], "As POST /v1/tool-calls answers."]


@dataclass(frozen=True, slots=True)
class BrakeDocument:
    """An order that something must not happen."""

    id: str
    target: BrakeTarget
    name: Annotated[str, "Which tool, category, agent, model or provider; empty for writes, models and all."]
    reason: str
    set_by: str
    set_at: Instant
    expires_at: Instant


@dataclass(frozen=True, slots=True)
class BrakesDocument:
    """The brakes that are on, the oldest first."""

    brakes: tuple[BrakeDocument, ...]


@dataclass(frozen=True, slots=True)
class ToolSummary:
    """A tool in brief."""

    name: str
    description: str
    kind: Kind
    tier: Annotated[int, "Risk tier, 0 to 4."]
    category: str
    environment: Environment
    standing: Standing
    connection: str
    operation: str
    owner: str
    guessed: Annotated[tuple[str, ...], "What nobody has confirmed."]
    surface_hash: str


@dataclass(frozen=True, slots=True)
class ToolsDocument:
    """Every tool, by name."""

    tools: tuple[ToolSummary, ...]


@dataclass(frozen=True, slots=True)
class ToolDocument(ToolSummary):
    """The contract of a tool, and who reviewed it."""

    input_schema: Mapping[str, Json]
    output_schema: Mapping[str, Json] | None
    scopes: tuple[str, ...]
    idempotency: Idempotency
    idempotency_name: str
    reversible: bool
    cost_nano_usd: int
    amount: Annotated[str | None, "Pointer to the argument that says how much money moves."]
    recipients: str | None
    timeout_ms: int
    max_retries: int
    arguments: Annotated[Mapping[str, str], "What each argument means, by pointer."]
    credential: Annotated[str | None, "A reference to the secret, never the secret."]
    hash: str
    pinned_hash: str
    pinned_by: str | None
    pinned_at: int | None


@dataclass(frozen=True, slots=True)
class ChangeDocument:
    """One difference from what was reviewed."""

    pointer: str
    before: Annotated[str | None, "null when it is new."]
    after: Annotated[str | None, "null when it is gone."]


@dataclass(frozen=True, slots=True)
class DiffDocument:
    """What an upstream changed since its tool was reviewed."""

    tool: str
    standing: Standing
    surface_hash: Annotated[str, "Of what is offered now; an approval names it."]
    reviewed_hash: str | None
    changes: tuple[ChangeDocument, ...]


@dataclass(frozen=True, slots=True)
class PinDocument:
    """A reviewed surface."""

    tool: str
    surface_hash: str
    pinned_by: str
    pinned_at: Instant


@dataclass(frozen=True, slots=True)
class KeyDocument:
    """An API key, without its secret."""

    id: str
    name: str
    roles: tuple[Role, ...]
    agent: str | None
    created_at: Instant
    created_by: str
    expires_at: int | None
    revoked_at: int | None


@dataclass(frozen=True, slots=True)
class NewKeyDocument:
    """A key that was just made."""

    secret: Annotated[str, "The key itself: shown here and nowhere else."]
    key: KeyDocument


@dataclass(frozen=True, slots=True)
class KeysDocument:
    """Keys, the newest first."""

    keys: tuple[KeyDocument, ...]


@dataclass(frozen=True, slots=True)
class BudgetDocument:
    """How one budget stands, in the unit of its measure."""

    budget: str
    limit: int
    spent: int
    held: int
    left: int


@dataclass(frozen=True, slots=True)
class BudgetsDocument:
    """Budgets, by key."""

    budgets: tuple[BudgetDocument, ...]


@dataclass(frozen=True, slots=True)
class EventDocument:
    """One entry of the audit trail. Payloads stand in it as commitments only."""

    id: str
    kind: AuditKind
    at: Instant
    actor: str
    subject: str
    body: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class EventsDocument:
    """Audit events, the newest first."""

    events: tuple[EventDocument, ...]


@dataclass(frozen=True, slots=True)
class StatusDocument:
    """That something is as it should be."""

    status: str
