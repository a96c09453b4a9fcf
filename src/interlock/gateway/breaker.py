"""A circuit breaker per tool: after repeated failures, leave the tool alone for a while, then try once."""

from dataclasses import dataclass


@dataclass(slots=True)
class _Circuit:
    failures: int = 0
    open_until: int = 0
    trial: bool = False


class Breakers:
    """The breakers of one process. State is a cache of recent experience, so it is not shared and not stored."""

    def __init__(self, threshold: int = 5, rest_ms: int = 30_000) -> None:
        """Open after `threshold` consecutive failures, for `rest_ms` milliseconds."""
        self._threshold = threshold
        self._rest_ms = rest_ms
        self._circuits: dict[str, _Circuit] = {}

    def is_open(self, tool: str, now: int) -> bool:
        """Return whether calls of `tool` are refused at `now`; while half open, all but one trial are."""
        circuit = self._circuits.get(tool)
        if circuit is None or circuit.failures < self._threshold:
            return False
        return now < circuit.open_until or circuit.trial

    def entered(self, tool: str, now: int) -> None:
        """Note that a call of `tool` is under way: in a half-open circuit it is the trial."""
        circuit = self._circuits.get(tool)
        if circuit is not None and circuit.failures >= self._threshold and now >= circuit.open_until:
            circuit.trial = True

    def succeeded(self, tool: str) -> None:
        """Close the circuit."""
        self._circuits.pop(tool, None)

    def failed(self, tool: str, now: int) -> None:
        """Count a failure of the transport (not an error that the tool answered) and open the circuit if due."""
        circuit = self._circuits.setdefault(tool, _Circuit())
        circuit.failures += 1
        circuit.trial = False
        if circuit.failures >= self._threshold:
            circuit.open_until = now + self._rest_ms
