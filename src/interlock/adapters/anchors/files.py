"""A file to which checkpoints are added: on a medium that only takes additions, or that somebody else collects."""

import asyncio
import contextlib
import fcntl
import os
from pathlib import Path

from interlock.adapters.anchors.growth import check_growth
from interlock.audit.checkpoints import read_checkpoint
from interlock.audit.ports import AnchorPlace, Prover
from interlock.domain.errors import MalformedProof, ToolUnavailable

_TAIL = 1 << 16
"""Longer than any checkpoint."""


class FileAnchor(AnchorPlace):
    """Checkpoints one after the other, each followed by an empty line. `interlock audit verify --kept` reads it."""

    def __init__(self, path: Path) -> None:
        """Add to the file at `path`, whose folder must be there."""
        self._path = path

    @property
    def name(self) -> str:
        return f"file {self._path}"

    async def publish(self, size: int, note: bytes, prove: Prover) -> tuple[str, ...]:
        last = await asyncio.to_thread(self._last)
        if last is not None:
            known = read_checkpoint(last)
            await check_growth(known, read_checkpoint(note), prove, f"The {self.name}")
            if known.size >= size:
                return ()
        await asyncio.to_thread(self._add, note)
        return ()

    def _last(self) -> bytes | None:
        try:
            with self._path.open("rb") as file:
                start = max(0, file.seek(0, os.SEEK_END) - _TAIL)
                file.seek(start)
                content = file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(error) from None
        # A note holds one empty line, between its text and its signatures; what a crash has cut off is no note.
        parts = content.split(b"\n\n")
        for place in range(len(parts) - 2, 0, -1):
            note = parts[place - 1] + b"\n\n" + parts[place] + b"\n"
            with contextlib.suppress(MalformedProof):
                read_checkpoint(note)
                return note
        return None

    def _add(self, note: bytes) -> None:
        try:
            descriptor = os.open(self._path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                os.write(descriptor, note + b"\n")
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise self._unusable(error) from None

    def _unusable(self, error: OSError) -> ToolUnavailable:
        return ToolUnavailable(
            f"The anchor {self.name} cannot be used",
            why=error.strerror or type(error).__name__,
            do="Check the folder and its rights",
        )
