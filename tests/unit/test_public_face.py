"""The public face is exactly this; everything else may change."""

import subprocess
import sys
from pathlib import Path

import interlock

DEPLOYMENT = """
tenant: acme
agents: [agent.yaml]
contracts: [contracts.yaml]
tools:
  shop: {python: {module: face_shop}}
"""
AGENT = """
agent: {name: clerk}
tools: {allowlist: [read_order, add_note]}
"""
CONTRACTS = """
tools:
  - name: read_order
    kind: read
    tier: 0
  - name: add_note
    kind: write
    tier: 1
    arguments: {/text: plain}
"""
TOOLS = '''
"""Tools of a test."""
import interlock

@interlock.tool
def read_order(order_id: str) -> dict[str, str]:
    """Read an order."""
    return {"order": order_id}

@interlock.tool
def add_note(text: str) -> str:
    """Add a note."""
    raise interlock.ToolError("the notebook is full")
'''


def test_the_public_names_are_these_and_all_exist() -> None:
    assert interlock.__all__ == sorted(interlock.__all__)
    assert len(interlock.__all__) <= 22
    for name in interlock.__all__:
        assert getattr(interlock, name) is not None
    assert dir(interlock) == sorted(interlock.__all__)


def test_importing_the_package_alone_imports_nothing_heavy() -> None:
    script = "import sys, interlock; print([m for m in ('aiohttp', 'sqlalchemy', 'mcp', 'cel') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_a_program_opens_a_gate_a_run_and_proposes_calls(tmp_path: Path) -> None:
    for name, text in (
        ("interlock.yaml", DEPLOYMENT),
        ("agent.yaml", AGENT),
        ("contracts.yaml", CONTRACTS),
        ("face_shop.py", TOOLS),
    ):
        (tmp_path / name).write_text(text)
    async with interlock.open_gate(tmp_path) as gate, gate.run("clerk", instruction="Look at o-1.") as run:
        assert [contract.name for contract in run.tools()] == ["add_note", "read_order"]
        answer = await run.call("read_order", {"order_id": "o-1"}, call_id="c1")
        assert answer.status is interlock.CallStatus.SUCCEEDED
        assert answer.result is not None
        assert answer.result.content == {"order": "o-1"}
        failed = await run.call("add_note", {"text": "hello"}, call_id="c2")
        assert failed.status is interlock.CallStatus.FAILED
        assert (await run.outcome("c2")).status is interlock.CallStatus.FAILED
        refused = await run.call("drop_tables", {}, call_id="c3")
        assert refused.failure is not None
        assert refused.failure.code == "unknown_tool"
