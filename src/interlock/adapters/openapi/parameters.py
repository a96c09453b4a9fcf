"""The arguments of an operation: its parameters and the fields of its body, in one flat object of plain names."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from interlock.adapters.openapi.dialects import Definitions
from interlock.adapters.openapi.document import Document
from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import ConfigurationError

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
JSON = "application/json"
_PLACES = ("path", "query", "header", "cookie")
_SET_BY_US = frozenset(
    {
        "accept",
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "cookie",
        "host",
        "proxy-authorization",
        "te",
        "transfer-encoding",
        "upgrade",
    }
)
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_.-]")
_STYLES = {"path": "simple", "query": "form", "header": "simple", "cookie": "form"}
_COLLECTIONS = {"csv": ("form", False), "ssv": ("spaceDelimited", False), "tsv": ("tabDelimited", False)}
_COLLECTIONS |= {"pipes": ("pipeDelimited", False), "multi": ("form", True)}


@dataclass(slots=True)
class ArgumentList:
    """Collects the arguments of one operation while it is read: their schemas, and where each goes on the wire."""

    properties: dict[str, Json] = field(default_factory=dict)
    required: list[str] = field(default_factory=list)
    parameters: list[Json] = field(default_factory=list)
    """Per parameter: argument, wire name, place, style, explode, or the media type of its content."""
    body: dict[str, Json] = field(default_factory=dict)
    """Media type, and either the argument that is the body or the fields that make it up."""

    def add(self, name: str, schema: Json, *, required: bool, place: str) -> str:
        """Add an argument and return its plain name, distinct from all others."""
        plain = _NOT_PLAIN.sub("_", name.replace("<", "_lt").replace(">", "_gt")) or "value"
        if plain in self.properties:
            plain = f"{place}_{plain}"
        while plain in self.properties:
            plain += "_"
        self.properties[plain] = schema
        if required:
            self.required.append(plain)
        return plain

    def schema(self) -> dict[str, Json]:
        """Return the JSON Schema of all arguments, without definitions."""
        required = {"required": list(self.required)} if self.required else {}
        return {"type": "object", "properties": dict(self.properties), **required, "additionalProperties": False}


@dataclass(frozen=True, slots=True)
class _Media:
    kind: str
    schema: Json
    required: bool
    encoding: Mapping[str, Json] = field(default_factory=dict)


def read_arguments(
    document: Document, shared: Iterable[Json], operation: JsonObject, defs: Definitions
) -> ArgumentList:
    """Return the arguments of `operation`; `shared` are the parameters of its path."""
    arguments = ArgumentList()
    merged: dict[tuple[str, str], JsonObject] = {}
    for raw in (*shared, *_list(operation.get("parameters"))):
        parameter = document.follow(raw)
        merged[str(parameter.get("in")), str(parameter.get("name"))] = parameter
    for place in _PLACES:
        for (where, name), parameter in merged.items():
            if where == place and not (place == "header" and name.lower() in _SET_BY_US):
                _add_parameter(arguments, parameter, place, name, defs)
    if document.version == "2.0":
        _add_body_of_2(arguments, document, operation, merged, defs)
    elif operation.get("requestBody") is not None:
        _add_body(arguments, document, document.follow(operation["requestBody"]), defs)
    return arguments


def _add_parameter(arguments: ArgumentList, parameter: JsonObject, place: str, name: str, defs: Definitions) -> None:
    wire: dict[str, Json] = {"name": name, "in": place}
    content = parameter.get("content")
    if isinstance(content, Mapping) and content:
        schema = next(iter(content.values())).get("schema", True)
        wire["media_type"] = JSON
    elif "schema" in parameter:
        schema = parameter["schema"]
        wire["style"] = parameter.get("style") or _STYLES[place]
        wire["explode"] = parameter.get("explode", wire["style"] in {"form", "deepObject"})
    else:
        schema = {key: value for key, value in parameter.items() if key not in {"in", "name", "required"}}
        style, explode = _COLLECTIONS.get(str(parameter.get("collectionFormat", "csv")), ("form", False))
        wire["style"] = "simple" if place in {"path", "header"} else style
        wire["explode"] = explode
    translated = _described(defs.translate(schema), parameter.get("description"))
    required = place == "path" or parameter.get("required") is True
    wire["argument"] = arguments.add(name, translated, required=required, place=place)
    arguments.parameters.append(wire)


def _add_body(arguments: ArgumentList, document: Document, body: JsonObject, defs: Definitions) -> None:
    content = body.get("content")
    if not isinstance(content, Mapping) or not content:
        return
    kind = _preferred(content)
    media = content[kind] if isinstance(content[kind], Mapping) else {}
    encoding = media.get("encoding")
    known = encoding if isinstance(encoding, Mapping) else {}
    plain = kind.partition(";")[0].strip().lower()
    _add_content(
        arguments, document, _Media(plain, media.get("schema", True), body.get("required") is True, known), defs
    )


def _add_body_of_2(
    arguments: ArgumentList,
    document: Document,
    operation: JsonObject,
    parameters: Mapping[tuple[str, str], JsonObject],
    defs: Definitions,
) -> None:
    consumes = _list(operation.get("consumes", document.root.get("consumes")))
    bodies = [parameter for (place, _), parameter in parameters.items() if place == "body"]
    if bodies:
        media_type = next((kind for kind in consumes if _is_json(str(kind))), JSON)
        required = bodies[0].get("required") is True
        media = _Media(str(media_type), bodies[0].get("schema", True), required)
        _add_content(arguments, document, media, defs)
        return
    fields = {name: parameter for (place, name), parameter in parameters.items() if place == "formData"}
    if not fields:
        return
    files = any(parameter.get("type") == "file" for parameter in fields.values())
    schema = {
        "type": "object",
        "properties": {
            name: {key: value for key, value in parameter.items() if key not in {"in", "name", "required"}}
            for name, parameter in fields.items()
        },
        "required": [name for name, parameter in fields.items() if parameter.get("required") is True],
    }
    encoding = {
        name: {"style": style, "explode": explode}
        for name, parameter in fields.items()
        for style, explode in [_COLLECTIONS.get(str(parameter.get("collectionFormat", "csv")), ("form", False))]
        if parameter.get("type") == "array"
    }
    media_type = MULTIPART if files or (MULTIPART in consumes and FORM not in consumes) else FORM
    _add_content(arguments, document, _Media(media_type, schema, required=True, encoding=encoding), defs)


def _add_content(arguments: ArgumentList, document: Document, media: _Media, defs: Definitions) -> None:
    arguments.body = {"media_type": media.kind}
    merged = _as_fields(document, media.schema)
    if merged is None:
        if media.kind in {FORM, MULTIPART}:
            raise ConfigurationError(f"{document.source}: a form body is not an object of plain properties")
        named = arguments.add("body", defs.translate(media.schema), required=media.required, place="request")
        arguments.body["argument"] = named
        return
    translated = defs.translate(merged)
    properties = translated.get("properties", {}) if isinstance(translated, Mapping) else {}
    needed = translated.get("required", []) if isinstance(translated, Mapping) else []
    fields = []
    for name, inner in properties.items():
        argument = arguments.add(name, inner, required=media.required and name in needed, place="body")
        how = media.encoding.get(name)
        known = {key: how[key] for key in ("style", "explode", "contentType") if key in how} if how else {}
        binary = {"binary": True} if isinstance(inner, Mapping) and inner.get("contentEncoding") == "base64" else {}
        fields.append({"name": name, "argument": argument, **known, **binary})
    arguments.body["fields"] = fields
    if media.required:
        arguments.body["required"] = True


def _as_fields(document: Document, schema: Json) -> JsonObject | None:
    """Return the body schema as one object of properties, or None when it is anything else."""
    if isinstance(schema, bool):
        return None
    resolved = document.follow(schema)
    parts = [document.follow(part) for part in _list(resolved.get("allOf"))]
    composed = any(key in part for part in (resolved, *parts) for key in ("anyOf", "oneOf", "not"))
    if composed or any("allOf" in part for part in parts) or resolved.get("type", "object") != "object":
        return None
    whole = [resolved, *parts]
    if any(part.get("additionalProperties") not in (None, False) for part in whole):
        return None
    properties: dict[str, Json] = {}
    required: list[Json] = []
    for part in whole:
        properties |= part.get("properties") or {}
        required += _list(part.get("required"))
    if not properties and (resolved.get("type") != "object" or "properties" not in resolved):
        return None
    return {"type": "object", "properties": properties, "required": required}


def _preferred(content: Mapping[str, Json]) -> str:
    for wanted in (_is_json, lambda kind: kind == FORM, lambda kind: kind == MULTIPART):
        for media_type in content:
            if wanted(media_type.partition(";")[0].strip().lower()):
                return media_type
    return next(iter(content))


def _is_json(media_type: str) -> bool:
    return media_type == JSON or media_type.endswith("+json")


def _described(schema: JsonObject | bool, description: Json) -> JsonObject | bool:
    if isinstance(schema, bool) or not isinstance(description, str) or "description" in schema:
        return schema
    return {**schema, "description": description}


def _list(value: Json) -> list[Json]:
    return list(value) if isinstance(value, list) else []
