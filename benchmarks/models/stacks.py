"""What is compared: how each gateway is started before the same upstream, and how it wants to be asked."""

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.models.deployment import VARIABLE, deploy, open_run
from benchmarks.models.exchange import MODEL
from benchmarks.models.load import Tally
from benchmarks.models.processes import LOAD_CORE, PROXY_CORE, NotStarted, Server, started

ROOT = Path(__file__).resolve().parents[2]
_LITELLM = ROOT / ".venv-litellm" / "bin" / "litellm"
_PORTKEY = ROOT / ".build" / "portkey" / "portkey"
_PATH = "/v1/chat/completions"
_LITELLM_KEY = "sk-bench-of-the-proxy"
_LITELLM_CONFIG = """\
model_list:
  - model_name: {model}
    litellm_params: {{model: openai/{model}, api_base: "{url}", api_key: upstream}}
general_settings: {{master_key: {key}}}
litellm_settings: {{telemetry: false}}
"""


@dataclass(frozen=True, slots=True)
class Launch:
    """How a server is started, and with which headers it is asked."""

    argv: tuple[str, ...]
    headers: Mapping[str, str]
    patience_s: float = 60.0
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: Callable[[int, Mapping[str, str]], None] | None = None
    """Called with the port and the headers once it listens."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A way for a model call to go."""

    name: str
    server: Server
    headers: Mapping[str, str]
    held: bool
    """Whether it stands still while another is measured; the upstream never does."""
    path: str = _PATH
    tally: Tally = field(default_factory=Tally)


Starter = Callable[[Path, int, str], Launch]
"""Takes a folder of its own, the port to listen on and the upstream's base URL. Raises NotStarted with the reason."""


@contextmanager
def upstream(port: int, folder: Path) -> Iterator[Stack]:
    """Run the model provider on the core of the load."""
    argv = (sys.executable, "-m", "benchmarks.models.upstream", str(port))
    with started(argv, port, LOAD_CORE, folder / "upstream.log", 30, _here()) as server:
        yield Stack("direct", server, {}, held=False)


@contextmanager
def proxy(name: str, port: int, folder: Path, url: str) -> Iterator[Stack]:
    """Run one gateway on the core of the proxies, or raise NotStarted with the reason."""
    own = folder / name.replace(" ", "-")
    own.mkdir()
    launch = STARTERS[name](own, port, url)
    environment = {**_here(), **launch.environment}
    with started(launch.argv, port, PROXY_CORE, own / "server.log", launch.patience_s, environment) as server:
        if launch.ready:
            launch.ready(port, launch.headers)
        yield Stack(name, server, launch.headers, held=True)


def _bare(_: Path, port: int, url: str) -> Launch:
    return Launch((sys.executable, "-m", "benchmarks.models.bare", str(port), url), {})


def _interlock(folder: Path, port: int, url: str) -> Launch:
    headers = deploy(folder, url)
    argv = (sys.executable, "-m", "interlock", "serve", "--config", str(folder), "--port", str(port))
    return Launch(argv, headers, environment={VARIABLE: "upstream"}, ready=open_run)


def _litellm(folder: Path, port: int, url: str) -> Launch:
    _present([_LITELLM])
    config = folder / "config.yaml"
    config.write_text(_LITELLM_CONFIG.format(model=MODEL, url=url, key=_LITELLM_KEY))
    argv = (str(_LITELLM), "--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1")
    return Launch(
        argv,
        {"Authorization": f"Bearer {_LITELLM_KEY}"},
        patience_s=240,
        # As its documentation advises for production; the price list is the one that it brings.
        environment={"LITELLM_MODE": "PRODUCTION", "LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
    )


def _portkey(_: Path, port: int, url: str) -> Launch:
    _present([_PORTKEY])
    headers = {
        "Authorization": "Bearer upstream",
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": url,
    }
    return Launch((str(_PORTKEY), f"--port={port}", "--headless"), headers, environment={"NODE_ENV": "production"})


STARTERS: Mapping[str, Starter] = {
    "bare proxy": _bare,
    "interlock": _interlock,
    "portkey": _portkey,
    "litellm": _litellm,
}
"""In the order in which they are measured."""


def _present(programs: Iterable[Path]) -> None:
    for program in programs:
        if not shutil.which(program):
            raise NotStarted("It is not installed; scripts/peers.sh brings it.")


def _here() -> dict[str, str]:
    path = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": f"{ROOT}{os.pathsep}{path}" if path else str(ROOT)}
