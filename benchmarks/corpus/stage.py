"""The player's door to an upstream server: change the run on stage, announce a call, read the outcome."""

from dataclasses import dataclass
from typing import Any

import aiohttp

from benchmarks.corpus.records import Json, Record
from benchmarks.corpus.worlds.world import AttackerCall


@dataclass(frozen=True, slots=True)
class Curtain:
    """What the upstream says when a run has ended."""

    utility: bool | None
    attack_succeeded: bool | None
    executed: tuple[str, ...]
    """Ids of the calls that reached the tools."""
    surprises: tuple[str, ...]
    """Calls that reached the tools unannounced or changed. There must be none."""


class StageDoor:
    """One upstream server's `/stage` routes."""

    def __init__(self, client: aiohttp.ClientSession, url: str) -> None:
        self._client = client
        self._url = url

    async def open(self, record: Record) -> tuple[AttackerCall, ...]:
        """Put `record` on stage; return the calls that its injection wants."""
        return tuple(AttackerCall(**call) for call in await self._post("open", {"record": record.number}))

    async def announce(self, record: Record, call: int) -> None:
        """Tell which of the record's calls comes next."""
        await self._post("announce", {"record": record.number, "call": call})

    async def close(self) -> Curtain:
        """End the run."""
        said = await self._post("close", {})
        return Curtain(said["utility"], said["attack_succeeded"], tuple(said["executed"]), tuple(said["surprises"]))

    async def _post(self, route: str, body: dict[str, Any]) -> Json:
        async with self._client.post(f"{self._url}/stage/{route}", json=body) as response:
            response.raise_for_status()
            return await response.json() if response.status == 200 else None
