"""Interlock with everything on: an identity, budgets on three levels, prices, and a durable store."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.models.processes import NotStarted

_INTERLOCK = (sys.executable, "-m", "interlock")
_AGENT = "bench"
_LIMITS = """\
limits:
  - {{at_most: 1000000 USD, of: cost, per: {scope}, every: day}}
  - {{at_most: 1000000000000, of: tokens, per: {scope}, every: day}}
"""
_DEPLOYMENT = """\
tenant: bench
store: sqlite:///bench.db
agents: [agents/*.yaml]
"""
_AGENT_FILE = """\
agent: {name: bench}
tools: {allowlist: []}
budgets: {max_cost: 1000000 USD, max_total_tokens: 1000000000000}
"""


def deploy(folder: Path, url: str) -> Mapping[str, str]:
    """Write a deployment whose models are at `url` and return the headers of its one caller, or raise NotStarted."""
    del url
    (folder / "agents").mkdir()
    (folder / "interlock.yaml").write_text(_DEPLOYMENT + _LIMITS.format(scope="tenant"))
    (folder / "agents" / f"{_AGENT}.yaml").write_text(_AGENT_FILE + _LIMITS.format(scope="agent"))
    make = ("keys", "create", _AGENT, "--role", "agent", "--agent", _AGENT, "--config", str(folder), "--json")
    made = subprocess.run((*_INTERLOCK, *make), capture_output=True, check=False, text=True)
    if made.returncode:
        raise NotStarted(" ".join((made.stderr or made.stdout).split()))
    return {"Authorization": f"Bearer {json.loads(made.stdout)['secret']}"}
