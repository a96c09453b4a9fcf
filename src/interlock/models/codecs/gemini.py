"""Google's Gemini."""

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import InterlockError, ModelFailed
from interlock.domain.models import Dialect
from interlock.models.codecs import gemini_errors, gemini_replies, gemini_requests
from interlock.models.codecs.fields import Field
from interlock.models.codecs.gemini_streams import Reader, Writer
from interlock.models.codecs.reading_tap import ReadingTap
from interlock.models.dialogue import Reply, Request
from interlock.models.wire import Seen, StreamReader, StreamTap, StreamWriter, Wire, Written

_TOOL_PARTS = ("functionCall", "functionResponse", "executableCode", "toolCall")


class Gemini(Wire):
    """POST /v1beta/models/{model}:generateContent and :streamGenerateContent?alt=sse, where the address says model and stream."""

    @property
    def dialect(self) -> Dialect:
        return Dialect.GEMINI

    def check(self, body: JsonObject) -> None:
        top = Field(body)
        top["model"].text("")
        contents = list(top["contents"].items())
        if not contents:
            raise top["contents"].error("a list with at least one content")
        for content in contents:
            content.object()
            for part in content["parts"].items():
                part.object()
        self.cap_of(body)

    def cap_of(self, body: JsonObject) -> int | None:
        config = Field(body)["generationConfig"]
        cap, replies = config["maxOutputTokens"].integer(least=1), config["candidateCount"].integer(least=1)
        return None if cap is None else cap * (replies or 1)

    def with_cap(self, body: dict[str, Json], cap: int) -> None:
        config = body.get("generationConfig")
        body["generationConfig"] = {**(config if isinstance(config, dict) else {}), "maxOutputTokens": cap}

    def with_usage(self, body: dict[str, Json]) -> bool:  # noqa: ARG002 - this format reports usage unasked
        return False

    def has_tools(self, body: JsonObject) -> bool:
        if body.get("tools"):
            return True
        contents = body.get("contents")
        for content in contents if isinstance(contents, list) else ():
            parts = content.get("parts") if isinstance(content, dict) else None
            for part in parts if isinstance(parts, list) else ():
                if isinstance(part, dict) and any(name in part for name in _TOOL_PARTS):
                    return True
        return False

    def see(self, body: JsonObject) -> Seen:
        return gemini_replies.see(body)

    def tap(self, *, hide_usage: bool) -> StreamTap:  # noqa: ARG002 - no event carries usage alone
        return ReadingTap(Reader())

    def read_request(self, body: JsonObject) -> Request:
        return gemini_requests.read_request(body)

    def write_request(self, request: Request) -> Written:
        return gemini_requests.write_request(request)

    def read_reply(self, body: JsonObject) -> Reply:
        return gemini_replies.read_reply(body)

    def write_reply(self, reply: Reply) -> Written:
        return gemini_replies.write_reply(reply)

    def reader(self) -> StreamReader:
        return Reader()

    def writer(self, request: Request) -> StreamWriter:  # noqa: ARG002 - the same for every request
        return Writer()

    def read_error(self, status: int, body: bytes) -> ModelFailed:
        return gemini_errors.read_error(status, body)

    def write_error(self, error: InterlockError) -> dict[str, Json]:
        return gemini_errors.write_error(error)

    def stream_error(self, error: InterlockError) -> bytes:
        return gemini_errors.stream_error(error)
