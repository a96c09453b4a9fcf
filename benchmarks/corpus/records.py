"""Recorded runs as frozen values, in the format of the data folder's README."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = Any
"""What `json.loads` returns: whoever reads it says what it expects."""


class BadData(Exception):
    """The data folder does not hold what its README promises."""


@dataclass(frozen=True, slots=True)
class Group:
    """Runs that share their tools: one upstream server and one configuration serve them all."""

    source: str
    suite: str

    def __str__(self) -> str:
        return f"{self.suite} ({self.source})"


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """One tool call as the model made it, and what came back."""

    id: str
    """Unique within its run, also where the record repeats an id."""
    tool: str
    arguments: dict[str, Any]
    result: str
    failed: bool
    write: bool | None
    """Whether the tool changes state, where the source says so."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """A message of the user after the first one."""

    text: str


@dataclass(frozen=True, slots=True)
class Record:
    """One recorded run."""

    number: int
    """Position within its group."""
    group: Group
    model: str
    task: str
    injection_task: str | None
    attack: str | None
    system: str
    instruction: str
    """The user's first message; empty when the model spoke first and the user never answered."""
    events: tuple[Instruction | RecordedCall, ...]
    final_output: str
    expected_writes: tuple[tuple[str, dict[str, Any]], ...]
    """Tool and arguments of the writes that the task asks for, where the source says so."""
    success: bool | None
    """The recorded outcome, for sources whose outcome cannot be computed anew."""
    utility: bool | None = None
    """The recorded outcome, for sources whose outcome can."""
    costs: tuple[tuple[int, int, int], ...] = ()
    """Of each reply of the model: prompt tokens, completion tokens, nano-dollars; where the source says so."""

    @property
    def attacked(self) -> bool:
        return self.attack is not None

    @property
    def calls(self) -> tuple[RecordedCall, ...]:
        return tuple(event for event in self.events if isinstance(event, RecordedCall))

    def unexpected(self, call: RecordedCall) -> bool:
        """Whether `call` changed something that the task did not ask for: a literal comparison."""
        return bool(call.write) and not call.failed and (call.tool, call.arguments) not in self.expected_writes


def load(data: Path, only: frozenset[str] = frozenset()) -> dict[Group, tuple[Record, ...]]:
    """Read every file under `data`/runs; `only` names suites to keep, empty for all.

    Raises BadData when there is nothing to read or a line is not a record.
    """
    files = sorted((data / "runs").glob("*.jsonl*"))
    if not files:
        raise BadData(f"{data} has no recorded runs: expected {data / 'runs'}/*.jsonl or *.jsonl.gz.")
    groups: dict[Group, list[Record]] = {}
    for file in files:
        for line, raw in _lines(file):
            try:
                group = Group(raw["source"], raw["suite"])
                if only and group.suite not in only:
                    continue
                records = groups.setdefault(group, [])
                records.append(_record(raw, group, len(records)))
            except (KeyError, TypeError, IndexError, ValueError) as error:
                raise BadData(
                    f"{file.name}, line {line}: not a recorded run ({type(error).__name__}: {error})."
                ) from error
    if not groups:
        raise BadData(f"{data} holds no runs of the suites {', '.join(sorted(only))}.")
    return {group: tuple(records) for group, records in groups.items()}


def read_json(path: Path) -> Json:
    """Return the content of a JSON file, plain or gzipped, or None when it is not there."""
    if not path.exists():
        return None
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as stream:
        return json.load(stream)


def _lines(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, 1):
            if line.strip():
                yield number, json.loads(line)


def _record(raw: dict[str, Any], group: Group, number: int) -> Record:
    messages = raw["messages"]
    system = "\n\n".join(_text(message) for message in messages if message["role"] == "system")
    events = tuple(_events(messages, raw["tool_calls"]))
    first = next((index for index, event in enumerate(events) if isinstance(event, Instruction)), None)
    before_any_call = first is not None and not any(isinstance(event, RecordedCall) for event in events[:first])
    opening = events[first] if before_any_call and first is not None else None
    return Record(
        number=number,
        group=group,
        model=raw["model"],
        task=str(raw["task_id"]),
        injection_task=raw.get("injection_task_id"),
        attack=raw.get("attack"),
        system=system,
        instruction=opening.text if isinstance(opening, Instruction) else "",
        events=tuple(event for event in events if event is not opening),
        final_output=next((_text(message) for message in reversed(messages) if message["role"] == "assistant"), ""),
        expected_writes=_expected_writes(raw),
        success=raw["outcome"].get("success"),
        utility=raw["outcome"].get("utility"),
        costs=tuple(_costs(messages)),
    )


def _costs(messages: list[dict[str, Any]]) -> Iterator[tuple[int, int, int]]:
    for message in messages:
        usage, cost = message.get("usage"), message.get("cost_usd")
        if message["role"] == "assistant" and usage and cost is not None:
            yield usage["prompt_tokens"], usage["completion_tokens"], round(cost * 1_000_000_000)


def _expected_writes(raw: dict[str, Any]) -> tuple[tuple[str, dict[str, Any]], ...]:
    # A read among the expected actions does no harm here: only calls marked as writes are compared.
    return tuple((action["name"], action["args"]) for action in raw.get("expected_actions") or ())


def _events(messages: list[dict[str, Any]], calls: list[dict[str, Any]]) -> Iterator[Instruction | RecordedCall]:
    by_message: dict[int, list[dict[str, Any]]] = {}
    for call in calls:
        by_message.setdefault(call["message_index"], []).append(call)
    seen: dict[str, int] = {}
    for index, message in enumerate(messages):
        if message["role"] == "user":
            yield Instruction(_text(message))
        for call in by_message.get(index, ()):
            if not call.get("executed", True):
                continue
            count = seen[call["id"]] = seen.get(call["id"], 0) + 1
            yield RecordedCall(
                id=call["id"] if count == 1 else f"{call['id']}-{count}",
                tool=call["name"],
                arguments=call["args"],
                result=call.get("result") or "",
                failed=bool(call.get("error")),
                write=call.get("write"),
            )


def _text(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(str(part.get("text") or part.get("content") or "") for part in content)
    return content or ""
