"""The paths of the model surface, how its errors are told, and what the door lets through there."""

from collections.abc import Callable

from starlette.types import Scope, Send

from interlock.domain.errors import InterlockError
from interlock.domain.identity import Role
from interlock.domain.models import Dialect
from interlock.models.codecs.anthropic import Anthropic
from interlock.models.codecs.openai_chat import OpenAiChat
from interlock.models.codecs.openai_embeddings import OpenAiEmbeddings
from interlock.models.codecs.openai_responses import OpenAiResponses
from interlock.models.ports import Operation
from interlock.models.wire import Wire
from interlock.server.guard import Surface, Tell
from interlock.server.models.endpoints import ModelCalls, TokenCount
from interlock.server.models.listing import ModelList, OneModel, is_anthropic
from interlock.server.models.ports import Gate
from interlock.server.problems import send_json
from interlock.server.refusals import headers_of, worth_another_try
from interlock.server.routing import GuardedRoute

MAX_BODY = 16 << 20
"""The longest request to a model, in bytes: pictures and documents travel inside."""
CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"
EMBEDDINGS = "/v1/embeddings"
MESSAGES = "/v1/messages"
COUNT = "/v1/messages/count_tokens"
RESPONSES_COUNT = "/v1/responses/input_tokens"
MODELS = "/v1/models"
ONE_MODEL = "/v1/models/{id}"

_AGENTS = frozenset({Role.AGENT})
_STOP = (b"x-should-retry", b"false")
"""What both vendors' clients obey: without it they send a spent budget's request twice more."""


def model_routes(gate: Gate) -> tuple[GuardedRoute, ...]:
    """Return the routes of the model surface."""
    post, get = frozenset({"POST"}), frozenset({"GET"})
    return (
        GuardedRoute(CHAT, post, _AGENTS, ModelCalls(gate, Dialect.OPENAI_CHAT)),
        GuardedRoute(RESPONSES, post, _AGENTS, ModelCalls(gate, Dialect.OPENAI_RESPONSES)),
        GuardedRoute(EMBEDDINGS, post, _AGENTS, ModelCalls(gate, Dialect.OPENAI_EMBEDDINGS, Operation.EMBED)),
        GuardedRoute(MESSAGES, post, _AGENTS, ModelCalls(gate, Dialect.ANTHROPIC)),
        GuardedRoute(COUNT, post, _AGENTS, TokenCount(gate, Dialect.ANTHROPIC)),
        GuardedRoute(RESPONSES_COUNT, post, _AGENTS, TokenCount(gate, Dialect.OPENAI_RESPONSES)),
        GuardedRoute(MODELS, get, _AGENTS, ModelList(gate)),
        GuardedRoute(ONE_MODEL, get, _AGENTS, OneModel(gate)),
    )


def model_surfaces() -> Callable[[str], Surface | None]:
    """Return what the door asks for the surface of a path; paths below those of the model surface belong to it."""
    openai, anthropic = _surface(_told_by(OpenAiChat())), _surface(_told_by(Anthropic()))
    exact = {
        CHAT: openai,
        RESPONSES: _surface(_told_by(OpenAiResponses())),
        EMBEDDINGS: _surface(_told_by(OpenAiEmbeddings())),
        MESSAGES: anthropic,
        COUNT: anthropic,
        MODELS: _surface(_told_by_either(OpenAiChat(), Anthropic())),
        "/v1/chat": openai,
        # Clients that still know it are to read why it is not there.
        "/v1/completions": openai,
    }

    def surface_of(path: str) -> Surface | None:
        found = exact.get(path)
        if found is None and path.startswith("/v1/"):
            return exact.get("/".join(path.split("/", 3)[:3]))
        return found

    return surface_of


def _surface(tell: Tell) -> Surface:
    return Surface(tell, MAX_BODY, api_keys=True)


def _told_by(wire: Wire) -> Tell:
    async def tell(scope: Scope, send: Send, error: InterlockError) -> None:
        del scope
        headers = headers_of(error)
        if not worth_another_try(error):
            headers = (*headers, _STOP)
        await send_json(send, error.status, wire.write_error(error), headers)

    return tell


def _told_by_either(openai: Wire, anthropic: Wire) -> Tell:
    tells = _told_by(openai), _told_by(anthropic)

    async def tell(scope: Scope, send: Send, error: InterlockError) -> None:
        await tells[is_anthropic(scope)](scope, send, error)

    return tell
