"""interlock.yaml and the files that it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.cli.init import starter
from interlock.config import (
    Auth,
    Deployment,
    McpHttp,
    McpStdio,
    OpenApi,
    Pins,
    PythonTools,
    load_deployment,
    resolve,
    store_url,
)
from interlock.domain.budgets import Scope
from interlock.domain.contracts import Environment, Tier
from interlock.domain.errors import ConfigurationError
from interlock.domain.ids import ToolName
from interlock.domain.problems import Problem

LEAST = "tenant: acme\nagents: [agents/*.yaml]\n"


def load(folder: Path, text: str, **files: str) -> Deployment:
    (folder / "agents").mkdir(exist_ok=True)
    (folder / "agents" / "one.yaml").write_text("allowed_tools: [find, pay]\n")
    for name, content in files.items():
        (folder / f"{name}.yaml").write_text(content)
    (folder / "interlock.yaml").write_text(text)
    return load_deployment(folder)


def problems(folder: Path, text: str, **files: str) -> tuple[Problem, ...]:
    with pytest.raises(ConfigurationError) as caught:
        load(folder, text, **files)
    return caught.value.problems


def test_the_starter_deployment_loads(tmp_path: Path) -> None:
    for name, text in starter().items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    deployment = load_deployment(tmp_path)

    assert list(deployment.agents) == ["refunds"]
    assert resolve(deployment, [ToolName(each.tool) for each in deployment.overlays]) == ()


def test_the_least_deployment_has_safe_defaults(tmp_path: Path) -> None:
    deployment = load(tmp_path, LEAST)

    assert deployment.environment is Environment.PRODUCTION
    assert deployment.pins is Pins.FIRST_USE
    assert deployment.server.host == "127.0.0.1"
    assert deployment.server.allowed_hosts == ("localhost", "127.0.0.1", "[::1]")
    assert deployment.sampling == {Tier.REVERSIBLE: 200}
    assert {tier: clock.expires_ms for tier, clock in deployment.approvals.items()} == dict.fromkeys(Tier, 86_400_000)


def test_connections_of_every_kind_are_read(tmp_path: Path) -> None:
    (tmp_path / "api.json").write_text("{}")
    deployment = load(
        tmp_path,
        LEAST
        + """
allow_stdio: [[python, -m, files]]
tools:
  crm: {mcp: {url: "http://crm.example.com/mcp", credential: env:CRM, environment: staging}}
  files: {mcp: {argv: [python, -m, files], secrets: {KEY: env:FILES_KEY}}}
  api: {openapi: {document: api.json, base_url: https://api.example.com/v1/, auth: header, auth_name: X-Key, include: [A]}}
  desk: {python: {module: my.desk}}
""",
    )

    crm, files, api, desk = deployment.connections
    assert isinstance(crm, McpHttp)
    assert (crm.name, crm.url, crm.credential, crm.environment) == (
        "crm",
        "http://crm.example.com/mcp",
        "env:CRM",
        Environment.STAGING,
    )
    assert isinstance(files, McpStdio)
    assert (files.argv, files.secrets) == (("python", "-m", "files"), {"KEY": "env:FILES_KEY"})
    assert isinstance(api, OpenApi)
    assert (api.base_url, api.auth, api.auth_name, api.include) == (
        "https://api.example.com/v1",
        Auth.HEADER,
        "X-Key",
        ("A",),
    )
    assert isinstance(desk, PythonTools)
    assert desk.module == "my.desk"


@pytest.mark.parametrize("allowed", ["", "allow_stdio: [[python, -m]]\n", "allow_stdio: [[python, -m, files, x]]\n"])
def test_a_command_that_is_not_allowed_word_for_word_is_refused(tmp_path: Path, allowed: str) -> None:
    (problem,) = problems(tmp_path, LEAST + allowed + "tools: {files: {mcp: {argv: [python, -m, files]}}}\n")

    assert problem.spot.key == "tools.files.mcp.argv"
    assert "allow_stdio" in problem.what


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("tools: {a: {mcp: {}}}", "tools.a.mcp"),
        ("tools: {a: {mcp: {url: http://x, argv: [y]}}}", "tools.a.mcp"),
        ("tools: {a: {mcp: {url: ftp://x}}}", "tools.a.mcp.url"),
        ("tools: {a: {mcp: {url: http://x}, python: {module: y}}}", "tools.a"),
        ("tools: {a: {mpc: {url: http://x}}}", "tools.a"),
        ("tools: {a: {openapi: {document: gone.json, base_url: http://x}}}", "tools.a.openapi.document"),
        ("tools: {a b: {python: {module: y}}}", "tools.a b"),
        ("store: mysql://x", "store"),
        ("server: {port: 70000}", "server.port"),
        ("server: {host: 0.0.0.0}", "server.host"),
        ("pins: frist-use", "pins"),
        ("contracts: [contracts/*.yaml]", "contracts"),
        ("contracts: [/etc/*.yaml]", "contracts"),
        ("approvals: {sla: 2d, expires: 1d}", "approvals.sla"),
        ("approvals: {tiers: {5: {sla: 1h}}}", "approvals.tiers.5"),
        ("sampling: {tier_2: 0%}", "sampling.tier_2"),
        ("sampling: {tier_2: 6%}", "sampling.tier_2"),
        ("limits: [{at_most: 3, of: calls, per: tenant}]", "limits[0]"),
        ("policies: {cedar: [none.cedar]}", "policies.cedar"),
        ("environment: prod", "environment"),
    ],
)
def test_what_is_wrong_in_interlock_yaml_is_told_at_its_key(tmp_path: Path, text: str, key: str) -> None:
    assert key in {problem.spot.key for problem in problems(tmp_path, LEAST + text + "\n")}


def test_the_problems_of_all_files_are_told_together(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "tenant: acme\nagents: [two.yaml]\ncontracts: [three.yaml]\npins: never\n",
        two="stage: asleep\n",
        three="tools: [{name: x, tier: 9}]\n",
    )

    assert {Path(problem.spot.file).name for problem in found} == {"interlock.yaml", "two.yaml", "three.yaml"}


def test_two_agents_of_one_name_are_refused(tmp_path: Path) -> None:
    (problem,) = problems(
        tmp_path, "tenant: acme\nagents: [agents/*.yaml, b.yaml]\n", b="agent: {name: one}\nallowed_tools: []\n"
    )

    assert problem.what == "There is another agent 'one'"


def test_a_tool_that_is_described_twice_is_refused(tmp_path: Path) -> None:
    text = LEAST + "contracts: [c.yaml, d.yaml]\n"
    (problem,) = problems(tmp_path, text, c="tools: [{name: pay}]\n", d="tools: [{name: pay}]\n")

    assert "is also described at" in problem.what


def test_with_a_catalogue_an_unknown_tool_is_a_problem_with_the_nearest_name(tmp_path: Path) -> None:
    deployment = load(
        tmp_path, LEAST + "limits: [{at_most: 3, of: calls, per: tenant, every: day, tool: category:mony}]\n"
    )

    found = resolve(deployment, [ToolName("find"), ToolName("pays")], ["money"])

    assert [(each.spot.line, each.nearest) for each in found] == [(3, "category:money"), (1, "pays")]
    assert resolve(deployment, [ToolName("find"), ToolName("pay")], ["mony"]) == ()


def test_limits_of_the_deployment_are_read(tmp_path: Path) -> None:
    (limit,) = load(tmp_path, LEAST + "limits: [{at_most: 3, of: calls, per: tenant, every: day}]\n").limits

    assert (limit.id, limit.scope, limit.maximum) == ("calls.tenant.day", Scope.TENANT, 3)


def test_the_clock_of_a_tier_differs_only_in_what_is_said(tmp_path: Path) -> None:
    text = LEAST + "approvals: {sla: 2h, expires: 8h, escalate_to: desk, tiers: {4: {sla: 30m}}}\n"
    clocks = load(tmp_path, text).approvals

    assert (clocks[Tier.HIGH_IMPACT].sla_ms, clocks[Tier.IRREVERSIBLE].sla_ms) == (7_200_000, 1_800_000)
    assert clocks[Tier.IRREVERSIBLE].expires_ms == 28_800_000
    assert clocks[Tier.IRREVERSIBLE].escalate_to == "desk"


def test_the_store_takes_its_secrets_from_the_environment(tmp_path: Path) -> None:
    deployment = load(tmp_path, LEAST + "store: postgresql://app:${PASSWORD}@db/interlock\n")

    assert store_url(deployment, {"PASSWORD": "s3"}) == "postgresql://app:s3@db/interlock"
    with pytest.raises(ConfigurationError, match="PASSWORD is not set"):
        store_url(deployment, {})


def test_a_relative_database_stands_beside_interlock_yaml(tmp_path: Path) -> None:
    assert store_url(load(tmp_path, LEAST), {}) == f"sqlite:///{tmp_path.resolve()}/interlock.db"


@pytest.mark.parametrize(
    "line",
    [
        "store: postgresql://app:hunter2hunter2@db/interlock",
        "tools: {a: {mcp: {url: 'https://u:hunter2hunter2@x/mcp'}}}",
        "tools: {a: {mcp: {url: http://x, credential: hunter2hunter2}}}",
        "tools: {a: {mcp: {url: 'http://x/?token=hunter2hunter2'}}}",
        "tools: {a: {mcp: {argv: [x, --key=sk_live_hunter2hunter2]}}}",
        "public: ghp_hunter2hunter2",
        "ghp_hunter2hunter2: x",
        "pins: sk-proj-hunter2hunter2",
    ],
)
def test_a_secret_in_a_file_is_refused_and_not_repeated(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, LEAST + line + "\n")

    assert "hunter2" not in f"{caught.value} {caught.value.why} {caught.value!r} {caught.value.problems}"


@pytest.mark.parametrize("content", [b"\xff\xfe", b"tenant: \xe9"])
def test_a_file_that_is_not_text_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "interlock.yaml").write_bytes(content)
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        load_deployment(tmp_path)


def test_a_folder_without_a_deployment_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        load_deployment(tmp_path)
