"""From the connections in interlock.yaml to values; what a connection may start or reach is said here in full."""

from pathlib import Path

from interlock.config.deployment import Auth, Connection, McpHttp, McpStdio, OpenApi, PythonTools
from interlock.config.problems import Findings
from interlock.config.records import Entry, Section

_NAMED = frozenset({Auth.HEADER, Auth.QUERY})


def connections(
    entries: tuple[Entry, ...], allow_stdio: tuple[tuple[str, ...], ...], folder: Path, found: Findings
) -> tuple[Connection, ...]:
    """Return the connections that `entries` declare; a command that `allow_stdio` does not hold word for word is refused."""
    made: list[Connection] = []
    for entry in entries:
        kind, said = next(iter(entry.value.values.items()))
        if kind == "python":
            made.append(PythonTools(entry.key, said.get("module"), said.get("environment"), entry.spot.source))
        elif kind == "openapi":
            made.append(_openapi(entry, said, folder, found))
        elif (server := _mcp(entry, said, allow_stdio, found)) is not None:
            made.append(server)
    return tuple(made)


def _mcp(entry: Entry, said: Section, allow_stdio: tuple[tuple[str, ...], ...], found: Findings) -> Connection | None:
    if len({"url", "argv"} & set(said.spots)) != 1:
        found.add(said.spot, "An MCP server is reached in exactly one way", "either 'url' or 'argv'")
        return None
    environment, source = said.get("environment"), entry.spot.source
    if "url" in said.spots:
        if "secrets" in said.spots:
            found.add(said.at("secrets"), "Only a started process has environment variables", "'credential'")
        return McpHttp(entry.key, said.get("url", ""), said.get("credential"), environment, source)
    argv = said.get("argv", ())
    if "credential" in said.spots:
        found.add(said.at("credential"), "A started process gets no header", "'secrets: {NAME: env:NAME}'")
    if argv and argv not in allow_stdio:
        found.add(said.at("argv"), "This exact command does not stand in 'allow_stdio'", "the same words there")
    secrets = {one.key: one.value for one in said.get("secrets", ())}
    return McpStdio(entry.key, argv, secrets, environment, source)


def _openapi(entry: Entry, said: Section, folder: Path, found: Findings) -> OpenApi:
    auth, name = said.get("auth", Auth.BEARER), said.get("auth_name", "")
    if auth in _NAMED and "auth_name" not in said.spots:
        found.add(
            said.at("auth"),
            f"A credential sent as {auth.value} needs 'auth_name'",
            "the name of the header or parameter",
        )
    if auth not in _NAMED and name:
        found.add(said.at("auth_name"), "Only 'auth: header' and 'auth: query' have a name")
    document = folder / said.get("document")
    if not document.is_file():
        found.add(said.at("document"), "There is no such file", "the path of an OpenAPI document, from interlock.yaml")
    return OpenApi(
        name=entry.key,
        document=document,
        base_url=said.get("base_url").rstrip("/"),
        credential=said.get("credential"),
        auth=auth,
        auth_name=name,
        include=said.get("include"),
        exclude=said.get("exclude", ()),
        private=said.get("private", False),
        environment=said.get("environment"),
        source=entry.spot.source,
    )
