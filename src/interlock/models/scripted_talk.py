"""A scripted model in the words of model conversations: a request becomes turns, an answer becomes a reply."""

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Final

from interlock.domain.canonical import Json, JsonObject, canonical_json, parse_json
from interlock.domain.errors import BadInput
from interlock.domain.models import Usage
from interlock.models.counting import Count, part_tokens, request_tokens
from interlock.models.dialogue import Part, Reply, Request, Role, Stop, Text, Thinking, ToolOutcome, ToolUse
from interlock.models.scripted import Answered, Conversation, Done, Said, Script, Turn

CREATED: Final = 1_767_225_600
"""When every scripted reply was made, in seconds since the epoch: the same bytes every time."""
_RULE_LENGTH = 8


def conversation_of(request: Request) -> Conversation:
    """Return what `request` tells the script: the user's words, and results of calls, in order."""
    turns: list[Turn] = []
    replies = 0
    proposed: dict[str, ToolUse] = {}
    for message in request.messages:
        if message.role is Role.ASSISTANT:
            replies += 1
            proposed |= {part.id: part for part in message.parts if isinstance(part, ToolUse)}
        elif message.role is Role.USER:
            turns += _told(message.parts, proposed)
    return Conversation(tuple(turns), request.model, replies)


def reply_of(
    script: Script, request: Request, seed: str, *, vendor: str, count: Count, rules: JsonObject
) -> tuple[Reply, Answered]:
    """Return the script's reply to `request`, and what it came from.

    `seed`, a hex digest, gives the reply its ids; `vendor` seals its thinking; `rules` is `rule_marks(script)`.
    """
    conversation = conversation_of(request)
    turns = tuple(_with_rule(turn, rules) for turn in conversation.turns)
    answered = script.answer(replace(conversation, turns=turns))
    parts = _parts(answered, seed, vendor)
    stop = answered.rule.stop or (Stop.TOOLS if answered.calls else Stop.END)
    output = sum(part_tokens(part, count) for part in parts)
    if request.max_tokens is not None and output > request.max_tokens:
        parts, stop = _within(parts, request.max_tokens, count), Stop.LENGTH
        output = sum(part_tokens(part, count) for part in parts)
    reasoning = sum(part_tokens(part, count) for part in parts if isinstance(part, Thinking))
    usage = Usage(input=request_tokens(request, count), output=output, reasoning=reasoning)
    usage = replace(usage, **answered.rule.conduct.usage)
    reply = Reply(parts, stop, usage, id=f"scripted_{seed[:24]}", model=request.model, created=CREATED)
    return reply, answered


def rule_marks(script: Script) -> dict[str, str]:
    """Return the rule of each mark that ids of its calls bear."""
    return {_mark(rule.id): rule.id for rule in script.rules}


def _mark(rule: str) -> str:
    return sha256(rule.encode()).hexdigest()[:_RULE_LENGTH]


def _with_rule(turn: Turn, rules: JsonObject) -> Turn:
    return replace(turn, rule=rules.get(turn.rule, "")) if isinstance(turn, Done) else turn


def _told(parts: tuple[Part, ...], proposed: dict[str, ToolUse]) -> Iterator[Turn]:
    words = []
    for part in parts:
        if isinstance(part, ToolOutcome):
            use = proposed.get(part.call)
            tool = use.name if use is not None else part.name
            status, content = _outcome(part)
            yield Done(part.call.removeprefix("call_")[:_RULE_LENGTH], tool, status, content)
        elif isinstance(part, Text):
            words.append(part.text)
    if words:
        yield Said("\n".join(words))


def _outcome(outcome: ToolOutcome) -> tuple[str, Json]:
    """Return a result's status and content. A caller says the gate's status as `{"status": ..., "content": ...}`."""
    text = "".join(part.text for part in outcome.parts if isinstance(part, Text))
    try:
        content = parse_json(text)
    except BadInput:
        content = text
    status = "failed" if outcome.is_error else "succeeded"
    if isinstance(content, dict) and isinstance(content.get("status"), str):
        if content.keys() == {"status", "content"}:
            return content["status"], content["content"]
        if "call_id" in content:
            return content["status"], content
    return status, content


def _parts(answered: Answered, seed: str, vendor: str) -> tuple[Part, ...]:
    parts: list[Part] = []
    if answered.think:
        parts.append(Thinking(answered.think, signature=sha256(answered.think.encode()).hexdigest(), vendor=vendor))
    if answered.say or not answered.calls:
        parts.append(Text(answered.say))
    mark = _mark(answered.rule.id)
    for number, call in enumerate(answered.calls):
        arguments = canonical_json(call.arguments).decode()
        parts.append(ToolUse(f"call_{mark}{seed[:16]}_{number}", call.tool, arguments))
    return tuple(parts)


def _within(parts: tuple[Part, ...], cap: int, count: Count) -> tuple[Part, ...]:
    """Return what of `parts` has at most `cap` tokens: like a real model, it stops in the middle of a text."""
    kept: list[Part] = []
    for part in parts:
        tokens = part_tokens(part, count)
        if tokens <= cap:
            kept.append(part)
            cap -= tokens
            continue
        if isinstance(part, Text | Thinking):
            words = part.text.split(" ")
            while words and count(" ".join(words)) > cap:
                words.pop()
            if words:
                kept.append(replace(part, text=" ".join(words)))
        break
    return tuple(kept) or (Text(""),)
