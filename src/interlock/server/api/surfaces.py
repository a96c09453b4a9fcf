"""How the reference describes the routes that are not operations of the API: tool calls, MCP, health, itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from interlock.domain.canonical import Json
from interlock.domain.identity import Role
from interlock.server.api.documents import StatusDocument
from interlock.server.api.operations import PREFIX, Description, Nothing

AGENTS = frozenset({Role.AGENT})
EVERYONE = frozenset(Role)
REFERENCE = PREFIX + "/openapi.json"


@dataclass(frozen=True, slots=True)
class ToolCallBody:
    """A proposed call."""

    tool: str
    arguments: Mapping[str, Json]
    run: Annotated[str | None, "Left out: the run of the token, or the run that the bearer used last."] = None
    call_id: Annotated[str | None, "An id of your own choice: a repeated call with it has one outcome."] = None
    reason: Annotated[str | None, "Why, in the agent's words."] = None
    constraints: Annotated[Mapping[str, Json] | None, "Bounds that travel with the call; they only tighten."] = None
    requires_approval: Annotated[bool, "true forces an approval; false never lifts one."] = False
    dry_run: Annotated[bool, "Decide and record, and do nothing."] = False


@dataclass(frozen=True, slots=True)
class ToolCallDocument:
    """Where a call stands."""

    status: str
    run: str
    call_id: str
    tool: str
    decision: Mapping[str, Json]
    approval: str | None = None
    result: Json = None


@dataclass(frozen=True, slots=True)
class RpcDocument:
    """A JSON-RPC 2.0 message of the Model Context Protocol."""

    jsonrpc: str
    method: str | None = None
    id: Json = None
    params: Mapping[str, Json] | None = None
    result: Json = None
    error: Json = None


@dataclass(frozen=True, slots=True)
class TokensDocument:
    """How many tokens a request would bring in."""

    input_tokens: int


def _asked(path: str, name: str, sentence: str, answer: type = Nothing) -> Description:
    # The vendor's own reference says what may stand in the body.
    content = {"application/json": {"schema": {"type": "object"}}}
    body: dict[str, Json] = {"requestBody": {"required": True, "content": content}}
    return Description("POST", path, name, f"{sentence} {_WORDS}", AGENTS, answer=answer, extras=body)


_WORDS = "Errors come in the words of its clients."

DESCRIPTIONS = (
    _asked("/v1/chat/completions", "chatCompletion", "Ask a model in OpenAI's chat format."),
    _asked("/v1/responses", "createResponse", "Ask a model in OpenAI's responses format."),
    _asked(
        "/v1/responses/input_tokens",
        "countResponseTokens",
        "Count the tokens of a request in OpenAI's responses format.",
        answer=TokensDocument,
    ),
    _asked("/v1/embeddings", "embed", "Embed texts in OpenAI's format."),
    _asked("/v1/messages", "createMessage", "Ask a model in Anthropic's format."),
    _asked(
        "/v1/messages/count_tokens",
        "countMessageTokens",
        "Count the tokens of a request in Anthropic's format.",
        answer=TokensDocument,
    ),
    Description(
        "GET",
        "/v1/models",
        "listModels",
        "List the models and tiers that the agent may ask for; in Anthropic's shape for its clients, else in OpenAI's.",
        AGENTS,
    ),
    Description("GET", "/v1/models/{id}", "showModel", "Show one of these models.", AGENTS),
    Description(
        "POST",
        "/v1/tool-calls",
        "callTool",
        "Propose a tool call. 202 when it waits for a person; a refusal is a problem document with the decision.",
        AGENTS,
        body=ToolCallBody,
        answer=ToolCallDocument,
    ),
    Description(
        "GET",
        "/v1/tool-calls/{run}/{call_id}",
        "showToolCall",
        "Show what became of a call.",
        frozenset({Role.AGENT, Role.OPERATOR, Role.APPROVER, Role.AUDITOR}),
        answer=ToolCallDocument,
    ),
    Description(
        "POST",
        "/mcp",
        "mcp",
        "One message of the Model Context Protocol: list and call tools.",
        AGENTS,
        body=RpcDocument,
        answer=RpcDocument,
    ),
    Description("DELETE", "/mcp", "endMcpSession", "End an MCP session and its run.", AGENTS, status=204),
    Description("GET", REFERENCE, "showReference", "Show this document.", EVERYONE),
    Description("GET", "/healthz", "health", "Say that the process is up.", None, answer=StatusDocument),
    Description(
        "GET",
        "/readyz",
        "readiness",
        "Say that calls can be served: the store answers and a release is published.",
        None,
        answer=StatusDocument,
    ),
)
"""Every route besides the operations."""
