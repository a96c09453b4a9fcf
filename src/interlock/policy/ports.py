"""The languages that policies are written in, seen from the decision."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from interlock.domain.agents import Rule
from interlock.domain.calls import ToolCall
from interlock.domain.canonical import JsonObject
from interlock.domain.decisions import Finding
from interlock.policy.facts import Facts


@dataclass(frozen=True, slots=True)
class Document:
    """What conditions read about one call: `input`, `call`, `run`, `agent` and, after the call, `output`."""

    values: Mapping[str, Any]
    forms: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """Where an engine keeps its own form of `values`, so that several conditions of one decision share it."""


class Condition(Protocol):
    """A compiled condition."""

    def holds(self, document: Document) -> bool:
        """Return whether it holds for `document`. Raises PolicyError for anything but a clear true or false."""


class ConditionEngine(Protocol):
    """One language of conditions."""

    def compile(self, rule: Rule, arguments: JsonObject | None) -> Condition:
        """Return `rule` compiled; `arguments` is the tool's input schema where the rule names a tool.

        Raises ConfigurationError, naming `rule.source`, when it does not parse or names fields that the schema does not have.
        """


class PolicyEngine(Protocol):
    """A published set of policies in Cedar or Rego."""

    @property
    def name(self) -> str:
        """`cedar` or `rego`: the prefix of its rule ids and its key in a decision's versions."""

    @property
    def version(self) -> str:
        """SHA-256 of the policies as published."""

    def evaluate(self, call: ToolCall, facts: Facts) -> tuple[Finding, ...]:
        """Return what the policies say. A policy that errs is a finding that denies; no applicable policy is no finding."""
