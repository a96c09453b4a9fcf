"""What one provider over HTTP is reached with: its address, its headers, its credential."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import orjson
from multidict import CIMultiDict, istr
from yarl import URL

from interlock.adapters.providers.credentials import Credential
from interlock.adapters.providers.http import HttpAnswer, ProviderHttp, checked_base, trust_of
from interlock.domain.canonical import JsonObject
from interlock.domain.errors import BadModelReply, ModelRefused, ModelUnavailable
from interlock.models.ports import Outbound

_PAGES: Final = 50
_TRACE: Final = frozenset({"traceparent", "tracestate"})
"""Headers of W3C Trace Context, which any server may read and none has to."""
Seal = Callable[[str], Mapping[str, str]]
"""Makes of a secret the headers that prove it."""


def bearer(secret: str) -> Mapping[str, str]:
    """Return the secret as a bearer token."""
    return {"authorization": f"Bearer {secret}"}


class Site:
    """One address of one provider."""

    def __init__(
        self,
        provider: str,
        base_url: str,
        http: ProviderHttp,
        *,
        credential: Credential | None = None,
        seal: Seal = bearer,
        headers: Mapping[str, str] | None = None,
        passes: frozenset[str] = frozenset(),
        ca_file: Path | None = None,
    ) -> None:
        """`headers` go with every request; of the caller's only those in `passes`, lower case, go on, and those of a trace.

        Raises ConfigurationError for a base URL or CA file that cannot be used.
        """
        self.provider = provider
        self.base = checked_base(base_url, provider)
        self._http = http
        self._credential = credential
        self._seal = seal
        self._passes = passes | _TRACE
        self._trust = trust_of(ca_file, provider)
        self._plain: CIMultiDict[str] = CIMultiDict()
        fixed = {
            "Accept": "*/*",
            "Accept-Encoding": "gzip, deflate",
            "Content-Type": "application/json",
            "User-Agent": "interlock",
        }
        for name, value in (fixed | dict(headers or {})).items():
            self._plain[istr(name)] = value
        self._sealed = self._plain
        self._sealed_with = ""

    def url(self, path: str) -> URL:
        """Return the address of `path`, whose special characters are escaped already, below the base."""
        return URL(f"{self.base}{path}", encoded=True)

    async def post(self, url: URL, outbound: Outbound, proof: Mapping[str, str] | None = None) -> HttpAnswer:
        """Send the request, with the headers `proof` that hold for it alone.

        Raises as `ProviderHttp.post` does, and ModelUnavailable without a credential.
        """
        headers = self._sealed
        if self._credential is not None:
            at_hand = self._credential.at_hand
            if not at_hand or at_hand != self._sealed_with:
                headers = await self._seal_anew(self._credential)
        if outbound.headers:
            headers = self._with_callers(headers, outbound.headers)
        if proof is not None:
            headers = headers.copy()
            headers.update(proof)
        answer = await self._http.post(
            self.provider,
            url,
            outbound.body,
            headers,
            connect_ms=outbound.connect_timeout_ms,
            idle_ms=outbound.idle_timeout_ms,
            trust=self._trust,
        )
        if answer.status == 401 and self._credential is not None:
            self._credential.forget()
        return answer

    async def get(self, url: URL, headers: Mapping[str, str] | None = None) -> JsonObject:
        """Return the JSON object behind `url`, asked for with `headers` besides. Raises ModelFailed."""
        sent = self._plain if self._credential is None else await self._seal_anew(self._credential)
        if headers:
            sent = sent.copy()
            sent.update(headers)
        answer = await self._http.get(self.provider, url, sent, trust=self._trust)
        try:
            body = await answer.read()
        finally:
            await answer.close()
        if answer.status != 200:
            raise self._unwilling(answer.status)
        try:
            parsed = orjson.loads(body)
        except orjson.JSONDecodeError:
            parsed = None
        if not isinstance(parsed, dict):
            raise BadModelReply(f"The list of models of the provider '{self.provider}' is not a JSON object")
        return parsed

    async def names(
        self,
        path: str,
        *,
        rows: str,
        name: str,
        query: Mapping[str, str] | None = None,
        page: str = "",
        next_page: str = "",
    ) -> tuple[str, ...]:
        """Return field `name` of every row of a list, following its pages: what an answer holds under `next_page` is
        asked for as `page`. Raises ModelFailed.
        """
        found: list[str] = []
        first = self.url(path).with_query(query)
        url = first
        for _ in range(_PAGES):
            listing = await self.get(url)
            listed = listing.get(rows)
            if not isinstance(listed, list):
                raise BadModelReply(f"The list of models of the provider '{self.provider}' has no '{rows}'")
            found += [row[name] for row in listed if isinstance(row, dict) and isinstance(row.get(name), str)]
            following = listing.get(next_page) if next_page and listing.get("has_more", True) else None
            if not isinstance(following, str) or not following:
                break
            url = first.update_query({page: following})
        return tuple(found)

    async def _seal_anew(self, credential: Credential) -> CIMultiDict[str]:
        secret = await credential.value()
        if secret != self._sealed_with:
            sealed = self._plain.copy()
            for name, value in self._seal(secret).items():
                sealed[istr(name)] = value
            self._sealed, self._sealed_with = sealed, secret
        return self._sealed

    def _with_callers(self, headers: CIMultiDict[str], callers: Mapping[str, str]) -> CIMultiDict[str]:
        passed = {name: value for name, value in callers.items() if name in self._passes}
        if not passed:
            return headers
        merged = headers.copy()
        merged.update(passed)
        return merged

    def _unwilling(self, status: int) -> ModelUnavailable | ModelRefused:
        what = f"The provider '{self.provider}' does not list its models"
        if status >= 500 or status == 429:
            return ModelUnavailable(what, why=f"it answers with HTTP {status}", do="Try again later")
        do = "Check its credential" if status in (401, 403) else "Check its base URL"
        return ModelRefused(what, why=f"it answers with HTTP {status}", do=do)
