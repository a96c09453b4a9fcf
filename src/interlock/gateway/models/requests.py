"""What comes to the model road and what it answers; bodies stay in the caller's wire format."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from interlock.domain.canonical import Json
from interlock.domain.identity import Principal
from interlock.domain.ids import RunId
from interlock.domain.models import Dialect
from interlock.domain.trace_context import TraceContext
from interlock.models.ports import Operation

Headers = tuple[tuple[bytes, bytes], ...]


class Caching(StrEnum):
    """What the caller says of the cache."""

    USUAL = "usual"
    REFRESH = "refresh"
    """A model is asked, and its reply takes the place of a kept one (`Cache-Control: no-cache`)."""
    NONE = "none"
    """Nothing kept is used and nothing is kept (`Cache-Control: no-store`)."""


@dataclass(frozen=True, slots=True)
class ModelAsk:
    """One request of a client, parsed and otherwise as it came."""

    principal: Principal
    dialect: Dialect
    body: dict[str, Json]
    """The JSON object. The road may change it."""
    size: int
    """Length of the body as it came, in bytes."""
    operation: Operation = Operation.REPLY
    run: RunId | None = None
    """As the caller names it; a run token's own run otherwise."""
    step: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers of the vendor that travel with the request (`anthropic-beta`, `anthropic-version`), lower case."""
    caching: Caching = Caching.USUAL
    trace: TraceContext | None = None
    """Where the request stands in the caller's trace, if it said so."""
    raw: bytes = b""
    """The body as it came, where it came as bytes: what the audit trail commits to."""


@dataclass(frozen=True, slots=True)
class ModelReply:
    """A whole reply."""

    body: bytes
    headers: Headers = ()
    """`x-interlock-*`: call id, model, cost; what was lost in translation."""


class Outlet(Protocol):
    """Where a streamed reply goes. After `start` errors travel in the stream."""

    async def start(self, headers: Headers) -> None:
        """Send status 200 and the head of an event stream."""

    async def send(self, data: bytes) -> None:
        """Send complete events."""

    async def finish(self, last: bytes = b"") -> None:
        """Send the last events and end the response cleanly: the reply is complete."""

    async def abort(self) -> None:
        """End the response so that no client can take it for complete."""

    async def gone(self) -> None:
        """Return when the client has gone away. Only awaited where the router says that this ends the call."""


@dataclass(frozen=True, slots=True)
class OpenModel:
    """A model or tier that an agent may ask for."""

    id: str
    provider: str
    """Empty for tiers."""
    context_window: int | None = None
    max_output: int | None = None
