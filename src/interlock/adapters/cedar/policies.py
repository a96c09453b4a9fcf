"""Cedar policy files: parsed once, checked against the contracts, sliced by tool, and deaf to no error."""

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import cedarpy
from cedarpy import pst

from interlock.adapters.cedar.context import (
    ACTION,
    AGENT,
    NOTHING,
    TOOL,
    Reads,
    context_of,
    groups_of,
    reads,
    schema_of,
)
from interlock.adapters.cedar.shapes import Shape, shape_of_arguments
from interlock.domain.calls import ToolCall
from interlock.domain.canonical import digest
from interlock.domain.contracts import ToolContract
from interlock.domain.decisions import Duty, Effect, Finding, Obligation
from interlock.domain.errors import ConfigurationError, PolicyError
from interlock.domain.ids import ToolName
from interlock.policy.document import document_of
from interlock.policy.facts import Facts
from interlock.policy.ports import PolicyEngine

_ANNOTATIONS = ("id", "effect", "reason", "alert")
_EFFECTS = {effect.value: effect for effect in Effect if effect is not Effect.ALLOW}
_BASE = "interlock.base"
_POLICY_IN_ERROR = re.compile(r"policy `([^`]*)`")


@dataclass(frozen=True, slots=True)
class _Rule:
    """One policy as published."""

    id: str
    source: str
    node: pst.Template
    effect: Effect
    reason: str
    alert: bool


@dataclass(frozen=True, slots=True)
class _Slice:
    """The policies that can apply to one tool."""

    hard: cedarpy.PolicySet | None
    """Permits, and forbids that deny."""
    soft: cedarpy.PolicySet | None
    """Forbids with a milder effect, asked apart: Cedar stops at the first kind, and a missing permit must still deny."""
    arguments: Shape
    read: Reads
    entities: cedarpy.Entities


class CedarPolicies(PolicyEngine):
    """A published set of Cedar policies for the tools of a catalogue."""

    def __init__(self, files: Mapping[str, str], contracts: Mapping[ToolName, ToolContract]) -> None:
        """Publish `files` (name -> text).

        Raises ConfigurationError for text that does not parse, a policy without an `@id`, two of one id, an unknown
        `@effect`, and whatever the contracts' schemas say could err.
        """
        self._rules = _parsed(files)
        _validate(files, self._rules, contracts)
        # Cedar's own rule: where permits are written, what none of them allows is denied.
        self._has_permits = any(rule.node.effect == "permit" for rule in self._rules.values())
        self._slices = {name: self._slice(contract) for name, contract in contracts.items()}
        # Without the names: the same policies in another folder are the same version.
        self._version = digest(sorted(files.values()))

    @property
    def name(self) -> str:
        return "cedar"

    @property
    def version(self) -> str:
        return self._version

    def evaluate(self, call: ToolCall, facts: Facts) -> tuple[Finding, ...]:
        part = self._slices.get(call.tool)
        if part is None:
            return (self._error("No Cedar policies were published for this tool."),)
        if part.hard is None and part.soft is None:
            return (self._default(),) if self._has_permits else ()
        try:
            context = json.dumps(context_of(document_of(call, facts).values, part.read, part.arguments))
        except PolicyError as error:
            return (self._error(str(error)),)
        request: dict[str, object] = {
            "principal": {"type": AGENT, "id": call.agent},
            "action": {"type": ACTION, "id": call.tool},
            "resource": {"type": TOOL, "id": call.tool},
            "context": context,
        }
        found: list[Finding] = []
        for policies in (part.hard, part.soft):
            if policies is not None:
                found.extend(self._ask(request, policies, part.entities))
        return tuple(found)

    def _ask(
        self, request: dict[str, object], policies: cedarpy.PolicySet, entities: cedarpy.Entities
    ) -> list[Finding]:
        try:
            result = cedarpy.is_authorized(request, policies, entities)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - a panic of the engine is a BaseException, and denies like any error
            return [self._error(f"Cedar ended in {type(error).__name__}.")]
        found = []
        if result.diagnostics.errors:
            # INVARIANT I2: Cedar skips a policy that errs, also one that forbids.
            names = sorted({name for text in result.diagnostics.errors for name in _POLICY_IN_ERROR.findall(text)})
            found.append(self._error(f"Cedar could not evaluate {', '.join(names) or 'the request'}."))
        if result.decision is cedarpy.Decision.Allow:
            return found
        reasons = [self._rules[name] for name in result.diagnostics.reasons if name in self._rules]
        found.extend(self._finding(rule) for rule in reasons)
        return found or [self._default()]

    def _finding(self, rule: _Rule) -> Finding:
        name = f"cedar:{rule.id}"
        duties = (Obligation(Duty.ALERT, name),) if rule.alert else ()
        code = "policy_denied" if rule.effect is Effect.DENY else ""
        return Finding(name, rule.effect, rule.reason, code, self._version, duties)

    def _default(self) -> Finding:
        reason = "No Cedar policy permits this call."
        return Finding("cedar:default", Effect.DENY, reason, "policy_denied", self._version)

    def _error(self, reason: str) -> Finding:
        return Finding("cedar:error", Effect.DENY, reason, "policy_error", self._version)

    def _slice(self, contract: ToolContract) -> _Slice:
        names = frozenset({contract.name, *groups_of(contract)})
        rules = [rule for rule in self._rules.values() if _applies(rule.node, names)]
        hard = [rule for rule in rules if rule.effect in (Effect.ALLOW, Effect.DENY)]
        soft = [rule for rule in rules if rule not in hard]
        read = NOTHING
        for rule in rules:
            read |= reads(rule.node.clauses)
        needs_base = not self._has_permits
        parents = [{"type": ACTION, "id": group} for group in groups_of(contract)]
        entity = {"uid": {"type": ACTION, "id": contract.name}, "attrs": {}, "parents": parents}
        return _Slice(
            _handle(hard, with_base=needs_base) if hard or self._has_permits else None,
            _handle(soft, with_base=True) if soft else None,
            shape_of_arguments(contract.input_schema),
            read,
            cedarpy.Entities.from_json_str(json.dumps([entity])),
        )


def _parsed(files: Mapping[str, str]) -> dict[str, _Rule]:
    rules: dict[str, _Rule] = {}
    for name, text in sorted(files.items()):
        try:
            parsed = cedarpy.policies_to_pst(text)
        except ValueError as error:
            raise ConfigurationError(f"{name}: this is not Cedar", why=str(error).splitlines()[0]) from None
        if parsed.templates:
            raise ConfigurationError(f"{name}: a policy has slots (?principal)", why="templates are not linked here")
        for node in parsed.static_policies.values():
            rule = _rule(name, node)
            if rule.id in rules or rule.id == _BASE:
                raise ConfigurationError(f"{name}: two policies are called '{rule.id}'", do="Give one another @id")
            rules[rule.id] = rule
    return rules


def _rule(source: str, node: pst.Template) -> _Rule:
    notes = node.annotations
    name = notes.get("id", "")
    if not name:
        raise ConfigurationError(
            f"{source}: a policy has no @id",
            why="decisions name the policy that made them",
            do='Write @id("...") before it',
        )
    for note in notes:
        near = difflib.get_close_matches(note.lower(), _ANNOTATIONS, n=1, cutoff=0.7)
        if near and note not in _ANNOTATIONS:
            raise ConfigurationError(f"{source}: '{name}' has @{note}", do=f"Did you mean @{near[0]}?")
    effect = Effect.ALLOW if node.effect == "permit" else Effect.DENY
    if "effect" in notes:
        if node.effect == "permit" or notes["effect"] not in _EFFECTS:
            raise ConfigurationError(
                f"{source}: '{name}' has @effect(\"{notes['effect']}\")",
                why=f"a forbid may have one of {', '.join(_EFFECTS)}; a permit has none",
            )
        effect = _EFFECTS[notes["effect"]]
    reason = notes.get("reason") or f"The Cedar policy '{name}' forbids this call."
    return _Rule(name, source, node, effect, reason, "alert" in notes)


def _validate(files: Mapping[str, str], rules: Mapping[str, _Rule], contracts: Mapping[ToolName, ToolContract]) -> None:
    tools = {str(name): (shape_of_arguments(each.input_schema), groups_of(each)) for name, each in contracts.items()}
    result = cedarpy.validate_policies("\n".join(files[name] for name in sorted(files)), schema_of(tools))
    if result.validation_passed:
        return
    problems = []
    for error in result.errors:
        name = result.id_annotations_by_policy_id.get(error.policy_id, error.policy_id)
        where = rules[name].source if name in rules else "the Cedar policies"
        said = error.error.replace(f"for policy `{error.policy_id}`, ", "")
        problems.append(f"{where}: '{name}': {said}")
    raise ConfigurationError("The Cedar policies do not fit the tools", why="; ".join(problems[:5]))


def _applies(node: pst.Template, names: frozenset[str]) -> bool:
    match node.action:
        case pst.ActionEq(entity=entity):
            return entity.id in names
        case pst.ActionIn(entities=entities):
            return any(entity.id in names for entity in entities)
        case _:
            return True


def _handle(rules: list[_Rule], *, with_base: bool) -> cedarpy.PolicySet:
    """Return the rules as one set whose policy ids are their `@id`s, so that no reason is positional."""
    # The slice has been made by action, so the scope need not be matched again.
    nodes = {rule.id: replace(rule.node, id=rule.id, action=pst.ScopeAny()) for rule in rules}
    if with_base:
        anything = pst.ScopeAny()
        nodes[_BASE] = pst.Template(_BASE, "permit", anything, anything, anything, (), {})
    return cedarpy.PolicySet.from_pst(pst.PolicySet({}, nodes, ()))
