"""OpenAI, and servers that speak its formats."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from yarl import URL

from interlock.adapters.providers.credentials import Credential
from interlock.adapters.providers.http import ProviderHttp
from interlock.adapters.providers.site import Site
from interlock.domain.errors import ModelRefused
from interlock.domain.models import Dialect
from interlock.models.ports import Answer, Outbound, Provider

OPENAI_BASE: Final = "https://api.openai.com/v1"
_PATHS: Final = {
    Dialect.OPENAI_CHAT: "/chat/completions",
    Dialect.OPENAI_RESPONSES: "/responses",
    Dialect.OPENAI_EMBEDDINGS: "/embeddings",
}
_USUAL = frozenset({Dialect.OPENAI_CHAT, Dialect.OPENAI_EMBEDDINGS})
_PASSES = frozenset({"openai-beta"})


class OpenAiCompatible(Provider):
    """Any server with OpenAI's chat completions and embeddings, such as vLLM, Ollama and llama.cpp."""

    def __init__(
        self,
        name: str,
        base_url: str,
        http: ProviderHttp,
        *,
        credential: Credential | None = None,
        dialects: frozenset[Dialect] = _USUAL,
        headers: Mapping[str, str] | None = None,
        ca_file: Path | None = None,
    ) -> None:
        """`dialects` says which of OpenAI's formats the server has. Raises ConfigurationError."""
        self._name = name
        self._site = Site(name, base_url, http, credential=credential, headers=headers, passes=_PASSES, ca_file=ca_file)
        self._urls: dict[Dialect, URL] = {
            dialect: self._site.url(path) for dialect, path in _PATHS.items() if dialect in dialects
        }

    @property
    def name(self) -> str:
        return self._name

    def speaks(self, dialect: Dialect) -> Dialect:
        if dialect in self._urls:
            return dialect
        return next(iter(self._urls))  # chat completions, where the server has them

    async def open(self, outbound: Outbound, dialect: Dialect) -> Answer:
        url = self._urls.get(dialect)
        if url is None:
            raise ModelRefused(f"The provider '{self._name}' is not asked in the format {dialect}")
        return await self._site.post(url, outbound)

    async def models(self) -> tuple[str, ...]:
        return await self._site.names("/models", rows="data", name="id")

    async def close(self) -> None:
        """Nothing to do: the connections belong to the pool."""


class OpenAiProvider(OpenAiCompatible):
    """OpenAI itself: chat completions, responses and embeddings."""

    def __init__(
        self,
        name: str,
        http: ProviderHttp,
        *,
        credential: Credential | None,
        base_url: str = OPENAI_BASE,
        organization: str = "",
        project: str = "",
        ca_file: Path | None = None,
    ) -> None:
        """`organization` and `project` say who pays, where a key has several. Raises ConfigurationError."""
        payers = {"OpenAI-Organization": organization, "OpenAI-Project": project}
        headers = {header: value for header, value in payers.items() if value}
        super().__init__(
            name, base_url, http, credential=credential, dialects=frozenset(_PATHS), headers=headers, ca_file=ca_file
        )
