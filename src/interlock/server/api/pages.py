"""The published reference of the HTTP routes: a page for people, and the OpenAPI document as text."""

import json
from collections.abc import Iterator

from interlock.domain.canonical import Json, JsonObject
from interlock.server.api import documents, models_documents, traces_documents
from interlock.server.api.openapi import descriptions, reference
from interlock.server.api.operations import Description, Nothing
from interlock.server.api.shapes import schema_of

_INTRO = """\
All routes speak JSON in UTF-8. Send `Authorization: Bearer <key or run token>`; only `/healthz` and `/readyz` answer
without. Instants are milliseconds since the epoch. What is refused is `application/problem+json` with a stable `code`,
and `what`, `why` and `do` in sentences: [error codes](errors.md). Unknown keys and parameters are refused, never ignored.
Percent-encode ids that hold a `/` in a path. The role `admin` may do what `operator` and `auditor` may; nobody holds
`approver` but who was given it. The same as an OpenAPI document: [openapi.json](openapi.json), also served at
`/api/v1/openapi.json`."""


_NESTED = (
    documents.RunDocument,
    documents.CallDocument,
    documents.FailureDocument,
    models_documents.ModelCallDocument,
    models_documents.AttemptDocument,
    models_documents.UsageDocument,
    models_documents.ProposalDocument,
    models_documents.SpanDocument,
    models_documents.AttemptSpanDocument,
    models_documents.SpendingGroupDocument,
    traces_documents.RunSumsDocument,
    traces_documents.TraceSpanDocument,
    traces_documents.SpanEventDocument,
    traces_documents.SpanLinkDocument,
    traces_documents.ComparedDocument,
    traces_documents.FiguresDocument,
    traces_documents.ReasonDocument,
    documents.ApprovalDocument,
    documents.VoteDocument,
    documents.BrakeDocument,
    documents.ToolSummary,
    documents.ChangeDocument,
    documents.KeyDocument,
    documents.BudgetDocument,
    documents.EventDocument,
)


def document() -> str:
    """Return the OpenAPI document as it stands in the repository."""
    return json.dumps(reference(), indent=2, ensure_ascii=False) + "\n"


def page(note: str) -> str:
    """Return the page of all routes; `note` says that it is generated."""
    lines = ["# HTTP API", "", note, "", _INTRO, ""]
    for described in descriptions():
        lines += _section(described)
    lines += ["## Documents within answers", ""]
    for shape in _NESTED:
        lines += [*_fields(f"`{shape.__name__}`", shape)]
    return "\n".join(lines).rstrip() + "\n"


def _section(described: Description) -> Iterator[str]:
    yield f"## `{described.method} {described.path}`"
    yield ""
    yield described.sentence
    yield ""
    yield f"- Who: {_who(described)}"
    yield f"- Success: {described.status}"
    yield from _fields("Query", described.query)
    yield from _fields("Body", described.body)
    yield from _fields("Answer", described.answer)
    yield ""


def _who(described: Description) -> str:
    if described.roles is None:
        return "everyone"
    return ", ".join(f"`{role.value}`" for role in sorted(described.roles))


def _fields(title: str, shape: type) -> Iterator[str]:
    if shape is Nothing:
        return
    schema = schema_of(shape)
    needed = schema.get("required", []) if title == "Body" else []
    yield f"- {title}: {schema.get('description', '')}"
    for name, inner in schema["properties"].items():
        said = inner.get("description", "")
        kind = _kind(inner) + (", required" if name in needed else "")
        yield f"    - `{name}` ({kind}){': ' + said if said else ''}"


def _kind(schema: JsonObject) -> str:
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(f"`{word}`" for word in schema["enum"])
    kind: Json = schema.get("title") or schema.get("type", "any JSON")
    return f"array of {_kind(schema['items'])}" if kind == "array" else str(kind)
