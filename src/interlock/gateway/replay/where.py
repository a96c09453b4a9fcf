"""Which runs of the past to look at: `agent=refunds label.case=7 outcome=succeeded`."""

from dataclasses import dataclass
from typing import Final

from interlock.domain.errors import BadInput
from interlock.domain.ids import AgentId
from interlock.domain.runs import Run

_LABEL: Final = "label."
_FIELDS: Final = ("agent", "outcome", "run", "state", "user")


@dataclass(frozen=True, slots=True)
class Where:
    """Conditions that must all hold; none means every run."""

    conditions: tuple[tuple[str, str], ...] = ()
    since: int = 0
    """Opened at or after this instant, in milliseconds since the epoch."""
    until: int = 1 << 62

    @property
    def agent(self) -> AgentId | None:
        """The agent that is asked for, where only one is."""
        named = {value for name, value in self.conditions if name == "agent"}
        return AgentId(named.pop()) if len(named) == 1 else None

    def holds(self, run: Run) -> bool:
        """Return whether `run` is one of them."""
        if not self.since <= run.opened_at < self.until:
            return False
        labels = dict(run.labels)
        said = {
            "agent": run.agent,
            "outcome": run.outcome.value if run.outcome is not None else "",
            "run": run.id,
            "state": run.state.value,
            "user": run.user or "",
        }
        return all(
            labels.get(name.removeprefix(_LABEL)) == value if name.startswith(_LABEL) else said[name] == value
            for name, value in self.conditions
        )


def where(text: str, since: int = 0, until: int = 1 << 62) -> Where:
    """Return the conditions that `text` spells, apart by spaces. Raises BadInput for one that is none."""
    conditions = []
    for word in text.split():
        name, sign, value = word.partition("=")
        if not sign or not (name in _FIELDS or (name.startswith(_LABEL) and name != _LABEL)):
            raise BadInput(
                f"'{word[:60]}' is no condition on runs",
                why=f"known are {', '.join(_FIELDS)} and label.NAME",
                do="Write for instance: --where 'agent=refunds outcome=succeeded label.case=7'",
            )
        conditions.append((name, value))
    return Where(tuple(conditions), since, until)
