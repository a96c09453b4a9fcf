"""OpenAI's embeddings: asked and answered in this format only, never translated."""

# ruff: noqa: ARG002 - what has no meaning here is not looked at

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import BadModelReply, InterlockError, ModelFailed, Uncarriable
from interlock.domain.models import Dialect
from interlock.models.codecs import openai_errors
from interlock.models.codecs.fields import Field
from interlock.models.codecs.openai_usage import read_usage
from interlock.models.dialogue import Reply, Request, Stop
from interlock.models.wire import Seen, StreamReader, StreamTap, StreamWriter, Wire, Written


class OpenAiEmbeddings(Wire):
    """POST /v1/embeddings. Stateless; all methods are pure. What only replies in words have is refused."""

    @property
    def dialect(self) -> Dialect:
        return Dialect.OPENAI_EMBEDDINGS

    def check(self, body: JsonObject) -> None:
        top = Field(body)
        top["model"].name()
        top["dimensions"].integer(1)
        top["encoding_format"].text("float")
        if top["stream"].flag():
            raise top["stream"].error("absent: embeddings come whole")
        said = body.get("input")
        if not isinstance(said, str | list) or not said:
            raise top["input"].error("text, or a list of texts or of tokens, that is not empty")
        if isinstance(said, list):
            _check_list(said)

    def cap_of(self, body: JsonObject) -> int | None:
        return None

    def with_cap(self, body: dict[str, Json], cap: int) -> None:
        """Leave `body` as it is: embeddings have no output to cap."""

    def with_usage(self, body: dict[str, Json]) -> bool:
        return False

    def has_tools(self, body: JsonObject) -> bool:
        return False

    def see(self, body: JsonObject) -> Seen:
        if body.get("error") or body.get("object") == "error":
            raise openai_errors.reported(body)
        if not isinstance(body.get("data"), list):
            raise BadModelReply("The model's reply cannot be read", why="`data` is not a list")
        return Seen(read_usage(body.get("usage")), (), Stop.END)

    def tap(self, *, hide_usage: bool) -> StreamTap:
        raise _refusal()

    def read_request(self, body: JsonObject) -> Request:
        raise _refusal()

    def write_request(self, request: Request) -> Written:
        raise _refusal()

    def read_reply(self, body: JsonObject) -> Reply:
        raise _refusal()

    def write_reply(self, reply: Reply) -> Written:
        raise _refusal()

    def reader(self) -> StreamReader:
        raise _refusal()

    def writer(self, request: Request) -> StreamWriter:
        raise _refusal()

    def read_error(self, status: int, body: bytes) -> ModelFailed:
        return openai_errors.read_error(status, body)

    def write_error(self, error: InterlockError) -> dict[str, Json]:
        return openai_errors.write_error(error)

    def stream_error(self, error: InterlockError) -> bytes:
        return openai_errors.stream_error(error)


def _check_list(said: list[Json]) -> None:
    """Check texts, tokens, or lists of tokens; all of one kind."""
    kind = type(said[0])
    if kind not in {str, int, list}:
        raise Field(said[0], "input[0]").error("text, a token, or a list of tokens")
    for position, item in enumerate(said):
        if type(item) is not kind:
            raise Field(item, f"input[{position}]").error("of the same kind as the first")
        if kind is list and not all(type(token) is int for token in item):
            raise Field(item, f"input[{position}]").error("a list of tokens, which are whole numbers")


def _refusal() -> Uncarriable:
    return Uncarriable(
        "Embeddings cannot be translated",
        why="no other wire format here has them",
        do="Name a model of a provider that speaks OpenAI's embeddings",
    )
