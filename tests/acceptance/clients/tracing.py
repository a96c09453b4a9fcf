"""OpenTelemetry's SDK as people set it up: every span to every receiver, and the context on the headers of requests."""

from collections.abc import Mapping

import httpx
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import inject
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def provider_of(service: str, receivers: Mapping[str, str]) -> TracerProvider:
    """Return a provider whose spans go to `receivers`: URLs of OTLP, each with the bearer that it asks for, or none."""
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    for url, bearer in receivers.items():
        headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(url, headers=headers)))
    return provider


def propagating() -> httpx.Client:
    """Return a client that tells of the current span in every request."""
    return httpx.Client(timeout=30, event_hooks={"request": [lambda request: inject(request.headers)]})


def propagating_async() -> httpx.AsyncClient:
    """Return the same for asyncio."""

    async def tell(request: httpx.Request) -> None:
        inject(request.headers)

    return httpx.AsyncClient(timeout=30, event_hooks={"request": [tell]})
