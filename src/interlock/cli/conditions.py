"""Compile the conditions of agents, as far as that is possible before there is a catalogue."""

import importlib
from collections.abc import Iterable
from dataclasses import dataclass

from interlock.domain.agents import AgentPolicy, Engine, Rule
from interlock.domain.errors import ConfigurationError
from interlock.domain.problems import Problem, Spot
from interlock.policy.ports import ConditionEngine

_ADAPTERS = {
    Engine.CEL: ("cel", "CelConditions"),
    Engine.OPA: ("rego", "RegoConditions"),
    Engine.CEDAR: ("cedar", "CedarConditions"),
}
"""The adapter and its class. Imported when a rule asks for it: each costs time, and two of them are extras."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """What came of it."""

    problems: tuple[Problem, ...]
    left: tuple[str, ...]
    """A sentence for each language that is not installed."""


def compile_conditions(agents: Iterable[AgentPolicy]) -> Compiled:
    """Compile every condition of `agents` and return what is wrong; nothing is evaluated."""
    rules = [rule for agent in agents for rule in agent.rules]
    problems: list[Problem] = []
    left: list[str] = []
    for engine in Engine:
        own = [rule for rule in rules if rule.engine is engine]
        if not own:
            continue
        language = _language(engine)
        if language is None:
            name = _ADAPTERS[engine][0]
            left.append(
                f"{len(own)} conditions in {engine.value} were not compiled: the extra '{name}' is not installed"
            )
        else:
            problems += [problem for rule in own if (problem := _problem(language, rule)) is not None]
    return Compiled(tuple(problems), tuple(left))


def _language(engine: Engine) -> ConditionEngine | None:
    module, name = _ADAPTERS[engine]
    try:
        language: ConditionEngine = getattr(importlib.import_module(f"interlock.adapters.{module}"), name)()
    except ImportError:
        return None
    return language


def _problem(language: ConditionEngine, rule: Rule) -> Problem | None:
    try:
        language.compile(rule, None)
    except ConfigurationError as error:
        file, _, line = rule.source.rpartition(":")
        what = error.what.removeprefix(f"{rule.source}: ")
        told = [f"{what[:1].upper()}{what[1:]}", error.why, error.do]
        sentence = ". ".join(part.rstrip(".") for part in told if part)
        return Problem(Spot(file, int(line), key=f"policy.rules: {rule.id}"), sentence)
    return None
