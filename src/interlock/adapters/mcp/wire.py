"""JSON-RPC as MCP uses it, seen from the client: build a request, and recognise its answer."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import orjson

from interlock.domain.canonical import Json, JsonObject, parse_json
from interlock.domain.errors import BadInput


@dataclass(frozen=True, slots=True)
class RpcError:
    """What a server says when it does not carry a request out."""

    code: int
    message: str
    data: Json = None


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one request: a result or an error, never both."""

    result: JsonObject | None = None
    error: RpcError | None = None


class Garbage(Exception):
    """What came back is no answer to the request; the message says why, without quoting it."""


def request_bytes(request_id: int, method: str, params: JsonObject) -> bytes:
    """Return the request as it goes over the wire."""
    return orjson.dumps({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})


def notification_bytes(method: str) -> bytes:
    """Return a notification without parameters."""
    return orjson.dumps({"jsonrpc": "2.0", "method": method})


def parse_message(body: bytes, limit: int) -> JsonObject:
    """Return the JSON-RPC message in `body`, read strictly. Raises Garbage."""
    try:
        message = parse_json(body, max_bytes=limit)
    except BadInput as error:
        raise Garbage(f"the answer is not usable JSON: {error.what}") from None
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        raise Garbage("the answer is not a JSON-RPC 2.0 message")
    return message


def reply_in(message: JsonObject, request_id: int, *, anonymous: bool = False) -> Reply:
    """Return the reply to request `request_id` that `message` holds.

    `anonymous` accepts an error without id, as a server sends it that refused the request before reading its id.
    Raises Garbage for anything else.
    """
    found = message.get("id")
    # True == 1 in Python, so the type is compared too.
    if (type(found) is not int or found != request_id) and not (anonymous and found is None and "error" in message):
        raise Garbage("the answer belongs to another request")
    if ("result" in message) == ("error" in message):
        raise Garbage("the answer holds neither or both of result and error")
    if "result" in message:
        result = message["result"]
        if not isinstance(result, dict):
            raise Garbage("the result is not an object")
        return Reply(result=result)
    error = message["error"]
    if not isinstance(error, dict) or type(error.get("code")) is not int or not isinstance(error.get("message"), str):
        raise Garbage("the error has no code and message")
    return Reply(error=RpcError(error["code"], error["message"], error.get("data")))


async def events(chunks: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    """Yield the data of each server-sent event. Raises Garbage once more than `limit` bytes came in all."""
    taken, rest = 0, b""
    data: list[bytes] = []
    async for chunk in chunks:
        taken += len(chunk)
        if taken > limit:
            raise Garbage(f"the answer is longer than {limit} bytes")
        *lines, rest = (rest + chunk).split(b"\n")
        for raw in lines:
            line = raw.removesuffix(b"\r")
            if line.startswith(b"data:"):
                data.append(line[5:].removeprefix(b" "))
            elif not line and data:
                yield b"\n".join(data)
                data = []
