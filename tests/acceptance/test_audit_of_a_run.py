"""Who looks a run up in the audit trail finds its calls, and one call by its place in the run."""

from pathlib import Path

import interlock
from interlock.cli.app import app
from interlock.cli.exits import Exit, run
from tests.kits.console import a_console


async def test_the_audit_of_a_run_has_its_calls_and_a_call_is_found_by_run_and_call(tmp_path: Path) -> None:
    assert run(app, ["init", str(tmp_path / "desk")], "interlock") == Exit.FINE
    async with interlock.open_gate(tmp_path / "desk") as gate, gate.run("refunds", user="emma") as opened:
        await opened.call("find_order", {"order": "A-1001"})
        name = str(opened.id)

    console = a_console(tmp_path)
    found = (await console.run("audit", "search", name, "--json", "-c", str(tmp_path / "desk"))).json["events"]
    call = next(one["subject"] for one in found if one["kind"] == "call.settled")
    of_one = await console.run("audit", "search", call.partition("/")[2], "--json", "-c", str(tmp_path / "desk"))

    assert {"run.opened", "call.decided", "call.settled"} <= {one["kind"] for one in found}
    assert {one["kind"] for one in of_one.json["events"]} == {"call.decided", "call.settled"}
