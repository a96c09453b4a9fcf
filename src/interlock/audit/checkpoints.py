"""Checkpoints (c2sp.org/tlog-checkpoint): which log, how many leaves, which root; the text that a log signs."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass

from interlock.audit.notes import SignerKey, VerifierKey, from_base64, open_note, parse_note, sign
from interlock.audit.tree import HASH_SIZE, MAX_SIZE
from interlock.domain.errors import MalformedProof


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself at one size."""

    origin: str
    """The name of the log. It cannot change without becoming another log."""
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        """Return the lines that are signed."""
        lines = (self.origin, str(self.size), base64.b64encode(self.root).decode(), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


def parse_checkpoint(text: str) -> Checkpoint:
    """Return the checkpoint that the text of a note says. Raises MalformedProof."""
    lines = text.split("\n")
    if len(lines) < len(("origin", "size", "root", "")) or lines.pop() or not all(lines):
        raise MalformedProof("This is not a checkpoint", why="it needs at least three lines, none of them empty")
    origin, size, root, *extensions = lines
    hashed = from_base64(root, "the root")
    if len(hashed) != HASH_SIZE:
        raise MalformedProof("This is not a checkpoint", why="its root is not 32 bytes long")
    return Checkpoint(origin, parse_size(size), hashed, tuple(extensions))


def parse_size(text: str) -> int:
    """Return a number of leaves or an index, written in digits without leading zeroes. Raises MalformedProof."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_SIZE)) and text == str(int(text))):
        raise MalformedProof("A size is not a plain number")
    if int(text) >= MAX_SIZE:
        raise MalformedProof("A size is beyond any tree's")
    return int(text)


def read_checkpoint(note: bytes) -> Checkpoint:
    """Return what a note says WITHOUT checking who signed it: for our own, which the store keeps. Raises MalformedProof."""
    return parse_checkpoint(parse_note(note).text)


def open_checkpoint(note: bytes, keys: Iterable[VerifierKey]) -> Checkpoint:
    """Return the checkpoint if one of `keys` signed it and none falsely. Raises MalformedProof or NotProven."""
    return parse_checkpoint(open_note(note, keys).text)


def sign_checkpoint(checkpoint: Checkpoint, *keys: SignerKey) -> bytes:
    """Return the signed note. When the key changes, the old and the new one sign."""
    return bytes(sign(checkpoint.text(), *keys))
