"""The wire formats that the providers of our own are tried in."""

from collections.abc import Mapping

from interlock.domain.models import Dialect
from interlock.models.codecs.anthropic import Anthropic
from interlock.models.codecs.bedrock import Bedrock
from interlock.models.codecs.gemini import Gemini
from interlock.models.codecs.openai_chat import OpenAiChat
from interlock.models.codecs.openai_embeddings import OpenAiEmbeddings
from interlock.models.codecs.openai_responses import OpenAiResponses
from interlock.models.wire import Wire

WIRES: Mapping[Dialect, Wire] = {
    wire.dialect: wire
    for wire in (OpenAiChat(), OpenAiResponses(), Anthropic(), Gemini(), Bedrock(), OpenAiEmbeddings())
}
SPOKEN = tuple(dialect for dialect in WIRES if dialect is not Dialect.OPENAI_EMBEDDINGS)
