"""What may happen to a call, and why: the value that everything else records, explains and replays."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Effect(StrEnum):
    """What is to happen. Ordered by how little can happen to the world afterwards."""

    ALLOW = "allow"
    REQUIRE_APPROVAL = "require_approval"
    """May happen once a person says so."""
    DRY_RUN = "dry_run"
    """Will not happen; the agent gets a simulated answer."""
    ESCALATE = "escalate"
    """Will not happen; the matter goes to a person."""
    DENY = "deny"

    @property
    def severity(self) -> int:
        """0 for ALLOW up to 4 for DENY; the highest among all findings wins."""
        return _SEVERITY[self]


_SEVERITY = {effect: rank for rank, effect in enumerate(Effect)}


class Duty(StrEnum):
    """What must be done besides, whatever the effect."""

    REDACT = "redact"
    """Take personal data and secrets out of the result before the agent sees it."""
    SAMPLE = "sample"
    """Put the call in the queue of calls that people review afterwards."""
    ALERT = "alert"
    """Tell the owner."""
    TWO_PEOPLE = "two_people"
    """Two different people must approve, each with a written reason."""


@dataclass(frozen=True, slots=True)
class Obligation:
    """A duty that a rule imposes, with its parameter if it has one."""

    duty: Duty
    rule: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule says of a call."""

    rule: str
    """Stable id: `tier.3`, `agent.allowlist`, `config:refund_cap`, `cedar:no-weekend`, `provenance`."""
    effect: Effect
    reason: str
    """One sentence for a person."""
    code: str = ""
    """The error code that an agent gets when this finding denies; `policy_denied` where nothing closer fits."""
    version: str = ""
    """Hash of the policy that the rule stands in."""
    obligations: tuple[Obligation, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer for one call. It follows from the call, its facts and the policies, and from nothing else."""

    effect: Effect
    findings: tuple[Finding, ...]
    """Everything that applied, the most severe first; ties in order of rule id."""
    obligations: tuple[Obligation, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    """Hash of every policy and contract that was consulted, by name."""
    approvers_needed: int = 0
    """0 unless the effect is REQUIRE_APPROVAL."""

    @property
    def deciding(self) -> tuple[Finding, ...]:
        """The findings that determined the effect."""
        return tuple(finding for finding in self.findings if finding.effect is self.effect)

    @property
    def reasons(self) -> tuple[str, ...]:
        """The sentences of the deciding findings."""
        return tuple(finding.reason for finding in self.deciding)


def combine(findings: tuple[Finding, ...], versions: Mapping[str, str]) -> Decision:
    """Return the decision that `findings` amount to; no finding at all denies.

    INVARIANT I1: the most restrictive rule wins, whatever the order.
    """
    if not findings:
        nothing = Finding("default.deny", Effect.DENY, "No rule allows this call.", code="policy_denied")
        return Decision(Effect.DENY, (nothing,), (), versions)
    ordered = tuple(sorted(findings, key=lambda finding: (-finding.effect.severity, finding.rule, finding.reason)))
    effect = ordered[0].effect
    obligations = tuple(
        sorted(
            {obligation for finding in ordered for obligation in finding.obligations},
            key=lambda obligation: (obligation.duty, obligation.rule, obligation.detail),
        )
    )
    approvers = 0
    if effect is Effect.REQUIRE_APPROVAL:
        approvers = 2 if any(obligation.duty is Duty.TWO_PEOPLE for obligation in obligations) else 1
    return Decision(effect, ordered, obligations, versions, approvers)
