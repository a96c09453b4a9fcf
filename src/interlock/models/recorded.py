"""Recorded conversations, and what the model said next in them."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from interlock.domain.canonical import Json, JsonObject, canonical_json
from interlock.domain.errors import MalformedJson, UnknownModel
from interlock.domain.models import Usage
from interlock.models.dialogue import Message, Part, Reply, Request, Role, Stop, Text, ToolOutcome, ToolUse

CREATED: Final = 1_767_225_600
"""When every recorded reply was made, as far as its reader is told: the same bytes every time."""
_NANO: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Rates:
    """What the recorded model cost when it was recorded, in nano-dollars a token.

    A record that says tokens and cost, but not how many tokens came from the provider's cache, implies that number.
    """

    input: int
    cache_read: int
    output: int

    def cache_read_of(self, prompt: int, completion: int, cost_usd: float) -> int:
        """Return the tokens from the cache that the cost implies; 0 where it implies no whole number of them."""
        if self.input <= self.cache_read:
            return 0
        saved = prompt * self.input + completion * self.output - round(cost_usd * _NANO)
        tokens, odd = divmod(saved, self.input - self.cache_read)
        return tokens if not odd and 0 <= tokens <= prompt else 0


@dataclass(frozen=True, slots=True)
class Spoken:
    """One recorded reply of the model."""

    parts: tuple[Part, ...]
    usage: Usage | None
    """None when the record does not say."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """One recorded conversation."""

    labels: tuple[str, ...]
    """From the shortest to the fullest: source:suite:task, with trial or injection, with @model behind."""
    model: str
    replies: tuple[Spoken, ...]
    opens: bool
    """Whether the model speaks before the user does."""
    marks: tuple[str, ...] = field(repr=False)
    """Digest of everything said up to and with each message."""
    late_marks: tuple[str, ...] = field(repr=False)
    """The same without the model's greeting: formats in which the user speaks first leave it out."""
    heads: tuple[int, ...] = field(repr=False)
    """How many messages stand before each reply."""


@dataclass(frozen=True, slots=True)
class _Place:
    conversation: int
    goes_on: bool
    """Whether a reply follows here."""


class Recordings:
    """Finds conversations by label, or by how they begin."""

    def __init__(self, conversations: Iterable[Conversation]) -> None:
        self._all = tuple(conversations)
        self._by_label: dict[str, list[int]] = {}
        self._by_mark: dict[str, _Place] = {}
        for number, conversation in enumerate(self._all):
            for label in conversation.labels:
                self._by_label.setdefault(label, []).append(number)
            for position, mark in enumerate(conversation.marks, 1):
                self._mark(mark, _Place(number, position in conversation.heads))
            for position, mark in enumerate(conversation.late_marks, 2):
                self._mark(mark, _Place(number, position in conversation.heads))

    @property
    def labels(self) -> tuple[str, ...]:
        """The shortest label of each conversation that stands for it alone."""
        return tuple(
            next((label for label in one.labels if len(self._by_label[label]) == 1), one.labels[-1])
            for one in self._all
        )

    def next_reply(self, request: Request, names: Iterable[str]) -> tuple[Spoken, str]:
        """Return what the model says next, and an id of it.

        The conversation is the first of `names` that is a label, else the one that begins like the request for
        longest. In it, the reply is the one after as many as the request holds: when a call was not carried out, the
        rest of the record is played as it stands. Raises UnknownModel when there is none.
        """
        number = self._named(names)
        said = tuple(_said(request.messages))
        if number is None:
            number = self._alike(said)
        conversation = self._all[number]
        given = sum(line[0] == "assistant" for line in said)
        if conversation.opens and said and said[0][0] != "assistant":
            given += 1
        if given >= len(conversation.replies):
            raise UnknownModel(
                f"The recorded conversation {conversation.labels[-1]} is over", why=f"it has {given} replies"
            )
        return conversation.replies[given], f"{conversation.labels[-1]}#{given}"

    def _mark(self, mark: str, place: _Place) -> None:
        known = self._by_mark.get(mark)
        if known is None or (place.goes_on and not known.goes_on):
            self._by_mark[mark] = place

    def _named(self, names: Iterable[str]) -> int | None:
        for name in names:
            found = self._by_label.get(name, ())
            if len(found) == 1:
                return found[0]
            if found:
                fuller = ", ".join(self._all[number].labels[-1] for number in found[:3])
                raise UnknownModel(
                    f"'{name}' stands for {len(found)} recorded conversations", do=f"Say which: {fuller}"
                )
        return None

    def _alike(self, said: tuple[tuple[str, ...], ...]) -> int:
        best = None
        for line, mark in zip(said, _marks(said), strict=True):
            place = self._by_mark.get(mark)
            if place is None:
                break
            # A greeting alone says nothing of which conversation it opens.
            if line[0] != "assistant" or best is not None:
                best = place
        if best is None:
            raise UnknownModel(
                "No recorded conversation begins like this",
                do="Name one by its label, such as tau2-bench:retail:40, as the model",
            )
        return best.conversation


def conversation_of(record: JsonObject, rates: Mapping[str, Rates] | None = None) -> Conversation:
    """Return the conversation of one record of the shared format. Raises MalformedJson for what is none."""
    try:
        model = str(record["model"])
        lines = [line for line in record["messages"] if line["role"] != "system"]
        messages = tuple(_message(line) for line in lines)
        rate = (rates or {}).get(model)
        replies = tuple(
            Spoken(message.parts, _usage(line, rate))
            for line, message in zip(lines, messages, strict=True)
            if message.role is Role.ASSISTANT
        )
        said = tuple(_said(messages))
        heads = tuple(position for position, line in enumerate(said) if line[0] == "assistant")
        opens = bool(said) and said[0][0] == "assistant"
        late = tuple(_marks(said[1:])) if opens else ()
        return Conversation(_labels(record, model), model, replies, opens, tuple(_marks(said)), late, heads)
    except (KeyError, TypeError, AttributeError) as error:
        raise MalformedJson("A line is no recorded conversation", why=f"{type(error).__name__}: {error}") from None


def reply_of(spoken: Spoken, name: str, model: str, usage: Usage) -> Reply:
    """Return what was spoken as the reply of `model`, with ids that come from `name`."""
    stop = Stop.TOOLS if any(isinstance(part, ToolUse) for part in spoken.parts) else Stop.END
    return Reply(spoken.parts, stop, usage, f"recorded_{sha256(name.encode()).hexdigest()[:24]}", model, CREATED)


def _labels(record: JsonObject, model: str) -> tuple[str, ...]:
    plain = f"{record['source']}:{record['suite']}:{record['task_id']}"
    particular = record.get("trial") if record.get("trial") is not None else record.get("injection_task_id")
    full = plain if particular is None else f"{plain}:{particular}"
    return tuple(dict.fromkeys((plain, full, f"{full}@{model}")))


def _message(line: JsonObject) -> Message:
    text = line.get("content") or ""
    if line["role"] == "tool":
        return Message(Role.USER, (ToolOutcome(line.get("tool_call_id") or "", (Text(text),)),))
    if line["role"] == "user":
        return Message(Role.USER, (Text(text),))
    parts: list[Part] = [Text(text)] if text else []
    for call in line.get("tool_calls") or ():
        arguments = call["function"]["arguments"]
        written = (
            arguments
            if isinstance(arguments, str)
            else json.dumps(arguments, separators=(",", ":"), ensure_ascii=False)
        )
        parts.append(ToolUse(call["id"], call["function"]["name"], written))
    return Message(Role.ASSISTANT, tuple(parts) or (Text(""),))


def _usage(line: JsonObject, rates: Rates | None) -> Usage | None:
    said = line.get("usage")
    if not said:
        return None
    prompt, completion = said["prompt_tokens"], said["completion_tokens"]
    cost = line.get("cost_usd")
    cached = rates.cache_read_of(prompt, completion, cost) if rates is not None and cost is not None else 0
    return Usage(input=prompt, output=completion, cache_read=cached)


def _said(messages: Iterable[Message]) -> Iterator[tuple[str, ...]]:
    """Yield what was said, a line per turn and per result of a call, alike for every wire format. Ids and system
    prompts are left out: the former differ between formats, the latter between callers.
    """
    for message in messages:
        if message.role is Role.SYSTEM:
            continue
        text = "\n".join(part.text for part in message.parts if isinstance(part, Text))
        if message.role is Role.ASSISTANT:
            calls = (f"{part.name} {_plain(part.arguments)}" for part in message.parts if isinstance(part, ToolUse))
            yield ("assistant", text, *calls)
            continue
        outcomes = [part for part in message.parts if isinstance(part, ToolOutcome)]
        for outcome in outcomes:
            yield ("tool", "".join(part.text for part in outcome.parts if isinstance(part, Text)))
        if text or not outcomes:
            yield ("user", text)


def _plain(arguments: str) -> str:
    try:
        parsed: Json = json.loads(arguments)
        return canonical_json(parsed).decode()
    except (ValueError, MalformedJson):
        return arguments


def _marks(said: Iterable[tuple[str, ...]]) -> Iterator[str]:
    so_far = sha256()
    for line in said:
        so_far.update(json.dumps(line).encode())
        yield so_far.hexdigest()
