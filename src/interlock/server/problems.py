"""Errors as problem+json (RFC 9457): a stable code, what happened, why, and what to do; never a trace."""

from collections.abc import Iterator

import orjson
from starlette.types import Send

from interlock.domain.calls import Failure
from interlock.domain.canonical import Json
from interlock.domain.errors import InterlockError

PROBLEM = b"application/problem+json"
JSON = b"application/json"

Headers = tuple[tuple[bytes, bytes], ...]


def _family(error: type[InterlockError]) -> Iterator[type[InterlockError]]:
    yield error
    for child in error.__subclasses__():
        yield from _family(child)


def status_of(code: str) -> int:
    """Return the HTTP status that stands for an error code; 500 for a code that no error has."""
    return next((error.status for error in _family(InterlockError) if error.code == code), 500)


def problem(failure: Failure) -> dict[str, Json]:
    """Return the problem document of `failure`."""
    return {
        "type": f"urn:interlock:error:{failure.code}",
        "title": failure.what,
        "status": status_of(failure.code),
        "detail": said(failure),
        "code": failure.code,
        "what": failure.what,
        "why": failure.why,
        "do": failure.do,
    }


def failure_of(error: InterlockError) -> Failure:
    """Return the recorded form of `error`."""
    return Failure(error.code, error.what, error.why, error.do)


def said(failure: Failure) -> str:
    """Return the failure as sentences."""
    return str(InterlockError(failure.what, why=failure.why, do=failure.do))


async def send_problem(send: Send, error: InterlockError, headers: Headers = ()) -> None:
    """Answer the request with `error`."""
    document = problem(failure_of(error)) | {"status": error.status}
    await send_bytes(send, error.status, orjson.dumps(document), PROBLEM, headers)


async def send_json(send: Send, status: int, value: Json, headers: Headers = ()) -> None:
    """Answer the request with `value`."""
    await send_bytes(send, status, orjson.dumps(value), JSON, headers)


async def send_bytes(send: Send, status: int, body: bytes, kind: bytes, headers: Headers = ()) -> None:
    """Answer the request with `body`."""
    length = str(len(body)).encode()
    fixed = [(b"content-type", kind), (b"content-length", length), (b"cache-control", b"no-store")]
    fixed.append((b"x-content-type-options", b"nosniff"))
    await send({"type": "http.response.start", "status": status, "headers": [*fixed, *headers]})
    await send({"type": "http.response.body", "body": body})


async def send_empty(send: Send, status: int, headers: Headers = ()) -> None:
    """Answer the request without a body."""
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0"), *headers]})
    await send({"type": "http.response.body", "body": b""})
