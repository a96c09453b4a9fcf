"""The Merkle tree of RFC 6962 (and RFC 9162, section 2.1): roots, growth, proofs, and what proves them."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from interlock.domain.errors import MalformedProof, NotProven

HashesAt = Callable[[int, int, int], Sequence[bytes]]
"""`hashes_at(level, first, count)`: hashes of full subtrees of 2**level leaves, from the `first` on (`AuditLog.hashes`)."""
HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256().digest()
MAX_SIZE = 1 << 63
"""No tree has as many leaves: a larger size in a file is nonsense."""


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Hashes:
    """Hashes of neighbouring full subtrees that became complete together."""

    level: int
    first: int
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Frontier:
    """The right edge of a tree: what has to be known of it to add leaves and to tell its root."""

    size: int = 0
    edge: tuple[bytes, ...] = ()
    """The full subtrees that make up the tree, largest first: one for each bit that is set in `size`."""

    @classmethod
    def at(cls, size: int, hashes_at: HashesAt) -> "Frontier":
        """Return the right edge of the tree of the first `size` leaves."""
        return cls(size, tuple(_full_subtrees(0, size, hashes_at)))

    def root(self) -> bytes:
        """Return the Merkle tree hash, 32 bytes."""
        return _fold(self.edge) if self.edge else EMPTY_ROOT

    def extend(self, leaf_hashes: Sequence[bytes]) -> "tuple[Frontier, tuple[Hashes, ...]]":
        """Return the edge after these leaves, and the subtrees that they complete: level 0 is the leaves themselves."""
        waiting = dict(zip(_levels(self.size), self.edge, strict=True))
        grown: list[Hashes] = []
        level, first, row = 0, self.size, list(leaf_hashes)
        left: dict[int, bytes] = dict(waiting)
        while row:
            grown.append(Hashes(level, first, tuple(row)))
            if first & 1:
                row.insert(0, waiting[level])
                first -= 1
            left.pop(level, None)
            if len(row) & 1:
                left[level] = row.pop()
            row = _pair(row)
            level, first = level + 1, first >> 1
        size = self.size + len(leaf_hashes)
        return Frontier(size, tuple(left[level] for level in _levels(size))), tuple(grown)


def root(size: int, hashes_at: HashesAt) -> bytes:
    """Return the root of the tree of the first `size` leaves."""
    return Frontier.at(size, hashes_at).root()


def inclusion_proof(index: int, size: int, hashes_at: HashesAt) -> tuple[bytes, ...]:
    """Return the proof that leaf `index` is in the tree of `size` leaves: PATH(index, D[size]). Raises MalformedProof."""
    if not 0 <= index < size:
        raise MalformedProof("There is no such proof", why=f"leaf {index} is not in a tree of {size} leaves")
    begin, end = 0, size
    siblings: list[tuple[int, int]] = []
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            siblings.append((middle, end))
            end = middle
        else:
            siblings.append((begin, middle))
            begin = middle
    return tuple(_range_hash(first, last, hashes_at) for first, last in reversed(siblings))


def consistency_proof(old: int, new: int, hashes_at: HashesAt) -> tuple[bytes, ...]:
    """Return the proof that the first `old` leaves of the tree of `new` leaves are what they were: PROOF(old, D[new])."""
    if not 0 < old <= new:
        raise MalformedProof("There is no such proof", why=f"a tree of {new} leaves is no growth of one of {old}")
    begin, end = 0, new
    siblings: list[tuple[int, int]] = []
    while old != end:
        middle = begin + _split(end - begin)
        if old <= middle:
            siblings.append((middle, end))
            end = middle
        else:
            siblings.append((begin, middle))
            begin = middle
    if begin:
        siblings.append((begin, end))
    return tuple(_range_hash(first, last, hashes_at) for first, last in reversed(siblings))


def root_of_inclusion(index: int, size: int, leaf_hash: bytes, proof: Sequence[bytes]) -> bytes:
    """Return the root that the proof leads to (RFC 9162, section 2.1.3.2). Raises MalformedProof."""
    if not 0 <= index < size:
        raise MalformedProof("The proof cannot be right", why=f"leaf {index} is not in a tree of {size} leaves")
    _check_hashes((leaf_hash, *proof))
    node, last, reached = index, size - 1, leaf_hash
    for sibling in proof:
        if last == 0:
            raise MalformedProof("The proof is too long", why=f"for leaf {index} of {size}")
        if node & 1 or node == last:
            reached = node_hash(sibling, reached)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            reached = node_hash(reached, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise MalformedProof("The proof is too short", why=f"for leaf {index} of {size}")
    return reached


def verify_inclusion(index: int, size: int, leaf_hash: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Return if the leaf is in the tree of this size and root; raise MalformedProof or NotProven if that is not shown."""
    if root_of_inclusion(index, size, leaf_hash, proof) != root:
        raise NotProven(f"Leaf {index} is not shown to be in the tree of {size} leaves", why="the roots differ")


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Return if the older tree is a beginning of the newer one (RFC 9162, section 2.1.4.2), or raise.

    A tree without leaves proves nothing about a later one, so that `old` = 0 is malformed.
    """
    if not 0 < old <= new:
        raise MalformedProof("The proof cannot be right", why=f"a tree of {new} leaves is no growth of one of {old}")
    if old == new:
        if proof:
            raise MalformedProof("The proof is too long", why="a tree needs none to be consistent with itself")
        if old_root != new_root:
            raise NotProven("Two trees of one size are different", why=f"both have {old} leaves, and other roots")
        return
    _check_hashes((old_root, new_root, *proof))
    found_old, found_new = _roots_of_consistency(old, new, [old_root, *proof] if old & (old - 1) == 0 else list(proof))
    if found_old != old_root or found_new != new_root:
        raise NotProven(f"The tree of {new} leaves is not shown to have grown from the one of {old}")


def _roots_of_consistency(old: int, new: int, path: list[bytes]) -> tuple[bytes, bytes]:
    if not path:
        raise MalformedProof("The proof is too short", why=f"from {old} to {new} leaves")
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    older = newer = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise MalformedProof("The proof is too long", why=f"from {old} to {new} leaves")
        if node & 1 or node == last:
            older, newer = node_hash(sibling, older), node_hash(sibling, newer)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            newer = node_hash(newer, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise MalformedProof("The proof is too short", why=f"from {old} to {new} leaves")
    return older, newer


def _check_hashes(hashes: Sequence[bytes]) -> None:
    if any(len(one) != HASH_SIZE for one in hashes):
        raise MalformedProof("The proof cannot be right", why="a hash is not 32 bytes long")


def _pair(row: list[bytes]) -> list[bytes]:
    halves, sha256 = iter(row), hashlib.sha256
    return [sha256(b"\x01" + left + right).digest() for left, right in zip(halves, halves, strict=True)]


def _levels(size: int) -> list[int]:
    return [level for level in range(size.bit_length() - 1, -1, -1) if size >> level & 1]


def _split(count: int) -> int:
    """Return the largest power of two below `count`."""
    return 1 << (count - 1).bit_length() - 1


def _full_subtrees(begin: int, end: int, hashes_at: HashesAt) -> list[bytes]:
    found: list[bytes] = []
    for level in _levels(end - begin):
        found.extend(hashes_at(level, begin >> level, 1))
        begin += 1 << level
    return found


def _range_hash(begin: int, end: int, hashes_at: HashesAt) -> bytes:
    return _fold(_full_subtrees(begin, end, hashes_at))


def _fold(subtrees: Sequence[bytes]) -> bytes:
    reached = subtrees[-1]
    for subtree in reversed(subtrees[:-1]):
        reached = node_hash(subtree, reached)
    return reached
