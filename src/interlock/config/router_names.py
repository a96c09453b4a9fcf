"""What router.yaml declares, so that every name used in it is known, or met with the nearest one."""

from collections.abc import Collection
from dataclasses import dataclass

from interlock.config.problems import Findings, echo
from interlock.config.router_shape import Named


@dataclass(frozen=True, slots=True)
class Names:
    """All declared names by kind. Each method returns whether the name is one, and notes the problem when it is not."""

    providers: Collection[str]
    models: Collection[str]
    tiers: Collection[str]
    agents: Collection[str] | None
    """None when the file is read without its deployment: then every agent is taken."""

    def provider(self, name: Named, found: Findings) -> bool:
        return _known(name, self.providers, "provider", found)

    def model(self, name: Named, found: Findings) -> bool:
        return _known(name, self.models, "model", found)

    def tier(self, name: Named, found: Findings) -> bool:
        return _known(name, self.tiers, "tier", found)

    def target(self, name: Named, found: Findings) -> bool:
        return _known(name, (*self.tiers, *self.models), "tier or model", found)

    def agent(self, name: Named, found: Findings) -> bool:
        return self.agents is None or _known(name, self.agents, "agent", found)


def _known(name: Named, choices: Collection[str], what: str, found: Findings) -> bool:
    if name.text in choices:
        return True
    some = ", ".join(list(choices)[:8])
    expected = f"one of {some}" if choices else f"a {what} that this file declares"
    found.add(name.spot, f"There is no {what} {echo(name.text)}", expected, found.near(name.text, choices))
    return False
