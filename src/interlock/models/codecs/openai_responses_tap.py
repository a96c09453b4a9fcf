"""Watch a response as it passes, whole or streamed."""

import orjson

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import BadModelReply
from interlock.models.codecs.openai_errors import reported
from interlock.models.codecs.openai_usage import read_response_usage
from interlock.models.dialogue import Stop, ToolUse
from interlock.models.wire import Seen, SseEvent, StreamTap

_WORDS = frozenset(
    {
        "response.output_text.delta",
        "response.refusal.delta",
        "response.function_call_arguments.delta",
        "response.custom_tool_call_input.delta",
        "response.mcp_call_arguments.delta",
        "response.code_interpreter_call_code.delta",
        "response.reasoning_text.delta",
        "response.reasoning_summary_text.delta",
    }
)
_CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
_UNDER_WAY = ("queued", "in_progress")
_CUTS = {"max_output_tokens": Stop.LENGTH, "content_filter": Stop.FILTERED}


class Tap(StreamTap):
    """Looks at as little as it can: what only carries words is parsed and kept, nothing more."""

    __slots__ = ("_calls", "_finished", "_stop", "_usage", "_words")

    def __init__(self) -> None:
        self._words: list[str] = []
        self._calls: list[ToolUse] = []
        self._usage: Json = None
        self._stop: Stop | None = None
        self._finished = False

    def feed(self, event: SseEvent) -> bool:
        """Every event is for the caller: this format reports usage unasked."""
        if not event.data:
            return True
        try:
            said = orjson.loads(event.data)
            kind = said["type"]
            if kind in _WORDS:
                words = said["delta"]
                if type(words) is not str:
                    raise TypeError("words are not text")
                self._words.append(words)
            else:
                self._look(kind, said)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            if event.data.strip() == b"[DONE]":  # some servers end every stream so
                return True
            raise bad_event(error) from None
        return True

    def _look(self, kind: Json, said: dict[str, Json]) -> None:
        if kind == "response.output_item.done":
            if said["item"].get("type") in _CALLS:
                self._calls.append(_proposal(said["item"]))
        elif kind in {"response.completed", "response.incomplete", "response.failed"}:
            response = said["response"]
            self._finished = True
            self._usage = response.get("usage")
            if kind == "response.failed":
                raise reported(response)
            # Clients read either: what stands in one only is a proposal as well.
            self._calls += [call for call in _proposals(response.get("output") or []) if call not in self._calls]
            self._stop = stop_of(response)
        elif kind == "error":
            raise reported(said)

    @property
    def finished(self) -> bool:
        return self._finished

    def seen(self) -> Seen:
        usage = read_response_usage(self._usage)
        return Seen(usage, tuple(self._calls), self._stop, "" if usage else "".join(self._words))


def bad_event(error: Exception) -> BadModelReply:
    """Return the failure of a stream that holds an event which cannot be read."""
    why = "an event is not JSON" if isinstance(error, ValueError) else "an event does not have the shape of its type"
    return BadModelReply("The provider's stream cannot be read", why=why)


def see(body: JsonObject) -> Seen:
    """Return what a whole reply says. Raises BadModelReply, or the provider's error when a 200 holds one."""
    output = output_of(body)
    usage = read_response_usage(body.get("usage"))
    try:
        proposals = _proposals(output)
        words = [] if usage is not None else [word for item in output for word in _words(item)]
        stop = stop_of(body)
    except (LookupError, TypeError, AttributeError):
        raise BadModelReply("The model's reply cannot be read", why="an item of `output` has no shape of one") from None
    return Seen(usage, tuple(proposals), stop, "".join(words))


def output_of(body: JsonObject) -> list[Json]:
    """Return the items of a whole reply."""
    if body.get("error") or body.get("status") == "failed":
        raise reported(body)
    output = body.get("output")
    if not isinstance(output, list):
        raise BadModelReply("The model's reply cannot be read", why="`output` is not a list")
    return output


def stop_of(response: JsonObject) -> Stop | None:
    """Return why a reply ended; None while it is under way. Raises BadModelReply for what is no response."""
    status = response.get("status")
    if status in _UNDER_WAY:
        return None
    try:
        if status == "incomplete":
            reason = (response.get("incomplete_details") or {}).get("reason")
            return _CUTS.get(reason, Stop.OTHER) if isinstance(reason, str) else Stop.OTHER
        if status not in ("completed", None):
            return Stop.OTHER
        items = response.get("output") or []
        if any(item.get("type") in _CALLS for item in items):
            return Stop.TOOLS
        refused = any(part.get("type") == "refusal" for item in items for part in _content(item))
    except (TypeError, AttributeError):
        raise BadModelReply("The model's reply cannot be read", why="`output` holds what is no item") from None
    return Stop.REFUSAL if refused else Stop.END


def _content(item: dict[str, Json]) -> list[dict[str, Json]]:
    return item.get("content") or [] if item.get("type") == "message" else []


def _proposals(output: list[Json]) -> list[ToolUse]:
    return [_proposal(item) for item in output if item.get("type") in _CALLS]


def _proposal(item: dict[str, Json]) -> ToolUse:
    """Return the call that `item` is. Raises LookupError, TypeError."""
    call, name, arguments = item["call_id"], item["name"], item[_CALLS[item["type"]]]
    if not (isinstance(call, str) and isinstance(name, str) and isinstance(arguments, str)):
        raise TypeError("a call has fields that are not text")
    return ToolUse(call, name, arguments)


def _words(item: dict[str, Json]) -> list[str]:
    """Return all words of an item."""
    parts = (item.get("content") or []) + (item.get("summary") or [])
    said = [part[key] for part in parts for key in ("text", "refusal") if isinstance(part.get(key), str)]
    return said + [item[key] for key in ("arguments", "input") if isinstance(item.get(key), str)]
