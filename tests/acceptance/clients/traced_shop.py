"""A shop behind an HTTP interface, traced by OpenTelemetry's SDK as its owner would: what a gate's tools are in the end.

python -m tests.acceptance.clients.traced_shop    prints its port, then where to send spans is read from standard input
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.propagate import extract
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind

from tests.acceptance.clients.tracing import provider_of


class Shop(BaseHTTPRequestHandler):
    """Two operations."""

    provider: TracerProvider

    def do_GET(self) -> None:
        """Return an order."""
        self._serve({"order": self.path.rpartition("/")[2], "paid_usd": 20})

    def do_POST(self) -> None:
        """Refund an order."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._serve({"refunded": body["order"]})

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _serve(self, answer: dict[str, Any]) -> None:
        tracer = self.provider.get_tracer("shop")
        name = f"{self.command} {self.path}"
        with tracer.start_as_current_span(name, extract(dict(self.headers)), kind=SpanKind.SERVER):
            said = json.dumps(answer).encode()
        self.provider.force_flush()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)


def main() -> None:
    """Serve until standard input ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    print(server.server_port, flush=True)
    Shop.provider = provider_of("shop", json.loads(sys.stdin.readline()))
    server.serve_forever()


if __name__ == "__main__":
    main()
