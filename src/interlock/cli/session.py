"""Work on the deployment at hand: who is acting, and the use cases, for the length of one command."""

import asyncio
import getpass
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from interlock.config import Deployment
from interlock.domain.errors import Forbidden
from interlock.domain.identity import Principal
from interlock.gateway.access_desk import operator_at_the_machine
from interlock.gateway.desks import Desks
from interlock.wiring import open_interlock

KEY = "INTERLOCK_KEY"
"""The variable with the key of whoever runs the command."""

Config = Annotated[Path, typer.Option("--config", "-c", help="The deployment: an interlock.yaml, or its folder.")]
"""The option that every command on a deployment carries."""
HERE = Path("interlock.yaml")
Limited = Annotated[int, typer.Option("--limit", min=1, max=1_000, help="How many to show at most.")]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Session:
    """A deployment that one command works on."""

    deployment: Deployment
    desks: Desks
    principal: Principal


def on_deployment(config: Path, work: Callable[[Session], Awaitable[T]], *, discover: bool = False) -> T:
    """Return what `work` returns; with `discover` the upstreams are asked what they offer first."""

    async def whole() -> T:
        async with opened(config, discover=discover) as session:
            return await work(session)

    return asyncio.run(whole())


@asynccontextmanager
async def opened(config: Path, *, discover: bool = False) -> AsyncIterator[Session]:
    """Yield the deployment with whoever is acting: the bearer of INTERLOCK_KEY, else the operator at the machine."""
    async with open_interlock(config, discover=discover) as interlock:
        secret = os.environ.get(KEY, "")
        desks = interlock.desks
        if secret:
            principal = await desks.access.authenticate(secret)
        else:
            principal = operator_at_the_machine(desks.tenant, local_name())
        yield Session(interlock.deployment, desks, principal)


def needs_key() -> None:
    """Raise Forbidden when nobody has said who they are: deciding on a call takes a key of one's own."""
    if not os.environ.get(KEY):
        raise Forbidden(
            "Deciding on a call takes a key of your own",
            why="who approved what must be provable, and this machine's user is not proof",
            do=f"Set {KEY} to a key with the role `approver`; interlock keys create makes one",
        )


def local_name() -> str:
    """Return the name of this machine's user, as far as it is known."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "-" for char in name)[:100]
