"""A `.tlog-proof` convinces who has the log's key and nothing else, and says one thing only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.audit.leaf import leaf_hash
from interlock.audit.proofs import LogProof, parse_proof, prove
from interlock.domain.errors import InterlockError, MalformedProof, NotProven
from tests.unit.audit import naive
from tests.unit.audit.logs import FIRST, ORIGIN, SECOND, Log, cosigned
from tests.unit.audit.test_tree import grown

LOG = Log.of(20)
CHECKPOINT = cosigned(LOG.checkpoint(20))
STORED = grown([leaf_hash(leaf) for leaf in LOG.leaves])[1]
PROOFS = [prove(index, CHECKPOINT, STORED, leaf) for index, leaf in enumerate(LOG.leaves)]
KEY = FIRST.verifier


def test_every_entry_is_proved_by_its_file() -> None:
    for index, leaf in enumerate(LOG.leaves):
        proof = parse_proof(bytes(PROOFS[index]))
        assert proof == PROOFS[index]
        assert proof.leaf == leaf
        checkpoint = proof.verify(leaf, [KEY])
        assert (checkpoint.origin, checkpoint.size, checkpoint.root) == (ORIGIN, 20, naive.mth(_hashes()))


def test_the_file_is_written_as_the_standard_says() -> None:
    lines = bytes(prove(5, CHECKPOINT, STORED)).decode().split("\n")

    assert lines[:2] == ["c2sp.org/tlog-proof@v1", "index 5"]
    assert lines[2 + 5 : 2 + 5 + 3] == ["", ORIGIN, "20"]


def test_it_proves_no_other_entry_and_not_without_the_key() -> None:
    proof = PROOFS[5]

    with pytest.raises(NotProven):
        proof.verify(LOG.leaves[6], [KEY])
    with pytest.raises(NotProven):
        proof.verify(LOG.leaves[5], [SECOND.verifier])
    with pytest.raises(NotProven):
        LogProof(4, proof.hashes, proof.checkpoint).verify(LOG.leaves[5], [KEY])


def test_there_is_no_proof_of_what_the_checkpoint_does_not_cover() -> None:
    with pytest.raises(MalformedProof):
        prove(20, CHECKPOINT, STORED)


@given(position=st.integers(0, len(bytes(PROOFS[5])) - 1), flip=st.integers(1, 255))
def test_no_byte_that_matters_can_change(position: int, flip: int) -> None:
    """Only the lines of witnesses whom nobody asked about may differ: to a reader without their keys they say nothing."""
    data = bytearray(bytes(PROOFS[5]))
    data[position] ^= flip
    try:
        proof = parse_proof(bytes(data))
        proof.verify(proof.leaf or b"", [KEY])
    except InterlockError:
        return
    assert position > bytes(PROOFS[5]).index(b"example.com/witness") - 8


@given(
    data=st.binary(max_size=300) | st.text(max_size=200).map(lambda text: b"c2sp.org/tlog-proof@v1\n" + text.encode())
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedProof):
        parse_proof(data)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"@v1", b"@v2"),
        (b"index 5", b"index 05"),
        (b"index 5", b"index -5"),
        (b"index 5", b"index"),
        (b"index 5", b"index 5\nindex 5"),
        (b"extra ", b"extra"),
        (b"index 5\n", b"index 5\nAAAA\n"),
        (b"index 5\n", b"index 5\n" + b"A" * 43 + b"=\n" * 1 + (b"A" * 43 + b"=\n") * 70),
        (b"\n20\n", b"\n020\n"),
    ],
)
def test_a_proof_that_is_not_of_its_form_is_refused(old: bytes, new: bytes) -> None:
    with pytest.raises(MalformedProof):
        parse_proof(bytes(PROOFS[5]).replace(old, new))


def _hashes() -> list[bytes]:
    return [leaf_hash(leaf) for leaf in LOG.leaves]
