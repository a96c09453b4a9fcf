"""Under which key a reply is kept, so that only the very same question of the very same circle finds it (requirement M3)."""

from interlock.domain.canonical import Json, JsonObject, digest
from interlock.domain.models import Dialect, ModelCall
from interlock.domain.route_settings import CacheScope

_OF_DELIVERY = frozenset({"stream", "stream_options"})
"""Fields that say how the reply is delivered, not what it is."""


def exact_key(call: ModelCall, scope: CacheScope, model: str, body: JsonObject) -> str:
    """Return the key of the reply to `body`; `model` is the declared model that would serve it.

    Tenant, circle, model and every word of the request are in it.
    """
    asked = {name: value for name, value in body.items() if name not in _OF_DELIVERY}
    return digest([call.tenant, circle(call, scope), call.dialect.value, model, asked])


def circle(call: ModelCall, scope: CacheScope) -> list[Json]:
    """Return who shares replies with `call`. A call without the user or run that the scope goes by shares with nobody."""
    match scope:
        case CacheScope.TENANT:
            return ["tenant"]
        case CacheScope.AGENT:
            return ["agent", call.agent]
        case CacheScope.USER:
            return ["user", call.agent, call.user or call.run or call.id]
        case CacheScope.RUN:
            return ["run", call.run or call.id]


CACHEABLE = frozenset({Dialect.OPENAI_CHAT, Dialect.OPENAI_RESPONSES, Dialect.ANTHROPIC, Dialect.OPENAI_EMBEDDINGS})
"""The formats that callers speak, and so those in which replies are kept."""
