"""Watch a stream of Anthropic's Messages as it passes."""

import orjson

from interlock.domain.canonical import Json
from interlock.domain.errors import BadModelReply
from interlock.models.codecs.anthropic_errors import reported
from interlock.models.codecs.anthropic_replies import read_usage, stop_of
from interlock.models.dialogue import ToolUse
from interlock.models.wire import Seen, SseEvent, StreamTap

# Deltas whose words count, and the name under which each has them.
_WORDS = {"text_delta": "text", "input_json_delta": "partial_json", "thinking_delta": "thinking"}


class Tap(StreamTap):
    """Looks at as little as it can: what only carries words is parsed and kept, nothing more."""

    __slots__ = ("_calls", "_done", "_finished", "_stop", "_told", "_usage", "_words")

    def __init__(self) -> None:
        self._words: list[str] = []
        self._calls: dict[int, tuple[dict[str, Json], list[str]]] = {}
        self._done: list[ToolUse] = []
        self._usage: dict[str, Json] = {}
        self._told = False
        self._stop: Json = None
        self._finished = False

    def feed(self, event: SseEvent) -> bool:
        """Every event is for the caller: this format reports usage unasked."""
        if not event.data:
            return True
        try:
            said = orjson.loads(event.data)
            if said["type"] == "content_block_delta":
                delta = said["delta"]
                name = _WORDS.get(delta["type"])
                if name is not None:
                    self._hear(said["index"], delta[name], name)
            else:
                self._look(said)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise bad_event(error) from None
        return True

    def _hear(self, index: int, words: Json, name: str) -> None:
        if type(words) is not str:
            raise TypeError("words are not text")
        self._words.append(words)
        if name == "partial_json" and index in self._calls:
            self._calls[index][1].append(words)

    def _look(self, said: dict[str, Json]) -> None:
        kind = said["type"]
        if kind == "content_block_start":
            block = said["content_block"]
            if block["type"] == "tool_use":
                self._calls[said["index"]] = (block, [])
        elif kind == "content_block_stop":
            if said["index"] in self._calls:
                self._done.append(proposal(*self._calls.pop(said["index"])))
        elif kind == "message_start":
            self._usage = merged_usage({}, said["message"].get("usage"))
        elif kind == "message_delta":
            self._stop = said["delta"].get("stop_reason")
            self._usage = merged_usage(self._usage, said.get("usage"))
            self._told = True
        elif kind == "message_stop":
            self._finished = True
            # Clients act on calls that were never closed, too.
            self._done += [proposal(*call) for call in self._calls.values()]
            self._calls.clear()
        elif kind == "error":
            raise reported(said)

    @property
    def finished(self) -> bool:
        return self._finished

    def seen(self) -> Seen:
        # Only `message_delta` says what the whole reply used; what comes first knows the input alone.
        usage = read_usage(self._usage) if self._told else None
        return Seen(usage, tuple(self._done), stop_of(self._stop), "" if usage else "".join(self._words))


def bad_event(error: Exception) -> BadModelReply:
    """Return the failure of a stream that holds an event which cannot be read."""
    why = "an event is not JSON" if isinstance(error, ValueError) else "an event does not have the shape of its kind"
    return BadModelReply("The provider's stream cannot be read", why=why)


def proposal(block: dict[str, Json], words: list[str]) -> ToolUse:
    """Return the tool call that began as `block` and whose arguments came as `words`. Raises TypeError."""
    if not isinstance(block["id"], str) or not isinstance(block["name"], str):
        raise TypeError("a tool call has no id or no name")
    return ToolUse(block["id"], block["name"], "".join(words) or orjson.dumps(block.get("input") or {}).decode())


def merged_usage(known: dict[str, Json], news: Json) -> dict[str, Json]:
    """Return usage with what a later event says of it; its numbers are totals, and what it leaves out stands."""
    if news is None:
        return known
    return known | {key: value for key, value in news.items() if value is not None}
