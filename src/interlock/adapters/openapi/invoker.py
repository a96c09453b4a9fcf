"""Carry calls out over HTTP, and say precisely what is known afterwards."""

import aiohttp

from interlock.adapters.openapi.answers import read_answer, uncertain
from interlock.adapters.openapi.egress import OwnNetwork, SentAndBroken, checked_base, open_session
from interlock.adapters.openapi.encoding import NotEncodable
from interlock.adapters.openapi.requests import Request, build_request
from interlock.domain.canonical import JsonObject
from interlock.domain.errors import ConfigurationError
from interlock.gateway.ports import Delivery, Invocation, RawAnswer, ToolInvoker

_CONNECT_S = 10.0
_NEVER_LEFT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)


class OpenApiInvoker(ToolInvoker):
    """One configured HTTP upstream: a base URL, one kind of credential, a pool of connections."""

    def __init__(self, connection: str, base_url: str, *, auth: str = "", private: bool = False) -> None:
        """`auth` overrides how the document says that the credential travels (see `parse_auth`).

        `private` allows a host inside the own network. Raises ConfigurationError for an unusable URL or `auth`.
        """
        self._base = checked_base(base_url, connection)
        self._auth = parse_auth(auth) if auth else None
        self._private = private
        self._session: aiohttp.ClientSession | None = None

    async def invoke(self, invocation: Invocation) -> RawAnswer:
        credential = self._auth or invocation.contract.upstream.details.get("credential")
        if invocation.secret is not None and credential is None:
            return RawAnswer(
                Delivery.NOT_SENT, detail="nothing says how the credential travels; set 'auth' for the connection"
            )
        try:
            request = build_request(self._base, invocation, credential)
        except NotEncodable as error:
            return RawAnswer(Delivery.NOT_SENT, detail=str(error))
        return await self._send(request, invocation)

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _send(self, request: Request, invocation: Invocation) -> RawAnswer:
        seconds = invocation.timeout_ms / 1000
        limits = aiohttp.ClientTimeout(total=seconds, connect=min(seconds * 0.9, _CONNECT_S))
        try:
            async with self._pool().request(
                request.method,
                request.url,
                headers=request.headers,
                data=request.body,
                allow_redirects=False,
                timeout=limits,
                max_headers=256,
            ) as response:
                return await read_answer(response, invocation.contract)
        # The errors' own words may hold the URL, and with it a credential: only their kind is passed on.
        except _NEVER_LEFT as error:
            return RawAnswer(Delivery.NOT_SENT, detail=_unreached(error))
        except TimeoutError:
            return uncertain(f"the tool did not answer within {invocation.timeout_ms} ms")
        except SentAndBroken as error:
            return uncertain(f"the connection broke before the answer was complete ({error})")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return uncertain(f"the answer could not be read ({type(error).__name__})")

    def _pool(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = open_session(self._base, private=self._private)
        return self._session


def _unreached(error: Exception) -> str:
    if isinstance(getattr(error, "os_error", None), OwnNetwork):
        return "the tool's host has only addresses inside the own network; 'private: true' would allow that"
    return f"the tool's host could not be reached ({type(error).__name__})"


def parse_auth(text: str) -> JsonObject:
    """Return where a credential goes, from `bearer`, `basic`, `header:NAME` or `query:NAME`.

    With `basic`, the secret is `user:password`, or a user name alone. Raises ConfigurationError for anything else.
    """
    place, _, name = text.partition(":")
    if place in {"bearer", "basic"} and not name:
        return {"in": place}
    if place in {"header", "query"} and name and name.isascii() and name.replace("-", "").replace("_", "").isalnum():
        return {"in": place, "name": name}
    raise ConfigurationError(
        f"'{text[:60]}' does not say how a credential travels", do="Write bearer, basic, header:NAME or query:NAME"
    )
