"""Run one client's cases and print what came of each as JSON: runs where the clients are installed, not where the tests are."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
HELLO = "Say hello"
WEATHER = "What is the weather in Oslo?"
BOTH = "Compare Oslo and Bergen."
REPORT = "Report on Oslo."
LOOK = "Look at this."
CUT = "Break off."
BROKEN = "Fail in the middle."
LONG = "x" * (17 << 20)
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
REPORTED = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "celsius": {"type": "integer"}},
    "required": ["city", "celsius"],
    "additionalProperties": False,
}
SECOND = "broke"
"""A model that this agent has no budget for."""


@dataclass(frozen=True)
class Place:
    """Where Interlock is, and with which key."""

    url: str
    key: str


Case = Callable[[Place], Any]


def play(cases: Mapping[str, Case]) -> None:
    """Play the cases that the command line names, or all, against the place that it names."""
    place, named = Place(sys.argv[1], sys.argv[2]), sys.argv[3:]
    print(json.dumps({name: _outcome(case, place) for name, case in cases.items() if not named or name in named}))


def _outcome(case: Case, place: Place) -> Any:
    try:
        return {"value": case(place)}
    except Exception as error:  # noqa: BLE001 - what a client raises is what the case is about
        return {"raised": raised(error)}


def raised(error: BaseException) -> dict[str, Any]:
    """Say what a client raised, as far as callers can tell from it."""
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    statuses = [getattr(one, "status_code", None) for one in chain]
    status = next((found for found in statuses if isinstance(found, int)), None)
    return {
        "kind": type(error).__name__,
        "chain": [type(one).__name__ for one in chain],
        "status": status,
        "text": str(error)[:600],
    }


def calls_of(calls: Any) -> list[list[Any]]:
    """Return (name, arguments) of calls, arguments parsed where they are text."""
    return [[name, json.loads(said) if isinstance(said, str) else said] for name, said in calls]
