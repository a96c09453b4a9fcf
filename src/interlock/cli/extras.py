"""Which extras a deployment uses that are not installed on this machine."""

from importlib.util import find_spec

from interlock.config import Deployment


def missing(deployment: Deployment) -> tuple[str, ...]:
    """Return a sentence for each extra that `interlock serve` would refuse to start without."""
    traces = deployment.keeping.traces
    needed = (
        ("postgres", "psycopg", "'store'", deployment.store.startswith("postgres")),
        (
            "otlp",
            "google.protobuf",
            "'traces.export' without 'format: json'",
            any(e.protobuf for e in traces.exporters),
        ),
        ("analytics", "duckdb", "'traces.archive'", traces.archive is not None),
    )
    return tuple(
        f"The extra '{extra}' is not installed here, and {setting} needs it. Before you serve: "
        f"pip install 'interlock[{extra}]', in a checkout: make setup EXTRAS=all"
        for extra, package, setting, used in needed
        if used and not _installed(package)
    )


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ImportError:  # the package around it is not there
        return False
