"""How alike two questions are, as their vectors say: packed to be kept, compared fast enough for the road."""

import base64
import binascii
import math
import struct
from collections.abc import Iterable
from typing import Protocol, TypeVar

from interlock.domain.canonical import JsonObject
from interlock.domain.errors import BadModelReply

WHOLE = 10_000
"""Similarities are whole numbers of 1/10,000, as thresholds are."""
LARGEST = 4_096
"""Dimensions."""
_HEAD = 96
"""So many dimensions rule most vectors out before the others are looked at."""


class Kept(Protocol):
    """A kept reply with the vector of its question."""

    @property
    def vector(self) -> bytes:
        """Packed by `pack`."""


K = TypeVar("K", bound=Kept)


def pack(vector: list[float]) -> bytes:
    """Return `vector` at unit length, as float32, little-endian. Raises BadModelReply for one that has no direction."""
    length = math.hypot(*vector)
    if not 0 < len(vector) <= LARGEST or not math.isfinite(length) or length == 0:
        raise BadModelReply("The embedding cannot be used", why="it is empty, too long, zero, or not finite")
    return struct.pack(f"<{len(vector)}f", *(value / length for value in vector))


def nearest(vector: bytes, kept: Iterable[K], threshold: int) -> tuple[K, int] | None:
    """Return the kept reply whose question is most like `vector`, and its similarity, if that is `threshold` or more.

    Of two that are alike, the first. Vectors of another length are of another model, and are passed over.
    """
    size = len(vector) // 4
    unpack, head = struct.Struct(f"<{size}f").unpack, struct.Struct(f"<{min(size, _HEAD)}f").unpack_from
    # For vectors of unit length the cosine is 1 - distance² / 2, and the distance is computed in C. That over some of the
    # dimensions is never longer than that over all.
    mine, mine_head, distance = unpack(vector), head(vector), math.dist
    best, furthest = None, math.sqrt(max(0.0, 2 - 2 * threshold / WHOLE)) + 1e-6
    for one in kept:
        if len(one.vector) != len(vector) or distance(mine_head, head(one.vector)) > furthest:
            continue
        far = distance(mine, unpack(one.vector))
        if far < furthest or (best is None and far <= furthest):
            best, furthest = one, far
    if best is None:
        return None
    similarity = min(WHOLE, math.floor((1 - furthest * furthest / 2) * WHOLE + 1e-2))
    return (best, similarity) if similarity >= threshold else None


def embedding_in(body: JsonObject) -> list[float]:
    """Return the one vector that an answer in OpenAI's format holds. Raises BadModelReply."""
    rows = body.get("data")
    first = rows[0] if isinstance(rows, list) and len(rows) == 1 else None
    said = first.get("embedding") if isinstance(first, dict) else None
    if isinstance(said, str):
        said = _floats(said)
    if not isinstance(said, list) or not all(type(value) in (int, float) for value in said):
        raise BadModelReply("The embedding cannot be read", why="it is not one list of numbers")
    return [float(value) for value in said]


def _floats(said: str) -> list[float] | None:
    try:
        raw = base64.b64decode(said, validate=True)
        return list(struct.unpack(f"<{len(raw) // 4}f", raw))
    except (binascii.Error, struct.error):
        return None
