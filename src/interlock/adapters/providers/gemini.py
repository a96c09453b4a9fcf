"""Google's Gemini."""

from pathlib import Path
from typing import Final
from urllib.parse import quote

from yarl import URL

from interlock.adapters.providers.credentials import Credential
from interlock.adapters.providers.http import ProviderHttp
from interlock.adapters.providers.site import Site
from interlock.domain.errors import ModelRefused
from interlock.domain.models import Dialect
from interlock.models.ports import Answer, Operation, Outbound, Provider

GEMINI_BASE: Final = "https://generativelanguage.googleapis.com/v1beta"


class GeminiProvider(Provider):
    """The Gemini API: generateContent, whole or as server-sent events."""

    def __init__(
        self,
        name: str,
        http: ProviderHttp,
        *,
        credential: Credential | None,
        base_url: str = GEMINI_BASE,
        ca_file: Path | None = None,
    ) -> None:
        """Raises ConfigurationError for a base URL or CA file that cannot be used."""
        self._name = name
        self._site = Site(
            name,
            base_url,
            http,
            credential=credential,
            seal=lambda secret: {"x-goog-api-key": secret},
            ca_file=ca_file,
        )

    @property
    def name(self) -> str:
        return self._name

    def speaks(self, dialect: Dialect) -> Dialect:  # noqa: ARG002
        return Dialect.GEMINI

    async def open(self, outbound: Outbound, dialect: Dialect) -> Answer:
        if dialect is not Dialect.GEMINI or outbound.operation is not Operation.REPLY:
            raise ModelRefused(f"The provider '{self._name}' is not asked in the format {dialect}")
        return await self._site.post(self._url(outbound.model, stream=outbound.stream), outbound)

    async def models(self) -> tuple[str, ...]:
        names = await self._site.names(
            "/models",
            rows="models",
            name="name",
            query={"pageSize": "1000"},
            page="pageToken",
            next_page="nextPageToken",
        )
        return tuple(name.removeprefix("models/") for name in names)

    async def close(self) -> None:
        """Nothing to do: the connections belong to the pool."""

    def _url(self, model: str, *, stream: bool) -> URL:
        # `tunedModels/x` and such say their own collection.
        path = model if "/" in model else f"models/{model}"
        if not {"", ".", ".."}.isdisjoint(path.split("/")):
            raise ModelRefused(f"The provider '{self._name}' is not asked", why=f"'{model}' is not the name of a model")
        path = quote(path, safe="/")
        return self._site.url(f"/{path}:streamGenerateContent?alt=sse" if stream else f"/{path}:generateContent")
