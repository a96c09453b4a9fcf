"""Keys and run tokens, by the hash of what their bearers hold."""

from interlock.adapters.sql.encoding import decode, decode_principal, encode, encode_principal, optional_set
from interlock.adapters.sql.session import Row, Session, Statement
from interlock.domain.ids import TenantId
from interlock.identity.ports import IdentityRecords, KeyRecord, TokenRecord

ADD_KEY = Statement("""
    INSERT INTO api_keys (id, tenant, hash, principal, created_at, created_by, expires_at, revoked_at)
    VALUES (:id, :tenant, :hash, :principal, :created_at, :created_by, :expires_at, :revoked_at)
""")

FIND_KEY = Statement("""
    SELECT id, hash, principal, created_at, created_by, expires_at, revoked_at FROM api_keys WHERE hash = :hash
""")

KEYS = Statement("""
    SELECT id, hash, principal, created_at, created_by, expires_at, revoked_at
    FROM api_keys WHERE tenant = :tenant ORDER BY seq DESC
""")

REVOKE_KEY = Statement("""
    UPDATE api_keys SET revoked_at = :at WHERE tenant = :tenant AND id = :id AND revoked_at IS NULL
""")

ADD_TOKEN = Statement("""
    INSERT INTO run_tokens (id, hash, tenant, run, principal, tools, issued_at, expires_at, renewable_until, parent,
                            path, revoked_at)
    VALUES (:id, :hash, :tenant, :run, :principal, :tools, :issued_at, :expires_at, :renewable_until, :parent,
            :path, :revoked_at)
""")

FIND_TOKEN = Statement("""
    SELECT id, hash, tenant, run, principal, tools, issued_at, expires_at, renewable_until, parent, path, revoked_at
    FROM run_tokens WHERE hash = :hash
""")

RENEW_TOKEN = Statement("""
    UPDATE run_tokens SET expires_at = :expires_at WHERE id = :id AND revoked_at IS NULL
""")

REVOKE_TOKENS = Statement("""
    UPDATE run_tokens SET revoked_at = :at
    WHERE (path = :path OR (path >= :first AND path < :beyond)) AND revoked_at IS NULL
""")


class SqlIdentities(IdentityRecords):
    """The tables `api_keys` and `run_tokens`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add_key(self, key: KeyRecord) -> None:
        values = {
            "id": key.id,
            "tenant": key.principal.tenant,
            "hash": key.hash,
            "principal": encode_principal(key.principal),
            "created_at": key.created_at,
            "created_by": key.created_by,
            "expires_at": key.expires_at,
            "revoked_at": key.revoked_at,
        }
        self._session.run(ADD_KEY, values)

    def find_key(self, hash: str) -> KeyRecord | None:
        row = self._session.one(FIND_KEY, {"hash": hash})
        return None if row is None else _key(row)

    def keys(self, tenant: TenantId) -> tuple[KeyRecord, ...]:
        return tuple(_key(row) for row in self._session.all(KEYS, {"tenant": tenant}))

    def revoke_key(self, tenant: TenantId, id: str, at: int) -> bool:
        return self._session.run(REVOKE_KEY, {"tenant": tenant, "id": id, "at": at}) == 1

    def add_token(self, token: TokenRecord) -> None:
        values = {
            "id": token.id,
            "hash": token.hash,
            "tenant": token.tenant,
            "run": token.run,
            "principal": encode_principal(token.principal),
            "tools": None if token.tools is None else encode(token.tools),
            "issued_at": token.issued_at,
            "expires_at": token.expires_at,
            "renewable_until": token.renewable_until,
            "parent": token.parent,
            "path": token.path,
            "revoked_at": token.revoked_at,
        }
        self._session.run(ADD_TOKEN, values)

    def find_token(self, hash: str) -> TokenRecord | None:
        row = self._session.one(FIND_TOKEN, {"hash": hash})
        return None if row is None else _token(row)

    def renew_token(self, id: str, expires_at: int) -> bool:
        return self._session.run(RENEW_TOKEN, {"id": id, "expires_at": expires_at}) == 1

    def revoke_tokens(self, path: str, at: int) -> int:
        # "0" is the character after "/": the range holds exactly the paths below this one.
        values = {"path": path, "first": f"{path}/", "beyond": f"{path}0", "at": at}
        return self._session.run(REVOKE_TOKENS, values)


def _key(row: Row) -> KeyRecord:
    id_, hash_, principal, *rest = row
    return KeyRecord(id_, hash_, decode_principal(principal), *rest)


def _token(row: Row) -> TokenRecord:
    id_, hash_, tenant, run, principal, tools, *rest = row
    allowed = None if tools is None else optional_set(decode(tools))
    return TokenRecord(id_, hash_, tenant, run, decode_principal(principal), allowed, *rest)
