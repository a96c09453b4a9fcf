"""The providers that a router file declares, each behind the same port."""

from collections.abc import Callable, Mapping

from interlock.adapters.providers.credentials import Credential
from interlock.adapters.providers.http import ProviderHttp
from interlock.adapters.providers.openai import OpenAiCompatible, OpenAiProvider
from interlock.adapters.providers.scripted import ScriptedProvider
from interlock.config import ProviderFile, ProviderKind
from interlock.domain.errors import ConfigurationError
from interlock.domain.models import Dialect
from interlock.gateway.ports import Secrets
from interlock.models.codecs.anthropic import Anthropic
from interlock.models.codecs.bedrock import Bedrock
from interlock.models.codecs.gemini import Gemini
from interlock.models.codecs.openai_chat import OpenAiChat
from interlock.models.codecs.openai_embeddings import OpenAiEmbeddings
from interlock.models.codecs.openai_responses import OpenAiResponses
from interlock.models.counting import Count
from interlock.models.ports import Provider
from interlock.models.wire import Wire

WireOf = Callable[[str, Dialect], Wire]


def all_wires() -> Mapping[Dialect, Wire]:
    """Return every wire format."""
    wires: tuple[Wire, ...] = (
        OpenAiChat(),
        OpenAiResponses(),
        OpenAiEmbeddings(),
        Anthropic(),
        Gemini(),
        Bedrock(),
    )
    return {wire.dialect: wire for wire in wires}


def wires_of(declared: tuple[ProviderFile, ...], wires: Mapping[Dialect, Wire]) -> WireOf:
    """Return what finds the wire format of one provider: servers like OpenAI's know the older name of the output cap only."""
    older: Wire = OpenAiChat(legacy_cap=True)
    compatible = {one.name for one in declared if one.kind is ProviderKind.OPENAI_COMPATIBLE}

    def wire_of(provider: str, dialect: Dialect) -> Wire:
        return older if dialect is Dialect.OPENAI_CHAT and provider in compatible else wires[dialect]

    return wire_of


def provider_of(
    declared: ProviderFile, http: ProviderHttp, secrets: Secrets, wires: Mapping[Dialect, Wire], count: Count
) -> Provider:
    """Return one provider; nothing is sent yet. Raises ConfigurationError."""
    match declared.kind:
        case ProviderKind.OPENAI:
            return OpenAiProvider(
                declared.name,
                http,
                credential=_needed(declared, secrets),
                **({"base_url": declared.base_url} if declared.base_url else {}),
                ca_file=declared.ca_file,
            )
        case ProviderKind.OPENAI_COMPATIBLE:
            return OpenAiCompatible(
                declared.name,
                declared.base_url,
                http,
                credential=_credential(declared, secrets),
                responses=Dialect.OPENAI_RESPONSES in declared.dialects,
                ca_file=declared.ca_file,
            )
        case ProviderKind.SCRIPTED:
            return ScriptedProvider(declared.name, declared.script, wires, count)
        case _:
            raise ConfigurationError(f"The provider '{declared.name}' is of a kind that cannot be built")


def _credential(declared: ProviderFile, secrets: Secrets) -> Credential | None:
    return Credential(secrets, declared.credential, declared.name) if declared.credential else None


def _needed(declared: ProviderFile, secrets: Secrets) -> Credential:
    found = _credential(declared, secrets)
    if found is None:
        raise ConfigurationError(f"The provider '{declared.name}' has no credential", do="Set `credential`")
    return found
