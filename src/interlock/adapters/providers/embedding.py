"""Embeddings without a model: texts with the same words point the same way."""

import base64
import math
import re
import struct
from hashlib import blake2b
from typing import Final

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import ModelRefused
from interlock.models.counting import Count

DIMENSIONS: Final = 256
_LARGEST: Final = 4_096
_WORD = re.compile(r"\w+")


def embedded(body: JsonObject, count: Count) -> dict[str, Json]:
    """Return the answer to an embeddings request in OpenAI's format. Raises ModelRefused."""
    inputs = _inputs(body.get("input"))
    dimensions = body.get("dimensions") or DIMENSIONS
    if not isinstance(dimensions, int) or not 1 <= dimensions <= _LARGEST:
        raise ModelRefused("The request for embeddings is refused", why=f"dimensions go from 1 to {_LARGEST}")
    packed = body.get("encoding_format") == "base64"
    tokens = sum(count(text) for text in inputs)
    rows = [
        {"object": "embedding", "index": index, "embedding": _packed(vector) if packed else vector}
        for index, vector in enumerate(vector_of(text, dimensions) for text in inputs)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": rows, "model": body.get("model", ""), "usage": usage}


def vector_of(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """Return a vector of unit length: each word of `text` adds to one dimension, up or down."""
    vector = [0.0] * dimensions
    for word in _WORD.findall(text.lower()) or [text]:
        number = int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "big")
        vector[(number >> 1) % dimensions] += 1.0 if number & 1 else -1.0
    length = math.sqrt(sum(value * value for value in vector))
    if not length:  # words have cancelled each other out
        return [1.0, *vector[1:]]
    return [value / length for value in vector]


def _packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _inputs(value: Json) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and value and all(isinstance(item, int) for item in value):
        return [_of_tokens(value)]
    if isinstance(value, list) and value and all(isinstance(item, str | list) for item in value):
        return [item if isinstance(item, str) else _of_tokens(item) for item in value]
    raise ModelRefused("The request for embeddings is refused", why="'input' is no text and no list of texts")


def _of_tokens(tokens: list[Json]) -> str:
    return " ".join(str(token) for token in tokens)
