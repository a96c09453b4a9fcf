"""The key that wraps the tenants' keys: 32 bytes, written as base64."""

import base64
import binascii
import os
from dataclasses import dataclass
from pathlib import Path

from interlock.adapters.keys.files import KeyFile
from interlock.domain.errors import ConfigurationError

FILE = "encryption.key"
KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class EncryptionKeyFile:
    """A key in a file under the folder of `state`, made at the first start."""

    folder: Path

    def read(self) -> bytes | None:
        """Return the key, or None when there is no file. Raises ConfigurationError when it cannot be used."""
        file = self._file()
        text = file.read()
        return None if text is None else decoded(text, f"The encryption key {file.path}")

    def make(self) -> bytes:
        """Return a new key, written to its file; or the one that another process has just written."""
        file = self._file()
        return decoded(file.make(fresh_key), f"The encryption key {file.path}")

    def _file(self) -> KeyFile:
        return KeyFile(self.folder / FILE, "encryption key")


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
