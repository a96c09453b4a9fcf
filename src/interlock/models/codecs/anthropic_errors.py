"""Errors in Anthropic's format: read from the provider, and written for its clients."""

import orjson

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import InterlockError, ModelFailed
from interlock.models.codecs.failures import failure
from interlock.models.sse import event

_STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
}


def read_error(status: int, body: bytes) -> ModelFailed:
    """Return what an answer with a status of 400 or more stands for."""
    try:
        error = orjson.loads(body)["error"]
        kind, message = error["type"], error.get("message")
    except (ValueError, LookupError, TypeError, AttributeError):
        kind, message = "", ""
    return failure(status, kind if isinstance(kind, str) else "", message)


def reported(body: JsonObject) -> ModelFailed:
    """Return the error that stands in place of a reply, or inside a stream."""
    error = body.get("error")
    said: JsonObject = error if isinstance(error, dict) else {}
    kind = said.get("type")
    kind = kind if isinstance(kind, str) else ""
    return failure(_STATUSES.get(kind, 500), kind, said.get("message"))


def write_error(error: InterlockError) -> dict[str, Json]:
    """Return `error` as clients of this format expect it, with our stable `code` in it."""
    kind = _TYPES.get(error.status, "invalid_request_error" if error.status < 500 else "api_error")
    return {"type": "error", "error": {"type": kind, "message": str(error), "code": error.code}}


def stream_error(error: InterlockError) -> bytes:
    """Return the event that tells the client of a stream that it is broken."""
    return event("error", orjson.dumps(write_error(error)))
