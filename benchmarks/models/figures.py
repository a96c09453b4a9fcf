"""What the rounds add up to: middles, ratios taken within each round, and whether the promises hold."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

MAX_BARE, MIN_LITELLM, MIN_PORTKEY, MAX_STREAM = 2.0, 30.0, 3.0, 1.5
MAX_ADDED_MS, MAX_RSS_MB, MAX_DRIFT_MB = 1.0, 120.0, 5.0


@dataclass(frozen=True, slots=True)
class Round:
    """What one stack took in one round."""

    cpu_us: float
    """CPU of the server's processes for each request, from 32 clients; of the upstream where nothing stands before it."""
    per_second: float
    """Requests answered per second, from 32 clients."""
    turn_min_ms: float
    turn_p50_ms: float
    """One request after the other."""
    rate_p50_ms: float | None
    rate_p99_ms: float | None
    """At the fixed rate; None where the server cannot sustain it."""
    rate_cpu_us: float | None
    """CPU for each request at the fixed rate."""
    stream_cpu_us: float
    """CPU for each streamed answer whose events come at once, in a write each."""
    paced_cpu_us: float
    """CPU for each streamed answer whose events come a millisecond apart."""
    rss_mb: float
    others: float
    """Share of the proxies' core that went to other work than the server's."""


Rounds = Mapping[str, Sequence[Round]]
"""By stack, as many as were measured; every stack has as many."""


def spread(values: Sequence[float | None]) -> dict[str, float] | None:
    """Return minimum, median and maximum, or None where a value is missing."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    return {"min": _short(min(known)), "median": _short(statistics.median(known)), "max": _short(max(known))}


def by_stack(rounds: Rounds) -> list[dict[str, object]]:
    """Return one row of figures for each stack."""
    return [
        {"stack": name, **{each.name: spread([getattr(one, each.name) for one in ran]) for each in fields(Round)}}
        for name, ran in rounds.items()
    ]


def ratios(rounds: Rounds) -> dict[str, dict[str, float] | None]:
    """Return what is compared, round by round, so that the machine's moods meet both sides; absent stacks are left out."""
    found: dict[str, dict[str, float] | None] = {}
    for name, ran in rounds.items():
        if name in ("direct", _BARE):
            continue
        for label, figure in _COMPARED.items():
            found[f"{name} / bare proxy, {label}"] = _over(figure, ran, rounds.get(_BARE, ()))
        if name != _INTERLOCK and _INTERLOCK in rounds:
            found[f"{name} / interlock, CPU per request"] = _over("cpu_us", ran, rounds[_INTERLOCK])
    for name, ran in rounds.items():
        if name != "direct":
            found[f"{name} - direct, p50 ms one by one"] = _less("turn_p50_ms", ran, rounds["direct"])
            found[f"{name} - direct, p50 ms at the fixed rate"] = _less("rate_p50_ms", ran, rounds["direct"])
    return found


def promises(rounds: Rounds, soaked: Mapping[str, Sequence[float]]) -> dict[str, bool]:
    """Return what Interlock is held to, and whether it keeps it; what was not measured is left out."""
    ran = rounds.get(_INTERLOCK)
    if not ran:
        return {}
    compared = ratios(rounds)
    judged: dict[str, bool | None] = {
        f"CPU_within_{MAX_BARE}_times_the_bare_proxy": _within(
            compared, "interlock / bare proxy, CPU per request", MAX_BARE
        ),
        f"CPU_at_most_1/{MIN_LITELLM:.0f}_of_LiteLLM": _beyond(
            compared, "litellm / interlock, CPU per request", MIN_LITELLM
        ),
        f"CPU_at_most_1/{MIN_PORTKEY:.0f}_of_Portkey": _beyond(
            compared, "portkey / interlock, CPU per request", MIN_PORTKEY
        ),
        f"p50_added_within_{MAX_ADDED_MS:.0f}_ms": _within(
            compared, "interlock - direct, p50 ms at the fixed rate", MAX_ADDED_MS
        ),
        f"streams_within_{MAX_STREAM}_times_the_bare_proxy": _within(
            compared, "interlock / bare proxy, CPU per stream", MAX_STREAM
        ),
        f"memory_within_{MAX_RSS_MB:.0f}_MB": max(each.rss_mb for each in ran) <= MAX_RSS_MB,
    }
    if sizes := soaked.get(_INTERLOCK):
        judged[f"memory_flat_within_{MAX_DRIFT_MB:.0f}_MB"] = (
            max(abs(each - sizes[0]) for each in sizes) <= MAX_DRIFT_MB
        )
    return {name: kept for name, kept in judged.items() if kept is not None}


def unrest(rounds: Rounds) -> float:
    """Return the share of the proxies' core that others took in the worst round."""
    return _short(max((each.others for ran in rounds.values() for each in ran), default=0.0))


def soaked_by_stack(soaked: Mapping[str, Sequence[float]]) -> dict[str, dict[str, float]]:
    """Return how resident memory, in MB, went over a long load."""
    return {
        name: {
            "first": _short(sizes[0]),
            "min": _short(min(sizes)),
            "max": _short(max(sizes)),
            "last": _short(sizes[-1]),
        }
        for name, sizes in soaked.items()
        if sizes
    }


_BARE, _INTERLOCK = "bare proxy", "interlock"
_COMPARED = {
    "CPU per request": "cpu_us",
    "CPU per stream": "stream_cpu_us",
    "CPU per paced stream": "paced_cpu_us",
}


def _over(figure: str, ran: Sequence[Round], others: Sequence[Round]) -> dict[str, float] | None:
    pairs = list(zip(ran, others, strict=False))
    return spread([getattr(one, figure) / getattr(other, figure) for one, other in pairs])


def _less(figure: str, ran: Sequence[Round], others: Sequence[Round]) -> dict[str, float] | None:
    pairs = [(getattr(one, figure), getattr(other, figure)) for one, other in zip(ran, others, strict=False)]
    return spread([None if one is None or other is None else one - other for one, other in pairs])


def _within(compared: Mapping[str, dict[str, float] | None], name: str, most: float) -> bool | None:
    found = compared.get(name)
    return None if found is None else found["median"] <= most


def _beyond(compared: Mapping[str, dict[str, float] | None], name: str, least: float) -> bool | None:
    found = compared.get(name)
    return None if found is None else found["median"] >= least


def _short(value: float) -> float:
    return float(f"{value:.4g}")
