"""A model that follows a script: the same conversation always gets the same reply."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from interlock.domain.canonical import Json, JsonObject, canonical_json
from interlock.models.scripted_rules import ScriptRule, Wish, rule_of

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
class Conversation:
    """What a model was told before it replies."""

    turns: tuple[Turn, ...]
    model: str = ""
    replies: int = 0
    """How many the model has given."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What one rule makes of a conversation."""

    rule: ScriptRule
    say: str
    think: str = ""
    calls: tuple[Wish, ...] = ()
    """Their arguments filled in."""


SILENCE = ScriptRule("")
"""The rule of a reply without words, when no rule applies."""


@dataclass(frozen=True, slots=True)
class Script:
    """Rules in order. In texts, `{name}` is a value, `{tool/pointer}` stands in that tool's latest result, and
    `|number` behind either makes it a number; a text that is nothing else keeps the value's own type.
    """

    rules: tuple[ScriptRule, ...]

    def reply(self, turns: tuple[Turn, ...]) -> Propose | Say:
        """Return what the model says next. Silence, when no rule applies, is a reply without words."""
        answered = self.answer(Conversation(turns))
        if not answered.calls:
            return Say(answered.rule.id, answered.say)
        first = answered.calls[0]
        return Propose(answered.rule.id, first.tool, first.arguments, answered.say)

    def answer(self, conversation: Conversation) -> Answered:
        """Return the whole reply to `conversation`, of which `reply` tells the first call or the words."""
        for rule in self.rules:
            values = _values(rule, conversation)
            if values is None or (rule.calls and _proposals(rule, conversation.turns) >= rule.times):
                continue
            try:
                return _answered(rule, values)
            except _Missing:
                continue  # a rule whose values are not there does not apply
        return Answered(SILENCE, "")


def script(rules: Sequence[JsonObject]) -> Script:
    """Return the script that `rules` describe, keys as the fields of ScriptRule. Raises ConfigurationError."""
    return Script(tuple(rule_of(rule, position) for position, rule in enumerate(rules, 1)))


def _answered(rule: ScriptRule, values: Mapping[str, Json]) -> Answered:
    say = str(_filled(rule.say, values))
    if rule.json is not None:
        say = canonical_json(_filled(rule.json, values)).decode()
    calls = tuple(
        Wish(wish.tool, {name: _filled(value, values) for name, value in wish.arguments.items()}) for wish in rule.calls
    )
    return Answered(rule, say, str(_filled(rule.think, values)), calls)


def _proposals(rule: ScriptRule, turns: tuple[Turn, ...]) -> int:
    """Return how often `rule` has proposed. A call whose rule is not known counts for every rule of its tool."""
    tools = {wish.tool for wish in rule.calls}
    made = sum(
        isinstance(turn, Done) and (turn.rule == rule.id or (not turn.rule and turn.tool in tools)) for turn in turns
    )
    return -(-made // len(rule.calls))


def _values(rule: ScriptRule, conversation: Conversation) -> dict[str, Json] | None:
    """Return the values that `rule` may use, or None when it does not apply."""
    turns = conversation.turns
    done = [turn for turn in turns if isinstance(turn, Done)]
    if rule.ended and (not done or done[-1].status not in rule.ended):
        return None
    if not set(rule.after) <= {turn.tool for turn in done}:
        return None
    if rule.step and conversation.replies not in rule.step:
        return None
    if rule.model is not None and not rule.model.search(conversation.model):
        return None
    values: dict[str, Json] = {turn.tool: turn.content for turn in done}
    said = [turn.text for turn in turns if isinstance(turn, Said)]
    for pattern, texts in ((rule.user, said), (rule.last, said[-1:]), (rule.result, _result_texts(done))):
        if pattern is None:
            continue
        found = next((match for text in texts if (match := pattern.search(text))), None)
        if found is None:
            return None
        values |= {name: text for name, text in found.groupdict().items() if text is not None}
    return values


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
