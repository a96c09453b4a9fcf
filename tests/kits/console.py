"""The console script as a process of its own, on a small deployment with tools in Python."""

import asyncio
import json
import os
import sys
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from interlock.domain.canonical import Json

ROOT = Path(__file__).resolve().parent.parent.parent
TARGET = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["interlock"]

TOOLS = '''
"""The tools of the test: each writes down what it really did."""

import time
from pathlib import Path

from interlock import tool

DONE = Path(__file__).parent / "done.txt"


@tool()
def find_order(order: str) -> dict[str, str]:
    """Return an order."""
    return {"order": order}


@tool()
def refund_order(order: str, amount_usd: float) -> dict[str, str]:
    """Refund an order."""
    with DONE.open("a") as file:
        file.write(f"refund {order}\\n")
    return {"order": order}


@tool()
def slow_note(text: str) -> dict[str, str]:
    """Write a note, slowly."""
    with DONE.open("a") as file:
        file.write(f"begin {text}\\n")
    time.sleep(2)
    with DONE.open("a") as file:
        file.write(f"end {text}\\n")
    return {"text": text}
'''

DEPLOYMENT = """
tenant: acme
store: sqlite:///gate.db
agents: [agent.yaml]
contracts: [contracts.yaml]
tools: {desk: {python: {module: desk_of_the_test}}}
"""

AGENT = """
agent: {name: refunds, owner: support}
tools: {allowlist: [find_order, refund_order, slow_note]}
"""

CONTRACTS = """
tools:
  - {name: find_order, kind: read, tier: 0, arguments: {/order: plain}, output: {trust: trusted}}
  - {name: refund_order, kind: write, tier: 3, category: payments, arguments: {/order: plain, /amount_usd: plain}}
  - {name: slow_note, kind: write, tier: 1, category: notes, arguments: {/text: plain}}
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Json:
        return json.loads(self.out)


@dataclass(slots=True)
class Console:
    """Commands on one deployment."""

    folder: Path
    keys: dict[str, str] = field(default_factory=dict)
    """Bearer by person, made with `key`."""

    async def run(self, *arguments: str, who: str | None = None) -> Ended:
        """Run `interlock` with `arguments` in the folder; `who` names the key to act with."""
        process = await self.start(*arguments, who=who)
        out, err = await asyncio.wait_for(process.communicate(), 60)
        return Ended(process.returncode or 0, out.decode(), err.decode())

    async def start(self, *arguments: str, who: str | None = None) -> asyncio.subprocess.Process:
        """Start `interlock`, just as its console script does, and return the process."""
        module, _, function = TARGET.partition(":")
        code = f"import sys; from {module} import {function}; sys.exit({function}())"
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        environment.pop("INTERLOCK_KEY", None)
        if who is not None:
            environment["INTERLOCK_KEY"] = self.keys[who]
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, *arguments, cwd=self.folder, env=environment, stdout=pipe, stderr=pipe
        )

    async def key(self, name: str, role: str, *more: str) -> str:
        """Make a key and keep it."""
        made = await self.run("keys", "create", name, "--role", role, *more, "--json")
        assert made.code == 0, made
        self.keys[name] = made.json["secret"]
        return self.keys[name]

    @asynccontextmanager
    async def served(self) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
        """Run `interlock serve` on a free port; yields its URL and the process."""
        process = await self.start("serve", "--port", "0", "--json")
        assert process.stdout is not None
        try:
            line = await asyncio.wait_for(process.stdout.readline(), 60)
            yield json.loads(line)["url"], process
        finally:
            if process.returncode is None:
                process.terminate()
            await asyncio.wait_for(process.communicate(), 60)

    @property
    def done(self) -> list[str]:
        """What the tools really did."""
        path = self.folder / "done.txt"
        return path.read_text().splitlines() if path.exists() else []


def a_console(folder: Path) -> Console:
    """Write the deployment into `folder`."""
    files = {
        "interlock.yaml": DEPLOYMENT,
        "agent.yaml": AGENT,
        "contracts.yaml": CONTRACTS,
        "desk_of_the_test.py": TOOLS,
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    return Console(folder)
