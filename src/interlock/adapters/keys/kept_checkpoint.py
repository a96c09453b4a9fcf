"""The last checkpoint in a file of its own: what a database that was set back cannot know."""

import asyncio
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from interlock.adapters.keys.private_files import move, read, replace
from interlock.audit.checkpoints import read_checkpoint
from interlock.audit.ports import CheckpointMemory
from interlock.domain.errors import MalformedProof, StoreUnavailable

FILE = "audit.checkpoint"


class CheckpointFile(CheckpointMemory):
    """A file in the state folder, shared by the processes of one machine."""

    def __init__(self, folder: Path) -> None:
        """Keep it in `folder`, which is made with the first one."""
        self._folder = folder
        self._path = folder / FILE

    async def load(self) -> bytes | None:
        return await asyncio.to_thread(self._present)

    async def keep(self, size: int, note: bytes) -> None:
        await asyncio.to_thread(self._keep, size, note)

    async def put_aside(self) -> str:
        return await asyncio.to_thread(self._put_aside)

    def _present(self) -> bytes | None:
        present = read(self._path)
        if present is None:
            return None
        try:
            read_checkpoint(present)
        except MalformedProof as error:
            raise StoreUnavailable(
                "The last checkpoint that this machine keeps cannot be read",
                why=f"{self._path} was changed or cut: {error.why or error.what}",
                do="Restore the file from a copy or from what an anchor keeps. Where there is neither, verify the log against "
                "what others keep of it, and only then move the file away",
            ) from None
        return present

    def _keep(self, size: int, note: bytes) -> None:
        with self._alone():
            present = self._present()
            if present is None or read_checkpoint(present).size < size:
                replace(self._path, note)

    def _put_aside(self) -> str:
        with self._alone():
            present = self._present()
            if present is None:
                return ""
            size = read_checkpoint(present).size
            number, aside = 1, self._folder / f"{FILE}.{size}.aside"
            while aside.exists():
                number, aside = number + 1, self._folder / f"{FILE}.{size}.aside-{number + 1}"
            move(self._path, aside)
            return str(aside)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep the other processes of this machine out: the larger checkpoint must win."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._folder / f".{FILE}.lock", os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise StoreUnavailable(
                f"The folder {self._folder} cannot be written",
                why=error.strerror or type(error).__name__,
                do="Check its owner and rights, or name another folder with `state`",
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
