"""Clients work unchanged: the newest of OpenAI, Anthropic, LangChain, Pydantic AI and OpenAI's for Node, each as people use it.

Each client is a program of its own, run once for its whole matrix in an environment of its own.
"""

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from interlock.gateway.models.requests import ModelAsk
from tests.conftest import ROOT
from tests.kits.model_deployment import served_models
from tests.kits.model_surface import KEY, a_model_surface

PROGRAMS = Path(__file__).resolve().parent / "clients"
PYTHON = ROOT / ".venv-clients" / "bin" / "python"
NODE = ROOT / ".build" / "openai-npm" / "node"
HELLO = "Hello from the script."
WEATHER = [["get_weather", {"city": "Oslo"}]]
BOTH = [*WEATHER, ["get_weather", {"city": "Bergen"}]]
TOLD = "It is 7 degrees there."
REPORT = {"city": "Oslo", "celsius": 7}
PICTURE = "I see a picture."

OPENAI: Mapping[str, Any] = {
    "plain": [HELLO, "stop", True],
    "plain_async": [HELLO, HELLO],
    "stream": [HELLO, True, False],
    "stream_with_usage": [[], True],
    "tools": [WEATHER, "tool_calls", TOLD],
    "stream_tools": BOTH,
    "parallel": [BOTH, 2],
    "structured": REPORT,
    "image": PICTURE,
    "responses_plain": [HELLO, "completed", True],
    "responses_stream": [HELLO, True, "response.completed", HELLO],
    "responses_tools": [WEATHER, TOLD],
    "responses_parallel": BOTH,
    "responses_structured": REPORT,
    "responses_image": PICTURE,
    "responses_count": ["response.input_tokens", True],
    "embeddings": [2, True, True, True],
    "models": [True, "scripted"],
}
ANTHROPIC: Mapping[str, Any] = {
    "plain": [HELLO, "end_turn", True],
    "plain_async": [HELLO, HELLO],
    "stream": [HELLO, True, "end_turn", True],
    "tools": [WEATHER, "tool_use", TOLD],
    "stream_tools": BOTH,
    "parallel": [BOTH, 2],
    "structured": REPORT,
    "image": PICTURE,
    "beta": HELLO,
    "count": True,
    "models": [True, True, "scripted"],
}
OPENAI_NPM: Mapping[str, Any] = {
    "plain": [HELLO, "stop", True],
    "stream": [HELLO, True],
    "tools": [WEATHER, "tool_calls", TOLD],
    "stream_tools": BOTH,
    "parallel": BOTH,
    "structured": REPORT,
    "image": PICTURE,
    "responses_plain": [HELLO, "completed", True],
    "responses_stream": [HELLO, True, "response.completed"],
    "responses_tools": [WEATHER, TOLD],
    "responses_structured": REPORT,
    "responses_count": ["response.input_tokens", True],
    "embeddings": [2, True, True],
    "models": [True, "scripted"],
}
_LANGCHAIN: Mapping[str, Any] = {
    "plain": [HELLO, True],
    "stream": [HELLO, True],
    "tools": [WEATHER, TOLD],
    "parallel": BOTH,
    "stream_tools": BOTH,
    "structured": REPORT,
    "image": PICTURE,
}
_PYDANTIC_AI: Mapping[str, Any] = {
    "plain": [HELLO, True],
    "stream": [HELLO, True],
    "tools": [["Oslo"], TOLD],
    "parallel": [["Bergen", "Oslo"], TOLD],
    "structured": REPORT,
    "structured_by_tool": REPORT,
    "image": PICTURE,
}
FACES = ("chat", "responses", "anthropic")


def _of_each_face(cases: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{face}_{name}": value for face in FACES for name, value in cases.items()}


WORKS: Mapping[str, Mapping[str, Any]] = {
    "openai_sdk": OPENAI,
    "anthropic_sdk": ANTHROPIC,
    "langchain_client": {**_of_each_face(_LANGCHAIN), "embeddings": [2, True], "anthropic_count": True},
    "pydantic_ai_client": {
        **_of_each_face(_PYDANTIC_AI),
        "embeddings": [2, True],
        "responses_count": True,
        "anthropic_count": True,
    },
    "openai_npm": OPENAI_NPM,
}
REFUSED = {
    "wrong_key": (401, "bearer token"),
    "unknown_model": (404, "no-such-model"),
    "budget": (429, "a-dollar-a-day"),
    "bad_request": (400, ""),
    "too_large": (413, "too long"),
}
BROKEN = ("cut_stream", "failing_stream")
SINGLE = {
    ("openai_sdk", "unknown_listed"): (404, "No model of this name"),
    ("openai_sdk", "bad_responses_request"): (400, "input"),
    ("anthropic_sdk", "unknown_listed"): (404, "No model of this name"),
    ("openai_npm", "unknown_listed"): (404, "No model of this name"),
    ("openai_sdk", "responses_cut_stream"): None,
    ("anthropic_sdk", "cut_stream_read_by_the_client"): None,
    ("openai_npm", "responses_cut_stream"): None,
}


def _faces(client: str) -> tuple[str, ...]:
    return tuple(f"{face}_" for face in FACES) if client in {"langchain_client", "pydantic_ai_client"} else ("",)


@dataclass(frozen=True, slots=True)
class Played:
    """What came of every case of one client, and what the road was asked."""

    outcomes: Mapping[str, Any]
    asks: tuple[ModelAsk, ...]


_PLAYED: dict[str, Played] = {}


@pytest.fixture
async def played(client: str, tmp_path: Path) -> Played:
    """What came of every case of `client`, played once for all tests about it."""
    if client not in _PLAYED:
        async with served_models(tmp_path) as served:
            outcomes = await _play(client, served.url, served.key, tmp_path)
            _PLAYED[client] = Played(outcomes, tuple(served.asks))
    return _PLAYED[client]


async def _play(client: str, url: str, key: str, home: Path, *cases: str) -> Mapping[str, Any]:
    runner, stamp = (NODE, NODE.parent) if client == "openai_npm" else (PYTHON, PYTHON.parents[1])
    if not runner.exists():
        pytest.skip(f"no clients to try; `make {stamp.relative_to(ROOT)}/.ready` installs them")
    program = [str(NODE), str(PROGRAMS / "openai_npm.mjs")]
    if runner is PYTHON:
        program = [str(PYTHON), "-m", f"tests.acceptance.clients.{client}"]
    pipe = asyncio.subprocess.PIPE
    # Clients take keys, addresses and profiles from the environment and the home of whoever runs them.
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(home)}
    process = await asyncio.create_subprocess_exec(
        *program, url, key, *cases, stdout=pipe, stderr=pipe, env=environment, cwd=ROOT
    )
    out, err = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, err.decode()[-4000:]
    played: Mapping[str, Any] = json.loads(out)
    return played


def _cases() -> list[Any]:
    return [
        pytest.param(client, case, marks=pytest.mark.xdist_group(client), id=f"{client}-{case}")
        for client, cases in WORKS.items()
        for case in cases
    ]


def _per_client() -> list[Any]:
    return [pytest.param(client, marks=pytest.mark.xdist_group(client), id=client) for client in WORKS]


@pytest.mark.parametrize(("client", "case"), _cases())
def test_a_client_gets_what_the_model_said(client: str, case: str, played: Played) -> None:
    assert played.outcomes[case] == {"value": WORKS[client][case]}


@pytest.mark.parametrize("client", _per_client())
def test_a_client_raises_its_own_error_for_each_refusal(client: str, played: Played) -> None:
    expected = {f"{face}{case}": said for face in _faces(client) for case, said in REFUSED.items()}
    expected |= {case: said for (name, case), said in SINGLE.items() if name == client and said is not None}
    for case, (status, words) in expected.items():
        raised = played.outcomes[case].get("raised", {})
        assert raised.get("status") == status, (case, played.outcomes[case])
        assert words in raised["text"], (case, raised)


@pytest.mark.parametrize("client", _per_client())
def test_a_client_never_takes_a_broken_stream_for_a_complete_one(client: str, played: Played) -> None:
    expected = [f"{face}{case}" for face in _faces(client) for case in BROKEN]
    expected += [case for (name, case), said in SINGLE.items() if name == client and said is None]

    assert [case for case in expected if "raised" not in played.outcomes[case]] == []


@pytest.mark.parametrize("client", _per_client())
async def test_a_client_notices_a_connection_that_breaks_off_without_a_word(client: str, tmp_path: Path) -> None:
    cases = [f"{face}cut_stream" for face in _faces(client)]
    async with a_model_surface() as (url, _):
        outcomes = await _play(client, url, KEY, tmp_path, *cases)

    assert [case for case in cases if "raised" not in outcomes[case]] == []


@pytest.mark.parametrize("client", _per_client())
def test_a_client_does_not_hammer_at_a_budget_that_is_spent(client: str, played: Played) -> None:
    asked = [ask for ask in played.asks if ask.body["model"] == "broke"]

    assert len(asked) == len(_faces(client))


@pytest.mark.parametrize("client", _per_client())
def test_a_picture_arrives_as_the_client_sent_it(client: str, played: Played) -> None:
    pictures = [ask for ask in played.asks if "iVBORw0KGgo" in json.dumps(ask.body)]

    assert len(pictures) >= len(_faces(client))
