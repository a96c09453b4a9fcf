"""Tiles (c2sp.org/tlog-tiles): the tree as files of up to 256 hashes, and the entries as bundles of up to 256."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from interlock.audit.tree import HASH_SIZE, HashesAt, node_hash
from interlock.domain.errors import MalformedProof, TooLarge

TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 1 << TILE_HEIGHT
MAX_LEVEL: Final = 63 // TILE_HEIGHT
MAX_ENTRY: Final = 0xFFFF
"""The longest entry that a bundle can carry, in bytes."""
_PATH = re.compile(
    r"tile/(?P<level>entries|0|[1-9]\d?)/(?P<number>(?:x\d{3}/)*\d{3})(?:\.p/(?P<width>[1-9]\d{0,2}))?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Tile:
    """Up to 256 neighbouring hashes of full subtrees of 256**level leaves."""

    level: int
    number: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        """Where it lies, below the prefix of the log."""
        return f"tile/{self.level}/{_number(self.number, self.width)}"

    @property
    def first(self) -> int:
        """The place of its first hash among those of its level."""
        return self.number * TILE_WIDTH


@dataclass(frozen=True, slots=True)
class Bundle:
    """Up to 256 neighbouring entries."""

    number: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        return f"tile/entries/{_number(self.number, self.width)}"

    @property
    def first(self) -> int:
        """The index of its first entry."""
        return self.number * TILE_WIDTH


def parse_tile_path(path: str) -> Tile | Bundle:
    """Return what lies at `path`. Raises MalformedProof for what is not the one path of a tile."""
    found = _PATH.fullmatch(path)
    if found is None:
        raise MalformedProof("This is not the path of a tile", do="See c2sp.org/tlog-tiles")
    number = int(found["number"].replace("x", "").replace("/", ""))
    width = int(found["width"] or TILE_WIDTH)
    entries = found["level"] == "entries"
    tile = Bundle(number, width) if entries else Tile(int(found["level"]), number, width)
    nowhere = width > TILE_WIDTH or number >> (63 - TILE_HEIGHT) or (isinstance(tile, Tile) and tile.level > MAX_LEVEL)
    if nowhere or tile.path != path:
        raise MalformedProof("This is not the path of a tile", do="See c2sp.org/tlog-tiles")
    return tile


def tiles_of(size: int) -> Iterator[Tile]:
    """Yield every tile of a tree of `size` leaves, level by level; the last of a level may be partial."""
    level = 0
    while count := size >> (TILE_HEIGHT * level):
        full, rest = divmod(count, TILE_WIDTH)
        yield from (Tile(level, number) for number in range(full))
        if rest:
            yield Tile(level, full, rest)
        level += 1


def bundles_of(size: int) -> Iterator[Bundle]:
    """Yield every entry bundle of a log of `size` entries."""
    return (Bundle(tile.number, tile.width) for tile in tiles_of(size) if tile.level == 0)


def is_in_tree(tile: Tile | Bundle, size: int) -> bool:
    """Return whether a tree of `size` leaves holds these hashes; a partial tile of an earlier size is still held."""
    level = tile.level if isinstance(tile, Tile) else 0
    return tile.first + tile.width <= size >> (TILE_HEIGHT * level)


def tile_bytes(tile: Tile, hashes_at: HashesAt) -> bytes:
    """Return the content of a tile."""
    return b"".join(hashes_at(tile.level * TILE_HEIGHT, tile.first, tile.width))


def tile_hashes(tile: Tile, content: bytes) -> tuple[bytes, ...]:
    """Return the hashes in a tile's content. Raises MalformedProof if it is not as wide as it should be."""
    if len(content) != tile.width * HASH_SIZE:
        raise MalformedProof("A tile is not as long as it should be", why=f"{tile.path} has {len(content)} bytes")
    return tuple(content[place : place + HASH_SIZE] for place in range(0, len(content), HASH_SIZE))


def bundle_bytes(entries: Iterable[bytes]) -> bytes:
    """Return the content of a bundle: each entry after its length. Raises TooLarge for one that bundles cannot carry."""
    parts = []
    for entry in entries:
        if len(entry) > MAX_ENTRY:
            raise TooLarge("An entry is too long for a bundle", why=f"it has {len(entry)} bytes", do="Use the export")
        parts += [len(entry).to_bytes(2), entry]
    return b"".join(parts)


def bundle_entries(bundle: Bundle, content: bytes) -> tuple[bytes, ...]:
    """Return the entries in a bundle's content. Raises MalformedProof."""
    found, place = [], 0
    while place < len(content):
        length = int.from_bytes(content[place : place + 2])
        found.append(content[place + 2 : place + 2 + length])
        place += 2 + length
    if place != len(content) or len(found) != bundle.width:
        raise MalformedProof("A bundle is not of its form", why=f"{bundle.path} should hold {bundle.width} entries")
    return tuple(found)


def hashes_from_tiles(size: int, read: Callable[[Tile], bytes]) -> HashesAt:
    """Return a `hashes_at` for proofs in a tree of `size` leaves, made from its tiles alone. May raise MalformedProof."""

    def row(level: int, first: int, count: int) -> list[bytes]:
        found: list[bytes] = []
        across = size >> (TILE_HEIGHT * level)
        for number in range(first // TILE_WIDTH, (first + count - 1) // TILE_WIDTH + 1):
            tile = Tile(level, number, min(TILE_WIDTH, across - number * TILE_WIDTH))
            found.extend(tile_hashes(tile, read(tile)))
        start = first % TILE_WIDTH
        return found[start : start + count]

    def hashes_at(level: int, first: int, count: int) -> Sequence[bytes]:
        if first < 0 or count < 1 or (first + count) << level > size:
            raise MalformedProof("There is no such full subtree", why=f"the tree has {size} leaves")
        above = level % TILE_HEIGHT
        return _climb(row(level // TILE_HEIGHT, first << above, count << above), above)

    return hashes_at


def _climb(row: list[bytes], levels: int) -> list[bytes]:
    for _ in range(levels):
        row = [node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=True)]
    return row


def _number(number: int, width: int) -> str:
    digits = str(number)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[place : place + 3] for place in range(0, len(digits), 3)]
    partial = f".p/{width}" if width != TILE_WIDTH else ""
    return "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]]) + partial
