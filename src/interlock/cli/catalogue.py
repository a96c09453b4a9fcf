"""Ask the upstreams of a deployment what they offer, and leave no trace of having asked."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from interlock.adapters.memory import MemoryStore
from interlock.domain.contracts import ToolContract
from interlock.domain.ids import ToolName
from interlock.wiring import open_interlock


@dataclass(frozen=True, slots=True)
class Offered:
    """What the upstreams offer, under the contracts of the deployment."""

    contracts: Mapping[ToolName, ToolContract]
    problems: tuple[str, ...]
    """A sentence for each upstream that did not answer."""


def offered(path: Path) -> Offered:
    """Return what the deployment at `path` offers now; nothing is pinned or recorded.

    Raises ConfigurationError when what it declares does not fit what is offered.
    """
    return asyncio.run(_offered(path))


async def _offered(path: Path) -> Offered:
    async with open_interlock(path, store=MemoryStore()) as interlock:
        publisher = interlock.desks.publisher
        return Offered(publisher.current().catalogue.contracts, publisher.problems)
