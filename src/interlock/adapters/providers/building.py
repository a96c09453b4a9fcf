"""From a provider as the router file declares it to the object that is asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from interlock.adapters.providers.anthropic import ANTHROPIC_BASE, AnthropicProvider
from interlock.adapters.providers.bedrock import AwsCredential, BedrockProvider
from interlock.adapters.providers.credentials import Credential
from interlock.adapters.providers.gemini import GEMINI_BASE, GeminiProvider
from interlock.adapters.providers.http import ProviderHttp
from interlock.adapters.providers.local_embeddings import LocalEmbeddings
from interlock.adapters.providers.openai import OPENAI_BASE, OpenAiCompatible, OpenAiProvider
from interlock.adapters.providers.recorded import RecordedProvider
from interlock.adapters.providers.scripted import ScriptedProvider
from interlock.config import ProviderFile, ProviderKind
from interlock.domain.errors import ConfigurationError
from interlock.domain.models import Dialect
from interlock.gateway.ports import Secrets
from interlock.models.counting import Count
from interlock.models.ports import Provider
from interlock.models.recorded import Rates
from interlock.models.wire import Wire


@dataclass(frozen=True, slots=True)
class Supplies:
    """What providers are made from, besides what is declared of each."""

    http: ProviderHttp
    secrets: Secrets
    wires: Mapping[Dialect, Wire]
    count: Count
    """Tells the tokens of a text, for replies that are made here."""
    rates: Mapping[str, Rates] = field(default_factory=dict)
    """What recorded models cost, for records that leave the tokens from the cache out."""


def provider_of(declared: ProviderFile, supplies: Supplies) -> Provider:
    """Return the provider. Raises ConfigurationError, naming where it is declared."""
    try:
        return _made(declared, supplies)
    except ConfigurationError as error:
        where = f"{declared.source}: " if declared.source else ""
        raise ConfigurationError(f"{where}{error.what}", why=error.why, do=error.do) from None


def _made(declared: ProviderFile, supplies: Supplies) -> Provider:
    name, http, base, ca_file = declared.name, supplies.http, declared.base_url, declared.ca_file
    key = _credential(declared, declared.credential, supplies.secrets)
    match declared.kind:
        case ProviderKind.OPENAI:
            return OpenAiProvider(name, http, credential=key, base_url=base or OPENAI_BASE, ca_file=ca_file)
        case ProviderKind.OPENAI_COMPATIBLE:
            return OpenAiCompatible(name, base, http, credential=key, dialects=declared.dialects, ca_file=ca_file)
        case ProviderKind.ANTHROPIC:
            return AnthropicProvider(name, http, credential=key, base_url=base or ANTHROPIC_BASE, ca_file=ca_file)
        case ProviderKind.GEMINI:
            return GeminiProvider(name, http, credential=key, base_url=base or GEMINI_BASE, ca_file=ca_file)
        case ProviderKind.BEDROCK:
            return _bedrock(declared, key, supplies)
        case ProviderKind.SCRIPTED:
            return ScriptedProvider(name, declared.script, supplies.wires, supplies.count)
        case ProviderKind.RECORDED:
            return RecordedProvider(name, declared.recordings, supplies.wires, supplies.count, supplies.rates)
        case ProviderKind.LOCAL_EMBEDDINGS:
            return LocalEmbeddings(name, supplies.wires)
    raise ConfigurationError(f"The provider '{name}' of type {declared.kind} is not built in")


def _bedrock(declared: ProviderFile, key: Credential | None, supplies: Supplies) -> BedrockProvider:
    access = _credential(declared, declared.access_key, supplies.secrets)
    secret = _credential(declared, declared.secret_key, supplies.secrets)
    token = _credential(declared, declared.session_token, supplies.secrets)
    proof = AwsCredential(access, secret, token) if access is not None and secret is not None else key
    if proof is None:
        raise ConfigurationError(
            f"The provider '{declared.name}' has no credential",
            do="Name access_key and secret_key, or an API key as credential",
        )
    return BedrockProvider(
        declared.name, supplies.http, declared.region, proof, base_url=declared.base_url, ca_file=declared.ca_file
    )


def _credential(declared: ProviderFile, reference: str | None, secrets: Secrets) -> Credential | None:
    return None if reference is None else Credential(secrets, reference, declared.name)
