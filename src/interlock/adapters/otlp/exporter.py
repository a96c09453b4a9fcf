"""A receiver of spans that is reached by OTLP over HTTP."""

import asyncio
import email.utils
import gzip
import hashlib
import logging
import time
from collections.abc import Sequence

import aiohttp

from interlock.adapters.otlp.encoding import Encoding, Resource, grouped
from interlock.domain.spans import Span
from interlock.gateway.exporting import Receiver, ReceiverAway
from interlock.gateway.ports import Secrets

_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=10)
_ANSWER_BYTES = 1 << 20
_LONGEST_WAIT_S = 600.0
"""A receiver that asks for more is asked again by then."""
_UNUSABLE = frozenset({400, 413, 422})
"""What is sent again unchanged would be refused again."""
_TOO_LARGE = 413
_LOG = logging.getLogger(__name__)


class OtlpReceiver(Receiver):
    """One URL. Follows no redirect: a receiver that moves is configured anew. Make it inside a running event loop."""

    def __init__(
        self,
        url: str,
        encoding: Encoding,
        resource: Resource,
        secrets: Secrets,
        *,
        credential: str | None = None,
        header: str = "authorization",
    ) -> None:
        """`credential` refers to a secret, which `header` carries; `authorization` carries it as a bearer."""
        self._url = url
        self._encoding = encoding
        self._resource = resource
        self._secrets = secrets
        self._credential = credential
        self._header = header
        self._http = aiohttp.ClientSession(
            timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar(), headers={"User-Agent": "interlock"}
        )

    @property
    def name(self) -> str:
        return hashlib.sha256(self._url.encode()).hexdigest()[:16]

    async def send(self, spans: Sequence[Span]) -> None:
        status, answer, after_s = await self._post(spans)
        if 200 <= status < 300:
            self._note(*self._encoding.rejected(answer))
        elif status == _TOO_LARGE and len(spans) > 1:
            middle = len(spans) // 2
            await self.send(spans[:middle])
            await self.send(spans[middle:])
        elif status in _UNUSABLE:
            _LOG.error(
                "A receiver of spans refuses %d of them for good (HTTP %d); they are left out", len(spans), status
            )
        else:
            raise ReceiverAway(f"A receiver of spans answers HTTP {status}", after_s=after_s)

    async def close(self) -> None:
        await self._http.close()

    async def _post(self, spans: Sequence[Span]) -> tuple[int, bytes, float | None]:
        """Return the status, the answer, and how many seconds the receiver asks to wait. Raises ReceiverAway, ToolUnavailable."""
        headers = {"Content-Type": self._encoding.content_type, "Content-Encoding": "gzip"}
        if self._credential is not None:
            secret = await self._secrets.resolve(self._credential)
            bearer = self._header.lower() == "authorization"
            headers[self._header] = f"Bearer {secret}" if bearer else secret
        groups = grouped(spans, self._resource)
        body = await asyncio.to_thread(lambda: gzip.compress(self._encoding.request(groups), 5))
        try:
            async with self._http.post(self._url, data=body, headers=headers, allow_redirects=False) as response:
                answer = await response.content.read(_ANSWER_BYTES)
                return response.status, answer, _seconds(response.headers.get("Retry-After", ""))
        # The words of these errors hold the URL, and with it perhaps a key: only their kind is passed on.
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ReceiverAway(f"A receiver of spans cannot be reached ({type(error).__name__})") from None

    def _note(self, rejected: int, said: str) -> None:
        if rejected:
            _LOG.warning("A receiver of spans rejected %d of them: %s", rejected, said[:200] or "it does not say why")


def _seconds(text: str) -> float | None:
    """Return how long `Retry-After` asks to wait, as seconds or as a date; None where it does not say."""
    if text.isascii() and text.isdigit():
        return min(float(text), _LONGEST_WAIT_S)
    try:
        at = email.utils.parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError):
        return None
    return min(max(0.0, at - time.time()), _LONGEST_WAIT_S)
