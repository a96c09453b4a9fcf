"""A small shop with a past: a deployment in files, a clock, and a story of calls that can be played under any rules."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from interlock.domain.approvals import Verdict
from interlock.domain.calls import CallRecord
from interlock.domain.errors import InterlockError
from interlock.domain.identity import Principal, Role
from interlock.domain.ids import AgentId, ApprovalId, CallId, PrincipalId, RunId, TenantId, ToolName, UserId
from interlock.domain.runs import RunOutcome
from interlock.gateway.requests import CallRequest
from interlock.gateway.run_desk import Opening
from interlock.gateway.store import Store
from interlock.runs.ports import CallFilter
from interlock.wiring import Interlock, open_interlock
from tests.kits.gate import StillClock

TENANT = TenantId("acme")
BOT = Principal(PrincipalId("bot"), TENANT, frozenset({Role.AGENT}), AgentId("refunds"))
ANNA = Principal(PrincipalId("anna"), TENANT, frozenset({Role.APPROVER}))
OLGA = Principal(PrincipalId("olga"), TENANT, frozenset({Role.OPERATOR, Role.AUDITOR}))
RULES: dict[str, Any] = {
    "interlock.yaml": {
        "tenant": "acme",
        "agents": ["agents/*.yaml"],
        "contracts": ["contracts.yaml"],
        "tools": {"shop": {"python": {"module": "past_shop"}}},
        "limits": [{"id": "refunds", "at_most": "300 USD", "of": "money", "per": "run"}],
    },
    "agents/refunds.yaml": {
        "agent": {"name": "refunds", "owner": "support"},
        "budgets": {"max_tool_calls": 10},
        "tools": {"allowlist": ["read_order", "refund", "mail"]},
        "policy": {
            "engine": "cel",
            "rules": [
                {"id": "cap", "tool": "refund", "condition": "input.amount <= 50", "on_fail": "require_approval"}
            ],
        },
    },
    "contracts.yaml": {
        "tools": [
            {"name": "read_order", "kind": "read", "tier": 0, "output": {"trust": "trusted"}},
            {
                "name": "refund",
                "kind": "write",
                "tier": 2,
                "amount": {"argument": "/amount", "currency": "USD"},
                "arguments": {"/order_id": "id", "/amount": "amount"},
            },
            {"name": "mail", "kind": "write", "tier": 3, "arguments": {"/to": "recipient", "/text": "plain"}},
        ]
    },
}
SHOP = '''
"""Tools of a shop."""
import interlock

@interlock.tool
def read_order(order_id: str) -> dict[str, str]:
    """Read an order."""
    return {"order": order_id, "total": "49.00"}

@interlock.tool
def refund(order_id: str, amount: float) -> dict[str, str]:
    """Pay money back."""
    return {"done": order_id}

@interlock.tool
def mail(to: str, text: str) -> dict[str, str]:
    """Send a mail."""
    return {"sent": to}
'''


@dataclass(frozen=True, slots=True)
class Told:
    """One call of a story."""

    tool: str
    arguments: dict[str, Any]
    answer: Verdict | None = None
    """What a person says, if one is asked."""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Story:
    """A run as its agent plays it."""

    calls: tuple[Told, ...]
    instruction: str = (
        "Refund 49.00 USD for order o-1 and refund 60.00 USD for order o-2002 and mail a@b.example when done."
    )
    user: str = "u1"
    outcome: RunOutcome | None = RunOutcome.SUCCEEDED
    labels: Mapping[str, str] = field(default_factory=dict)


READ = Told("read_order", {"order_id": "o-1"})
REFUND = Told("refund", {"order_id": "o-1", "amount": 49.0})
LARGE = Told("refund", {"order_id": "o-2002", "amount": 60.0}, Verdict.APPROVE)
MAIL = Told("mail", {"to": "a@b.example", "text": "done"}, Verdict.APPROVE)
BUSY = Story((READ, REFUND, LARGE, MAIL, Told("refund", {"order_id": "o-1"}), Told("nope", {}), READ, READ, READ))


def with_rules(changes: Mapping[str, Callable[[dict[str, Any]], object]]) -> dict[str, Any]:
    """Return RULES with some files changed."""
    files = json.loads(json.dumps(RULES))
    for name, change in changes.items():
        change(files[name])
    return dict(files)


def write(folder: Path, files: Mapping[str, Any] = RULES) -> Path:
    """Write a deployment. JSON is YAML."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(content))
    (folder / "past_shop.py").write_text(SHOP)
    return folder


@asynccontextmanager
async def a_shop(folder: Path, clock: StillClock | None = None, store: Store | None = None) -> AsyncIterator[Interlock]:
    """Open the deployment in `folder`, over its own store or another."""
    async with open_interlock(folder, clock=clock or StillClock(), store=store) as opened:
        yield opened


async def play(shop: Interlock, clock: StillClock, run: str, story: Story) -> tuple[CallRecord, ...]:
    """Play `story` as `run`, a second between its calls, and return its records, the first call first."""
    desks = shop.desks
    opening = Opening(
        run=RunId(run), user=UserId(story.user), instruction=story.instruction, labels=tuple(story.labels.items())
    )
    await desks.runs.open(BOT, opening)
    for number, told in enumerate(story.calls, 1):
        clock.time += 1_000
        request = CallRequest(
            BOT, RunId(run), ToolName(told.tool), told.arguments, CallId(f"c{number}"), dry_run=told.dry_run
        )
        answer = await desks.gate.call(request)
        if answer.approval is not None and told.answer is not None:
            clock.time += 1_000
            await _vote(shop, answer.approval, told.answer)
            await desks.gate.call(request)
        elif told.answer is not None:
            clock.time += 1_000  # so that two plays of one story keep the same time
    await desks.runs.close(BOT, RunId(run), outcome=story.outcome)
    return await records(shop, run)


async def records(shop: Interlock, run: str) -> tuple[CallRecord, ...]:
    """Return the calls of a run, the first one first."""
    return tuple(reversed(await shop.desks.runs.calls(OLGA, CallFilter(run=RunId(run)))))


async def play_all(folder: Path, stories: Sequence[Story]) -> None:
    """Play `stories` as run r0, r1, ... one after the other."""
    clock = StillClock()
    async with a_shop(folder, clock) as shop:
        for number, story in enumerate(stories):
            await play(shop, clock, f"r{number}", story)
            clock.time += 60_000


async def _vote(shop: Interlock, approval: ApprovalId, verdict: Verdict) -> None:
    people = (ANNA, Principal(PrincipalId("ben"), TENANT, frozenset({Role.APPROVER})))
    for person in people:
        try:
            after = await shop.desks.approvals.answer(person, approval, verdict, "as the user asked")
        except InterlockError:
            return
        if after.state.value != "open":
            return
