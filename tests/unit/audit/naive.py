"""The definitions of RFC 6962, section 2.1, word for word and as slow as they are written: what the tree is held to."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def leaf(data: bytes) -> bytes:
    """MTH({d(0)}) = SHA-256(0x00 || d(0))."""
    return hashlib.sha256(b"\x00" + data).digest()


def mth(leaves: Sequence[bytes]) -> bytes:
    """The Merkle tree hash over leaf hashes."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return hashlib.sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(m: int, leaves: Sequence[bytes]) -> tuple[bytes, ...]:
    """PATH(m, D[n])."""
    if len(leaves) == 1:
        return ()
    k = split(len(leaves))
    if m < k:
        return (*path(m, leaves[:k]), mth(leaves[k:]))
    return (*path(m - k, leaves[k:]), mth(leaves[:k]))


def proof(m: int, leaves: Sequence[bytes]) -> tuple[bytes, ...]:
    """PROOF(m, D[n])."""
    return subproof(m, leaves, complete=True)


def subproof(m: int, leaves: Sequence[bytes], *, complete: bool) -> tuple[bytes, ...]:
    """SUBPROOF(m, D[n], b)."""
    if m == len(leaves):
        return () if complete else (mth(leaves),)
    k = split(len(leaves))
    if m <= k:
        return (*subproof(m, leaves[:k], complete=complete), mth(leaves[k:]))
    return (*subproof(m - k, leaves[k:], complete=False), mth(leaves[:k]))


def split(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


class Stored:
    """A tree that keeps the full subtrees which a frontier reports, as a store does."""

    def __init__(self) -> None:
        self.rows: dict[int, list[bytes]] = {}

    def keep(self, level: int, first: int, hashes: Sequence[bytes]) -> None:
        row = self.rows.setdefault(level, [])
        assert len(row) == first, "a level grows without gaps"
        row.extend(hashes)

    def __call__(self, level: int, first: int, count: int) -> Sequence[bytes]:
        found = self.rows[level][first : first + count]
        assert len(found) == count, "only full subtrees are asked for"
        return found
