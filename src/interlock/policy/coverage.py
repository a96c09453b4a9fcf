"""What `interlock check` has to say about an agent's rules: which can never apply, which could err, what none covers."""

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from interlock.domain import pointers
from interlock.domain.agents import AgentPolicy, Engine, Rule
from interlock.domain.conditions import Reference, TokenKind, references, tokens
from interlock.domain.contracts import Kind, Standing, Tier, ToolContract
from interlock.domain.errors import ConfigurationError
from interlock.domain.ids import ToolName
from interlock.policy.fields import is_required, kinds, unknown_step

Contracts = Mapping[ToolName, ToolContract]
_ORDER = frozenset({"<", "<=", ">", ">="})


class Severity(StrEnum):
    """How much a remark matters."""

    ERROR = "error"
    """It cannot be meant so; `interlock check` fails."""
    WARNING = "warning"
    """It may deny more, or ask more often, than was meant."""
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that whoever wrote the rules should look at."""

    severity: Severity
    rule: str
    """Id of the rule, or the tool's name where there is no rule."""
    source: str
    """`file:line`, where it is known."""
    text: str


def coverage(agent: AgentPolicy, contracts: Contracts | None = None) -> tuple[Remark, ...]:
    """Return the remarks on `agent`, errors first; without `contracts`, only what the declaration shows by itself."""
    found = [remark for look in _LOOKS for remark in look(agent)]
    if contracts is not None:
        found += [remark for look in _LOOKS_AT_CONTRACTS for remark in look(agent, contracts)]
    order = list(Severity)
    return tuple(sorted(found, key=lambda each: (order.index(each.severity), each.source, each.rule, each.text)))


def _off_the_list(agent: AgentPolicy) -> Iterator[Remark]:
    """Rules about tools that the agent may not call anyway."""
    named = [(rule.id, rule.source, rule.tool) for rule in agent.rules if rule.tool is not None]
    named += [("agent.approval", "", rule.tool) for rule in agent.approvals]
    named += [("agent.constraints", "", tool) for tool in agent.constraints]
    named += [("agent.stages", "", tool) for tool in agent.stages]
    for name, source, tool in named:
        if tool not in agent.tools:
            near = _nearest(tool, agent.tools)
            text = f"It can never apply: '{tool}' is not on the agent's list.{near}"
            yield Remark(Severity.ERROR, name, source, text)


def _constant(agent: AgentPolicy) -> Iterator[Remark]:
    """Conditions that read nothing, or compare a value with itself: true or false for every call."""
    for rule in agent.rules:
        read = references(rule.condition, rule.engine)
        if not read and not _reads_principal(rule):
            yield Remark(
                Severity.ERROR, rule.id, rule.source, "It reads nothing of the call, so its answer is always the same."
            )
        elif _compares_with_itself(rule, read):
            yield Remark(Severity.ERROR, rule.id, rule.source, "It compares a value with itself.")


def _shadowed(agent: AgentPolicy) -> Iterator[Remark]:
    """A rule whose condition another one already asks, for the same calls, with an effect at least as strict."""
    for index, rule in enumerate(agent.rules):
        for other_index, other in enumerate(agent.rules):
            if index == other_index or _spelling(rule) != _spelling(other) or other.tool not in (None, rule.tool):
                continue
            stricter = other.on_fail.severity > rule.on_fail.severity
            same = other.on_fail is rule.on_fail and (other.tool is None) >= (rule.tool is None)
            if stricter or (same and (other.tool != rule.tool or other_index < index)):
                yield Remark(
                    Severity.WARNING,
                    rule.id,
                    rule.source,
                    f"It changes nothing: '{other.id}' asks the same with '{other.on_fail}'.",
                )
                break


def _unknown_tools(agent: AgentPolicy, contracts: Contracts) -> Iterator[Remark]:
    for tool in sorted(agent.tools - contracts.keys()):
        yield Remark(Severity.ERROR, tool, "", f"No tool '{tool}' exists.{_nearest(tool, contracts)}")
    for tool in sorted(agent.tools & contracts.keys()):
        if contracts[tool].standing is Standing.QUARANTINED:
            yield Remark(Severity.WARNING, tool, "", "The tool is held: it changed since it was reviewed.")


def _uncovered(agent: AgentPolicy, contracts: Contracts) -> Iterator[Remark]:
    """Writes that run by themselves and that no rule, bound or approval of the agent or the contract looks at."""
    general = any(rule.tool is None for rule in agent.rules)
    covered = {rule.tool for rule in agent.rules} | {rule.tool for rule in agent.approvals} | set(agent.constraints)
    for tool in sorted(agent.tools & contracts.keys()):
        contract = contracts[tool]
        asks = contract.tier >= Tier.HIGH_IMPACT or bool(contract.constraints)
        if contract.kind is Kind.WRITE and not (general or asks or tool in covered):
            text = f"No rule looks at this write (tier {int(contract.tier)}); only provenance, limits and the brake do."
            yield Remark(Severity.NOTE, tool, "", text)


def _fields(agent: AgentPolicy, contracts: Contracts) -> Iterator[Remark]:
    """Arguments that a condition reads and a tool does not have, or need not be given, or has in another kind."""
    for rule in agent.rules:
        tools = agent.tools if rule.tool is None else agent.tools & {rule.tool}
        read = [
            each for each in references(rule.condition, rule.engine) if each.path[0] == "input" and len(each.path) > 1
        ]
        for path in dict.fromkeys(each.path[1:] for each in read):
            guarded = any(each.guarded and path[: len(each.path) - 1] == each.path[1:] for each in read)
            yield from _field(rule, path, sorted(tools & contracts.keys()), contracts, guarded=guarded)
        yield from _orderings(rule, read, sorted(tools & contracts.keys()), contracts)


def _field(
    rule: Rule, path: tuple[str, ...], tools: list[ToolName], contracts: Contracts, *, guarded: bool
) -> Iterator[Remark]:
    name = f"input.{'.'.join(path)}"
    missing = {tool: unknown_step(contracts[tool].input_schema, path) for tool in tools}
    without = [tool for tool in tools if missing[tool] is not None]
    if without and (rule.tool is not None or len(without) == len(tools)):
        nearest = next((said[1] for said in missing.values() if said is not None and said[1]), "")
        meant = f" Did you mean '{nearest}'?" if nearest else ""
        yield Remark(Severity.ERROR, rule.id, rule.source, f"`{name}` is a field of no tool that it is about.{meant}")
    elif without and not guarded:
        text = f"It denies every call of {_listed(without)}: they have no `{name}`. Name a tool, or ask for it first."
        yield Remark(Severity.WARNING, rule.id, rule.source, text)
    optional = [tool for tool in tools if missing[tool] is None and not is_required(contracts[tool].input_schema, path)]
    if optional and not guarded and "*" not in path:
        text = f"It denies calls of {_listed(optional)} without `{name}`, which is optional. {_GUARD[rule.engine]}"
        yield Remark(Severity.WARNING, rule.id, rule.source, text)


def _orderings(rule: Rule, read: list[Reference], tools: list[ToolName], contracts: Contracts) -> Iterator[Remark]:
    """A number compared by order with an argument that the schema says is never one."""
    stream = tokens(rule.condition, rule.engine)
    for each in read:
        beside = [(each.last + 1, each.last + 2), (each.first - 1, each.first - 2)]
        for sign, other in beside:
            if not (
                0 <= other < len(stream) and stream[sign].text in _ORDER and stream[other].kind is TokenKind.NUMBER
            ):
                continue
            for tool in tools:
                types = kinds(contracts[tool].input_schema, each.path[1:])
                if types and not types & {"number", "integer"}:
                    name = ".".join(each.path)
                    text = f"`{name}` of {tool} is {'/'.join(sorted(types))}, and no number can be compared with it."
                    yield Remark(Severity.ERROR, rule.id, rule.source, text)


def _approval_values(agent: AgentPolicy, contracts: Contracts) -> Iterator[Remark]:
    """Approval rules about arguments that the tool does not have: they ask for every call."""
    for rule in agent.approvals:
        contract = contracts.get(rule.tool)
        for name, _ in rule.when if contract is not None else ():
            missing = unknown_step(contract.input_schema, (name,)) if contract is not None else None
            if missing is not None:
                meant = f" Did you mean '{missing[1]}'?" if missing[1] else ""
                text = f"'{rule.tool}' has no argument '{name}', so every call of it needs approval.{meant}"
                yield Remark(Severity.WARNING, "agent.approval", "", text)


def _bounds(agent: AgentPolicy, contracts: Contracts) -> Iterator[Remark]:
    """Bounds on arguments that the tool does not have: they never bind."""
    for tool, bounds in agent.constraints.items():
        contract = contracts.get(tool)
        if contract is None:
            continue
        for bound in bounds:
            try:
                missing = unknown_step(contract.input_schema, pointers.parse(bound.pointer))
            except ConfigurationError as error:
                yield Remark(Severity.ERROR, "agent.constraints", "", str(error))
                continue
            if missing is not None:
                meant = f" Did you mean '{missing[1]}'?" if missing[1] else ""
                text = f"The bound on {bound.pointer} never binds: '{tool}' has no such argument.{meant}"
                yield Remark(Severity.ERROR, "agent.constraints", "", text)


_GUARD = {
    Engine.CEL: "Write `!has(...) || ...` if they should pass.",
    Engine.OPA: "Write `object.get(input, ..., ...)` if they should pass.",
    Engine.CEDAR: "Ask `context.input has ...` first.",
}
_LOOKS: tuple[Callable[[AgentPolicy], Iterator[Remark]], ...] = (_off_the_list, _constant, _shadowed)
_LOOKS_AT_CONTRACTS: tuple[Callable[[AgentPolicy, Contracts], Iterator[Remark]], ...] = (
    _unknown_tools,
    _uncovered,
    _fields,
    _approval_values,
    _bounds,
)


def _reads_principal(rule: Rule) -> bool:
    if rule.engine is not Engine.CEDAR:
        return False
    return any(each.text in {"principal", "action", "resource"} for each in tokens(rule.condition, rule.engine))


def _compares_with_itself(rule: Rule, read: tuple[Reference, ...]) -> bool:
    stream = tokens(rule.condition, rule.engine)
    return any(
        one.path == other.path and other.first == one.last + 2 and stream[one.last + 1].text in _ORDER | {"==", "!="}
        for one in read
        for other in read
    )


def _spelling(rule: Rule) -> tuple[str, ...]:
    return (rule.engine.value, *(f"{each.kind}:{each.text}" for each in tokens(rule.condition, rule.engine)))


def _nearest(name: str, known: Mapping[ToolName, object] | frozenset[ToolName]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    return f" Did you mean '{near[0]}'?" if near else ""


def _listed(tools: list[ToolName]) -> str:
    shown = ", ".join(f"'{tool}'" for tool in tools[:3])
    return shown if len(tools) <= 3 else f"{shown} and {len(tools) - 3} more"
