"""`interlock serve`."""

import asyncio
import ctypes
import errno
import gc
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Annotated
from urllib.parse import urlsplit

import typer
import uvicorn

from interlock.adapters.clock import SystemClock
from interlock.adapters.logs import RedactingFormatter, log_to_stderr
from interlock.checks.redactor import words_by_form
from interlock.cli.exits import Exit
from interlock.cli.output import AsJson, Output, counted
from interlock.cli.session import HERE, Config
from interlock.cli.version import installed
from interlock.config import Server
from interlock.metrics.roads import RoadMeter
from interlock.server.app import build_app
from interlock.server.guard import ANONYMOUS, DoorRules
from interlock.server.metrics import OPEN
from interlock.server.otlp_answers import PROTOBUF
from interlock.server.traces import TraceIntake
from interlock.wiring import Interlock, every, open_interlock
from interlock.wiring.metering import SAMPLE_S, Gauges

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_ANYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - recognised, not bound
_PATIENCE_S = 30
"""How long requests under way may take after the signal to stop; calls to tools are waited for in any case."""
_UNREAD_MS = 60_000
"""How long a client may leave what was sent to it unread, or unacknowledged, before its connection is dropped."""


_WITHOUT_PROTOBUF = (
    "pip install 'interlock[otlp]' (in a checkout: make setup EXTRAS=all) and restart, or send JSON: "
    "OTEL_EXPORTER_OTLP_PROTOCOL=http/json"
)
_ARENA_MAX = -8
"""glibc's M_ARENA_MAX (malloc.h)."""
_YOUNG = 200_000
"""New objects between two looks for cycles. Requests leave none behind, and what waits for its record is no garbage."""


@app.command()
def serve(
    config: Config = HERE,
    host: Annotated[str | None, typer.Option(help="Where to listen, in place of server.host.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="In place of server.port; 0 takes a free one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Serve models under /v1, MCP at /mcp, tool calls at /v1/tool-calls and the management API at /api/v1."""
    log = log_to_stderr(words_by_form)
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    _share_heap()
    loops = uvicorn.Config("", loop="auto").get_loop_factory()
    with asyncio.Runner(loop_factory=loops) as runner:
        stopped_by = runner.run(_serve(config, host, port, Output(as_json), log))
    if stopped_by is signal.SIGINT:
        raise typer.Exit(Exit.INTERRUPTED)


async def _serve(
    config: Config, host: str | None, port: int | None, output: Output, log: RedactingFormatter
) -> signal.Signals | None:
    meter = RoadMeter(installed())
    async with open_interlock(config, meter=meter) as interlock:
        log.redact = interlock.redactor.words
        declared = interlock.deployment.server
        gauges = Gauges(meter, interlock.store, interlock.deployment.tenant, SystemClock())
        gauges.watch(interlock.models.recorder, interlock.audit.watchman)
        gauges.declare(interlock.desks.publisher.current())
        listening = _listen(host or declared.host, declared.port if port is None else port)
        with listening:
            url = _url(listening)
            app = build_app(
                interlock.desks,
                _rules(declared, host, public_metrics=interlock.deployment.keeping.metrics_public),
                approvals_url=f"{(declared.public_url or url).rstrip('/')}/api/v1/approvals",
                metrics=meter.text,
                traces=_intake(interlock),
            )
            async with interlock.alive(), _sampled(gauges):
                server = GracefulServer(
                    uvicorn.Config(
                        app,
                        lifespan="off",
                        ws="none",
                        log_config=None,
                        log_level="warning",
                        access_log=False,
                        server_header=False,
                        # Whatever a caller says about forwarding must not sway the check of Host and Origin.
                        proxy_headers=False,
                        timeout_graceful_shutdown=_PATIENCE_S,
                    )
                )
                _announce(interlock, url, output)
                _settle_memory()
                await server.serve(sockets=[listening])
            return server.stopped_by


def _only_json(interlock: Interlock) -> str:
    """Say when spans in protobuf, which most exporters send, are refused: of the answer they show the status only."""
    found = interlock.intake
    if found is None or PROTOBUF in found.decoders:
        return ""
    return "   (JSON only: for protobuf, pip install 'interlock[otlp]')"


def _intake(interlock: Interlock) -> TraceIntake | None:
    found = interlock.intake
    return None if found is None else TraceIntake(found.ingest, found.decoders, _WITHOUT_PROTOBUF)


def _without_credentials(interlock: Interlock) -> list[str]:
    """Return a sentence for every provider whose credential is a variable that is not set: nobody should learn it from a call."""
    router = interlock.deployment.router
    problems = []
    for one in router.providers if router is not None else ():
        for reference in (one.credential, one.access_key, one.secret_key, one.session_token):
            kind, _, name = (reference or "").partition(":")
            if kind == "env" and not os.environ.get(name):
                problems.append(
                    f"The provider '{one.name}' cannot be asked: the variable {name} is not set. Set it and restart."
                )
    return problems


def _models(interlock: Interlock) -> int:
    router = interlock.deployment.router
    return len(router.routes.models) if router is not None else 0


def _is_news(record: logging.LogRecord) -> bool:
    """Return whether a line of the HTTP server is worth reading: a reply that is cut on purpose is recorded elsewhere."""
    return "without completing response" not in record.getMessage()


def _share_heap() -> None:
    """Have all threads allocate from one heap of glibc's: each of its own keeps a few megabytes that nobody uses.

    They take turns in Python anyway. Must come before the first thread.
    """
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)


def _settle_memory() -> None:
    """Keep the collector of cycles off what lasts as long as the process: looking through it again and again is dear.

    What starting took and needs no more goes back to the system.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])
    # Other C libraries than glibc have nothing to be asked for.
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


class GracefulServer(uvicorn.Server):
    """Stops at a signal and returns, so that calls under way are settled; a second signal stops waiting for requests."""

    stopped_by: signal.Signals | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Listen for SIGINT and SIGTERM while serving; nothing is raised again afterwards."""
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(sign, self._stop, sign)
        yield
        # The handlers stay: an impatient second signal must not tear the settlement of a call.

    def _stop(self, sign: signal.Signals) -> None:
        if self.should_exit:
            self.force_exit = True
        self.stopped_by = self.stopped_by or sign
        self.should_exit = True


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host.strip("[]"), port), family=family, backlog=2048)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        words = f"Port {port} of {host} is taken: stop what listens there, or choose another with --port"
        raise OSError(error.errno, words) from None
    # asyncio does not see that this is TCP and leaves Nagle on, which holds every answer back for 40 ms.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # A client that stops reading a stream would hold its place for ever.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MS)
    return listening


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@asynccontextmanager
async def _sampled(gauges: Gauges) -> AsyncIterator[None]:
    """Look at the store now and then, for what is not counted by the roads."""
    await gauges.sample()
    task = asyncio.create_task(every(SAMPLE_S, gauges.sample))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _rules(declared: Server, host: str | None, *, public_metrics: bool) -> DoorRules:
    """Return what the door lets through: the configured names, the address that it listens on, and the public one."""
    listens = {one.lower() for one in (host, declared.host) if one is not None and one not in _ANYWHERE}
    public = urlsplit(declared.public_url)
    names = {one.lower() for one in declared.allowed_hosts} | {f"[{one}]" if ":" in one else one for one in listens}
    origins = {one.lower() for one in declared.allowed_origins}
    if public.hostname:
        names.add(public.hostname)
        origins.add(f"{public.scheme}://{public.netloc}".lower())
    return DoorRules(
        hosts=frozenset(names), origins=frozenset(origins), anonymous=OPEN if public_metrics else ANONYMOUS
    )


def _announce(interlock: Interlock, url: str, output: Output) -> None:
    problems = (*interlock.desks.publisher.problems, *_without_credentials(interlock))
    release = interlock.desks.publisher.current()
    output.data(
        {
            "url": url,
            "tools": len(release.catalogue.contracts),
            "models": _models(interlock),
            "problems": list(problems),
        }
    )
    tools, agents = counted(len(release.catalogue.contracts), "tool"), counted(len(release.agents), "agent")
    models = f" and {counted(_models(interlock), 'model')}" if _models(interlock) else ""
    output.say(f"Interlock serves {tools}{models} to {agents}.")
    if _models(interlock):
        output.say(f"  models      {url}/v1")
    output.say(f"  MCP         {url}/mcp")
    output.say(f"  tool calls  {url}/v1/tool-calls")
    output.say(f"  management  {url}/api/v1")
    output.say(f"  spans       {url}/v1/traces{_only_json(interlock)}")
    output.say(f"  figures     {url}/metrics")
    for problem in problems:
        output.say(f"\n{problem}")
