"""Which commands there are, and in which module each is written; a module is imported when its command is called."""

import importlib
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperGroup

Command = Any  # a TyperCommand or TyperGroup; what they share is typer's own and private


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command is written: a module with a `typer.Typer` called `app`."""

    module: str
    sentence: str
    """What `interlock --help` says of it, known without importing the module."""


COMMANDS = {
    "demo": Place("interlock.cli.demo", "Play a day of a support agent through a real gate, and say what happened."),
    "init": Place("interlock.cli.init", "Write a starter deployment into a folder."),
    "check": Place("interlock.cli.check", "Say what is wrong with a configuration, with the line of each problem."),
    "serve": Place("interlock.cli.serve", "Serve models, MCP, tool calls and the management API."),
    "approvals": Place("interlock.cli.approvals", "What people are asked, and what they say."),
    "brake": Place("interlock.cli.brake", "Stop what must not happen any more."),
    "policy": Place("interlock.cli.policy", "Rules, held against what has happened."),
    "runs": Place("interlock.cli.runs", "Runs, their calls, replays, and outcomes that nobody knows."),
    "explain": Place("interlock.cli.explain", "Tell why something was, or was not, done."),
    "traces": Place("interlock.cli.traces", "What runs did and what came of it: traces, figures, the archive."),
    "tools": Place("interlock.cli.tools", "The tools, as reviewed."),
    "models": Place("interlock.cli.models", "The models, whether they answer, what they cost."),
    "keys": Place("interlock.cli.keys", "Keys of people, services and agents."),
    "budgets": Place("interlock.cli.budgets", "What is spent, held and left."),
    "erase": Place("interlock.cli.erase", "Erase what is kept of a user or a run."),
    "retention": Place("interlock.cli.retention", "For how long what is kept, and what is let go of."),
    "holds": Place("interlock.cli.holds", "Legal holds: what may not be erased."),
    "encryption": Place("interlock.cli.encryption", "The keys under which bodies are kept."),
    "audit": Place("interlock.cli.audit", "Who did what, under which rules, and the proof."),
    "metrics": Place(
        "interlock.cli.metrics", "The figures at /metrics, with the alerts and the dashboard that go with them."
    ),
    "version": Place("interlock.cli.version", "Print the version."),
}


class LazyCommands(MutableMapping[str, Command]):
    """Commands by name, each made when it is asked for."""

    def __init__(self, places: dict[str, Place]) -> None:
        self._places = places
        self._made: dict[str, Command] = {}

    def __getitem__(self, name: str) -> Command:
        if name not in self._made:
            module = importlib.import_module(self._places[name].module)
            self._made[name] = _named(typer.main.get_command(module.app), name)
        return self._made[name]

    def __setitem__(self, name: str, command: Command) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        self._places = {each: place for each, place in self._places.items() if each != name}
        self._made.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, name: object) -> bool:
        return name in self._places


class LazyGroup(TyperGroup):
    """The top command. Its help imports none of the modules below it, so it answers at once."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - typer passes its own settings through
        super().__init__(**attributes)
        self.commands = LazyCommands(dict(COMMANDS))

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401, ARG002 - typer's private types
        with formatter.section("Commands"):
            formatter.write_dl([(name, place.sentence) for name, place in COMMANDS.items()])


def _named(command: Command, name: str) -> Command:
    command.name = name
    return command
