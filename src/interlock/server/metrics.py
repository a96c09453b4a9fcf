"""The figures at /metrics, in Prometheus's text format."""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import Receive, Scope, Send

from interlock.domain.identity import Role
from interlock.server.guard import ANONYMOUS
from interlock.server.problems import send_bytes
from interlock.server.routing import GuardedRoute

PATH = "/metrics"
OPEN = ANONYMOUS | {PATH}
"""What answers everyone where the deployment says `metrics: {public: true}`."""
READERS = frozenset({Role.OPERATOR, Role.AUDITOR})
_TEXT = b"text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Figures:
    """Serves the text that `text` returns at that moment."""

    text: Callable[[], bytes]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request that came through the door."""
        del scope, receive
        await send_bytes(send, 200, self.text(), _TEXT)


def metrics_route(text: Callable[[], bytes], *, public: bool) -> GuardedRoute:
    """Return the route; without `public` it takes a key with the role `operator` or `auditor`."""
    return GuardedRoute(PATH, frozenset({"GET", "HEAD"}), None if public else READERS, Figures(text))
