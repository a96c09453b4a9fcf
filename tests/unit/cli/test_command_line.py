"""The command line: what it prints, how it exits, and that it answers at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from interlock.cli.app import app
from interlock.cli.commands import COMMANDS
from interlock.cli.exits import DEBUG, Exit, exit_code, run
from interlock.domain import errors

EXAMPLES = Path(__file__).resolve().parents[1] / "config" / "examples"


def interlock(*arguments: str) -> int:
    return run(app, list(arguments), "interlock")


def raising(fault: BaseException) -> typer.Typer:
    broken = typer.Typer()

    @broken.command()
    def fail() -> None:
        raise fault

    return broken


def test_init_writes_a_deployment_that_check_finds_fine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert interlock("init", str(tmp_path / "new")) == Exit.FINE
    assert {path.name for path in (tmp_path / "new").iterdir()} == {
        "interlock.yaml",
        "agents",
        "config",
        "contracts",
        "desk.py",
    }
    assert interlock("check", str(tmp_path / "new")) == Exit.FINE
    assert "refunds  act_within_limits" in capsys.readouterr().out


def test_init_never_overwrites_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "desk.py").write_text("mine")

    assert interlock("init", str(tmp_path)) == Exit.USAGE
    assert [path.name for path in tmp_path.iterdir()] == ["desk.py"]
    assert (tmp_path / "desk.py").read_text() == "mine"
    assert "nothing was written" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["agent_config.yaml", "guardrails.yaml"])
def test_check_takes_an_agents_file_alone_and_lists_what_it_could_not_resolve(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert interlock("check", str(EXAMPLES / name), "--json") == Exit.FINE

    told = json.loads(capsys.readouterr().out)
    assert told["ok"]
    assert {each["tool"] for each in told["unresolved"]} >= {"agent_config.yaml": {"crm.read_ticket"}}.get(
        name, {"jira.close_ticket"}
    )


def test_check_tells_every_problem_and_exits_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text("allowed_tools: [pay]\nmax_tool_cals: 3\npii_redaction: 7\n")

    assert interlock("check", str(path)) == Exit.USAGE
    told = capsys.readouterr().err
    assert f"{path}:2:1" in told
    assert "Did you mean 'max_tool_calls'?" in told
    assert f"{path}:3:16" in told


def test_check_prints_problems_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text("allowed_tool: [pay]\n")

    assert interlock("check", str(path), "--json") == Exit.USAGE
    told = json.loads(capsys.readouterr().out)
    assert told["code"] == "configuration_error"
    assert ("allowed_tools", 1) in [(each["nearest"], each["line"]) for each in told["problems"]]


def test_check_takes_a_contracts_file_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "any.yaml"
    path.write_text("tools: [{name: pay, kind: write}]\n")

    assert interlock("check", str(path)) == Exit.FINE
    assert "describes 1 tool." in capsys.readouterr().out


def test_a_tool_that_no_contract_describes_is_named_with_the_nearest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.yaml").write_text("allowed_tools: [refund_ordr]\n")
    (tmp_path / "c.yaml").write_text("tools: [{name: refund_order}]\n")
    (tmp_path / "interlock.yaml").write_text("tenant: t\nagents: [a.yaml]\ncontracts: [c.yaml]\n")

    assert interlock("check", str(tmp_path), "--json") == Exit.FINE
    (unresolved,) = json.loads(capsys.readouterr().out)["unresolved"]
    assert (unresolved["tool"], unresolved["nearest"]) == ("refund_ordr", "refund_order")


@pytest.mark.parametrize(
    ("engine", "condition"),
    [
        ("cel", "input.amount <="),
        ("cel", "inptu.amount <= 3.0"),
        ("opa", "input.amount <="),
        ("opa", "inptu.amount <= 3"),
        ("cedar", "context.input.amount <="),
    ],
)
def test_a_condition_that_does_not_compile_is_told_at_its_line(
    engine: str, condition: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "agent.yaml"
    rule = f'    - {{id: cap, engine: {engine}, condition: "{condition}", on_fail: deny}}\n'
    path.write_text(f"allowed_tools: [pay]\npolicy:\n  rules:\n{rule}")

    assert interlock("check", str(path), "--json") == Exit.USAGE
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert (problem["line"], problem["key"]) == (4, "policy.rules: cap")


def test_a_language_that_is_not_installed_is_told_and_not_a_fault(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "interlock.adapters.rego", None)

    assert interlock("check", str(EXAMPLES / "agent_config.yaml")) == Exit.FINE
    assert "2 conditions in opa were not compiled: the extra 'rego' is not installed." in capsys.readouterr().out


def connected(folder: Path) -> tuple[int, dict[str, Any]]:
    """Check a deployment against its upstreams in a process of its own, as its tools are Python of its own."""
    program = "from interlock.cli.app import main; main()"
    run = subprocess.run(
        [sys.executable, "-c", program, "check", str(folder), "--connect", "--json"], capture_output=True, text=True
    )
    return run.returncode, json.loads(run.stdout)


def test_an_extra_that_serving_would_miss_is_told_by_the_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    interlock("init", str(tmp_path))
    with (tmp_path / "interlock.yaml").open("a") as file:
        file.write("traces: {archive: archive, export: [{url: 'https://otlp.example.com/v1/traces'}]}\n")
    for package in ("duckdb", "google.protobuf"):
        monkeypatch.setitem(sys.modules, package, None)
    capsys.readouterr()

    assert interlock("check", str(tmp_path)) == Exit.FINE
    told = capsys.readouterr().out
    assert "The extra 'analytics' is not installed here, and 'traces.archive' needs it" in told
    assert "The extra 'otlp' is not installed here" in told


def test_with_its_upstreams_a_deployment_is_checked_and_nothing_is_left_behind(tmp_path: Path) -> None:
    interlock("init", str(tmp_path / "new"))
    before = sorted(tmp_path.rglob("*.*"))
    code, told = connected(tmp_path / "new")

    assert (code, told["ok"], told["tools"], told["unresolved"]) == (Exit.FINE, True, 2, [])
    assert [path for path in sorted(tmp_path.rglob("*.*")) if "__pycache__" not in str(path)] == before


def test_with_its_upstreams_an_unknown_category_is_told_at_its_line(tmp_path: Path) -> None:
    interlock("init", str(tmp_path))
    path = tmp_path / "agents" / "refunds.yaml"
    path.write_text(path.read_text().replace("every: day, tool: refund_order", "every: day, tool: category:paymnts"))
    code, told = connected(tmp_path)

    assert code == Exit.USAGE
    assert [(each["line"], each["nearest"]) for each in told["problems"]] == [(22, "category:payments")]


def test_a_rule_that_cannot_be_meant_fails_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text("allowed_tools: [pay]\npolicy: {rules: [{id: always, condition: 1 < 2, on_fail: deny}]}\n")

    assert interlock("check", str(path), "--json") == Exit.FAILED
    told = json.loads(capsys.readouterr().out)
    assert not told["ok"]
    assert [(each["severity"], each["rule"]) for each in told["remarks"]] == [("error", "always")]


def test_only_a_deployment_has_upstreams(capsys: pytest.CaptureFixture[str]) -> None:
    assert interlock("check", str(EXAMPLES / "guardrails.yaml"), "--connect") == Exit.USAGE
    assert "Only a deployment has upstreams" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [[], ["chekc"], ["check", "--jsno"], ["check", "a", "b"], ["check", "nowhere"], ["init", "\x00"]]
)
def test_wrong_usage_exits_with_2_and_a_hint(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert interlock(*arguments) == Exit.USAGE
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigurationError("x"), Exit.USAGE),
        (errors.UnknownTool("x"), Exit.USAGE),
        (errors.Forbidden("x"), Exit.FAILED),
        (errors.Braked("x"), Exit.FAILED),
        (errors.BudgetExceeded("x"), Exit.FAILED),
        (errors.StoreUnavailable("x"), Exit.ENVIRONMENT),
        (errors.ToolTimeout("x"), Exit.ENVIRONMENT),
        (errors.OutcomeUnknown("x"), Exit.INCONCLUSIVE),
    ],
)
def test_every_error_has_its_exit_code(error: errors.InterlockError, code: Exit) -> None:
    assert exit_code(error) is code
    assert run(raising(error), [], "x") == code


def test_a_fault_of_interlocks_own_is_told_without_a_traceback_and_without_its_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(DEBUG, raising=False)

    assert run(raising(RuntimeError("secret-value")), [], "x") == Exit.ENVIRONMENT
    told = capsys.readouterr().err
    assert "RuntimeError" in told
    assert "Traceback" not in told
    assert "secret-value" not in told


def test_an_interruption_is_no_fault() -> None:
    assert run(raising(KeyboardInterrupt()), [], "x") == Exit.INTERRUPTED


def test_the_help_names_every_command_and_imports_none_of_them() -> None:
    program = "import sys\nfrom interlock.cli.app import main\nsys.argv = ['interlock', '--help']\n"
    program += "try: main()\nexcept SystemExit: pass\nprint([n for n in ('rich', 'ruamel', 'jsonschema_rs') if n in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert all(f"  {name} " in shown for name in COMMANDS)
    assert shown.rstrip().endswith("[]")


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_in_the_list_is_there_and_has_a_help_of_its_own(name: str) -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]

    assert commands[name].help


def test_control_characters_in_a_file_do_not_reach_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text('allowed_tools: []\nstage: "\\e[2Jx"\n"\\e[31m": 1\n')

    assert interlock("check", str(path)) == Exit.USAGE
    assert "\x1b" not in capsys.readouterr().err
