"""64 clients stream through two processes, leave, meet faults and the limit: no budget is passed, and the books agree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from interlock.domain.models import ModelCallRecord, ModelCallStatus, UsageSource
from tests.acceptance.budget_drill import Drill, drill
from tests.kits.models import IN_NANO, OUT_NANO
from tests.kits.upstreams import Fault

CLIENTS = 64
CALLS_EACH = 12
TOKENS_PER_CALL = 700
"""Calls use some 900, so the limit is reached when there are still calls to make."""

SILENT = frozenset(
    {
        Fault.STALL_BEFORE_HEAD,
        Fault.STALL_BEFORE_FIRST,
        Fault.WRONG_TYPE,
        Fault.BAD_GZIP,
        Fault.REDIRECT,
        Fault.NOT_HTTP,
    }
)
"""Nobody says whether the provider has worked on the prompt. Ours does not charge for it, and Interlock counts it as spent."""
BROKEN_WHOLE = frozenset(
    {
        Fault.RESET_IN_BODY,
        Fault.CUT_IN_BODY,
        Fault.STALL_AFTER_FIRST,
        Fault.MALFORMED,
        Fault.HALF_UTF8,
        Fault.NO_TERMINATOR,
        Fault.HUGE,
    }
)
"""A whole reply says what it used in the part that is torn or cannot be read: only the prompt is known."""
OVERTAKING = frozenset({Fault.RESET_IN_BODY})
"""A reset throws away what stands unread before it, so that words which were sent may never arrive."""


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    return str(request.getfixturevalue("postgres_dsn"))


def is_exact(record: ModelCallRecord, faults: set[Fault]) -> bool:
    """Return whether Interlock can know to the token what the provider charged."""
    if faults & SILENT:
        return False
    if record.call.step == "cancel" and record.status is ModelCallStatus.ABANDONED:
        # To close a provider's stream crosses with the words that are on their way.
        return False
    return not faults & (OVERTAKING if record.call.streamed else BROKEN_WHOLE)


def cost_of(record: ModelCallRecord) -> int:
    return record.usage.input * IN_NANO + record.usage.output * OUT_NANO


def check_books(done: Drill) -> dict[str, int]:
    """Compare what was recorded, what was drawn from the budgets, and what the provider charged; return figures."""
    exact = approximate = tokens = 0
    for number, (records, bill) in done.by_call().items():
        assert len(records) == 1, f"call {number} is recorded {len(records)} times"
        record, faults = records[0], {fault for _, _, fault in bill}
        charged = sum(usage.total for _, usage, _ in bill)
        prompts = sum(one.usage.input for one in record.attempts)
        assert record.cost_nano_usd == cost_of(record)
        if is_exact(record, faults):
            assert record.usage.total == charged, (number, faults, record.attempts, bill)
            assert record.cost_nano_usd == sum(usage.input * IN_NANO + usage.output * OUT_NANO for _, usage, _ in bill)
            exact, tokens = exact + 1, tokens + charged
        else:
            # The prompt is paid in any case; beyond what the provider charged there is at most the prompt.
            assert prompts <= record.usage.total <= charged + prompts, (number, faults, record.attempts, bill)
            approximate += 1
    every = done.records
    asked = [one for record in every for one in record.attempts if one.usage_source is not UsageSource.NONE]
    assert done.balance("tokens").spent == sum(record.usage.total for record in every)
    assert done.balance("cost").spent == sum(record.cost_nano_usd for record in every)
    assert done.balance("calls").spent == len(asked)
    for run in {record.call.run for record in every}:
        (balance,) = [one for one in done.balances if f"|run={run}|" in one.budget]
        assert balance.spent == sum(record.usage.total for record in every if record.call.run == run)
    return {"exact": exact, "bounded": approximate, "tokens": tokens}


async def test_many_clients_of_two_processes_never_pass_a_limit_and_pay_to_the_token(
    url: str, tmp_path: Path, faults: int, record_property: Callable[[str, object], None]
) -> None:
    calls = max(CALLS_EACH, CALLS_EACH * faults // 20)
    most = CLIENTS * calls * TOKENS_PER_CALL
    done = await drill(tmp_path, url, clients=CLIENTS, calls=calls, most=most)

    assert done.books.passed == []
    assert done.books.samples > 100
    assert [one for one in done.balances if one.held] == []
    figures = check_books(done)
    met = {charge.fault for charge in done.upstream.charges}
    assert met == set(Fault), "every fault was met"
    assert done.ends["served"] > CLIENTS * calls // 3
    assert done.ends["budget_exceeded"] > 10, "the limit was reached while others went on"
    assert done.ends["left"] > CLIENTS * calls // 20
    assert done.books.most[done.balance("tokens").budget] > most * 99 // 100
    figures |= {"samples": done.books.samples, "requests": len(done.upstream.received), **done.ends}
    record_property("figures", figures)
    print(figures)
