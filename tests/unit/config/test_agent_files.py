"""Agents' files in both forms, and what is refused in them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from interlock.config import load_agent, read_agent
from interlock.domain.agents import ApprovalRule, Engine, Phase, Stage
from interlock.domain.budgets import Measure, Scope, Window
from interlock.domain.contracts import Constraint
from interlock.domain.decisions import Effect
from interlock.domain.errors import ConfigurationError
from interlock.domain.ids import ToolName
from interlock.domain.problems import Problem

EXAMPLES = Path(__file__).parent / "examples"
LEAST = "tools: {allowlist: [a.read, a.write]}\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "agent.yaml"
    path.write_text(text)
    return path


def problems(folder: Path, text: str) -> tuple[Problem, ...]:
    with pytest.raises(ConfigurationError) as caught:
        load_agent(written(folder, text))
    return caught.value.problems


def only_problem(folder: Path, text: str) -> Problem:
    found = problems(folder, text)
    assert len(found) == 1, found
    return found[0]


def test_the_agent_config_example_is_taken_as_it_stands() -> None:
    agent = load_agent(EXAMPLES / "agent_config.yaml")

    assert agent.id == "support_refund_agent"
    assert agent.tools == {"crm.read_ticket", "orders.get_status", "payments.issue_refund"}
    assert [(one.measure, one.scope, one.maximum) for one in agent.limits] == [
        (Measure.CALLS, Scope.RUN, 10),
        (Measure.TOKENS, Scope.RUN, 24000),
    ]
    assert agent.max_wall_ms == 25_000
    cap, redaction = agent.rules
    assert (cap.engine, cap.tool, cap.phase, cap.on_fail) == (
        Engine.OPA,
        "payments.issue_refund",
        Phase.BEFORE,
        Effect.ESCALATE,
    )
    assert (redaction.tool, redaction.phase, redaction.on_fail, redaction.alert) == (
        None,
        Phase.AFTER,
        Effect.DENY,
        True,
    )
    assert agent.model_tiers == {"router": "small", "executor": "frontier"}


def test_the_guardrails_example_is_taken_as_it_stands() -> None:
    agent = load_agent(EXAMPLES / "guardrails.yaml")

    assert agent.id == "guardrails"
    assert agent.tools == {"jira.create_ticket", "confluence.search", "slack.send_message", "jira.close_ticket"}
    assert agent.approvals == (
        ApprovalRule(ToolName("jira.close_ticket")),
        ApprovalRule(ToolName("slack.send_message"), (("channels", ("#announcements", "#customers")),)),
    )
    assert agent.redact
    assert (agent.on_timeout, agent.on_violation) == (Effect.ESCALATE, Effect.ESCALATE)


def test_a_file_checked_alone_lists_the_tools_that_it_names_with_their_lines() -> None:
    mentions = read_agent(EXAMPLES / "guardrails.yaml").mentions

    assert [(each.name, each.spot.line) for each in mentions] == [
        ("jira.create_ticket", 4),
        ("confluence.search", 5),
        ("slack.send_message", 6),
        ("jira.close_ticket", 8),
        ("slack.send_message", 9),
    ]


def test_a_tool_that_only_stands_under_approval_always_needs_one(tmp_path: Path) -> None:
    agent = load_agent(written(tmp_path, "allowed_tools: []\napproval_required_tools: [{pay: {to: [bank]}}]\n"))

    assert agent.tools == {"pay"}
    assert ApprovalRule(ToolName("pay")) in agent.approvals


def test_the_native_form_says_stages_bounds_and_limits(tmp_path: Path) -> None:
    agent = load_agent(
        written(
            tmp_path,
            """
agent: {name: refunds, owner: leads, description: Refunds.}
stage: act_with_approval
tools:
  allowlist: [orders.find, payments.refund]
  stages: {payments.refund: draft}
  constraints: {payments.refund: {/amount: {maximum: 50, minimum: 1}, '/to/*': {domains: [Example.com]}}}
budgets: {max_cost: 0.25 USD}
limits:
  - {at_most: 500 USD, of: money, per: agent, every: day, tool: payments.refund}
  - {at_most: 90s, of: wall_time, per: run}
  - {at_most: 20, of: calls, per: user, every: hour, tool: category:payments, id: calm}
policy: {rules: [{id: a, condition: input.amount < 3, on_fail: dry_run}]}
""",
        )
    )

    assert (agent.id, agent.owner, agent.description) == ("refunds", "leads", "Refunds.")
    assert (agent.stage, agent.stages) == (Stage.APPROVAL, {"payments.refund": Stage.DRAFT})
    assert agent.constraints["payments.refund"] == (  # type: ignore[index]
        Constraint("/amount", maximum=50, minimum=1, source="agent"),
        Constraint("/to/*", domains=("example.com",), source="agent"),
    )
    assert [(one.id, one.measure, one.maximum, one.window, one.currency) for one in agent.limits] == [
        ("max_cost", Measure.COST, 250_000_000, Window.EVER, ""),
        ("money.agent.day.payments.refund", Measure.MONEY, 50_000, Window.DAY, "USD"),
        ("wall_time.run", Measure.WALL_TIME, 90_000, Window.EVER, ""),
        ("calm", Measure.CALLS, 20, Window.HOUR, ""),
    ]
    assert agent.rules[0].engine is Engine.CEL


def test_a_proposal_schema_is_read_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "proposals.json").write_text((EXAMPLES / "tool_call_schema.json").read_text())

    agent = load_agent(written(tmp_path, LEAST + "proposal_schema: proposals.json\n"))

    assert agent.proposals is not None
    assert agent.proposals["required"] == ["tool", "args"]


@pytest.mark.parametrize("content", [None, "[]", '{"type": "strin"}', '{"a": 1, "a": 2}', "{"])
def test_a_proposal_schema_that_cannot_be_used_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "proposals.json").write_text(content)

    assert only_problem(tmp_path, LEAST + "proposal_schema: proposals.json\n").spot.key == "proposal_schema"


def test_the_version_follows_what_the_file_declares_and_not_how_it_is_laid_out(tmp_path: Path) -> None:
    first = load_agent(written(tmp_path, "allowed_tools: [a, b]\nmax_tool_calls: 3\n")).version
    laid_out = load_agent(written(tmp_path, "# moved\nmax_tool_calls: 3\nallowed_tools:\n  - a\n  - b\n")).version
    changed = load_agent(written(tmp_path, "allowed_tools: [a, b]\nmax_tool_calls: 4\n")).version

    assert first == laid_out != changed


def test_every_problem_is_told_at_once_with_its_line_and_the_nearest_word(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        """
stage: act_withn_limits
tools: {allowlist: [pay], allowlst: [x]}
budgets: {max_tool_calls: many}
policy:
  engine: opaa
""",
    )

    assert [(each.spot.line, each.spot.column, each.spot.key, each.nearest) for each in found] == [
        (2, 8, "stage", "act_within_limits"),
        (3, 27, "tools", ""),
        (4, 27, "budgets.max_tool_calls", ""),
        (6, 11, "policy.engine", "opa"),
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("policy: {rules: [{id: r, tool: a.raed, condition: 'true', on_fail: deny}]}", 2),
        ("limits: [{at_most: 3, of: calls, per: run, tool: a.raed}]", 2),
        ("tools: {allowlist: [a.read], stages: {a.raed: draft}}", 1),
        ("tools: {allowlist: [a.read], constraints: {a.raed: {/x: {maximum: 1}}}}", 1),
    ],
)
def test_a_control_for_a_tool_that_the_agent_may_not_call_is_refused(tmp_path: Path, text: str, line: int) -> None:
    problem = only_problem(tmp_path, text if text.startswith("tools") else LEAST + text)

    assert (problem.spot.line, problem.nearest) == (line, "a.read")


@pytest.mark.parametrize(
    "text",
    [
        "allowed_tools: [b]",
        "max_tool_calls: 3\nbudgets: {max_tool_calls: 5}",
        "approval_required_tools: [b]\ntools: {approval_required: [b], allowlist: [c]}",
    ],
)
def test_a_control_said_in_both_forms_is_refused(tmp_path: Path, text: str) -> None:
    text = text if "tools:" in text.removeprefix("approval_required_tools:") and "allowed" not in text else LEAST + text

    assert "The same is said by" in only_problem(tmp_path, text).what


@pytest.mark.parametrize(
    "text",
    [
        "agent: {name: x}",
        LEAST + "limits: [{at_most: 3, of: calls, per: agent}]",
        LEAST + "limits: [{at_most: 3 USD, of: calls, per: run}]",
        LEAST + "limits: [{at_most: 3, of: money, per: run}]",
        LEAST + "limits: [{at_most: 0.001 USD, of: money, per: run}]",
        LEAST + "limits: [{at_most: 5 XXX, of: money, per: run}]",
        LEAST + "limits: [{at_most: 5, of: calls, per: run}, {at_most: 6, of: calls, per: run}]",
        LEAST + "policy: {rules: [{id: a, condition: output.is_error, on_fail: require_approval}]}",
        LEAST + "policy: {rules: [{id: a, condition: x, on_fail: deny}, {id: a, condition: y, on_fail: deny}]}",
        LEAST + "approval_required_tools: [{a.write: {to: []}}]",
        LEAST + "approval_required_tools: [{a.write: {}}]",
        LEAST + "pii_redaction: yes",
        LEAST + "max_tool_calls: -1",
        LEAST + "max_tool_calls: 1.5",
        LEAST + "max_tool_calls: true",
        LEAST + "max_tool_calls:",
        "tools: {allowlist: [a], constraints: {a: {/x: {}}}}",
        "tools: {allowlist: [a], constraints: {a: {/x: {maximum: 1, minimum: 2}}}}",
        "tools: {allowlist: [a], constraints: {a: {/x: {pattern: '(?=a)b'}}}}",
        "tools: {allowlist: [a], constraints: {a: {/x: {pattern: '(a'}}}}",
        "tools: {allowlist: [a], constraints: {a: {x: {maximum: 1}}}}",
        "tools: {allowlist: [a], constraints: {a: {/x~: {maximum: 1}}}}",
        "tools: {allowlist: [a], constraints: {a: {/x: {domains: ['*']}}}}",
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str) -> None:
    only_problem(tmp_path, text + "\n")


def test_an_empty_allowlist_allows_nothing(tmp_path: Path) -> None:
    assert load_agent(written(tmp_path, "allowed_tools: []\n")).tools == frozenset()


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"max_tool_call{number}: 1\n" for number in range(6_000)),
        "stage: " + "eyJ" * 80_000 + "\n",
        "stage: '" + "a://" * 60_000 + "'\n",
        "stage: '" + "a://" + "b:" * 120_000 + "'\n",
        "agent: {name: " + "a" * 250_000 + "}\n",
        "tools: {allowlist: [" + "a, " * 15_000 + "b]}\nlimits: [{at_most: 1, of: calls, per: run, tool: ab}]\n",
    ],
    ids=["many unknown keys", "tokens", "addresses", "passwords", "long name", "many tools"],
)
def test_a_hostile_file_is_refused_soon_and_briefly(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, text)
    began = time.process_time()
    with pytest.raises(ConfigurationError) as caught:
        load_agent(path)

    assert time.process_time() - began < 10
    assert len(caught.value.problems) <= 100
    assert len(str(caught.value)) < 100_000


@pytest.mark.parametrize("engine", ["cel", "opa", "cedar"])
@pytest.mark.parametrize(
    "condition", ["(" * 51 + "input.a" + ")" * 51, "input.a" + ".b" * 500, "1 + " * 500 + "input.a", "a" * 4_001]
)
def test_a_condition_that_could_exhaust_an_engine_is_refused(tmp_path: Path, engine: str, condition: str) -> None:
    rule = f"{{id: a, engine: {engine}, on_fail: deny, condition: '{condition}'}}"

    assert only_problem(tmp_path, LEAST + f"policy: {{rules: [{rule}]}}\n").spot.key == "policy.rules[0].condition"
