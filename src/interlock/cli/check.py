"""`interlock check`."""

import importlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from interlock.cli.conditions import compile_conditions
from interlock.cli.exits import Exit
from interlock.cli.extras import missing
from interlock.cli.output import AsJson, Output
from interlock.cli.router_files import read_through
from interlock.config import (
    CATEGORY,
    Deployment,
    FileKind,
    ToolMention,
    load_deployment,
    load_overlays,
    load_router,
    nearest,
    read_agent,
    recognise,
    refusal,
)
from interlock.domain.agents import AgentPolicy
from interlock.domain.contracts import ToolContract
from interlock.domain.errors import ConfigurationError
from interlock.domain.ids import ToolName
from interlock.policy.coverage import Remark, Severity, coverage

app = typer.Typer(add_completion=False, rich_markup_mode=None)
Contracts = Mapping[ToolName, ToolContract]


@app.command()
def check(
    path: Annotated[Path, typer.Argument(help="A folder with an interlock.yaml, or one file of any kind.")] = Path(),
    connect: Annotated[
        bool, typer.Option("--connect", help="Ask the upstreams for their tools, and check the rules against them.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say what is wrong with a configuration, with the line of each problem. Nothing is started, pinned or recorded."""
    output = Output(as_json)
    kind = recognise(path)
    if connect and kind is not FileKind.DEPLOYMENT:
        raise ConfigurationError(
            "Only a deployment has upstreams", do="Leave '--connect' out, or name an interlock.yaml"
        )
    match kind:
        case FileKind.DEPLOYMENT:
            _deployment(path, output, connect=connect)
        case FileKind.AGENT:
            file = read_agent(path)
            remarks, left = _remarks((file.policy,), None)
            told = {"agents": [_row(file.policy)], "unresolved": _unresolved(file.mentions, ())}
            _report(output, {"kind": "agent", "path": str(path), **told}, remarks, left)
        case FileKind.CONTRACTS:
            names = [each.tool for each in load_overlays(path)]
            output.data({"ok": True, "kind": "contracts", "path": str(path), "tools": names})
            output.say(f"{path} is fine: it describes {len(names)} tool{'' if len(names) == 1 else 's'}.")
        case FileKind.ROUTER:
            _router(path, output)


def _router(path: Path, output: Output) -> None:
    file = load_router(path)
    read_through(file)
    names = {
        "providers": [each.name for each in file.providers],
        "models": list(file.routes.models),
        "tiers": list(file.routes.tiers),
        "rules": [each.id for each in file.routes.rules],
    }
    output.data({"ok": True, "kind": "router", "path": str(path), "version": file.routes.version, **names})
    output.say(f"{path} is fine.")
    for word, listed in names.items():
        output.say(f"  {word}: {', '.join(listed) or 'none'}")


def _deployment(path: Path, output: Output, *, connect: bool) -> None:
    deployment = load_deployment(path)
    if deployment.router is not None:
        read_through(deployment.router)
    agents = tuple(deployment.agents.values())
    contracts: Contracts | None = None
    away: tuple[str, ...] = ()
    if connect:
        # The whole product is imported only when it is needed: without it a check takes a quarter of the time.
        offered = importlib.import_module("interlock.cli.catalogue").offered(path)
        contracts, away = offered.contracts, offered.problems
    remarks, left = _remarks(agents, contracts)
    told = {**_extent(deployment, contracts), "agents": [_row(agent) for agent in agents]}
    told["unresolved"] = [] if connect and not away else _waiting(deployment)
    _report(output, {"kind": "deployment", "path": str(path), **told}, remarks, (*left, *missing(deployment), *away))
    if away:
        raise typer.Exit(Exit.INCONCLUSIVE)


def _remarks(
    agents: Collection[AgentPolicy], contracts: Contracts | None
) -> tuple[tuple[Remark, ...], tuple[str, ...]]:
    """Return what the rules deserve to be told, and what could not be checked. Raises for conditions that do not compile."""
    compiled = compile_conditions(agents)
    if compiled.problems:
        raise refusal(compiled.problems)
    return tuple(remark for agent in agents for remark in coverage(agent, contracts)), compiled.left


def _extent(deployment: Deployment, contracts: Contracts | None) -> dict[str, Any]:
    return {
        "tenant": deployment.tenant,
        "connections": [each.name for each in deployment.connections],
        "contracts": len(deployment.overlays),
        "limits": len(deployment.limits),
        "policies": len(deployment.cedar) + len(deployment.rego),
        **({"models": list(deployment.router.routes.models)} if deployment.router else {}),
        **({} if contracts is None else {"tools": len(contracts)}),
    }


def _report(output: Output, told: dict[str, Any], remarks: Sequence[Remark], left: Sequence[str]) -> None:
    failed = any(remark.severity is Severity.ERROR for remark in remarks)
    output.data({"ok": not failed, **told, "remarks": [asdict(remark) for remark in remarks], "unchecked": list(left)})
    output.say(f"{told['path']} {'can be read, and cannot be meant so' if failed else 'is fine'}.")
    for word in ("connections", "contracts", "tools", "models", "limits", "policies"):
        if word in told:
            value = told[word]
            output.say(f"  {word}: {', '.join(value) or 'none' if isinstance(value, list) else value}")
    output.say()
    columns = ("agent", "stage", "tools", "rules", "limits", "owner")
    output.table(columns, [[row[column] for column in columns] for row in told["agents"]])
    if remarks:
        output.say()
        rows = [[each.severity.value, each.rule, each.source, each.text] for each in remarks]
        output.table(("", "about", "where", "remark"), rows)
    for sentence in left:
        output.say(f"\n{sentence.rstrip('.')}.")
    if told["unresolved"]:
        output.say("\nTools that could not be resolved, because nothing is connected:")
        spelt = [[each["tool"], f"{each['file']}:{each['line']}", each["nearest"]] for each in told["unresolved"]]
        output.table(("tool", "first named at", "did you mean"), spelt)
    if failed:
        raise typer.Exit(Exit.FAILED)


def _row(agent: AgentPolicy) -> dict[str, Any]:
    return {
        "agent": agent.id,
        "stage": agent.stage.value,
        "tools": len(agent.tools),
        "rules": len(agent.rules),
        "limits": len(agent.limits),
        "owner": agent.owner or "-",
    }


def _waiting(deployment: Deployment) -> list[dict[str, Any]]:
    described = {ToolName(each.rename or each.tool) for each in deployment.overlays}
    described |= {ToolName(f"{CATEGORY}{each.category}") for each in deployment.overlays if each.category}
    return _unresolved([each for each in deployment.mentions if each.name not in described], described)


def _unresolved(waiting: Iterable[ToolMention], described: Collection[ToolName]) -> list[dict[str, Any]]:
    first: dict[ToolName, ToolMention] = {}
    for mention in waiting:
        first.setdefault(mention.name, mention)
    return [
        {"tool": name, "file": each.spot.file, "line": each.spot.line, "nearest": nearest(name, described)}
        for name, each in sorted(first.items())
    ]
