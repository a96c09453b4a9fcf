"""What callers send: bodies and query parameters, one dataclass each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from interlock.domain.approvals import ApprovalState
from interlock.domain.audit import AuditKind
from interlock.domain.brakes import BrakeTarget
from interlock.domain.calls import CallStatus
from interlock.domain.canonical import Json
from interlock.domain.errors import BadInput
from interlock.domain.identity import Role
from interlock.domain.runs import RunOutcome
from interlock.gateway.models.desk import Grouping

MOST = 1_000
"""How many entries one list holds at most."""
Limited = Annotated[int, f"How many to return at most: 1 to {MOST}."]


@dataclass(frozen=True, slots=True)
class OpenRunBody:
    """What the opener of a run says of it. All of it counts as trusted."""

    run: Annotated[str | None, "An id of your own choice."] = None
    agent: Annotated[str | None, "Which agent; needed from callers that are not themselves an agent."] = None
    user: Annotated[
        Mapping[str, Json] | None, "On whose behalf: `id`, and what is known of them: name, email, accounts, ..."
    ] = None
    system: Annotated[str, "The agent's own instructions."] = ""
    instruction: Annotated[str, "What the user asked for."] = ""
    labels: Annotated[Mapping[str, str] | None, "Free words to find the run by."] = None
    tools: Annotated[tuple[str, ...] | None, "Narrows the run's token to these tools of the agent."] = None


@dataclass(frozen=True, slots=True)
class InstructionBody:
    """What the user said next."""

    text: str


@dataclass(frozen=True, slots=True)
class CloseRunBody:
    """What came of the run. Left out: nobody says."""

    outcome: Annotated[
        RunOutcome | None, "Said once: with the close, or by closing again. Cost per successful run comes from it."
    ] = None


@dataclass(frozen=True, slots=True)
class ResolveBody:
    """What a person found out about a call of unknown outcome."""

    happened: Annotated[bool, "Whether the tool did it."]
    note: Annotated[str, "How you know."]
    result: Annotated[Json, "What the tool answered, if that is known."] = None


@dataclass(frozen=True, slots=True)
class DelegateBody:
    """What the child token may call."""

    tools: Annotated[tuple[str, ...] | None, "Only those that the parent may call count; null for all of them."] = None


@dataclass(frozen=True, slots=True)
class AnswerBody:
    """Why you say so."""

    reason: Annotated[str, "Needed where two people must agree."] = ""


@dataclass(frozen=True, slots=True)
class EditBody:
    """The arguments that the call should have had."""

    arguments: Mapping[str, Json]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class BrakeBody:
    """What is to be stopped, why, and for how long."""

    target: BrakeTarget
    reason: str
    for_seconds: int
    name: Annotated[str, "Which tool, category or agent; left out for writes and all."] = ""


@dataclass(frozen=True, slots=True)
class ApproveContractBody:
    """The surface that you looked at."""

    surface_hash: Annotated[str, "As GET /api/v1/tools/{tool}/diff told it."]


@dataclass(frozen=True, slots=True)
class CreateKeyBody:
    """Whom the key is for."""

    name: Annotated[str, "Of the person or service; audit entries carry it."]
    roles: tuple[Role, ...]
    agent: Annotated[str | None, "For role `agent`: which one."] = None
    expires_in_seconds: Annotated[int | None, "null for a key without an end."] = None


@dataclass(frozen=True, slots=True)
class Page:
    """How many."""

    limit: Limited = 100


@dataclass(frozen=True, slots=True)
class ApprovalQuery:
    """Which approvals."""

    state: Annotated[ApprovalState | None, "Left out: any."] = None
    run: str | None = None
    limit: Limited = 100


@dataclass(frozen=True, slots=True)
class CallQuery:
    """Which calls."""

    status: Annotated[CallStatus | None, "Left out: any."] = None
    run: str | None = None
    agent: str | None = None
    tool: str | None = None
    limit: Limited = 100


@dataclass(frozen=True, slots=True)
class ModelCallQuery:
    """Which model calls."""

    run: str | None = None
    agent: str | None = None
    limit: Limited = 100


@dataclass(frozen=True, slots=True)
class SpendingQuery:
    """Which model calls are added up, and by what."""

    by: Annotated[Grouping, "What makes a group."] = Grouping.AGENT
    since: Annotated[int, "The first instant, in milliseconds since the epoch."] = 0
    until: Annotated[int | None, "The first instant after; left out: until now."] = None
    limit: Annotated[int, f"How many groups to return at most: 1 to {MOST}. The total counts all of them."] = 100


@dataclass(frozen=True, slots=True)
class BudgetQuery:
    """Which budgets."""

    prefix: Annotated[str, "The beginning of the budget's key after the tenant, such as `agent=refunds`."] = ""
    limit: Limited = 100


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which events."""

    subject: Annotated[
        str | None, "The beginning of the subject: a run, a call, a model call, an approval, a tool, a key."
    ] = None
    kind: Annotated[AuditKind | None, "Left out: any."] = None
    since: Annotated[int, "The first instant, in milliseconds since the epoch."] = 0
    limit: Limited = 100


def bounded(limit: int) -> int:
    """Return `limit` if that many may be asked for, or raise BadInput."""
    if not 1 <= limit <= MOST:
        raise BadInput(f"'limit' is out of range: {limit}", do=f"Ask for 1 to {MOST}")
    return limit
