"""One key in one file, made at most once, and never in place of one that is there."""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from interlock.domain.errors import ConfigurationError

_LARGEST = 1 << 16


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A key as text in a file of mode 0600, inside a folder of mode 0700."""

    path: Path
    what: str
    """The key's name in messages, such as `encryption key`."""

    def read(self) -> str | None:
        """Return what the file holds, or None when there is no file.

        Raises ConfigurationError for a file that others may read, that is no regular file, or that cannot be read.
        """
        try:
            # Not blocking: the path may be a pipe that nobody writes to.
            with open(os.open(self.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), encoding="ascii") as file:  # noqa: PTH123
                known = os.fstat(file.fileno())
                if not stat.S_ISREG(known.st_mode):
                    raise self._unusable("it is not a regular file", "Put the key back from where it is kept safe")
                if os.name == "posix" and known.st_mode & (stat.S_IRWXO | stat.S_IWGRP):
                    raise self._unusable("others than its owner may read or change it", f"Run chmod 600 {self.path}")
                return file.read(_LARGEST).strip()
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            raise self._unusable("it is not text", "Put the key back from where it is kept safe") from None
        except OSError as error:
            raise self._unusable(error.strerror or "it cannot be read", "Check the path and its owner") from None

    def make(self, text: Callable[[], str]) -> str:
        """Write `text()` into a new file and return it; return what a file holds that somebody else made meanwhile.

        The file is on disk before this returns. Raises ConfigurationError when it cannot be written.
        """
        try:
            folder_of_keys(self.path.parent)
            # Whole or not at all: whoever finds the file finds a key in it.
            fresh = self.path.with_name(f".{self.path.name}.{os.getpid()}")
            fresh.unlink(missing_ok=True)
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:  # noqa: PTH123
                file.write(text() + "\n")
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(fresh, self.path)
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
            _sync(self.path.parent)
        except OSError as error:
            raise self._unusable(
                error.strerror or "it cannot be written",
                f"Let this account write to {self.path.parent}, name another folder as 'state', or configure the key",
            ) from None
        found = self.read()
        if not found:
            raise self._unusable("it is empty", "Put the key back from where it is kept safe")
        return found

    def _unusable(self, why: str, do: str) -> ConfigurationError:
        return ConfigurationError(f"The {self.what} {self.path} cannot be used", why=why, do=do)


def folder_of_keys(path: Path) -> None:
    """Make the folder, for its owner only, if it is not there. Raises OSError."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
