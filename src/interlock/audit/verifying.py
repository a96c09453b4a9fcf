"""Verify an export of the audit log, offline: `python -m interlock.audit.verifying EXPORT --key VKEY [--kept FILE]`.

This file stands alone. It imports nothing of Interlock, only the standard library and `cryptography`, and shares no code
with what writes the log: a mistake there cannot hide itself here, and an auditor can read the whole of it, or run a copy.
"""

import argparse
import base64
import hashlib
import json
import re
import sys
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from enum import Enum
from itertools import chain
from pathlib import Path
from typing import IO

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

TITLE = "interlock audit export v1"
_FILES = frozenset({"checkpoint", "checkpoints.jsonl", "entries.jsonl", "keys"})
_LOG, _WITNESS = 1, 4
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
_LISTED = re.compile(r"([0-9a-f]{64}) (0|[1-9][0-9]{0,17}) ([^ ].*)", re.ASCII)
_NOTES = re.compile(r"(?:[^\n]+\n){3,}\n(?:\u2014 [^\n]+\n)+")
_SIGNATURE = re.compile(r"\u2014 ([^\s+]+) ([A-Za-z0-9+/]+={0,2})")
# In bytes: what is longer is no export, and would fill the memory.
_LARGEST_MANIFEST, _LARGEST_LINE, _LARGEST_SMALL = 1 << 28, 1 << 26, 1 << 22


class Outcome(Enum):
    """What is found, with the exit code that says so. 2 is wrong usage, as everywhere."""

    INTACT = 0
    """Every entry is what the log signed, in its place, and agrees with all that was kept."""
    UNPROVEN = 4
    """It agrees with itself; whose it is was not shown, since no key (or no witness) vouches for it."""
    TAMPERED = 10
    """Something was changed, added, moved, or signed by another key."""
    TRUNCATED = 11
    """Something that the log signed is missing."""
    ROLLED_BACK = 12
    """It is whole, and older than a checkpoint that was kept: later entries are withheld or were thrown away."""
    UNREADABLE = 13
    """It is not an export of an audit log, or not readable as one."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found, and about what."""

    outcome: Outcome
    reason: str
    origin: str = ""
    size: int = 0
    """How many entries the checkpoint of the export speaks for."""
    checkpoints: int = 0
    keys: tuple[str, ...] = ()
    """The verifier keys that have signed, oldest first."""
    cosigned: dict[str, int] = field(default_factory=dict)
    """For each given witness: the size of the largest tree that it signed."""


class _Fault(Exception):
    """Its arguments are the outcome and the reason."""


def _tampered(reason: str) -> _Fault:
    return _Fault(Outcome.TAMPERED, reason)


@dataclass(frozen=True, slots=True)
class _Key:
    name: str
    kind: int
    public: bytes
    text: str

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    def signed(self, text: str, made: bytes) -> bool:
        if self.kind == _WITNESS:
            text, made = f"cosignature/v1\ntime {int.from_bytes(made[:8])}\n{text}", made[8:]
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(made, text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


def _read_key(text: str) -> _Key:
    name, _, rest = text.partition("+")
    told, _, encoded = rest.partition("+")
    raw = _unbase64(encoded)
    key = _Key(name, raw[0] if raw else 0, raw[1:], text)
    if not name or key.kind not in {_LOG, _WITNESS} or len(raw) != 1 + 32 or key.id.hex() != told:
        raise ValueError("a verifier key is not of the form NAME+ID+KEY, or is damaged")
    return key


@dataclass(frozen=True, slots=True)
class _Note:
    text: str
    signatures: tuple[tuple[str, bytes, bytes], ...]

    def signers(self, keys: Sequence[_Key]) -> set[_Key]:
        """Return those of `keys` that signed; one that signed falsely is a fault."""
        found = set()
        for key in keys:
            made = [made for name, told, made in self.signatures if (name, told) == (key.name, key.id)]
            if not all(key.signed(self.text, one) for one in made):
                raise _tampered(f"a signature of {key.name} is false")
            found |= {key} if made else set()
        return found


def _read_note(data: bytes) -> _Note:
    whole = data.decode("utf-8")
    text, cut, below = whole.rpartition("\n\n")
    if not cut or not below.endswith("\n") or any(one < " " and one != "\n" for one in whole):
        raise ValueError("a note is not of its form")
    lines = [_SIGNATURE.fullmatch(line) for line in below[:-1].split("\n")]
    signatures = [(line[1], _unbase64(line[2])) for line in lines if line]
    if len(signatures) != len(lines):
        raise ValueError("a signature is not of its form")
    return _Note(text + "\n", tuple((name, raw[:4], raw[4:]) for name, raw in signatures))


@dataclass(frozen=True, slots=True)
class _Checkpoint:
    note: _Note
    origin: str
    size: int
    root: bytes


def _read_checkpoint(data: bytes) -> _Checkpoint:
    note = _read_note(data)
    origin, size, root, *_ = [*note.text.split("\n"), "", ""]
    if not origin or not _NUMBER.fullmatch(size) or len(_unbase64(root)) != 32:
        raise ValueError("a checkpoint is not of its form")
    return _Checkpoint(note, origin, int(size), _unbase64(root))


def _read_kept(data: bytes) -> list[_Checkpoint]:
    """Return the checkpoints in a file to which one after the other was added."""
    text = data.decode("utf-8")
    if not (notes := _NOTES.findall(text)) or _NOTES.sub("", text).strip():
        raise ValueError("a file of kept checkpoints does not consist of checkpoints")
    return [_read_checkpoint(note.encode()) for note in notes]


class _Tree:
    """The tree of RFC 6962 as it grows, and the tiles that it leaves behind."""

    def __init__(self, files: "_Files") -> None:
        self.size = 0
        self._edge: list[bytes] = []
        self._files = files
        self._rows: dict[int, list[bytes]] = {}
        self._done: dict[int, int] = {}
        self.tiles: set[str] = set()

    def add(self, leaf_hash: bytes) -> None:
        node, level, size = leaf_hash, 0, self.size
        self._keep(0, node)
        while size & 1:
            node, level, size = _node(self._edge.pop(), node), level + 1, size >> 1
            if level % 8 == 0:
                self._keep(level // 8, node)
        self._edge.append(node)
        self.size += 1

    def root(self) -> bytes:
        reached = self._edge[-1] if self._edge else hashlib.sha256().digest()
        for left in reversed(self._edge[:-1]):
            reached = _node(left, reached)
        return reached

    def check_rest(self) -> None:
        for level in [level for level, row in self._rows.items() if row]:
            self._check(level, self._rows[level])

    def _keep(self, level: int, node: bytes) -> None:
        row = self._rows.setdefault(level, [])
        row.append(node)
        if len(row) == 256:
            self._check(level, row)
            row.clear()
            self._done[level] = self._done.get(level, 0) + 1

    def _check(self, level: int, row: list[bytes]) -> None:
        path = _tile_path(level, self._done.get(level, 0), len(row))
        told = self._files.read(path)
        self.tiles.add(path)
        if told == b"".join(row):
            return
        place = next((at for at, node in enumerate(row) if told[at * 32 : at * 32 + 32] != node), len(row))
        what = f"entry {self._done.get(0, 0) * 256 + place}" if level == 0 else f"the tree below {path}"
        raise _tampered(f"{what} is not what was logged")


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _tile_path(level: int, number: int, width: int) -> str:
    parts = [f"{number % 1000:03d}"]
    while number := number // 1000:
        parts.insert(0, f"x{number % 1000:03d}")
    return f"tile/{level}/{'/'.join(parts)}" + (f".p/{width}" if width < 256 else "")


class _Files:
    """The files of an export, in a folder or a ZIP."""

    def __init__(self, export: Path) -> None:
        self._folder = export
        self._zip = None if export.is_dir() else zipfile.ZipFile(export)
        if self._zip:
            self.names = [one.filename for one in self._zip.infolist() if not one.is_dir()]
        else:
            found = (one for one in export.rglob("*") if one.is_symlink() or not one.is_dir())
            self.names = [one.relative_to(export).as_posix() for one in found]
        self._known = frozenset(self.names)

    def open(self, name: str) -> IO[bytes]:
        if self._zip:
            return self._zip.open(name)
        if not (self._folder / name).is_file():
            raise OSError(f"{name!r} is not a file")
        return (self._folder / name).open("rb")

    def read(self, name: str, largest: int = _LARGEST_SMALL) -> bytes:
        if name not in self._known:
            raise _Fault(Outcome.TRUNCATED, f"{name} is missing")
        with self.open(name) as file:
            data = file.read(largest + 1)
        if len(data) > largest:
            raise _tampered(f"{name} is too long")
        return data

    def close(self) -> None:
        if self._zip:
            self._zip.close()


class _Export:
    """An export whose manifest is signed and whose files are those of the manifest; what they say is not checked yet."""

    def __init__(self, files: _Files, pinned: Sequence[_Key]) -> None:
        self.files = files
        if "manifest" not in files.names:
            raise _Fault(Outcome.UNREADABLE, "it has no manifest: this is not an export of an audit log")
        note = _read_note(files.read("manifest", _LARGEST_MANIFEST))
        title, self.origin, size, *listed = note.text.split("\n")[:-1]
        if title != TITLE or not _NUMBER.fullmatch(size):
            raise _Fault(Outcome.UNREADABLE, f"its manifest does not begin with: {TITLE}")
        self.size = int(size)
        self.keys = [_read_key(line) for line in files.read("keys").decode("utf-8").removesuffix("\n").split("\n")]
        if not self.keys or any(key.kind != _LOG or key.name != self.origin for key in self.keys):
            raise _tampered("its keys are not those of a log of this name")
        if len(note.signatures) != 1 or not note.signers(self.keys[-1:]):
            raise _tampered("its manifest is not signed by the last of its keys, and by nobody else")
        if pinned and not any(key in pinned for key in self.keys):
            raise _tampered("it is signed by another key than the one that was given")
        self._check_files(listed)

    def _check_files(self, listed: Sequence[str]) -> None:
        told: dict[str, tuple[str, int]] = {}
        for line in listed:
            found = _LISTED.fullmatch(line)
            if found is None or found[3] in told:
                raise _tampered("its manifest is not a list of files")
            told[found[3]] = (found[1], int(found[2]))
        present = sorted(set(self.files.names) - {"manifest"})
        if missing := sorted({*told, *_FILES}.difference(present)):
            raise _Fault(Outcome.TRUNCATED, f"{len(missing)} files are missing: {missing[0]!r} is the first")
        if len(present) + 1 != len(self.files.names) or present != sorted(told):
            raise _tampered("it has files that its manifest does not list, or one of them twice")
        for name, (digest, length) in told.items():
            self._check_file(name, digest, length)

    def _check_file(self, name: str, digest: str, length: int) -> None:
        hashed, read = hashlib.sha256(), 0
        with self.files.open(name) as file:
            while read <= length and (chunk := file.read(1 << 20)):
                hashed.update(chunk)
                read += len(chunk)
        if read < length:
            raise _Fault(Outcome.TRUNCATED, f"{name} is cut: {length - read} bytes are missing")
        if read > length or hashed.hexdigest() != digest:
            raise _tampered(f"{name} is not what the manifest lists")

    def leaves(self) -> Iterator[bytes]:
        """Yield the events in order, exactly as they were hashed."""
        with self.files.open("entries.jsonl") as file:
            index = 0
            while line := file.readline(_LARGEST_LINE):
                before = b'{"index":%d,"event":' % index
                if not line.startswith(before) or not line.endswith(b"}\n"):
                    raise _tampered(f"entry {index} is not in its place")
                yield line[len(before) : -2]
                index += 1

    def checkpoints(self) -> Iterator[_Checkpoint]:
        """Yield the checkpoints, smallest tree first; the one of the export is the last."""
        before = -1
        with self.files.open("checkpoints.jsonl") as file:
            earlier = (json.loads(line).encode() for line in iter(lambda: file.readline(_LARGEST_LINE), b""))
            for checkpoint in map(_read_checkpoint, chain(earlier, [self.files.read("checkpoint")])):
                if checkpoint.origin != self.origin or not before < checkpoint.size <= self.size:
                    raise _tampered("its checkpoints are of another log, or not in order")
                before = checkpoint.size
                yield checkpoint
        if before != self.size:
            raise _tampered("its checkpoint is not of the size that its manifest tells")


class _Walk:
    """The one pass over everything: each entry joins the tree, and whatever speaks of that size is held to it."""

    def __init__(self, export: _Export, kept: Sequence[_Checkpoint], witnesses: Sequence[_Key]) -> None:
        self._export = export
        self._tree = _Tree(export.files)
        self._signing = 0
        """The place of the key that signed the last checkpoint; those up to `_known` were introduced by entries since."""
        self._known = 0
        self._witnesses = witnesses
        self._kept: dict[int, set[bytes]] = {}
        for one in kept:
            self._kept.setdefault(one.size, set()).add(one.root)
        self.checkpoints = 0
        self.cosigned: dict[str, int] = {}

    def run(self) -> None:
        """Raise the first fault, from the first entry on."""
        leaves = self._export.leaves()
        for checkpoint in self._export.checkpoints():
            while self._tree.size < checkpoint.size:
                leaf = next(leaves, None)
                if leaf is None:
                    raise _Fault(Outcome.TRUNCATED, f"entry {self._tree.size} and what follows it are missing")
                self._check_kept()
                self._take(leaf)
            self._check_checkpoint(checkpoint)
        self._check_kept()
        self._tree.check_rest()
        if next(leaves, None) is not None or {*self._export.files.names} != {"manifest", *_FILES, *self._tree.tiles}:
            raise _tampered("it holds entries or tiles beyond its checkpoint")
        if self._known + 1 != len(self._export.keys):
            raise _tampered("it names a key that no entry introduced")

    def _take(self, leaf: bytes) -> None:
        self._tree.add(hashlib.sha256(b"\x00" + leaf).digest())
        # What is written canonically spells the kind in this way and no other.
        if b'"kind":"log.key_rotated"' in leaf and (event := json.loads(leaf))["kind"] == "log.key_rotated":
            self._known += 1
            if self._known >= len(self._export.keys) or self._export.keys[self._known].text != event["subject"]:
                raise _tampered(f"entry {self._tree.size - 1} introduces a key that is not among its keys")

    def _check_checkpoint(self, checkpoint: _Checkpoint) -> None:
        if self._tree.root() != checkpoint.root:
            raise _tampered(f"the first {checkpoint.size} entries are not those that the log signed")
        # A key is trusted because the one before it signed the tree that holds its introduction.
        needed = self._export.keys[self._signing : self._known + 1]
        if not checkpoint.note.signers(self._export.keys).issuperset(needed):
            raise _tampered(f"the checkpoint of {checkpoint.size} entries is not signed by {needed[-1].text}")
        self._signing = self._known
        self.checkpoints += 1
        for witness in checkpoint.note.signers(self._witnesses):
            self.cosigned[witness.text] = checkpoint.size

    def _check_kept(self) -> None:
        if self._tree.size in self._kept and self._kept[self._tree.size] != {self._tree.root()}:
            raise _tampered(f"the first {self._tree.size} entries are not those of a kept checkpoint")


def verify(export: Path, *, keys: Sequence[str] = (), kept: Sequence[bytes] = ()) -> Verdict:
    """Return what an export (a folder or a ZIP) is worth.

    `keys` are verifier keys that came by another way than the export: the log's own, any of those that it has used, and
    those of witnesses. `kept` are checkpoints from earlier: without one, an older whole export cannot be told from the
    newest. Raises ValueError for a key, or a kept checkpoint, that is not of its form.
    """
    given = [_read_key(one.strip()) for one in keys]
    remembered = [one for file in kept for one in _read_kept(file)]
    try:
        with closing(_Files(export)) as files:
            return _judge(_Export(files, [key for key in given if key.kind == _LOG]), given, remembered)
    except _Fault as fault:
        return Verdict(*fault.args)
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
        return Verdict(Outcome.UNREADABLE, f"it cannot be read as a folder or a ZIP archive: {error}")
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        return Verdict(Outcome.TAMPERED, f"a part of it is not of its form: {error}")


def _judge(export: _Export, given: Sequence[_Key], kept: Sequence[_Checkpoint]) -> Verdict:
    witnesses = [key for key in given if key.kind == _WITNESS]
    if any(one.origin != export.origin for one in kept):
        raise _tampered(f"a kept checkpoint is of another log than {export.origin}")
    for one in kept:
        one.note.signers([*given, *export.keys])
    walk = _Walk(export, kept, witnesses)
    walk.run()
    outcome, reason = Outcome.INTACT, "every entry is what the log signed"
    if (known := max((one.size for one in kept), default=0)) > export.size:
        outcome, reason = Outcome.ROLLED_BACK, f"it ends at {export.size} entries, and {known} were there before"
    elif len(witnesses) == len(given):
        outcome, reason = Outcome.UNPROVEN, "it agrees with itself; without a key of the log its origin is unproven"
    elif silent := [key.name for key in witnesses if key.text not in walk.cosigned]:
        outcome, reason = Outcome.UNPROVEN, f"no checkpoint in it is signed by the witness {silent[0]}"
    told = tuple(key.text for key in export.keys)
    return Verdict(outcome, reason, export.origin, export.size, walk.checkpoints, told, walk.cosigned)


def _unbase64(text: str) -> bytes:
    raw = base64.b64decode(text, validate=True)
    if base64.b64encode(raw).decode() != text:
        raise ValueError("base64 is not in its one spelling")
    return raw


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the verdict; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m interlock.audit.verifying", description=__doc__)
    parser.add_argument("export", type=Path, help="a folder or a ZIP")
    parser.add_argument("--key", action="append", default=[], help="a verifier key of the log, or of a witness")
    parser.add_argument("--kept", action="append", type=Path, default=[], help="a file with earlier checkpoints")
    options = parser.parse_args(arguments)
    try:
        verdict = verify(options.export, keys=options.key, kept=[one.read_bytes() for one in options.kept])
    except (OSError, ValueError) as error:
        parser.error(f"a key or a kept checkpoint cannot be used: {error}")
    told = f" {verdict.origin}, {verdict.size} entries, {verdict.checkpoints} checkpoints" if verdict.origin else ""
    sys.stdout.write(f"{verdict.outcome.name.replace('_', ' ')}{told}: {verdict.reason}\n")
    return verdict.outcome.value


if __name__ == "__main__":
    sys.exit(main())
