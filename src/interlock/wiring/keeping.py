"""How the record is kept, built: what encrypts it, what erases it, and for how long it stays."""

from collections.abc import Mapping
from typing import Protocol

from interlock.adapters.keys import EncryptionKeyFile, GivenKey, decoded
from interlock.adapters.sql.opening import KeySource, SealedStore
from interlock.adapters.sql.traces.store import SqlSpanStore
from interlock.config import Deployment
from interlock.config.keeping import Material
from interlock.domain.ids import TenantId
from interlock.gateway.erasure import Copies, Eraser
from interlock.gateway.keeping_desk import KeepingDesk
from interlock.gateway.ports import Clock, Secrets
from interlock.gateway.retention import ExpiringArchive, ExpiringSpans, Retention, Times
from interlock.gateway.store import Store


class ErasableSpans(Copies, ExpiringSpans, Protocol):
    """A span store, as far as what is kept goes."""


class ErasableArchive(Copies, ExpiringArchive, Protocol):
    """An archive, as far as what is kept goes."""


async def encryption_keys(deployment: Deployment, secrets: Secrets) -> KeySource:
    """Return where the key comes from that wraps the tenants' keys. Raises ToolUnavailable, ConfigurationError."""
    reference = deployment.keeping.encryption_key
    if reference is None:
        return EncryptionKeyFile(deployment.folder / deployment.keeping.state)
    return GivenKey(decoded(await secrets.resolve(reference), f"The encryption key {reference}"))


def build_keeping(
    deployment: Deployment,
    store: Store,
    clock: Clock,
    spans: ErasableSpans | None = None,
    archive: ErasableArchive | None = None,
) -> KeepingDesk:
    """Return the use cases around what is kept of `deployment`."""
    times = deployment.keeping.retention
    tenants = {TenantId(tenant): _times(own) for tenant, own in times.tenants.items()}
    tenants.setdefault(deployment.tenant, _times(times.times))
    return KeepingDesk(
        store,
        clock,
        Eraser(store, clock, spans, archive),
        Retention(store, clock, tenants, spans, archive),
        store if isinstance(store, SealedStore) else None,
        spans if isinstance(spans, SqlSpanStore) else None,
    )


def _times(times: Mapping[Material, int]) -> Times:
    return Times(times[Material.BODIES], times[Material.SPANS], times[Material.ARCHIVE])
