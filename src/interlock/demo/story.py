"""The day that the demo plays, read from story.yaml."""

from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from ruamel.yaml import YAML

from interlock.domain.canonical import JsonObject


@dataclass(frozen=True, slots=True)
class Answer:
    """What one person does when the ticket's call waits for people."""

    who: str
    verdict: str
    """`approve`, `deny` or `edit`."""
    reason: str
    arguments: JsonObject
    """For `edit`: what the person changes."""
    refused: bool
    """The gate must not take this answer."""


@dataclass(frozen=True, slots=True)
class Intruder:
    """A call that somebody makes who has got hold of the run's token."""

    tool: str
    arguments: JsonObject


@dataclass(frozen=True, slots=True)
class Ticket:
    """One piece of work for the agent."""

    number: int
    title: str
    says: str
    """What the person at the support desk asks of the agent."""
    ends: str
    """The status in which its last call must end, or `stopped`: the demo checks itself."""
    people: tuple[Answer, ...]
    before: str
    after: str
    note: str
    """What one could not see from the answers."""
    dry_run: str
    """The tool that is only to be rehearsed."""
    intruder: Intruder | None


@dataclass(frozen=True, slots=True)
class Story:
    """The shop's records, and the tickets."""

    system: str
    customers: dict[str, JsonObject]
    orders: dict[str, JsonObject]
    inbox: str
    tickets: tuple[Ticket, ...]


def load_story() -> Story:
    """Return the story that comes with the package."""
    text = files("interlock.demo").joinpath("story.yaml").read_text("utf-8")
    said: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
    return Story(
        system=said["system"],
        customers=said["customers"],
        orders=said["orders"],
        inbox=said["inbox"],
        tickets=tuple(_ticket(number, ticket) for number, ticket in enumerate(said["tickets"], 1)),
    )


def _ticket(number: int, said: dict[str, Any]) -> Ticket:
    return Ticket(
        number=number,
        title=said["title"],
        says=said["says"],
        ends=said["ends"],
        people=tuple(_answer(answer) for answer in said.get("people", ())),
        before=said.get("before", ""),
        after=said.get("after", ""),
        note=said.get("note", ""),
        dry_run=said.get("dry_run", ""),
        intruder=Intruder(**said["intruder"]) if "intruder" in said else None,
    )


def _answer(said: dict[str, Any]) -> Answer:
    return Answer(said["who"], said["verdict"], said["reason"], said.get("arguments", {}), said.get("refused", False))
