"""Connections to model providers: one pool for the process, ready bytes out, bytes back as they come."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import aiohttp
from aiohttp.http_exceptions import ContentEncodingError, DecompressSizeError
from multidict import CIMultiDict
from yarl import URL

from interlock.domain.errors import (
    BadModelReply,
    ConfigurationError,
    ModelFailed,
    ModelTimeout,
    ModelUnavailable,
    ReplyCut,
)
from interlock.models.ports import Answer

MAX_REPLY: Final = 64 << 20
"""The longest whole reply that is read, in bytes, after decompression."""
MAX_STREAM: Final = 256 << 20
"""The same of a streamed one, most of which is wrapping: its words are kept until it ends."""
# Below what common servers on the own machine or network keep a connection open for (5 s), so that a request seldom
# meets one that is just closing. Providers outside keep theirs for minutes, and opening one anew costs two round trips.
_KEPT_S = {"http": 4.0, "https": 30.0}
_LIST_S = 30.0
_UNREADABLE = (ContentEncodingError, DecompressSizeError)
_BROKE = (aiohttp.ClientError, OSError)


class HttpAnswer(Answer):
    """An answer whose body is still on the wire."""

    __slots__ = ("_idle_s", "_provider", "_response")

    def __init__(self, provider: str, response: aiohttp.ClientResponse, idle_s: float) -> None:
        self._provider = provider
        self._response = response
        self._idle_s = idle_s

    @property
    def status(self) -> int:
        return self._response.status

    @property
    def headers(self) -> Mapping[str, str]:
        """Response headers; they are found under any case."""
        return self._response.headers

    async def read(self) -> bytes:
        content = self._response.content
        try:
            first = content.read_nowait()
            if content.is_eof() and content.exception() is None:
                return first if len(first) <= MAX_REPLY else self._too_long(MAX_REPLY)
            return await self._rest(first)
        except _BROKE as error:
            raise self._broke(error) from None

    async def _rest(self, first: bytes) -> bytes:
        blocks, size, content = [first], len(first), self._response.content
        with _Pauses(self._response, self._idle_s, self._provider) as pauses:
            while True:
                pauses.begins()
                block = await content.readany()
                pauses.ends()
                if not block:
                    return b"".join(blocks)
                size += len(block)
                if size > MAX_REPLY:
                    self._too_long(MAX_REPLY)
                blocks.append(block)

    async def chunks(self) -> AsyncIterator[bytes]:
        content = self._response.content
        try:
            # A stream may stand open long before its first token: that wait is the road's to limit.
            block = await content.readany()
            if not block:
                return
            size = 0
            with _Pauses(self._response, self._idle_s, self._provider) as pauses:
                while block:
                    size += len(block)
                    if size > MAX_STREAM:
                        self._too_long(MAX_STREAM)
                    yield block
                    pauses.begins()
                    block = await content.readany()
                    pauses.ends()
        except _BROKE as error:
            # What came before the connection broke may be the end of the reply; in any case it is paid for.
            left = b"".join(content._buffer)  # noqa: SLF001 - the library keeps it, and gives no way to read it
            if left:
                yield left
            raise self._broke(error) from None

    async def close(self) -> None:
        self._response.close()

    def _too_long(self, most: int) -> bytes:
        self._response.close()
        raise BadModelReply(
            f"The reply of the provider '{self._provider}' is withheld", why=f"it is longer than {most >> 20} MiB"
        )

    def _broke(self, error: BaseException) -> ModelFailed:
        self._response.close()
        if isinstance(error, TimeoutError):
            return ModelTimeout(f"The provider '{self._provider}' did not answer in time")
        if isinstance(error.__cause__, _UNREADABLE):
            return BadModelReply(
                f"The reply of the provider '{self._provider}' cannot be read", why="its compression is broken"
            )
        return ReplyCut(f"The connection to the provider '{self._provider}' broke within the reply")


class _Pauses:
    """Ends a wait for more of a body when it lasts too long. One timer per body: to move one at each chunk costs more
    than the chunk. Time in which the reader is busy elsewhere does not count.
    """

    __slots__ = ("_idle_s", "_loop", "_provider", "_response", "_since", "_timer")

    def __init__(self, response: aiohttp.ClientResponse, idle_s: float, provider: str) -> None:
        self._response = response
        self._idle_s = idle_s
        self._provider = provider
        self._loop = asyncio.get_running_loop()
        self._since: float | None = None

    def __enter__(self) -> Self:
        self._timer = self._loop.call_later(self._idle_s, self._look)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()

    def begins(self) -> None:
        self._since = self._loop.time()

    def ends(self) -> None:
        self._since = None

    def _look(self) -> None:
        waited = 0.0 if self._since is None else self._loop.time() - self._since
        if waited < self._idle_s:
            self._timer = self._loop.call_later(self._idle_s - waited, self._look)
            return
        self._response.content.set_exception(
            ModelTimeout(
                f"The provider '{self._provider}' paused within its reply",
                why=f"for more than {self._idle_s:g} seconds",
            )
        )


class ProviderHttp:
    """The pool. Providers share one; who made it closes it. Verifies TLS always, follows no redirect, keeps no cookie."""

    def __init__(self, *, per_host: int = 0, environment_proxies: bool = False) -> None:
        """`per_host` limits connections to one host, 0 does not; `environment_proxies` heeds HTTPS_PROXY and such."""
        self._per_host = per_host
        self._environment_proxies = environment_proxies
        self._sessions: dict[str, aiohttp.ClientSession] = {}
        self._timeouts: dict[int, aiohttp.ClientTimeout] = {}

    async def post(
        self,
        provider: str,
        url: URL,
        body: bytes,
        headers: CIMultiDict[str],
        *,
        connect_ms: int,
        idle_ms: int,
        trust: ssl.SSLContext | bool = True,
    ) -> HttpAnswer:
        """Send `body` and return the answer once its head has come.

        Raises ModelUnavailable when nothing was sent or the connection broke before the head, BadModelReply when the
        head is not HTTP or redirects.
        """
        timeout = self._timeouts.get(connect_ms) or self._timeout(connect_ms)
        session = self._sessions.get(url.scheme) or self._session(url.scheme)
        try:
            response = await session.post(
                url, data=body, headers=headers, timeout=timeout, ssl=trust, allow_redirects=False
            )
        except _BROKE as error:
            raise unreachable(provider, error) from None
        if 300 <= response.status < 400:
            response.close()
            raise _redirected(provider)
        return HttpAnswer(provider, response, idle_ms / 1000)

    async def get(
        self, provider: str, url: URL, headers: CIMultiDict[str], *, trust: ssl.SSLContext | bool = True
    ) -> HttpAnswer:
        """Return the answer to a question that changes nothing. Raises like `post`."""
        session = self._sessions.get(url.scheme) or self._session(url.scheme)
        timeout = aiohttp.ClientTimeout(total=_LIST_S, sock_connect=_LIST_S)
        try:
            response = await session.get(url, headers=headers, timeout=timeout, ssl=trust, allow_redirects=False)
        except _BROKE as error:
            raise unreachable(provider, error) from None
        if 300 <= response.status < 400:
            response.close()
            raise _redirected(provider)
        return HttpAnswer(provider, response, _LIST_S)

    async def close(self) -> None:
        """Let go of every connection."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    def _timeout(self, connect_ms: int) -> aiohttp.ClientTimeout:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_ms / 1000)
        if len(self._timeouts) < 256:
            self._timeouts[connect_ms] = timeout
        return timeout

    def _session(self, scheme: str) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=0, limit_per_host=self._per_host, keepalive_timeout=_KEPT_S[scheme])
        session = self._sessions[scheme] = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=self._environment_proxies
        )
        return session


def checked_base(base_url: str, provider: str) -> URL:
    """Return the configured base URL without a slash at its end. Raises ConfigurationError unless it is plain http(s)."""
    try:
        url = URL(base_url.rstrip("/"))
    except ValueError:
        url = URL()
    if url.scheme not in _KEPT_S or not url.host or url.user or url.password or url.query_string or url.fragment:
        raise ConfigurationError(
            f"The base URL of the provider '{provider}' cannot be used",
            why="it needs a scheme and a host, and no user, query or fragment",
            do="Write it like https://api.example.com/v1",
        )
    return url


def trust_of(ca_file: Path | None, provider: str) -> ssl.SSLContext | bool:
    """Return whom TLS trusts: what the system trusts, and the authorities in `ca_file`. Raises ConfigurationError."""
    if ca_file is None:
        return True
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"The CA file of the provider '{provider}' cannot be used",
            why=error.strerror or "it holds no certificate",
            do="Name a file with certificates in PEM format",
        ) from None
    return context


def unreachable(provider: str, error: BaseException) -> ModelFailed:
    """Return what a failure before the head of the answer stands for."""
    if isinstance(error, aiohttp.ClientResponseError):
        return BadModelReply(f"The provider '{provider}' does not answer in HTTP", do="Check its base URL")
    return ModelUnavailable(f"The provider '{provider}' cannot be reached", why=_told(error), do="Check that it runs")


def _told(error: BaseException) -> str:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return f"its certificate is not trusted ({error.certificate_error})"
        case aiohttp.ClientConnectorDNSError():
            return "its name has no address"
        case aiohttp.ClientSSLError():
            return "TLS fails"
        case aiohttp.ClientConnectorError():
            return f"the connection fails: {error.os_error.strerror or type(error.os_error).__name__}"
        case TimeoutError():
            return "the connection did not come about in time"
    return "the connection broke before the answer began"


def _redirected(provider: str) -> BadModelReply:
    return BadModelReply(
        f"The provider '{provider}' answers with a redirect", why="none is followed", do="Check its base URL"
    )
