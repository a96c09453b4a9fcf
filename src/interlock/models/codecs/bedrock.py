"""AWS Bedrock's Converse."""

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import InterlockError, ModelFailed
from interlock.domain.models import Dialect
from interlock.models.codecs import bedrock_errors, bedrock_replies, bedrock_requests
from interlock.models.codecs.bedrock_streams import Reader, Writer
from interlock.models.codecs.fields import Field
from interlock.models.codecs.reading_tap import ReadingTap
from interlock.models.dialogue import Reply, Request
from interlock.models.wire import Seen, StreamReader, StreamTap, StreamWriter, Wire, Written

_TOOL_BLOCKS = ("toolUse", "toolResult")


class Bedrock(Wire):
    """POST /model/{modelId}/converse and /converse-stream, where the address says model and stream.

    Events of streams are server-sent ones, each with the name and the JSON of one frame.
    """

    @property
    def dialect(self) -> Dialect:
        return Dialect.BEDROCK

    def check(self, body: JsonObject) -> None:
        top = Field(body)
        top["modelId"].text("")
        messages = list(top["messages"].items())
        if not messages:
            raise top["messages"].error("a list with at least one message")
        for message in messages:
            message.object()
            for block in message["content"].items():
                block.object()
        self.cap_of(body)

    def cap_of(self, body: JsonObject) -> int | None:
        inference = Field(body)["inferenceConfig"]
        return inference["maxTokens"].integer(least=1)

    def with_cap(self, body: dict[str, Json], cap: int) -> None:
        inference = body.get("inferenceConfig")
        body["inferenceConfig"] = {**(inference if isinstance(inference, dict) else {}), "maxTokens": cap}

    def with_usage(self, body: dict[str, Json]) -> bool:  # noqa: ARG002 - this format reports usage unasked
        return False

    def has_tools(self, body: JsonObject) -> bool:
        if body.get("toolConfig"):
            return True
        messages = body.get("messages")
        for message in messages if isinstance(messages, list) else ():
            content = message.get("content") if isinstance(message, dict) else None
            for block in content if isinstance(content, list) else ():
                if isinstance(block, dict) and any(name in block for name in _TOOL_BLOCKS):
                    return True
        return False

    def see(self, body: JsonObject) -> Seen:
        return bedrock_replies.see(body)

    def tap(self, *, hide_usage: bool) -> StreamTap:  # noqa: ARG002 - usage is part of the terminator
        return ReadingTap(Reader())

    def read_request(self, body: JsonObject) -> Request:
        return bedrock_requests.read_request(body)

    def write_request(self, request: Request) -> Written:
        return bedrock_requests.write_request(request)

    def read_reply(self, body: JsonObject) -> Reply:
        return bedrock_replies.read_reply(body)

    def write_reply(self, reply: Reply) -> Written:
        return bedrock_replies.write_reply(reply)

    def reader(self) -> StreamReader:
        return Reader()

    def writer(self, request: Request) -> StreamWriter:  # noqa: ARG002 - the same for every request
        return Writer()

    def read_error(self, status: int, body: bytes) -> ModelFailed:
        return bedrock_errors.read_error(status, body)

    def write_error(self, error: InterlockError) -> dict[str, Json]:
        return bedrock_errors.write_error(error)

    def stream_error(self, error: InterlockError) -> bytes:
        return bedrock_errors.stream_error(error)
