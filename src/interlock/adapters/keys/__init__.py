"""What the audit log keeps outside the database: the keys that sign it, and the last checkpoint."""

from interlock.adapters.keys.kept_checkpoint import CheckpointFile
from interlock.adapters.keys.key_files import GivenKeys, KeyFiles

__all__ = ["CheckpointFile", "GivenKeys", "KeyFiles"]
