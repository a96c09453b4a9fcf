"""Files that nobody else may read, each written whole or not at all."""

import contextlib
import os
import secrets
from pathlib import Path

from interlock.domain.errors import ConfigurationError, StoreUnavailable


def read(path: Path) -> bytes | None:
    """Return what the file holds, or None where there is none. Raises StoreUnavailable."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, error) from None


def check_private(path: Path, why: str = "whoever has the key can forge the log") -> None:
    """Raise ConfigurationError if others than its owner may read or change the file."""
    with contextlib.suppress(FileNotFoundError):
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise ConfigurationError(f"Others may read or change {path}", why=why, do=f"chmod 600 {path}")


def create(path: Path, content: bytes) -> bool:
    """Write the file if there is none, readable by its owner only and safe from a power failure; return whether it was.

    Raises StoreUnavailable.
    """
    try:
        waiting = _written(path, content)
        try:
            # Unlike a rename, a link never takes the place of what is there.
            os.link(waiting, path)
        except FileExistsError:
            return False
        finally:
            waiting.unlink()
        _sync(path.parent)
    except OSError as error:
        raise _unusable(path, error) from None
    return True


def replace(path: Path, content: bytes) -> None:
    """Write the file in place of any that is there. Raises StoreUnavailable."""
    try:
        _written(path, content).replace(path)
        _sync(path.parent)
    except OSError as error:
        raise _unusable(path, error) from None


def move(path: Path, to: Path) -> None:
    """Give the file another name, in place of any file of that name. Raises StoreUnavailable."""
    try:
        path.replace(to)
        _sync(path.parent)
    except OSError as error:
        raise _unusable(path, error) from None


def _written(path: Path, content: bytes) -> Path:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    waiting = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(waiting, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        waiting.unlink(missing_ok=True)
        raise
    return waiting


def _sync(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unusable(path: Path, error: OSError) -> StoreUnavailable:
    return StoreUnavailable(
        f"The file {path} cannot be used",
        why=error.strerror or type(error).__name__,
        do="Check that the disk has room and that the folder may be written",
    )
