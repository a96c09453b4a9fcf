"""A router file as declared: providers with references to their secrets, and the routes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.models import Dialect
from interlock.domain.routes import Routes


class ProviderKind(StrEnum):
    """What answers."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    GEMINI = "gemini"
    BEDROCK = "bedrock"
    OPENAI_COMPATIBLE = "openai_compatible"
    """Any server that speaks OpenAI's formats: vLLM, Ollama, llama.cpp."""
    SCRIPTED = "scripted"
    RECORDED = "recorded"
    LOCAL_EMBEDDINGS = "local_embeddings"


@dataclass(frozen=True, slots=True)
class ProviderFile:
    """One provider as declared."""

    name: str
    kind: ProviderKind
    dialects: frozenset[Dialect]
    """What it is spoken to in."""
    prices: str
    """The provider under whose name prices are found."""
    outside: bool
    """Whether personal data must not reach it."""
    base_url: str = ""
    """Empty means the vendor's own."""
    credential: str | None = None
    """Reference to a secret: API key, or bearer token."""
    access_key: str | None = None
    secret_key: str | None = None
    session_token: str | None = None
    """References to AWS credentials, in place of `credential`."""
    region: str = ""
    script: Json = None
    """What a scripted provider says, parsed."""
    script_path: Path | None = None
    recordings: tuple[Path, ...] = ()
    ca_file: Path | None = None
    """Certificates that are trusted besides those of the system."""
    source: str = ""
    """`file:line`, for messages."""


@dataclass(frozen=True, slots=True)
class RouterFile:
    """All of it."""

    providers: tuple[ProviderFile, ...]
    routes: Routes
    prices: JsonObject = field(default_factory=dict)
    """The overrides of prices, parsed and otherwise as they stand in their file."""
    prices_path: Path | None = None
    files: tuple[Path, ...] = ()
    """Every file that was read."""

    def provider(self, name: str) -> ProviderFile:
        """Return the provider of that name; every model's is declared. Raises KeyError."""
        by_name: Mapping[str, ProviderFile] = {each.name: each for each in self.providers}
        return by_name[name]
