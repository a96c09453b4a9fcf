"""`interlock check`."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from interlock.cli.conditions import compile_conditions
from interlock.cli.output import AsJson, Output
from interlock.config import (
    Deployment,
    FileKind,
    ToolMention,
    load_deployment,
    load_overlays,
    nearest,
    read_agent,
    recognise,
    refusal,
)
from interlock.domain.agents import AgentPolicy
from interlock.domain.ids import ToolName

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def check(
    path: Annotated[Path, typer.Argument(help="A folder with an interlock.yaml, or one file of any kind.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Say what is wrong with a configuration, with the line of each problem. Nothing is connected or started."""
    output = Output(as_json)
    match recognise(path):
        case FileKind.DEPLOYMENT:
            _deployment(path, output)
        case FileKind.AGENT:
            file = read_agent(path)
            _report(output, "agent", path, (file.policy,), file.mentions)
        case FileKind.CONTRACTS:
            overlays = load_overlays(path)
            output.data({"ok": True, "kind": "contracts", "file": str(path), "tools": [each.tool for each in overlays]})
            output.say(f"{path} is fine: it describes {_count(len(overlays), 'tool')}.")


def _deployment(path: Path, output: Output) -> None:
    deployment = load_deployment(path)
    described = {ToolName(each.rename or each.tool) for each in deployment.overlays}
    waiting = [mention for mention in deployment.mentions if mention.name not in described]
    _report(output, "deployment", path, deployment.agents.values(), waiting, _extent(deployment), described)


def _extent(deployment: Deployment) -> Mapping[str, Any]:
    return {
        "tenant": deployment.tenant,
        "connections": [each.name for each in deployment.connections],
        "contracts": len(deployment.overlays),
        "limits": len(deployment.limits),
        "policies": len(deployment.cedar) + len(deployment.rego),
    }


def _report(
    output: Output,
    kind: str,
    path: Path,
    agents: Collection[AgentPolicy],
    waiting: Sequence[ToolMention],
    extent: Mapping[str, Any] | None = None,
    described: Iterable[ToolName] = (),
) -> None:
    compiled = compile_conditions(agents)
    if compiled.problems:
        raise refusal(compiled.problems)
    rows = [_row(agent) for agent in agents]
    unresolved = _unresolved(waiting, tuple(described))
    output.data(
        {"ok": True, "kind": kind, "path": str(path), **(extent or {}), "agents": rows, "unresolved": unresolved}
    )
    output.say(f"{path} is fine.")
    for word in ("connections", "contracts", "limits", "policies") if extent else ():
        value = (extent or {})[word]
        output.say(f"  {word}: {', '.join(value) or 'none' if isinstance(value, list) else value}")
    output.say()
    columns = ("agent", "stage", "tools", "rules", "limits", "owner")
    output.table(columns, [[row[column] for column in columns] for row in rows])
    for sentence in compiled.left:
        output.say(f"\n{sentence}.")
    if unresolved:
        output.say("\nTools that could not be resolved, because nothing is connected:")
        spelt = [[each["tool"], f"{each['file']}:{each['line']}", each["nearest"]] for each in unresolved]
        output.table(("tool", "first named at", "did you mean"), spelt)


def _row(agent: AgentPolicy) -> dict[str, Any]:
    return {
        "agent": agent.id,
        "stage": agent.stage.value,
        "tools": len(agent.tools),
        "rules": len(agent.rules),
        "limits": len(agent.limits),
        "owner": agent.owner or "-",
    }


def _unresolved(waiting: Sequence[ToolMention], described: tuple[ToolName, ...]) -> list[dict[str, Any]]:
    first: dict[ToolName, ToolMention] = {}
    for mention in waiting:
        first.setdefault(mention.name, mention)
    return [
        {"tool": name, "file": each.spot.file, "line": each.spot.line, "nearest": nearest(name, described)}
        for name, each in sorted(first.items())
    ]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
