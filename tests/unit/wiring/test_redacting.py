"""The redactor of a deployment knows every secret that the deployment uses."""

import importlib.util
import json
from pathlib import Path

import pytest

from interlock.adapters.secrets.resolver import SecretResolver
from interlock.config import load_deployment
from interlock.domain.canonical import Json
from interlock.domain.errors import ConfigurationError
from interlock.wiring.redacting import redactor_of

ENVIRON = {
    "API": "secret of the api",
    "CHILD": "secret of the child",
    "TOOL": "secret of the tool",
    "MODEL": "secret of the model",
    "EXPORT": "secret of the export",
    "ANCHOR": "secret of the anchor",
    "MORE": "secret of somebody else",
    "DB_PASSWORD": "p%40ss of the store",
}
FILES: dict[str, Json] = {
    "interlock.yaml": {
        "tenant": "acme",
        "store": "postgresql://app:${DB_PASSWORD}@db/interlock",
        "agents": ["agent.yaml"],
        "contracts": ["contracts.yaml"],
        "router": "router.yaml",
        "allow_stdio": [["tool"]],
        "tools": {
            "http": {"mcp": {"url": "http://localhost:1/mcp", "credential": "env:API"}},
            "child": {"mcp": {"argv": ["tool"], "secrets": {"KEY": "env:CHILD"}}},
        },
        "traces": {"export": [{"url": "http://localhost:1/v1/traces", "credential": "env:EXPORT"}]},
        "audit": {"anchors": [{"object": "http://localhost:1/bucket", "credential": "env:ANCHOR"}]},
        "redaction": {"secrets": ["env:MORE"]},
    },
    "agent.yaml": {"agent": {"name": "refunds", "owner": "support"}, "tools": {"allowlist": ["find"]}},
    "contracts.yaml": {"tools": [{"name": "find", "kind": "read", "tier": 0, "credential": "env:TOOL"}]},
    "router.yaml": {
        "version": 1,
        "providers": {"one": {"type": "openai", "credential": "env:MODEL"}},
        "models": {"m": {"provider": "one"}},
        "defaults": {"use": "m"},
    },
}


def _written(folder: Path, **redaction: Json) -> Path:
    for name, content in FILES.items():
        said = {**content, "redaction": {**content["redaction"], **redaction}} if name == "interlock.yaml" else content
        (folder / name).write_text(json.dumps(said))
    return folder / "interlock.yaml"


async def test_every_secret_of_the_deployment_is_known(tmp_path: Path) -> None:
    deployment = load_deployment(_written(tmp_path))
    redactor = await redactor_of(deployment, SecretResolver(ENVIRON, tmp_path), ENVIRON)
    for name, secret in ENVIRON.items():
        assert redactor.text(f"it is {secret}.") == ("it is [secret].", ("secret",)), name
    assert redactor.words("p@ss of the store") == "[secret]"


async def test_a_credential_that_is_not_there_stops_nothing(tmp_path: Path) -> None:
    deployment = load_deployment(_written(tmp_path))
    rest = {name: value for name, value in ENVIRON.items() if name != "MODEL"}
    redactor = await redactor_of(deployment, SecretResolver(rest, tmp_path), rest)
    assert redactor.words("secret of the tool") == "[secret]"


async def test_a_secret_that_must_appear_nowhere_has_to_be_there(tmp_path: Path) -> None:
    deployment = load_deployment(_written(tmp_path))
    rest = {name: value for name, value in ENVIRON.items() if name != "MORE"}
    with pytest.raises(ConfigurationError, match="must appear nowhere"):
        await redactor_of(deployment, SecretResolver(rest, tmp_path), rest)


async def test_a_secret_too_short_to_be_looked_for_is_refused(tmp_path: Path) -> None:
    deployment = load_deployment(_written(tmp_path))
    short = {**ENVIRON, "MORE": "abc"}
    with pytest.raises(ConfigurationError, match="too short") as raised:
        await redactor_of(deployment, SecretResolver(short, tmp_path), short)
    assert "abc" not in str(raised.value)


async def test_a_file_with_several_lines_is_known_line_by_line(tmp_path: Path) -> None:
    key = tmp_path / "key.txt"
    key.write_text("first line of the key\nsecond line of the key\n")
    key.chmod(0o600)
    deployment = load_deployment(_written(tmp_path, secrets=[f"file:{key}"]))
    redactor = await redactor_of(deployment, SecretResolver(ENVIRON, tmp_path), ENVIRON)
    assert redactor.words("a second line of the key b") == "a [secret] b"


@pytest.mark.skipif(importlib.util.find_spec("presidio_analyzer") is not None, reason="Presidio is installed here")
async def test_without_presidio_the_deployment_that_wants_it_is_refused(tmp_path: Path) -> None:
    deployment = load_deployment(_written(tmp_path, presidio=True))
    with pytest.raises(ConfigurationError, match="pip install presidio-analyzer"):
        await redactor_of(deployment, SecretResolver(ENVIRON, tmp_path), ENVIRON)
