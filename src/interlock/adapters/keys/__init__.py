"""What Interlock keeps outside the database: the keys that sign the audit log and encrypt bodies, and the last checkpoint."""

from interlock.adapters.keys.encryption import EncryptionKeyFile, GivenKey, decoded
from interlock.adapters.keys.kept_checkpoint import CheckpointFile
from interlock.adapters.keys.key_files import GivenKeys, KeyFiles

__all__ = ["CheckpointFile", "EncryptionKeyFile", "GivenKey", "GivenKeys", "KeyFiles", "decoded"]
