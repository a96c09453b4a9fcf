"""A provider of embeddings that needs no network: the model lies in a package beside Interlock."""

import asyncio
import base64
import struct
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import orjson

from interlock.adapters.providers.local import JSON, LocalAnswer, object_in
from interlock.adapters.providers.minilm import DIMENSIONS, LONGEST, MiniLm, load, model_folder
from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import ConfigurationError, ModelRefused, ModelUnavailable
from interlock.domain.models import Dialect
from interlock.models.ports import Answer, Operation, Outbound, Provider
from interlock.models.wire import Wire

MODEL: Final = "all-MiniLM-L6-v2"
_MOST_TEXTS: Final = 256
"""In one request. Each takes some milliseconds of one core."""


class LocalEmbeddings(Provider):
    """Speaks OpenAI's embeddings. One thread of its own computes, text by text, so that nobody waits for a long batch."""

    def __init__(self, name: str, wires: Mapping[Dialect, Wire]) -> None:
        """Raises ConfigurationError when the packages are missing; the model is read when it is first asked."""
        model_folder()
        self._name = name
        self._wire = wires[Dialect.OPENAI_EMBEDDINGS]
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embeddings")
        self._model: MiniLm | None = None

    @property
    def name(self) -> str:
        return self._name

    def speaks(self, dialect: Dialect) -> Dialect:  # noqa: ARG002 - one format, whoever asks
        return Dialect.OPENAI_EMBEDDINGS

    async def open(self, outbound: Outbound, dialect: Dialect) -> Answer:  # noqa: ARG002
        try:
            if outbound.operation is not Operation.EMBED:
                raise ModelRefused(f"The provider '{self._name}' makes embeddings only")
            body = await self._embedded(object_in(outbound.body, self._name))
        except ModelRefused as error:
            return LocalAnswer(error.status, JSON, (orjson.dumps(self._wire.write_error(error)),))
        return LocalAnswer(200, JSON, (orjson.dumps(body),))

    async def models(self) -> tuple[str, ...]:
        return (MODEL,)

    async def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _embedded(self, body: JsonObject) -> JsonObject:
        texts = _texts(body)
        if body.get("dimensions") not in (None, DIMENSIONS):
            raise ModelRefused("The request for embeddings is refused", why=f"the model has {DIMENSIONS} dimensions")
        packed = body.get("encoding_format") == "base64"
        loop = asyncio.get_running_loop()
        rows: list[Json] = []
        tokens = 0
        for index, text in enumerate(texts):
            read, vector = await loop.run_in_executor(self._thread, self._vector, text)
            tokens += read
            said: Json = base64.b64encode(struct.pack(f"<{DIMENSIONS}f", *vector)).decode() if packed else [*vector]
            rows.append({"object": "embedding", "index": index, "embedding": said})
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return {"object": "list", "data": rows, "model": MODEL, "usage": usage}

    def _vector(self, text: str) -> tuple[int, list[float]]:
        """Return how many tokens `text` has, and its vector. Runs in the provider's thread."""
        if self._model is None:
            try:
                self._model = load()
            except ConfigurationError as error:
                raise ModelUnavailable(error.what, why=error.why, do=error.do) from None
        numbers = self._model.numbers(text)
        if len(numbers) > LONGEST:
            # Cut to what the model reads, it would get the vector of another text.
            raise ModelRefused(
                "The text is too long for the local embeddings", why=f"it has {len(numbers)} tokens, {LONGEST} at most"
            )
        return len(numbers), self._model.vector(numbers)


def _texts(body: JsonObject) -> list[str]:
    said = body.get("input")
    texts = [said] if isinstance(said, str) else said
    if not isinstance(texts, list) or not texts or len(texts) > _MOST_TEXTS:
        raise ModelRefused("The request for embeddings is refused", why=f"'input' is not 1 to {_MOST_TEXTS} texts")
    if not all(isinstance(text, str) for text in texts):
        raise ModelRefused("The request for embeddings is refused", why="'input' holds tokens of another model")
    return [text for text in texts if isinstance(text, str)]
