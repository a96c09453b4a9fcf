"""Make an offer of every operation in an OpenAPI document."""

import fnmatch
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from interlock.adapters.openapi.dialects import Definitions, Direction
from interlock.adapters.openapi.document import Document
from interlock.adapters.openapi.parameters import read_arguments
from interlock.domain.canonical import Json, JsonObject
from interlock.domain.contracts import Upstream
from interlock.domain.errors import ConfigurationError
from interlock.tools.names import nearest
from interlock.tools.offers import Offer

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_.-]+")
_LONGEST_DESCRIPTION = 4_000
_TEMPLATE = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Import:
    """What a document gave."""

    offers: tuple[Offer, ...]
    problems: tuple[str, ...]
    """A sentence for each operation that was left out."""


def offers_of(
    document: Document, connection: str, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()
) -> Import:
    """Return an offer for each operation of `document`, called by its operationId or else by method and path.

    `include` names the operations wanted and `exclude` those not wanted, `*` standing for any characters; an empty
    `include` means all. Raises ConfigurationError for an entry of either that names no operation; an operation that
    cannot be read is left out and named.
    """
    requests = Definitions(document, Direction.REQUEST)
    responses = Definitions(document, Direction.RESPONSE)
    offers: list[Offer] = []
    problems: list[str] = []
    operations = tuple(_operations(document))
    names = _names([(method, path, operation) for method, path, _, operation in operations])
    _refuse_unknown((*include, *exclude), names, document.source)
    for (method, path, item, operation), name in zip(operations, names, strict=True):
        if (include and not _named(name, include)) or _named(name, exclude):
            continue
        try:
            offers.append(_offer(document, connection, name, method, path, item, operation, requests, responses))
        except ConfigurationError as error:
            problems.append(f"{document.source}: {method.upper()} {path} is left out: {error}")
        except (AttributeError, KeyError, TypeError, ValueError):
            problems.append(f"{document.source}: {method.upper()} {path} is left out: it breaks the rules of OpenAPI.")
    return Import(tuple(offers), tuple(problems))


def _operations(document: Document) -> Iterator[tuple[str, str, JsonObject, JsonObject]]:
    for path, raw in document.root.get("paths", {}).items():
        item = document.follow(raw)
        for method in METHODS:
            operation = item.get(method)
            if isinstance(operation, Mapping):
                yield method, str(path), item, operation


def _offer(
    document: Document,
    connection: str,
    name: str,
    method: str,
    path: str,
    item: JsonObject,
    operation: JsonObject,
    requests: Definitions,
    responses: Definitions,
) -> Offer:
    if not path.startswith("/"):
        raise ConfigurationError("its path does not begin with '/'")
    shared = item.get("parameters")
    arguments = read_arguments(document, shared if isinstance(shared, list) else [], operation, requests)
    in_path = {parameter["name"] for parameter in arguments.parameters if parameter["in"] == "path"}
    missing = set(_TEMPLATE.findall(path)) ^ in_path
    if missing:
        raise ConfigurationError(f"the path and its parameters differ in {', '.join(sorted(missing))}"[:300])
    details: JsonObject = {
        "method": method.upper(),
        "path": _base_path(document) + path,
        "parameters": arguments.parameters,
        "body": arguments.body,
        "credential": _credential(document, operation),
    }
    return Offer(
        name=name,
        description=_description(operation),
        input_schema=requests.complete(arguments.schema()),
        output_schema=_response(document, operation, responses),
        upstream=Upstream("openapi", connection, f"{method.upper()} {path}", details),
        method=method.upper(),
    )


def _response(document: Document, operation: JsonObject, definitions: Definitions) -> JsonObject | None:
    """Return the schema of what a success holds, or None when any success may hold something without a JSON schema."""
    found: list[Json] = []
    for status, raw in (operation.get("responses") or {}).items():
        if not str(status).startswith("2"):
            continue
        response = document.follow(raw)
        schema = _schema_of(document, response)
        if schema is None:
            return None
        if schema not in found:
            found.append(schema)
    if not found:
        return None
    translated = [definitions.translate(schema) for schema in found]
    whole = translated[0] if len(translated) == 1 else {"anyOf": translated}
    return definitions.complete(whole) if isinstance(whole, Mapping) else None


def _schema_of(document: Document, response: JsonObject) -> Json | None:
    if document.version == "2.0":
        schema = response.get("schema")
        return None if isinstance(schema, Mapping) and schema.get("type") == "file" else schema
    content = response.get("content")
    if not isinstance(content, Mapping):
        return None
    media = {kind.partition(";")[0].strip().lower(): value for kind, value in content.items()}
    if any(kind != "application/json" and not kind.endswith("+json") for kind in media):
        return None
    return next((value["schema"] for value in media.values() if "schema" in value), None)


def _credential(document: Document, operation: JsonObject) -> Json:
    """Return how the operation wants its credential: the first stated way that needs one secret and no log-in."""
    stated = operation.get("security", document.root.get("security"))
    schemes = document.root.get("securityDefinitions") or (document.root.get("components") or {}).get("securitySchemes")
    if not isinstance(stated, list) or not isinstance(schemes, Mapping):
        return None
    for requirement in stated:
        if isinstance(requirement, Mapping) and len(requirement) == 1:
            scheme = schemes.get(next(iter(requirement)))
            known = _known_scheme(document.follow(scheme)) if scheme is not None else None
            if known is not None:
                return known
    return None


def _known_scheme(scheme: JsonObject) -> Json:
    kind, http = scheme.get("type"), str(scheme.get("scheme", "")).lower()
    if kind == "apiKey" and scheme.get("in") in {"header", "query", "cookie"} and isinstance(scheme.get("name"), str):
        return {"in": scheme["in"], "name": scheme["name"]}
    if kind == "basic" or (kind == "http" and http == "basic"):
        return {"in": "basic"}
    if kind in {"oauth2", "openIdConnect"} or (kind == "http" and http == "bearer"):
        return {"in": "bearer"}
    return None


def _base_path(document: Document) -> str:
    """Return the path under which OpenAPI 2.0 puts all others; from 3.0 on it is part of the configured base URL."""
    base = document.root.get("basePath", "") if document.version == "2.0" else ""
    return base.rstrip("/") if isinstance(base, str) and base.startswith("/") else ""


def _names(operations: list[tuple[str, str, JsonObject]]) -> list[str]:
    names: list[str] = []
    taken: set[str] = set()
    for method, path, operation in operations:
        stated = operation.get("operationId")
        text = stated if isinstance(stated, str) and stated.strip() else f"{method}{path}"
        plain = _NOT_PLAIN.sub("_", text).strip("_.-")[:190] or f"{method}_root"
        name, number = plain, 2
        while name in taken:
            name, number = f"{plain}_{number}", number + 1
        taken.add(name)
        names.append(name)
    return names


def _named(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _refuse_unknown(patterns: tuple[str, ...], names: list[str], source: str) -> None:
    for wanted in patterns:
        if not any(fnmatch.fnmatchcase(name, wanted) for name in names):
            close = nearest(wanted, names)
            raise ConfigurationError(
                f"{source}: no operation is called '{wanted}'",
                do=f"Did you mean '{close}'?" if close else "List them with 'interlock tools list'",
            )


def _description(operation: JsonObject) -> str:
    parts = [operation.get("summary"), operation.get("description")]
    text = "\n\n".join(dict.fromkeys(part.strip() for part in parts if isinstance(part, str) and part.strip()))
    return text if len(text) <= _LONGEST_DESCRIPTION else f"{text[: _LONGEST_DESCRIPTION - 1]}…"
