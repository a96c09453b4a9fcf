"""The nearest question is found, the same as by plain arithmetic, and fast enough for the road."""

import base64
import math
import random
import struct
import time
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.domain.errors import BadModelReply
from interlock.models.similarity import LARGEST, embedding_in, nearest, pack


@dataclass(frozen=True)
class Kept:
    vector: bytes


def a_vector(seed: int, size: int = 384) -> list[float]:
    chance = random.Random(seed)
    return [chance.gauss(0, 1) for _ in range(size)]


def cosine(one: bytes, other: bytes) -> float:
    return sum(a * b for a, b in zip(memoryview(one).cast("f"), memoryview(other).cast("f"), strict=True))


@given(st.integers(0, 10**6), st.integers(0, 40), st.sampled_from([0, 5_000, 9_000, 9_900]))
def test_the_nearest_is_the_one_with_the_largest_cosine(seed: int, count: int, threshold: int) -> None:
    asked = a_vector(seed, 8)
    kept = [Kept(pack(a_vector(seed + 1 + number, 8))) for number in range(count)]
    kept += [Kept(pack([value + random.Random(seed).gauss(0, 0.2) for value in asked]))]
    mine = pack(asked)
    best = max(cosine(mine, one.vector) for one in kept)

    found = nearest(mine, kept, threshold)

    if best * 10_000 > threshold + 1:
        assert found is not None
        assert cosine(mine, found[0].vector) == pytest.approx(best, abs=1e-6)
        assert found[1] == pytest.approx(best * 10_000, abs=1.5)
    elif best * 10_000 < threshold - 1:
        assert found is None


def test_of_two_that_are_alike_the_newest_serves() -> None:
    vector = pack(a_vector(1))
    newest, older = Kept(vector), Kept(vector)

    assert nearest(vector, [newest, older], 9_500) == (newest, 10_000)


def test_a_vector_of_another_model_is_passed_over() -> None:
    assert nearest(pack(a_vector(1)), [Kept(pack(a_vector(1, 256))), Kept(b"")], 0) is None


def test_the_newest_256_are_compared_within_two_milliseconds() -> None:
    mine = pack(a_vector(0))
    # Each is about as near as questions of one subject are, so that looking at a part of it does not rule it out.
    kept = [Kept(pack([a + 0.4 * b for a, b in zip(a_vector(0), a_vector(n + 1), strict=True)])) for n in range(256)]

    took = []
    for _ in range(20):
        began = time.perf_counter()
        nearest(mine, kept, 9_000)
        took.append(time.perf_counter() - began)

    assert min(took) < 0.002


@pytest.mark.parametrize("vector", [[], [0.0, 0.0], [math.nan, 1.0], [math.inf], [1.0] * (LARGEST + 1)])
def test_a_vector_without_a_direction_is_refused(vector: list[float]) -> None:
    with pytest.raises(BadModelReply):
        pack(vector)


def test_vectors_are_kept_at_unit_length() -> None:
    assert cosine(pack([3.0, 4.0]), pack([3.0, 4.0])) == pytest.approx(1)
    assert struct.unpack("<2f", pack([3.0, 4.0])) == pytest.approx((0.6, 0.8))


def test_an_embedding_is_read_as_numbers_or_as_base64() -> None:
    packed = base64.b64encode(struct.pack("<2f", 0.5, -1.0)).decode()

    assert embedding_in({"data": [{"embedding": [1, 0.5]}]}) == [1.0, 0.5]
    assert embedding_in({"data": [{"embedding": packed}]}) == [0.5, -1.0]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"data": []},
        {"data": [{"embedding": [1.0]}, {"embedding": [1.0]}]},
        {"data": [{"embedding": ["1"]}]},
        {"data": [{"embedding": "%%%"}]},
        {"data": [{"embedding": "AAA="}]},
        {"data": [{"embedding": [True]}]},
        {"data": [7]},
    ],
)
def test_what_is_no_embedding_is_a_bad_reply(body: dict[str, object]) -> None:
    with pytest.raises(BadModelReply):
        embedding_in(body)
