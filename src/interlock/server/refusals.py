"""What the door and the routes refuse by themselves, and the headers that go with any refusal."""

import math

from interlock.domain.errors import (
    BadInput,
    CallInProgress,
    InterlockError,
    ModelFailed,
    ModelRefused,
    SchemaUnmet,
    StoreUnavailable,
    TooLarge,
)
from interlock.server.problems import Headers


class HeadersTooLarge(TooLarge):
    """The request's header lines are more or longer than the limit; nothing ran."""

    code = "headers_too_large"
    status = 431


class UnsupportedContent(BadInput):
    """The body is declared as something that this path does not take; nothing ran."""

    code = "unsupported_content"
    status = 415


class MethodNotAllowed(InterlockError):
    """The resource exists and does not know this method; nothing ran."""

    code = "method_not_allowed"
    status = 405

    def __init__(self, methods: frozenset[str]) -> None:
        super().__init__("This path does not know that method", do=f"It knows {', '.join(sorted(methods))}")
        self.methods = methods


def headers_of(error: InterlockError) -> Headers:
    """Return the headers that HTTP has for what `error` says."""
    headers: list[tuple[bytes, bytes]] = []
    if error.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="interlock"'))
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", ", ".join(sorted(error.methods)).encode()))
    if isinstance(error, ModelFailed) and error.retry_after_s is not None:
        headers.append((b"retry-after", str(max(0, math.ceil(error.retry_after_s))).encode()))
    if error.record:
        headers.append((b"x-interlock-call", error.record.encode()))
    return tuple(headers)


def worth_another_try(error: InterlockError) -> bool:
    """Return whether the same request may fare better in a moment. A budget that is spent does not refill by asking."""
    if isinstance(error, ModelRefused | SchemaUnmet):
        return False
    return error.status == 503 or isinstance(error, ModelFailed | StoreUnavailable | CallInProgress)
