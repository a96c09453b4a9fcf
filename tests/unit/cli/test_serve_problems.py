"""What a server cannot do is said when it starts, not at the first call."""

from pathlib import Path

import pytest

from interlock.cli.serve import _without_credentials
from interlock.wiring import open_interlock

FILES = {
    "interlock.yaml": "tenant: acme\nstore: sqlite:///gate.db\nagents: [agent.yaml]\nrouter: router.yaml\n",
    "agent.yaml": "agent: {name: bot, owner: me}\ntools: {allowlist: []}\n",
    "router.yaml": (
        "version: 1\nproviders:\n"
        "  here: {type: openai, credential: env:TEST_KEY_THAT_IS_SET}\n"
        "  away: {type: anthropic, credential: env:TEST_KEY_THAT_IS_NOT}\n"
        "models:\n  a: here\n  b: away\ndefaults: {use: a}\n"
    ),
}


async def test_a_provider_whose_variable_is_not_set_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("TEST_KEY_THAT_IS_SET", "sk-secret")
    monkeypatch.delenv("TEST_KEY_THAT_IS_NOT", raising=False)
    async with open_interlock(tmp_path) as interlock:
        (problem,) = _without_credentials(interlock)
    assert "'away'" in problem
    assert "TEST_KEY_THAT_IS_NOT is not set" in problem
    assert "sk-secret" not in problem
