"""Review contracts: list them, see what changed since the review, approve the change."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from interlock.domain.audit import AuditKind
from interlock.domain.contracts import ToolContract
from interlock.domain.errors import Conflict, Forbidden
from interlock.domain.identity import Principal, Role
from interlock.domain.ids import ToolName
from interlock.gateway.ports import Clock
from interlock.gateway.release import Release
from interlock.gateway.store import Store, Tx
from interlock.gateway.trail import event
from interlock.tools.hashing import Digests
from interlock.tools.pins import Change, diff, pin
from interlock.tools.ports import Pin


@dataclass(frozen=True, slots=True)
class Review:
    """A contract and what its upstream changed since it was pinned."""

    contract: ToolContract
    pin: Pin | None
    changes: tuple[Change, ...]


class ContractDesk:
    """Use cases around contracts."""

    def __init__(
        self, store: Store, release: Callable[[], Release], refresh: Callable[[], Awaitable[None]], clock: Clock
    ) -> None:
        """Work on `store`; `refresh` makes a new release after an approval."""
        self._store = store
        self._release = release
        self._refresh = refresh
        self._clock = clock

    async def list(self, principal: Principal) -> tuple[ToolContract, ...]:
        """Return every contract, by name."""
        _check_reader(principal)
        contracts = self._release().catalogue.contracts
        return tuple(contracts[name] for name in sorted(contracts))

    async def review(self, principal: Principal, tool: str) -> Review:
        """Return the contract of `tool` beside its pin. Raises UnknownTool."""
        _check_reader(principal)
        catalogue = self._release().catalogue
        contract = catalogue.find(tool)
        known = await self._store.read(lambda tx: tx.pins.find(contract.name))
        changes = diff(known.surface, catalogue.surfaces[contract.name], Digests()) if known is not None else ()
        return Review(contract, known, changes)

    async def approve(self, principal: Principal, tool: str, surface_hash: str) -> Pin:
        """Pin what the upstream of `tool` offers now, if that is still `surface_hash`, which the reviewer saw.

        Raises Forbidden, UnknownTool, and Conflict when the surface has changed again since it was looked at.
        """
        if not principal.may(Role.OPERATOR):
            raise Forbidden("Approving contracts is for operators")
        catalogue = self._release().catalogue
        contract = catalogue.find(tool)
        if contract.surface_hash != surface_hash:
            raise Conflict(
                f"The tool {tool} has changed again since you looked",
                do=f"Look once more: interlock tools diff {tool}",
            )
        now = self._clock.now()
        approved = pin(contract, catalogue.surfaces[contract.name], principal.id, now, Digests())

        def work(tx: Tx) -> None:
            tx.pins.put(approved)
            body = {"surface": approved.surface_hash, "tool": approved.tool}
            tx.audit.append(
                event(principal.tenant, AuditKind.CONTRACT_APPROVED, now, principal.id, ToolName(tool), body)
            )

        await self._store.transact(work)
        await self._refresh()
        return approved


def _check_reader(principal: Principal) -> None:
    if not any(principal.may(role) for role in (Role.OPERATOR, Role.AUDITOR, Role.APPROVER)):
        raise Forbidden("The catalogue is for operators, approvers and auditors to see")
