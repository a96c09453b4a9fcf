"""The day on one page: what happened to each ticket and why, the totals, and what to do next."""

import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.text import Text

from interlock.demo.day import Played, Step
from interlock.demo.reckoning import Check, Sums

_WIDTH = 100
_TITLE = 44
_OUTCOME = 28
_MANY = 3
_NEXT = (
    ("interlock init my-gate", "write a deployment of your own into a new folder"),
    ("interlock check my-gate", "say what is wrong with it, line by line"),
    (
        "interlock serve --config my-gate",
        "put it between your agent, its models (/v1) and its tools (/mcp, /v1/tool-calls)",
    ),
)


def print_page(played: tuple[Played, ...], total: Sums, checked: tuple[Check, ...], console: Console) -> None:
    """Print the whole page."""
    console.print(
        f"One day at Corner Shop: {len(played)} tickets, models that believe everything, and Interlock between the"
    )
    console.print("agent, its models and its tools. On the right: what the models of the ticket cost.\n")
    for one in played:
        _print_ticket(one, console)
    for title, figures in (("The day in figures", _figures(total)), ("Its models", _models(total))):
        console.print(f"\n{title}", style="bold")
        for name, value in figures:
            console.print(f"  {name:<34}{value:>12}")
    console.print()
    for check in checked:
        console.print(
            Text("  kept    " if check.kept else "  BROKEN  ", style="green" if check.kept else "bold red"), end=""
        )
        console.print(Text(check.promise))
    console.print("\nNext", style="bold")
    for command, what in _NEXT:
        console.print(f"  {command:<34}{what}")


def as_json(played: tuple[Played, ...], total: Sums, checked: tuple[Check, ...]) -> dict[str, Any]:
    """Return the page for programs."""
    tickets = [
        {
            "ticket": one.ticket.number,
            "title": one.ticket.title,
            "says": one.ticket.says,
            "outcome": _outcome(one)[0],
            "ended": one.ended,
            "outcome_of_run": one.outcome,
            "as_told": one.as_told,
            "stopped": one.error.what if one.error is not None else "",
            "model_calls": len(one.models),
            "tokens": sum(record.usage.total for record in one.models),
            "models_nano_usd": one.cost_nano_usd,
            "calls": [asdict(step) for step in one.steps],
        }
        for one in played
    ]
    return {"tickets": tickets, "totals": asdict(total), "checks": [asdict(check) for check in checked]}


def _print_ticket(one: Played, console: Console) -> None:
    word, style = _outcome(one)
    line = Text(f"{one.ticket.number:>2}  {one.ticket.title:<{_TITLE}}")
    line.append(f"{word:<{_OUTCOME}}", style=style)
    line.append(_cost(one.cost_nano_usd), style="dim")
    console.print(line)
    for sentence in _story(one):
        for row in textwrap.wrap(sentence, _WIDTH - 4):
            console.print(Text(f"    {row}", style="dim"))


def _outcome(one: Played) -> tuple[str, str]:
    """Return a word for how the ticket ended, and its colour, which only repeats it."""
    if one.error is not None:
        return "stopped: model budget" if one.ended == "stopped" else f"stopped: {one.ended}", "red"
    step = one.telling
    asked = step is not None and bool(step.people)
    match step.status if step is not None else "":
        case "succeeded":
            return ("done, after people agreed", "green") if asked else ("done", "green")
        case "denied":
            return ("not done: a person said no", "yellow") if asked else ("not done: denied", "red")
        case "unknown":
            return "outcome unknown, money held", "yellow"
        case "simulated":
            return "rehearsed, nothing done", "cyan"
        case "pending":
            return "waits for a person", "yellow"
        case other:
            return other or "nothing proposed", "red"


def _story(one: Played) -> Iterator[str]:
    step = one.telling
    if step is None:
        return
    repeated = sum(each.tool == step.tool for each in one.steps) - 1
    before = f"after {repeated} such calls, " if repeated >= _MANY else ""
    fine = ", a look that changes nothing." if step.read else ", as the user asked and within the limits."
    yield f"{before}{_call(step)}" + (f": {step.why}" if step.why else fine)
    if step.people:
        yield " ".join(step.people)
    if one.error is not None:
        yield f"No model replied any more: {one.error.what}"
    fallen = next((each.attempts for each in one.models if each.attempts[0].model != each.attempts[-1].model), None)
    if fallen is not None:
        first, last = fallen[0], fallen[-1]
        yield f"{first.model} of {first.provider} was not available, so {last.model} of {last.provider} answered."
    if one.ticket.note:
        yield one.ticket.note


def _call(step: Step) -> str:
    arguments = [_plain(name, value) for name, value in step.arguments.items() if name not in _SAID_ELSEWHERE]
    return f"{step.tool} {', '.join(arguments)}".strip()


_SAID_ELSEWHERE = frozenset({"reason", "purpose", "subject", "body"})


def _plain(name: str, value: object) -> str:
    return f"{value:,.2f} USD" if name == "amount_usd" and isinstance(value, int | float) else str(value)


def _figures(total: Sums) -> Iterator[tuple[str, str]]:
    yield "tool calls asked for", str(total.calls)
    yield "executed", str(total.executed)
    yield "denied", str(total.denied)
    yield "held for a person", str(total.asked)
    yield "of these, done in the end", str(total.approved)
    yield "money moved", _usd(total.moved)
    yield "money kept from moving", _usd(total.kept_back)
    yield "money held, outcome unknown", _usd(total.held)
    yield "what the calls cost", _cost(total.tools_nano_usd)
    yield "time", f"{total.seconds:.1f} s"


def _models(total: Sums) -> Iterator[tuple[str, str]]:
    yield "model calls", str(total.model_calls)
    yield "answered by the second vendor", str(total.fallbacks)
    yield "tokens", f"{total.tokens:,}"
    yield "what the models cost", _cost(total.models_nano_usd)
    yield "per ticket", _cost(total.models_nano_usd // max(total.tickets, 1))
    yield "per ticket that was done", _cost(total.models_nano_usd // max(total.tickets_done, 1))


def _cost(nano_usd: int) -> str:
    return f"{nano_usd / 1e9:,.4f} USD"


def _usd(cents: int) -> str:
    return f"{cents // 100:,}.{cents % 100:02} USD"
