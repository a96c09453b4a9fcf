"""GET /v1/models: what an agent may ask for, in the shape that the client expects."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import BadInput, UnknownModel
from interlock.gateway.models.requests import OpenModel
from interlock.server.guard import CALLER
from interlock.server.models.ports import Gate
from interlock.server.problems import send_json

OWNER = "interlock"
"""Whom tiers belong to."""
_PAGE = 1000
_UNKNOWN_DATE = "1970-01-01T00:00:00Z"
"""What Anthropic's reference has for a date of release that is not known."""


def is_anthropic(scope: Scope) -> bool:
    """Return whether the client is one of Anthropic's; both vendors list models at the same path."""
    return any(name == b"anthropic-version" for name, _ in scope["headers"])


@dataclass(frozen=True, slots=True)
class ModelList:
    """All of them."""

    gate: Gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request that came through the door."""
        del receive
        models = self.gate.models_for(scope[CALLER].principal)
        if is_anthropic(scope):
            await send_json(send, 200, anthropic_page(models, scope["query_string"]))
        else:
            await send_json(send, 200, {"object": "list", "data": [_openai(model) for model in models]})


@dataclass(frozen=True, slots=True)
class OneModel:
    """One of them."""

    gate: Gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request that came through the door. Raises UnknownModel."""
        del receive
        named = scope["path_params"]["id"]
        for model in self.gate.models_for(scope[CALLER].principal):
            if model.id == named:
                await send_json(send, 200, _anthropic(model) if is_anthropic(scope) else _openai(model))
                return
        raise UnknownModel("No model of this name is open to this agent", do="GET /v1/models lists those that are")


def _openai(model: OpenModel) -> JsonObject:
    shown: dict[str, Json] = {
        "id": model.id,
        "object": "model",
        "created": 0,
        "owned_by": model.provider or OWNER,
    }
    if model.context_window is not None:
        shown["context_window"] = model.context_window
    if model.max_output is not None:
        shown["max_output_tokens"] = model.max_output
    return shown


def _anthropic(model: OpenModel) -> JsonObject:
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.id,
        "created_at": _UNKNOWN_DATE,
        "lifecycle": "active",
        "max_input_tokens": model.context_window,
        "max_tokens": model.max_output,
    }


def anthropic_page(models: Iterable[OpenModel], query: bytes) -> JsonObject:
    """Return the page that `query` asks for: limit, after_id, before_id. Raises BadInput."""
    asked = parse_qs(query.decode("latin-1"))
    shown = list(models)
    after, before = asked.get("after_id", [""])[0], asked.get("before_id", [""])[0]
    limit = asked.get("limit", ["20"])[0]
    if not limit.isdecimal() or not 1 <= int(limit[:5]) <= _PAGE:
        raise BadInput("The limit is not a number from 1 to 1000")
    ids = [model.id for model in shown]
    if after in ids:
        shown = shown[ids.index(after) + 1 :]
    more = len(shown) > int(limit)
    if before in ids:
        earlier = shown[: ids.index(before)]
        shown, more = earlier[-int(limit) :], len(earlier) > int(limit)
    page = shown[: int(limit)]
    return {
        "data": [_anthropic(model) for model in page],
        "has_more": more,
        "first_id": page[0].id if page else None,
        "last_id": page[-1].id if page else None,
    }
