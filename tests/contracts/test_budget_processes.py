"""INVARIANT I4 between real processes: 64 clients in 4 processes, over 10,000 attempts, one budget."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

from interlock.adapters.sql import open_store
from interlock.domain.budgets import Balance, HoldState
from interlock.gateway.store import Tx

ROOT = Path(__file__).resolve().parents[2]
PROCESSES = 4
CLIENTS = 16
ATTEMPTS = 10_240
MAXIMUM = 3_000


def _spender(url: str, name: str) -> subprocess.Popen[str]:
    numbers = [str(number) for number in (ATTEMPTS // PROCESSES, CLIENTS, MAXIMUM)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.contracts.spender", url, name, *numbers],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _race(url: str) -> list[dict[str, list[str]]]:
    spenders = [_spender(url, f"p{number}") for number in range(PROCESSES)]
    try:
        for spender in spenders:
            assert spender.stdout is not None
            assert spender.stdout.readline() == "ready\n"
        for spender in spenders:
            assert spender.stdin is not None
            spender.stdin.write("go\n")
            spender.stdin.flush()
        answers = [spender.communicate(timeout=120)[0] for spender in spenders]
        assert [spender.returncode for spender in spenders] == [0] * PROCESSES
        return [json.loads(answer) for answer in answers]
    finally:
        for spender in spenders:
            spender.kill()
            spender.communicate()


async def test_processes_that_share_a_budget_neither_overspend_nor_lose_a_hold(database_url: str) -> None:
    answers = await asyncio.to_thread(_race, database_url)
    held = [call for answer in answers for call in answer["held"]]
    settled = {call for answer in answers for call in answer["settled"]}
    store = await open_store(database_url)

    def look(tx: Tx) -> tuple[tuple[Balance, ...], dict[str, HoldState]]:
        holds = {hold.call: hold for call in held for hold in tx.budgets.holds(call) if hold.charge.budget == "shared"}
        return tx.budgets.balances(""), {call: hold.state for call, hold in holds.items()}

    balances, states = await store.read(look)
    await store.close()
    own, shared = balances[:-1], balances[-1]
    assert shared.spent + shared.held == MAXIMUM, "the attempts exhaust the budget exactly"
    assert len(held) == MAXIMUM, "every grant was told to exactly one client"
    assert shared.spent == len(settled)
    assert states == {call: HoldState.SETTLED if call in settled else HoldState.HELD for call in held}
    assert [one.spent + one.held for one in own] == [len(answer["held"]) for answer in answers]
