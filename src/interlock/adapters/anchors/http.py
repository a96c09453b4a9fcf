"""One request to an anchor, with its answer read whole."""

from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

from interlock.domain.errors import ToolUnavailable
from interlock.gateway.ports import Secrets

_WHOLE_S = 15.0
_LARGEST = 1 << 16


@dataclass(frozen=True, slots=True)
class HttpPlace:
    """A URL, and the secret that is sent there as a bearer token."""

    name: str
    secrets: Secrets
    credential: str | None = None

    async def send(
        self, method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Return status and body of the answer. Raises ToolUnavailable when there is none, or it is too long."""
        carried = dict(headers or {})
        if self.credential is not None:
            carried["authorization"] = f"Bearer {await self.secrets.resolve(self.credential)}"
        limit = aiohttp.ClientTimeout(total=_WHOLE_S)
        try:
            # Once a minute: a connection that was kept would have been closed by then.
            async with (
                aiohttp.ClientSession(timeout=limit, auto_decompress=False) as session,
                session.request(method, url, data=body or None, headers=carried, allow_redirects=False) as answer,
            ):
                return answer.status, await answer.content.read(_LARGEST)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise self.unavailable(type(error).__name__) from None

    def unavailable(self, why: str) -> ToolUnavailable:
        """Return the error of an anchor that cannot be used now."""
        return ToolUnavailable(f"The anchor {self.name} did not take the checkpoint", why=why, do="It is tried again")
