"""A world that answers from the record, for sources whose tool code is not at hand."""

from pathlib import Path
from typing import Any

from benchmarks.corpus.records import Group, Record, RecordedCall, read_json
from benchmarks.corpus.worlds.upstream import serve
from benchmarks.corpus.worlds.world import AttackerCall, Outcome, Reply, ToolSurface

_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}


class Replayed:
    """Every call gets the result that the record has for it. What a refused call would have changed stays changed in
    later results: the record is played as it stands.
    """

    def __init__(self, tools: tuple[ToolSurface, ...]) -> None:
        self.tools = tools

    def open(self, record: Record) -> tuple[AttackerCall, ...]:
        self._record = record
        self._executed: set[str] = set()
        return ()

    def call(self, tool: str, arguments: dict[str, Any], recorded: RecordedCall) -> Reply:  # noqa: ARG002
        self._executed.add(recorded.id)
        return Reply(recorded.result, failed=recorded.failed)

    def close(self) -> Outcome:
        """A run that succeeded still does when all its writes were executed; what a person would have done about a
        refused one is not in the record.
        """
        writes = {call.id for call in self._record.calls if call.write and not call.failed}
        return Outcome(utility=bool(self._record.success) and writes <= self._executed)


def build(data: Path, group: Group, records: tuple[Record, ...]) -> Replayed:
    """Present the tools of `env`/<source>_<suite>/tools.json.gz and, derived from the calls, those that it lacks."""
    folder = data / "env" / f"{group.source.removesuffix('-bench')}_{group.suite}"
    surfaces = {}
    for entry in read_json(folder / "tools.json.gz") or read_json(folder / "tools.json") or ():
        tool = entry.get("function", entry)
        surfaces[tool["name"]] = ToolSurface(tool["name"], tool.get("description", ""), tool["parameters"])
    calls: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        for call in record.calls:
            calls.setdefault(call.tool, []).append(call.arguments)
    for name in sorted(set(calls) - set(surfaces)):
        surfaces[name] = ToolSurface(name, "Derived from recorded calls.", derived_schema(calls[name]))
    return Replayed(tuple(surfaces[name] for name in sorted(surfaces)))


def derived_schema(calls: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the narrowest plain schema that admits all of `calls`."""
    names = sorted({name for arguments in calls for name in arguments})
    values = {name: [arguments[name] for arguments in calls if name in arguments] for name in names}
    return {
        "type": "object",
        "properties": {name: _schema_of(values[name]) for name in names},
        "required": [name for name in names if len(values[name]) == len(calls)],
        "additionalProperties": False,
    }


def _schema_of(values: list[Any]) -> dict[str, Any]:
    types = sorted({_TYPES[type(value)] for value in values if value is not None})
    nullable = ["null"] if None in values else []
    schema: dict[str, Any] = {"type": types[0] if len(types) == 1 and not nullable else types + nullable}
    items = [item for value in values if isinstance(value, list) for item in value]
    if "array" in types and items:
        schema["items"] = _schema_of(items)
    return schema


if __name__ == "__main__":
    serve(build)
