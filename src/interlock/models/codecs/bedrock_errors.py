"""Errors in Bedrock's format: read from the provider, and written for its clients."""

import orjson

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import InterlockError, ModelFailed
from interlock.models.codecs.failures import failure
from interlock.models.sse import event

_STATUSES = {
    "accessdeniedexception": 403,
    "internalserverexception": 500,
    "modelerrorexception": 500,
    "modelnotreadyexception": 503,
    "modelstreamerrorexception": 500,
    "modeltimeoutexception": 504,
    "resourcenotfoundexception": 404,
    "servicequotaexceededexception": 429,
    "serviceunavailableexception": 503,
    "throttlingexception": 429,
    "validationexception": 400,
}
_EVENTS = {
    "messageStart",
    "contentBlockStart",
    "contentBlockDelta",
    "contentBlockStop",
    "messageStop",
    "metadata",
}
_NAMES = {
    400: "ValidationException",
    401: "AccessDeniedException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    429: "ThrottlingException",
    503: "ServiceUnavailableException",
    504: "ModelTimeoutException",
}


def read_error(status: int, body: bytes) -> ModelFailed:
    """Return what an answer with a status of 400 or more stands for."""
    try:
        said = orjson.loads(body)
    except ValueError:
        said = {}
    said = said if isinstance(said, dict) else {}
    kind = _kind(said)
    # A model that is not ready yet answers 429 and failures of the model 424: the name says what they are.
    return failure(_STATUSES.get(kind.lower(), status) if status in {424, 429} else status, kind, _message(said))


def reported(name: str, said: JsonObject) -> ModelFailed:
    """Return the error that came inside a stream, as an event called `name`."""
    kind = name if name.lower() in _STATUSES else _kind(said)
    return failure(_STATUSES.get(kind.lower(), 500), kind, _message(said))


def is_error(name: str, said: JsonObject) -> bool:
    """Return whether an event called `name` reports an error; codes of errors are open-ended, names of events are not."""
    if name in _EVENTS:
        return False
    return name.lower().endswith(("exception", "error")) or "message" in said


def _kind(said: JsonObject) -> str:
    for key in ("__type", "type", "code", "name"):
        value = said.get(key)
        if isinstance(value, str) and value:
            return value.rpartition("#")[2]
    return ""


def _message(said: JsonObject) -> Json:
    return said.get("message") or said.get("Message") or ""


def write_error(error: InterlockError) -> dict[str, Json]:
    """Return `error` as clients of this format expect it, with our stable `code` in it."""
    name = _NAMES.get(error.status, "ValidationException" if error.status < 500 else "InternalServerException")
    return {"__type": name, "message": str(error), "code": error.code}


def stream_error(error: InterlockError) -> bytes:
    """Return the event that tells the client of a stream that it is broken."""
    said = write_error(error)
    name = str(said["__type"])
    return event(f"{name[0].lower()}{name[1:]}", orjson.dumps(said))
