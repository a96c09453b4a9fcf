"""Arguments that a server wants repeated as HTTP headers (`x-mcp-header`, revision 2026-07-28)."""

import base64
import re
from collections.abc import Iterator

from interlock.domain.canonical import Json, JsonObject

Mirrors = tuple[tuple[tuple[str, ...], str], ...]
"""(path of property names, header name) for each argument that is repeated."""

_PLAIN = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?|")
_WRAPPED = re.compile(r"=\?base64\?.*\?=")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def mirrors_of(schema: JsonObject) -> Mirrors:
    """Return which arguments `schema` wants in headers; annotations that the revision does not allow are left out."""
    return tuple((path, f"Mcp-Param-{token}") for path, token in _annotated(schema, ()))


def mirrored(mirrors: Mirrors, arguments: JsonObject) -> dict[str, str]:
    """Return the headers for a call with `arguments`."""
    headers = {}
    for path, header in mirrors:
        value: Json = arguments
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, str | bool | int | float):
            headers[header] = header_value(str(value).lower() if isinstance(value, bool) else str(value))
    return headers


def header_value(text: str) -> str:
    """Return `text` as a header may carry it: as it stands when it is plain, else in the base64 wrapping of MCP."""
    if _PLAIN.fullmatch(text) and not _WRAPPED.fullmatch(text):
        return text
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="


def _annotated(schema: Json, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    properties = schema.get("properties") if isinstance(schema, dict) else None
    for name, inner in (properties if isinstance(properties, dict) else {}).items():
        if not isinstance(inner, dict):
            continue
        token = inner.get("x-mcp-header")
        typed = inner.get("type") in ("string", "integer", "boolean")
        if typed and isinstance(token, str) and _TOKEN.fullmatch(token):
            yield (*path, name), token
        yield from _annotated(inner, (*path, name))
