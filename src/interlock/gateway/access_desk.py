"""Who is calling: authenticate bearers, make and revoke keys, renew, delegate and revoke run tokens."""

from interlock.domain.audit import AuditKind
from interlock.domain.errors import BadInput, Forbidden, Unauthenticated, UnknownRecord
from interlock.domain.identity import Principal, Role
from interlock.domain.ids import AgentId, PrincipalId, TenantId, ToolName, checked_id, new_id
from interlock.gateway.ports import Clock
from interlock.gateway.store import Store, Tx
from interlock.gateway.trail import event
from interlock.identity.credentials import (
    KEY_PREFIX,
    TOKEN_PREFIX,
    child_token,
    key_principal,
    new_secret,
    renewed,
    secret_hash,
    token_principal,
)
from interlock.identity.ports import KeyRecord, TokenRecord

_UNKNOWN = Unauthenticated(
    "The bearer token is not valid", do="Send a key made by `interlock keys create`, or a run token"
)


class AccessDesk:
    """Use cases around identities."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Work on `store`."""
        self._store = store
        self._clock = clock

    async def authenticate(self, secret: str) -> Principal:
        """Return who bears `secret`. Raises Unauthenticated for anything unknown, revoked or expired."""
        if not secret.isascii() or len(secret) > 200:
            raise _UNKNOWN
        hashed, now = secret_hash(secret), self._clock.now()
        if secret.startswith(TOKEN_PREFIX):
            token = await self._store.read(lambda tx: tx.identities.find_token(hashed))
            if token is not None:
                return token_principal(token, now)
        elif secret.startswith(KEY_PREFIX):
            key = await self._store.read(lambda tx: tx.identities.find_key(hashed))
            if key is not None:
                return key_principal(key, now)
        raise _UNKNOWN

    async def create_key(
        self, principal: Principal, name: str, roles: frozenset[Role], agent: AgentId | None, life_ms: int | None = None
    ) -> tuple[str, KeyRecord]:
        """Return a new key, to be shown once, and its record. Raises Forbidden, BadInput."""
        _check_admin(principal)
        if not roles or (Role.AGENT in roles) is not (agent is not None):
            raise BadInput(
                "An agent's key names its agent, and no other key does", do="Give roles, and --agent for role agent"
            )
        if Role.AGENT in roles and len(roles) > 1:
            raise BadInput("An agent holds no other role", why="it could approve or unbrake itself")
        now = self._clock.now()
        secret = new_secret(KEY_PREFIX)
        holder = Principal(PrincipalId(checked_id(name, "name")), principal.tenant, roles, agent)
        key = KeyRecord(
            new_id("key"), secret_hash(secret), holder, now, principal.id, now + life_ms if life_ms else None
        )

        def work(tx: Tx) -> None:
            tx.identities.add_key(key)
            body = {"agent": agent, "holder": holder.id, "roles": sorted(role.value for role in roles)}
            tx.audit.append(event(holder.tenant, AuditKind.KEY_CREATED, now, principal.id, key.id, body))

        await self._store.transact(work)
        return secret, key

    async def keys(self, principal: Principal) -> tuple[KeyRecord, ...]:
        """Return the tenant's keys, without secrets."""
        if not (principal.may(Role.ADMIN) or principal.may(Role.AUDITOR)):
            raise Forbidden("Keys are for admins and auditors to see")
        return await self._store.read(lambda tx: tx.identities.keys(principal.tenant))

    async def revoke_key(self, principal: Principal, id: str) -> None:
        """Revoke a key at once. Raises Forbidden, UnknownRecord."""
        _check_admin(principal)
        now = self._clock.now()

        def work(tx: Tx) -> None:
            if not tx.identities.revoke_key(principal.tenant, id, now):
                raise UnknownRecord(f"There is no live key {id}", do="See interlock keys list")
            tx.audit.append(event(principal.tenant, AuditKind.KEY_REVOKED, now, principal.id, id, {}))

        await self._store.transact(work)

    async def renew(self, secret: str) -> int:
        """Give a run token ten more minutes, up to its run's deadline; return its new expiry."""
        now = self._clock.now()

        def work(tx: Tx) -> int:
            token = _token(tx, secret)
            expires_at = renewed(token, now)
            tx.identities.renew_token(token.id, expires_at)
            return expires_at

        return await self._store.transact(work)

    async def delegate(self, secret: str, tools: frozenset[ToolName] | None) -> tuple[str, TokenRecord]:
        """Return a child of the run token `secret`, limited to `tools` and to what the parent may do."""
        now = self._clock.now()

        def work(tx: Tx) -> tuple[str, TokenRecord]:
            made, child = child_token(_token(tx, secret), tools, now)
            tx.identities.add_token(child)
            body = {
                "parent": child.parent,
                "run": child.run,
                "tools": sorted(child.tools) if child.tools is not None else None,
            }
            tx.audit.append(event(child.tenant, AuditKind.TOKEN_ISSUED, now, child.principal.id, child.id, body))
            return made, child

        return await self._store.transact(work)

    async def revoke_token(self, secret: str) -> int:
        """Revoke the run token and everything delegated from it; return how many tokens died."""
        now = self._clock.now()

        def work(tx: Tx) -> int:
            token = _token(tx, secret)
            count = tx.identities.revoke_tokens(token.path, now)
            tx.audit.append(
                event(token.tenant, AuditKind.TOKEN_REVOKED, now, token.principal.id, token.id, {"count": count})
            )
            return count

        return await self._store.transact(work)


def operator_at_the_machine(tenant: TenantId, name: str) -> Principal:
    """Return who runs the command line with direct access to the store: an admin by possession of the database.

    Not an approver: deciding on calls always takes a key of one's own.
    """
    return Principal(PrincipalId(f"local:{name}"), tenant, frozenset({Role.ADMIN}))


def _token(tx: Tx, secret: str) -> TokenRecord:
    token = tx.identities.find_token(secret_hash(secret))
    if token is None:
        raise _UNKNOWN
    return token


def _check_admin(principal: Principal) -> None:
    if not principal.may(Role.ADMIN):
        raise Forbidden("Keys are for admins to make and revoke")
