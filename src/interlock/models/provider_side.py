"""What a request has its provider do or remember beside replying: no cap bounds what it costs, and no gate sees it."""

from collections.abc import Iterator

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.models import Dialect

_OPENAI_FIELDS = (
    "previous_response_id",
    "conversation",
    "prompt",
    "context_management",
    "web_search_options",
    "search_parameters",
    "plugins",
    "models",
    "fallbacks",
    "data_sources",
    "use_beam_search",
)
"""OpenAI's own, and those of servers like it: what they keep, searches, other models than the one that is priced."""
_ANTHROPIC_FIELDS = ("container", "mcp_servers")
_CALLERS_OPENAI = frozenset(
    {None, "function", "custom", "local_shell", "apply_patch", "computer", "computer_use_preview", "computer-preview"}
)
_CALLERS_ANTHROPIC = ("bash_", "text_editor_", "computer_", "memory_", "tool_search_tool_")
"""Tools that the caller runs, and the search among its own."""
_COMPACTS = "compact"


def provider_side(dialect: Dialect, body: JsonObject) -> str:
    """Return what in `body` asks the provider for more than a reply, as an operator would look for it; nothing if none does."""
    match dialect:
        case Dialect.OPENAI_CHAT | Dialect.OPENAI_RESPONSES:
            place = "input" if dialect is Dialect.OPENAI_RESPONSES else "messages"
            return _named(body, _OPENAI_FIELDS) or _several(body) or _openai_tool(body) or _files(body, place)
        case Dialect.ANTHROPIC:
            return (
                _named(body, _ANTHROPIC_FIELDS)
                or _compaction(body)
                or _anthropic_tool(body)
                or _files(body, "messages")
            )
        case _:
            return ""


def later(body: JsonObject) -> str:
    """Return the field that asks for a reply to be fetched later: nobody could settle it then. Nothing if none does."""
    return _named(body, ("background", "deferred"))


def _named(body: JsonObject, names: tuple[str, ...]) -> str:
    if body.keys().isdisjoint(names):
        return ""
    # An empty object asks for it as well: `web_search_options: {}`.
    return next((f"`{name}`" for name in names if body.get(name) not in (None, False)), "")


def _several(body: JsonObject) -> str:
    return "`best_of`" if body.get("best_of") not in (None, 1) else ""


def _tools(body: JsonObject) -> Iterator[JsonObject]:
    tools = body.get("tools")
    return (tool for tool in tools if isinstance(tool, dict)) if isinstance(tools, list) else iter(())


def _openai_tool(body: JsonObject) -> str:
    for tool in _tools(body):
        kind = tool.get("type")
        if not (kind is None or isinstance(kind, str)) or kind not in _CALLERS_OPENAI:
            return _tool(kind)
    return ""


def _anthropic_tool(body: JsonObject) -> str:
    for tool in _tools(body):
        kind = tool.get("type")
        callers = kind in (None, "custom") or (isinstance(kind, str) and kind.startswith(_CALLERS_ANTHROPIC))
        if not callers:
            return _tool(kind)
    return ""


def _tool(kind: Json) -> str:
    return f"the tool `{kind[:64]}`" if isinstance(kind, str) and kind.isprintable() else "a tool of its own"


def _compaction(body: JsonObject) -> str:
    """What it costs stands in no usage that covers the whole reply; clearing old results costs nothing."""
    management = body.get("context_management")
    edits = management.get("edits") if isinstance(management, dict) else None
    for edit in edits if isinstance(edits, list) else ():
        if not isinstance(edit, dict) or str(edit.get("type", "")).startswith(_COMPACTS):
            return "`context_management` that compacts"
    return ""


def _files(body: JsonObject, place: str) -> str:
    messages = body.get(place)
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, list) and any(_is_kept(part) for part in content):
            return "a file by its id"
        if isinstance(message, dict) and message.get("type") == "item_reference":
            return "an item by its id"
    return ""


def _is_kept(part: Json) -> bool:
    """Return whether a part of a message, or what is in it, is a file that the provider keeps."""
    if not isinstance(part, dict):
        return False
    if part.get("file_id"):
        return True
    file, source, inner = part.get("file"), part.get("source"), part.get("content")
    if (isinstance(file, dict) and file.get("file_id")) or (isinstance(source, dict) and source.get("type") == "file"):
        return True
    return isinstance(inner, list) and any(_is_kept(each) for each in inner)
