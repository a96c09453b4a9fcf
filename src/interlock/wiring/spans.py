"""The span store of a deployment, and what takes spans in."""

import importlib
import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from interlock.adapters.otlp.decoding_json import Json
from interlock.adapters.sql.opening import SealedStore
from interlock.adapters.sql.traces.opening import beside, open_span_store
from interlock.config import Deployment, store_url
from interlock.config.keeping import Material
from interlock.domain.ids import TenantId
from interlock.gateway.ingest import Ingest
from interlock.gateway.ports import Clock
from interlock.gateway.store import Store
from interlock.metrics.meter import Meter
from interlock.traces.mapping import Redact
from interlock.traces.ports import SpanStore
from interlock.traces.told import Decoder, ToldBatch


@dataclass(frozen=True, slots=True)
class Intake:
    """What takes spans in."""

    ingest: Ingest
    decoders: Mapping[bytes, Decoder]
    """By content type."""


class _Protobuf(Decoder):
    """Loads what reads protobuf with the first request that needs it: many servers are never sent any."""

    def batches(self, body: bytes) -> Iterator[ToldBatch]:
        decoder: Decoder = importlib.import_module("interlock.adapters.otlp.decoding").Protobuf()
        return decoder.batches(body)


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ImportError:
        return False


async def open_spans(deployment: Deployment, environ: Mapping[str, str], journal: Store) -> SpanStore:
    """Return the span store: where `traces.store` says, else beside the journal. What spans say is sealed as the journal is.

    Raises ConfigurationError, StoreUnavailable.
    """
    declared = deployment.keeping.traces.store
    url = (
        store_url(replace(deployment, store=declared), environ) if declared else beside(store_url(deployment, environ))
    )
    if isinstance(journal, SealedStore):
        return await open_span_store(url, journal.vault, journal.prepare)
    return await open_span_store(url)


def build_intake(
    deployment: Deployment, store: SpanStore, redact: Redact, clock: Clock, meter: Meter | None = None
) -> Intake:
    """Return what takes spans in. Protobuf is understood where the extra `otlp` is installed."""
    retention = deployment.keeping.retention

    def kept_ms(tenant: TenantId) -> int:
        return retention.tenants.get(tenant, {}).get(Material.SPANS, retention.times[Material.SPANS])

    decoders: dict[bytes, Decoder] = {b"application/json": Json()}
    # Without the extra, senders in protobuf are told what to install, or to send JSON.
    if _is_installed("google.protobuf") and _is_installed("opentelemetry.proto"):
        decoders[b"application/x-protobuf"] = _Protobuf()
    return Intake(Ingest(store, redact, clock, kept_ms, meter), decoders)
