"""What another model proposed in the same cases, held against the rules."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from interlock.domain.errors import BadInput
from interlock.gateway.replay.tally import comparison
from interlock.wiring.backtesting import ask
from interlock.wiring.candidates import Question
from tests.kits.past import BUSY, Story, play_all, write


def a_line(case: str, *calls: tuple[str, dict[str, Any], str]) -> dict[str, Any]:
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Refund 49.00 USD for order o-1001."}]
    for number, (tool, arguments, result) in enumerate(calls):
        asked = {"id": f"t{number}", "function": {"name": tool, "arguments": arguments}}
        usage = {"prompt_tokens": 90, "completion_tokens": 10}
        messages.append({"role": "assistant", "content": "", "tool_calls": [asked], "usage": usage, "cost_usd": 0.001})
        messages.append({"role": "tool", "tool_call_id": f"t{number}", "content": result})
    return {"source": "shop", "suite": "desk", "task_id": case, "model": "other-1", "messages": messages, "outcome": {}}


LINES = [
    a_line(
        "7",
        ("read_order", {"order_id": "o-1001"}, '{"order": "o-1001", "total": "49.00"}'),
        ("refund", {"order_id": "o-1001", "amount": 49.0}, "{}"),
        ("refund", {"order_id": "o-1001", "amount": 90.0}, "{}"),
        ("mail", {"to": "thief@evil.example", "text": "psst"}, "{}"),
        ("drop_tables", {}, "no such tool"),
    ),
    a_line("8", ("read_order", {"order_id": "o-8"}, "{}")),
]


@pytest.fixture
async def past(tmp_path: Path) -> Path:
    write(tmp_path)
    await play_all(tmp_path, [Story(BUSY.calls, labels={"case": "shop:desk:7"}), Story(BUSY.calls)])
    return tmp_path


async def test_its_proposals_are_decided_as_if_they_had_been_made_in_the_run(past: Path) -> None:
    (past / "runs").mkdir()
    (past / "runs" / "other.jsonl.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, LINES)).encode()))

    found = comparison(await ask(Question(past, model=f"recorded:{past / 'runs'}")))

    # Only one of the two runs says which case it is; the other model's second case was nobody's here.
    assert (found["runs"], found["calls"]) == (1, 5)
    assert {(one["rule"], one["to"], one["examples"][0]["call"]) for one in found["by_rule"]} == {
        ("config:cap", "require_approval", "t2"),
        ("provenance", "require_approval", "t3"),
        ("agent.allowlist", "deny", "t4"),
    }
    assert found["cost"]["models_usd"] == "0.005"


async def test_rules_and_settings_of_choice_hold_for_it_too(past: Path) -> None:
    file = past / "other.jsonl"
    file.write_text("\n".join(map(json.dumps, LINES)))
    question = Question(past, edits=(("budgets.max_tool_calls", "1"),), model=f"recorded:{file}")

    found = comparison(await ask(question))

    assert found["by_rule"][0]["rule"] == "budget.max_tool_calls"
    assert found["outcomes"][0]["stopped"] == 1


@pytest.mark.parametrize("model", ["gpt-4.1", "recorded:", "recorded:nowhere.jsonl"])
async def test_recordings_that_are_not_there_are_refused(past: Path, model: str) -> None:
    with pytest.raises(BadInput, match="recordings"):
        await ask(Question(past, model=model))


async def test_a_line_that_is_no_recording_is_named(past: Path) -> None:
    file = past / "bad.jsonl"
    file.write_text(json.dumps(LINES[0]) + '\n{"source": "shop"}\n')

    with pytest.raises(BadInput, match=r"bad\.jsonl, line 2"):
        await ask(Question(past, model=f"recorded:{file}"))
