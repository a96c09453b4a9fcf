"""What encrypts the record."""

from interlock.adapters.keys import EncryptionKeyFile, GivenKey, decoded
from interlock.adapters.sql.opening import KeySource
from interlock.config import Deployment
from interlock.gateway.ports import Secrets


async def encryption_keys(deployment: Deployment, secrets: Secrets) -> KeySource:
    """Return where the key comes from that wraps the tenants' keys. Raises ToolUnavailable, ConfigurationError."""
    reference = deployment.keeping.encryption_key
    if reference is None:
        return EncryptionKeyFile(deployment.folder / deployment.keeping.state)
    return GivenKey(decoded(await secrets.resolve(reference), f"The encryption key {reference}"))
