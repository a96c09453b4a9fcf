"""OpenAI's chat completions, which servers beside OpenAI speak as well."""

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import InterlockError, ModelFailed
from interlock.domain.models import Dialect
from interlock.models.codecs import (
    openai_chat_replies,
    openai_chat_requests,
    openai_chat_tap,
    openai_chat_writing,
    openai_errors,
)
from interlock.models.codecs.fields import Field
from interlock.models.codecs.openai_chat_streams import Reader, Writer
from interlock.models.dialogue import Reply, Request
from interlock.models.wire import Seen, StreamReader, StreamTap, StreamWriter, Wire, Written

_MOST_REPLIES = 128
"""What OpenAI allows. A cap that is shared by more would be less than a token each."""
_TOOL_FIELDS = ("tools", "functions", "web_search_options")


class OpenAiChat(Wire):
    """POST /v1/chat/completions. Stateless; all methods are pure."""

    def __init__(self, *, legacy_cap: bool = False) -> None:
        """`legacy_cap` is for servers that know only `max_tokens`: OpenAI's own models want `max_completion_tokens`."""
        self._legacy = legacy_cap

    @property
    def dialect(self) -> Dialect:
        return Dialect.OPENAI_CHAT

    def check(self, body: JsonObject) -> None:
        """Look only at what routing and budgets rely on; the provider checks the rest."""
        top = Field(body)
        top["model"].name()
        openai_chat_requests.cap_of(top)
        if "n" in body and (top["n"].integer(1) or 1) > _MOST_REPLIES:
            raise top["n"].error(f"a whole number of at most {_MOST_REPLIES}")
        if "stream" in body:
            top["stream"].flag()
        if body.get("stream_options") is not None:
            top["stream_options"]["include_usage"].flag()
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise top["messages"].error("a list with at least one message")
        for position, message in enumerate(messages):
            if not isinstance(message, dict) or not isinstance(message.get("role"), str):
                Field(message, f"messages[{position}]")["role"].name()

    def cap_of(self, body: JsonObject) -> int | None:
        top = Field(body)
        cap = openai_chat_requests.cap_of(top)
        return cap if cap is None or "n" not in body else cap * (top["n"].integer(1) or 1)

    def with_cap(self, body: dict[str, Json], cap: int) -> None:
        """Set the cap under the name that the caller used, else under today's; `cap` is for all replies together."""
        each = max(1, cap // (Field(body)["n"].integer(1) or 1))
        if self._legacy:
            body.pop("max_completion_tokens", None)
            body["max_tokens"] = each
            return
        used = [name for name in ("max_completion_tokens", "max_tokens") if body.get(name) is not None]
        for name in used or ("max_completion_tokens",):
            body[name] = each

    def with_usage(self, body: dict[str, Json]) -> bool:
        if body.get("stream") is not True:
            return False
        options = body.get("stream_options")
        options = options if isinstance(options, dict) else {}
        if options.get("include_usage") is True:
            return False
        body["stream_options"] = {**options, "include_usage": True}
        return True

    def has_tools(self, body: JsonObject) -> bool:
        if any(body.get(name) for name in _TOOL_FIELDS):
            return True
        messages = body.get("messages")
        for message in messages if isinstance(messages, list) else ():
            if isinstance(message, dict) and (
                message.get("role") in ("tool", "function") or message.get("tool_calls") or message.get("function_call")
            ):
                return True
        return False

    def see(self, body: JsonObject) -> Seen:
        return openai_chat_tap.see(body)

    def tap(self, *, hide_usage: bool) -> StreamTap:
        return openai_chat_tap.Tap(hide_usage=hide_usage)

    def read_request(self, body: JsonObject) -> Request:
        return openai_chat_requests.read_request(body)

    def write_request(self, request: Request) -> Written:
        return openai_chat_writing.write_request(request, legacy=self._legacy)

    def read_reply(self, body: JsonObject) -> Reply:
        return openai_chat_replies.read_reply(body)

    def write_reply(self, reply: Reply) -> Written:
        return openai_chat_replies.write_reply(reply)

    def reader(self) -> StreamReader:
        return Reader()

    def writer(self, request: Request) -> StreamWriter:
        return Writer(request)

    def read_error(self, status: int, body: bytes) -> ModelFailed:
        return openai_errors.read_error(status, body)

    def write_error(self, error: InterlockError) -> dict[str, Json]:
        return openai_errors.write_error(error)

    def stream_error(self, error: InterlockError) -> bytes:
        return openai_errors.stream_error(error)
