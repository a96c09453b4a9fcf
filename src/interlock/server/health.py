"""Health for machines: is the process up, and can it serve calls. Both answer everyone and say nothing else."""

from dataclasses import dataclass

from starlette.types import Receive, Scope, Send

from interlock.domain.errors import InterlockError
from interlock.gateway.desks import Desks
from interlock.server.problems import send_json


class NotReady(InterlockError):
    """The process is up and cannot serve calls yet: no release is published."""

    code = "not_ready"
    status = 503


async def healthz(scope: Scope, receive: Receive, send: Send) -> None:
    """Say that the process is up."""
    del scope, receive
    await send_json(send, 200, {"status": "up"})


@dataclass(frozen=True, slots=True)
class Readiness:
    """Says whether the store answers and a release is published, and by their codes what needs a person's attention."""

    desks: Desks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Raises StoreUnavailable or NotReady."""
        del scope, receive
        if not self.desks.publisher.published:
            raise NotReady("No release is published yet", do="Wait a moment, then look into the log of the server")
        await self.desks.records.answers()
        # Calls are decided and recorded all the same: whoever balances load must not take this server away.
        problems = [one.code for one in self.desks.audit.problems()]
        await send_json(send, 200, {"status": "degraded", "problems": problems} if problems else {"status": "ready"})
