"""The key that wraps the tenants' keys: 32 bytes, written as base64."""

import base64
import binascii
import os
from dataclasses import dataclass
from pathlib import Path

from interlock.adapters.keys.private_files import check_private, create, read
from interlock.domain.errors import ConfigurationError

FILE = "encryption.key"
KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class EncryptionKeyFile:
    """A key in a file under the folder of `state`, made at the first start."""

    folder: Path

    def read(self) -> bytes | None:
        """Return the key, or None when there is no file. Raises ConfigurationError when it cannot be used."""
        path = self.folder / FILE
        check_private(path, "whoever has the key can read everything that the database keeps")
        content = read(path)
        return None if content is None else decoded(content.decode(errors="replace"), f"The encryption key {path}")

    def make(self) -> bytes:
        """Return a new key, written to its file; or the one that another process has just written."""
        create(self.folder / FILE, f"{fresh_key()}\n".encode())
        found = self.read()
        if found is None:
            raise ConfigurationError(f"The key {self.folder / FILE} went away", do="Find out who deletes files there")
        return found


@dataclass(frozen=True, slots=True)
class GivenKey:
    """A key that the configuration names."""

    key: bytes

    def read(self) -> bytes:
        """Return the key."""
        return self.key

    def make(self) -> bytes:
        """Return the key: it is there already."""
        return self.key


def fresh_key() -> str:
    """Return a new key, as text."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()


def decoded(text: str, what: str) -> bytes:
    """Return the key that `text` stands for. Raises ConfigurationError, which does not repeat it."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigurationError(
            f"{what} is not a key",
            why="it is not 32 bytes written as base64",
            do="Make one with: openssl rand -base64 32. A key that was used before has to come from where it is kept safe",
        )
    return key
