"""The hashes of the tree as stores keep them: rows of up to 256, for every eighth level; what lies between is computed."""

import hashlib
from collections.abc import Sequence
from typing import Protocol

WIDTH = 256
"""Hashes in a full tile."""
_HEIGHT = 8
_SIZE = 32


class TileRows(Protocol):
    """Where tiles are kept."""

    def read(self, level: int, first: int, last: int) -> tuple[tuple[int, bytes], ...]:
        """Return the tiles from the number `first` to `last`, each with its number, in order; some may not be there."""

    def write(self, level: int, number: int, hashes: bytes) -> None:
        """Record a tile in place of a shorter one."""


def read_hashes(rows: TileRows, level: int, first: int, count: int) -> tuple[bytes, ...]:
    """Return hashes of full subtrees of 2**level leaves, as far as they are there (see `AuditLog.hashes`)."""
    tall, rise = divmod(level, _HEIGHT)
    begin, end = first << rise, (first + count) << rise
    if begin >= end:
        return ()
    run = bytearray()
    number = begin // WIDTH
    for found, hashes in rows.read(tall, number, (end - 1) // WIDTH):
        if found != number or (run and len(run) % (WIDTH * _SIZE)):
            break
        run += hashes
        number += 1
    start = begin % WIDTH * _SIZE
    row = [bytes(run[at : at + _SIZE]) for at in range(start, min(len(run), start + (end - begin) * _SIZE), _SIZE)]
    for _ in range(rise):
        row = [_parent(row[at], row[at + 1]) for at in range(0, len(row) - 1, 2)]
    return tuple(row)


def write_hashes(rows: TileRows, level: int, first: int, hashes: Sequence[bytes]) -> None:
    """Record hashes that come right after those that are there (see `AuditLog.keep_hashes`).

    Raises ValueError where they do not: a gap would be a tree that nobody can prove.
    """
    tall, rise = divmod(level, _HEIGHT)
    if rise or not hashes:
        return
    number, before = divmod(first, WIDTH)
    run = b"".join(hashes)
    if before:
        present = rows.read(tall, number, number)
        if not present or len(present[0][1]) != before * _SIZE:
            raise ValueError(f"hashes of level {level} do not follow those that are kept")
        run = present[0][1] + run
    for at in range(0, len(run), WIDTH * _SIZE):
        rows.write(tall, number, run[at : at + WIDTH * _SIZE])
        number += 1


def _parent(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
