"""The receivers of spans outside that a deployment names, built."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from interlock.adapters.otlp.encoding import Encoding, JsonEncoding
from interlock.adapters.otlp.exporter import OtlpReceiver
from interlock.config import Deployment
from interlock.domain.errors import ConfigurationError
from interlock.gateway.exporting import ExportFollower
from interlock.gateway.followers import Following
from interlock.gateway.ports import Clock, Secrets
from interlock.gateway.store import Store
from interlock.traces.ports import SpanStore


@dataclass(frozen=True, slots=True)
class Exports:
    """What sends spans out for as long as the deployment serves."""

    receivers: tuple[OtlpReceiver, ...]
    following: tuple[Following, ...]

    async def close(self) -> None:
        """Let go of connections."""
        for receiver in self.receivers:
            await receiver.close()


def build_exports(
    deployment: Deployment,
    store: Store,
    spans: SpanStore,
    secrets: Secrets,
    redact: Callable[[str], str],
    owner: str,
    clock: Clock,
) -> Exports:
    """Return what sends spans to the receivers of `deployment`; nothing is sent yet. Needs a running event loop.

    Raises ConfigurationError where protobuf is asked for and not installed.
    """
    resource = {
        "service.name": "interlock",
        "service.version": _version(),
        "interlock.tenant": deployment.tenant,
    }
    receivers = tuple(
        OtlpReceiver(
            one.url, _encoding(protobuf=one.protobuf), resource, secrets, credential=one.credential, header=one.header
        )
        for one in deployment.keeping.traces.exporters
    )
    followers = (ExportFollower(store, spans, receiver, redact, clock) for receiver in receivers)
    return Exports(receivers, tuple(Following(one, spans, owner, clock) for one in followers))


def _version() -> str:
    try:
        return version("interlock")
    except PackageNotFoundError:
        return "source"


def _encoding(*, protobuf: bool) -> Encoding:
    if not protobuf:
        return JsonEncoding()
    try:
        made: Encoding = importlib.import_module("interlock.adapters.otlp.encoding_protobuf").ProtobufEncoding()
    except ImportError:
        raise ConfigurationError(
            "A receiver of spans takes protobuf, and the extra 'otlp' is not installed",
            do="pip install 'interlock[otlp]', or set format: json for it in traces.export",
        ) from None
    return made
