"""Rules and approvals of an agent's file."""

from interlock.config.problems import Findings
from interlock.config.records import ByForm, Entry, Field, ListOf, MapOf, Record, Section
from interlock.config.shapes import Choice, Constant, Text, ToolRef
from interlock.domain.agents import ApprovalRule, Engine, Phase, Rule
from interlock.domain.conditions import TokenKind, phase_of, tokens
from interlock.domain.decisions import Effect
from interlock.domain.errors import ConfigurationError
from interlock.domain.ids import ToolName

_EFFECTS = {
    "block": Effect.DENY,
    "deny": Effect.DENY,
    "escalate": Effect.ESCALATE,
    "escalate_to_human": Effect.ESCALATE,
    "human_handoff": Effect.ESCALATE,
    "require_approval": Effect.REQUIRE_APPROVAL,
    "dry_run": Effect.DRY_RUN,
}
ACTIONS = {
    **{word: (effect, False) for word, effect in _EFFECTS.items()},
    **{f"{word}_and_alert": (effect, True) for word, effect in _EFFECTS.items()},
    "alert": (Effect.ALLOW, True),
}
"""What a failed rule asks for: the effect, and whether the owner is told."""
HANDOFFS = {word: _EFFECTS[word] for word in ("block", "deny", "escalate", "escalate_to_human", "human_handoff")}
MAX_CONDITION = 4_000
"""Characters of a condition."""
MAX_TOKENS = 500
"""Words and signs of a condition: the engines recurse over them, and not all survive thousands."""
MAX_NESTING = 50
"""Brackets within brackets."""
_UNDOES_NOTHING = frozenset({Effect.REQUIRE_APPROVAL, Effect.DRY_RUN})
ENGINE = Choice({engine.value: engine for engine in Engine})
RULE = Record(
    "a rule",
    (
        Field("id", Text("an id", r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}"), "Names the rule in decisions.", required=True),
        Field(
            "condition",
            Text(f"a condition of at most {MAX_CONDITION} characters", rf"(?s).{{1,{MAX_CONDITION}}}"),
            "What must hold. `input` holds the arguments; a condition that reads `output` is asked after the call, of "
            "its result (`output.content`, `output.is_error`, `output.contains_pii`).",
            required=True,
        ),
        Field(
            "on_fail",
            Choice(ACTIONS),
            "What happens when it does not hold. A condition that cannot be evaluated denies.",
            required=True,
        ),
        Field("tool", ToolRef(), "The only tool that the rule is about.", default="every tool of the agent"),
        Field("engine", ENGINE, "The language of this condition.", default="`policy.engine`"),
    ),
    doc="A condition that every call, or every result, must satisfy.",
)
APPROVALS = ListOf(
    ByForm(
        ToolRef(),
        MapOf(
            ToolRef(), MapOf(Text("the name of an argument"), ListOf(Constant(), least=1, lone=True), least=1), least=1
        ),
    )
)


def rules(sections: tuple[Section, ...], engine: Engine, found: Findings) -> tuple[Rule, ...]:
    """Return the rules that `sections`, read by RULE, stand for; `engine` is the language where a rule names none."""
    made: list[Rule] = []
    ids: set[str] = set()
    for section in sections:
        rule = _rule(section, section.get("engine", engine), found)
        if rule is None:
            continue
        if rule.id in ids:
            found.add(section.at("id"), f"There is another rule '{rule.id}'", "an id of its own for each rule")
        ids.add(rule.id)
        made.append(rule)
    return tuple(made)


def _rule(section: Section, engine: Engine, found: Findings) -> Rule | None:
    condition: str = section.get("condition")
    effect, alert = section.get("on_fail")
    phase = Phase.BEFORE
    if _is_too_deep(condition, engine):
        limits = f"at most {MAX_TOKENS} words and signs, and brackets at most {MAX_NESTING} deep"
        found.add(
            section.at("condition"), "The condition is too long for a condition", f"{limits}; longer ones are policies"
        )
        return None
    try:
        phase = phase_of(condition, engine)
    except ConfigurationError as error:
        found.add(section.at("condition"), error.what, error.do[:1].lower() + error.do[1:])
    if phase is Phase.AFTER and effect in _UNDOES_NOTHING:
        after = sorted(word for word, (one, _) in ACTIONS.items() if one not in _UNDOES_NOTHING)
        found.add(
            section.at("on_fail"),
            "The condition reads the result, and by then the call has been made",
            f"one of {', '.join(after)}",
        )
    return Rule(
        id=section.get("id"),
        condition=condition,
        engine=engine,
        on_fail=effect,
        tool=section.get("tool"),
        phase=phase,
        alert=alert,
        source=section.spot.source,
    )


def _is_too_deep(condition: str, engine: Engine) -> bool:
    stream = tokens(condition, engine)
    depth = deepest = 0
    for token in stream:
        if token.kind is TokenKind.SIGN:
            depth += (token.text in "([{") - (token.text in ")]}")
            deepest = max(deepest, depth)
    return len(stream) > MAX_TOKENS or deepest > MAX_NESTING


def approvals(items: tuple[str | tuple[Entry, ...], ...], allowed: frozenset[ToolName]) -> tuple[ApprovalRule, ...]:
    """Return the approval rules of `items`, read by APPROVALS.

    A tool that is not on the allowlist besides may be called with approval only, whatever its arguments.
    """
    made: dict[ApprovalRule, None] = {}
    for item in items:
        if isinstance(item, str):
            made[ApprovalRule(ToolName(item))] = None
            continue
        for entry in item:
            when = tuple((argument.key, argument.value) for argument in entry.value)
            made[ApprovalRule(entry.key, when)] = None
            if entry.key not in allowed:
                made[ApprovalRule(entry.key)] = None
    return tuple(made)
