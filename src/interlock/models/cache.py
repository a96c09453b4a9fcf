"""Under which key a reply is kept, so that only the same question of the same circle finds it (requirement M3)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.models import Dialect, ModelCall
from interlock.domain.route_settings import CacheScope, Settings
from interlock.models.dialogue import Stop
from interlock.models.markers import is_reordered, markers, order_of

CACHEABLE = frozenset({Dialect.OPENAI_CHAT, Dialect.OPENAI_RESPONSES, Dialect.ANTHROPIC, Dialect.OPENAI_EMBEDDINGS})
"""The formats that callers speak, and so those in which replies are kept."""
LONGEST_QUESTION = 1_000
"""Characters. A vector holds the gist of a few sentences; the details of a long text are not in it."""
_WELL_ENDED = frozenset({Stop.END.value, Stop.SEQUENCE.value})
_OF_DELIVERY = frozenset({"stream", "stream_options"})
"""Fields that say how the reply is delivered, not what it is."""
_ELSEWHERE = ("background", "conversation", "container", "mcp_servers", "web_search_options")
"""With these the provider does more than reply, or remembers: a kept reply would say that it was done."""
_CALLERS_TOOLS = frozenset({None, "function", "custom"})
"""Tools that the caller runs. All others are run by the provider."""
_UNSTREAMABLE = ("logprobs", "top_logprobs", "audio", "modalities")
"""What a whole reply has and one put together from a stream, or told as one, has not."""
_WORDS = frozenset({"text", "input_text"})


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the cache sees it."""

    call: ModelCall
    model: str
    """The declared model that would serve it."""
    settings: Settings
    body: JsonObject
    headers: Mapping[str, str]
    """Those of the vendor, which change what it replies."""


@dataclass(frozen=True, slots=True)
class Kinship:
    """Whose replies may serve a question that only means the same."""

    text: str
    """The question: the last words of the user."""
    partition: str
    key: str
    """Under which the reply to this very question is kept."""


@dataclass(slots=True)
class Lookup:
    """Where the reply to one call is looked for and kept."""

    exact: str
    """Key; empty when such replies are not kept."""
    kin: Kinship | None = None
    vector: bytes = b""
    """Of the question, once it is known."""


def is_cacheable(asked: Asked) -> bool:
    """Return whether a reply can be kept at all: one reply, made by nothing but the model, that can be told again."""
    body = asked.body
    if (
        asked.call.dialect not in CACHEABLE
        or body.get("n") not in (None, 1)
        or any(body.get(key) for key in _ELSEWHERE)
    ):
        return False
    tools = body.get("tools")
    for tool in tools if isinstance(tools, list) else ():
        if not isinstance(tool, dict) or tool.get("type") not in _CALLERS_TOOLS:
            return False
    return not (asked.call.streamed and any(body.get(key) for key in _UNSTREAMABLE))


def may_keep(scope: CacheScope, stop: str, *, proposes: bool) -> bool:
    """Return whether a reply that ended so is kept.

    What a reply proposes is acted on. So it serves again only in the run or for the user that it was made for: in a wider
    circle, what one user had a model propose would be done in another's name.
    """
    if proposes or stop == Stop.TOOLS:
        return stop in {Stop.TOOLS, *_WELL_ENDED} and scope in {CacheScope.RUN, CacheScope.USER}
    return stop in _WELL_ENDED


def exact_key(asked: Asked) -> str:
    """Return the key of the reply to the very same request.

    Tenant, circle, model, what is done to replies, and every word of the request are in it.
    """
    said = {name: value for name, value in asked.body.items() if name not in _OF_DELIVERY}
    return _digest([*_common(asked), said])


def kinship(asked: Asked, embedder: str) -> Kinship | None:
    """Return the partition of a request, or None when its reply serves no other question.

    Everything but the last words of the user is in the partition; of these words, what a vector does not tell apart is, too.
    """
    found = _question(asked.call.dialect, asked.body)
    if found is None or not found[0].strip() or len(found[0]) > LONGEST_QUESTION:
        return None
    text, rest = found
    partition = _digest(["semantic", embedder, *_common(asked), rest, markers(text)])
    return Kinship(text, partition, f"{partition}.{order_of(text)}")


def is_twisted(kin: Kinship, kept: str) -> bool:
    """Return whether the question kept under the key `kept` has the same words in another order: who does what to whom."""
    return is_reordered(kin.key.rpartition(".")[2], kept.rpartition(".")[2])


def circle(call: ModelCall, scope: CacheScope) -> list[Json]:
    """Return who shares replies with `call`. A call without the user or run that the scope goes by shares with nobody."""
    match scope:
        case CacheScope.TENANT:
            return ["tenant"]
        case CacheScope.AGENT:
            return ["agent", call.agent]
        case CacheScope.USER:
            return ["user", call.agent, call.user] if call.user else ["alone", call.agent, call.run or call.id]
        case CacheScope.RUN:
            return ["run", call.agent, call.run] if call.run else ["alone", call.agent, call.id]


def _common(asked: Asked) -> list[Json]:
    call, settings = asked.call, asked.settings
    privacy = settings.privacy
    return [
        call.tenant,
        circle(call, settings.cache.scope),
        call.dialect.value,
        asked.model,
        settings.structured.enforce,
        [privacy.mode.value, sorted(privacy.kinds), privacy.restore_in_tools, privacy.restore_in_replies],
        sorted([name, value] for name, value in asked.headers.items()),
    ]


def _question(dialect: Dialect, body: JsonObject) -> tuple[str, JsonObject] | None:
    """Return the last words of the user and the request without them, where they are words only and stand at its end."""
    rest = {name: value for name, value in body.items() if name not in _OF_DELIVERY}
    if dialect is Dialect.OPENAI_RESPONSES and isinstance(body.get("input"), str):
        return str(rest.pop("input")), rest
    place = "input" if dialect is Dialect.OPENAI_RESPONSES else "messages"
    messages = body.get(place)
    if dialect not in CACHEABLE or not isinstance(messages, list) or not messages:
        return None
    last = messages[-1]
    if not isinstance(last, dict) or last.get("role") != "user":
        return None
    found = _last_words(last.get("content"))
    if found is None:
        return None
    text, content = found
    return text, {**rest, place: [*messages[:-1], {**last, "content": content}]}


def _last_words(content: Json) -> tuple[str, Json] | None:
    if isinstance(content, str):
        return content, "text"
    if not isinstance(content, list) or not content:
        return None
    if not all(isinstance(part, dict) and part.get("type") in _WORDS for part in content):
        return None
    last = content[-1]
    text = last.get("text")
    return (text, [*content[:-1], {**last, "text": None}]) if isinstance(text, str) else None


def _digest(value: Json) -> str:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()
