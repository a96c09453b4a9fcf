"""From events of the trail to what they add to the sums of their runs. Pure: the same events, the same sums."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from interlock.traces.ports import Notable, RunChange

_ENDS = frozenset({"closed", "stopped"})


@dataclass(slots=True)
class _Sum:
    """What is added up for one run."""

    at: int
    trace: bytes = b""
    workflow: str = ""
    state: str = ""
    outcome: str = ""
    ended_at: int | None = None
    counts: dict[str, Any] = field(default_factory=dict)
    """By the name of a field of `RunChange`."""
    notable: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, name: str, number: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + number

    def note(self, kind: Notable, reason: str) -> None:
        self.notable[kind.value, reason] = self.notable.get((kind.value, reason), 0) + 1


def opened_runs(leaves: Iterable[bytes]) -> tuple[tuple[str, str], ...]:
    """Return tenant and run of every run that is opened in `leaves`: whose users the trail does not tell."""
    opened = (orjson.loads(leaf) for leaf in leaves if b'"run.opened"' in leaf)
    return tuple((event["tenant"], event["subject"]) for event in opened if event["kind"] == "run.opened")


def run_changes(leaves: Iterable[bytes], users: Mapping[tuple[str, str], str]) -> tuple[RunChange, ...]:
    """Return what the events of `leaves`, in their order, add to each run that they tell of.

    `users` says on whose behalf runs were opened, by tenant and run. Events that concern no run add nothing.
    """
    sums: dict[tuple[str, str], _Sum] = {}
    for leaf in leaves:
        event = orjson.loads(leaf)
        read = _READERS.get(event["kind"])
        if read is None:
            continue
        body = event["body"]
        run = _run_of(event["kind"], event["subject"], body)
        if not run:
            continue
        key = (event["tenant"], run)
        found = sums.get(key)
        if found is None:
            found = sums[key] = _Sum(event["at"])
        if body.get("agent"):
            found.workflow = body["agent"]
        read(found, body, event["at"])
    return tuple(
        RunChange(
            tenant,
            run,
            one.trace,
            one.at,
            one.workflow,
            users.get((tenant, run), ""),
            one.state,
            one.outcome,
            one.ended_at,
            **one.counts,
            notable=tuple((kind, reason, times) for (kind, reason), times in one.notable.items()),
        )
        for (tenant, run), one in sums.items()
    )


def _run_of(kind: str, subject: str, body: Mapping[str, Any]) -> str:
    if kind.startswith("run."):
        return subject
    if kind == "model.called":
        return body.get("run") or ""
    # Of calls and of questions about calls: tenant/run/call.
    parts = (body.get("call", "") if kind.startswith("approval.") else subject).split("/", 2)
    return parts[1] if len(parts) > 1 else ""


def _opened(run: _Sum, body: Mapping[str, Any], at: int) -> None:
    run.at = at
    run.state = run.state or "open"
    run.trace = bytes.fromhex(body.get("trace") or "")


def _closed(run: _Sum, body: Mapping[str, Any], at: int) -> None:
    # A run that has ended may be judged later, by an event of the same kind.
    if run.state not in _ENDS:
        run.state, run.ended_at = body["state"], at
    run.outcome = body.get("outcome") or run.outcome


def _decided(run: _Sum, body: Mapping[str, Any], _at: int) -> None:
    status = body["status"]
    # Asked for again while it waits, or taken over from a process that died: the same call, decided once more.
    before = body.get("before")
    if before == status:
        return
    if before is None:
        run.add("tool_calls")
    if status == "denied":
        run.add("denied")
        _note_rules(run, Notable.DENIED, body, "deny")
    elif status == "pending":
        run.add("held")
    elif status == "escalated":
        run.add("escalated")
        _note_rules(run, Notable.ESCALATED, body, "escalate")
    near = body.get("near") or ()
    if near:
        run.add("near_misses")
        for one in near:
            run.note(Notable.NEAR_MISS, str(one.get("rule", "")) if isinstance(one, Mapping) else str(one))


def _note_rules(run: _Sum, kind: Notable, body: Mapping[str, Any], effect: str) -> None:
    for rule, said, _code in body.get("rules", ()):
        if said == effect:
            run.note(kind, rule)


def _settled(run: _Sum, body: Mapping[str, Any], _at: int) -> None:
    if body["status"] == "failed":
        run.add("failed_calls")
        run.note(Notable.FAILED, body.get("failure") or "tool_error")
    elif body["status"] == "denied":
        # Nobody was asked in vain: a person said no, or nobody answered in time.
        run.add("denied")
        run.note(Notable.REFUSED, body.get("failure") or "refused")


def _overdue(run: _Sum, body: Mapping[str, Any], _at: int) -> None:
    run.note(Notable.OVERDUE, body.get("to") or "nobody")


def _called(run: _Sum, body: Mapping[str, Any], _at: int) -> None:
    run.add("model_calls")
    run.add("input_tokens", body["input_tokens"])
    run.add("output_tokens", body["output_tokens"])
    run.add("cost_nano_usd", body["cost_nano_usd"])


_READERS = {
    "run.opened": _opened,
    "run.closed": _closed,
    "call.decided": _decided,
    "call.settled": _settled,
    "call.resolved": _settled,
    "approval.escalated": _overdue,
    "model.called": _called,
}
