"""Watch a chat completion as it passes, whole or streamed."""

import orjson

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import BadModelReply
from interlock.models.codecs.openai_errors import reported
from interlock.models.codecs.openai_usage import read_usage
from interlock.models.dialogue import Stop, ToolUse
from interlock.models.wire import Seen, SseEvent, StreamTap

STOPS = {
    "stop": Stop.END,
    "length": Stop.LENGTH,
    "tool_calls": Stop.TOOLS,
    "function_call": Stop.TOOLS,
    "content_filter": Stop.FILTERED,
}
_WORDS = ("content", "refusal", "reasoning_content", "reasoning")


class Tap(StreamTap):
    """Looks at as little as it can: a chunk that only carries words is parsed and its words kept, nothing more."""

    __slots__ = ("_calls", "_finished", "_hide_usage", "_refused", "_stop", "_told_at", "_usage", "_words")

    def __init__(self, *, hide_usage: bool) -> None:
        self._hide_usage = hide_usage
        self._words: list[str] = []
        self._calls: dict[tuple[Json, Json], _Call] = {}
        self._usage: Json = None
        self._told_at = 0
        """How many pieces of words had come when usage was said last."""
        self._stop: Json = None
        self._refused = False
        self._finished = False

    def feed(self, event: SseEvent) -> bool:
        if event.data[:1] != b"{":
            return self._other(event)
        try:
            chunk = orjson.loads(event.data)
            choices = chunk.get("choices")
            usage = chunk.get("usage")
            if usage:
                self._usage = usage
            if chunk.get("error"):
                raise reported(chunk)
            if not choices:
                return self._without_choices(chunk, choices)
            for choice in choices:
                delta = choice.get("delta")
                if delta:
                    words = delta.get("content")
                    if type(words) is str and words and len(delta) == 1:
                        self._words.append(words)
                    else:
                        self._look(choice.get("index", 0), delta)
                stop = choice.get("finish_reason")
                if stop is not None and self._stop is None:
                    self._stop = stop
            if usage:
                self._told_at = len(self._words)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise bad_chunk(error) from None
        return True

    def _other(self, event: SseEvent) -> bool:
        data = event.data.strip()
        if data[:1] == b"{":
            return self.feed(SseEvent(event.raw, data, event.name))
        if data == b"[DONE]":
            self._finished = True
        elif data:
            raise bad_chunk(ValueError())
        return True

    def _without_choices(self, chunk: dict[str, Json], choices: Json) -> bool:
        """Look at a chunk that carries usage alone, or what some servers say before the first choice."""
        if choices is None and chunk.get("object") == "error":
            raise reported(chunk)
        if choices is not None and not isinstance(choices, list):
            raise TypeError("choices are not a list")
        if not chunk.get("usage"):
            return True
        self._told_at = len(self._words)
        return not self._hide_usage

    def _look(self, choice: Json, delta: dict[str, Json]) -> None:
        for name in _WORDS:
            words = delta.get(name)
            if type(words) is str and words:
                self._words.append(words)
                self._refused = self._refused or name == "refusal"
        if fragments := delta.get("tool_calls"):
            for fragment in fragments:
                self._fragment(choice, fragment)
        if legacy := delta.get("function_call"):
            self._calls.setdefault((choice, "function_call"), _Call()).add({"function": legacy})

    def _fragment(self, choice: Json, fragment: dict[str, Json]) -> None:
        index = fragment.get("index")
        if index is None:  # some servers send calls whole and do not number them
            index = len(self._calls) if fragment.get("id") or not self._calls else len(self._calls) - 1
        call = self._calls.get((choice, index))
        if call is None:
            call = self._calls[(choice, index)] = _Call()
        self._words.append(call.add(fragment))

    @property
    def finished(self) -> bool:
        return self._finished

    def seen(self) -> Seen:
        # What was said before the last words came is not what they used.
        usage = read_usage(self._usage) if self._told_at == len(self._words) else None
        proposals = tuple(call.proposal() for call in self._calls.values())
        stop = None
        if self._stop is not None:
            stop = stop_of(self._stop, refused=self._refused, called=bool(proposals))
        return Seen(usage, proposals, stop, "" if usage else "".join(self._words))


class _Call:
    """One tool call, from its fragments."""

    __slots__ = ("_arguments", "_id", "_name")

    def __init__(self) -> None:
        self._id = ""
        self._name = ""
        self._arguments: list[str] = []

    def add(self, fragment: dict[str, Json]) -> str:
        """Take a fragment in; return its arguments. Raises TypeError, AttributeError for what is none."""
        said = fragment.get("function") or fragment.get("custom") or {}
        self._id = self._id or _text(fragment.get("id"))
        self._name = self._name or _text(said.get("name"))
        words = _text(said.get("arguments") or said.get("input"))
        self._arguments.append(words)
        return words

    def proposal(self) -> ToolUse:
        """Return what came so far."""
        return ToolUse(self._id, self._name, "".join(self._arguments))


def _text(value: Json) -> str:
    if value is None:
        return ""
    if type(value) is not str:
        raise TypeError("what should be text is none")
    return value


def bad_chunk(error: Exception) -> BadModelReply:
    """Return the failure of a stream that holds an event which cannot be read."""
    why = "an event is not JSON" if isinstance(error, ValueError) else "an event does not have the shape of a chunk"
    return BadModelReply("The provider's stream cannot be read", why=why)


def stop_of(reason: Json, *, refused: bool, called: bool) -> Stop:
    """Return why a reply ended, which is also said by what is in it: the words of a refusal, or calls of tools."""
    if reason == "stop" and (called or refused):
        return Stop.TOOLS if called else Stop.REFUSAL
    return STOPS.get(reason, Stop.OTHER) if isinstance(reason, str) else Stop.OTHER


def see(body: JsonObject) -> Seen:
    """Return what a whole reply says. Raises BadModelReply, or the provider's error when a 200 holds one."""
    choices = choices_of(body)
    usage = read_usage(body.get("usage"))
    proposals: tuple[ToolUse, ...] = ()
    words: list[str] = []
    try:
        for choice in choices:
            message = choice["message"]
            if message.get("tool_calls") or message.get("function_call"):
                proposals += _proposals(message)
            if usage is None:
                words += [said for name in _WORDS if type(said := message.get(name)) is str]
        first = choices[0]
        refused = bool(first["message"].get("refusal"))
        stop = stop_of(first.get("finish_reason"), refused=refused, called=bool(proposals))
    except (LookupError, TypeError, AttributeError):
        raise BadModelReply("The model's reply cannot be read", why="a choice does not have the shape of one") from None
    if usage is None:
        words += [call.arguments for call in proposals]
    return Seen(usage, proposals, stop, "".join(words))


def choices_of(body: JsonObject) -> list[Json]:
    """Return the choices of a whole reply, of which there is at least one."""
    if body.get("error") or body.get("object") == "error":
        raise reported(body)
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices:
        raise BadModelReply("The model's reply cannot be read", why="`choices` is not a list with something in it")
    return choices


def _proposals(message: dict[str, Json]) -> tuple[ToolUse, ...]:
    found = []
    for fragment in message.get("tool_calls") or ():
        call = _Call()
        call.add(fragment)
        found.append(call.proposal())
    if legacy := message.get("function_call"):
        call = _Call()
        call.add({"function": legacy})
        found.append(call.proposal())
    return tuple(found)
