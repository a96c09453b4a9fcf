"""OpenAI's responses."""

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import InterlockError, ModelFailed
from interlock.domain.models import Dialect
from interlock.models.codecs import (
    openai_errors,
    openai_responses_replies,
    openai_responses_requests,
    openai_responses_tap,
    openai_responses_writing,
)
from interlock.models.codecs.fields import Field
from interlock.models.codecs.openai_responses_reader import Reader
from interlock.models.codecs.openai_responses_writer import Writer
from interlock.models.dialogue import Reply, Request
from interlock.models.wire import Seen, StreamReader, StreamTap, StreamWriter, Wire, Written

_SPEECH = ("message", "reasoning", "item_reference", None)
"""Types of items that have nothing to do with tools."""


class OpenAiResponses(Wire):
    """POST /v1/responses. Stateless; all methods are pure."""

    @property
    def dialect(self) -> Dialect:
        return Dialect.OPENAI_RESPONSES

    def check(self, body: JsonObject) -> None:
        """Look only at what routing and budgets rely on; the provider checks the rest."""
        top = Field(body)
        top["model"].name()
        top["max_output_tokens"].integer(1)
        top["stream"].flag()
        top["background"].flag()
        top["instructions"].text("")
        said = body.get("input")
        if isinstance(said, list):
            for position, item in enumerate(said):
                if not isinstance(item, dict):
                    Field(item, f"input[{position}]").object()
        elif not isinstance(said, str) and not _goes_on(top):
            raise top["input"].error("text or a list of items")

    def cap_of(self, body: JsonObject) -> int | None:
        return Field(body)["max_output_tokens"].integer(1)

    def with_cap(self, body: dict[str, Json], cap: int) -> None:
        body["max_output_tokens"] = cap

    def with_usage(self, body: dict[str, Json]) -> bool:  # noqa: ARG002 - this format reports usage unasked
        return False

    def has_tools(self, body: JsonObject) -> bool:
        """What an earlier response holds is not known here, so whoever goes on from one may have tools in play."""
        if body.get("tools") or _goes_on(Field(body)):
            return True
        items = body.get("input")
        return isinstance(items, list) and any(
            isinstance(item, dict) and item.get("type") not in _SPEECH for item in items
        )

    def see(self, body: JsonObject) -> Seen:
        return openai_responses_tap.see(body)

    def tap(self, *, hide_usage: bool) -> StreamTap:  # noqa: ARG002 - no event carries usage alone
        return openai_responses_tap.Tap()

    def read_request(self, body: JsonObject) -> Request:
        return openai_responses_requests.read_request(body)

    def write_request(self, request: Request) -> Written:
        return openai_responses_writing.write_request(request)

    def read_reply(self, body: JsonObject) -> Reply:
        return openai_responses_replies.read_reply(body)

    def write_reply(self, reply: Reply) -> Written:
        return openai_responses_replies.write_reply(reply)

    def reader(self) -> StreamReader:
        return Reader()

    def writer(self, request: Request) -> StreamWriter:  # noqa: ARG002 - the same for every request
        return Writer()

    def read_error(self, status: int, body: bytes) -> ModelFailed:
        return openai_errors.read_error(status, body)

    def write_error(self, error: InterlockError) -> dict[str, Json]:
        return openai_errors.write_error(error)

    def stream_error(self, error: InterlockError) -> bytes:
        return openai_errors.typed_stream_error(error)


def _goes_on(top: Field) -> bool:
    """Whether the request goes on from what the provider keeps."""
    return any(top[name].given for name in ("previous_response_id", "conversation", "prompt"))
