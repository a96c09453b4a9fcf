"""Proofs for one entry as one text file (c2sp.org/tlog-proof): its index, its path up the tree, the signed checkpoint."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from interlock.audit.checkpoints import Checkpoint, open_checkpoint, parse_size, read_checkpoint
from interlock.audit.leaf import leaf_hash
from interlock.audit.notes import VerifierKey, from_base64
from interlock.audit.tree import HASH_SIZE, HashesAt, inclusion_proof, verify_inclusion
from interlock.domain.errors import MalformedProof

SUFFIX: Final = ".tlog-proof"
_MAGIC = "c2sp.org/tlog-proof@v1"
_MAX_HASHES = 64
_MAX_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class LogProof:
    """That an entry is in the log, for somebody who has only the log's verifier key."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    """The signed note, byte for byte, with whatever cosignatures it has."""
    leaf: bytes | None = None
    """The entry itself, where it travels along (as `extra`): nothing to trust until it verifies."""

    def __bytes__(self) -> bytes:
        lines = [_MAGIC]
        if self.leaf is not None:
            lines.append(f"extra {base64.b64encode(self.leaf).decode()}")
        lines += [f"index {self.index}", *(base64.b64encode(one).decode() for one in self.hashes), ""]
        return "".join(f"{line}\n" for line in lines).encode() + self.checkpoint

    def verify(self, leaf: bytes, keys: Iterable[VerifierKey]) -> Checkpoint:
        """Return the checkpoint that one of `keys` signed and whose tree holds `leaf`, or raise.

        Raises MalformedProof or NotProven. Whose log the `origin` of the checkpoint names is for the caller to judge.
        """
        checkpoint = open_checkpoint(self.checkpoint, keys)
        verify_inclusion(self.index, checkpoint.size, leaf_hash(leaf), self.hashes, checkpoint.root)
        return checkpoint


def prove(index: int, checkpoint: bytes, hashes_at: HashesAt, leaf: bytes | None = None) -> LogProof:
    """Return the proof of entry `index` under a signed checkpoint of ours. Raises MalformedProof if it is not below it."""
    size = read_checkpoint(checkpoint).size
    return LogProof(index, inclusion_proof(index, size, hashes_at), checkpoint, leaf)


def parse_proof(data: bytes) -> LogProof:
    """Return what a `.tlog-proof` says, checked for form only. Raises MalformedProof."""
    head, cut, checkpoint = data.partition(b"\n\n")
    if len(data) > _MAX_BYTES or not cut:
        raise _not_a_proof("no empty line parts the proof from the checkpoint")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise _not_a_proof("it is not text") from None
    if lines.pop(0) != _MAGIC:
        raise _not_a_proof(f"it does not begin with {_MAGIC}")
    leaf = None
    if lines and lines[0].startswith("extra "):
        leaf = from_base64(lines.pop(0).removeprefix("extra "), "the entry")
    if not lines or not lines[0].startswith("index "):
        raise _not_a_proof("it names no index")
    index = parse_size(lines.pop(0).removeprefix("index "))
    hashes = tuple(from_base64(line, "a hash") for line in lines)
    if len(hashes) > _MAX_HASHES or any(len(one) != HASH_SIZE for one in hashes):
        raise _not_a_proof("its hashes are too many, or not of 32 bytes")
    read_checkpoint(checkpoint)
    return LogProof(index, hashes, checkpoint, leaf)


def _not_a_proof(why: str) -> MalformedProof:
    return MalformedProof("This is not a proof of a log entry", why=why)
