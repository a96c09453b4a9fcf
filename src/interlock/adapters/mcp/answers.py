"""What is known of a call from what came back: the judgement that decides whether it may be repeated."""

from interlock.adapters.mcp.wire import Reply, RpcError
from interlock.domain.canonical import Json, JsonObject, parse_json
from interlock.domain.errors import BadInput
from interlock.gateway.ports import Delivery, RawAnswer

REFUSED_UNREAD = frozenset({401, 403, 404, 405, 406, 407, 411, 413, 414, 415, 417, 421, 426, 431, 501, 505})
"""HTTP statuses by which a server or a proxy says that it did not take the request in."""
TRY_LATER = frozenset({429, 503})

# Parse error, invalid request, unknown method or tool, invalid params, header mismatch, missing client capability,
# unsupported revision, and a URL to visit first: said before a tool runs. Any other error may come out of a tool that
# was half done: what a tool means to say it says in a result with isError, and SDKs turn crashes into codes of their own.
_BEFORE_RUNNING = frozenset({-32700, -32600, -32601, -32602, -32020, -32021, -32022, -32042})


def of_status(status: int) -> RawAnswer:
    """Return what an HTTP status without a JSON-RPC answer says of the call."""
    if status in REFUSED_UNREAD:
        return RawAnswer(Delivery.NOT_SENT, detail=f"the server refused the request with HTTP {status}")
    if status in TRY_LATER:
        return RawAnswer(
            Delivery.ANSWERED, content=f"The tool's server is busy (HTTP {status}).", is_error=True, retryable=True
        )
    if 300 <= status < 400:
        return uncertain(f"the server redirects (HTTP {status}), and redirects are not followed")
    return uncertain(f"HTTP {status} without a usable answer")


def of_reply(reply: Reply) -> RawAnswer:
    """Return what a complete, matching JSON-RPC reply says of the call."""
    if reply.error is not None:
        return _of_error(reply.error)
    result = reply.result or {}
    kind = result.get("resultType", "complete")
    if kind == "input_required":
        return RawAnswer(Delivery.ANSWERED, content="The tool asks for input from a person first.", is_error=True)
    if kind != "complete":
        return uncertain("the result is of a kind that this client did not ask for")
    is_error = result.get("isError", False)
    blocks = result.get("content", [])
    if not isinstance(is_error, bool) or not isinstance(blocks, list):
        return uncertain("the result is not a tool result")
    if "structuredContent" in result:
        return RawAnswer(Delivery.ANSWERED, content=result["structuredContent"], is_error=is_error)
    if "content" not in result:
        return uncertain("the result is not a tool result")
    return RawAnswer(Delivery.ANSWERED, content=_value_of(blocks), is_error=is_error)


def uncertain(detail: str) -> RawAnswer:
    """Return the answer for a call that may or may not have run."""
    return RawAnswer(Delivery.UNCERTAIN, detail=detail)


def _of_error(error: RpcError) -> RawAnswer:
    if error.code in _BEFORE_RUNNING:
        return RawAnswer(Delivery.ANSWERED, content=error.message, is_error=True)
    return uncertain(f"the server failed inside (JSON-RPC error {error.code})")


def _value_of(blocks: list[Json]) -> Json:
    """Return one text as itself or as the JSON it holds, several texts as a list, anything else as the blocks stand."""
    texts = [_text_of(block) for block in blocks]
    if any(text is None for text in texts):
        return blocks
    values = [_parsed(text) for text in texts if text is not None]
    return values[0] if len(values) == 1 else values


def _text_of(block: Json) -> str | None:
    if isinstance(block, dict) and block.get("type") == "text" and isinstance(block.get("text"), str):
        text: str = block["text"]
        return text
    return None


def _parsed(text: str) -> Json:
    # Only objects and arrays: a bare 007 or 1e5 is text that the agent should see as it stands.
    if text.lstrip()[:1] not in {"{", "["}:
        return text
    try:
        return parse_json(text)
    except BadInput:
        return text


def cursor_of(result: JsonObject) -> str | None:
    """Return the cursor to the next page of a list, or None on its last page."""
    cursor = result.get("nextCursor")
    return cursor if isinstance(cursor, str) and cursor else None
