"""Errors in OpenAI's formats: read from the provider, and written for its clients."""

import orjson

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import BudgetExceeded, InterlockError, ModelFailed
from interlock.models.codecs.failures import failure
from interlock.models.sse import event

# What stands in place of a status where an error comes inside a reply: types and codes of OpenAI and of servers like it.
_STATUSES = {
    "bio_policy": 400,
    "misalignment_policy_violation": 400,
    "data_residency_mismatch": 400,
    "unsupported_image_media_type": 400,
    "empty_image_file": 400,
    "failed_to_download_image": 400,
    "context_length_exceeded": 400,
    "content_filter": 400,
    "content_policy_violation": 400,
    "BadRequestError": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "NotFoundError": 404,
    "timeout": 504,
    "vector_store_timeout": 504,
    "timeout_error": 504,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "too_many_requests": 429,
    "requests": 429,
    "tokens": 429,
    "overloaded_error": 503,
    "server_is_overloaded": 503,
    "slow_down": 503,
}
_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    423: "permission_error",
    429: "rate_limit_error",
}


def read_error(status: int, body: bytes) -> ModelFailed:
    """Return what an answer with a status of 400 or more stands for."""
    try:
        said = orjson.loads(body)
    except ValueError:
        said = None
    kind, message, _ = _words(said)
    return failure(status, kind, message)


def reported(body: JsonObject) -> ModelFailed:
    """Return the error that stands in place of a reply, or inside a stream."""
    kind, message, status = _words(body)
    return failure(status, kind, message)


def _words(body: Json) -> tuple[str, str, int]:
    """Return the provider's word for the error, its message, and the status that both stand for."""
    said = body.get("error") if isinstance(body, dict) else None
    if isinstance(said, str):  # Ollama
        return "", said, 500
    if not isinstance(said, dict):  # older vLLM; FastAPI
        said = body if isinstance(body, dict) else {}
    message = next((said[key] for key in ("message", "detail") if isinstance(said.get(key), str)), "")
    code = said.get("code")
    if isinstance(code, int) and 400 <= code < 600:  # OpenRouter and others say the status again
        kind = said.get("type")
        return kind if isinstance(kind, str) else "", message, code
    words = [word for word in (code, said.get("type")) if isinstance(word, str) and word and word != "error"]
    return words[0] if words else "", message, _status(words)


def _status(words: list[str]) -> int:
    for word in words:
        if word in _STATUSES:
            return _STATUSES[word]
        if word.startswith(("invalid_", "image_")):
            return 400
    return 500


def write_error(error: InterlockError) -> dict[str, Json]:
    """Return `error` as clients of these formats expect it, with our stable `code` in it."""
    kind = _TYPES.get(error.status, "invalid_request_error" if error.status < 500 else "server_error")
    if isinstance(error, BudgetExceeded):
        kind = "insufficient_quota"
    return {"error": {"message": str(error), "type": kind, "param": None, "code": error.code}}


def stream_error(error: InterlockError) -> bytes:
    """Return the event that tells the client of a stream that it is broken."""
    return event("", orjson.dumps(write_error(error)))


def typed_stream_error(error: InterlockError) -> bytes:
    """Return the same for a stream of the Responses API, whose events have types.

    Official clients raise for `error`, and others look at the fields beside it.
    """
    body = write_error(error)
    told = {"type": "error", "sequence_number": 0, "code": error.code, "message": str(error), "param": None, **body}
    return event("error", orjson.dumps(told))
