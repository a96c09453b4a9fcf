"""Keys that Interlock makes for itself, kept in files that only their owner may read."""

from interlock.adapters.keys.encryption import EncryptionKeyFile, GivenKey, decoded
from interlock.adapters.keys.files import KeyFile

__all__ = ["EncryptionKeyFile", "GivenKey", "KeyFile", "decoded"]
