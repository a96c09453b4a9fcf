"""The tree agrees with the published constants of Certificate Transparency, whichever way a proof is spoiled.

The constants (eight leaves, the roots of the trees over them) are those that every implementation of RFC 6962 is held to.
The cases around them are made here the way the published vectors are: each good proof, and each good proof spoiled. The
published files themselves are not part of this repository: `test_checkouts.py` runs them where somebody has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from interlock.audit.leaf import leaf_hash
from interlock.audit.tree import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    node_hash,
    verify_consistency,
    verify_inclusion,
)
from interlock.domain.errors import BadInput
from tests.unit.audit import naive

LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
ROOTS = [
    bytes.fromhex(root)
    for root in (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
HASHES = [leaf_hash(leaf) for leaf in LEAVES]


@dataclass(frozen=True)
class Inclusion:
    index: int
    size: int
    leaf: bytes
    proof: tuple[bytes, ...]
    root: bytes

    def verify(self) -> None:
        verify_inclusion(self.index, self.size, self.leaf, self.proof, self.root)

    def spoiled(self) -> Iterator[Inclusion]:
        for index in (self.index - 1, self.index + 1, self.index ^ 2):
            yield replace(self, index=index)
        for size in (self.size * 2, self.size // 2):
            yield replace(self, size=size)
        for leaf in (b"", EMPTY_ROOT, self.leaf[:-1]):
            yield replace(self, leaf=leaf)
        for root in (b"", EMPTY_ROOT, self.root[:-1], bytes(32)):
            yield replace(self, root=root)
        for proof in spoiled(self.proof, self.root):
            yield replace(self, proof=proof)


@dataclass(frozen=True)
class Consistency:
    old: int
    new: int
    proof: tuple[bytes, ...]
    old_root: bytes
    new_root: bytes

    def verify(self) -> None:
        verify_consistency(self.old, self.new, self.proof, self.old_root, self.new_root)

    def spoiled(self) -> Iterator[Consistency]:
        for old in (self.old - 1, self.old + 1, self.old ^ 2):
            yield replace(self, old=old)
        for new in (self.new * 2, self.new // 2):
            yield replace(self, new=new)
        yield replace(self, old_root=self.new_root, new_root=self.old_root)
        yield replace(self, old_root=EMPTY_ROOT)
        yield replace(self, new_root=EMPTY_ROOT)
        for proof in spoiled(self.proof, self.new_root):
            yield replace(self, proof=proof)


def spoiled(proof: tuple[bytes, ...], root: bytes) -> Iterator[tuple[bytes, ...]]:
    """The same proof with a hash too many, too few, cut, empty or another."""
    yield (*proof, b"")
    yield (*proof, root)
    yield (b"", *proof)
    yield (root, *proof)
    for place in range(len(proof)):
        yield proof[:place] + proof[place + 1 :]
        yield (*proof[:place], bytes(32), *proof[place + 1 :])
        yield (*proof[:place], proof[place][:-1], *proof[place + 1 :])


def included() -> Iterator[Inclusion]:
    for size in range(1, len(LEAVES) + 1):
        for index in range(size):
            yield Inclusion(index, size, HASHES[index], naive.path(index, HASHES[:size]), ROOTS[size])


def grown() -> Iterator[Consistency]:
    for new in range(2, len(LEAVES) + 1):
        for old in range(1, new):
            yield Consistency(old, new, naive.proof(old, HASHES[:new]), ROOTS[old], ROOTS[new])


def test_the_hashes_of_the_standard_are_ours() -> None:
    assert leaf_hash(b"L123456").hex() == "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56"
    assert node_hash(b"N123", b"N456").hex() == "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb"
    assert ROOTS[0] == EMPTY_ROOT


def test_the_roots_of_certificate_transparency_are_ours() -> None:
    for size in range(len(LEAVES) + 1):
        assert Frontier().extend(HASHES[:size])[0].root() == ROOTS[size]


def test_good_proofs_verify_and_are_what_we_make() -> None:
    def hashes_at(level: int, first: int, count: int) -> list[bytes]:
        width = 1 << level
        return [naive.mth(HASHES[at * width : (at + 1) * width]) for at in range(first, first + count)]

    for one in included():
        one.verify()
        assert inclusion_proof(one.index, one.size, hashes_at) == one.proof
    for other in grown():
        other.verify()
        assert consistency_proof(other.old, other.new, hashes_at) == other.proof


@pytest.mark.parametrize("good", [included, grown])
def test_no_spoiled_proof_verifies(good: Callable[[], Iterator[Inclusion | Consistency]]) -> None:
    tried = 0
    for one in good():
        for wrong in one.spoiled():
            # A size that has the same shape and leads to the same root is not wrong: sizes are signed with the root.
            with pytest.raises(BadInput):
                wrong.verify()
            tried += 1

    assert tried > 300


def test_an_empty_tree_and_equal_trees() -> None:
    verify_consistency(1, 1, (), ROOTS[1], ROOTS[1])
    for old, new, proof, first, second in [
        (0, 0, (), ROOTS[0], ROOTS[0]),
        (0, 1, (), ROOTS[0], ROOTS[1]),
        (0, 1, (ROOTS[1],), ROOTS[0], ROOTS[1]),
        (1, 0, (), ROOTS[1], ROOTS[0]),
        (1, 1, (ROOTS[1],), ROOTS[1], ROOTS[1]),
        (1, 1, (), ROOTS[1], ROOTS[0]),
        (2, 1, (), ROOTS[2], ROOTS[1]),
    ]:
        with pytest.raises(BadInput):
            verify_consistency(old, new, proof, first, second)
