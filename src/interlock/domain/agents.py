"""An agent as declared: which tools, under which limits, rules and stage."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from interlock.domain.budgets import Limit
from interlock.domain.canonical import Json, JsonObject
from interlock.domain.contracts import Constraint
from interlock.domain.decisions import Effect
from interlock.domain.ids import AgentId, ToolName


class Stage(StrEnum):
    """How much an agent may do by itself (requirement P4), from least to most."""

    OBSERVE = "observe"
    """Shadow: writes are decided and recorded, never executed."""
    SUGGEST = "suggest"
    """Every write goes to a person as a suggestion and is not executed by the agent."""
    DRAFT = "draft"
    """Writes of tier 1 (drafts, notes) run; the others need approval."""
    APPROVAL = "act_with_approval"
    """Every write needs approval."""
    LIMITS = "act_within_limits"
    """Writes run within tier, policy and limits."""


class Engine(StrEnum):
    """The language of a condition."""

    CEL = "cel"
    OPA = "opa"
    CEDAR = "cedar"


class Phase(StrEnum):
    """What a condition looks at."""

    BEFORE = "before"
    """The proposed call."""
    AFTER = "after"
    """The tool's result, before anyone sees it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition that must hold. When it does not, or cannot be evaluated, `on_fail` (at least DENY on error) applies."""

    id: str
    condition: str
    engine: Engine
    on_fail: Effect
    tool: ToolName | None = None
    """None means every tool of the agent."""
    phase: Phase = Phase.BEFORE
    alert: bool = False
    """Whether a failure also tells the owner."""
    source: str = ""
    """`file:line`, for messages."""


@dataclass(frozen=True, slots=True)
class ApprovalRule:
    """Calls of `tool` that need a person; with `when`, only those where some argument has one of the listed values."""

    tool: ToolName
    when: tuple[tuple[str, tuple[Json, ...]], ...] = ()
    """(argument name, values): the rule applies when the argument, or any element of it, is one of the values."""


@dataclass(frozen=True, slots=True)
class AgentPolicy:
    """Everything the gate needs to know of one agent."""

    id: AgentId
    tools: frozenset[ToolName]
    """The allowlist. Empty means nothing is allowed."""
    stage: Stage = Stage.LIMITS
    stages: Mapping[ToolName, Stage] = field(default_factory=dict)
    """Stages of single tools; the lower of this and `stage` holds."""
    limits: tuple[Limit, ...] = ()
    max_wall_ms: int | None = None
    """How long a run may last from its opening, in milliseconds."""
    rules: tuple[Rule, ...] = ()
    approvals: tuple[ApprovalRule, ...] = ()
    constraints: Mapping[ToolName, tuple[Constraint, ...]] = field(default_factory=dict)
    proposed_only: bool = False
    """Whether only calls run that a model's reply in the same run proposed, with these very arguments."""
    redact: bool = False
    """Whether personal data is taken out of every result."""
    on_timeout: Effect = Effect.ESCALATE
    on_violation: Effect = Effect.DENY
    """What a denied call becomes: DENY, or ESCALATE to a person."""
    owner: str = ""
    description: str = ""
    """What the agent is for, shown to reviewers."""
    proposals: JsonObject | None = None
    """JSON Schema that every proposed call must satisfy, as `{"tool": ..., "args": ...}`, besides the tool's contract."""
    log_fields: tuple[str, ...] = ()
    model_tiers: JsonObject = field(default_factory=dict)
    """Model tier per step, for the model road."""
    version: str = ""
    """SHA-256 of the declaration."""
