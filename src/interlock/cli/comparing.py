"""How a back-test reads: what would change, by which rule, for which runs, at what cost; and what it cannot know."""

from collections.abc import Sequence
from typing import Any

from interlock.cli.output import Output, counted
from interlock.domain.canonical import JsonObject
from interlock.domain.money import usd

LIMITS = (
    "A recorded agent cannot react: after a call that would have been refused, the record is played as it stands.",
    "Where values came from (provenance) is what the gate saw then, under the contracts of then.",
    "Budgets start empty with the first run that is looked at; a model call counts with what it used.",
    "Who was asked the same question then is taken to answer it the same; who was not asked is taken to say yes.",
)
OTHER_MODEL = (
    "'allow' is what the other model proposed; it is held against the rules as if it had been proposed in that run.",
    "Results and the user's words are those of the other model's own record, one call a second.",
    *LIMITS[:1],
    *LIMITS[2:3],
)
_WORDS = {"require_approval": "held"}


def show(output: Output, found: JsonObject, title: str, limits: Sequence[str] = LIMITS) -> None:
    """Print the comparison `found` for people, or as JSON."""
    output.data({**found, "limits": list(limits)})
    calls = counted(found["calls"], "call")
    output.say(f"{title}: {calls} in {counted(found['runs'], 'run')}, {found['changed']} decided otherwise.")
    if not found["runs"]:
        output.say("No run fits. Widen --since or --where.")
        return
    _rules(output, found["by_rule"])
    _outcomes(output, found["outcomes"])
    _sums(output, found)
    if found["undecided"]:
        output.say("\nNot decided again:")
        rows = [(one["calls"], one["why"], _calls(one["examples"])) for one in found["undecided"]]
        output.table(("calls", "because", "such as"), rows)
    output.say("\nTo be kept in mind:")
    for sentence in limits:
        output.say(f"  - {sentence}")
    first = next((example for rule in found["by_rule"] for example in rule["examples"]), None)
    if first is not None:
        output.say(f"\nNext: interlock runs show {first['run']}")


def _rules(output: Output, rules: Sequence[JsonObject]) -> None:
    output.say("\nBy rule:")
    rows = [
        (one["rule"], f"{_word(one['from'])} -> {_word(one['to'])}", one["calls"], one["runs"], _calls(one["examples"]))
        for one in rules
    ]
    output.table(("rule", "change", "calls", "runs", "such as"), rows, empty="Nothing would change.")


def _outcomes(output: Output, outcomes: Sequence[JsonObject]) -> None:
    output.say("\nRuns, by what came of them:")
    rows = [(one["outcome"], one["runs"], one["stopped"], _stops(one["examples"])) for one in outcomes]
    output.table(("outcome", "runs", "stopped", "such as"), rows)


def _sums(output: Output, found: JsonObject) -> None:
    held, cost = found["held"], found["cost"]
    output.say(f"\nHeld calls per run   {held['per_run_before']} -> {held['per_run_after']}")
    output.say(f"Models               {cost['models_usd']} USD, of which {cost['saved_usd']} USD came after a stop")
    before, after = cost["per_success_nano_usd_before"], cost["per_success_nano_usd_after"]
    output.say(
        f"Per success          {_usd(before)} -> {_usd(after)} "
        f"({cost['succeeded_before']} -> {cost['succeeded_after']} runs that succeed unstopped)"
    )


def _usd(nano: int | None) -> str:
    return "-" if nano is None else f"{usd(nano)} USD"


def _calls(examples: Sequence[Any]) -> str:
    return ", ".join(f"{one['run']}/{one['call']}" for one in examples)


def _stops(examples: Sequence[Any]) -> str:
    return ", ".join(f"{one['run']} at {one['tool']} ({one['rule']})" for one in examples) or "-"


def _word(effect: str) -> str:
    return _WORDS.get(effect, effect)
