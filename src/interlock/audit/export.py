"""The log as files that can be verified without us: entries, tree, checkpoints, keys, and a signed list of them all.

manifest           a signed note: hash, length and path of every other file
checkpoint         the signed note of the tree that was exported
checkpoints.jsonl  the earlier ones, smallest tree first, one JSON string each
keys               the verifier keys that signed, oldest first: hints, which the entries have to bear out
entries.jsonl      {"index":0,"event":...}, where the event stands exactly as it was hashed
tile/...           the hashes of the tree (c2sp.org/tlog-tiles)
proofs/...         proofs of single entries (c2sp.org/tlog-proof), where some were asked for
"""

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Final, Protocol

from interlock.audit.checkpoints import read_checkpoint
from interlock.audit.notes import SignerKey, sign
from interlock.audit.ports import LogEntry
from interlock.audit.tiles import TILE_HEIGHT, tile_bytes, tiles_of
from interlock.audit.tree import HASH_SIZE, Frontier, Hashes
from interlock.domain.errors import BadInput

MANIFEST: Final = "manifest"
MANIFEST_TITLE: Final = "interlock audit export v1"
_BATCH = 2_000
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The same log gives the same bytes: a ZIP must not tell when it was written."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export is made of. Iterables are read once, in order, and never held whole."""

    checkpoint: bytes
    """The signed note whose tree is exported."""
    entries: Iterable[LogEntry]
    """From index 0; those beyond the checkpoint are left out."""
    keys: Sequence[str]
    """The verifier keys that have signed, oldest first."""
    earlier: Iterable[bytes] = ()
    """Older checkpoints, smallest tree first; those that are not older are left out."""


class Target(Protocol):
    """Where an export is written: one file at a time."""

    def open(self, path: str) -> AbstractContextManager[IO[bytes]]:
        """Return the file at `path`, open for writing until the block ends."""


class FolderTarget(Target):
    """A folder, which is made: it must be new or empty, so that no stale file stands among the fresh ones."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise BadInput(f"The folder {folder} is not empty", do="Give a new one")
        self._folder = folder

    @contextmanager
    def open(self, path: str) -> Iterator[IO[bytes]]:
        place = self._folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("xb") as file:
            yield file


class ZipTarget(Target):
    """A ZIP archive, on a file or on a stream that cannot be sought in."""

    def __init__(self, sink: IO[bytes]) -> None:
        self._archive = zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=3)

    @contextmanager
    def open(self, path: str) -> Iterator[IO[bytes]]:
        entry = zipfile.ZipInfo(path, _EPOCH)
        # Hashes do not get smaller.
        entry.compress_type = zipfile.ZIP_STORED if path.startswith("tile/") else zipfile.ZIP_DEFLATED
        with self._archive.open(entry, "w", force_zip64=True) as file:
            yield file

    def close(self) -> None:
        """Write the archive's table of contents."""
        self._archive.close()


def write_export(target: Target, exported: Exported, signer: SignerKey) -> Iterator[int]:
    """Write an export; yield how many entries are written, now and then. It is whole once this is exhausted.

    Writes what the store holds, right or wrong: to judge it is the verifier's part. `signer` is the key that signed the
    checkpoint; it signs the manifest, which by its form can never be taken for a checkpoint.
    """
    checkpoint = read_checkpoint(exported.checkpoint)
    listed = _Listed(target)
    listed.write("checkpoint", [exported.checkpoint])
    listed.write("checkpoints.jsonl", _earlier_lines(exported.earlier, checkpoint.size))
    listed.write("keys", (f"{key}\n".encode() for key in exported.keys))
    with tempfile.TemporaryFile() as spool:
        tree = _SpooledTree(spool)
        with listed.open("entries.jsonl") as write:
            entries = islice(exported.entries, checkpoint.size)
            while batch := list(islice(entries, _BATCH)):
                write(b"".join(entry_line(entry.index, entry.leaf) for entry in batch))
                tree.add([entry.leaf_hash for entry in batch])
                yield tree.size
        for tile in tiles_of(tree.size):
            listed.write(tile.path, [tile_bytes(tile, tree.hashes_at)])
    text = "\n".join([MANIFEST_TITLE, checkpoint.origin, str(checkpoint.size), *listed.lines, ""])
    with target.open(MANIFEST) as file:
        file.write(bytes(sign(text, signer)))
    yield tree.size


def zip_chunks(exported: Exported, signer: SignerKey) -> Iterator[bytes]:
    """Yield the bytes of a ZIP archive of the export, as they come to be: to be sent while it is written."""
    pipe = _Pipe()
    # A file object for `zipfile`, which asks for no more than these methods of a stream.
    target = ZipTarget(pipe)  # type: ignore[arg-type]
    for _ in write_export(target, exported, signer):
        yield pipe.take()
    target.close()
    yield pipe.take()


def entry_line(index: int, leaf: bytes) -> bytes:
    """Return the one line that stands for an entry: the event in it is byte for byte what was hashed."""
    return b'{"index":%d,"event":%b}\n' % (index, leaf)


def _earlier_lines(notes: Iterable[bytes], size: int) -> Iterator[bytes]:
    for note in notes:
        if read_checkpoint(note).size < size:
            yield json.dumps(note.decode()).encode() + b"\n"


class _Listed:
    """Writes files and remembers a line for the manifest about each."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.lines: list[str] = []

    @contextmanager
    def open(self, path: str) -> Iterator[Callable[[bytes], None]]:
        digest, length = hashlib.sha256(), 0
        with self._target.open(path) as file:

            def write(chunk: bytes) -> None:
                nonlocal length
                length += len(chunk)
                digest.update(chunk)
                file.write(chunk)

            yield write
        self.lines.append(f"{digest.hexdigest()} {length} {path}")

    def write(self, path: str, chunks: Iterable[bytes]) -> None:
        with self.open(path) as write:
            for chunk in chunks:
                write(chunk)


class _SpooledTree:
    """The tree of an export: the leaf hashes in a file, since a ZIP takes one file after the other; the rest is small."""

    def __init__(self, spool: IO[bytes]) -> None:
        self._spool = spool
        self._frontier = Frontier()
        self._rows: dict[int, list[bytes]] = {}

    @property
    def size(self) -> int:
        return self._frontier.size

    def add(self, leaf_hashes: Sequence[bytes]) -> None:
        self._spool.write(b"".join(leaf_hashes))
        self._frontier, grown = self._frontier.extend(leaf_hashes)
        for row in grown:
            self._keep(row)

    def hashes_at(self, level: int, first: int, count: int) -> Sequence[bytes]:
        if level:
            return self._rows[level][first : first + count]
        self._spool.seek(first * HASH_SIZE)
        return [self._spool.read(count * HASH_SIZE)]

    def _keep(self, row: Hashes) -> None:
        if row.level and row.level % TILE_HEIGHT == 0:
            self._rows.setdefault(row.level, []).extend(row.hashes)


class _Pipe:
    """What was written since the last time that somebody took it."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def write(self, chunk: bytes) -> int:
        self._chunks.append(bytes(chunk))
        return len(chunk)

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        whole = b"".join(self._chunks)
        self._chunks.clear()
        return whole
