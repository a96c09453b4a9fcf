"""Where brakes are kept. Every method runs inside one transaction of the store."""

from typing import Protocol

from interlock.domain.brakes import Brake
from interlock.domain.ids import PrincipalId, TenantId


class BrakeRecords(Protocol):
    """INVARIANT I6: after `set` commits, no transaction that read `active` before it commits an admission."""

    def set(self, brake: Brake) -> None:
        """Put the brake on; waits for admissions under way."""

    def lift(self, tenant: TenantId, id: str, *, by: PrincipalId, at: int) -> bool:
        """Lift a brake that is on; return False if there is none."""

    def active(self, tenant: TenantId, now: int) -> tuple[Brake, ...]:
        """Return the brakes that are on, oldest first; `set` waits until the transaction that asked has ended."""

    def history(self, tenant: TenantId, limit: int) -> tuple[Brake, ...]:
        """Return all brakes, newest first."""
