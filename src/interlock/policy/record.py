"""The recorded form of a decision: plain JSON, the same bytes for the same decision."""

from typing import Any

from interlock.domain.canonical import JsonObject, canonical_json
from interlock.domain.decisions import Decision, Duty, Effect, Finding, Obligation
from interlock.domain.errors import MalformedJson


def decision_json(decision: Decision) -> JsonObject:
    """Return `decision` as JSON values; `decision_from_json` gives it back."""
    return {
        "effect": decision.effect.value,
        "findings": [_finding_json(finding) for finding in decision.findings],
        "obligations": [_obligation_json(obligation) for obligation in decision.obligations],
        "versions": dict(decision.versions),
        "approvers_needed": decision.approvers_needed,
    }


def decision_bytes(decision: Decision) -> bytes:
    """Return the canonical (RFC 8785) bytes of `decision`."""
    return canonical_json(decision_json(decision))


def decision_from_json(record: JsonObject) -> Decision:
    """Return the decision that `record` holds. Raises MalformedJson when it holds none."""
    try:
        return Decision(
            Effect(record["effect"]),
            tuple(_finding(each) for each in record["findings"]),
            tuple(_obligation(each) for each in record["obligations"]),
            {str(name): str(version) for name, version in record["versions"].items()},
            int(record["approvers_needed"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise MalformedJson("The record does not hold a decision") from None


def _finding_json(finding: Finding) -> dict[str, Any]:
    # Empty parts are left out: decisions are kept for years, and most findings have few parts.
    record: dict[str, Any] = {"rule": finding.rule, "effect": finding.effect.value, "reason": finding.reason}
    if finding.code:
        record["code"] = finding.code
    if finding.version:
        record["version"] = finding.version
    if finding.obligations:
        record["obligations"] = [_obligation_json(obligation) for obligation in finding.obligations]
    return record


def _obligation_json(obligation: Obligation) -> dict[str, Any]:
    record = {"duty": obligation.duty.value, "rule": obligation.rule}
    if obligation.detail:
        record["detail"] = obligation.detail
    return record


def _finding(record: JsonObject) -> Finding:
    return Finding(
        record["rule"],
        Effect(record["effect"]),
        record["reason"],
        record.get("code", ""),
        record.get("version", ""),
        tuple(_obligation(each) for each in record.get("obligations", ())),
    )


def _obligation(record: JsonObject) -> Obligation:
    return Obligation(Duty(record["duty"]), record["rule"], record.get("detail", ""))
