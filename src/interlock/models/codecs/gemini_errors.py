"""Errors in Google's format: read from the provider, and written for its clients."""

import re

import orjson

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import InterlockError, ModelFailed
from interlock.models.codecs.failures import failure
from interlock.models.sse import event

_STATUSES = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
_WORDS = {status: word for word, status in _STATUSES.items()} | {400: "INVALID_ARGUMENT"}
_SECONDS = re.compile(r"(\d{1,6}(?:\.\d{1,9})?)s")


def read_error(status: int, body: bytes) -> ModelFailed:
    """Return what an answer with a status of 400 or more stands for."""
    try:
        said = orjson.loads(body)
    except ValueError:
        said = {}
    # Streams that fail before they begin come as a list.
    said = said[0] if isinstance(said, list) and said else said
    return reported(said if isinstance(said, dict) else {}, status)


def reported(body: JsonObject, status: int = 0) -> ModelFailed:
    """Return the error that `body` holds; without `status`, its own word or number for it counts."""
    error = body.get("error")
    said: JsonObject = error if isinstance(error, dict) else {}
    kind, code = said.get("status"), said.get("code")
    kind = kind if isinstance(kind, str) else ""
    own = code if isinstance(code, int) and not isinstance(code, bool) and 400 <= code < 600 else 500
    wait = _wait(said.get("details"))
    return failure(status or _STATUSES.get(kind, own), kind, said.get("message"), retry_after_s=wait)


def _wait(details: Json) -> float | None:
    """Return how long the provider asks to wait."""
    for detail in details if isinstance(details, list) else ():
        delay = detail.get("retryDelay") if isinstance(detail, dict) else None
        if isinstance(delay, str) and (found := _SECONDS.fullmatch(delay)):
            return float(found[1])
    return None


def write_error(error: InterlockError) -> dict[str, Json]:
    """Return `error` as clients of this format expect it, with our stable `code` in it."""
    kind = _WORDS.get(error.status, "FAILED_PRECONDITION" if error.status < 500 else "INTERNAL")
    reason = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": error.code, "domain": "interlock"}
    return {"error": {"code": error.status, "message": str(error), "status": kind, "details": [reason]}}


def stream_error(error: InterlockError) -> bytes:
    """Return the event that tells the client of a stream that it is broken."""
    return event("", orjson.dumps(write_error(error)))
