"""The brake: one action that stops a tool, a category, an agent, a model, all writes or everything."""

from interlock.domain.audit import AuditKind
from interlock.domain.brakes import Brake, BrakeTarget
from interlock.domain.errors import BadInput, Forbidden, UnknownRecord
from interlock.domain.identity import Principal, Role
from interlock.domain.ids import new_id, random_bytes
from interlock.gateway.ports import Clock
from interlock.gateway.store import Store, Tx
from interlock.gateway.trail import brake_event

_UNNAMED = (BrakeTarget.WRITES, BrakeTarget.MODELS, BrakeTarget.ALL)


class BrakeDesk:
    """Use cases around brakes. A brake holds from the moment that `on` returns, in every process on the store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Work on `store`."""
        self._store = store
        self._clock = clock

    async def on(self, principal: Principal, target: BrakeTarget, name: str, *, reason: str, for_ms: int) -> Brake:
        """Stop what `target` and `name` say, for `for_ms` milliseconds. Raises Forbidden, BadInput."""
        _check_operator(principal)
        if not reason.strip() or len(reason) > 1_000:
            raise BadInput("A brake needs a reason", do="Say why, in a sentence")
        if for_ms <= 0:
            raise BadInput("A brake needs an expiry", do="Say for how long, for instance 1h")
        if bool(name) is (target in _UNNAMED):
            raise BadInput(f"A brake on {target} {'takes no name' if name else 'needs a name'}")
        now = self._clock.now()
        until, salt = now + for_ms, random_bytes(32)
        brake = Brake(new_id("brk"), principal.tenant, target, name, reason, principal.id, now, until, salt=salt)

        def work(tx: Tx) -> None:
            tx.brakes.set(brake)
            tx.audit.append(brake_event(AuditKind.BRAKE_SET, brake, now, principal.id))

        await self._store.transact(work)
        return brake

    async def off(self, principal: Principal, id: str) -> Brake:
        """Lift one brake. Raises Forbidden, UnknownRecord."""
        _check_operator(principal)
        now = self._clock.now()

        def work(tx: Tx) -> Brake:
            found = [brake for brake in tx.brakes.active(principal.tenant, now) if brake.id == id]
            if not found or not tx.brakes.lift(principal.tenant, id, by=principal.id, at=now):
                raise UnknownRecord(f"No brake {id} is on", do="See interlock brake status")
            tx.audit.append(brake_event(AuditKind.BRAKE_LIFTED, found[0], now, principal.id))
            return found[0]

        return await self._store.transact(work)

    async def status(self, principal: Principal) -> tuple[Brake, ...]:
        """Return the brakes that are on."""
        if not any(principal.may(role) for role in (Role.OPERATOR, Role.AUDITOR, Role.APPROVER)):
            raise Forbidden("Brakes are for operators and auditors to see")
        now = self._clock.now()
        return await self._store.read(lambda tx: tx.brakes.active(principal.tenant, now))


def _check_operator(principal: Principal) -> None:
    if not principal.may(Role.OPERATOR):
        raise Forbidden("The brake is for operators", do="Ask an operator, or an admin for the role `operator`")
