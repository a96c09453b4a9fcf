"""From the file of one agent to the policy that the gate enforces."""

from collections.abc import Iterable

from interlock.config.agent_shape import CAPS
from interlock.config.bounds import constraints
from interlock.config.limits import limits
from interlock.config.problems import Findings, echo
from interlock.config.records import Section
from interlock.config.rules import approvals, rules
from interlock.config.shapes import Read
from interlock.domain.agents import AgentPolicy, Engine, Stage
from interlock.domain.budgets import Limit, Measure, Scope
from interlock.domain.canonical import JsonObject
from interlock.domain.contracts import Constraint
from interlock.domain.decisions import Effect
from interlock.domain.errors import BadInput
from interlock.domain.ids import AgentId, ToolName, checked_id
from interlock.domain.problems import Spot

CATEGORY = "category:"
"""How a limit names a category in the place of a tool."""
_COUNTED = {"max_tool_calls": Measure.CALLS, "max_total_tokens": Measure.TOKENS, "max_cost": Measure.COST}
_TWICE = (
    ("allowed_tools", "tools", "allowlist"),
    ("approval_required_tools", "tools", "approval_required"),
    *((each.name, "budgets", each.name) for each in CAPS),
)


def build(file: Section, stem: str, version: str, proposals: JsonObject | None, found: Findings) -> AgentPolicy:
    """Return the agent that `file`, read by AGENT_FILE, declares; `stem` is its name unless the file gives one."""
    about, tools, policy = _sub(file, "agent"), _sub(file, "tools"), _sub(file, "policy")
    fallback, seen = _sub(file, "fallback"), _sub(file, "observability")
    _refuse_twice(file, found)
    allowed = frozenset(_either(file, "allowed_tools", tools, "allowlist", ()))
    asked = approvals(_either(file, "approval_required_tools", tools, "approval_required", ()), allowed)
    may_call = allowed | {rule.tool for rule in asked}
    _refuse_no_tools(file, tools, found)
    _refuse_useless(file, tools, policy, may_call, found)
    caps = _caps(file)
    wall = _either(file, "max_wall_time_seconds", _sub(file, "budgets"), "max_wall_time_seconds", None)
    return AgentPolicy(
        id=AgentId(_name(about, stem, found)),
        tools=may_call,
        stage=file.get("stage", Stage.LIMITS),
        proposed_only=tools.get("proposed_only", False),
        stages={entry.key: entry.value for entry in tools.get("stages", ())},
        limits=caps + limits(file.get("limits", ()), found, caps),
        max_wall_ms=None if wall is None else wall * 1000,
        rules=rules(policy.get("rules", ()), policy.get("engine", Engine.CEL), found),
        approvals=asked,
        constraints=_constraints(tools, found),
        redact=file.get("pii_redaction", False),
        on_timeout=fallback.get("on_timeout", Effect.ESCALATE),
        on_violation=fallback.get("on_policy_violation", Effect.DENY),
        owner=about.get("owner", ""),
        description=about.get("description", ""),
        proposals=proposals,
        log_fields=seen.get("log_fields", ()),
        model_tiers={entry.key: entry.value for entry in about.get("model_tier", ())},
        version=version,
    )


def _sub(file: Section, key: str) -> Section:
    return file.get(key) or Section(file.spot, {}, {})


def _either(file: Section, flat: str, section: Section, key: str, default: Read) -> Read:
    return file.get(flat, section.get(key, default))


def _name(about: Section, stem: str, found: Findings) -> str:
    name: str = about.get("name", stem)
    if "name" not in about.spots:
        try:
            checked_id(name, "agent's name")
        except BadInput:
            found.add(about.spot, "The file's name cannot serve as the agent's name", "'agent: {name: ...}'")
    return name


def _refuse_twice(file: Section, found: Findings) -> None:
    """The same control in both forms: which of them holds would be a guess."""
    for flat, section, key in _TWICE:
        if flat in file.spots and key in _sub(file, section).spots:
            found.add(file.at(flat), f"The same is said by '{section}.{key}'", "one of the two")


def _refuse_no_tools(file: Section, tools: Section, found: Findings) -> None:
    said = {"allowed_tools", "approval_required_tools"} & set(file.spots)
    said |= {"allowlist", "approval_required"} & set(tools.spots)
    if not said and ("tools" in file or "tools" not in file.spots):
        found.add(file.spot, "The file does not say which tools the agent may call", "'tools: {allowlist: [...]}'")


def _refuse_useless(
    file: Section, tools: Section, policy: Section, may_call: frozenset[ToolName], found: Findings
) -> None:
    """A control for a tool that the agent cannot call is a misspelt name, or a rule that never applies."""
    lists = [(file, "allowed_tools"), (file, "approval_required_tools")]
    lists += [(tools, "allowlist"), (tools, "approval_required")]
    if any(key in section.spots and key not in section for section, key in lists):
        return  # the list itself was refused: every name would look wrong
    for key in ("stages", "constraints"):
        _refuse_unknown(((entry.key, entry.spot) for entry in tools.get(key, ())), may_call, found)
    named = [*policy.get("rules", ()), *file.get("limits", ())]
    _refuse_unknown(((one.get("tool"), one.at("tool")) for one in named if "tool" in one), may_call, found)


def _refuse_unknown(named: Iterable[tuple[ToolName, Spot]], may_call: frozenset[ToolName], found: Findings) -> None:
    for tool, spot in named:
        if tool not in may_call and not tool.startswith(CATEGORY):
            found.add(
                spot,
                f"The agent may not call {echo(tool)}, so this would never apply",
                "a tool of the agent's own list",
                found.near(tool, may_call),
            )


def _caps(file: Section) -> tuple[Limit, ...]:
    budgets = _sub(file, "budgets")
    said = {key: _either(file, key, budgets, key, None) for key in _COUNTED}
    return tuple(
        Limit(id=key, measure=_COUNTED[key], scope=Scope.RUN, maximum=value)
        for key, value in said.items()
        if value is not None
    )


def _constraints(tools: Section, found: Findings) -> dict[ToolName, tuple[Constraint, ...]]:
    return {entry.key: constraints(entry.value, "agent", found) for entry in tools.get("constraints", ())}
