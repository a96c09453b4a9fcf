"""What Interlock needs of a wire format: to look at traffic that passes as it is, and to translate what does not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import InterlockError, ModelFailed
from interlock.domain.models import Dialect, Usage
from interlock.models.dialogue import Reply, Request, Stop, StreamEvent, ToolUse


class SseEvent(NamedTuple):
    """One event of a stream of server-sent events. There are dozens in a reply, so they are made cheaply."""

    raw: bytes
    """As it came, with the empty line that ends it."""
    data: bytes
    """Its data lines, joined; empty for comments and keep-alives."""
    name: str = ""
    """Its event type."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a reply in some wire format says."""

    usage: Usage | None
    """None when the provider has not said."""
    proposals: tuple[ToolUse, ...]
    stop: Stop | None
    """None when the reply did not come to an end."""
    text: str = ""
    """All words, thinking and arguments of the reply, for counting; empty when `usage` is known."""


class StreamTap(Protocol):
    """Watches one stream that passes as it is."""

    def feed(self, event: SseEvent) -> bool:
        """Look at `event` and return whether it is for the caller (usage that only Interlock asked for is not).

        Raises BadModelReply for an event that is not of this format, and the provider's error when it reports one in the stream.
        """

    @property
    def finished(self) -> bool:
        """Whether the format's terminator was seen: without it the stream was cut."""

    def seen(self) -> Seen:
        """Return what came so far."""


class StreamReader(Protocol):
    """Reads one stream for translation."""

    def read(self, event: SseEvent) -> Sequence[StreamEvent]:
        """Return what `event` means; the last is `End`. Raises as `StreamTap.feed` does."""

    @property
    def finished(self) -> bool:
        """Whether the format's terminator was seen."""


class StreamWriter(Protocol):
    """Writes one stream."""

    def write(self, event: StreamEvent) -> bytes:
        """Return the bytes of `event`, which may be none; those of `End` hold the format's terminator."""


@dataclass(frozen=True, slots=True)
class Written:
    """A request or reply in some wire format, and what of it could not be carried."""

    body: dict[str, Json]
    lost: tuple[str, ...] = ()
    """A short sentence each. What must not be lost raises Uncarriable instead."""


class Wire(Protocol):
    """One wire format. Stateless; all methods are pure."""

    @property
    def dialect(self) -> Dialect:
        """Which one."""

    # Looking at a request that passes as it is. `body` is parsed JSON of which nothing is known yet.

    def check(self, body: JsonObject) -> None:
        """Raise BadInput, naming the field, unless `body` has what routing and budgets rely on (model, messages, cap, stream)."""

    def cap_of(self, body: JsonObject) -> int | None:
        """Return the cap on output tokens, or None. Where a request asks for n replies, n times the cap."""

    def with_cap(self, body: dict[str, Json], cap: int) -> None:
        """Set the cap on output tokens in `body`, under the name that the format has for it now."""

    def with_usage(self, body: dict[str, Json]) -> bool:
        """Make a streamed reply to `body` report its usage; return whether the caller had not asked for that itself."""

    def has_tools(self, body: JsonObject) -> bool:
        """Return whether tools are in play: offered, called or answered."""

    def see(self, body: JsonObject) -> Seen:
        """Return what a whole reply says. Raises BadModelReply, or the provider's error when a 200 holds one."""

    def tap(self, *, hide_usage: bool) -> StreamTap:
        """Return a tap for one stream; with `hide_usage` the event that only carries usage is kept from the caller."""

    # Translation.

    def read_request(self, body: JsonObject) -> Request:
        """Return the request. Raises BadInput, naming the field."""

    def write_request(self, request: Request) -> Written:
        """Return the request in this format. Raises Uncarriable."""

    def read_reply(self, body: JsonObject) -> Reply:
        """Return the reply. Raises as `see` does."""

    def write_reply(self, reply: Reply) -> Written:
        """Return the reply in this format."""

    def reader(self) -> StreamReader:
        """Return a reader for one stream."""

    def writer(self, request: Request) -> StreamWriter:
        """Return a writer of the stream that answers `request`."""

    # Failures.

    def read_error(self, status: int, body: bytes) -> ModelFailed:
        """Return what an answer with a status of 400 or more stands for.

        ModelOverloaded (429, 529), ModelUnavailable (other 5xx), ModelTimeout (408, 504), else ModelRefused: what another attempt
        would not change, a prompt that is too long included. Its words never repeat credentials or the request.
        """

    def write_error(self, error: InterlockError) -> dict[str, Json]:
        """Return `error` as clients of this format expect it, with our stable `code` in it."""

    def stream_error(self, error: InterlockError) -> bytes:
        """Return the event that tells the client of a stream that it is broken."""
