"""What serves the paths on which models are asked: read, take it down the road, answer."""

from dataclasses import dataclass

from starlette.types import Receive, Scope, Send

from interlock.domain.errors import BadInput
from interlock.domain.models import Dialect
from interlock.models.ports import Operation
from interlock.server.models.outlet import StreamOutlet
from interlock.server.models.ports import Gate
from interlock.server.models.reading import read_ask
from interlock.server.problems import JSON, send_bytes, send_json


@dataclass(frozen=True, slots=True)
class ModelCalls:
    """POST: ask a model, whole or streamed."""

    gate: Gate
    dialect: Dialect
    operation: Operation = Operation.REPLY

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request that came through the door."""
        ask = await read_ask(scope, receive, self.dialect, self.operation)
        # What is neither true nor false here is for the format's own check to refuse.
        if ask.body.get("stream") is True:
            if scope["http_version"] == "1.0":
                # Its answers end where the connection ends, so a cut reply would look like a complete one.
                raise BadInput("Streams need HTTP/1.1", do="Let the client, or the proxy before us, speak HTTP/1.1")
            await self.gate.stream(ask, StreamOutlet(receive, send))
            return
        reply = await self.gate.reply(ask)
        await send_bytes(send, 200, reply.body, JSON, reply.headers)


@dataclass(frozen=True, slots=True)
class TokenCount:
    """POST: how many tokens a request would bring in."""

    gate: Gate
    dialect: Dialect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request that came through the door."""
        tokens = await self.gate.count(await read_ask(scope, receive, self.dialect, Operation.REPLY))
        kind = {"object": "response.input_tokens"} if self.dialect is Dialect.OPENAI_RESPONSES else {}
        await send_json(send, 200, {**kind, "input_tokens": tokens})
