"""Whatever happens to a valid file, it is either read or refused with a place; a misspelt control is always refused."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interlock.cli.init import starter
from interlock.config import load_agent, load_deployment, load_overlays, load_router
from interlock.config.nodes import Node, Scalar, Series, Table, parse, plain
from interlock.config.published import schemas
from interlock.domain.errors import ConfigurationError
from interlock.domain.problems import Problem
from tests.unit.config.test_router_file import EXAMPLE as ROUTER
from tests.unit.config.test_router_file import FILES

EXAMPLES = Path(__file__).parent / "examples"
STARTER = starter()
SCHEMAS = schemas()
NATIVE = """\
agent: {name: refunds, owner: leads, description: Refunds., model_tier: {router: small}}
stage: act_with_approval
tools:
  allowlist: [orders.find, payments.refund]
  stages: {payments.refund: draft}
  approval_required: [{payments.refund: {reason: goodwill}}]
  constraints:
    payments.refund: {/amount: {maximum: 50, minimum: 1, one_of: [2, 3]}, /to: {domains: [example.com], pattern: a+}}
budgets: {max_cost: 0.25 USD, max_total_tokens: 5, max_tool_calls: 6, max_wall_time_seconds: 7}
limits:
  - {at_most: 500 USD, of: money, per: agent, every: day, tool: payments.refund, id: daily}
  - {at_most: 90s, of: wall_time, per: run}
policy: {engine: cel, rules: [{id: a, tool: orders.find, engine: opa, condition: input.a < 3, on_fail: dry_run}]}
observability: {tracing: none, log_fields: [run_id]}
fallback: {on_timeout: escalate, on_policy_violation: deny}
pii_redaction: false
"""
AGENTS = (
    NATIVE,
    (EXAMPLES / "agent_config.yaml").read_text(),
    (EXAMPLES / "guardrails.yaml").read_text(),
    STARTER["agents/refunds.yaml"],
)
CONTRACTS = (
    STARTER["contracts/desk.yaml"],
    """\
tools:
  - name: stripe/PostRefunds
    as: refund
    kind: write
    tier: 3
    scopes: [refunds]
    idempotency: {header: Idempotency-Key}
    cost: 0.002 USD
    amount: {argument: /amount, currency: from /currency, unit: minor, optional: false}
    recipients: /to
    retries: 1
    max_result: 64 KiB
    environment: staging
    description: Refunds a charge.
    asked_by: [refund]
    credential: env:STRIPE
    output: {trust: trusted, default: record, prose: [/note], private: [/card], author: [/by], own: false, record: ['']}
""",
)
FREE_NAMES = {
    "model_tier",
    "stages",
    "constraints",
    "approval_required",
    "payments.refund",
    "refund_order",
    "arguments",
}
FREE_NAMES |= {"approval_required_tools", "slack.send_message"}
FREE_NAMES |= {"providers", "models", "tiers", "shares", "weights", "labels", "choices", "steps", "allow"}
ANYTHING = st.one_of(
    st.sampled_from([*string.printable, "\x00", "\ufeff", "é", "- ", ": ", "&a ", "*a", "!!str ", "{", "[", "\n  "]),
    st.text(max_size=5),
)


def control_words(node: Node, parent: str = "") -> Iterator[Scalar]:
    """Yield the keys under `node` that Interlock, and not the user, has named."""
    match node:
        case Series():
            for item in node.items:
                yield from control_words(item, parent)
        case Table():
            for key, value in node.entries:
                if parent not in FREE_NAMES:
                    yield key
                yield from control_words(value, key.text)
        case Scalar():
            pass


def mutated(text: str, cuts: list[tuple[int, int, str]]) -> str:
    for start, length, new in cuts:
        at = start % (len(text) + 1)
        text = text[:at] + new + text[at + length :]
    return text


@st.composite
def misspelt(draw: st.DrawFn, texts: tuple[str, ...]) -> tuple[str, str]:
    text = draw(st.sampled_from(texts))
    words = list(control_words(parse(text, "f")))
    word = draw(st.sampled_from(words))
    at = draw(st.integers(0, len(word.text) - 1))
    letter = draw(st.sampled_from(string.ascii_letters + "_-0"))
    before, after = word.text[:at], word.text[at + 1 :]
    edits = [before + after, before + letter + word.text[at:], before + letter + after]
    edits.append(before + word.text[at : at + 2][::-1] + word.text[at + 2 :])
    wrong = draw(st.sampled_from([edit for edit in edits if edit and edit != word.text] or [word.text + "x"]))
    lines = text.split("\n")
    line = lines[word.line - 1]
    start = word.column - 1
    lines[word.line - 1] = line[:start] + wrong + line[start + len(word.text) :]
    return "\n".join(lines), wrong


cuts = st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 30), ANYTHING), min_size=1, max_size=4)
several = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read_or_refused(load: Callable[[Path], object], path: Path, text: str, schema: str) -> None:
    """Whatever stands in the file: it is refused with places, or read, and then editors do not complain either."""
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    problems = refusals(load, path)
    if problems is None:
        tree = plain(parse(path.read_text("utf-8-sig"), "f"))
        jsonschema_rs.Draft202012Validator(SCHEMAS[schema]).validate(tree)
    else:
        assert problems
        assert all(problem.spot.line >= 1 and problem.what for problem in problems)


def refusals(load: Callable[[Path], object], path: Path) -> tuple[Problem, ...] | None:
    try:
        load(path)
    except ConfigurationError as error:
        return error.problems
    return None


@several
@given(text=st.sampled_from(AGENTS), changes=cuts)
def test_any_change_to_an_agents_file_is_read_or_refused_with_its_place(
    tmp_path: Path, text: str, changes: list[tuple[int, int, str]]
) -> None:
    read_or_refused(load_agent, tmp_path / "agent.yaml", mutated(text, changes), "agent.json")


@several
@given(text=st.sampled_from(CONTRACTS), changes=cuts)
def test_any_change_to_a_contracts_file_is_read_or_refused_with_its_place(
    tmp_path: Path, text: str, changes: list[tuple[int, int, str]]
) -> None:
    read_or_refused(load_overlays, tmp_path / "contracts.yaml", mutated(text, changes), "contracts.json")


@several
@given(changes=cuts)
def test_any_change_to_a_deployment_is_read_or_refused_with_its_place(
    tmp_path: Path, changes: list[tuple[int, int, str]]
) -> None:
    for name, text in STARTER.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    read_or_refused(
        load_deployment, tmp_path / "interlock.yaml", mutated(STARTER["interlock.yaml"], changes), "interlock.json"
    )


@several
@given(changes=cuts)
def test_any_change_to_a_router_file_is_read_or_refused_with_its_place(
    tmp_path: Path, changes: list[tuple[int, int, str]]
) -> None:
    write_beside(tmp_path)
    read_or_refused(load_router, tmp_path / "router.yaml", mutated(ROUTER, changes), "router.json")


@several
@given(case=misspelt((ROUTER,)))
def test_a_misspelt_key_of_a_router_file_is_refused(tmp_path: Path, case: tuple[str, str]) -> None:
    write_beside(tmp_path)
    (tmp_path / "router.yaml").write_text(case[0])
    with pytest.raises(ConfigurationError, match=r"is not known here|is missing|stands here twice|exactly one"):
        load_router(tmp_path / "router.yaml")


def write_beside(folder: Path) -> None:
    for name in ("rehearsal.yaml", "prices.yaml"):
        (folder / name).write_text(FILES[f"config/{name}"])


@several
@given(case=misspelt(AGENTS))
def test_a_misspelt_key_of_an_agents_file_is_refused(tmp_path: Path, case: tuple[str, str]) -> None:
    (tmp_path / "agent.yaml").write_text(case[0])
    with pytest.raises(ConfigurationError, match=r"is not known here|is missing|stands here twice|Exactly one"):
        load_agent(tmp_path / "agent.yaml")


@several
@given(case=misspelt(CONTRACTS))
def test_a_misspelt_key_of_a_contracts_file_is_refused(tmp_path: Path, case: tuple[str, str]) -> None:
    (tmp_path / "contracts.yaml").write_text(case[0])
    with pytest.raises(ConfigurationError, match=r"is not known here|is missing|stands here twice|Exactly one"):
        load_overlays(tmp_path / "contracts.yaml")


@pytest.mark.parametrize("text", AGENTS)
def test_the_examples_satisfy_the_published_schema(text: str) -> None:
    jsonschema_rs.Draft202012Validator(SCHEMAS["agent.json"]).validate(plain(parse(text, "f")))
