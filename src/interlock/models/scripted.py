"""A model that follows a script: the same conversation always gets the same reply."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from interlock.domain.canonical import Json, JsonObject, canonical_json
from interlock.domain.errors import ConfigurationError

_PLACE = re.compile(r"\{([A-Za-z_][\w.-]*)((?:/[^{}|]*)?)(\|number)?\}")


@dataclass(frozen=True, slots=True)
class Said:
    """Words of the user."""

    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """A call that was proposed, and what the model was told of it."""

    rule: str
    """The rule that proposed it."""
    tool: str
    status: str
    content: Json


Turn = Said | Done


@dataclass(frozen=True, slots=True)
class Propose:
    """A reply that proposes one tool call."""

    rule: str
    tool: str
    arguments: JsonObject
    reason: str


@dataclass(frozen=True, slots=True)
class Say:
    """A reply that ends the conversation."""

    rule: str
    text: str


@dataclass(frozen=True, slots=True)
class ScriptRule:
    """One rule. It applies when all that it names is the case; the first rule that applies gives the reply."""

    id: str
    user: re.Pattern[str] | None = None
    """Must be found in the user's words; its named groups become values."""
    result: re.Pattern[str] | None = None
    """Must be found in the result of a call; its named groups become values."""
    after: tuple[str, ...] = ()
    """Tools that have been called."""
    ended: tuple[str, ...] = ()
    """The last call's status is one of these."""
    times: int = 1
    """How often the rule may propose in one conversation."""
    tool: str = ""
    arguments: JsonObject = field(default_factory=dict)
    say: str = ""
    """The reply when `tool` is empty; beside a tool, the stated reason."""


@dataclass(frozen=True, slots=True)
class Script:
    """Rules in order. In texts, `{name}` is a value, `{tool/pointer}` stands in that tool's latest result, and
    `|number` behind either makes it a number; a text that is nothing else keeps the value's own type.
    """

    rules: tuple[ScriptRule, ...]

    def reply(self, turns: tuple[Turn, ...]) -> Propose | Say:
        """Return what the model says next. Silence, when no rule applies, is a reply without words."""
        for rule in self.rules:
            values = _values(rule, turns)
            if values is None or _proposals(rule, turns) >= rule.times:
                continue
            try:
                if rule.tool:
                    arguments = {name: _filled(value, values) for name, value in rule.arguments.items()}
                    return Propose(rule.id, rule.tool, arguments, str(_filled(rule.say, values)))
                return Say(rule.id, str(_filled(rule.say, values)))
            except _Missing:
                continue  # a rule whose values are not there does not apply
        return Say("", "")


def script(rules: Sequence[JsonObject]) -> Script:
    """Return the script that `rules` describe, keys as the fields of ScriptRule. Raises ConfigurationError."""
    return Script(tuple(_rule(rule, position) for position, rule in enumerate(rules, 1)))


_KEYS = frozenset({"id", "user", "result", "after", "ended", "times", "tool", "arguments", "say"})


def _rule(said: JsonObject, position: int) -> ScriptRule:
    unknown = sorted(set(said) - _KEYS)
    if unknown or not said.get("id"):
        problem = f"has a key '{unknown[0]}', which is not known" if unknown else "has no id"
        raise ConfigurationError(f"Rule {position} of the script {problem}", do=f"Use {', '.join(sorted(_KEYS))}")
    try:
        patterns = {key: re.compile(said[key], re.IGNORECASE) for key in ("user", "result") if key in said}
    except re.error as error:
        raise ConfigurationError(f"Rule '{said['id']}' of the script has a bad pattern", why=str(error)) from None
    return ScriptRule(
        id=said["id"],
        user=patterns.get("user"),
        result=patterns.get("result"),
        after=tuple(said.get("after", ())),
        ended=tuple(said.get("ended", ())),
        times=said.get("times", 1),
        tool=said.get("tool", ""),
        arguments=said.get("arguments", {}),
        say=said.get("say", ""),
    )


def _proposals(rule: ScriptRule, turns: tuple[Turn, ...]) -> int:
    return sum(isinstance(turn, Done) and turn.rule == rule.id for turn in turns) if rule.tool else 0


def _values(rule: ScriptRule, turns: tuple[Turn, ...]) -> dict[str, Json] | None:
    """Return the values that `rule` may use, or None when it does not apply."""
    done = [turn for turn in turns if isinstance(turn, Done)]
    if rule.ended and (not done or done[-1].status not in rule.ended):
        return None
    if not set(rule.after) <= {turn.tool for turn in done}:
        return None
    values: dict[str, Json] = {turn.tool: turn.content for turn in done}
    for pattern, texts in ((rule.user, _user_texts(turns)), (rule.result, _result_texts(done))):
        if pattern is None:
            continue
        found = next((match for text in texts if (match := pattern.search(text))), None)
        if found is None:
            return None
        values |= {name: text for name, text in found.groupdict().items() if text is not None}
    return values


def _user_texts(turns: tuple[Turn, ...]) -> Iterator[str]:
    return (turn.text for turn in turns if isinstance(turn, Said))


def _result_texts(done: list[Done]) -> Iterator[str]:
    for turn in done:
        yield turn.content if isinstance(turn.content, str) else canonical_json(turn.content).decode()


class _Missing(Exception):
    """A placeholder names a value that the conversation does not have."""


def _filled(template: Json, values: Mapping[str, Json]) -> Json:
    if isinstance(template, dict):
        return {key: _filled(item, values) for key, item in template.items()}
    if isinstance(template, list):
        return [_filled(item, values) for item in template]
    if not isinstance(template, str):
        return template
    whole = _PLACE.fullmatch(template)
    if whole is not None:
        return _value(whole, values)
    return _PLACE.sub(lambda match: str(_value(match, values)), template)


def _value(place: re.Match[str], values: Mapping[str, Json]) -> Json:
    if place[1] not in values:
        raise _Missing
    found = values[place[1]]
    for step in place[2].split("/")[1:]:
        if isinstance(found, list) and step.isdigit() and int(step) < len(found):
            found = found[int(step)]
        elif isinstance(found, dict) and step in found:
            found = found[step]
        else:
            raise _Missing
    if not place[3]:
        return found
    try:
        return float(str(found).replace(",", ""))
    except ValueError:
        raise _Missing from None
