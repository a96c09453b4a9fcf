"""Anthropic's Messages."""

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import BadInput, InterlockError, ModelFailed
from interlock.domain.models import Dialect
from interlock.models.codecs import anthropic_errors, anthropic_replies, anthropic_requests
from interlock.models.codecs.anthropic_streams import Reader, Writer
from interlock.models.codecs.anthropic_tap import Tap
from interlock.models.codecs.fields import Field
from interlock.models.dialogue import Reply, Request
from interlock.models.wire import Seen, StreamReader, StreamTap, StreamWriter, Wire, Written

_ROLES = ("user", "assistant", "system")
_TOOL_BLOCKS = ("tool_use", "tool_result")
"""How the kinds of blocks that speak of tools end, the provider's own tools included."""


class Anthropic(Wire):
    """POST /v1/messages. Stateless; all methods are pure."""

    @property
    def dialect(self) -> Dialect:
        return Dialect.ANTHROPIC

    def check(self, body: JsonObject) -> None:
        """Look only at what routing and budgets rely on; the provider checks the rest."""
        top = Field(body)
        top["model"].name()
        top["max_tokens"].integer()
        top["stream"].flag()
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise top["messages"].error("a list with at least one message")
        for position, message in enumerate(messages):
            content = message.get("content") if isinstance(message, dict) else None
            if not isinstance(content, str | list) or message.get("role") not in _ROLES:
                _check_message(Field(message, f"messages[{position}]"))
            elif isinstance(content, list):
                _check_blocks(content, f"messages[{position}].content")
        system = body.get("system")
        if system is not None and not isinstance(system, str | list):
            raise top["system"].error("text or a list of blocks")

    def cap_of(self, body: JsonObject) -> int | None:
        return Field(body)["max_tokens"].integer()

    def with_cap(self, body: dict[str, Json], cap: int) -> None:
        body["max_tokens"] = cap

    def with_usage(self, body: dict[str, Json]) -> bool:  # noqa: ARG002 - this format reports usage unasked
        return False

    def has_tools(self, body: JsonObject) -> bool:
        if body.get("tools") or body.get("mcp_servers"):
            return True
        messages = body.get("messages")
        for message in messages if isinstance(messages, list) else ():
            content = message.get("content") if isinstance(message, dict) else None
            for block in content if isinstance(content, list) else ():
                kind = block.get("type") if isinstance(block, dict) else None
                if isinstance(kind, str) and kind.endswith(_TOOL_BLOCKS):
                    return True
        return False

    def see(self, body: JsonObject) -> Seen:
        return anthropic_replies.see(body)

    def tap(self, *, hide_usage: bool) -> StreamTap:  # noqa: ARG002 - no event carries usage alone
        return Tap()

    def read_request(self, body: JsonObject) -> Request:
        return anthropic_requests.read_request(body)

    def write_request(self, request: Request) -> Written:
        return anthropic_requests.write_request(request)

    def read_reply(self, body: JsonObject) -> Reply:
        return anthropic_replies.read_reply(body)

    def write_reply(self, reply: Reply) -> Written:
        return anthropic_replies.write_reply(reply)

    def reader(self) -> StreamReader:
        return Reader()

    def writer(self, request: Request) -> StreamWriter:
        return Writer(request.model)

    def read_error(self, status: int, body: bytes) -> ModelFailed:
        return anthropic_errors.read_error(status, body)

    def write_error(self, error: InterlockError) -> dict[str, Json]:
        return anthropic_errors.write_error(error)

    def stream_error(self, error: InterlockError) -> bytes:
        return anthropic_errors.stream_error(error)


def _check_message(message: Field) -> None:
    """Say what is wrong with `message`."""
    role = message["role"].text()
    if role not in _ROLES:
        raise message["role"].error("one of user, assistant, system")
    raise message["content"].error("text or a list of blocks")


def _check_blocks(content: list[Json], at: str) -> None:
    for position, block in enumerate(content):
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            Field(block, f"{at}[{position}]")["type"].name()
            raise BadInput(f"`{at}[{position}]` is not a block", do="Correct the request and send it again")
