"""The tree is that of RFC 6962: its roots and proofs are those of the definitions, and nothing else verifies."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from interlock.audit.tree import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    root,
    root_of_inclusion,
    verify_consistency,
    verify_inclusion,
)
from interlock.domain.errors import InterlockError, MalformedProof, NotProven
from tests.unit.audit import naive

LARGEST = 130
LEAVES = [naive.leaf(b"%d" % number) for number in range(LARGEST)]


def grown(leaves: list[bytes], *batches: int) -> tuple[Frontier, naive.Stored]:
    stored, frontier, first = naive.Stored(), Frontier(), 0
    for batch in (*batches, len(leaves) - sum(batches)):
        frontier, hashes = frontier.extend(leaves[first : first + batch])
        first += batch
        for one in hashes:
            stored.keep(one.level, one.first, one.hashes)
    return frontier, stored


STORED = grown(LEAVES)[1]
ROOTS = [naive.mth(LEAVES[:size]) for size in range(LARGEST + 1)]


def test_the_root_is_the_one_of_the_definition() -> None:
    assert [root(size, STORED) for size in range(LARGEST + 1)] == ROOTS
    assert ROOTS[0] == EMPTY_ROOT


def test_every_inclusion_proof_is_the_one_of_the_definition_and_verifies() -> None:
    for size in range(1, LARGEST + 1):
        for index in range(size):
            proof = inclusion_proof(index, size, STORED)
            assert proof == naive.path(index, LEAVES[:size]) if size < 40 else True
            verify_inclusion(index, size, LEAVES[index], proof, ROOTS[size])


def test_every_consistency_proof_is_the_one_of_the_definition_and_verifies() -> None:
    for new in range(1, LARGEST + 1):
        for old in range(1, new + 1):
            proof = consistency_proof(old, new, STORED)
            assert proof == naive.proof(old, LEAVES[:new]) if new < 40 else True
            verify_consistency(old, new, proof, ROOTS[old], ROOTS[new])


def test_a_proof_shows_one_leaf_in_one_tree_only() -> None:
    """Other places, sizes, leaves and lengths: whatever is not what was proved does not verify."""
    for size in range(1, 18):
        for index in range(size):
            proof = inclusion_proof(index, size, STORED)
            for other in range(-1, 20):
                for leaf in {index, other} & set(range(size)):
                    if (other, leaf) != (index, index):
                        with pytest.raises((MalformedProof, NotProven)):
                            verify_inclusion(other, size, LEAVES[leaf], proof, ROOTS[size])
            for wrong in (proof[:-1], (*proof, ROOTS[1]), (ROOTS[1], *proof), (*proof[:-1], bytes(32))):
                if wrong != proof:
                    with pytest.raises((MalformedProof, NotProven)):
                        verify_inclusion(index, size, LEAVES[index], wrong, ROOTS[size])


def test_a_history_that_was_changed_has_no_consistency_proof() -> None:
    forked = [*LEAVES[:5], naive.leaf(b"another"), *LEAVES[6:20]]
    stored = grown(forked)[1]
    for new in range(6, 21):
        fork = naive.mth(forked[:new])
        for old in range(6, new + 1):
            for proof in (consistency_proof(old, new, stored), consistency_proof(old, new, STORED)):
                with pytest.raises(NotProven):
                    verify_consistency(old, new, proof, ROOTS[old], fork)


@given(
    numbers=st.tuples(st.integers(-2, 2**64), st.integers(-2, 2**64)),
    proof=st.lists(st.binary(max_size=33) | st.binary(min_size=32, max_size=32), max_size=70),
)
def test_nonsense_is_refused_and_never_breaks_anything(numbers: tuple[int, int], proof: list[bytes]) -> None:
    first, second = numbers
    with pytest.raises(InterlockError):
        verify_inclusion(first, second, bytes(32), proof, bytes(32))
    with pytest.raises(InterlockError):
        verify_consistency(first, second, proof, bytes(32), bytes(range(32)))


@pytest.mark.parametrize(("index", "size"), [(0, 0), (-1, 3), (3, 3)])
def test_there_is_no_proof_of_a_leaf_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(MalformedProof):
        inclusion_proof(index, size, STORED)
    with pytest.raises(MalformedProof):
        root_of_inclusion(index, size, LEAVES[0], ())


@pytest.mark.parametrize(("old", "new"), [(0, 0), (0, 3), (4, 3), (-1, 3)])
def test_an_empty_or_larger_tree_is_consistent_with_nothing(old: int, new: int) -> None:
    with pytest.raises(MalformedProof):
        consistency_proof(old, new, STORED)
    with pytest.raises(MalformedProof):
        verify_consistency(old, new, (), EMPTY_ROOT, EMPTY_ROOT)


class Growth(RuleBasedStateMachine):
    """A log that grows by batches, forgets its frontier now and then, and keeps every checkpoint consistent."""

    def __init__(self) -> None:
        super().__init__()
        self.leaves: list[bytes] = []
        self.stored = naive.Stored()
        self.frontier = Frontier()
        self.roots = {0: EMPTY_ROOT}

    @rule(count=st.integers(0, 70))
    def grow(self, count: int) -> None:
        batch = [naive.leaf(b"%d" % (len(self.leaves) + number)) for number in range(count)]
        self.frontier, hashes = self.frontier.extend(batch)
        for one in hashes:
            self.stored.keep(one.level, one.first, one.hashes)
        self.leaves += batch
        self.roots[len(self.leaves)] = self.frontier.root()

    @rule()
    def restart(self) -> None:
        assert Frontier.at(len(self.leaves), self.stored) == self.frontier

    @rule(data=st.data())
    def look_back(self, data: st.DataObject) -> None:
        size = len(self.leaves)
        old = data.draw(st.sampled_from(sorted(self.roots)))
        if old:
            proof = consistency_proof(old, size, self.stored)
            verify_consistency(old, size, proof, self.roots[old], self.frontier.root())

    @invariant()
    def the_root_is_right(self) -> None:
        assert self.frontier.size == len(self.leaves)
        assert self.frontier.root() == naive.mth(self.leaves)


TestGrowth = Growth.TestCase
TestGrowth.settings = settings(max_examples=25, stateful_step_count=12, deadline=None)
