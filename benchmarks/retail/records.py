"""What was recorded of the retail runs: the words, the tokens, the money, and whether the task was done."""

import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path("runs") / "tau2_retail_gpt-4.1.jsonl.gz"
"""Within the data folder."""
ENVIRONMENT = Path("env") / "tau2_retail"
_NANO = 1_000_000_000


class BadRecord(Exception):
    """The data folder does not hold the recorded retail runs."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What some model calls used and cost."""

    calls: int = 0
    input: int = 0
    output: int = 0
    cost_nano_usd: int = 0

    @property
    def tokens(self) -> int:
        """Input and output together."""
        return self.input + self.output

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.calls + other.calls,
            self.input + other.input,
            self.output + other.output,
            self.cost_nano_usd + other.cost_nano_usd,
        )

    def __sub__(self, other: "Tally") -> "Tally":
        return Tally(
            self.calls - other.calls,
            self.input - other.input,
            self.output - other.output,
            self.cost_nano_usd - other.cost_nano_usd,
        )


@dataclass(frozen=True, slots=True)
class RetailRun:
    """One recorded run."""

    id: str
    label: str
    """Under which the provider `recorded` knows the conversation."""
    model: str
    messages: tuple[dict[str, Any], ...]
    agent: Tally
    """Of the agent's model: what the record says, message by message."""
    simulator: Tally
    """Of the model that played the customer. None of it is the agent's, and none passes the gateway."""
    greetings: int
    """Opening words of the agent that no model said: without usage, at no cost."""
    stated_nano_usd: int
    """What the record says that the agent cost in all: a second source beside its messages."""
    success: bool


@dataclass(frozen=True, slots=True)
class Stage:
    """What the agent brought to every request."""

    policy: str
    tools: tuple[dict[str, Any], ...]


def load(data: Path) -> tuple[RetailRun, ...]:
    """Return the recorded runs, in order. Raises BadRecord."""
    try:
        with gzip.open(data / FILE, "rt", encoding="utf-8") as lines:
            return tuple(_run(json.loads(line)) for line in lines)
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise BadRecord(f"{data / FILE} cannot be read: {type(error).__name__}: {error}") from error


def stage(data: Path) -> Stage:
    """Return the agent's instructions and tools. Raises BadRecord."""
    folder = data / ENVIRONMENT
    try:
        with gzip.open(folder / "tools.json.gz", "rt", encoding="utf-8") as stream:
            return Stage((folder / "policy.md").read_text(encoding="utf-8"), tuple(json.load(stream)))
    except (OSError, EOFError, ValueError) as error:
        raise BadRecord(f"{folder} cannot be read: {error}") from error


def total(tallies: Iterable[Tally]) -> Tally:
    """Return the sum."""
    return sum(tallies, Tally())


def _run(raw: dict[str, Any]) -> RetailRun:
    task, trial, model = raw["task_id"], raw["trial"], raw["model"]
    return RetailRun(
        id=f"retail-{task}-{trial}",
        label=f"{raw['source']}:{raw['suite']}:{task}:{trial}@{model}",
        model=model,
        messages=tuple(raw["messages"]),
        agent=total(_tally(one) for one in raw["messages"] if one["role"] == "assistant"),
        simulator=total(_tally(one) for one in raw["messages"] if one["role"] == "user"),
        greetings=sum(one["role"] == "assistant" and not one.get("usage") for one in raw["messages"]),
        stated_nano_usd=_nano(raw["agent_cost_usd"]),
        success=raw["outcome"]["success"],
    )


def _tally(message: dict[str, Any]) -> Tally:
    usage = message.get("usage")
    cost = _nano(message.get("cost_usd") or 0)
    return Tally(1, usage["prompt_tokens"], usage["completion_tokens"], cost) if usage else Tally(cost_nano_usd=cost)


def _nano(dollars: float) -> int:
    # Sums of binary fractions: 0.021688000000000002 stands for 0.021688.
    return round(dollars * _NANO)
