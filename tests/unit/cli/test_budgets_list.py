"""Budgets are listed in the units that people use, and in whole numbers for programs."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import interlock
from interlock.cli.app import app
from interlock.cli.exits import Exit, run


async def _one_refund(desk: Path) -> None:
    wish = "Please refund 40 USD on order A-1001, it came broken."
    async with interlock.open_gate(desk) as gate, gate.run("refunds", user="emma", instruction=wish) as opened:
        await opened.ask({"messages": [{"role": "user", "content": wish}]})
        await opened.call("refund_order", {"order": "A-1001", "amount_usd": 40, "reason": "broken"})


async def test_budgets_are_shown_in_dollars_and_told_to_programs_in_whole_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(app, ["init", str(tmp_path / "desk")], "interlock") == Exit.FINE
    await _one_refund(tmp_path / "desk")
    capsys.readouterr()
    with ThreadPoolExecutor(1) as aside:  # commands bring a loop of their own
        assert aside.submit(run, app, ["budgets", "list", "-c", str(tmp_path / "desk")], "interlock").result() == 0
        told = capsys.readouterr().out
        aside.submit(run, app, ["budgets", "list", "--json", "-c", str(tmp_path / "desk")], "interlock").result()
    budgets = {one["budget"].split("|")[1]: one for one in json.loads(capsys.readouterr().out)["budgets"]}

    assert "500.00 USD" in told
    assert "0.5 USD" in told
    assert budgets["agent:refunds/money.agent.day"]["spent"] == 4000
    assert budgets["agent:refunds/max_cost"]["limit"] == 500_000_000
