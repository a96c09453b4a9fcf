"""Every wire format, and the one in which a provider is spoken to."""

from collections.abc import Callable, Mapping

from interlock.config import ProviderFile, ProviderKind
from interlock.domain.models import Dialect
from interlock.models.codecs.anthropic import Anthropic
from interlock.models.codecs.bedrock import Bedrock
from interlock.models.codecs.gemini import Gemini
from interlock.models.codecs.openai_chat import OpenAiChat
from interlock.models.codecs.openai_embeddings import OpenAiEmbeddings
from interlock.models.codecs.openai_responses import OpenAiResponses
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
