"""What the vendors of models get to see: every request, as it leaves the house."""

from dataclasses import dataclass, field

from interlock.domain.models import Dialect
from interlock.models.ports import Answer, Outbound, Provider


@dataclass(slots=True)
class Overheard(Provider):
    """A provider whose wire somebody listens to."""

    provider: Provider
    heard: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.provider.name

    def speaks(self, dialect: Dialect) -> Dialect:
        return self.provider.speaks(dialect)

    async def open(self, outbound: Outbound, dialect: Dialect) -> Answer:
        self.heard.append(outbound.body.decode())
        return await self.provider.open(outbound, dialect)

    async def models(self) -> tuple[str, ...]:
        return await self.provider.models()

    async def close(self) -> None:
        await self.provider.close()


def overhear(providers: dict[str, Provider]) -> list[str]:
    """Listen to all of `providers` from now on; return where what they are sent is written down."""
    heard: list[str] = []
    for name, provider in providers.items():
        providers[name] = Overheard(provider, heard)
    return heard
