"""Open connections only to the configured host, and to no address inside the own network unless that is configured."""

import ipaddress
import socket

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from interlock.domain.errors import ConfigurationError

# Below what common servers keep a connection open for (5 s), so that a write seldom meets one that is just closing.
_KEPT_IDLE_S = 4.0
_CONNECTIONS = 64
# Where clouds keep a machine's credentials, besides the link-local addresses, which are all refused.
_METADATA = frozenset({"fd00:ec2::254", "100.100.100.200"})


class SentAndBroken(Exception):
    """The connection broke after the request had begun to leave."""


class OwnNetwork(OSError):
    """A named host has no address outside the own network."""


class GuardedResolver(AbstractResolver):
    """Resolves names like the system does, and drops addresses that no outside host may have.

    The connection is made to the very addresses that were checked, so a name cannot change its meaning in between.
    """

    def __init__(self, *, private: bool) -> None:
        """With `private`, addresses inside the own network are taken; those of link-local metadata never are."""
        self._inner = aiohttp.ThreadedResolver()
        self._private = private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        allowed = [result for result in found if reachable(result["host"], private=self._private)]
        if not allowed:
            raise OwnNetwork(None, "no address outside the own network")
        return allowed

    async def close(self) -> None:
        await self._inner.close()


def reachable(address: str, *, private: bool) -> bool:
    """Return whether a connection to the IP `address` of a named host is allowed."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    plain = getattr(parsed, "ipv4_mapped", None) or parsed
    if plain.is_link_local or plain.is_multicast or plain.is_unspecified or str(plain) in _METADATA:
        return False
    return private or plain.is_global


def checked_base(base_url: str, connection: str) -> URL:
    """Return the configured base URL, or raise ConfigurationError unless it is a plain http(s) address of a host."""
    try:
        url = URL(base_url)
    except ValueError:
        url = URL()
    if url.scheme not in {"http", "https"} or not url.host or url.user or url.query_string or url.fragment:
        raise ConfigurationError(
            f"The base URL of the connection '{connection}' cannot be used",
            why="it needs a scheme and a host, and no user, query or fragment",
            do="Write it like https://api.example.com/v1",
        )
    return url


def open_session(base: URL, *, private: bool = False) -> aiohttp.ClientSession:
    """Return a pool of connections for the host of `base`. Must be called inside the event loop.

    `private` allows a host inside the own network. A host that is configured as an IP address, or as `localhost`,
    has been chosen for what it is. No proxy or password file of the environment is used, no cookie is kept.
    """
    chosen = private or base.host == "localhost"
    connector = aiohttp.TCPConnector(
        limit=_CONNECTIONS, keepalive_timeout=_KEPT_IDLE_S, resolver=GuardedResolver(private=chosen)
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "interlock"},
        middlewares=(_send_once,),
        trust_env=False,
    )


async def _send_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    # aiohttp sends idempotent methods again by itself when a kept connection breaks. Whether to repeat is not its
    # decision: a repeated DELETE answers 404 and would be recorded as a failure of what has worked.
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise SentAndBroken(type(error).__name__) from None
