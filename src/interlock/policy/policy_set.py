"""An agent's rules, compiled once when they are published and sliced by tool."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from interlock.domain.agents import AgentPolicy, Engine, Phase, Rule
from interlock.domain.canonical import digest
from interlock.domain.contracts import Constraint, ToolContract
from interlock.domain.errors import ConfigurationError
from interlock.domain.ids import ToolName
from interlock.policy.ports import Condition, ConditionEngine, PolicyEngine

DEFAULT_SAMPLING = 200
"""How many of 10,000 calls of tier 2 people review afterwards, unless the deployment says otherwise."""
_FEWEST, _MOST = 100, 500


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule and its condition, ready to be asked."""

    rule: Rule
    condition: Condition


@dataclass(frozen=True, slots=True)
class PolicySet:
    """Everything that decides about one agent's calls. Made by `publish`."""

    agent: AgentPolicy
    before: Mapping[ToolName, tuple[CompiledRule, ...]]
    """Conditions on the proposed call, for each tool of the agent."""
    after: Mapping[ToolName, tuple[CompiledRule, ...]]
    """Conditions on the result."""
    engines: tuple[PolicyEngine, ...] = ()
    sampling: int = DEFAULT_SAMPLING
    """Out of 10,000."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Hash of the agent's declaration and of every engine's policies."""
    version: str = ""
    """One hash over all of it: approvals are bound to this."""

    def bounds(self, tool: ToolName) -> tuple[Constraint, ...]:
        """Return the agent's own bounds on the arguments of `tool`."""
        return self.agent.constraints.get(tool, ())


def publish(
    agent: AgentPolicy,
    contracts: Mapping[ToolName, ToolContract],
    languages: Mapping[Engine, ConditionEngine],
    engines: tuple[PolicyEngine, ...] = (),
    *,
    sampling: int = DEFAULT_SAMPLING,
) -> PolicySet:
    """Return the rules of `agent` compiled against the contracts of its tools.

    Raises ConfigurationError for a condition that does not compile, a rule in a language that is not installed, two rules
    of one id, and a `sampling` outside 1 to 5 %.
    """
    if not _FEWEST <= sampling <= _MOST:
        raise ConfigurationError(
            f"Tier 2 cannot be sampled at {sampling / 100:g} %", why="the range is 1 to 5 %", do="Choose within it"
        )
    _refuse_twins(agent.rules)
    compiled = {
        tool: tuple(_compile(rule, contracts.get(tool), languages) for rule in _rules_of(agent, tool))
        for tool in agent.tools
    }
    versions = {"agent": agent.version or digest(sorted(agent.tools))}
    versions.update((engine.name, engine.version) for engine in engines)
    return PolicySet(
        agent,
        {tool: _of_phase(rules, Phase.BEFORE) for tool, rules in compiled.items()},
        {tool: _of_phase(rules, Phase.AFTER) for tool, rules in compiled.items()},
        engines,
        sampling,
        versions,
        policy_version(versions, sampling),
    )


def policy_version(versions: Mapping[str, str], sampling: int = DEFAULT_SAMPLING) -> str:
    """Return one hash over the agent's declaration, every engine's policies and the sampling rate."""
    return digest({"versions": dict(versions), "sampling": sampling})


def _rules_of(agent: AgentPolicy, tool: ToolName) -> Iterable[Rule]:
    return (rule for rule in agent.rules if rule.tool is None or rule.tool == tool)


def _of_phase(rules: tuple[CompiledRule, ...], phase: Phase) -> tuple[CompiledRule, ...]:
    return tuple(each for each in rules if each.rule.phase is phase)


def _compile(rule: Rule, contract: ToolContract | None, languages: Mapping[Engine, ConditionEngine]) -> CompiledRule:
    language = languages.get(rule.engine)
    if language is None:
        raise ConfigurationError(
            f"{rule.source or rule.id}: the rule '{rule.id}' is written for {rule.engine.value}",
            why="that language is not installed here",
            do=f"Install interlock[{'rego' if rule.engine is Engine.OPA else rule.engine.value}], or write it in CEL",
        )
    # A rule for every tool is held against no schema: it may name what only some of the tools have.
    schema = contract.input_schema if contract is not None and rule.tool is not None else None
    return CompiledRule(rule, language.compile(rule, schema))


def _refuse_twins(rules: tuple[Rule, ...]) -> None:
    seen: dict[str, Rule] = {}
    for rule in rules:
        if rule.id in seen:
            raise ConfigurationError(
                f"{rule.source or rule.id}: two rules are called '{rule.id}'",
                why=f"the first stands at {seen[rule.id].source or 'another place'}",
                do="Give one of them another id",
            )
        seen[rule.id] = rule
