"""The providers that a router file declares, each behind the same port."""

from collections.abc import Callable, Mapping

from interlock.adapters.providers.anthropic import ANTHROPIC_BASE, AnthropicProvider
from interlock.adapters.providers.bedrock import AwsCredential, BedrockProvider
from interlock.adapters.providers.credentials import Credential
from interlock.adapters.providers.gemini import GEMINI_BASE, GeminiProvider
from interlock.adapters.providers.http import ProviderHttp
from interlock.adapters.providers.openai import OPENAI_BASE, OpenAiCompatible, OpenAiProvider
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
    name, base, ca_file = declared.name, declared.base_url, declared.ca_file
    key = _secret(declared, declared.credential, secrets)
    match declared.kind:
        case ProviderKind.OPENAI:
            return OpenAiProvider(
                name, http, credential=_needed(name, key), base_url=base or OPENAI_BASE, ca_file=ca_file
            )
        case ProviderKind.OPENAI_COMPATIBLE:
            responses = Dialect.OPENAI_RESPONSES in declared.dialects
            return OpenAiCompatible(name, base, http, credential=key, responses=responses, ca_file=ca_file)
        case ProviderKind.ANTHROPIC:
            return AnthropicProvider(name, http, credential=key, base_url=base or ANTHROPIC_BASE, ca_file=ca_file)
        case ProviderKind.GEMINI:
            return GeminiProvider(name, http, credential=key, base_url=base or GEMINI_BASE, ca_file=ca_file)
        case ProviderKind.BEDROCK:
            credential = key or _aws(declared, secrets)
            return BedrockProvider(name, http, declared.region, credential, base_url=base, ca_file=ca_file)
        case ProviderKind.SCRIPTED:
            return ScriptedProvider(name, declared.script, wires, count)
        case _:
            raise ConfigurationError(f"The provider '{name}' is of a kind that cannot be built")


def _secret(declared: ProviderFile, reference: str | None, secrets: Secrets) -> Credential | None:
    return Credential(secrets, reference, declared.name) if reference else None


def _aws(declared: ProviderFile, secrets: Secrets) -> AwsCredential:
    return AwsCredential(
        _needed(declared.name, _secret(declared, declared.access_key, secrets)),
        _needed(declared.name, _secret(declared, declared.secret_key, secrets)),
        _secret(declared, declared.session_token, secrets),
    )


def _needed(name: str, found: Credential | None) -> Credential:
    if found is None:
        raise ConfigurationError(f"The provider '{name}' has no credential", do="Set `credential` in the router file")
    return found
