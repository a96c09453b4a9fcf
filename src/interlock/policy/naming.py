"""Whether a condition names only what there is: subjects, their fields, and the tool's arguments."""

import difflib

from interlock.domain.agents import Phase, Rule
from interlock.domain.canonical import JsonObject
from interlock.domain.conditions import phase_of, references
from interlock.domain.errors import ConfigurationError
from interlock.policy.fields import unknown_step

FIELDS = {
    "call": frozenset(
        {
            "id",
            "tool",
            "user",
            "principal",
            "reason",
            "dry_run",
            "kind",
            "tier",
            "category",
            "environment",
            "provenance",
        }
    ),
    "run": frozenset({"id", "age_ms", "labels", "refused_writes"}),
    "agent": frozenset({"id", "stage"}),
    "output": frozenset({"content", "is_error", "contains_pii"}),
}
"""What a condition may read besides the arguments (`input`)."""


def refuse_unknown_names(rule: Rule, arguments: JsonObject | None) -> None:
    """Raise ConfigurationError when `rule` names a field that there is not, or is declared for the wrong phase.

    `arguments` is the tool's input schema; None where the rule is for every tool, and its arguments are not checked.
    """
    if phase_of(rule.condition, rule.engine) is not rule.phase:
        raise wrong(
            rule,
            f"is declared for the phase '{rule.phase.value}'",
            "a condition that reads `output` is asked after the call, any other before it",
            f"Declare it as '{(Phase.BEFORE if rule.phase is Phase.AFTER else Phase.AFTER).value}'",
        )
    for reference in references(rule.condition, rule.engine):
        subject, path = reference.path[0], reference.path[1:]
        known = FIELDS.get(subject)
        if known is not None:
            if path and path[0] not in known and path[0] != "*":
                raise _unknown(rule, f"{subject}.{path[0]}", _nearest(path[0], known))
        elif arguments is not None and path:
            missing = unknown_step(arguments, path)
            if missing is not None:
                raise _unknown(rule, f"{subject}.{'.'.join(path)}", missing[1])


def wrong(rule: Rule, what: str, why: str = "", do: str = "") -> ConfigurationError:
    """Return the error that says what is wrong with `rule` and where it stands."""
    where = f"{rule.source}: " if rule.source else ""
    return ConfigurationError(f"{where}the rule '{rule.id}' {what}", why=why, do=do)


def _unknown(rule: Rule, name: str, nearest: str) -> ConfigurationError:
    tool = f"'{rule.tool}'" if rule.tool else "a call"
    do = f"Did you mean '{nearest}'?" if nearest else "Name a field that it has"
    return wrong(rule, f"reads `{name}`", f"{tool} has no such field", do)


def _nearest(name: str, known: frozenset[str]) -> str:
    return next(iter(difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)), "")
