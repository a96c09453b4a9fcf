"""Compile and ask Cedar conditions: an expression over `context`, such as `context.input.count <= 5`."""

import json

import cedarpy
from cedarpy import pst

from interlock.adapters.cedar.context import ACTION, AGENT, TOOL, context_of, reads, schema_of
from interlock.adapters.cedar.shapes import Shape, shape_of_arguments
from interlock.domain.agents import Rule
from interlock.domain.canonical import JsonObject
from interlock.domain.errors import PolicyError
from interlock.policy.naming import refuse_unknown_names, wrong
from interlock.policy.ports import Condition, ConditionEngine, Document

_NO_ENTITIES = "[]"


class CedarConditions(ConditionEngine):
    """The language `cedar`."""

    def compile(self, rule: Rule, arguments: JsonObject | None) -> Condition:
        text = f"permit(principal, action, resource) when {{ {rule.condition}\n}};"
        try:
            parsed = cedarpy.policies_to_pst(text)
        except ValueError as error:
            raise wrong(rule, "is not a Cedar expression", str(error).splitlines()[0]) from None
        nodes = list(parsed.static_policies.values())
        if len(nodes) != 1 or parsed.templates or len(nodes[0].clauses) != 1:
            raise wrong(
                rule, "is more than one Cedar expression", do="Write what stands between the braces of a `when`"
            )
        refuse_unknown_names(rule, arguments)
        shape = None
        if arguments is not None:
            shape = shape_of_arguments(arguments)
            result = cedarpy.validate_policies(text, schema_of({rule.tool or "tool": (shape, ())}, rule.phase))
            if not result.validation_passed:
                said = result.errors[0].error.replace("for policy `policy0`, ", "") if result.errors else ""
                raise wrong(rule, "could fail", said, "Ask `context.input has ...` first")
        return CedarCondition(rule.condition, text, nodes[0], shape)


class CedarCondition(Condition):
    """One compiled expression."""

    __slots__ = ("_policies", "_reads", "_shape", "_text")

    def __init__(self, text: str, policy: str, node: pst.Template, shape: Shape | None) -> None:
        self._text = text
        self._reads = reads(node.clauses)
        self._shape = shape
        self._policies = cedarpy.PolicySet.from_str(policy)

    def holds(self, document: Document) -> bool:
        call = document.values["call"]
        request = {
            "principal": {"type": AGENT, "id": document.values["agent"]["id"]},
            "action": {"type": ACTION, "id": call["tool"]},
            "resource": {"type": TOOL, "id": call["tool"]},
            "context": json.dumps(context_of(document.values, self._reads, self._shape)),
        }
        try:
            result = cedarpy.is_authorized(request, self._policies, _NO_ENTITIES)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - a panic of the engine is a BaseException, and denies like any error
            raise PolicyError(f"`{self._text}` has no answer", why=f"Cedar ended in {type(error).__name__}") from None
        if result.diagnostics.errors or result.decision is cedarpy.Decision.NoDecision:
            raise PolicyError(f"`{self._text}` has no answer for this call", why="Cedar could not evaluate it")
        return result.decision is cedarpy.Decision.Allow
