"""Read the whole log out of the store, page by page, for an export or a verification."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from interlock.audit.checkpoints import read_checkpoint
from interlock.audit.export import Exported, FolderTarget, Target, write_export, zip_chunks
from interlock.audit.notes import SignerKey
from interlock.audit.ports import LogEntry
from interlock.audit.verifying import Verdict, verify
from interlock.domain.errors import SigningStopped
from interlock.gateway.audit_log import Log
from interlock.gateway.store import Store, Tx

T = TypeVar("T")
_PAGE = 2_000


@dataclass(frozen=True, slots=True)
class Source:
    """What an export is read from, and who signs the list of its files."""

    exported: Exported
    signer: SignerKey


async def source_of(log: Log, note: bytes) -> Source:
    """Return what the export of the tree of the checkpoint `note` is made of. Raises SigningStopped without the key."""
    size = read_checkpoint(note).size
    known = await log.store.read(lambda tx: tx.log.keys())
    keys = tuple(key.vkey for key in known if not key.since or key.since < size)
    signer = next((key for key in await log.keys.keys() if str(key.verifier) == keys[-1]), None)
    if signer is None:
        raise SigningStopped(
            "The export cannot be signed",
            why="the key of the log's last checkpoint is not here",
            do="Export on a machine that signs the log",
        )
    reader = _Reader(log.store, asyncio.get_running_loop())
    return Source(Exported(note, reader.entries(), keys, reader.checkpoints(size)), signer)


async def write(source: Source, target: Target, told: Callable[[int], None]) -> int:
    """Write the export; `told` is called with the entries written so far. Returns how many entries it holds."""
    return await asyncio.to_thread(_write, source, target, told)


async def chunks(source: Source) -> AsyncIterator[bytes]:
    """Yield the export as the bytes of a ZIP archive, while it is written."""
    pieces = zip_chunks(source.exported, source.signer)
    while (chunk := await asyncio.to_thread(next, pieces, None)) is not None:
        if chunk:
            yield chunk


async def verify_source(source: Source, keys: tuple[str, ...], kept: tuple[bytes, ...]) -> Verdict:
    """Return what the verifier says of the export: the very one that an auditor runs, on a copy on disk."""

    def judge() -> Verdict:
        with TemporaryDirectory(prefix="interlock-verify-") as folder:
            place = Path(folder) / "export"
            _write(source, FolderTarget(place), lambda _: None)
            return verify(place, keys=keys, kept=kept)

    return await asyncio.to_thread(judge)


def _write(source: Source, target: Target, told: Callable[[int], None]) -> int:
    written = 0
    for written in write_export(target, source.exported, source.signer):
        told(written)
    return written


class _Reader:
    """Reads pages of the store from another thread than that of its event loop."""

    def __init__(self, store: Store, loop: asyncio.AbstractEventLoop) -> None:
        self._store = store
        self._loop = loop

    def entries(self) -> Iterator[LogEntry]:
        first = 0
        while page := self._page(lambda tx, first=first: tx.log.entries(first, _PAGE)):  # type: ignore[misc]
            yield from page
            first += len(page)

    def checkpoints(self, beyond: int) -> Iterator[bytes]:
        """Yield those of trees smaller than `beyond`."""
        first = 0
        while page := self._page(lambda tx, first=first: tx.log.checkpoints(first, _PAGE)):  # type: ignore[misc]
            for note in page:
                first = read_checkpoint(note).size + 1
                if first > beyond:
                    return
                yield note

    def _page(self, work: Callable[[Tx], T]) -> T:
        return asyncio.run_coroutine_threadsafe(self._store.read(work), self._loop).result()
