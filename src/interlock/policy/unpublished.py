"""Policies that could not be published: until they are, nothing is allowed."""

from interlock.domain.calls import ToolCall
from interlock.domain.decisions import Effect, Finding
from interlock.policy.facts import Facts
from interlock.policy.ports import PolicyEngine


class Unpublished(PolicyEngine):
    """Stands in for Cedar and Rego policies that speak of tools whose upstream does not answer yet."""

    def __init__(self, why: str) -> None:
        """`why` is the sentence that operators and agents get."""
        self._why = why

    @property
    def name(self) -> str:
        return "unpublished"

    @property
    def version(self) -> str:
        return "unpublished"

    def evaluate(self, call: ToolCall, facts: Facts) -> tuple[Finding, ...]:  # noqa: ARG002 - the port names them
        return (Finding("policies.unpublished", Effect.DENY, self._why, code="policy_error"),)
