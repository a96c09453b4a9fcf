"""The reference of all routes as an OpenAPI 3.1 document, written from the route table."""

import re

from interlock.domain.canonical import Json, JsonObject
from interlock.server.api import audit
from interlock.server.api.operations import Description, Nothing
from interlock.server.api.shapes import schema_of
from interlock.server.api.surfaces import DESCRIPTIONS
from interlock.server.api.table import OPERATIONS

_PARAMETER = re.compile(r"\{([a-z_]+)\}")


def descriptions() -> tuple[Description, ...]:
    """Return what there is to say of every route."""
    return (*(one.description for one in OPERATIONS), *audit.DESCRIPTIONS, *DESCRIPTIONS)


def reference(version: str = "1") -> JsonObject:
    """Return the OpenAPI document."""
    paths: dict[str, dict[str, Json]] = {}
    schemas: dict[str, Json] = {"Problem": _PROBLEM}
    for described in descriptions():
        paths.setdefault(described.path, {})[described.method.lower()] = _operation(described, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Interlock",
            "version": version,
            "description": "Every route names the roles that may use it; instants are milliseconds since the epoch. "
            "Whatever is refused is a problem document with a stable code.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An API key or a run token."}
            },
        },
        "security": [{"bearer": []}],
    }


def _operation(described: Description, schemas: dict[str, Json]) -> JsonObject:
    operation: dict[str, Json] = {
        "operationId": described.name,
        "summary": described.sentence,
        "parameters": [*_path_parameters(described), *_query_parameters(described)],
        "responses": {
            str(described.status): _answer(described, schemas),
            "default": _content("What was refused, and why.", "Problem", "application/problem+json"),
        },
    }
    if not operation["parameters"]:
        del operation["parameters"]
    if described.body is not Nothing:
        _add(described.body, schemas)
        content = _content("", described.body.__name__, "application/json")["content"]
        operation["requestBody"] = {"required": described.body_needed, "content": content}
    if described.roles is None:
        operation["security"] = []
    else:
        operation["x-roles"] = sorted(role.value for role in described.roles)
    return operation | described.extras


def _answer(described: Description, schemas: dict[str, Json]) -> JsonObject:
    if described.status == 204:
        return {"description": "Done."}
    if described.answer is Nothing:
        return {"description": described.sentence, "content": {"application/json": {"schema": {"type": "object"}}}}
    _add(described.answer, schemas)
    sentence = (described.answer.__doc__ or "").strip().splitlines()[0]
    return _content(sentence, described.answer.__name__, "application/json")


def _path_parameters(described: Description) -> list[JsonObject]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(described.path)
    ]


def _query_parameters(described: Description) -> list[JsonObject]:
    schema = schema_of(described.query)
    found: list[JsonObject] = []
    for name, inner in schema["properties"].items():
        sentence = inner.get("description", "")
        rest = {key: value for key, value in inner.items() if key != "description"}
        optional = rest.get("anyOf", [rest])
        one = {"name": name, "in": "query", "schema": optional[0]}
        found.append({**one, "description": sentence} if sentence else one)
    return found


def _add(shape: type, schemas: dict[str, Json]) -> None:
    schemas.setdefault(shape.__name__, schema_of(shape))


def _content(sentence: str, name: str, kind: str) -> JsonObject:
    return {"description": sentence, "content": {kind: {"schema": {"$ref": f"#/components/schemas/{name}"}}}}


_PROBLEM: JsonObject = {
    "type": "object",
    "description": "What was refused (RFC 9457).",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "Stable; see the page of error codes."},
        "what": {"type": "string"},
        "why": {"type": "string"},
        "do": {"type": "string"},
    },
    "required": ["type", "title", "status", "code", "what"],
}
