"""Read an OpenAPI document and follow the references inside it; nothing outside it is ever fetched."""

from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO

import orjson
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import ConfigurationError
from interlock.domain.pointers import resolve

MAX_BYTES = 32 << 20
"""The largest document taken, in bytes."""
_MAX_HOPS = 32


@dataclass(frozen=True, slots=True)
class Document:
    """An OpenAPI document as it was read."""

    root: JsonObject
    version: str
    """`2.0`, `3.0` or `3.1`."""
    source: str
    """The file, for messages."""

    def follow(self, value: Json) -> JsonObject:
        """Return what `value` is once its own `$ref`, if it has one, is followed to the end.

        Raises ConfigurationError for a reference that leads out of the document, nowhere, or round in circles.
        """
        for _ in range(_MAX_HOPS):
            if not isinstance(value, Mapping):
                raise ConfigurationError(f"{self.source}: an object was expected, not {type(value).__name__}")
            reference = value.get("$ref")
            if not isinstance(reference, str):
                return value
            value = self.target(reference)
        raise ConfigurationError(f"{self.source}: a $ref refers to itself")

    def target(self, reference: str) -> Json:
        """Return what the local reference `#/...` points at, or raise ConfigurationError."""
        if not reference.startswith("#/"):
            raise ConfigurationError(
                f"{self.source}: the reference '{reference[:200]}' leads out of the document",
                why="references to other files and hosts are never fetched",
                do="Bundle the document into one file",
            )
        found = resolve(self.root, reference[1:])
        if len(found) != 1 or "*" in reference:
            raise ConfigurationError(f"{self.source}: the reference '{reference[:200]}' leads nowhere")
        return found[0][1]


def read_document(text: bytes, source: str) -> Document:
    """Return the document in `text`, JSON or YAML; `source` names it in messages.

    Raises ConfigurationError when it is too large, cannot be parsed, or is no OpenAPI 2.0, 3.0 or 3.1.
    """
    if len(text) > MAX_BYTES:
        raise ConfigurationError(f"{source}: the document is larger than {MAX_BYTES >> 20} MiB")
    root = _parse(text, source)
    if not isinstance(root, dict):
        raise ConfigurationError(f"{source}: this is no OpenAPI document", do="It must be an object with 'paths'")
    stated = str(root.get("openapi", root.get("swagger", "")))
    version = ".".join(stated.split(".")[:2])
    if version not in {"2.0", "3.0", "3.1"}:
        raise ConfigurationError(
            f"{source}: this is no OpenAPI document of version 2.0, 3.0 or 3.1",
            why=f"it says version '{stated[:20]}'" if stated else "it has neither 'openapi' nor 'swagger'",
        )
    if not isinstance(root.get("paths", {}), dict):
        raise ConfigurationError(f"{source}: 'paths' is not an object")
    return Document(root, version, source)


def _parse(text: bytes, source: str) -> Json:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if text.lstrip()[:1] in (b"{", b"["):
            raise ConfigurationError(f"{source}: the document is not valid JSON", why=str(error)) from None
    try:
        return YAML(typ="safe", pure=True).load(StringIO(text.decode()))
    except (YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark is not None else "the text is not UTF-8 YAML"
        raise ConfigurationError(f"{source}: the document is not valid YAML", why=where) from None
