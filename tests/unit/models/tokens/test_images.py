"""An image costs what its size says, and when that cannot be told, what no image exceeds."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.models.tokens.images import MOST, Size, image_tokens, size


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", width, height) + b"\x08\x06\x00\x00\x00"


def jpeg(width: int, height: int) -> bytes:
    """With metadata of a camera before the size, which holds bytes like those of a marker."""
    exif = (
        b"\xff\xe1"
        + struct.pack(">H", 2 + 300)
        + b"Exif\x00\x00"
        + b"\xff\xc0\x00\x11\x08\x00\x01\x00\x01" * 32
        + b"\x00" * 6
    )
    tables = b"\xff\xdb" + struct.pack(">H", 67) + b"\x10" * 65
    return (
        b"\xff\xd8"
        + exif
        + b"\xff"
        + tables
        + b"\xff\xc2\x00\x11\x08"
        + struct.pack(">HH", height, width)
        + b"\x03" * 12
    )


def webp(kind: bytes, rest: bytes) -> bytes:
    return b"RIFF\x00\x00\x00\x00WEBP" + kind + b"\x20\x00\x00\x00" + rest


WIDE = [
    png(1024, 768),
    jpeg(1024, 768),
    b"GIF89a" + struct.pack("<HH", 1024, 768) + b"\x00" * 4,
    webp(b"VP8 ", b"\x00\x00\x00\x9d\x01\x2a" + struct.pack("<HH", 1024, 768)),
    webp(b"VP8L", b"\x2f" + struct.pack("<I", 1023 | 767 << 14)),
    webp(b"VP8X", b"\x00" * 4 + (1023).to_bytes(3, "little") + (767).to_bytes(3, "little")),
]


@pytest.mark.parametrize("data", WIDE, ids=["png", "jpeg", "gif", "webp", "lossless webp", "extended webp"])
def test_the_size_of_an_image_is_read_from_its_first_bytes(data: bytes) -> None:
    assert size(data) == Size(1024, 768)
    assert all(size(data[:cut]) is None for cut in range(9))


@pytest.mark.parametrize(
    "data", [b"", b"<svg/>", b"%PDF-1.7", png(0, 5), png(70_000, 5), jpeg(9, 9)[:40], b"\xff\xd8\xff\xe1\x00\x00"]
)
def test_what_is_no_image_has_no_size(data: bytes) -> None:
    assert size(data) is None


@given(st.sampled_from([b"", *WIDE]), st.binary(max_size=64), st.integers(0, 40))
def test_no_bytes_make_trouble(start: bytes, rest: bytes, cut: int) -> None:
    data = start[:cut] + rest

    for model in ("gpt-4o", "claude-opus-5", "gemini-3-pro", "who-knows"):
        assert 0 < image_tokens(model, data) <= MOST


@pytest.mark.parametrize(
    ("model", "width", "height", "tokens"),
    [
        # OpenAI's own examples.
        ("gpt-4o", 1024, 1024, 765),
        ("gpt-4o", 2048, 4096, 1105),
        ("gpt-4o-2024-11-20", 512, 512, 255),
        ("gpt-4o-mini", 1024, 1024, 2833 + 4 * 5667),
        ("o3", 1024, 1024, 75 + 4 * 150),
        ("gpt-4.1-mini", 1024, 1024, 1659),
        ("gpt-4.1-nano", 8000, 8000, 3779),
        ("gpt-5", 1024, 1024, 70 + 4 * 140),
        # Measured, less what the words around them cost.
        ("claude-haiku-4-5", 256, 256, 100),
        ("claude-sonnet-4-5", 1024, 1024, 1369),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", 4032, 3024, 1640),
        ("claude-opus-5-5", 1920, 1080, 2691),
        ("claude-opus-4-7", 8000, 8000, 4784),
    ],
)
def test_an_image_costs_what_its_maker_says(model: str, width: int, height: int, tokens: int) -> None:
    assert image_tokens(model, png(width, height)) == tokens


@pytest.mark.parametrize(
    ("model", "width", "height", "measured"),
    [
        ("gpt-6-astra", 256, 256, 77),
        ("gpt-6-astra", 4032, 3024, 14_364),
        ("gpt-5.5", 4032, 3024, 11_868),
        ("gemini-3-pro", 1280, 720, 1_101),
        ("claude-sonnet-5-5", 4032, 3024, 3_928),
    ],
)
def test_an_image_of_a_newer_model_costs_no_more_than_the_bound(
    model: str, width: int, height: int, measured: int
) -> None:
    assert measured <= image_tokens(model, png(width, height)) <= 4 * max(measured, 560)


@given(
    st.integers(1, 9000),
    st.integers(1, 9000),
    st.sampled_from(["gpt-4o-mini", "gpt-4.1", "gpt-9", "claude-opus-5", "claude-3", "gemini-2.5-pro", "llama"]),
)
def test_an_unknown_size_is_taken_for_the_largest(width: int, height: int, model: str) -> None:
    assert image_tokens(model, png(width, height)) <= image_tokens(model) <= MOST


def test_low_detail_is_cheap_where_the_model_has_it() -> None:
    assert image_tokens("gpt-4o", png(4000, 4000), low=True) == 85
    assert image_tokens("gpt-4o-mini", low=True) == 2833
