"""Interlock with everything on: an identity, budgets on three levels, prices, and a durable store."""

import contextlib
import json
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.request import Request, urlopen

from benchmarks.models.exchange import MODEL, USAGE
from benchmarks.models.processes import NotStarted

_INTERLOCK = (sys.executable, "-m", "interlock")
VARIABLE = "INTERLOCK_BENCH_UPSTREAM_KEY"
"""Where the deployment finds the key of its provider."""
_AGENT, _RUN = "bench", "bench-run"
_LIMITS = """\
limits:
  - {{at_most: 1000000 USD, of: cost, per: {scope}, every: day}}
  - {{at_most: 1000000000000, of: tokens, per: {scope}, every: day}}
"""
_DEPLOYMENT = """\
tenant: bench
store: sqlite:///bench.db
agents: [agents/*.yaml]
router: config/router.yaml
"""
_AGENT_FILE = """\
agent: {name: bench}
tools: {allowlist: []}
budgets: {max_cost: 1000000 USD, max_total_tokens: 1000000000000}
"""
_ROUTER = """\
version: 1
providers:
  upstream: {{type: openai, base_url: "{url}", credential: "env:{variable}"}}
models:
  {model}: upstream
  gpt-4.1: upstream
tiers:
  small: {{models: [{model}], fallback: [frontier]}}
  frontier: {{models: [gpt-4.1]}}
rules:
  - {{id: bench, when: {{agent: bench, model: [{model}]}}, use: small}}
"""


def deploy(folder: Path, url: str) -> Mapping[str, str]:
    """Write a deployment whose models are at `url` and return the headers of its one caller, or raise NotStarted."""
    (folder / "agents").mkdir()
    (folder / "config").mkdir()
    (folder / "config" / "router.yaml").write_text(_ROUTER.format(url=url, model=MODEL, variable=VARIABLE))
    (folder / "interlock.yaml").write_text(_DEPLOYMENT + _LIMITS.format(scope="tenant"))
    (folder / "agents" / f"{_AGENT}.yaml").write_text(_AGENT_FILE + _LIMITS.format(scope="agent"))
    make = ("keys", "create", _AGENT, "--role", "agent", "--agent", _AGENT, "--config", str(folder), "--json")
    made = subprocess.run((*_INTERLOCK, *make), capture_output=True, check=False, text=True)
    if made.returncode:
        raise NotStarted(" ".join((made.stderr or made.stdout).split()))
    return {"Authorization": f"Bearer {json.loads(made.stdout)['secret']}", "X-Interlock-Run": _RUN}


def open_run(port: int, headers: Mapping[str, str]) -> None:
    """Open the run that every call belongs to, or raise NotStarted."""
    asked = Request(
        f"http://127.0.0.1:{port}/api/v1/runs",
        json.dumps({"run": _RUN}).encode(),
        {"Authorization": headers["Authorization"], "Content-Type": "application/json"},
    )
    try:
        urlopen(asked, timeout=30).close()
    except OSError as error:
        raise NotStarted(f"It opened no run: {error}") from error


def wrong_in_books(folder: Path, answers: int) -> str:
    """Return how the deployment's store differs from `answers` calls recorded and settled on every level, or nothing."""
    with contextlib.closing(sqlite3.connect(folder / "bench.db")) as store:
        ((calls,),) = store.execute("SELECT count(*) FROM model_calls WHERE status = 'succeeded'")
        ((audited,),) = store.execute("SELECT count(*) FROM audit_events")
        budgets = store.execute("SELECT budget, spent, held FROM budgets").fetchall()
    spent = {level: sum(row[1] for row in budgets if level in row[0] and "tokens" in row[0]) for level in _LEVELS}
    held = sum(row[2] for row in budgets)
    expected = dict.fromkeys(_LEVELS, answers * USAGE["total_tokens"])
    if (calls, spent, held) == (answers, expected, 0) and audited >= answers:
        return ""
    return f"{answers} answers, but {calls} records, {audited} audit events, {held} held, and tokens spent: {spent}"


_LEVELS = ("|run=", "|agent=", "|tenant=")
