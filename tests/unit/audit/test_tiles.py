"""Tiles and bundles lie where C2SP says, hold what it says, and are enough to prove anything."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.audit.tiles import (
    Bundle,
    Tile,
    bundle_bytes,
    bundle_entries,
    bundles_of,
    hashes_from_tiles,
    is_in_tree,
    parse_tile_path,
    tile_bytes,
    tile_hashes,
    tiles_of,
)
from interlock.audit.tree import consistency_proof, inclusion_proof, root
from interlock.domain.errors import InterlockError, MalformedProof, TooLarge
from tests.unit.audit import naive
from tests.unit.audit.test_tree import grown

LEAVES = [naive.leaf(b"%d" % number) for number in range(700)]
STORED = grown(LEAVES)[1]


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 1_234_067), "tile/0/x001/x234/067"),
        (Tile(1, 1_000, 17), "tile/1/x001/000.p/17"),
        (Tile(2, 999), "tile/2/999"),
        (Bundle(273, 112), "tile/entries/273.p/112"),
        (Bundle(0), "tile/entries/000"),
    ],
)
def test_a_tile_lies_where_the_standard_says(tile: Tile | Bundle, path: str) -> None:
    assert tile.path == path
    assert parse_tile_path(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "", "tile/0/0", "tile/00/000", "tile/0/x000/000", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01",
        "tile/0/000.p/999", "tile/64/000", "tile/8/000", "tile/-1/000", "tile/0/000/", "/tile/0/000", "tile/0/../0/000",
        "tile/0/1234", "tile/0/x1234/067", "tile/0/٠٠٠", "tile/entries/x", "tile/0/" + "x999/" * 9 + "999",
    ],
)  # fmt: skip
def test_no_other_path_names_a_tile(path: str) -> None:
    with pytest.raises(MalformedProof):
        parse_tile_path(path)


@given(st.text(max_size=40) | st.from_regex(r"tile/(entries|[0-9]{1,2})/(x[0-9]{3}/)*[0-9]{3}(\.p/[0-9]{1,3})?"))
def test_a_path_means_one_tile_or_nothing(path: str) -> None:
    with contextlib.suppress(InterlockError):
        assert parse_tile_path(path).path == path


def test_the_tiles_of_a_tree_are_those_of_the_example_in_the_standard() -> None:
    tiles = list(tiles_of(70_000))

    assert sum(tile.level == 0 and tile.width == 256 for tile in tiles) == 273
    assert tiles[273:] == [Tile(0, 273, 112), Tile(1, 0), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert list(tiles_of(256)) == [Tile(0, 0), Tile(1, 0, 1)]
    assert list(tiles_of(0)) == []
    assert list(bundles_of(257)) == [Bundle(0), Bundle(1, 1)]


def test_a_tree_holds_its_tiles_and_earlier_partial_ones() -> None:
    assert all(is_in_tree(tile, 700) for size in (1, 300, 700) for tile in tiles_of(size))
    assert not any(is_in_tree(tile, 700) for tile in (Tile(0, 2, 189), Tile(0, 2), Tile(1, 0, 3), Bundle(3, 1)))


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 512, 700])
def test_tiles_alone_prove_everything(size: int) -> None:
    files = {tile.path: tile_bytes(tile, STORED) for tile in tiles_of(size)}
    hashes_at = hashes_from_tiles(size, lambda tile: files[tile.path])

    assert root(size, hashes_at) == naive.mth(LEAVES[:size])
    for index in range(0, size, 37):
        assert inclusion_proof(index, size, hashes_at) == inclusion_proof(index, size, STORED)
        assert consistency_proof(index + 1, size, hashes_at) == consistency_proof(index + 1, size, STORED)
    with pytest.raises(MalformedProof):
        hashes_at(0, size, 1)


def test_a_tile_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(MalformedProof):
        tile_hashes(Tile(0, 0, 2), bytes(63))


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=20))
def test_entries_survive_their_bundle(entries: list[bytes]) -> None:
    bundle = Bundle(0, len(entries))
    content = bundle_bytes(entries)

    assert bundle_entries(bundle, content) == tuple(entries)
    for wrong in (content[:-1], content + b"\0", b""):
        with pytest.raises(MalformedProof):
            bundle_entries(bundle, wrong)


def test_an_entry_that_no_bundle_can_carry_is_refused() -> None:
    with pytest.raises(TooLarge):
        bundle_bytes([bytes(65_536)])
