"""What Cedar policies see: principal, action, resource, and the subjects of a condition as attributes of `context`."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from cedarpy import pst

from interlock.adapters.cedar.shapes import Kind, Shape, carry_fields, shape_of_value
from interlock.domain.agents import Phase
from interlock.domain.canonical import Json
from interlock.domain.contracts import Kind as ToolKind
from interlock.domain.contracts import ToolContract
from interlock.domain.errors import PolicyError

AGENT, ACTION, TOOL = "Agent", "Action", "Tool"

_TEXT, _WHOLE, _FLAG = Shape(Kind.TEXT), Shape(Kind.WHOLE), Shape(Kind.FLAG)
_TEXTS = ("id", "tool", "user", "principal", "reason", "kind", "category", "environment", "provenance")
SUBJECTS: Mapping[str, Shape] = {
    "call": Shape(
        Kind.RECORD,
        None,
        (*((name, _TEXT, True) for name in _TEXTS), ("tier", _WHOLE, True), ("dry_run", _FLAG, True)),
    ),
    "run": Shape(Kind.RECORD, None, (("id", _TEXT, True), ("age_ms", _WHOLE, True), ("refused_writes", _WHOLE, True))),
    "agent": Shape(Kind.RECORD, None, (("id", _TEXT, True), ("stage", _TEXT, True))),
    "output": Shape(Kind.RECORD, None, (("contains_pii", _FLAG, True), ("is_error", _FLAG, True))),
}


@dataclass(frozen=True, slots=True)
class Reads:
    """Which parts of the context a policy reads: nothing else is carried, so nothing else can fail."""

    subjects: frozenset[str]
    arguments: frozenset[str] | None
    """None means all of them."""

    def __or__(self, other: "Reads") -> "Reads":
        whole = self.arguments is None or other.arguments is None
        arguments = None if whole else (self.arguments or frozenset()) | (other.arguments or frozenset())
        return Reads(self.subjects | other.subjects, arguments)


NOTHING = Reads(frozenset(), frozenset())
_EVERYTHING = Reads(frozenset({"input", *SUBJECTS}), None)


def reads(node: object) -> Reads:
    """Return what the expressions under `node`, a node of cedarpy.pst, read of the context."""
    match node:
        case pst.Var(name="context"):
            return _EVERYTHING
        case pst.GetAttr(base=pst.GetAttr(base=pst.Var(name="context"), attr="input"), attr=name):
            return Reads(frozenset({"input"}), frozenset({name}))
        case pst.HasAttr(base=pst.GetAttr(base=pst.Var(name="context"), attr="input"), attrs=names):
            return Reads(frozenset({"input"}), frozenset(names[:1]))
        case pst.HasAttr(base=pst.Var(name="context"), attrs=names):
            return Reads(frozenset(names[:1]), frozenset(names[1:2]) if names[0] == "input" else frozenset())
        case pst.GetAttr(base=pst.Var(name="context"), attr="input"):
            return Reads(frozenset({"input"}), None)
        case pst.GetAttr(base=pst.Var(name="context"), attr=name):
            return Reads(frozenset({name}), frozenset())
    found = NOTHING
    for inner in _children(node):
        found |= reads(inner)
    return found


def context_of(values: Mapping[str, Json], read: Reads, arguments: Shape | None) -> dict[str, Any]:
    """Return the context that carries what is `read`. Raises PolicyError for a value that Cedar does not hold."""
    context: dict[str, Any] = {}
    for name in sorted(read.subjects):
        if name == "input":
            given = values["input"]
            shape = arguments
            if shape is None:
                wanted = (
                    given if read.arguments is None else {key: given[key] for key in read.arguments if key in given}
                )
                shape = shape_of_value(wanted)
            context["input"] = carry_fields(given, shape, "input", read.arguments)
        elif name in values and name in SUBJECTS:
            context[name] = carry_fields(values[name], SUBJECTS[name], name)
        else:
            raise PolicyError(f"Cedar policies read `context.{name}`, which there is not")
    return context


def groups_of(contract: ToolContract) -> tuple[str, ...]:
    """Return the action groups that a tool belongs to."""
    kind = "writes" if contract.kind is ToolKind.WRITE else "reads"
    return (kind, f"category:{contract.category}", f"tier:{int(contract.tier)}")


def schema_of(tools: Mapping[str, tuple[Shape, tuple[str, ...]]], phase: Phase = Phase.BEFORE) -> dict[str, Any]:
    """Return the Cedar schema in which every tool is an action; `tools` gives its arguments and groups."""
    groups = sorted({group for _, belongs in tools.values() for group in belongs})
    actions: dict[str, Any] = {group: {} for group in groups}
    for name, (arguments, belongs) in tools.items():
        parts = {"input": arguments, **{key: shape for key, shape in SUBJECTS.items() if key != "output"}}
        if phase is Phase.AFTER:
            parts["output"] = SUBJECTS["output"]
        actions[name] = {
            "memberOf": [{"id": group} for group in belongs],
            "appliesTo": {
                "principalTypes": [AGENT],
                "resourceTypes": [TOOL],
                "context": {"type": "Record", "attributes": {key: shape.schema for key, shape in parts.items()}},
            },
        }
    return {"": {"entityTypes": {AGENT: {}, TOOL: {}}, "actions": actions}}


def _children(node: object) -> tuple[object, ...]:
    if isinstance(node, Mapping):
        return tuple(node.values())
    if isinstance(node, tuple):
        return node
    if is_dataclass(node) and not isinstance(node, type):
        return tuple(getattr(node, each.name) for each in fields(node))
    return ()
