"""From YAML files to frozen values: every control known, every problem at its line, nothing ignored."""

from interlock.config.agent_file import CATEGORY
from interlock.config.deployment import (
    ApprovalClock,
    Auth,
    Connection,
    Deployment,
    McpHttp,
    McpStdio,
    OpenApi,
    Pins,
    PythonTools,
    Server,
    ToolMention,
    store_url,
)
from interlock.config.loading import (
    FILE_NAME,
    AgentFile,
    FileKind,
    load_agent,
    load_deployment,
    load_overlays,
    load_router,
    read_agent,
    recognise,
)
from interlock.config.problems import nearest, refusal
from interlock.config.resolving import resolve, unresolved
from interlock.config.router_values import ProviderFile, ProviderKind, RouterFile

__all__ = [
    "CATEGORY",
    "FILE_NAME",
    "AgentFile",
    "ApprovalClock",
    "Auth",
    "Connection",
    "Deployment",
    "FileKind",
    "McpHttp",
    "McpStdio",
    "OpenApi",
    "Pins",
    "ProviderFile",
    "ProviderKind",
    "PythonTools",
    "RouterFile",
    "Server",
    "ToolMention",
    "load_agent",
    "load_deployment",
    "load_overlays",
    "load_router",
    "nearest",
    "read_agent",
    "recognise",
    "refusal",
    "resolve",
    "store_url",
    "unresolved",
]
