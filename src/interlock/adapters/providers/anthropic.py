"""Anthropic's Messages."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from interlock.adapters.providers.credentials import Credential
from interlock.adapters.providers.http import ProviderHttp
from interlock.adapters.providers.site import Site
from interlock.domain.errors import ModelRefused
from interlock.domain.models import Dialect
from interlock.models.ports import Answer, Outbound, Provider

ANTHROPIC_BASE: Final = "https://api.anthropic.com"
VERSION: Final = "2023-06-01"
"""The version of the format; a caller may name another."""
_PASSES = frozenset({"anthropic-beta", "anthropic-version"})


class AnthropicProvider(Provider):
    """Anthropic, or a server that speaks its format."""

    def __init__(
        self,
        name: str,
        http: ProviderHttp,
        *,
        credential: Credential | None,
        base_url: str = ANTHROPIC_BASE,
        headers: Mapping[str, str] | None = None,
        ca_file: Path | None = None,
    ) -> None:
        """`base_url` may end in /v1 or not. Raises ConfigurationError."""
        self._name = name
        self._site = Site(
            name,
            base_url.rstrip("/").removesuffix("/v1"),
            http,
            credential=credential,
            seal=lambda secret: {"x-api-key": secret},
            headers={"anthropic-version": VERSION, **(headers or {})},
            passes=_PASSES,
            ca_file=ca_file,
        )
        self._url = self._site.url("/v1/messages")

    @property
    def name(self) -> str:
        return self._name

    def speaks(self, dialect: Dialect) -> Dialect:  # noqa: ARG002
        return Dialect.ANTHROPIC

    async def open(self, outbound: Outbound, dialect: Dialect) -> Answer:
        if dialect is not Dialect.ANTHROPIC:
            raise ModelRefused(f"The provider '{self._name}' is not asked in the format {dialect}")
        return await self._site.post(self._url, outbound)

    async def models(self) -> tuple[str, ...]:
        return await self._site.names(
            "/v1/models", rows="data", name="id", query={"limit": "1000"}, page="after_id", next_page="last_id"
        )

    async def close(self) -> None:
        """Nothing to do: the connections belong to the pool."""
